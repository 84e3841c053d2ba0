"""Correlated random fields over an area: how shadowing is consistent in space."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
        self._root = np.linalg.cholesky(np.exp(-distance_m / correlation_m))
        self._along = np.exp(-self.spacing_m / correlation_m)  # correlation of two corners of a grid square
        self._across = np.exp(-np.sqrt(2.0) * self.spacing_m / correlation_m)

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """`count` independent maps, (count, points * points)."""
        return rng.standard_normal((count, len(self._root))) @ self._root.T

    def at(self, maps: Array, x_m: Array, y_m: Array) -> Array:
        """Values of maps (count, points * points) at places of any shape, clipped to the area: (count, *shape)."""
        x, y = (np.clip(v, 0.0, self.side_m) * (1.0 / self.spacing_m) for v in (x_m, y_m))
        column, line = (np.minimum(v.astype(np.intp), self.points - 2) for v in (x, y))
        fx, fy = x - column, y - line
        # Variance of the bilinear mean: 2 f (1 - f) is the chance that two draws of a corner differ along an axis.
        dx, dy = 2.0 * fx * (1.0 - fx), 2.0 * fy * (1.0 - fy)
        differ_once = dx + dy - 2.0 * dx * dy
        scale = 1.0 / np.sqrt((1.0 - dx) * (1.0 - dy) + self._along * differ_once + self._across * dx * dy)
        corner = column * self.points + line
        west, east = scale * (1.0 - fx), scale * fx
        value = maps.take(corner, axis=1) * (west * (1.0 - fy))
        value += maps.take(corner + 1, axis=1) * (west * fy)
        value += maps.take(corner + self.points, axis=1) * (east * (1.0 - fy))
        value += maps.take(corner + self.points + 1, axis=1) * (east * fy)
        return value


@lru_cache(maxsize=16)
def exponential_field(side_m: float, correlation_m: float, grid_m: float) -> ExponentialField:
    """The field of these parameters; its factorisation is made once a process."""
    return ExponentialField(side_m, correlation_m, grid_m)
