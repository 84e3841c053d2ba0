"""Correlated random fields over an area: how shadowing is consistent in space."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray


class ExponentialField:
    """A standard normal field over [0, side_m]^2 with correlation exp(-distance / correlation_m) on a grid.

    Between grid points the field is interpolated bilinearly and rescaled, because a mean of four correlated values
    has less than their variance: the marginal is N(0, 1) everywhere, not only on the grid. The correlation is that
    of Gudmundson (Electronics Letters 27(23), 1991).
    """

    def __init__(self, side_m: float, correlation_m: float, grid_m: float):
        self.side_m = side_m
        self.points = round(side_m / grid_m) + 1
        self.spacing_m = side_m / (self.points - 1)
        axis = np.arange(self.points) * self.spacing_m
        x, y = (c.ravel() for c in np.meshgrid(axis, axis, indexing="ij"))
        distance_m = np.hypot(x[:, None] - x, y[:, None] - y)
        # float32 and transposed to rows: a draw is one pass over this matrix, and most of its time.
        root = np.linalg.cholesky(np.exp(-distance_m / correlation_m))
        self._root_transposed = np.ascontiguousarray(root.T, np.float32)
        along = np.exp(-self.spacing_m / correlation_m)  # correlation of two corners of a grid square
        across = np.exp(-np.sqrt(2.0) * self.spacing_m / correlation_m)
        self._lost_once, self._lost_twice = float(1.0 - along), float(1.0 - 2.0 * along + across)

    def draw(self, rng: np.random.Generator, count: int) -> FloatArray:
        """`count` independent maps, (count, points * points)."""
        white = rng.standard_normal((count, len(self._root_transposed)))
        return white.astype(np.float32) @ self._root_transposed

    def at(self, maps: FloatArray, place_m: FloatArray) -> FloatArray:
        """Values of maps (count, points * points) at places (2, *shape), clipped to the area: (count, *shape)."""
        place = np.minimum(np.maximum(place_m, 0.0), self.side_m) * (1.0 / self.spacing_m)
        corner = np.floor(place)
        f = place - corner
        # Variance of the bilinear mean: 2 f (1 - f) is the chance that two draws of a corner differ along an axis.
        dx, dy = 2.0 * f * (1.0 - f)
        scale = 1.0 / np.sqrt(1.0 - self._lost_once * (dx + dy) + self._lost_twice * (dx * dy))
        x, y = f
        east = x * scale
        west = scale - east
        northeast, northwest = east * y, west * y
        southwest = (corner[0] * self.points + corner[1]).astype(np.intp)
        value = _weighted(maps, southwest, west - northwest)
        value += _weighted(maps, southwest + 1, northwest)
        value += _weighted(maps, southwest + self.points, east - northeast)
        value += _weighted(maps, southwest + (self.points + 1), northeast)
        return value


def _weighted(maps: FloatArray, index: NDArray[np.intp], weight: FloatArray) -> FloatArray:
    # On the far edges a neighbour's index is beyond the map or its line, but then its weight is zero.
    value = maps.take(index, axis=1, mode="clip")
    value *= weight
    return value


@lru_cache(maxsize=16)
def exponential_field(side_m: float, correlation_m: float, grid_m: float) -> ExponentialField:
    """The field of these parameters; its factorisation is made once a process."""
    return ExponentialField(side_m, correlation_m, grid_m)
