"""Ways through the streets of a link matrix: straight on where the street goes on, a turn now and then.

`LinkMatrix.draw` lets UEs take a random turn at each place, which suits places as far apart as corners. The places of
a ray-traced city are metres apart and fill squares, so that a way there needs a direction.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import Float64Array

STRAIGHT = 0.5
"""Cosine of the largest angle that is still straight on: 60 degrees (ours)."""
TURN_EVERY_M = 80.0
"""Mean way between turns that no wall asks for: a block of a European centre (ours)."""


class Streets:
    """The places of a link matrix and who is next to whom."""

    def __init__(self, position_m: Float64Array, edges: NDArray[np.intp]):
        """position_m: (P, 2) in metres; edges: (E, 2), which join all places."""
        self.position_m = position_m
        self._near: list[list[int]] = [[] for _ in position_m]
        for a, b in edges.tolist():
            self._near[a].append(b)
            self._near[b].append(a)

    def way(self, rng: np.random.Generator, length_m: float) -> NDArray[np.intp]:
        """Places (n,) of a way of at least `length_m`, from a random one.

        At each place, in this order: in a dead end it turns round; with probability step / `TURN_EVERY_M`, or where no
        street goes straight on, it takes any other street than the one it came by; else it goes straight on.
        """
        here = int(rng.integers(len(self._near)))
        before = -1
        way, gone_m = [here], 0.0
        while gone_m < length_m:
            onward = [place for place in self._near[here] if place != before] or self._near[here]
            following = onward[int(rng.random() * len(onward))]
            if before >= 0 and len(onward) > 1:
                step_m = self.position_m[here] - self.position_m[before]
                straight = self._straight(here, onward, step_m)
                if straight >= 0 and rng.random() >= np.hypot(*step_m) / TURN_EVERY_M:
                    following = straight
            before, here = here, following
            way.append(here)
            gone_m += float(np.hypot(*(self.position_m[here] - self.position_m[before])))
        return np.array(way, np.intp)

    def _straight(self, here: int, onward: list[int], step_m: Float64Array) -> int:
        """The place of `onward` most nearly in the direction `step_m` (2,) from `here`; -1 where all are turns."""
        ahead_m = self.position_m[onward] - self.position_m[here]
        cosine = ahead_m @ step_m / (np.linalg.norm(ahead_m, axis=1) * np.hypot(*step_m))
        best = int(cosine.argmax())
        return onward[best] if cosine[best] >= STRAIGHT else -1
