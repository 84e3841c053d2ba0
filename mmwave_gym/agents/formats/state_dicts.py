"""Named weights, as torch modules save them, as the perceptron among them that acts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mmwave_gym.agents.formats.foreign import mlp
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core.types import Float32Array

MOST_TENSORS, MOST_DEPTH = 10_000, 16
STAND_INS = re.compile(r"(^|[._])(old|target|lagged)|_(old|target|lagged)([._]|$)", re.IGNORECASE)
"""Networks that learning compares with, and that do not act."""
CRITICS = re.compile(r"(^|[._])(critics?|values?|vf|v_head|baseline)\d*([._]|$)", re.IGNORECASE)


class Part(NamedTuple):
    """Linear layers that follow each other below one name."""

    name: str
    layers: tuple[tuple[Float32Array, Float32Array], ...]

    @property
    def shape(self) -> tuple[int, int]:
        """How many numbers go in and come out."""
        return self.layers[0][0].shape[1], len(self.layers[-1][1])


def flat(nested: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The values of dictionaries in dictionaries, each with its names joined by dots. AgentError: nests too deeply."""
    if not isinstance(nested, Mapping):
        yield name, nested
        return
    if depth > MOST_DEPTH:
        raise AgentError(f"its dictionaries nest more than {MOST_DEPTH} deep.")
    for key, value in nested.items():
        yield from flat(value, f"{name}.{key}" if name else str(key), depth + 1)


def parts(arrays: Mapping[str, Any]) -> list[Part]:
    """The perceptrons among named arrays: what has a weight (out, in) and a bias (out,) and fits what comes next.

    arrays: by name, such as "actor.0.weight", of any shapes. A chain ends where names leave their module.
    """
    found: list[Part] = []
    for name in arrays:
        if not name.endswith(".weight") or np.ndim(weight := arrays[name]) != 2:
            continue
        module = name.removesuffix(".weight")
        bias = arrays.get(f"{module}.bias", np.zeros(len(weight), np.float32))
        if np.shape(bias) != (len(weight),):
            continue
        layer, home = (_numbers(weight, name), _numbers(bias, module)), _home(module)
        last = found[-1] if found else None
        if last and last.name == home and last.shape[1] == layer[0].shape[1]:
            found[-1] = Part(home, (*last.layers, layer))
        else:
            found.append(Part(home, (layer,)))
    return found


def _home(module: str) -> str:
    """The name of a layer without its number: "net.2" is in "net"; "net.2.linear" too."""
    pieces = module.split(".")
    numbers = [i for i, piece in enumerate(pieces) if piece.isdigit()]
    return ".".join(pieces[: numbers[-1]]) if numbers else ".".join(pieces[:-1])


def _numbers(array: Any, name: str) -> Float32Array:
    numbers = np.asarray(array)
    if numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
        raise AgentError(f"{name} must be finite numbers, its dtype is {numbers.dtype}.")
    return numbers.astype(np.float32)


def network(
    arrays: Mapping[str, Any], inputs: int, outputs: int, name: str, layers: Sequence[str], activation: str | None
) -> Network:
    """The perceptron that acts among named arrays, which reads `inputs` numbers and gives `outputs`.

    layers: the names of its parts in their order; without them the only part that fits is taken. Raises AgentError
    where none fits, several do, or something else than linear layers is among them.
    """
    known = parts(arrays)
    chosen = [_named(wanted, known, arrays, name) for wanted in layers] or _only(known, inputs, outputs, name)
    _refuse_others(arrays, chosen, name)
    whole = [layer for part in chosen for layer in part.layers]
    shape = Part("", tuple(whole)).shape
    if shape != (inputs, outputs):
        raise AgentError(
            f"{name} reads {shape[0]} numbers and gives {shape[1]}; here an observation has {inputs} and an action "
            f"needs {outputs}: it is of another environment, or of other keywords."
        )
    return mlp(whole, activation, name)


def _named(wanted: str, known: Sequence[Part], arrays: Mapping[str, Any], name: str) -> Part:
    """The part of that name, or the one layer that has it."""
    if alone := parts({k: arrays[k] for k in (f"{wanted}.weight", f"{wanted}.bias") if k in arrays}):
        return Part(wanted, alone[0].layers)
    found = [part for part in known if part.name == wanted]
    if len(found) != 1:
        what = "has no linear layers" if not found else "has layers that do not fit each other"
        raise AgentError(f"{name} {what} in {wanted!r}; it has {_listed(known)}.")
    return found[0]


def _only(known: Sequence[Part], inputs: int, outputs: int, name: str) -> list[Part]:
    fitting = [part for part in known if part.shape == (inputs, outputs)]
    acting = [part for part in fitting if not STAND_INS.search(part.name)]
    if len(acting) > 1:  # one action, so a critic fits too
        acting = [part for part in acting if not CRITICS.search(part.name)] or acting
    if len(acting) == 1:
        return acting
    if acting and all(_same(part, acting[0]) for part in acting):
        return acting[:1]  # one network under several names
    if not acting:
        raise AgentError(
            f"{name} has no linear layers that read {inputs} numbers, an observation, and give {outputs}, for an "
            f"action; it has {_listed(known)}. It is of another environment, or name the layers in their order in the "
            '.json beside it: {"layers": ["…", "…"]}.'
        )
    raise AgentError(
        f"{name} has several networks that could act, {_listed(acting)}: name one in the .json beside it, "
        f'{{"layers": ["{acting[0].name}"]}}.'
    )


def _same(a: Part, b: Part) -> bool:
    pairs = zip(a.layers, b.layers, strict=False)
    return len(a.layers) == len(b.layers) and all(
        np.array_equal(x, y) for first, second in pairs for x, y in zip(first, second, strict=True)
    )


def _refuse_others(arrays: Mapping[str, Any], chosen: Sequence[Part], name: str) -> None:
    """AgentError where there is something beside linear layers, such as a normalisation, among the chosen ones."""
    for part in chosen:
        inside = [key for key in arrays if key.startswith(f"{part.name}.") or not part.name]
        held = [k for k in inside if _home(k.rpartition(".")[0]) == part.name and np.ndim(arrays[k]) > 0]
        if others := [k for k in held if np.ndim(arrays[k]) > 2 or not k.endswith((".weight", ".bias"))]:
            raise AgentError(f"{name} has {others[0]}, which is no linear layer: export the network as .onnx instead.")
        count = len([k for k in held if k.endswith(".weight")])
        if held and count != len(part.layers):  # a layer that was named alone holds none
            raise AgentError(
                f"{name} has {count} layers in {part.name!r}, and {len(part.layers)} linear ones that fit each other: "
                "export the network as .onnx instead."
            )


def _listed(known: Sequence[Part]) -> str:
    return ", ".join(f"{p.name or 'the top'} ({p.shape[0]} to {p.shape[1]})" for p in known[:12]) or "none"
