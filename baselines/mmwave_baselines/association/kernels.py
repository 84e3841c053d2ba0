"""What SQA and rollouts are made of, compiled by numba: the network after one more decision, and plans of many.

Efficiencies are planned ones, means over intervals, so that the network changes at epochs only and one decision
touches two cells. The last cell is nobody's. Kernels change the network that they are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

compiled = njit(cache=True, error_model="numpy")  # no division here has a divisor of 0, so none is checked


class Epochs(NamedTuple):
    """The K epochs of a world, in order of time; candidates by rank, C at most."""

    ue: NDArray[np.int64]  # (K,)
    choices: NDArray[np.int64]  # (K,): how many candidates
    cell: NDArray[np.int64]  # (K, C); rank 0 without any candidate: nobody's
    efficiency: NDArray[np.float64]  # (K, C) bit/s/Hz at the epoch
    mean: NDArray[np.float64]  # (K, C) bit/s/Hz over the UE's coming interval
    gap_s: NDArray[np.float64]  # (K,): until the next epoch of any UE


class Network(NamedTuple):
    """Who is served by whom."""

    serving: NDArray[np.int64]  # (ue,)
    planned: NDArray[np.float64]  # (ue,) bit/s/Hz
    load: NDArray[np.float64]  # (cell,): UEs
    total: NDArray[np.float64]  # (cell,): sum of their planned efficiencies


@compiled
def network_of(serving: Any, planned: Any, cells: int) -> Any:
    """The network of a state."""
    network = Network(serving.copy(), planned.copy(), np.zeros(cells), np.zeros(cells))
    for u in range(len(serving)):
        network.load[serving[u]] += 1.0
        network.total[serving[u]] += planned[u]
    return network


@compiled
def copy_of(network: Any) -> Any:
    return Network(network.serving.copy(), network.planned.copy(), network.load.copy(), network.total.copy())


@compiled
def rate_of(network: Any) -> float:
    """Sum over cells of the mean efficiency of their UEs, bit/s/Hz: the sum rate by the bandwidth of a cell."""
    rate = 0.0
    for c in range(len(network.load)):
        if network.load[c] > 0.0:
            rate += network.total[c] / network.load[c]
    return rate


@compiled
def leave(network: Any, ue: int) -> float:
    """Take a UE out, before it `join`s again; the change of `rate_of`."""
    cell = network.serving[ue]
    load, total = network.load[cell], network.total[cell]
    left = load - 1.0
    rest = total - network.planned[ue] if left > 0.0 else 0.0
    network.load[cell], network.total[cell] = left, rest
    return (rest / left if left > 0.0 else 0.0) - total / load


@compiled
def gain(network: Any, cell: int, efficiency: float) -> float:
    """What `rate_of` would gain by one more link."""
    load, total = network.load[cell], network.total[cell]
    return (total + efficiency) / (load + 1.0) - (total / load if load > 0.0 else 0.0)


@compiled
def join(network: Any, ue: int, cell: int, efficiency: float) -> float:
    """Give a UE that has left to a cell; the change of `rate_of`."""
    change = gain(network, cell, efficiency)
    network.load[cell] += 1.0
    network.total[cell] += efficiency
    network.serving[ue], network.planned[ue] = cell, efficiency
    return change


@compiled
def best_gain(network: Any, epochs: Any, k: int) -> int:
    """The rank that `Msr` takes at epoch k, after its UE has left; ties go to the strongest."""
    best, most = 0, -np.inf
    for b in range(epochs.choices[k]):
        value = gain(network, epochs.cell[k, b], epochs.mean[k, b])
        if value > most:
            best, most = b, value
    return best


# ---------------------------------------------------------------------- rollout


@compiled
def rollout(network: Any, epochs: Any, k: int, depth: int) -> int:
    """The rank at epoch k after which `depth` epochs, this one included, bring most bit/Hz when MSR goes on."""
    end = min(k + depth, len(epochs.ue))
    best, most = 0, -np.inf
    before = rate_of(network)
    for b in range(epochs.choices[k]):
        tried = copy_of(network)
        rate = before + leave(tried, epochs.ue[k])
        rate += join(tried, epochs.ue[k], epochs.cell[k, b], epochs.mean[k, b])
        value = rate * epochs.gap_s[k]
        for later in range(k + 1, end):
            rate += leave(tried, epochs.ue[later])
            c = best_gain(tried, epochs, later)
            rate += join(tried, epochs.ue[later], epochs.cell[later, c], epochs.mean[later, c])
            value += rate * epochs.gap_s[later]
        if value > most:
            best, most = b, value
    return best


# ---------------------------------------------------------------------- SQA


@compiled
def uniform(random: Any) -> float:
    """A number in [0, 1) from SplitMix64 (Steele, Lea, Flood, OOPSLA 2014); random: its state, (1,) uint64."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    z = random[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.float64((z ^ (z >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


@compiled
def first_table(network: Any, epochs: Any, first: int, horizon: float) -> Any:
    """Q (K, C) before any exploration.

    RBH plays all epochs from the first, and each candidate counts as if the sum rate with it went on for `horizon` mean
    gaps.
    """
    table = np.zeros(epochs.cell.shape)
    rate = rate_of(network)
    weight = horizon * epochs.gap_s.mean()
    for k in range(first, len(epochs.ue)):
        rate += leave(network, epochs.ue[k])
        chosen, most = 0, -np.inf
        for b in range(epochs.choices[k]):
            cell = epochs.cell[k, b]
            table[k, b] = weight * (rate + gain(network, cell, epochs.mean[k, b]))
            own = epochs.efficiency[k, b] / (network.load[cell] + 1.0)
            if own > most:
                chosen, most = b, own
        rate += join(network, epochs.ue[k], epochs.cell[k, chosen], epochs.mean[k, chosen])
    return table


@compiled
def by_rank(value: Any, count: int, weights: Any, x: float, share: Any) -> int:
    """An index below `count`, index b with a chance proportional to weights[number of smaller values].

    value (C,): what is ranked. weights (C,). x: in [0, 1). share (C,): somewhere to write the chances.
    """
    total = 0.0
    for b in range(count):
        smaller = 0
        for other in range(count):
            smaller += value[other] < value[b]
        share[b] = weights[smaller]
        total += share[b]
    x *= total
    for b in range(count - 1):
        x -= share[b]
        if x < 0.0:
            return b
    return count - 1


@compiled
def explore(
    network: Any, epochs: Any, k: int, depth: int, times: int, table: Any, alpha: float, gamma: float, weights: Any,
    random: Any
) -> None:  # fmt: skip
    """Sample `times` series of `depth` decisions from epoch k on and learn Q (K, C) from their returns, in place.

    weights (C,): those of `by_rank`.
    """
    end = min(k + depth, len(epochs.ue))
    chosen, reward, share = np.empty(end - k, np.int64), np.empty(end - k), np.empty(len(weights))
    before = rate_of(network)
    for _ in range(times):
        sampled = copy_of(network)
        rate = before
        for at in range(k, end):
            ue = epochs.ue[at]
            rate += leave(sampled, ue)
            b, count = 0, epochs.choices[at]
            if count > 1:
                b = by_rank(table[at], count, weights, uniform(random), share)
            rate += join(sampled, ue, epochs.cell[at, b], epochs.mean[at, b])
            chosen[at - k], reward[at - k] = b, rate * epochs.gap_s[at]
        to_come = 0.0
        for at in range(end - 1, k - 1, -1):
            to_come = reward[at - k] + gamma * to_come
            b = chosen[at - k]
            table[at, b] += alpha * (to_come - table[at, b])
