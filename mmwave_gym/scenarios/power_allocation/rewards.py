"""What base stations of power allocation are paid: the one table of names, meanings and formulas behind `reward=…`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import spectral_efficiency_bps_hz


@dataclass(frozen=True)
class Slot:
    """What everybody got in a slot, as far as rewards depend on it. N environment copies, A agent slots."""

    qos_sinr: float
    """SINR that satisfies a UE, linear."""
    required_bps_hz: float
    """Its capacity."""
    penalty: float
    """What a bit/s/Hz that is missing to it costs."""
    least_mw: float
    """The least power."""
    present: NDArray[np.bool_]
    """(N, A)"""
    power_mw: FloatArray
    """(N, A)"""
    own_gain: FloatArray
    """(N, A)"""
    gain: NDArray[Any]
    """(N, A, A), or (N,) of sparse matrices: [i, j] from base station j to UE i."""
    noise_mw: float
    interference_mw: FloatArray
    """(N, A): with noise."""
    capacity_bps_hz: FloatArray
    """(N, A)"""

    def utility(self, capacity_bps_hz: FloatArray) -> FloatArray:
        """Capacity less `penalty` for each bit/s/Hz below the required one, in the shape of the capacities."""
        short = self.required_bps_hz - capacity_bps_hz
        np.maximum(short, 0.0, out=short)
        short *= -self.penalty
        short += capacity_bps_hz
        return short


class Reward(NamedTuple):
    meaning: str
    """For the docs page."""
    of: Callable[[Slot], FloatArray]
    """(N, A)."""


def paper(s: Slot) -> FloatArray:
    """(N, A): the utility of eq. 7, which is the same as min(C / L - 1, 1)."""
    return np.minimum(s.capacity_bps_hz / np.log2(s.qos_sinr) - 1.0, 1.0)


def exponential(s: Slot) -> FloatArray:
    """(N, A): a utility of 1 at the required capacity, less above and below it."""
    return np.exp(-((s.capacity_bps_hz - s.required_bps_hz) ** 2))


def team(s: Slot) -> FloatArray:
    """(N, A): the sum of all utilities, for each base station."""
    utility = s.utility(s.capacity_bps_hz)
    total = np.where(s.present, utility, 0.0).sum(axis=1, keepdims=True)
    return np.broadcast_to(total, utility.shape)


def difference(s: Slot) -> FloatArray:
    """(N, A): own utility less what the others' utilities lose because the power is not the least one."""
    utility = s.utility(s.capacity_bps_hz)
    return utility - _harm(s, utility)


def given(function: Callable[[FloatArray, float], FloatArray], s: Slot) -> FloatArray:
    """(N, A): what somebody's function of capacities and the required one returns. ValueError for another shape."""
    reward = np.asarray(function(s.capacity_bps_hz, s.required_bps_hz), np.float64)
    if reward.shape != s.capacity_bps_hz.shape:
        raise ValueError(f"reward must return shape {s.capacity_bps_hz.shape}, got {reward.shape}.")
    return reward


_UTILITY = "the capacity less `penalty` times what is missing to the required one"
REWARDS = {
    "paper": Reward("(C - |C - 2 L|) / (2 L) with the own capacity C and L = log2 of `qos_sinr` (eq. 7)", paper),
    "exponential": Reward("exp(-(C - log2(1 + q))^2) with the own capacity C and q = `qos_sinr` (EXP-Q)", exponential),
    "team": Reward(f"sum of all UEs' utilities; a utility is {_UTILITY}", team),
    "difference": Reward(
        "own utility less what the others' utilities lose because the power is not the least one; a utility is "
        f"{_UTILITY}",
        difference,
    ),
}


def reward_of(reward: str | Callable[[FloatArray, float], FloatArray]) -> Reward:
    """The reward of a name, or of a function of capacities (N, A) and the required one, in bit/s/Hz."""
    if isinstance(reward, str):
        return REWARDS[reward]
    return Reward("a function of one's own, of all capacities", partial(given, reward))


def _harm(s: Slot, utility: FloatArray) -> FloatArray:
    """(N, A): what others' utilities lose because a base station transmits more than the least power."""
    more_mw = np.maximum(s.power_mw - s.least_mw, 0.0)
    signal_mw = s.power_mw * s.own_gain
    if s.gain.dtype != object:
        lost = s.gain * more_mw[:, None, :]
        _lose(s, lost, *(x[:, :, None] for x in (s.interference_mw, signal_mw, utility)))
        return lost.sum(axis=1)
    harm = np.zeros_like(utility)
    for env, gain in enumerate(s.gain):
        links = np.diff(gain.indptr)
        lost = gain.data * more_mw[env].take(gain.indices)
        _lose(s, lost, *(x[env].repeat(links) for x in (s.interference_mw, signal_mw, utility)))
        harm[env] = np.bincount(gain.indices, lost, utility.shape[1])
    return harm


def _lose(
    s: Slot, more_mw: FloatArray, interference_mw: FloatArray, signal_mw: FloatArray, utility: FloatArray
) -> None:
    """Replace interference that could be spared at a UE by what its utility loses for it; all of one shape.

    In place, for these are by far the largest arrays. Who is not there has no signal and loses nothing.
    """
    np.subtract(interference_mw, more_mw, out=more_mw)
    np.maximum(more_mw, s.noise_mw, out=more_mw)  # the difference of large numbers can fall below it, even below 0
    np.divide(signal_mw, more_mw, out=more_mw)
    np.subtract(s.utility(spectral_efficiency_bps_hz(more_mw)), utility, out=more_mw)
