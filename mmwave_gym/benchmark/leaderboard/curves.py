"""Learning curves: how an agent scored on training episodes as it learned, of all training seeds together.

A policy's metadata may hold one, which training writes and other libraries may::

    "curve": {"metric": "score", "points": [[250000, 0.41], [500000, 0.47]]}     decisions and the value after them
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array

MOST_POINTS = 1_000
"""Of a curve in metadata: ours; a longer one is not drawn."""
WIDTH, HEIGHT = 320.0, 120.0
"""The box of a curve as a picture."""


@dataclass(frozen=True)
class Curves:
    """The curves of an agent's training seeds at the same decisions.

    decisions: (points,), rising. values: (seeds, points) of `metric`.
    """

    metric: str
    decisions: NDArray[np.float64]
    values: Float64Array

    @property
    def mean(self) -> Float64Array:
        """(points,): the mean of the seeds, in the unit of `metric`."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def band(self) -> tuple[Float64Array, Float64Array]:
        """(points,) twice, in the unit of `metric`: the lowest and the highest seed."""
        return self.values.min(axis=0), self.values.max(axis=0)


@dataclass(frozen=True)
class Drawn:
    """Curves as paths in a box of `WIDTH` times `HEIGHT`, and the numbers at its ends."""

    mean: str
    band: str
    seeds: int
    decisions: int
    low: float
    high: float
    first: float
    last: float


def curves(metadata: Iterable[Mapping[str, Any]]) -> Curves | None:
    """The curves that the metadata of an agent's seeds hold.

    None where fewer than two points are shared, or one is missing or damaged. Between its points a curve is linear.
    """
    found = [_points(one.get("curve")) for one in metadata]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found) or len({metric for metric, _ in known}) > 1:
        return None
    first, last = max(at[0, 0] for _, at in known), min(at[-1, 0] for _, at in known)
    decisions = np.unique(np.concatenate([at[:, 0] for _, at in known]))
    decisions = decisions[(decisions >= first) & (decisions <= last)]
    if len(decisions) < 2:
        return None
    return Curves(known[0][0], decisions, np.array([np.interp(decisions, at[:, 0], at[:, 1]) for _, at in known]))


def _points(curve: Any) -> tuple[str, Float64Array] | None:
    """The metric of a curve and its points (points, 2); None where it is none."""
    if not isinstance(curve, dict) or not isinstance(curve.get("metric"), str):
        return None
    points = curve.get("points")
    if not isinstance(points, list) or not 2 <= len(points) <= MOST_POINTS or not all(map(_is_point, points)):
        return None
    found = np.array(points, float)
    if not np.isfinite(found).all() or (np.diff(found[:, 0]) <= 0.0).any() or found[0, 0] < 0.0:
        return None
    return curve["metric"][:50], found


def _is_point(point: Any) -> bool:
    return isinstance(point, list) and len(point) == 2 and all(type(v) in (int, float) for v in point)


def drawn(of: Curves) -> Drawn:
    """The curves as paths of an SVG."""
    low, high = float(of.values.min()), float(of.values.max())
    span = high - low or 1.0

    def path(values: Float64Array, decisions: Sequence[float] | NDArray[np.float64]) -> str:
        places = zip(decisions, values, strict=True)
        return "L".join(
            f"{WIDTH * at / of.decisions[-1]:.1f} {HEIGHT * (1.0 - (v - low) / span):.1f}" for at, v in places
        )

    below, above = of.band
    around = path(above, of.decisions) + "L" + path(below[::-1], of.decisions[::-1])
    mean = of.mean
    return Drawn(
        f"M{path(mean, of.decisions)}", f"M{around}Z", len(of.values), int(of.decisions[-1]), low, high,
        float(mean[0]), float(mean[-1]),
    )  # fmt: skip
