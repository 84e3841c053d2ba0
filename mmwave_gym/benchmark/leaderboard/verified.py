"""What a verification found, kept beside the rows that it speaks of: it holds for these rows and no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmwave_gym.benchmark.leaderboard.keys import KEY, part
from mmwave_gym.core import untrusted
from mmwave_gym.core.files import write

Record = Mapping[str, Any]
_MOST_BYTES = 2**16
_BESIDE = (("agent", "code"), ("physics", "code"))
"""Parts of a run's key that change when code is tidied: rows are then kept only if they repeat, and so is the mark."""
_CLAIMED = (*(field for field in KEY if field not in _BESIDE), ("agent", "access"), ("agent", "kind"))


def digest(header: Record, episodes: Iterable[Record]) -> str:
    """A digest of a run's rows and of what its header claims of them: its key, access level and kind."""
    kept = [[".".join(field), part(header, field)] for field in _CLAIMED]
    lines = [kept, *map(dict, episodes)]
    text = "\n".join(json.dumps(line, sort_keys=True) for line in lines)
    return hashlib.sha256(text.encode()).hexdigest()


def path_of(rows: Path) -> Path:
    """Where the record of a row file lies."""
    return rows.with_suffix(".verified")


def holding(record: Any, header: Record, episodes: Iterable[Record]) -> Record | None:
    """The record, where it speaks of these rows; None where it is none, or they have changed since."""
    if not isinstance(record, dict) or record.get("rows_sha256") != digest(header, episodes):
        return None
    return record


def read(rows: Path, header: Record, episodes: Iterable[Record]) -> Record | None:
    """The record beside a row file, see `holding`. A record that cannot be read is none."""
    if not (path := path_of(rows)).exists():
        return None
    try:
        return holding(untrusted.json_value(untrusted.read_bytes(path, _MOST_BYTES)), header, episodes)
    except ValueError:
        return None


def keep(rows: Path, record: Record | None) -> None:
    """Write the record beside a row file, or delete the one that is there. OSError where that is impossible."""
    if record is None:
        path_of(rows).unlink(missing_ok=True)
    else:
        write(path_of(rows), json.dumps(record, indent=1) + "\n")


def mark(records: Iterable[Record | None]) -> str:
    """What the board says of runs with these records: "verified", "repeats" without hidden episodes, or ""."""
    found = list(records)
    if not found or None in found:
        return ""
    return "verified" if all(record and record.get("hidden") for record in found) else "repeats"
