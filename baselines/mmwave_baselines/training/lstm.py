"""The paper's network (Wang et al., arXiv 1801.02077, section IV-C, figures 6 and 7) with its gradient, in plain NumPy.

State -> linear encoding -> LSTM -> linear heads: the actor's softmax and the critic's value share everything below.
This is the reference that the compiled `a3c_kernel` equals, and what agents run that learn while they play.

1. The paper drops biases "for simplicity"; here every layer has one (711 numbers with six cells, 664 without), and
   the forget gate's begins at 1, so that the memory lasts at first (ours).
2. Eq. 26 prints the cell gate's weights in the output gate; it has its own here.
3. Initial weights are ours: N(0, 1/12) in the encoding, N(0, 1/16) in the LSTM, N(0, 0.01) in the heads (variances).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.networks import LstmStep, lstm_step
from mmwave_gym.core.types import Float64Array

ENCODER = 8  # section V-A: the encoding is 12 x 8, the heads 8 x 6 and 8 x 1, so the LSTM has 8 units
UNITS = 8


class Shape(NamedTuple):
    """Sizes of a network; its weights are one flat array in the order of `layers`."""

    inputs: int = 12
    actions: int = 6
    encoder: int = ENCODER
    units: int = UNITS

    @classmethod
    def of(cls, cells: int) -> Shape:
        """The network of the paper for so many cells: their RSRQ, and who served last."""
        return cls(2 * cells, cells)

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of the encoding, the four gates (forget, input, cell, output), the actor and the critic."""
        joined = self.encoder + self.units
        return (self.encoder, self.inputs), (4 * self.units, joined), (self.actions, self.units), (1, self.units)

    @property
    def size(self) -> int:
        return sum(out * (into + 1) for out, into in self.layers)

    @property
    def critic(self) -> slice:
        """Where the critic's own weights are."""
        return slice(self.size - self.units - 1, self.size)

    def unpack(self, flat: Any) -> list[tuple[Any, Any]]:
        """Weight and bias of every layer, views of `flat` (..., size)."""
        parts, at = [], 0
        for out, into in self.layers:
            weight = flat[..., at : at + out * into].reshape(*flat.shape[:-1], out, into)
            parts.append((weight, flat[..., at + out * into : at + out * (into + 1)]))
            at += out * (into + 1)
        return parts


def initial_weights(shape: Shape, rng: np.random.Generator) -> Float64Array:
    """Random weights (size,)."""
    flat = np.zeros(shape.size)
    deviations = (shape.inputs**-0.5, (shape.encoder + shape.units) ** -0.5, 0.1, 0.1)
    for (weight, _), deviation in zip(shape.unpack(flat), deviations, strict=True):
        weight[:] = deviation * rng.standard_normal(weight.shape)
    shape.unpack(flat)[1][1][: shape.units] = 1.0
    return flat


class Tape(NamedTuple):
    """What a block of slots left behind, for its gradient; a slot first, then a row."""

    x: Float64Array  # (slots, rows, inputs)
    steps: list[LstmStep]
    before: list[tuple[Float64Array, Float64Array]]  # hidden and cell values that each step began with
    goes_on: NDArray[np.bool_]  # (slots, rows): an episode goes on here; elsewhere one begins
    logits: Float64Array  # (slots, rows, actions)
    value: Float64Array  # (slots, rows)


def forward(
    shape: Shape,
    weights: Float64Array,
    x: Float64Array,
    hidden: Float64Array,
    cell: Float64Array,
    goes_on: NDArray[np.bool_] | None = None,
) -> Tape:
    """Logits and values of a block x (slots, rows, inputs), from hidden and cell values (rows, units).

    weights: (size,), or (rows, size) where every row has its own. goes_on (slots, rows): False where
    an episode begins, there memory is zero.
    """
    encoder, gates, actor, critic = shape.unpack(weights)
    goes_on = np.ones(x.shape[:2], bool) if goes_on is None else goes_on
    steps, before, logits, value = [], [], [], []
    for t, seen in enumerate(x):
        hidden, cell = hidden * goes_on[t, :, None], cell * goes_on[t, :, None]
        before.append((hidden, cell))
        steps.append(lstm_step(encoder, gates, seen, hidden, cell))
        hidden, cell = steps[-1].hidden, steps[-1].cell
        logits.append(_times(actor[0], hidden) + actor[1])
        value.append((_times(critic[0], hidden) + critic[1])[..., 0])
    return Tape(x, steps, before, goes_on, np.array(logits), np.array(value))


def backward(
    shape: Shape,
    weights: Float64Array,
    tape: Tape,
    d_logits: Float64Array,
    d_value: Float64Array,
    *,
    summed: bool = False,
) -> Float64Array:
    """Gradient (rows, size) of what has the derivatives d_logits (slots, rows, actions) and d_value (slots, rows).

    weights: (size,), or (rows, size). summed: only the sum over the rows, (size,), which is much faster. Truncated
    back-propagation through time: nothing flows into the block before, nor over the begin of an episode.
    """
    _, gates, actor, critic = shape.unpack(weights)
    gradient = np.zeros(shape.size if summed else (tape.x.shape[1], shape.size))
    parts = shape.unpack(gradient)
    d_hidden = np.zeros_like(tape.steps[0].hidden)
    d_cell = np.zeros_like(d_hidden)
    for t in range(len(tape.x) - 1, -1, -1):
        step, (hidden_before, cell_before) = tape.steps[t], tape.before[t]
        f, i, g, o = step.gates
        squashed = np.tanh(step.cell)
        d_hidden = d_hidden + _times(_turned(actor[0]), d_logits[t]) + d_value[t, :, None] * critic[0][..., 0, :]
        d_cell = d_cell + d_hidden * o * (1.0 - squashed**2)
        d_gates = np.concatenate(
            (
                d_cell * cell_before * f * (1.0 - f),
                d_cell * g * i * (1.0 - i),
                d_cell * i * (1.0 - g**2),
                d_hidden * squashed * o * (1.0 - o),
            ),
            axis=-1,
        )
        joined = np.concatenate((step.encoded, hidden_before), axis=-1)
        d_joined = _times(_turned(gates[0]), d_gates)
        d_encoded = d_joined[:, : shape.encoder]
        for part, delta, seen in (
            (parts[0], d_encoded, tape.x[t]),
            (parts[1], d_gates, joined),
            (parts[2], d_logits[t], step.hidden),
            (parts[3], d_value[t, :, None], step.hidden),
        ):
            part[0][:] += delta.T @ seen if summed else delta[:, :, None] * seen[:, None, :]
            part[1][:] += delta.sum(axis=0) if summed else delta
        goes_on = tape.goes_on[t, :, None]
        d_hidden, d_cell = d_joined[:, shape.encoder :] * goes_on, d_cell * f * goes_on
    return gradient


def softmax(logits: Float64Array) -> Float64Array:
    """Probabilities (…, actions) of logits (…, actions)."""
    weight = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weight / weight.sum(axis=-1, keepdims=True)


def actor_critic(
    tape: Tape, action: NDArray[np.int64], target: Float64Array, entropy: float
) -> tuple[Float64Array, Float64Array]:
    """The ascent directions of Algorithm 2: gradients d_logits (slots, rows, actions) and d_value (slots, rows).

    (target - V) grad log pi + entropy * grad H and (target - V) grad V; action, target (slots, rows). Eq. 30 prints the
    entropy without its gradient and with the sign that lowers it.
    """
    chance = softmax(tape.logits)
    log_chance = np.log(chance)
    spread = -(chance * log_chance).sum(axis=-1, keepdims=True)
    advantage = target - tape.value
    chosen = np.arange(chance.shape[-1]) == action[..., None]
    d_logits = advantage[..., None] * (chosen - chance) - entropy * chance * (log_chance + spread)
    return d_logits, advantage


def n_step_targets(
    reward: Float64Array, ends: NDArray[np.bool_], after: Float64Array, gamma: float | Float64Array
) -> Float64Array:
    """r <- r_j + gamma r backwards through a block of rewards (slots, rows), from the value `after` it (rows,).

    It is 0 where an episode ends, `ends` (slots, rows).

    gamma: one, or (slots, rows) where steps take different times.
    """
    target, discount = np.empty_like(reward), np.broadcast_to(gamma, reward.shape)
    for t in range(len(reward) - 1, -1, -1):
        after = reward[t] + discount[t] * np.where(ends[t], 0.0, after)
        target[t] = after
    return target


def rmsprop(
    weights: Float64Array, mean_square: Float64Array, direction: Float64Array, rate: float, decay: float, epsilon: float
) -> None:
    """One ascent step of RMSProp, eq. 28 and 29 with the opposite sign; changes weights and mean_square in place.

    weights, mean_square (its running mean of squared gradients) and direction: (size,) each, or (rows, size) each.
    """
    mean_square *= decay
    mean_square += (1.0 - decay) * direction**2
    weights += rate * direction / np.sqrt(mean_square + epsilon)


def _times(weight: Float64Array, x: Float64Array) -> Float64Array:
    return np.matmul(weight, x[..., None])[..., 0]


def _turned(weight: Float64Array) -> Float64Array:
    return np.swapaxes(weight, -1, -2)
