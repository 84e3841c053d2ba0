"""Maps are kept up to a number of bytes, and are the same when they are drawn again."""

from __future__ import annotations

import numpy as np

from mmwave_gym.radio.street_maps import MAPS_BYTES, Geometry, MapStore, draw_map
from mmwave_gym.scenarios.street.config import StreetConfig

SMALL = Geometry("canyon", arm_m=40.0, isd_m=40.0, lane_m=3.0)
ONE = draw_map(SMALL, 0, 28.0)


def test_the_maps_used_last_are_kept() -> None:
    maps = MapStore(3 * ONE.nbytes)
    first = [maps(SMALL, seed, 28.0) for seed in range(3)]
    assert maps(SMALL, 0, 28.0) is first[0]
    maps(SMALL, 3, 28.0)  # now 1 is the one that was used longest ago
    assert (len(maps), maps.nbytes) == (3, maps.most_bytes)
    assert maps(SMALL, 0, 28.0) is first[0]
    again = maps(SMALL, 1, 28.0)
    assert again is not first[1]
    assert np.array_equal(again.loss_db, first[1].loss_db)
    assert np.array_equal(again.los, first[1].los)


def test_a_map_larger_than_the_store_is_kept_alone() -> None:
    maps = MapStore(1)
    assert maps(SMALL, 0, 28.0) is maps(SMALL, 0, 28.0)
    maps(SMALL, 1, 28.0)
    assert (len(maps), maps.nbytes) == (1, ONE.nbytes)


def test_all_maps_of_a_keyword_fit() -> None:
    for cells in ("sparse", "dense"):
        geometry = StreetConfig(cells=cells).geometry
        points = geometry.points_a_lane * len(geometry.lane_axes)
        assert 4096 * points * len(geometry.sites_m()) * 5 <= MAPS_BYTES
