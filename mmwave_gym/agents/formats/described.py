"""What a `.json` beside another library's file says of it: all that its weights alone do not tell.

`run/actor.pt` is described by `run/actor.json`, a checkpoint's folder by `mmwave.json` in it. No key is needed by all:

- normalised: were observations scaled to [-1, 1] (`normalise=True`)? false
- frame_stack: how many observations in a row the network reads. 1
- activation: between the linear layers of weights without a graph, "tanh" or "relu".
- output: "logits", "q", "mean" (of a continuous action), "squashed" (before its hyperbolic tangent), or "action".
- policy: which of the policies of a checkpoint of RLlib, where it has several.
- layers: the names of the weights' modules in their order, where they cannot be told from others.
- env_id, kwargs, fields, action: what it was trained on; an environment that differs is refused.
- library, algorithm, label, seed, steps, command, results, training: for rows and pages.

`describe` writes one, `trained_on` gives the `training` of a script that trained by itself.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwave_gym.agents.networks import ACTIVATIONS
from mmwave_gym.agents.policy import action_metadata, field_metadata
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core import untrusted
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.files import plain, write
from mmwave_gym.core.registration import make_registered

OUTPUTS = ("logits", "q", "mean", "squashed", "action")
IN_A_FOLDER = "mmwave.json"
LARGEST_STACK, MOST_LAYERS = 1_000, 100
_TEXTS = ("activation", "output", "env_id", "library", "algorithm", "label", "command", "policy")
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(_TEXTS, (str, "a text")),
    "normalised": (bool, "true or false"),
    "frame_stack": (int, "a whole number"),
    "layers": (list, "a list of names"),
    "fields": (list, "a list of fields"),
    **dict.fromkeys(("kwargs", "action", "training"), (dict, "an object")),
}


def place_of(path: Path) -> Path:
    """Where the description of a file or a folder is."""
    return path / IN_A_FOLDER if path.is_dir() else path.with_suffix(".json")


def description_of(path: Path) -> dict[str, Any]:
    """What the `.json` beside a file says, {} where there is none. Raises AgentError where it says it wrongly."""
    place = place_of(path)
    if not place.exists():
        return {}
    with untrusted.blaming(place, AgentError):
        return checked(untrusted.json_value(untrusted.read_bytes(place)))


def checked(found: Any) -> dict[str, Any]:
    """A description whose values are of their kinds. Raises AgentError."""
    if not isinstance(found, dict):
        raise AgentError(f"it must hold an object, got {type(found).__name__}.")
    for name, (kind, words) in _KINDS.items():
        value = found.get(name)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            raise AgentError(f"{name} must be {words}, got {str(value)[:50]!r}.")
    for name, known in (("activation", ACTIVATIONS), ("output", OUTPUTS)):
        if name in found and found[name] not in known:
            raise AgentError(unknown(name, str(found[name])[:50], known))
    if not 1 <= found.get("frame_stack", 1) <= LARGEST_STACK:
        raise AgentError(f"frame_stack must be from 1 to {LARGEST_STACK}, got {found['frame_stack']}.")
    layers = found.get("layers", [])
    if len(layers) > MOST_LAYERS or not all(isinstance(name, str) for name in layers):
        raise AgentError(f"layers must be at most {MOST_LAYERS} names, got {str(layers)[:50]}.")
    return found


def describe(
    path: str | Path, env_id: str, kwargs: Mapping[str, Any] | None = None, *, normalised: bool = False, **said: Any
) -> Path:
    """Write the description of an agent that another library saved in `path`, and return where it is.

    env_id, kwargs: the environment that it was trained in. normalised: was that one made with normalise=True? said:
    other keys of this module's list, such as activation="tanh", algorithm="PPO", library="CleanRL", seed=0.
    Raises AgentError for a wrong value, ValueError or TypeError for a wrong environment.
    """
    scenario = make_registered(env_id, **(kwargs or {}))
    about = {
        "env_id": env_id,
        "kwargs": dict(kwargs or {}),
        "normalised": normalised,
        "fields": field_metadata(scenario.fields),
        "action": action_metadata(scenario.action_space),
        **said,
    }
    place = place_of(Path(path))
    text = json.dumps(about, indent=1, default=plain)
    with untrusted.blaming(place, AgentError):
        checked(json.loads(text))
    write(place, text + "\n")
    return place


def trained_on(task: str) -> dict[str, Any]:
    """The `training` of an agent that this process trained, by rewards alone, in the world of a task.

    Its processor time in seconds is that of the process until now.
    """
    spent = round(time.process_time(), 1)
    return {"processor_s": spent, "trained_on": task, "teacher": "", "oracle_regrets": False}
