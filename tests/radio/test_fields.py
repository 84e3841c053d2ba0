"""Fields over large areas: exact by their spectrum, and small ones the old bits by Cholesky."""

from __future__ import annotations

import numpy as np
import pytest

from mmwave_gym.radio.fields import (
    MOST_DENSE,
    DenseField,
    SpectralField,
    exponential_field,
    field_bytes,
    largest_torus,
    points_of,
)

AREAS = [(40.0, 6.0), (40.0, 40.0), (60.0, 20.0), (34.0, 3.0), (50.0, 0.1), (12.0, 90.0)]


@pytest.mark.parametrize(("side_m", "correlation_m"), AREAS)
def test_the_law_of_a_spectral_field_is_exact(side_m: float, correlation_m: float) -> None:
    """Its covariance is the transform of its eigenvalues; within the area it is the law's, whatever the torus."""
    field = SpectralField(side_m, correlation_m, 1.0)
    eigenvalues = (field._root.astype(np.float64) * field.torus) ** 2
    covariance = np.fft.irfft2(eigenvalues, (field.torus, field.torus))[: field.points, : field.points]
    axis_m = np.arange(field.points) * field.spacing_m
    law = np.exp(-np.hypot(axis_m[:, None], axis_m) / correlation_m)
    assert np.abs(covariance - law).max() < 1e-6
    assert field.torus <= largest_torus(side_m, correlation_m, 1.0)


def test_long_correlations_need_the_cut_and_short_ones_do_not() -> None:
    assert SpectralField(40.0, 6.0, 1.0).torus == 80
    assert SpectralField(40.0, 40.0, 1.0).torus == largest_torus(40.0, 40.0, 1.0) > 80


def test_drawn_maps_have_the_law_of_the_dense_field() -> None:
    """Both halves of a transform are maps of their own, an odd count included."""
    field = SpectralField(8.0, 6.0, 1.0)
    maps = np.concatenate([field.draw(np.random.default_rng(i), 5) for i in range(800)])
    axis_m = np.arange(9.0)
    x, y = (c.ravel() for c in np.meshgrid(axis_m, axis_m, indexing="ij"))
    law = np.exp(-np.hypot(x[:, None] - x, y[:, None] - y) / 6.0)
    covariance = maps.T.astype(np.float64) @ maps / len(maps)
    assert np.abs(covariance - law).max() < 5.0 * np.sqrt(2.0 / len(maps))
    assert abs(np.mean(maps[0::5] * maps[1::5])) < 0.05, "two maps of one transform are independent"


def test_which_field_is_made() -> None:
    assert isinstance(exponential_field(32.0, 6.0, 1.0), DenseField)
    assert isinstance(exponential_field(33.0, 6.0, 1.0), SpectralField)
    assert points_of(32.0, 1.0) == MOST_DENSE
    assert exponential_field(0.1, 6.0, 1.0).points == 2, "an area smaller than the grid has its corners"


def test_a_square_kilometre_takes_little_memory() -> None:
    making, kept, drawing = field_bytes(1000.0, 6.0, 1.0, 6)
    assert max(making, kept + drawing) < 500e6
    assert exponential_field(300.0, 6.0, 1.0).draw(np.random.default_rng(0), 6).shape == (6, 301**2)
