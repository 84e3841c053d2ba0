"""Trained policies as files: a small network in `.npz` without pickles, and what it is in a `.json` beside it.

`.zip` archives of Stable-Baselines3 are read too, but only where a path names one: **they hold pickles, and unpickling
runs whatever code its author put in. Load an archive only if you trust who made it.**
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.agents.archives import load_archive
from mmwave_gym.agents.formats import load as load_foreign
from mmwave_gym.agents.formats.described import description_of
from mmwave_gym.agents.networks import AnyNetwork, SetNetwork, choice_columns, mark_columns, read_network
from mmwave_gym.agents.policy import Policy, field_metadata, fields_of, outputs_of
from mmwave_gym.agents.protocol import AgentError, UnknownAgent
from mmwave_gym.agents.registry import policy_class
from mmwave_gym.core import rooms, untrusted
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.files import write
from mmwave_gym.core.scenario import ObservationFields
from mmwave_gym.core.types import Float32Array
from mmwave_gym.version import __version__

FORMAT, SQUASHED_FORMAT = 1, 2
"""Versions of the files. It goes up when an old reader would misread a new file: 2 has squashed outputs."""

LARGEST_FIELD = 100_000  # numbers of a field, and choices: ours, of the largest city's sites 4,096
LARGEST_STACK = 1_000
LONGEST_ERROR = 1_000  # characters: it may quote a list of the file
LARGEST_OBSERVATION = 10_000_000  # numbers in all stacked frames
OUTPUTS = ("logits", "q", "mean", "squashed")


def save_policy(path: str | Path, network: AnyNetwork, fields: ObservationFields, metadata: Mapping[str, Any]) -> Path:
    """Write `path` (.npz: weights) and the .json beside it (what they are), each at once or not at all.

    Keys of `metadata`:

    - needed: env_id, kwargs, algorithm, action (`action_metadata`), normalised, frame_stack, and output, one of
      "logits", "q", "mean" and "squashed" (a mean before its hyperbolic tangent).
    - wanted: command, seed, steps, results.
    - optional: sampled (true: the policy draws its actions even where others would not), training (`training_of`),
      curve (how it scored as it learned, see `mmwave_gym.benchmark.leaderboard.curves`).
    - filled in here: format, package_version, fields, network, sha256.

    Returns the path of the weights. Raises AgentError where a key is missing, or where a network over choices reads
    its inputs otherwise than `fields` declare.
    """
    path = Path(path).with_suffix(".npz")
    arrays = {f"{i}.{part}": a for i, layer in enumerate(network.layers) for part, a in zip("wb", layer, strict=True)}
    if network.log_std is not None:
        arrays["log_std"] = network.log_std
    full = {
        "format": SQUASHED_FORMAT if metadata.get("output") == "squashed" else FORMAT,
        "package_version": __version__,
        **metadata,
        "fields": field_metadata(fields),
        "network": network.describe(),
    }
    full.pop("sha256", None)
    _complete(full, path)
    if isinstance(network, SetNetwork):
        _check_columns(network, fields, int(full["frame_stack"]))
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    full["sha256"] = hashlib.sha256(buffer.getvalue()).hexdigest()
    text = json.dumps(full, indent=1) + "\n"  # before the first file is written
    write(path, buffer.getvalue())
    write(path.with_suffix(".json"), text)
    return path


def _check_columns(network: SetNetwork, fields: ObservationFields, frame_stack: int) -> None:
    """AgentError where a network over choices reads its inputs otherwise than `fields` declare."""
    if not np.array_equal(network.columns, choice_columns(fields, network.outputs, frame_stack)):
        raise AgentError("the network's columns are not those of fields that declare a number for each choice.")
    if network.marks is not None and not np.array_equal(
        network.marks, mark_columns(fields, network.outputs, frame_stack)
    ):
        raise AgentError("the network's marks are not those of the field 'serving'.")


def load_policy(path: str | Path) -> Any:
    """The agent saved in `path`: `.npz` with its `.json` beside it (either may be named), an SB3 `.zip`, or a file or
    folder of another library, see `mmwave_gym.agents.formats`.

    An archive may have a `.json` of the same name, as the training scripts write it: whether observations were
    normalised, how many frames were stacked, for which fields. Without one, raw single observations are assumed.
    **A .zip holds pickles, which can run any code when they are read: load only what you trust.**
    Raises AgentError.
    """
    path = Path(path)
    if path.suffix not in (".zip", ".npz", ".json"):
        return load_foreign(path, description_of(path))
    if path.suffix == ".zip":
        side = path.with_suffix(".json")
        return load_archive(path, _metadata(_bytes(side), str(side)) if side.exists() else {})
    weights = path.with_suffix(".npz")
    return read_policy(_bytes(weights), _bytes(path.with_suffix(".json")), str(weights))


def read_policy(weights: bytes, metadata_text: bytes, name: str, kind: type[Policy] | None = None) -> Policy:
    """The policy of a .npz and a .json that are in memory already; `name` is used in errors (AgentError).

    kind: the class of agent, by default the one that the metadata ask for.
    """
    described = str(Path(name).with_suffix(".json"))
    metadata = _metadata(metadata_text, described)
    _complete(metadata, described)
    sha256 = hashlib.sha256(weights).hexdigest()
    if metadata.get("sha256") != sha256:
        raise AgentError(
            f"{name} is damaged or not the file that its .json describes: sha256 {sha256[:12]}…, "
            f"expected {str(metadata.get('sha256'))[:12]}…. Save it again, or fetch both files again."
        )
    arrays = _arrays(weights, name)
    try:
        outputs, frame_stack = outputs_of(metadata["action"]), int(metadata["frame_stack"])
        network = read_network(metadata["network"], arrays, fields_of(metadata), outputs, frame_stack)
        return (kind or kind_of(metadata))(network, metadata)
    except AgentError as error:
        raise AgentError(f"{name}: {str(error)[:LONGEST_ERROR]}") from None
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, MemoryError) as error:
        raise AgentError(f"{name} and its .json do not fit together: {type(error).__name__} {error}.") from error


def kind_of(metadata: Mapping[str, Any]) -> type[Policy]:
    """The class of the agent that metadata describe, or that of the installed agent that they name."""
    if agent := metadata.get("agent"):
        return policy_class(str(agent))
    room = next((r for r in rooms.rooms().values() if any(e.id == metadata["env_id"] for e in r.entries)), None)
    policies = room and room.load("policies")
    return (policies and policies(metadata)) or Policy


def _bytes(path: Path) -> bytes:
    if not path.exists():
        other = path.with_suffix(".json" if path.suffix == ".npz" else ".npz").name
        raise UnknownAgent(f"there is no file {path}; a policy is two files, {path.name} and {other}.")
    with untrusted.blaming(path, AgentError):
        return untrusted.read_bytes(path)


def _metadata(text: bytes, name: str) -> dict[str, Any]:
    """The object in a policy's .json, whose file is `name`. Raises AgentError where it is none or of another format."""
    with untrusted.blaming(name, AgentError):
        metadata = untrusted.json_value(text)
        if not isinstance(metadata, dict):
            raise AgentError(f"{name} must hold an object, got {type(metadata).__name__}.")
    if metadata.get("format") not in (FORMAT, SQUASHED_FORMAT):
        raise AgentError(
            f"{name} has format {metadata.get('format')!r}, this version of mmwave-gym reads {FORMAT} and "
            f"{SQUASHED_FORMAT}: "
            "train it again or install the version named in it."
        )
    for what in ("normalised", "sampled"):
        if not isinstance(metadata.get(what, False), bool):
            raise AgentError(f"{name}: {what} must be true or false, got {str(metadata[what])[:50]!r}.")
    return metadata


_NEEDED = ("env_id", "kwargs", "algorithm", "action", "output", "normalised", "frame_stack", "fields", "network")


def _complete(metadata: Mapping[str, Any], name: Any) -> None:
    if missing := [key for key in _NEEDED if key not in metadata]:
        raise AgentError(f"{name} lacks {', '.join(missing)}.")
    _check_kinds(metadata, name)


def _check_kinds(metadata: Mapping[str, Any], name: Any) -> None:
    """What is read later: words, marks, counts that are whole, small numbers, and fields that are lists of them."""
    whole = {"frame_stack": (metadata["frame_stack"], LARGEST_STACK)}
    fields, action = metadata["fields"], metadata["action"]
    if not isinstance(fields, list | tuple) or not fields:
        raise AgentError(f"{name}: fields must be a list, got {str(fields)[:100]!r}.")
    for field in fields:
        if not isinstance(field, list | tuple) or not 4 <= len(field) <= 6 or not isinstance(field[0], str):
            raise AgentError(f"{name}: a field is [name, size, low, high, …], got {str(field)[:100]!r}.")
        whole[f"the size of the field {field[0][:50]!r}"] = (field[1], LARGEST_FIELD)
        if not all(isinstance(bound, int | float) and abs(bound) < 1e300 for bound in field[2:4]):
            raise AgentError(f"{name}: the bounds of the field {field[0][:50]!r} must be numbers, got {field[2:4]}.")
    if not isinstance(action, dict) or action.get("kind") not in ("discrete", "multidiscrete", "box"):
        raise AgentError(
            f"{name}: action must have a kind (discrete, multidiscrete or box), got {str(action)[:100]!r}."
        )
    if action["kind"] == "discrete":
        whole["the action's n"] = (action.get("n"), LARGEST_FIELD)
    if metadata["output"] not in OUTPUTS:
        raise AgentError(f"{name}: {unknown('output', str(metadata['output'])[:50], OUTPUTS)}")
    for what in ("env_id", "algorithm"):
        if not isinstance(metadata[what], str):
            raise AgentError(f"{name}: {what} must be a text, got {str(metadata[what])[:50]!r}.")
    for what in ("network", "kwargs"):
        if not isinstance(metadata[what], dict):
            raise AgentError(f"{name}: {what} must be an object, got {str(metadata[what])[:100]!r}.")
    for what, (value, most) in whole.items():
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise AgentError(f"{name}: {what} must be a whole number from 1 to {most:,}, got {str(value)[:50]}.")
    size = metadata["frame_stack"] * sum(field[1] for field in fields)
    if size > LARGEST_OBSERVATION:
        raise AgentError(f"{name}: an observation may have {LARGEST_OBSERVATION:,} numbers, this one has {size:,}.")


def _arrays(weights: bytes, name: str) -> dict[str, Float32Array]:
    with untrusted.blaming(name, AgentError):
        arrays = untrusted.load_npz(weights)
    for key, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise AgentError(f"{name}: {key} must be finite float32 numbers, its dtype is {array.dtype}.")
    return arrays
