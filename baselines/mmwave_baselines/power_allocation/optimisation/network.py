"""Many small networks at once, and what their users get at given powers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mmwave_gym.core.types import BoolArray, FloatArray

SLACK = 1e-5  # ours: aim this much above q, so that powers rounded to float32 dBm still reach it
ROUND_OFF = 1e-9  # a SINR this close below q counts as q
LN2 = float(np.log(2.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """N networks of A base stations, linear gains, powers in mW.

    gain (N, A, A): from BS j to the UE of BS i at [n, i, j]; the diagonal is ignored. own_gain (N, A): BS i to its UE.
    noise_mw (N, A): noise at each UE, with whatever constant interference comes from outside. qos_sinr: the linear
    SINR q that each UE needs. power_mw: least and greatest power. present (N, A).
    """

    gain: FloatArray
    own_gain: FloatArray
    noise_mw: FloatArray
    qos_sinr: float
    power_mw: tuple[float, float]
    present: BoolArray

    @cached_property
    def coupling(self) -> FloatArray:
        """F (N, A, A): ratio of gain to own gain, zero for the diagonal and for whoever is absent."""
        both = self.present[:, :, None] & self.present[:, None, :] & ~np.eye(self.present.shape[1], dtype=bool)
        return np.where(both, self.gain / np.where(self.present, self.own_gain, 1.0)[:, :, None], 0.0)

    @cached_property
    def noise(self) -> FloatArray:
        """eta (N, A), mW: the power that reaches SINR 1 against noise alone; 1 for whoever is absent."""
        return np.where(self.present, self.noise_mw / np.where(self.present, self.own_gain, 1.0), 1.0)

    @cached_property
    def least(self) -> FloatArray:
        """Pmin (N, A), mW, 0 for whoever is absent."""
        return np.where(self.present, self.power_mw[0], 0.0)

    @cached_property
    def greatest(self) -> FloatArray:
        """Pmax (N, A), mW, 0 for whoever is absent."""
        return np.where(self.present, self.power_mw[1], 0.0)

    @property
    def target(self) -> FloatArray:
        """q (N, A), a linear SINR; 0 for whoever is absent."""
        return np.where(self.present, self.qos_sinr, 0.0)

    def __len__(self) -> int:
        return len(self.present)

    def take(self, rows: Any) -> Network:
        """The networks of an index, slice or mask; an index may repeat some."""
        gain, own, noise, present = (a[rows] for a in (self.gain, self.own_gain, self.noise_mw, self.present))
        return Network(
            gain=gain, own_gain=own, noise_mw=noise, qos_sinr=self.qos_sinr, power_mw=self.power_mw, present=present
        )


def interference(network: Network, power_mw: FloatArray) -> FloatArray:
    """F p + eta (N, A): the power each BS needs for SINR 1."""
    return (network.coupling @ power_mw[..., None])[..., 0] + network.noise


def sinr(network: Network, power_mw: FloatArray) -> FloatArray:
    """Linear SINR (N, A) at powers (N, A) in mW; 0 for whoever is absent."""
    return power_mw / interference(network, power_mw)


def capacity_bps_hz(network: Network, power_mw: FloatArray) -> FloatArray:
    """log2(1 + SINR) (N, A) at powers (N, A); 0 for whoever is absent."""
    return np.log1p(sinr(network, power_mw)) / LN2


def satisfied(network: Network, power_mw: FloatArray) -> BoolArray:
    """Who is present and reaches q at powers (N, A); (N, A)."""
    reached: BoolArray = sinr(network, power_mw) >= network.qos_sinr * (1.0 - ROUND_OFF)
    return network.present & reached


def satisfied_rate(network: Network, power_mw: FloatArray) -> FloatArray:
    """Sum of log2(1 + SINR) of those who reach q, (N,) bit/s/Hz, at powers (N, A)."""
    rate: FloatArray = (capacity_bps_hz(network, power_mw) * satisfied(network, power_mw)).sum(axis=1)
    return rate


def full_power(network: Network) -> FloatArray:
    """Everybody at Pmax, (N, A) mW."""
    return network.greatest.copy()
