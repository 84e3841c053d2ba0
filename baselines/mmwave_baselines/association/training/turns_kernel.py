"""One world of MmwaveAssociation-v0 played by a network in compiled code, a hundred times as fast as step by step.

It sees what the environment shows and counts credit as the environment does; a test plays both side by side. Only
training needs it, because only training plays millions of decisions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

TEACHERS = {"": 0, "price": 1, "cover": 2}
KAPPA = 3.0  # of the rule PRICE, bit/s/Hz
THETA = 2.0  # of the rule COVER: a free base station is joined from this mean efficiency on, bit/s/Hz


class Played(NamedTuple):
    """The epochs of one world, in order."""

    seen: NDArray[np.float32]  # (epoch, C, features), normalised, zeros where there is no candidate
    allowed: NDArray[np.bool_]  # (epoch, C)
    action: NDArray[np.int64]
    teacher: NDArray[np.int64]  # what the teacher would do
    ue: NDArray[np.int64]
    time_s: NDArray[np.float64]
    credit: NDArray[np.float64]  # what the same UE's decision before this one added to the network, bit/Hz
    rate: float  # sum rate from `settle_s` on, in bit/s/Hz, by mean efficiencies


def play(
    episodes: Any,
    world: int,
    num_bs: int,
    logs: NDArray[np.float64],
    roles: NDArray[np.float64] | None,
    weights: list[NDArray[np.float32]],
    chance: NDArray[np.float64],
    teacher: str,
    drives: bool,
    settle_s: float,
) -> Played:
    """Play one drawn world (storage row `world`).

    logs (features,): log(1 + bound) of each feature (0: a flag). roles (bs,): the number 1 for free base stations.
    weights: those of a network over choices with two hidden layers (w, b, w, b, w, b). chance: (epoch, C) uniforms, of
    which the Gumbel trick makes a sample; empty (0, C) for the greedy choice. drives: the teacher does, but for those
    epochs whose first uniform is below a tenth, where any candidate is taken.
    """
    k = int((episodes.ue[world] >= 0).sum())
    given = np.zeros(0) if roles is None else np.asarray(roles, np.float64)
    result = _play(
        episodes.time_s[world, : k + 1],
        episodes.ue[world, :k].astype(np.int64),
        episodes.interval_s[world, :k].astype(np.float64),
        episodes.candidate[world, :k].astype(np.int64),
        episodes.foreseen[world, :k].astype(np.float64),
        episodes.first_serving[world].astype(np.int64),
        episodes.first_efficiency[world],
        *(num_bs, logs, given, *weights, chance, TEACHERS[teacher], drives, settle_s),
    )
    return Played(*result)


@numba.njit(cache=True, fastmath=True)
def _layer(x, n, own, mean, largest, bias, out):
    """tanh(own x + mean mean(x) + largest max(x) + bias) for the first n rows of x."""
    width, inputs = own.shape
    for j in range(width):
        common = bias[j]
        for i in range(inputs):
            total, most = np.float32(0.0), x[0, i]
            for c in range(n):
                total += x[c, i]
                most = max(most, x[c, i])
            common += mean[j, i] * total / n + largest[j, i] * most
        for c in range(n):
            value = common
            for i in range(inputs):
                value += own[j, i] * x[c, i]
            out[c, j] = np.tanh(value)


@numba.njit(cache=True)
def _play(
    time_s, ue, interval_s, candidate, foreseen, first_serving, first_efficiency,
    num_bs, logs, roles, w0, b0, w1, b1, w2, b2, chance, teacher, drives, settle_s,
):  # fmt: skip
    epochs, most = candidate.shape
    features = len(logs)
    with_roles = len(roles) > 0
    seen = np.zeros((epochs, most, features), np.float32)
    allowed = np.zeros((epochs, most), np.bool_)
    action, taught = np.zeros(epochs, np.int64), np.zeros(epochs, np.int64)
    credit = np.zeros(epochs)
    i0, i1 = w0.shape[1] // 3, w1.shape[1] // 3
    own0, mean0, max0 = w0[:, :i0].copy(), w0[:, i0 : 2 * i0].copy(), w0[:, 2 * i0 :].copy()
    own1, mean1, max1 = w1[:, :i1].copy(), w1[:, i1 : 2 * i1].copy(), w1[:, 2 * i1 :].copy()
    h0, h1 = np.zeros((most, len(b0)), np.float32), np.zeros((most, len(b1)), np.float32)

    num_ues = len(first_serving)
    serving, planned = first_serving.copy(), first_efficiency.copy()
    load, total = np.zeros(num_bs), np.zeros(num_bs)
    lost, alone, touched = np.zeros(num_bs), np.zeros(num_bs), np.full(num_bs, time_s[0])
    then = np.zeros((num_ues, 2))
    for u in range(num_ues):
        if serving[u] >= 0:
            load[serving[u]] += 1.0
            total[serving[u]] += planned[u]
    network = 0.0
    for b in range(num_bs):
        if load[b] > 0.0:
            network += total[b] / load[b]
    earned = 0.0

    for k in range(epochs):
        u, now, old = ue[k], time_s[k], serving[ue[k]]
        n = 0
        for c in range(most):
            if candidate[k, c] >= 0:
                n += 1
        score = -1e300
        for c in range(n):
            b = candidate[k, c]
            mine = b == old
            others = load[b] - mine
            mean = (total[b] - mine * planned[u]) / max(others, 1.0)
            mean = max(mean, 0.0) if others > 0.5 else 0.0
            x = seen[k, c]
            for f in range(4):
                x[f] = foreseen[k, c, f]
            x[4], x[5], x[6], x[7] = others, mean, mine, interval_s[k]
            if with_roles:
                x[8] = roles[b]
            for f in range(features):
                x[f] = 2.0 * np.log1p(x[f]) / logs[f] - 1.0 if logs[f] > 0.0 else 2.0 * x[f] - 1.0
            allowed[k, c] = True
            if teacher > 0:
                m = foreseen[k, c, 1]
                value = (m - mean) / (others + 1.0)
                if teacher == 1:
                    value -= KAPPA / ((others + 1.0) * (others + 2.0))
                elif roles[b] > 0.5 and m < THETA:
                    value -= 1e6
                if value > score:
                    score, taught[k] = value, c
        if n == 0:
            allowed[k, 0] = True
        chosen = 0
        if drives:
            chosen = taught[k]
            if n > 1 and chance[k, 0] < 0.1:
                chosen = int(chance[k, 1] * n) if most > 1 else 0
        elif n > 1:
            _layer(seen[k], n, own0, mean0, max0, b0, h0)
            _layer(h0, n, own1, mean1, max1, b1, h1)
            best = -1e300
            for c in range(n):
                logit = np.float64(b2[0])
                for j in range(len(b1)):
                    logit += w2[0, j] * h1[c, j]
                if len(chance) > 0:
                    logit -= np.log(-np.log(chance[k, c]))
                if logit > best:
                    best, chosen = logit, c
        action[k] = chosen
        new = candidate[k, chosen]
        efficiency = foreseen[k, chosen, 1] if new >= 0 else 0.0

        for b in (old, new):
            if b >= 0 and touched[b] < now:
                dt = now - touched[b]
                if load[b] > 1.5:
                    lost[b] += dt * total[b] * (1.0 / load[b] - 1.0 / (load[b] - 1.0))
                    alone[b] += dt / (load[b] - 1.0)
                else:
                    alone[b] += dt
                touched[b] = now
        if old >= 0:
            credit[k] = lost[old] - then[u, 0] + planned[u] * (alone[old] - then[u, 1])
            network -= total[old] / load[old]
            load[old] -= 1.0
            total[old] -= planned[u]
            if load[old] > 0.5:
                network += total[old] / load[old]
            else:
                load[old], total[old] = 0.0, 0.0
        if new >= 0:
            if load[new] > 0.5:
                network -= total[new] / load[new]
            load[new] += 1.0
            total[new] += efficiency
            network += total[new] / load[new]
            then[u, 0], then[u, 1] = lost[new], alone[new]
        serving[u], planned[u] = new, efficiency
        if time_s[k + 1] > settle_s:
            earned += network * (time_s[k + 1] - max(now, settle_s))
    rate = earned / (time_s[epochs] - max(settle_s, time_s[0]))
    return seen, allowed, action, taught, ue, time_s[:epochs], credit, rate
