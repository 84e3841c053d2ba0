"""The row file: one JSON Lines file per run, that is per task, agent and training seed.

The first line is a header object, every further line is one episode. A run that could not be made holds
``{"failed": reason}`` or ``{"skipped": reason}`` as its last line. Files are read by their header, never by
their name. A last line that a killed process left unfinished is dropped by the reader and by the writer; any
other damage is an error that names the file and the line.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from io import RawIOBase
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from mmwave_gym.benchmark.leaderboard import verified
from mmwave_gym.benchmark.leaderboard.headers import FORMAT, RowsError, check_episode, check_header
from mmwave_gym.benchmark.leaderboard.keys import differing
from mmwave_gym.core import untrusted
from mmwave_gym.core.files import replacing

try:
    import fcntl
except ImportError:  # Windows has no advisory locks: two writers of one file are then not noticed
    fcntl = None  # type: ignore[assignment]

_LONGEST_NAME = 150
"""Characters of an agent in a file's name; file systems allow 255 for all of it, and for that of a draft."""


@dataclass(frozen=True)
class Run:
    """One row file: a task evaluated with one agent of one training seed.

    ``episodes`` are the episode objects in ascending order; ``failed`` and ``skipped`` hold a reason or None.
    ``committed`` marks rows that were committed before and are not from this evaluation. ``stale`` says why the rows
    no longer hold: they are then left out of the board, with this reason. ``processor_s`` is what playing took, None
    where nobody noted it. ``verified`` is what `mmwave-gym verify` found for these very rows, None where it did not.
    """

    header: Mapping[str, Any]
    episodes: tuple[Mapping[str, Any], ...]
    failed: str | None = None
    skipped: str | None = None
    path: Path | None = None
    committed: bool = False
    stale: str = ""
    processor_s: float | None = None
    verified: Mapping[str, Any] | None = None

    @property
    def identity(self) -> tuple[str, str, int | None]:
        """Task, agent and training seed."""
        return self.task["name"], self.agent["name"], self.agent["training_seed"]

    @property
    def task(self) -> Mapping[str, Any]:
        """The header's task object."""
        return self.header["task"]

    @property
    def agent(self) -> Mapping[str, Any]:
        """The header's agent object."""
        return self.header["agent"]

    @property
    def created(self) -> str:
        """ISO 8601 date and time of the run's first row, as written in the header."""
        return str(self.header.get("created") or "")


def row_path(rows_dir: str | Path, task: str, agent: str, training_seed: int | None = None) -> Path:
    """Return where a run's rows belong: ``<rows_dir>/<task>/<agent>[@<seed>].jsonl``.

    Characters that mean something to a file system (an agent may be named ``package:Class`` or by a path) are
    percent-encoded, and a long name ends with its digest. Raises `RowsError` for a task or agent name that gives no
    usable path.
    """
    parts = task.split("/")
    if not agent or any(part in ("", ".", "..") for part in parts):
        raise RowsError(f"task {task!r} with agent {agent!r} gives no file name: use plain, non-empty names.")
    suffix = "" if training_seed is None else f"@{training_seed}"
    name = quote(agent, safe="+,=")
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}~{hashlib.sha256(agent.encode()).hexdigest()[:16]}"
    name += suffix + ".jsonl"
    return Path(rows_dir).joinpath(*(quote(part, safe="+,=") for part in parts), name)


Damaged = Callable[[Path, "RowsError"], "Run | None"]


def read_rows(rows_dir: str | Path, committed: Iterable[Run] = (), damaged: Damaged | None = None) -> list[Run]:
    """Read every row file below ``rows_dir``, sorted by path.

    ``committed`` are runs that stand in for those that ``rows_dir`` does not have, or only as skipped ones.
    ``damaged`` says which run stands for a damaged file, None where it cannot.

    Raises `RowsError` for a missing directory, a damaged file, or two files with the same run.
    """
    fresh = _read_directory(Path(rows_dir), damaged)
    measured = {run.identity for run in fresh if run.skipped is None}
    return fresh + [run for run in committed if run.identity not in measured]


def seconds_path(path: Path) -> Path:
    """Where the processor time of a row file's run is noted: beside it, for rows do not depend on it."""
    return path.with_suffix(".seconds")


def _seconds(path: Path) -> float | None:
    with contextlib.suppress(ValueError):
        seconds = untrusted.number(untrusted.read_bytes(seconds_path(path), 64).decode("ascii"))
        return seconds if 0.0 <= seconds < 1e12 else None
    return None


def _read_directory(directory: Path, damaged: Damaged | None) -> list[Run]:
    if not directory.is_dir():
        raise RowsError(f"{directory} is not a directory: give the directory that an evaluation wrote its rows to.")
    runs = []
    seen: dict[tuple[Any, ...], Path] = {}
    for path in sorted(directory.rglob("*.jsonl")):
        with untrusted.blaming(path, RowsError):
            content = untrusted.read_bytes(path)
        try:
            run = parse(content, path)
        except RowsError as error:
            if damaged is None or (run := damaged(path, error)) is None:
                raise
        if run is None:
            continue  # killed before the header was on disk: holds nothing
        identity = (run.task["name"], run.task["hash"], run.agent["name"], run.agent["training_seed"])
        if identity in seen:
            raise RowsError(
                f"{path} and {seen[identity]} hold the same run (task {identity[0]}, agent {identity[2]}, "
                f"training seed {identity[3]}): remove one of them."
            )
        seen[identity] = path
        record = verified.read(path, run.header, run.episodes)
        runs.append(replace(run, processor_s=_seconds(path), verified=record))
    return runs


def parse(content: bytes, path: Path) -> Run | None:
    """Return the run in a row file's bytes, or None if not even the header was completed."""
    lines = content.split(b"\n")
    tail = lines.pop()
    try:
        # A proper prefix of a JSON object is never JSON: a tail that parses is a whole line without its end.
        untrusted.json_value(tail)
        lines.append(tail)
    except ValueError:
        if not lines and not (tail.startswith(b'{"format"') or b'{"format"'.startswith(tail)):
            raise RowsError(f"{path} is not a row file: its first line is no header object.") from None
    if not lines:
        return None
    objects = [_object(line, path, number) for number, line in enumerate(lines, 1)]
    header = objects[0]
    check_header(header, path)
    reasons: dict[str, str | None] = {"failed": None, "skipped": None}
    for kind in reasons:
        if kind in objects[-1]:
            reasons[kind] = str(objects.pop()[kind])
            break
    episodes: dict[int, Mapping[str, Any]] = {}
    for number, row in enumerate(objects[1:], 2):
        try:
            check_episode(row, header, episodes)
        except RowsError as error:
            raise RowsError(f"{path}, line {number}: {error}") from None
        episodes[row["episode"]] = row
    return Run(header, tuple(episodes[e] for e in sorted(episodes)), reasons["failed"], reasons["skipped"], path)


def _object(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        value = untrusted.json_value(line)
    except ValueError as error:
        raise RowsError(f"{path}, line {number}: {error} Delete the file and evaluate again.") from None
    if not isinstance(value, dict):
        raise RowsError(f"{path}, line {number} must be an object, got {type(value).__name__}.")
    return value


def _plain(value: Any) -> Any:
    """Let NumPy scalars into JSON; anything else is refused."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"a value of type {type(value).__name__} cannot be written")


def as_line(value: Mapping[str, Any]) -> bytes:
    """Return an object as a line of a row file. Raises `RowsError` for what JSON cannot hold, NaN too."""
    try:
        return (json.dumps(value, allow_nan=False, default=_plain) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise RowsError(f"a row cannot be written as JSON ({error}): {dict(value)!r}") from None


class RowWriter:
    """Appends whole rows to one run's file, and resumes it after any kill.

    Use `RowWriter.open`; a writer is a context manager. ``done`` is the set of episodes that the file holds.
    """

    def __init__(self, path: Path, handle: RawIOBase, header: Mapping[str, Any], done: Iterable[int]) -> None:
        self.path = path
        self.header = header
        self.done = set(done)
        self._handle = handle
        self._closed_by: str | None = None

    @classmethod
    def open(cls, path: str | Path, header: Mapping[str, Any]) -> RowWriter:
        """Create the file, or resume it if it holds the same run.

        An unfinished last line and a former failure or skip are dropped; ``done`` tells what need not be
        repeated. Raises `RowsError` if the file holds another run, is damaged, is being written by another
        process, or cannot be written.
        """
        path = Path(path)
        header = json.loads(as_line({**header, "format": FORMAT}))
        header = {"format": FORMAT, **header}  # first in the line: how `parse` knows an unfinished header
        check_header(header, path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return cls._locked(path, header)
        except OSError as error:
            raise RowsError(
                f"{path} cannot be written ({error.strerror}): choose another --out or make it writable."
            ) from error

    @classmethod
    def _locked(cls, path: Path, header: Mapping[str, Any]) -> RowWriter:
        with open(path, "a+b") as current:  # holds the lock until the rewritten file has its own
            _lock(current, path)
            if not os.path.samestat(os.fstat(current.fileno()), os.stat(path)):
                raise _busy(path)  # replaced between opening and locking
            current.seek(0)
            content = current.read()
            run = parse(content, path)
            if run is not None and run.episodes:  # who was skipped or failed at once has left nothing to be mixed up
                _check_key(run.header, header, path)
                header = _merge(run.header, header)
            episodes = run.episodes if run else ()
            wanted = b"".join(as_line(value) for value in (header, *episodes))
            with contextlib.ExitStack() as on_error:
                with replacing(path) as draft:
                    # Unbuffered, or the rest of a row that did not fit on the disk would be written at close.
                    handle = on_error.enter_context(open(draft, "wb", buffering=0))
                    _lock(handle, path)
                    _write_all(handle, wanted)
                on_error.pop_all()  # the writer closes the file
        return cls(path, handle, header, (row["episode"] for row in episodes))

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write episode rows: whole lines, on disk when this returns.

        Raises `RowsError`, having written nothing, for a row that lacks a metric of the header, holds NaN or
        infinity, or repeats an episode, and for a full or failing disk.
        """
        rows = list(rows)
        lines = [as_line(row) for row in rows]
        present = set(self.done)
        for line in lines:
            row = json.loads(line)
            try:
                check_episode(row, self.header, present)
            except RowsError as error:
                raise RowsError(f"{self.path}: {error}") from None
            present.add(row["episode"])
        self._write(b"".join(lines))
        self.done = present

    def fail(self, reason: str) -> None:
        """Say that the run failed, and why; nothing can be appended after it."""
        self._write(as_line({"failed": str(reason)}))
        self._closed_by = "failed"

    def skip(self, reason: str) -> None:
        """Say that the run was skipped, and why; nothing can be appended after it."""
        self._write(as_line({"skipped": str(reason)}))
        self._closed_by = "skipped"

    def _write(self, data: bytes) -> None:
        if self._handle.closed or self._closed_by:
            raise RowsError(f"{self.path}: the writer is {self._closed_by or 'closed'}; open it again.")
        good = self._handle.tell()
        try:
            _write_all(self._handle, data)
        except OSError as error:
            with contextlib.suppress(OSError):  # no half row before the next one
                os.ftruncate(self._handle.fileno(), good)
            self._closed_by = "broken by an earlier error"
            raise RowsError(f"{self.path} cannot be written ({error.strerror}); the rows so far are kept.") from error

    def close(self) -> None:
        """Close the file and give up its lock; closing twice is safe."""
        with contextlib.suppress(OSError):
            self._handle.close()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _write_all(handle: RawIOBase, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[handle.write(rest) or 0 :]
    os.fsync(handle.fileno())


def _busy(path: Path) -> RowsError:
    return RowsError(f"{path} is being written by another process: wait for it or choose another --out.")


def _lock(handle: IO[bytes] | RawIOBase, path: Path) -> None:
    if fcntl is None:
        return
    try:
        fcntl.flock(handle.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _busy(path) from None


def _check_key(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> None:
    if found := differing(old, new):
        field, before, after = found
        raise RowsError(
            f"{path} holds rows of another run: {field} is {before!r} there and {after!r} now. "
            "Delete the file or choose another --out."
        )


def _merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """The header of a resumed run: the wider request's command, the age of its oldest row, all kinds of processors."""
    if (new["task"].get("episodes") or 0) < (old["task"].get("episodes") or 0):
        return old
    kinds = [*str(old.get("made_on") or "not recorded").split("; "), str(new.get("made_on") or "not recorded")]
    made_on = {"made_on": "; ".join(dict.fromkeys(kinds))} if new.get("made_on") else {}
    return {**new, "created": old.get("created"), **made_on}
