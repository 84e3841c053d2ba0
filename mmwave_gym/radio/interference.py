"""Who disturbs whom: gains between base stations and UEs, dense for a cluster, sparse for a network of any size.

`gain[i, j]` is the linear power gain from base station j to the UE of base station i, without the UE's own link. A
batch of them is one array (N, A, A), or N sparse matrices in an array of objects. Of a sparse one's base stations
beyond a range only the mean is left (`far_gain`): what a UE gets from them if all transmit at the mean power.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.signal import fftconvolve
from scipy.spatial import cKDTree

from mmwave_gym.core.types import FloatArray

Gains = NDArray[Any]
"""(N, A, A) numbers, or (N,) sparse matrices."""

SQUARE_M = 25.0
"""Squares on which far base stations are counted."""


def received(gain: Gains, power_mw: FloatArray) -> FloatArray:
    """What UEs get from others' base stations, (N, A) mW, from powers (N, A)."""
    if gain.dtype == object:
        heard_mw = np.empty_like(power_mw)
        for env, g in enumerate(gain):
            heard_mw[env] = g @ power_mw[env]
        return heard_mw
    return (gain @ power_mw[..., None])[..., 0]


def charged(gain: Gains, price: FloatArray) -> FloatArray:
    """(N, A): what each base station pays for a mW that it sends, from prices (N, A) that UEs ask for a mW they get.

    The sum over UEs of price times gain: `received` with the gains transposed.
    """
    if gain.dtype == object:
        paid = np.empty_like(price)
        for env, g in enumerate(gain):
            paid[env] = g.T @ price[env]
        return paid
    return (price[:, None, :] @ gain)[:, 0]


def strongest(gain: Any, count: int) -> tuple[NDArray[np.int64], FloatArray]:
    """For each UE the `count` base stations with the largest linear gain, and these gains; (A, count) both.

    gain: that of one network, (A, A), dense or sparse.

    Where there are fewer the UE's own base station fills in, with gain 0.
    """
    places = gain.shape[0]
    which, how = np.repeat(np.arange(places), count).reshape(places, count), np.zeros((places, count))
    if not isinstance(gain, np.ndarray):
        of = np.repeat(np.arange(places), np.diff(gain.indptr))
        order = np.lexsort((-gain.data, of))
        rank = np.arange(len(order)) - gain.indptr[of]
        order, rank = order[rank < count], rank[rank < count]
        which[of[order], rank], how[of[order], rank] = gain.indices[order], gain.data[order]
        return which, how
    most = min(count, places)
    first = np.argsort(-gain, axis=1, kind="stable")[:, :most]
    how[:, :most] = np.take_along_axis(gain, first, axis=1)
    which[:, :most] = np.where(how[:, :most] > 0.0, first, which[:, :most])
    return which, how


def within(gain: Any, group: NDArray[np.int64]) -> Any:
    """The linear gains (A, A) of one network, dense or sparse, with 0 between members of different groups.

    group: (A,), the number of each one's group.
    """
    if not isinstance(gain, np.ndarray):
        same = np.repeat(group, np.diff(gain.indptr)) == group[gain.indices]
        return sparse.csr_array((gain.data * same, gain.indices, gain.indptr), gain.shape)
    return gain * (group[:, None] == group[None, :])


def pairs_in_range(
    bs_m: FloatArray, ue_m: FloatArray, range_m: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], FloatArray]:
    """UE, base station and distance in metres, (pairs,) each, of all pairs within `range_m`; sorted by UE.

    bs_m, ue_m: places (A, 2) in metres. Base station i is the own one of UE i; that pair is left out.
    """
    found = cKDTree(ue_m).sparse_distance_matrix(cKDTree(bs_m), range_m, output_type="ndarray")
    ue, bs, apart_m = found["i"].astype(np.int64), found["j"].astype(np.int64), found["v"]
    others = ue != bs
    ue, bs, apart_m = ue[others], bs[others], apart_m[others]
    order = np.lexsort((bs, ue))
    return ue[order], bs[order], apart_m[order]


def csr(ue: NDArray[np.int64], bs: NDArray[np.int64], gain: FloatArray, places: int) -> Any:
    """A sparse matrix (places, places) of linear gains from pairs: ue, bs and gain (pairs,), sorted by UE."""
    first = np.searchsorted(ue, np.arange(places + 1))
    bs, first = bs.astype(np.int32), first.astype(np.int32)  # half the memory to read in every slot
    return sparse.csr_array((gain, bs, first), shape=(places, places))


def far_gain(
    bs_m: FloatArray,
    ue_m: FloatArray,
    range_m: float,
    intercept_db: float,
    slope_db: float,
    boost: float,
    square_m: float = SQUARE_M,
) -> FloatArray:
    """(A,): what each UE gets on average, in mW, from all base stations beyond `range_m` if each transmits 1 mW.

    bs_m, ue_m: places (A, 2) in metres. `boost` is the mean of the shadowing, see `mean_shadowing`.

    Base stations are counted on squares, and the counts are convolved with the path loss between the squares' centres.
    A square at the range's edge counts by how much of it lies beyond. The tests bound the error.
    """
    low = np.minimum(bs_m.min(axis=0), ue_m.min(axis=0))
    high = np.maximum(bs_m.max(axis=0), ue_m.max(axis=0))
    square_m = max(square_m, float((high - low).max()) / 2048.0)
    shape = np.floor((high - low) / square_m).astype(int) + 1
    at = np.floor((bs_m - low) / square_m).astype(int)
    count = np.zeros(shape)
    np.add.at(count, (at[:, 0], at[:, 1]), 1.0)
    dx, dy = (np.arange(-n + 1, n) * square_m for n in shape)
    apart_m = np.hypot(dx[:, None], dy[None, :])
    beyond = np.clip(0.5 + (apart_m - range_m) / square_m, 0.0, 1.0)
    kernel = beyond * boost * 10.0 ** (-0.1 * (intercept_db + slope_db * np.log10(np.maximum(apart_m, 1.0))))
    field = np.maximum(fftconvolve(count, kernel), 0.0)
    field = field[shape[0] - 1 : 2 * shape[0] - 1, shape[1] - 1 : 2 * shape[1] - 1]
    here = np.floor((ue_m - low) / square_m).astype(int)
    return field[here[:, 0], here[:, 1]]


def mean_shadowing(sigma_db: float) -> float:
    """The mean of 10^(X / 10) for X ~ N(0, sigma^2) in dB."""
    return math.exp(0.5 * (sigma_db * math.log(10.0) / 10.0) ** 2)
