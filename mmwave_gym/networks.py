"""The networks that policies are made of, run by NumPy alone in float32 as torch computes them.

`Network` is a multi-layer perceptron. `SetNetwork` scores every choice with the same weights, so it does not matter
in which order choices come, and there may be any number of them. Both are trained by `mmwave_gym.sb3_networks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agent import AgentError

ACTIVATIONS = ("tanh", "relu")

Floats = NDArray[np.float32]
Layers = tuple[tuple[Floats, Floats], ...]
"""(weight (out, in), bias (out,)) of each layer, first layer first."""


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron. With `skip`, the last layer sees the input beside the last hidden layer."""

    layers: Layers
    activation: str = "tanh"
    skip: bool = False
    log_std: Floats | None = None  # of the action, where it is continuous
    symmetric = False

    def __post_init__(self) -> None:
        _check_activation(self.activation)
        width = self.inputs
        for i, layer in enumerate(self.layers):
            last = i == len(self.layers) - 1
            _check_layer(i, layer, width + self.inputs if last and self.skip else width)
            width = len(layer[1])

    @property
    def inputs(self) -> int:
        first = self.layers[0][0].shape[-1]
        return first // 2 if self.skip and len(self.layers) == 1 else first

    @property
    def outputs(self) -> int:
        return len(self.layers[-1][1])

    @property
    def sizes(self) -> list[int]:
        return [self.inputs, *(len(bias) for _, bias in self.layers)]

    def describe(self) -> dict[str, Any]:
        return {"sizes": self.sizes, "activation": self.activation, "skip": self.skip}

    def __call__(self, x: Floats, mask: NDArray[np.bool_] | None = None) -> Floats:
        """(rows, inputs) to (rows, outputs); which choices are allowed makes no difference to it."""
        hidden = x
        for weight, bias in self.layers[:-1]:
            hidden = _activate(self.activation, hidden @ weight.T + bias)
        if self.skip:
            hidden = np.concatenate((hidden, x), axis=1)
        weight, bias = self.layers[-1]
        return hidden @ weight.T + bias


@dataclass(frozen=True)
class SetNetwork:
    """One number for every choice from the choice's own features and what all choices have in common.

    Every hidden layer sees a choice's numbers of the layer before, their mean and their maximum over all choices that
    are allowed; the last layer sees only the choice's own (Zaheer et al. 2017, Deep Sets, eq. 4, with both poolings).
    `columns` (choices, features) tells where in the input the features of each choice are, see `choice_columns`.
    """

    layers: Layers
    columns: NDArray[np.intp]
    inputs: int
    activation: str = "tanh"
    log_std = None
    symmetric = True  # choices that look the same get the same output

    def __post_init__(self) -> None:
        _check_activation(self.activation)
        width = self.columns.shape[1]
        for i, layer in enumerate(self.layers):
            last = i == len(self.layers) - 1
            _check_layer(i, layer, width if last else 3 * width)
            width = len(layer[1])
        if width != 1:
            raise AgentError(f"a network over choices ends in one number a choice, got {width}.")

    @property
    def outputs(self) -> int:
        return len(self.columns)

    def describe(self) -> dict[str, Any]:
        widths = [len(bias) for _, bias in self.layers[:-1]]
        return {"over": "choices", "hidden": widths, "activation": self.activation}

    def __call__(self, x: Floats, mask: NDArray[np.bool_] | None = None) -> Floats:
        """(rows, inputs) to (rows, choices); mask (rows, choices): which are allowed, at least one a row."""
        hidden = x[:, self.columns]  # (rows, choices, features)
        for weight, bias in self.layers[:-1]:
            own, mean, largest = np.split(weight, 3, axis=1)
            seen, most = pooled(hidden, mask)
            common = seen @ mean.T + most @ largest.T + bias
            hidden = _activate(self.activation, hidden @ own.T + common[:, None])
        weight, bias = self.layers[-1]
        return (hidden @ weight.T + bias)[..., 0]


AnyNetwork = Network | SetNetwork


def pooled(hidden: Floats, mask: NDArray[np.bool_] | None) -> tuple[Floats, Floats]:
    """Mean and maximum over the allowed choices: (rows, choices, features) to twice (rows, features)."""
    if mask is None:
        return hidden.mean(axis=1), hidden.max(axis=1)
    allowed = mask[..., None]
    mean = np.where(allowed, hidden, 0.0).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return mean.astype(np.float32), np.where(allowed, hidden, -np.inf).max(axis=1)


def choice_columns(fields: Iterable[Any], choices: int, frame_stack: int = 1) -> NDArray[np.intp]:
    """Where each choice finds its features among `frame_stack` observations in a row, (choices, features).

    fields: (name, size, …) in order. One with as many numbers as there are choices has one for each; all numbers of
    the other fields are seen by every choice. Raises AgentError where no field is about choices.
    """
    parts, start, about_choices = [], 0, False
    for size in [field[1] for field in fields] * frame_stack:
        if size == choices:
            parts.append(np.arange(start, start + size)[:, None])
            about_choices = True
        else:
            parts.append(np.broadcast_to(np.arange(start, start + size), (choices, size)))
        start += size
    if not about_choices:
        raise AgentError(f"a network over choices needs a field with a number for each of the {choices} choices.")
    return np.concatenate(parts, axis=1)


def read_network(
    described: Mapping[str, Any], arrays: Mapping[str, Floats], fields: list[Any], choices: int, frame_stack: int
) -> AnyNetwork:
    """The network of a file. Raises AgentError, KeyError, TypeError or ValueError where it does not fit."""
    over_choices = "over" in described
    if over_choices and described["over"] != "choices":
        raise AgentError(f"this network is over {described['over']!r}; this version knows those over 'choices'.")
    count = len(described["hidden"]) + 1 if over_choices else len(described["sizes"]) - 1
    layers = tuple((arrays[f"{i}.w"], arrays[f"{i}.b"]) for i in range(count))
    if not over_choices:
        return Network(layers, described["activation"], bool(described["skip"]), arrays.get("log_std"))
    inputs = sum(field[1] for field in fields) * frame_stack
    return SetNetwork(layers, choice_columns(fields, choices, frame_stack), inputs, described["activation"])


def _activate(name: str, x: Floats) -> Floats:
    return np.tanh(x) if name == "tanh" else np.maximum(x, 0)


def _check_activation(name: str) -> None:
    if name not in ACTIVATIONS:
        raise AgentError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}.")


def _check_layer(i: int, layer: tuple[Floats, Floats], inputs: int) -> None:
    weight, bias = layer
    if weight.ndim != 2 or weight.shape[1] != inputs or bias.shape != weight.shape[:1]:
        raise AgentError(
            f"layer {i} of the network must take {inputs} numbers, "
            f"its weight has shape {weight.shape} and its bias {bias.shape}."
        )


__all__ = ["ACTIVATIONS", "AnyNetwork", "Network", "SetNetwork", "choice_columns", "pooled", "read_network"]
