"""The networks that policies are made of, run by NumPy alone in float32 as torch computes them.

`Network` is a multi-layer perceptron. `SetNetwork` scores every choice with the same weights, so it does not matter
in which order choices come, and there may be any number of them. Both are trained by `mmwave_gym.api.sb3_networks`.
`LstmNetwork` remembers: a linear encoding, one LSTM layer, and linear heads for actor and critic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.core.types import Float32Array

ACTIVATIONS = ("tanh", "relu")

Layers = tuple[tuple[Float32Array, Float32Array], ...]
"""(weight (out, in), bias (out,)) of each layer, first layer first."""


@dataclass(frozen=True)
class Network:
    """A multi-layer perceptron. With `skip`, the last layer sees the input beside the last hidden layer."""

    layers: Layers
    activation: str = "tanh"
    skip: bool = False
    log_std: Float32Array | None = None  # of the action, where it is continuous
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

    def __call__(self, x: Float32Array, mask: NDArray[np.bool_] | None = None) -> Float32Array:
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

    With `marks`, where in the input the mark of each choice is, a choice's features are joined by how they differ from
    those of the choice with the largest mark (the serving cell), and the last layer sees all of these features too.
    """

    layers: Layers
    columns: NDArray[np.intp]
    inputs: int
    activation: str = "tanh"
    marks: NDArray[np.intp] | None = None  # (choices,)
    log_std = None
    symmetric = True  # choices that look the same get the same output

    def __post_init__(self) -> None:
        _check_activation(self.activation)
        width = features = self.columns.shape[1] * (1 if self.marks is None else 2)
        for i, layer in enumerate(self.layers):
            last = i == len(self.layers) - 1
            _check_layer(i, layer, width + (0 if self.marks is None else features) if last else 3 * width)
            width = len(layer[1])
        if width != 1:
            raise AgentError(f"a network over choices ends in one number a choice, got {width}.")

    @property
    def outputs(self) -> int:
        return len(self.columns)

    def describe(self) -> dict[str, Any]:
        widths = [len(bias) for _, bias in self.layers[:-1]]
        relative = {} if self.marks is None else {"relative": True}
        return {"over": "choices", "hidden": widths, "activation": self.activation, **relative}

    def __call__(self, x: Float32Array, mask: NDArray[np.bool_] | None = None) -> Float32Array:
        """(rows, inputs) to (rows, choices); mask (rows, choices): which are allowed, at least one a row."""
        hidden = x[:, self.columns]  # (rows, choices, features)
        if self.marks is not None:
            marked = hidden[np.arange(len(x)), x[:, self.marks].argmax(axis=1)]
            hidden = np.concatenate((hidden, hidden - marked[:, None]), axis=2)
        features = hidden
        for weight, bias in self.layers[:-1]:
            own, mean, largest = np.split(weight, 3, axis=1)
            seen, most = pooled(hidden, mask)
            common = seen @ mean.T + most @ largest.T + bias
            hidden = _activate(self.activation, hidden @ own.T + common[:, None])
        weight, bias = self.layers[-1]
        if self.marks is not None:
            hidden = np.concatenate((hidden, features), axis=2)
        return (hidden @ weight.T + bias)[..., 0]


class LstmStep(NamedTuple):
    """One step of an LSTM for every row; gradients need all of it."""

    encoded: Any  # (rows, encoder)
    gates: Any  # (4, rows, units): forget, input, cell, output, after their squashing
    cell: Any  # (rows, units)
    hidden: Any  # (rows, units)


def lstm_step(encoder: tuple[Any, Any], gate: tuple[Any, Any], x: Any, hidden: Any, cell: Any) -> LstmStep:
    """x (rows, inputs) through a linear encoding and an LSTM layer (Hochreiter and Schmidhuber with forget gates).

    Weights are (out, in), or (rows, out, in) where every row has its own; biases (out,) or (rows, out). The gates'
    outputs are stacked as forget, input, cell, output and see the encoding, then the last hidden values.
    """
    encoded = _linear(encoder, x)
    f, i, g, o = np.split(_linear(gate, np.concatenate((encoded, hidden), axis=-1)), 4, axis=-1)
    gates = np.stack((_sigmoid(f), _sigmoid(i), np.tanh(g), _sigmoid(o)))
    cell = gates[0] * cell + gates[1] * gates[2]
    return LstmStep(encoded, gates, cell, gates[3] * np.tanh(cell))


@dataclass(frozen=True)
class LstmNetwork:
    """Linear encoding, LSTM, and linear heads of the actor and the critic on its hidden values.

    `layers`: encoder (encoder, inputs), gates (4 * units, encoder + units) as in `lstm_step`, actor (outputs, units),
    and critic (1, units) where it shares the actor's memory; each with its bias.
    """

    layers: Layers
    log_std = None
    symmetric = False

    def __post_init__(self) -> None:
        if len(self.layers) not in (3, 4):
            raise AgentError(f"an LSTM network has 3 layers, or 4 with a critic, got {len(self.layers)}.")
        encoder, gates, actor, *critic = self.layers
        _check_layer(0, encoder, self.inputs)
        _check_layer(1, gates, len(encoder[1]) + self.units)
        _check_layer(2, actor, self.units)
        for layer in critic:
            _check_layer(3, layer, self.units)
        values = [len(bias) for _, bias in critic]
        if len(gates[1]) != 4 * self.units or values not in ([], [1]):
            raise AgentError(f"4 gates and 1 value are needed, got biases of {len(gates[1])} and {values}.")

    @property
    def inputs(self) -> int:
        return self.layers[0][0].shape[-1]

    @property
    def units(self) -> int:
        return len(self.layers[1][1]) // 4

    @property
    def outputs(self) -> int:
        return len(self.layers[2][1])

    def describe(self) -> dict[str, Any]:
        return {"recurrent": "lstm", "encoder": len(self.layers[0][1]), "units": self.units}

    def start(self, rows: int) -> tuple[Float32Array, Float32Array]:
        """Hidden and cell values (rows, units) when an episode begins."""
        return np.zeros((rows, self.units), np.float32), np.zeros((rows, self.units), np.float32)

    def __call__(self, x: Float32Array, mask: NDArray[np.bool_] | None = None) -> Float32Array:
        """(rows, inputs) to (rows, outputs) where an episode begins; `step` goes on."""
        return self.step(x, self.start(len(x)))[0]

    def step(
        self, x: Float32Array, memory: tuple[Float32Array, Float32Array]
    ) -> tuple[Float32Array, tuple[Float32Array, Float32Array]]:
        """(rows, inputs) to (rows, outputs), and the memory after it."""
        after = lstm_step(self.layers[0], self.layers[1], x, *memory)
        return _linear(self.layers[2], after.hidden), (after.hidden, after.cell)


AnyNetwork = Network | SetNetwork | LstmNetwork


def _linear(layer: tuple[Any, Any], x: Any) -> Any:
    weight, bias = layer
    # A product for every row by itself: a row's result does not depend on how many others there are.
    return np.matmul(weight, x[..., None])[..., 0] + bias


def _sigmoid(x: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def pooled(hidden: Float32Array, mask: NDArray[np.bool_] | None) -> tuple[Float32Array, Float32Array]:
    """Mean and maximum over the choices that a mask (rows, choices) allows.

    hidden (rows, choices, features), to twice (rows, features); none has a unit.
    """
    if mask is None:
        return hidden.mean(axis=1), hidden.max(axis=1)
    allowed = mask[..., None]
    mean = np.where(allowed, hidden, 0.0).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    return mean.astype(np.float32), np.where(allowed, hidden, -np.inf).max(axis=1)


def choice_columns(fields: Iterable[ObservationField], choices: int, frame_stack: int = 1) -> NDArray[np.intp]:
    """Where each choice finds its features among `frame_stack` observations in a row, (choices, features).

    A field with `per="choice"` gives each choice its own number; every choice sees all numbers of the other fields.
    Raises AgentError where no field is about choices, or one has not a number for each of them.
    """
    parts, start, about_choices = [], 0, False
    for field in list(fields) * frame_stack:
        here = np.arange(start, start + field.size)
        if field.per == "choice":
            if field.size != choices:
                raise AgentError(
                    f"the field {field.name!r} has {field.size} numbers, not "
                    f"a number for each of the {choices} choices."
                )
            parts.append(here[:, None])
            about_choices = True
        else:
            parts.append(np.broadcast_to(here, (choices, field.size)))
        start += field.size
    if not about_choices:
        raise AgentError(
            f"a network over choices needs a field with a number for each of the {choices} choices, declared by "
            'ObservationField(…, per="choice").'
        )
    return np.concatenate(parts, axis=1)


def mark_columns(
    fields: Iterable[ObservationField], choices: int, frame_stack: int = 1, name: str = "serving"
) -> NDArray[np.intp]:
    """Where the newest of `frame_stack` observations marks each choice, (choices,). AgentError where none does."""
    known = list(fields)
    total, start = sum(field.size for field in known), 0
    for field in known:
        if (field.name, field.per, field.size) == (name, "choice", choices):
            return np.arange(start, start + field.size) + (frame_stack - 1) * total
        start += field.size
    raise AgentError(f"a relative network needs a field {name!r} with a number for each of the {choices} choices.")


def read_network(
    described: Mapping[str, Any],
    arrays: Mapping[str, Float32Array],
    fields: ObservationFields,
    choices: int,
    frame_stack: int,
) -> AnyNetwork:
    """The network that a file describes.

    described: what `describe` of the network returned. arrays: float32, for layer i the weight "i.w" (out, in) and the
    bias "i.b" (out,); "log_std" (outputs,) where the action is continuous. Raises AgentError, KeyError, TypeError or
    ValueError where description, arrays and `fields` do not fit together.
    """
    if "recurrent" in described:
        if described["recurrent"] != "lstm":
            raise AgentError(f"this network remembers by {described['recurrent']!r}; this version knows 'lstm'.")
        count = 4 if "3.w" in arrays else 3
        return LstmNetwork(tuple((arrays[f"{i}.w"], arrays[f"{i}.b"]) for i in range(count)))
    over_choices = "over" in described
    if over_choices and described["over"] != "choices":
        raise AgentError(f"this network is over {described['over']!r}; this version knows those over 'choices'.")
    count = len(described["hidden"]) + 1 if over_choices else len(described["sizes"]) - 1
    layers = tuple((arrays[f"{i}.w"], arrays[f"{i}.b"]) for i in range(count))
    if not over_choices:
        return Network(layers, described["activation"], bool(described["skip"]), arrays.get("log_std"))
    inputs = fields.size * frame_stack
    marks = mark_columns(fields, choices, frame_stack) if described.get("relative") else None
    return SetNetwork(layers, choice_columns(fields, choices, frame_stack), inputs, described["activation"], marks)


def _activate(name: str, x: Float32Array) -> Float32Array:
    return np.tanh(x) if name == "tanh" else np.maximum(x, 0)


def _check_activation(name: str) -> None:
    if name not in ACTIVATIONS:
        raise AgentError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {name!r}.")


def _check_layer(i: int, layer: tuple[Float32Array, Float32Array], inputs: int) -> None:
    weight, bias = layer
    if weight.ndim != 2 or weight.shape[1] != inputs or bias.shape != weight.shape[:1]:
        raise AgentError(
            f"layer {i} of the network must take {inputs} numbers, "
            f"its weight has shape {weight.shape} and its bias {bias.shape}."
        )


__all__ = [
    "ACTIVATIONS", "AnyNetwork", "LstmNetwork", "LstmStep", "Network", "SetNetwork", "choice_columns", "lstm_step",
    "mark_columns", "pooled", "read_network",
]  # fmt: skip
