"""Checkpoints of RLlib (`algorithm.save_to_path`, or Tune's), read without RLlib and without running what is in them.

A checkpoint is a folder of pickles. Weights are arrays in a dictionary. What they are, the arguments of a module, names
classes of Ray. The unpickler here makes arrays and plain values; for any other class it keeps the arguments and calls
nothing. So a module's code is not there, and only the perceptrons of RLlib's own modules are understood.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import pickletools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.formats import state_dicts
from mmwave_gym.agents.formats.foreign import ForeignPolicy
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core import untrusted

MODULES = "learner_group/learner/rl_module"
WEIGHTS, ARGUMENTS = "module_state.pkl", "class_and_ctor_args.pkl"
MOST_OPERATIONS = 200_000
"""Of a pickle: ours; RLlib's have some hundreds."""
ACTORS = (
    ("encoder.actor_encoder.net.mlp", "pi.net.mlp"),  # PPO
    ("encoder.encoder.net.mlp", "pi.net.mlp"),  # PPO with vf_share_layers
    ("pi_encoder.net.mlp", "pi.net.mlp"),  # SAC
    ("encoder.net.mlp", "af.net.mlp"),  # DQN; the advantages of a duelling network rank actions as its values do
)
_MADE = re.compile(  # what pickles of arrays call
    r"numpy\.(ndarray|dtype)|numpy\._?core\.multiarray\.(_reconstruct|scalar)|numpy\._?core\.numeric\._frombuffer"
    r"|collections\.OrderedDict"
)


class Kept:
    """Stands for an object of a class that is not made: its arguments and its state."""

    name = ""

    def __new__(cls, *arguments: Any, **keywords: Any) -> Kept:
        made = super().__new__(cls)
        made.arguments, made.state = (*arguments, *keywords.values()), {}
        return made

    arguments: tuple[Any, ...]
    state: Any

    def __init__(self, *_: Any, **__: Any):
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(self.state, dict):
            self.state[key] = value

    def append(self, value: Any) -> None:
        """Forget the item of a list that is not made."""

    extend = add = append


class _Data(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        return super().find_class(module, name) if _MADE.fullmatch(full) else type("Kept", (Kept,), {"name": full})


def data(raw: bytes) -> Any:
    """What a pickle holds, its classes as `Kept`; nothing in it is run. Raises AgentError."""
    for count, (operation, argument, _) in enumerate(pickletools.genops(raw)):
        place = argument if isinstance(argument, int) and "PUT" in operation.name else 0
        if max(count, place) > MOST_OPERATIONS:
            raise AgentError(f"it has more than {MOST_OPERATIONS:,} operations.")
    return _Data(io.BytesIO(raw)).load()


def load(path: Path, described: dict[str, Any]) -> ForeignPolicy:
    """The agent in a checkpoint's folder, described by `mmwave.json` in it. Raises AgentError."""
    folder = _module(path, described.get("policy"))
    raw = _read(folder / WEIGHTS)
    with untrusted.blaming(folder / WEIGHTS, AgentError, library="pickle"):
        arrays = dict(state_dicts.flat(data(raw)))
    about = _arguments(folder)
    known = {**_told(about, path), **described}
    layers = described.get("layers") or _actor(arrays, path)
    if space := _box(about.get("action_space")):
        arrays = _continuous(arrays, layers[-1], *space, squashed=known["algorithm"] == "SAC", scaled=_scaled(path))
        known.setdefault("output", "squashed" if known["algorithm"] == "SAC" else "mean")

    def find(inputs: int, outputs: int) -> Network:
        return state_dicts.network(arrays, inputs, outputs, str(path), layers, known["activation"])

    return ForeignPolicy(str(path), find, known, hashlib.sha256(raw).hexdigest())


def _module(path: Path, wanted: str | None) -> Path:
    """The folder of the module that acts."""
    here = path / MODULES
    found = {folder.name: folder for folder in sorted(here.glob("*")) if (folder / WEIGHTS).is_file()}
    if wanted is not None and wanted not in found:
        raise AgentError(f"{path} has no policy {wanted!r}; it has {', '.join(found) or 'none'}.")
    if wanted is None and len(found) > 1:
        raise AgentError(
            f"{path} has the policies {', '.join(found)}, and every agent slot is played by one: name it in "
            f'{path}/mmwave.json, {{"policy": "{next(iter(found))}"}}.'
        )
    if not found:
        raise AgentError(
            f"{path} has no weights below {MODULES}: save with algorithm.save_to_path(…), without msgpack."
        )
    return found[wanted] if wanted else next(iter(found.values()))


def _read(file: Path) -> bytes:
    with untrusted.blaming(file, AgentError):
        return untrusted.read_bytes(file)


def _arguments(folder: Path) -> dict[str, Any]:
    """The keywords that a module was made with."""
    with untrusted.blaming(folder / ARGUMENTS, AgentError, library="pickle"):
        found = data(_read(folder / ARGUMENTS))
        _, keywords = found["ctor_args_and_kwargs"]
        return {**keywords, "class": getattr(found["class"], "name", "")}


def _told(about: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What the arguments of a module say for a description."""
    config = about.get("model_config", {})
    config = config if isinstance(config, Mapping) else config.state
    activation = config.get("fcnet_activation", "tanh")  # RLlib's own default
    if config.get("use_lstm"):
        raise AgentError(f"{path} holds an LSTM: export the network as .onnx without one, or write an agent.")
    if config.get("head_fcnet_hiddens") and config.get("head_fcnet_activation", "relu") != activation:
        raise AgentError(f"{path} has two kinds of activations: export the network as .onnx instead.")
    if activation not in ("tanh", "relu"):
        raise AgentError(f"{path} has {activation!r} between its layers: export the network as .onnx instead.")
    kind = re.search(r"algorithms\.(\w+)\.", str(about["class"]))
    bounds = _box(about.get("observation_space"))
    return {
        "activation": activation,
        "normalised": bounds is not None and bool((bounds[0] == -1.0).all() and (bounds[1] == 1.0).all()),
        "library": "RLlib",
        "algorithm": kind[1].upper() if kind else "policy",
    }


def _box(space: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """The bounds of a Box, of the observation in a Dict of observation and mask; None for another space."""
    if not isinstance(space, Kept):
        return None
    state = space.state if isinstance(space.state, Mapping) else {}
    if space.name.endswith(".Dict"):
        inner = state.get("spaces", {})
        return _box(inner.get("observations")) if isinstance(inner, Mapping) else None
    if space.name.endswith(".Box") and all(isinstance(state.get(k), np.ndarray) for k in ("low", "high")):
        return state["low"], state["high"]
    return None


def _actor(arrays: Mapping[str, Any], path: Path) -> list[str]:
    """The names of the parts that act."""
    names = {part.name for part in state_dicts.parts(arrays)}
    for parts in ACTORS:
        if names.issuperset(parts):
            return list(parts)
    raise AgentError(
        f"{path} holds a module that is none of RLlib's own for PPO, SAC and DQN; its layers are "
        f'{", ".join(sorted(names)[:12]) or "none"}. Name those that act in {path}/mmwave.json, {{"layers": [...]}}, '
        "or export it as .onnx."
    )


def _scaled(path: Path) -> bool:
    """Does the algorithm's module act in [-1, 1], for RLlib to spread over the action space? It does by default."""
    with untrusted.blaming(path / ARGUMENTS, AgentError, library="pickle"):
        positional, keywords = data(_read(path / ARGUMENTS))["ctor_args_and_kwargs"]
        config = next((c for c in (*positional, *keywords.values()) if isinstance(c, Kept | Mapping)), {})
        state = config if isinstance(config, Mapping) else config.state
        return bool(state.get("normalize_actions", True)) if isinstance(state, Mapping) else True


def _continuous(
    arrays: Mapping[str, Any], head: str, low: NDArray[Any], high: NDArray[Any], *, squashed: bool, scaled: bool
) -> dict[str, Any]:
    """Named arrays whose last layer gives means alone, without deviations, in the action's own units.

    low, high: the action's bounds (n,). A squashed output is left as it is: its policy spreads it over the bounds.
    """
    last = max(name for name in arrays if name.startswith(f"{head}.") and name.endswith(".weight"))
    weight, bias = (np.asarray(arrays[last.replace("weight", part)]) for part in ("weight", "bias"))
    count = low.size
    weight, bias = weight[:count], bias[:count]
    if scaled and not squashed:
        half = (high - low).ravel() / 2.0
        weight, bias = weight * half[:, None], low.ravel() + (bias + 1.0) * half
    return {**arrays, last: weight.astype(np.float32), last.replace("weight", "bias"): bias.astype(np.float32)}
