"""What judges of reproductions share: the claims of a paper, what was found, and words for how near that is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from mmwave_gym.benchmark.statistics import Interval


class Found(NamedTuple):
    """What a judge says: our value, its interval, the verdict and why."""

    ours: float | str
    interval: tuple[float, float] | None
    verdict: str
    reason: str


@lru_cache(maxsize=8)
def claims_of(package: str) -> dict[str, dict[str, Any]]:
    """The claims of a paper by id, from `claims.json` of its reproduction's package."""
    return {entry["id"]: entry for entry in json.loads(files(package).joinpath("claims.json").read_text("utf-8"))}


def within(distance: float, tolerance: float) -> str:
    """Reproduced up to the tolerance, partly up to twice it."""
    size = abs(distance)
    return "reproduced" if size <= tolerance else "partly" if size <= 2 * tolerance else "not reproduced"


def all_of(holds: Sequence[bool]) -> str:
    """Reproduced where it always holds, not reproduced where it never does."""
    return "reproduced" if all(holds) else "partly" if any(holds) else "not reproduced"


def ends(interval: Interval) -> tuple[float, float] | None:
    """The interval's ends, if it has any."""
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def above(difference: Interval) -> bool:
    """Is the whole interval above 0?"""
    return difference.low is not None and difference.low > 0.0
