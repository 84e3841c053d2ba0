"""Tiny link matrices that several test modules share."""

from __future__ import annotations

import math

import numpy as np

from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.links.files import LinkMatrix

NAN = math.nan
# Three places on a line, 10 m apart. Cell "a" fades out to the east, "b" is heard from the middle on.
LINE = {
    "rsrp_dbm": np.array([[-80.0, NAN], [-90.0, -100.0], [NAN, -70.0]]),
    "noise_dbm": -110.0,
    "cells": ("a", "b"),
    "position_m": np.array([[0.0, 0.0], [10.0, 0.0], [20.0, 0.0]]),
}
TIME = {
    "rsrp_dbm": np.array([[-80.0, -100.0], [-90.0, NAN], [-84.0, -70.0]]),
    "noise_dbm": -110.0,
    "cells": ("a", "b"),
    "time_s": np.array([5.0, 6.0, 7.0]),
}
QUANTILES = np.array([0.0, 10.0, 50.0, 90.0, 100.0])


def line(**changes):
    return LinkMatrix(**{**LINE, **changes})


def rng(seed=0):
    return EpisodeRng(EpisodeKey(seed))


def measured(cells=2, places=2, correlation_m=10.0, apart_m=1e4):
    """Places so far apart that one walk stays between two with equal percentiles."""
    values = np.array([-110.0, -100.0, -90.0, -85.0, -60.0])
    return LinkMatrix(
        rsrp_dbm=np.broadcast_to(values, (places, cells, 5)),
        noise_dbm=-110.0,
        cells=tuple(f"c{i}" for i in range(cells)),
        position_m=np.stack((apart_m * np.arange(places), np.zeros(places)), axis=1),
        percentiles=QUANTILES,
        correlation_m=correlation_m,
    )
