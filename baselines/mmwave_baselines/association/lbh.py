"""LBH, learning-based handover, in the world of Ning et al. (arXiv 2201.05983, section IV).

There LBH learns by reinforcement which base station serves a UE best along its own route, as if it were alone. On a
known route that learning converges to the solution of a dynamic programme, which is computed here. With T_k the UE's
interval after its epoch k, m its mean efficiency and k' its next epoch,

    V_k(b) = m_k(b) T_k + max over b' of ( V_k'(b') - c [b' is not b] )

The price c of a handover is ours: 1 (bit/s/Hz) s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mmwave_baselines.association.reading import read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Float64Array, Int64Array


@dataclass
class LbhMemory:
    value: Float64Array  # (rows, epoch, candidate): V, in bit/Hz


class Lbh(Rule):
    """handover_cost: c in (bit/s/Hz) s, at least 0; ValueError otherwise."""

    access = "trajectory"
    kind = "paper"
    label = "LBH (own route)"

    def __init__(self, handover_cost: float = 1.0):
        at_least("handover_cost", handover_cost, 0.0)
        self._cost = float(handover_cost)
        self.config: dict[str, Any] = {"handover_cost": self._cost}

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        value = seen.memory.value[np.arange(len(seen)), seen.look("epoch")["epoch"]]
        return now.best(value - self._cost * ~now.serving)

    def remember(self, view: View) -> LbhMemory:
        world = view.look("ue", "interval_s", "candidate", "foreseen")
        parts = zip(world["ue"], world["interval_s"], world["candidate"], world["foreseen"][..., 1], strict=True)
        return LbhMemory(np.stack([alone(*part, self._cost) for part in parts]))


def alone(
    ue: Int64Array, interval_s: Float64Array, candidate: Int64Array, mean: Float64Array, cost: float
) -> Float64Array:
    """V of the module's text in bit/Hz, (epoch, candidate), for epochs in order of time.

    ue (epoch,): -1 marks epochs that are none. interval_s (epoch,). candidate (epoch, candidate): base stations. mean
    (epoch, candidate): efficiencies in bit/s/Hz. The UEs are solved at once, from each one's last epoch backwards.
    """
    value = mean.astype(np.float64) * interval_s[:, None]
    order = np.argsort(ue, kind="stable")
    order = order[ue[order] >= 0]
    ends = np.append(ue[order][1:] != ue[order][:-1], True)
    following = np.where(ends, -1, np.append(order[1:], -1))
    # How many epochs of its UE follow each one.
    at = np.arange(len(order))
    last = np.flatnonzero(ends)
    after = last[np.searchsorted(last, at)] - at
    exists = candidate >= 0
    exists[:, 0] = True  # who has no candidate has one choice, nobody
    for steps in range(1, int(after.max(initial=0)) + 1):
        these = after == steps
        now, then = order[these], following[these]
        onwards = value[then][:, None] - cost * (candidate[then][:, None] != candidate[now][:, :, None])
        value[now] += np.where(exists[then][:, None], onwards, -np.inf).max(axis=2)
    return value
