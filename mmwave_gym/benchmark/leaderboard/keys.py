"""What makes two runs the same run: the key in a row file's header.

`created`, `command` and the number of episodes are not part of it: a run may be resumed or extended another day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

KEY = (
    ("task", "hash"),
    ("task", "env_id"),
    ("package_version",),
    ("agent", "name"),
    ("agent", "training_seed"),
    ("agent", "config"),
    ("agent", "weights_sha256"),
    ("agent", "code"),
    ("physics", "code"),
)
DEFINITION = ("primary", "higher_is_better", "floor", "ceiling", "reference")
"""What a task says of the board, and no row depends on: it is the task's to say, whatever the rows' headers tell."""
JUDGEMENT = ("smallest_difference", "groups", "grants", "suite", "why", "episodes", "needs_data", "expensive")
"""What only the board's words and intervals depend on: rows may tell another value, or none."""
TOLERANCE = 1e-5
"""Golden sums this close, relative to the larger, differ by the last bits of another processor, not in physics."""
ROUNDING = 1e-6
"""Relative: numbers of a configuration this close are the same setting."""


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first part of the key in which two headers differ, with both values; None where they are of the same run.

    Physics whose code differs is the same where the golden sums agree within `TOLERANCE`.
    """
    for field in KEY:
        before, after = (part(header, field) for header in (old, new))
        if not _alike(before, after) and not (field == ("physics", "code") and same_physics(old, new)):
            return ".".join(field), before, after
    return None


def same_physics(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the golden sums of two headers agree; False where one has none."""
    before, after = (part(header, ("physics", "sums")) for header in (old, new))
    if not before or not after or before.keys() != after.keys():
        return False
    return all(math.isclose(before[name], after[name], rel_tol=TOLERANCE, abs_tol=1e-12) for name in before)


def _alike(before: Any, after: Any) -> bool:
    """Equal, computed numbers in an agent's configuration within rounding: a solver's last bits are not a setting."""
    if isinstance(before, float) and isinstance(after, float):
        return math.isclose(before, after, rel_tol=ROUNDING)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(_alike(before[name], after[name]) for name in before)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) == len(after) and all(map(_alike, before, after))
    return bool(before == after)


def part(header: Any, field: tuple[str, ...]) -> Any:
    """What stands at such a place of a header, None where nothing does."""
    for name in field:
        header = (header or {}).get(name)
    return header
