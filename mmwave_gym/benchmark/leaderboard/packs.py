"""Packs: the rows of a task's runs in two small files that a package ships and a repository keeps.

`<task>.runs.xz` has a line for each run: its header, how many rows it has, or why it failed. `<task>.rows.xz` has the
rows of all these runs one after the other, as the row files have them. They are apart because a header changes more
often than its rows, which are most of the bytes. `xzcat` shows both.
"""

from __future__ import annotations

import lzma
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmwave_gym.benchmark.leaderboard.rows import RowsError, Run, as_line, parse, row_path
from mmwave_gym.benchmark.leaderboard.verified import holding
from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import InputError
from mmwave_gym.core.files import write

RUNS, ROWS = ".runs.xz", ".rows.xz"
_LARGEST_BYTES = 256 * 2**20  # of an unpacked file: one from elsewhere must not fill the memory


def pack(runs: Iterable[Run], folder: str | Path) -> list[Path]:
    """Write the runs of each task into its two files in `folder`; returns the files that changed.

    Skipped runs and those without a row are left out. The same runs give the same text, and a file whose text would
    not change is not written. Raises `RowsError` where the folder cannot be written.
    """
    by_task: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.skipped is None and (run.episodes or run.failed is not None):
            by_task[str(run.task["name"])].append(run)
    changed = []
    for name, found in sorted(by_task.items()):
        found.sort(key=lambda run: (run.agent["name"], run.agent["training_seed"] is not None, run.identity[2] or 0))
        heads = b"".join(as_line(_summary(run)) for run in found)
        rows = b"".join(as_line(row) for run in found for row in run.episodes)
        for suffix, text in ((RUNS, heads), (ROWS, rows)):
            path = pack_path(folder, name, suffix)
            try:
                if not path.exists() or unpacked(path) != text:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write(path, lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
                    changed.append(path)
            except OSError as error:
                raise RowsError(f"{path} cannot be written ({error.strerror}): choose another folder.") from error
    return changed


def unpack(folder: str | Path, tasks: Iterable[str] | None = None) -> list[Run]:
    """The runs of all packs below `folder`, or of the packs of these tasks, marked as committed.

    Raises `RowsError` for a pack that is damaged, too large or lacks its other half.
    """
    root = Path(folder)
    paths = sorted(root.rglob(f"*{RUNS}")) if tasks is None else [pack_path(root, name, RUNS) for name in tasks]
    return [run for path in paths if path.exists() for run in read_pack(path)]


def _summary(run: Run) -> dict[str, Any]:
    """A run's line, without its rows."""
    summary = {"rows": len(run.episodes), "failed": run.failed, "processor_s": run.processor_s}
    return {**summary, **({"verified": run.verified} if run.verified else {}), "header": run.header}


def pack_path(folder: str | Path, task: str, suffix: str) -> Path:
    """Where a task's pack of a kind lies in a folder."""
    plain = row_path(folder, task, "x").parent
    return plain.with_name(plain.name + suffix)


def read_pack(path: Path) -> list[Run]:
    """The runs of one task, from its file `.runs.xz`. A run is read as its row file would be, with the same checks.

    Raises `RowsError`, which names the file.
    """
    heads = [_head(text, path) for text in unpacked(path).splitlines()]
    rows = unpacked(path.with_name(path.name.removesuffix(RUNS) + ROWS)).splitlines(keepends=True)
    if (counted := sum(head["rows"] for head in heads)) != len(rows):
        raise RowsError(f"{path} counts {counted} rows, the file beside it has {len(rows)}: one of them is damaged.")
    found, start = [], 0
    for head in heads:
        own = rows[start : start + head["rows"]]
        start += head["rows"]
        end = b"" if head.get("failed") is None else as_line({"failed": head["failed"]})
        run = parse(as_line(head["header"]) + b"".join(own) + end, path)
        if run is not None:
            record = holding(head.get("verified"), run.header, run.episodes)
            found.append(replace(run, committed=True, processor_s=head.get("processor_s"), verified=record))
    return found


def _head(text: bytes, path: Path) -> dict[str, Any]:
    with untrusted.blaming(path, RowsError):
        head = untrusted.json_value(text)
    if isinstance(head, dict) and isinstance(head.get("header"), dict):
        rows, seconds = head.get("rows"), head.get("processor_s")
        timed = seconds is None or (isinstance(seconds, int | float) and 0.0 <= seconds < math.inf)
        if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0 and timed:
            return head
    raise RowsError(f"{path} is no pack of rows: a line has no header with a count of rows.")


def unpacked(path: Path) -> bytes:
    """The text of a packed file. RowsError where it cannot be read, is damaged or too large."""
    with untrusted.blaming(path, RowsError):
        try:
            return untrusted.unxz(untrusted.read_bytes(path), _LARGEST_BYTES)
        except InputError as error:
            raise RowsError(f"{str(error).rstrip('.')}: fetch it again.") from None
