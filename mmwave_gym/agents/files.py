"""Trained policies as files: a small network in `.npz` without pickles, and what it is in a `.json` beside it.

`.zip` archives of Stable-Baselines3 are read too, but only where a path names one: **they hold pickles, and unpickling
runs whatever code its author put in. Load an archive only if you trust who made it.**
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.networks import AnyNetwork, SetNetwork, choice_columns, mark_columns, read_network
from mmwave_gym.agents.policy import (
    Frames,
    Policy,
    PolicyMemory,
    check_fits,
    config_of,
    field_metadata,
    fields_of,
    outputs_of,
    training_of,
)
from mmwave_gym.agents.protocol import AgentError, RowRng, UnknownAgent
from mmwave_gym.agents.registry import policy_class
from mmwave_gym.core import rooms
from mmwave_gym.core.batch import View
from mmwave_gym.core.files import write
from mmwave_gym.core.scenario import ObservationFields
from mmwave_gym.core.types import Float32Array
from mmwave_gym.version import __version__

FORMAT, SQUASHED_FORMAT = 1, 2
"""Versions of the files. It goes up when an old reader would misread a new file: 2 has squashed outputs."""

_LARGEST_BYTES = 256 * 2**20  # of the unpacked arrays: a file from elsewhere must not fill the memory


def save_policy(path: str | Path, network: AnyNetwork, fields: ObservationFields, metadata: Mapping[str, Any]) -> Path:
    """Write `path` (.npz: weights) and the .json beside it (what they are), each at once or not at all.

    Keys of `metadata`:

    - needed: env_id, kwargs, algorithm, action (`action_metadata`), normalised, frame_stack, and output, one of
      "logits", "q", "mean" and "squashed" (a mean before its hyperbolic tangent).
    - wanted: command, seed, steps, results.
    - optional: sampled (true: the policy draws its actions even where others would not), training (`training_of`).
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


def load_policy(path: str | Path) -> Policy | ArchivePolicy:
    """The agent saved in `path`: `.npz` with its `.json` beside it (either may be named), or an SB3 `.zip`.

    An archive may have a `.json` of the same name, as the training scripts write it: whether observations were
    normalised, how many frames were stacked, for which fields. Without one, raw single observations are assumed.
    **A .zip holds pickles, which can run any code when they are read: load only what you trust.**
    Raises AgentError.
    """
    path = Path(path)
    if path.suffix == ".zip":
        return _load_archive(path)
    if path.suffix not in (".npz", ".json"):
        raise AgentError(f"a policy is a .npz, .json or .zip file, got {path}.")
    weights = path.with_suffix(".npz")
    return read_policy(_bytes(weights), _bytes(path.with_suffix(".json")), str(weights))


def read_policy(weights: bytes, metadata_text: bytes, name: str, kind: type[Policy] | None = None) -> Policy:
    """The policy of a .npz and a .json that are in memory already; `name` is used in errors (AgentError).

    kind: the class of agent, by default the one that the metadata ask for.
    """
    metadata = _metadata(metadata_text, name)
    _complete(metadata, name)
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
        raise AgentError(f"{name}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AgentError(f"{name} and its .json do not fit together: {type(error).__name__} {error}.") from error


def kind_of(metadata: Mapping[str, Any]) -> type[Policy]:
    """The class of the agent that metadata describe, or that of the installed agent that they name."""
    if agent := metadata.get("agent"):
        return policy_class(str(agent))
    room = next((r for r in rooms.rooms().values() if any(e.id == metadata["env_id"] for e in r.entries)), None)
    policies = room and room.load("policies")
    return (policies and policies(metadata)) or Policy


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        other = path.with_suffix(".json" if path.suffix == ".npz" else ".npz").name
        raise UnknownAgent(f"there is no file {path}; a policy is two files, {path.name} and {other}.") from None
    except OSError as error:
        raise AgentError(f"cannot read {path}: {error.strerror}.") from error


def _metadata(text: bytes, name: str) -> dict[str, Any]:
    try:
        metadata = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AgentError(f"the .json of {name} is not JSON: {error}.") from None
    if not isinstance(metadata, dict):
        raise AgentError(f"the .json of {name} must hold an object, got {type(metadata).__name__}.")
    if metadata.get("format") not in (FORMAT, SQUASHED_FORMAT):
        raise AgentError(
            f"{name} has format {metadata.get('format')!r}, this version of mmwave-gym reads {FORMAT} and "
            f"{SQUASHED_FORMAT}: "
            "train it again or install the version named in its .json."
        )
    return metadata


_NEEDED = ("env_id", "kwargs", "algorithm", "action", "output", "normalised", "frame_stack", "fields", "network")


def _complete(metadata: Mapping[str, Any], name: Any) -> None:
    if missing := [key for key in _NEEDED if key not in metadata]:
        raise AgentError(f"the .json of {name} lacks {', '.join(missing)}.")


def _arrays(weights: bytes, name: str) -> dict[str, Float32Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(weights)) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > _LARGEST_BYTES:
            raise AgentError(f"{name} would unpack to {size / 2**20:.0f} MiB; at most 256 MiB are read.")
        with np.load(io.BytesIO(weights), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, zlib.error) as error:
        if isinstance(error, AgentError):
            raise
        raise AgentError(f"{name} is not a readable .npz file: {error}.") from None
    for key, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise AgentError(f"{name}: {key} must be finite float32 numbers, its dtype is {array.dtype}.")
    return arrays


_ARCHIVES: tuple[tuple[str, str, str], ...] = (  # (a key in the archive's data, module, class), first match wins
    ("target_entropy", "stable_baselines3", "SAC"),
    ("policy_delay", "stable_baselines3", "TD3"),
    ("exploration_rate", "stable_baselines3", "DQN"),
    ("clip_range", "stable_baselines3", "PPO"),
    ("vf_coef", "stable_baselines3", "A2C"),
)


def _load_archive(path: Path) -> ArchivePolicy:
    raw = _bytes_of_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            data = json.loads(archive.read("data"))
    except (zipfile.BadZipFile, KeyError, ValueError, zlib.error, OSError):
        raise AgentError(f"{path} is not a Stable-Baselines3 archive, or it is damaged.") from None
    module, algorithm = next(((m, a) for key, m, a in _ARCHIVES if key in data), ("", ""))
    if "sb3_contrib" in str(data.get("policy_class")) or "maskable" in str(data.get("policy_class")).lower():
        recurrent = "recurrent" in str(data.get("policy_class")).lower()
        module, algorithm = "sb3_contrib", "RecurrentPPO" if recurrent else "MaskablePPO"
    if not algorithm:
        raise AgentError(f"{path} holds an algorithm that is not known here: export its network with save_policy.")
    try:
        loader = getattr(__import__(module), algorithm)
    except ImportError:
        raise AgentError(f"{path} needs Stable-Baselines3: pip install 'mmwave-gym[train]'.") from None
    metadata: dict[str, Any] = {"algorithm": algorithm, "normalised": False, "frame_stack": 1}
    side = path.with_suffix(".json")
    if side.exists():
        metadata |= _metadata(_bytes(side), str(path))
    try:
        model = loader.load(path, device="cpu")
    except Exception as error:  # unpickling may raise anything
        raise AgentError(f"{path} cannot be loaded as {algorithm}: {type(error).__name__} {error}.") from error
    return ArchivePolicy(model, metadata, hashlib.sha256(raw).hexdigest())


def _bytes_of_archive(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UnknownAgent(f"there is no file {path}.") from None
    except OSError as error:
        raise AgentError(f"cannot read {path}: {error.strerror}.") from error


class ArchivePolicy:
    """An agent made of a Stable-Baselines3 model; see `load_policy` on why an archive must be trusted."""

    access = "local"
    kind = "learned"

    def __init__(self, model: Any, metadata: Mapping[str, Any], sha256: str):
        self.model = model
        self.metadata = dict(metadata)
        self.label = str(metadata.get("label") or metadata["algorithm"])
        self.weights_sha256 = sha256
        self.config = config_of(metadata)
        self.training = training_of(metadata)

    def begin(self, view: View, rng: RowRng) -> PolicyMemory:
        """Fresh memory for `view.num_rows` rows. Raises AgentError where the model reads other observations."""
        if self.metadata.get("fields"):
            check_fits(self.metadata, view)
        expected = (view.fields.size * int(self.metadata["frame_stack"]),)
        if tuple(self.model.observation_space.shape) != expected:
            raise AgentError(
                f"this archive reads observations of shape {self.model.observation_space.shape}, here they are "
                f"{expected}: another environment, or frames stacked in training without a .json that says so."
            )
        return PolicyMemory(np.zeros((view.num_rows, *expected), np.float32), rng, view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows, …) of the model for observations (rows, features) in their units, and the new memory.

        episode_start: (rows,), see `Agent.predict`. Raises AgentError where `begin` is needed and was not called, or
        observations have another number of features or rows.
        """
        if state is None and "fields" not in self.metadata:
            raise AgentError("begin(view, rng) must be called first: what is observed is unknown.")
        fields = fields_of(self.metadata) if "fields" in self.metadata else state.view.fields
        frames = Frames(fields, bool(self.metadata["normalised"]), int(self.metadata["frame_stack"]))
        memory = frames.remember(np.asarray(observation), state, episode_start)
        keywords: dict[str, Any] = {}
        mask = None if memory.view is None else memory.view.action_mask()
        if mask is not None and "Maskable" in type(self.model).__name__:
            keywords["action_masks"] = mask
        if hasattr(self.model.policy, "lstm_actor"):
            keywords["state"], keywords["episode_start"] = memory.recurrent, episode_start
        action, memory.recurrent = self.model.predict(memory.frames, deterministic=deterministic, **keywords)
        return action, memory
