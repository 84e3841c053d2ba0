"""Correlated random fields over an area: how shadowing is consistent in space."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from mmwave_gym.core.types import FloatArray

MOST_DENSE = 33
"""Points along a side up to which a field is drawn by its Cholesky factor (ours: about where the FFT begins to win)."""
ROUNDING = 1e-12
"""Spectra below zero by less than this share of their greatest value are rounding errors."""


class ExponentialField(ABC):
    """A standard normal field over [0, side_m]^2 with correlation exp(-distance / correlation_m) on a grid.

    Between grid points the field is interpolated bilinearly and rescaled, because a mean of four correlated values
    has less than their variance: the marginal is N(0, 1) everywhere, not only on the grid. The correlation is that
    of Gudmundson (Electronics Letters 27(23), 1991).
    """

    def __init__(self, side_m: float, correlation_m: float, grid_m: float):
        self.side_m, self.correlation_m = side_m, correlation_m
        self.points = points_of(side_m, grid_m)
        self.spacing_m = side_m / (self.points - 1)
        along = np.exp(-self.spacing_m / correlation_m)  # correlation of two corners of a grid square
        across = np.exp(-np.sqrt(2.0) * self.spacing_m / correlation_m)
        self.lost = float(1.0 - along), float(1.0 - 2.0 * along + across)
        """Variance that interpolation loses, along one axis and along both."""

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> FloatArray:
        """`count` independent maps, (count, points * points)."""

    def at(self, maps: FloatArray, place_m: FloatArray) -> FloatArray:
        """Values of maps (count, points * points) at places (2, *shape), clipped to the area: (count, *shape)."""
        place = np.minimum(np.maximum(place_m, 0.0), self.side_m) * (1.0 / self.spacing_m)
        corner = np.floor(place)
        f = place - corner
        once, twice = self.lost
        # Variance of the bilinear mean: 2 f (1 - f) is the chance that two draws of a corner differ along an axis.
        dx, dy = 2.0 * f * (1.0 - f)
        scale = 1.0 / np.sqrt(1.0 - once * (dx + dy) + twice * (dx * dy))
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


class DenseField(ExponentialField):
    """Drawn by the Cholesky factor of all correlations: for small areas."""

    def __init__(self, side_m: float, correlation_m: float, grid_m: float):
        super().__init__(side_m, correlation_m, grid_m)
        axis = np.arange(self.points) * self.spacing_m
        x, y = (c.ravel() for c in np.meshgrid(axis, axis, indexing="ij"))
        distance_m = np.hypot(x[:, None] - x, y[:, None] - y)
        # float32 and transposed to rows: a draw is one pass over this matrix, and most of its time.
        root = np.linalg.cholesky(np.exp(-distance_m / correlation_m))
        self._root_transposed = np.ascontiguousarray(root.T, np.float32)

    def draw(self, rng: np.random.Generator, count: int) -> FloatArray:
        white = rng.standard_normal((count, len(self._root_transposed)))
        return self.correlated(white.astype(np.float32))

    def correlated(self, white: FloatArray) -> FloatArray:
        """Maps (count, points * points), no unit.

        white: (count, points * points), independent standard normal numbers, no unit.
        """
        return white @ self._root_transposed


class SpectralField(ExponentialField):
    """Drawn by a Fourier transform on a torus that holds the area: exact, for areas of any size.

    Circulant embedding (C. R. Dietrich, G. N. Newsam, SIAM J. Sci. Comput. 18(4), 1997): the law within the area is
    that of the torus wherever the spectrum of the torus is not negative. Twice the area is enough where the correlation
    distance is short. Where it is not, the correlation is continued beyond the area's diagonal D by b (R - r)^2 up to
    R = D + 2 correlation_m and by 0 from there on, with b such that it is smooth: the cut-off embedding of T. Gneiting
    et al. (J. Comput. Graph. Stat. 15(3), 2006), positive definite in the plane.
    """

    def __init__(self, side_m: float, correlation_m: float, grid_m: float):
        super().__init__(side_m, correlation_m, grid_m)
        spectrum = self._spectrum(_torus(2 * (self.points - 1)), cut=False)
        if spectrum.min() < -ROUNDING * spectrum.max():
            del spectrum
            spectrum = self._spectrum(largest_torus(side_m, correlation_m, grid_m), cut=True)
            if (least := spectrum.min()) < -ROUNDING * spectrum.max():
                raise ValueError(
                    f"a field of {side_m:g} m with correlations over {correlation_m:g} m has no exact embedding (its "
                    f"least eigenvalue is {least:g}): shorten the correlation distance."
                )
        self.torus = len(spectrum)
        np.maximum(spectrum, 0.0, out=spectrum)
        np.sqrt(spectrum, out=spectrum)
        spectrum /= self.torus
        self._root = spectrum.astype(np.float32)

    def _spectrum(self, torus: int, cut: bool) -> FloatArray:
        """(torus, torus // 2 + 1): eigenvalues of the correlation on a torus; the other half mirrors them."""
        axis_m = np.minimum(np.arange(torus), torus - np.arange(torus)) * self.spacing_m
        correlation = np.hypot(axis_m[:, None], axis_m)
        if cut:
            diagonal_m = math.sqrt(2.0) * self.side_m
            reach_m = diagonal_m + 2.0 * self.correlation_m
            beyond = correlation > diagonal_m
            rest = np.maximum(reach_m - correlation[beyond], 0.0) / (reach_m - diagonal_m)
        correlation /= -self.correlation_m
        np.exp(correlation, out=correlation)
        if cut:
            correlation[beyond] = math.exp(-diagonal_m / self.correlation_m) * rest**2
        return fft.rfft2(correlation, overwrite_x=True).real.copy()

    def draw(self, rng: np.random.Generator, count: int) -> FloatArray:
        n, m = self.points, self.torus
        half = self._root.shape[1]
        maps = np.empty((count, n, n), np.float32)
        for first in range(0, count, 2):  # real and imaginary part are independent maps
            white = rng.standard_normal((m, 2 * m), np.float32).view(np.complex64)
            white[:, :half] *= self._root
            white[:, half:] *= self._root[:, 1 : m - half + 1][:, ::-1]
            # Columns beyond the area are not needed: the second transform leaves them out.
            rows = fft.fft(white, axis=1, overwrite_x=True)[:, :n]
            both = fft.fft(np.ascontiguousarray(rows), axis=0, overwrite_x=True)[:n]
            maps[first] = both.real
            if first + 1 < count:
                maps[first + 1] = both.imag
        return maps.reshape(count, n * n)


def _weighted(maps: FloatArray, index: NDArray[np.intp], weight: FloatArray) -> FloatArray:
    # On the far edges a neighbour's index is beyond the map or its line, but then its weight is zero.
    value = maps.take(index, axis=1, mode="clip")
    value *= weight
    return value


def points_of(side_m: float, grid_m: float) -> int:
    """Grid points along a side: two at least."""
    return max(round(side_m / grid_m), 1) + 1


def largest_torus(side_m: float, correlation_m: float, grid_m: float) -> int:
    """Points along a side of the torus that a spectral field needs at most."""
    intervals = points_of(side_m, grid_m) - 1
    reach_m = math.sqrt(2.0) * side_m + 2.0 * correlation_m
    return _torus(max(2 * intervals, 2 * math.ceil(reach_m / side_m * intervals)))


def _torus(points: int) -> int:
    """The next even size for which a Fourier transform is fast."""
    return 2 * int(fft.next_fast_len((points + 1) // 2))


def field_bytes(side_m: float, correlation_m: float, grid_m: float, count: int) -> tuple[int, int, int]:
    """Bytes that a field needs at most: to be made, to be kept, and to draw `count` maps."""
    points = points_of(side_m, grid_m) ** 2
    maps = 4 * count * points
    if points <= MOST_DENSE**2:
        return 34 * points**2, 4 * points**2, 3 * maps
    small = _torus(2 * (points_of(side_m, grid_m) - 1)) ** 2
    large = small if correlation_m < 0.1 * side_m else largest_torus(side_m, correlation_m, grid_m) ** 2
    return 30 * large, 2 * large, maps + 20 * large


@lru_cache(maxsize=16)
def exponential_field(side_m: float, correlation_m: float, grid_m: float) -> ExponentialField:
    """The field of these parameters; its factor or spectrum is made once a process."""
    kind = DenseField if points_of(side_m, grid_m) <= MOST_DENSE else SpectralField
    return kind(side_m, correlation_m, grid_m)
