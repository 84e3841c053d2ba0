"""A3C in compiled code: hundreds of runs of the deterministic simulation in minutes. `lstm` is the same in NumPy.

Sequential by nature: every UE's action needs its last hidden values, every push the weights after the one before.
Weights are one flat array, as `lstm.Shape` lays them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LOWEST_INPUT, HIGHEST_INPUT = -3.0, 2.0  # ours, as (q + 15) / 10: the paper does not say how RSRQ enters the network


@njit(cache=True)
def see(rsrq_db: Any, serving: int, x: Any) -> None:
    """The network's input (2 * cells,): scaled RSRQ, and one-hot who served last."""
    cells = len(rsrq_db)
    for k in range(cells):
        x[k] = min(max((rsrq_db[k] + 15.0) / 10.0, LOWEST_INPUT), HIGHEST_INPUT)
        x[cells + k] = 0.0
    x[cells + serving] = 1.0


@njit(cache=True)
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + np.exp(-x))


@njit(cache=True)
def _tanh(x: float) -> float:
    return 1.0 - 2.0 / (np.exp(2.0 * x) + 1.0)  # thrice as fast as the library's, and off by 1e-16


@njit(cache=True)
def layers(flat: Any, sizes: Any) -> Any:
    """Views of a flat array: encoding, gates, actor, critic, a weight (out, in) and a bias each."""
    inputs, actions, encoder, units = sizes
    width = encoder + units
    a = encoder * inputs
    b = a + encoder
    c = b + 4 * units * width
    d = c + 4 * units
    e = d + actions * units
    f = e + actions
    g = f + units
    return (
        *(flat[:a].reshape((encoder, inputs)), flat[a:b], flat[b:c].reshape((4 * units, width)), flat[c:d]),
        *(flat[d:e].reshape((actions, units)), flat[e:f], flat[f:g], flat[g:]),
    )


# Sums may be reordered, or compilers cannot use vectors for them; results stay the same on one machine.
@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def affine(weight: Any, bias: Any, x: Any, out: Any) -> None:
    """out (n,) = weight (n, m) x + bias, for x (m,) and bias (n,); in place."""
    for j in range(weight.shape[0]):
        total = 0.0
        for k in range(weight.shape[1]):
            total += weight[j, k] * x[k]
        out[j] = total + bias[j]


@njit(cache=True, fastmath={"reassoc", "contract", "nsz"})
def spread_back(weight: Any, delta: Any, x: Any, d_weight: Any, d_bias: Any, d_x: Any) -> None:
    """From the derivative of an affine map's output to those of its weights and its input, added to them.

    weight, d_weight (n, m); delta, d_bias (n,); x, d_x (m,).
    """
    for j in range(weight.shape[0]):
        d = delta[j]
        d_bias[j] += d
        for k in range(weight.shape[1]):
            d_weight[j, k] += d * x[k]
        for k in range(weight.shape[1]):
            d_x[k] += weight[j, k] * d


@njit(cache=True)
def step(w: Any, x: Any, hidden: Any, cell: Any, joined: Any, gates: Any, logits: Any) -> float:
    """One step of one UE with `layers` w: `hidden` and `cell` go on in place, the rest is filled; returns the value.

    x (inputs,); hidden, cell (units,); joined (encoder + units,); gates (4 * units,); logits (actions,).
    """
    units = len(hidden)
    encoder = len(joined) - units
    affine(w[0], w[1], x, joined)
    for k in range(units):
        joined[encoder + k] = hidden[k]
    affine(w[2], w[3], joined, gates)
    for k in range(units):
        gates[k] = _sigmoid(gates[k])
        gates[units + k] = _sigmoid(gates[units + k])
        gates[2 * units + k] = _tanh(gates[2 * units + k])
        gates[3 * units + k] = _sigmoid(gates[3 * units + k])
        cell[k] = gates[k] * cell[k] + gates[units + k] * gates[2 * units + k]
        hidden[k] = gates[3 * units + k] * _tanh(cell[k])
    affine(w[4], w[5], hidden, logits)
    value = w[7][0]
    for k in range(units):
        value += w[6][k] * hidden[k]
    return value


@njit(cache=True)
def softmax(logits: Any, chance: Any) -> None:
    """Chances (actions,) of logits (actions,), in place."""
    most = logits.max()
    total = 0.0
    for j in range(len(logits)):
        chance[j] = np.exp(logits[j] - most)
        total += chance[j]
    for j in range(len(logits)):
        chance[j] /= total


@njit(cache=True)
def choose(chance: Any, uniform: float) -> int:
    below = 0.0
    for j in range(len(chance) - 1):
        below += chance[j]
        if uniform < below:
            return j
    return len(chance) - 1


@njit(cache=True)
def backward(
    w: Any,
    x: Any,
    joined: Any,
    gates: Any,
    cells: Any,
    cell_before: Any,
    hidden: Any,
    begins: Any,
    d_logits: Any,
    d_value: Any,
    dw: Any,
) -> None:
    """Add the gradient of a block to `layers` dw; slots first. See `lstm.backward`."""
    units = hidden.shape[1]
    encoder = joined.shape[1] - units
    dh, dc = np.zeros(units), np.zeros(units)
    dz, dj, dx = np.empty(4 * units), np.empty(encoder + units), np.zeros(x.shape[1])
    for t in range(len(x) - 1, -1, -1):
        spread_back(w[4], d_logits[t], hidden[t], dw[4], dw[5], dh)
        d = d_value[t]
        dw[7][0] += d
        for k in range(units):
            dw[6][k] += d * hidden[t, k]
            dh[k] += w[6][k] * d
        for k in range(units):
            f, i, g, o = gates[t, k], gates[t, units + k], gates[t, 2 * units + k], gates[t, 3 * units + k]
            squashed = _tanh(cells[t, k])
            dc[k] += dh[k] * o * (1.0 - squashed * squashed)
            dz[k] = dc[k] * cell_before[t, k] * f * (1.0 - f)
            dz[units + k] = dc[k] * g * i * (1.0 - i)
            dz[2 * units + k] = dc[k] * i * (1.0 - g * g)
            dz[3 * units + k] = dh[k] * squashed * o * (1.0 - o)
            dc[k] *= f
        dj[:] = 0.0
        spread_back(w[2], dz, joined[t], dw[2], dw[3], dj)
        dx[:] = 0.0
        spread_back(w[0], dj[:encoder], x[t], dw[0], dw[1], dx)
        for k in range(units):
            dh[k] = 0.0 if begins[t] else dj[encoder + k]
        if begins[t]:
            dc[:] = 0.0


@njit(cache=True)
def block(
    flat: Any,
    sizes: Any,
    rsrq_db: Any,
    efficiency: Any,
    begins: Any,
    potential: Any,
    uniform: Any,
    first: int,
    slots: int,
    hidden: Any,
    cell: Any,
    serving: Any,
    reward_of: Any,
    gamma: float,
    entropy: float,
    greedy: bool,
    gradient: Any,
    record: Any,
) -> int:
    """One block of one UE: play `slots` slots from `first`, fill `gradient` (or leave it, if it is empty), tell.

    rsrq_db (T + 1, cells), efficiency (T, cells), begins (T + 1,), potential (T + 1, cells) or (0, 0), uniform (T,).
    hidden, cell (units,): go on in place. reward_of: price, kept share, offset and scale. record (T, 5): V, reward as
    learned, rate, handover, chance of the action. Returns who serves after it.
    """
    inputs, actions, encoder, units = sizes
    price, kept, offset, scale = reward_of
    w = layers(flat, sizes)
    learns = len(gradient) > 0
    x = np.zeros((slots, inputs))
    joined = np.zeros((slots, encoder + units))
    gates = np.zeros((slots, 4 * units))
    cells = np.zeros((slots, units))
    cell_before = np.zeros((slots, units))
    hiddens = np.zeros((slots, units))
    chance = np.zeros((slots, actions))
    logits = np.zeros(actions)
    chosen = np.zeros(slots, np.int64)
    for s in range(slots):
        t = first + s
        if begins[t]:
            hidden[:] = 0.0
            cell[:] = 0.0
            serving = rsrq_db[t].argmax()
        see(rsrq_db[t], serving, x[s])
        cell_before[s] = cell
        record[t, 0] = step(w, x[s], hidden, cell, joined[s], gates[s], logits)
        cells[s] = cell
        hiddens[s] = hidden
        softmax(logits, chance[s])
        a = logits.argmax() if greedy else choose(chance[s], uniform[t])
        change = a != serving
        rate = efficiency[t, a] * (kept if change else 1.0)
        reward = rate - (price if change else 0.0)
        record[t, 2] = rate
        record[t, 3] = 1.0 if change else 0.0
        record[t, 4] = chance[s, a]
        if len(potential) > 0:
            reward -= potential[t, serving]
            if not begins[t + 1]:
                reward += potential[t + 1, a]
        record[t, 1] = (reward - offset) * scale
        chosen[s] = a
        serving = a
    if not learns:
        return serving
    last = first + slots
    after = 0.0
    if not begins[last]:
        ahead_x, ahead_joined, ahead_gates = np.zeros(inputs), np.zeros(encoder + units), np.zeros(4 * units)
        ahead_hidden, ahead_cell = hidden.copy(), cell.copy()
        see(rsrq_db[last], serving, ahead_x)
        after = step(w, ahead_x, ahead_hidden, ahead_cell, ahead_joined, ahead_gates, logits)
    d_logits = np.zeros((slots, actions))
    d_value = np.zeros(slots)
    for s in range(slots - 1, -1, -1):
        t = first + s
        if begins[t + 1]:
            after = 0.0
        after = record[t, 1] + gamma * after
        advantage = after - record[t, 0]
        d_value[s] = advantage
        spread = 0.0
        for j in range(actions):
            if chance[s, j] > 0.0:
                spread -= chance[s, j] * np.log(chance[s, j])
        for j in range(actions):
            p = chance[s, j]
            d_logits[s, j] = advantage * ((1.0 if j == chosen[s] else 0.0) - p)
            if p > 0.0:
                d_logits[s, j] -= entropy * p * (np.log(p) + spread)
    gradient[:] = 0.0
    starts = begins[first:last]
    dw = layers(gradient, sizes)
    backward(w, x, joined, gates, cells, cell_before, hiddens, starts, d_logits, d_value, dw)
    return serving


@njit(cache=True)
def push(w: Any, mean_square: Any, direction: Any, first: int, rate: float, decay: float, epsilon: float) -> None:
    """RMSProp of eq. 28 and 29, upwards, in place, on the weights from index `first` on."""
    for p in range(first, len(w)):
        d = direction[p]
        mean_square[p] = decay * mean_square[p] + (1.0 - decay) * d * d
        w[p] += rate * d / np.sqrt(mean_square[p] + epsilon)


@njit(cache=True)
def learn(
    w: Any,
    mean_square: Any,
    sizes: Any,
    rsrq_db: Any,
    efficiency: Any,
    begins: Any,
    potential: Any,
    uniform: Any,
    n: int,
    warmup: int,
    averaged: bool,
    stale: bool,
    greedy: bool,
    reward_of: Any,
    gamma: float,
    entropy: float,
    rates: Any,
    decay: float,
    epsilon: float,
    record: Any,
    delays: Any,
) -> None:
    """All blocks of all UEs, the UE first in every array; w and mean_square are the server's, in place.

    rsrq_db (UE, slot, cell). efficiency (UE, slot, cell), bit/s/Hz. uniform (UE, slot).

    stale: all UEs fetch when a block begins and push in turn when it ends, so that the i-th gradient of a block is
    i - 1 updates old; otherwise each fetches after the push before. averaged: one push a block, of the mean. In the
    first `warmup` blocks only the critic's head learns. rates (blocks,): step sizes; 0 is a block without learning.
    delays (UEs,): how often a push was so many updates late.
    """
    ues, slots = efficiency.shape[:2]
    units = sizes[3]
    hidden, cell = np.zeros((ues, units)), np.zeros((ues, units))
    serving = np.zeros(ues, np.int64)
    gradient, mean, none = np.zeros(len(w)), np.zeros(len(w)), np.zeros(0)
    fetched = w.copy()
    for b in range(slots // n):
        rate = rates[b]
        first = len(w) - units - 1 if b < warmup else 0
        fetched[:] = w
        mean[:] = 0.0
        for i in range(ues):
            if not stale:
                fetched[:] = w
            potential_i = potential[i] if len(potential) > 0 else np.zeros((0, 0))
            serving[i] = block(
                fetched, sizes, rsrq_db[i], efficiency[i], begins[i], potential_i, uniform[i], b * n, n, hidden[i],
                cell[i], serving[i], reward_of, gamma, entropy, greedy, gradient if rate > 0.0 else none, record[i],
            )  # fmt: skip
            if rate == 0.0:
                continue
            if averaged:
                mean += gradient
            else:
                push(w, mean_square, gradient, first, rate, decay, epsilon)
                delays[i if stale else 0] += 1
        if averaged and rate > 0.0:
            mean /= ues
            push(w, mean_square, mean, first, rate, decay, epsilon)
            delays[0] += 1


@njit(cache=True)
def imitate(
    flat: Any,
    mean_square: Any,
    sizes: Any,
    rsrq_db: Any,
    begins: Any,
    action: Any,
    n: int,
    rate: float,
    decay: float,
    epsilon: float,
    right: Any,
) -> None:
    """One epoch of cross-entropy on the actions (episode, T), teacher forcing, a push a block; right (2,): hits, all.

    rsrq_db (episode, T, cells). The critic's head is left alone: nothing is known of values yet (section IV-D).
    """  # fmt: skip
    inputs, actions, encoder, units = sizes
    w, gradient = layers(flat, sizes), np.zeros(len(flat))
    dw = layers(gradient, sizes)
    x, joined, gates = np.zeros((n, inputs)), np.zeros((n, encoder + units)), np.zeros((n, 4 * units))
    cells, cell_before, hiddens = np.zeros((n, units)), np.zeros((n, units)), np.zeros((n, units))
    chance, d_logits, d_value = np.zeros(actions), np.zeros((n, actions)), np.zeros(n)
    logits = np.zeros(actions)
    for e in range(len(action)):
        hidden, cell = np.zeros(units), np.zeros(units)
        serving = 0
        for first in range(0, action.shape[1] - n + 1, n):
            for s in range(n):
                t = first + s
                if begins[e, t]:
                    hidden[:] = 0.0
                    cell[:] = 0.0
                    serving = rsrq_db[e, t].argmax()
                see(rsrq_db[e, t], serving, x[s])
                cell_before[s] = cell
                step(w, x[s], hidden, cell, joined[s], gates[s], logits)
                cells[s] = cell
                hiddens[s] = hidden
                softmax(logits, chance)
                serving = action[e, t]
                right[0] += logits.argmax() == serving
                right[1] += 1
                d_logits[s] = -chance
                d_logits[s, serving] += 1.0
            gradient[:] = 0.0
            starts = begins[e, first : first + n]
            backward(w, x, joined, gates, cells, cell_before, hiddens, starts, d_logits, d_value, dw)
            push(flat, mean_square, gradient, 0, rate, decay, epsilon)
