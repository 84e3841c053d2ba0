"""What judges of reproductions share: the claims of a paper, what was found, and words for how near that is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

from mmwave_gym.benchmark.reproduction import Claim
from mmwave_gym.benchmark.statistics import Interval

Measured = TypeVar("Measured")


class Found(NamedTuple):
    """What a judge says: our value, its interval, the verdict and why. Only `times` depends on a clock."""

    ours: float | str
    interval: tuple[float, float] | None
    verdict: str
    reason: str
    times: str = ""


class PaperClaims(dict[str, dict[str, Any]]):
    """The claims of a paper by id, in the order of `claims.json` in its reproduction's package."""

    @classmethod
    def of(cls, package: str) -> PaperClaims:
        text = files(package).joinpath("claims.json").read_text("utf-8")
        return cls((entry["id"], entry) for entry in json.loads(text))

    def printed(self, id_: str) -> float:
        """The number that the paper prints, in the claim's unit."""
        return float(self[id_]["paper"])

    def tolerance(self, id_: str) -> float:
        """How far from it ours may be, in the claim's unit."""
        return float(self[id_]["tolerance"])


def judged(claims: PaperClaims, judges: Mapping[str, Callable[[Measured], Found]], measured: Measured) -> list[Claim]:
    """Every claim of the file, in its order. Raises KeyError for one that nobody judges."""
    return [
        Claim(
            id=id_,
            claim=entry["claim"],
            where=entry["where"],
            paper=entry["paper"],
            kind=entry.get("kind", "paper"),
            **judges[id_](measured)._asdict(),
        )
        for id_, entry in claims.items()
    ]


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


def below(difference: Interval) -> bool:
    """Is the whole interval below 0?"""
    return difference.high is not None and difference.high < 0.0
