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
TOLERANCE = 1e-5
"""Golden sums this close, relative to the larger, differ by the last bits of another processor, not in physics."""


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first part of the key in which two headers differ, with both values; None where they are of the same run.

    Physics whose code differs is the same where the golden sums agree within `TOLERANCE`.
    """
    for field in KEY:
        before, after = (_part(header, field) for header in (old, new))
        if before != after and not (field == ("physics", "code") and same_physics(old, new)):
            return ".".join(field), before, after
    return None


def same_physics(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the golden sums of two headers agree; False where one has none."""
    before, after = (_part(header, ("physics", "sums")) for header in (old, new))
    if not before or not after or before.keys() != after.keys():
        return False
    return all(math.isclose(before[name], after[name], rel_tol=TOLERANCE, abs_tol=1e-12) for name in before)


def _part(header: Any, field: tuple[str, ...]) -> Any:
    for name in field:
        header = (header or {}).get(name)
    return header
