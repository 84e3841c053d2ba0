"""Trained policies as files: a small network in `.npz` without pickles, and what it is in a `.json` beside it.

A policy runs on NumPy alone, so that shipped agents need neither torch nor Stable-Baselines3. `.zip` archives of
Stable-Baselines3 are read too, but only where a path names one: **they hold pickles, and unpickling runs whatever
code its author put in. Load an archive only if you trust who made it.**
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.networks import AnyNetwork, LstmNetwork, Network, SetNetwork, read_network
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.registry import policy_class
from mmwave_gym.core import rooms
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import ObservationFields
from mmwave_gym.core.types import Float32Array

FORMAT, SQUASHED_FORMAT = 1, 2
"""Versions of the files. It goes up when an old reader would misread a new file: 2 has squashed outputs."""

_LARGEST_BYTES = 256 * 2**20  # of the unpacked arrays: a file from elsewhere must not fill the memory

_SAME = 1e-4
"""Outputs this close are equal but for rounding: choices that look the same to a network that tells none apart."""


class Normalisation:
    """Brings observations (..., features) to [-1, 1] by their declared bounds, logarithmic fields as log(1 + x)."""

    def __init__(self, fields: ObservationFields):
        low, high = fields.low.astype(np.float64), fields.high.astype(np.float64)
        self._logarithmic = np.flatnonzero(np.concatenate([np.full(f.size, f.logarithmic) for f in fields]))
        for bound in (low, high):
            bound[self._logarithmic] = np.log1p(bound[self._logarithmic])
        width = high - low
        scale = np.divide(2.0, width, out=np.zeros_like(width), where=width > 0)
        self.scale: Float32Array = scale.astype(np.float32)
        self._offset: Float32Array = (-1.0 - low * scale).astype(np.float32)

    def __call__(self, observation: NDArray[Any]) -> Float32Array:
        """A fresh array."""
        shown = np.array(observation, np.float32)
        if len(self._logarithmic):
            shown[..., self._logarithmic] = np.log1p(shown[..., self._logarithmic])
        shown *= self.scale
        shown += self._offset
        return shown


@dataclass
class _Memory:
    """What a policy remembers: the last frames of every row, oldest first, its chance, and where masks come from."""

    frames: Float32Array
    rng: RowRng | None = None
    view: View | None = None
    recurrent: tuple[Float32Array, Float32Array] | None = None  # hidden and cell values of an LSTM


class Frames:
    """Normalises observations and stacks the last ones, as `make_sb3_vec_env` and SB3's VecFrameStack do."""

    def __init__(self, fields: ObservationFields, normalised: bool, frame_stack: int):
        self.size, self.frame_stack = fields.size, frame_stack
        self._normalise = Normalisation(fields) if normalised else None

    def remember(self, observation: NDArray[Any], memory: Any, episode_start: Any) -> _Memory:
        """The memory after these observations; `memory.frames` is the network's input."""
        rows, size = observation.shape
        if size != self.size:
            raise AgentError(f"the policy reads observations of {self.size} numbers, got {size}.")
        frame = self._normalise(observation) if self._normalise else np.array(observation, np.float32)
        absent = ~observation.any(axis=1)  # an empty place among many agents: training showed zeros for it
        if absent.any() and getattr(getattr(memory, "view", None), "num_agents", 1) > 1:
            frame[absent] = 0.0
        width = size * self.frame_stack
        if memory is None:
            memory = _Memory(np.zeros((rows, width), np.float32))
        if memory.frames.shape != (rows, width):
            raise AgentError(f"the state is that of {len(memory.frames)} rows, got observations of {rows}.")
        frames = np.empty_like(memory.frames)
        frames[:, :-size] = memory.frames[:, size:]
        if episode_start is not None:
            frames[np.asarray(episode_start, bool)] = 0.0
        frames[:, -size:] = frame
        return _Memory(frames, memory.rng, memory.view, memory.recurrent)


class Policy:
    """An agent made of a saved network: the largest allowed output, or one sampled, or a continuous mean.

    `card` is the `.json`, see `save_policy`. A Q-network is always greedy: its outputs are no probabilities. Between
    choices that look the same to a network over choices it draws, as that network did in training: were it always
    the first, agents that share the network would all run to the same place.
    """

    access = "local"
    kind = "learned"

    def __init__(self, network: AnyNetwork, card: Mapping[str, Any]):
        self.network = network
        self.card = dict(card)
        self.label = str(card.get("label") or card["algorithm"])
        self.weights_sha256 = str(card.get("sha256", ""))
        self.config = _config(card)
        self._frames = Frames(_fields(card), bool(card["normalised"]), int(card["frame_stack"]))
        self._action = card["action"]
        self._splits = np.cumsum(self._action.get("nvec", ()))[:-1].astype(int)
        expected = self._frames.size * self._frames.frame_stack
        if network.inputs != expected:
            raise AgentError(f"the network takes {network.inputs} numbers, but its observations are {expected} long.")
        if network.symmetric and self._action["kind"] != "discrete":
            raise AgentError(f"a network over choices makes one choice a step, not {self._action}.")
        if network.outputs != _outputs(self._action):
            raise AgentError(f"the network gives {network.outputs} numbers for the action {self._action}.")

    def begin(self, view: View, rng: RowRng) -> Any:
        """Fresh memory for `view.num_rows` rows. Raises AgentError where the environment is another one."""
        check_fits(self.card, view)
        return self.fresh(view, rng)

    def fresh(self, view: View, rng: RowRng) -> _Memory:
        """Memory before the first observation."""
        width = view.fields.size * self._frames.frame_stack
        return _Memory(np.zeros((view.num_rows, width), np.float32), rng, view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions for raw observations (rows, features) and the new state; also of one row without its axis."""
        observation = np.asarray(observation)
        if observation.ndim == 1:
            action, state = self.predict(observation[None], state, episode_start, deterministic)
            return action[0], state
        deterministic = deterministic and not self.card.get("sampled", False)  # a policy may be meant to draw
        memory = self._frames.remember(observation, state, episode_start)
        if not deterministic and memory.rng is None:
            memory.rng = RowRng.from_seed(0, len(observation))
        mask = None if memory.view is None else memory.view.action_mask()
        output = self._output(memory, episode_start, mask)
        if mask is not None:
            output = np.where(mask, output, -np.inf)
        if self.network.symmetric and deterministic and memory.rng is not None:
            return memory.rng.choice(output >= output.max(axis=1, keepdims=True) - _SAME), memory
        return self._act(output, None if deterministic else memory.rng), memory

    def _output(
        self, memory: _Memory, episode_start: NDArray[np.bool_] | None, mask: NDArray[np.bool_] | None
    ) -> Float32Array:
        """What the network says; one that remembers forgets the rows whose episode starts."""
        if not isinstance(self.network, LstmNetwork):
            return self.network(memory.frames, mask)
        before = memory.recurrent or self.network.start(len(memory.frames))
        if episode_start is not None:
            goes_on = ~np.asarray(episode_start, bool)[:, None]
            before = (before[0] * goes_on, before[1] * goes_on)
        output, memory.recurrent = self.network.step(memory.frames, before)
        return output

    def _act(self, output: Float32Array, rng: RowRng | None) -> NDArray[Any]:
        if self._action["kind"] == "box":
            return self._continuous(output, rng)
        sampled = None if self.card["output"] == "q" else rng
        if self._action["kind"] == "discrete":
            return _choose(output, sampled)
        return np.stack([_choose(part, sampled) for part in np.split(output, self._splits, axis=1)], axis=1)

    def _continuous(self, mean: Float32Array, rng: RowRng | None) -> NDArray[Any]:
        low, high = (np.array(self._action[k], np.float32) for k in ("low", "high"))
        if self.card["output"] == "squashed":
            return (low.ravel() + 0.5 * (np.tanh(mean) + 1.0) * (high - low).ravel()).reshape(-1, *low.shape)
        if rng is not None and self.network.log_std is not None:
            columns = range(mean.shape[1])
            radius = np.stack([np.sqrt(-2.0 * np.log1p(-rng.random())) for _ in columns], axis=1)
            angle = np.stack([2.0 * np.pi * rng.random() for _ in columns], axis=1)  # Box-Muller
            mean = mean + (np.exp(self.network.log_std) * radius * np.cos(angle)).astype(np.float32)
        return np.clip(mean, low.ravel(), high.ravel()).reshape(-1, *low.shape)


class ArchivePolicy:
    """An agent made of a Stable-Baselines3 model; see `load_policy` on why an archive must be trusted."""

    access = "local"
    kind = "learned"

    def __init__(self, model: Any, card: Mapping[str, Any], sha256: str):
        self.model = model
        self.card = dict(card)
        self.label = str(card.get("label") or card["algorithm"])
        self.weights_sha256 = sha256
        self.config = _config(card)

    def begin(self, view: View, rng: RowRng) -> _Memory:
        if self.card.get("fields"):
            check_fits(self.card, view)
        expected = (view.fields.size * int(self.card["frame_stack"]),)
        if tuple(self.model.observation_space.shape) != expected:
            raise AgentError(
                f"this archive reads observations of shape {self.model.observation_space.shape}, here they are "
                f"{expected}: another environment, or frames stacked in training without a .json that says so."
            )
        return _Memory(np.zeros((view.num_rows, *expected), np.float32), rng, view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        if state is None and "fields" not in self.card:
            raise AgentError("begin(view, rng) must be called first: what is observed is unknown.")
        fields = _fields(self.card) if "fields" in self.card else state.view.fields
        frames = Frames(fields, bool(self.card["normalised"]), int(self.card["frame_stack"]))
        memory = frames.remember(np.asarray(observation), state, episode_start)
        keywords: dict[str, Any] = {}
        mask = None if memory.view is None else memory.view.action_mask()
        if mask is not None and "Maskable" in type(self.model).__name__:
            keywords["action_masks"] = mask
        if hasattr(self.model.policy, "lstm_actor"):
            keywords["state"], keywords["episode_start"] = memory.recurrent, episode_start
        action, memory.recurrent = self.model.predict(memory.frames, deterministic=deterministic, **keywords)
        return action, memory


def _choose(logits: Float32Array, rng: RowRng | None) -> NDArray[np.int64]:
    if rng is None:
        return logits.argmax(axis=1)
    weight = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    below = weight.cumsum(axis=1)
    return (below > (rng.random() * below[:, -1])[:, None]).argmax(axis=1)


def action_card(space: spaces.Space[Any]) -> dict[str, Any]:
    """An action space as JSON values."""
    if isinstance(space, spaces.Discrete):
        return {"kind": "discrete", "n": int(space.n)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "multidiscrete", "nvec": [int(n) for n in space.nvec]}
    if isinstance(space, spaces.Box):
        return {"kind": "box", "low": space.low.tolist(), "high": space.high.tolist()}
    raise AgentError(f"policies for {type(space).__name__} actions are not supported.")


def field_card(fields: ObservationFields) -> list[list[Any]]:
    """Observation fields as JSON values: name, size, low, high, and "log" where learners are shown log(1 + x)."""
    return [[f.name, f.size, f.low, f.high, *(["log"] if f.logarithmic else [])] for f in fields]


def check_fits(card: Mapping[str, Any], view: View) -> None:
    """AgentError where a policy was trained for other observations or actions than `view` has."""
    trained = [tuple(f) for f in card["fields"]]
    here = [tuple(f) for f in field_card(view.fields)]
    if trained != here:
        raise AgentError(
            f"this policy was trained on {card['env_id']} {card['kwargs']}, whose observation is "
            f"{_named(trained)}; here it is {_named(here)}."
        )
    if card["action"] != action_card(view.action_space):
        raise AgentError(f"this policy chooses from {card['action']}, here actions are {view.action_space}.")


def _named(fields: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"{name}[{size}] in [{low:g}, {high:g}]" for name, size, low, high, *_ in fields)


def _fields(card: Mapping[str, Any]) -> ObservationFields:
    from mmwave_gym.core.scenario import ObservationField

    return ObservationFields(
        ObservationField(name, size, low, high, "", "", "log" in shown)
        for name, size, low, high, *shown in card["fields"]
    )


def _outputs(action: Mapping[str, Any]) -> int:
    sizes = {"discrete": lambda a: a["n"], "multidiscrete": lambda a: sum(a["nvec"])}
    size = sizes.get(action["kind"], lambda a: np.size(a["low"]))
    return int(size(action))


def _config(card: Mapping[str, Any]) -> dict[str, Any]:
    names = ("algorithm", "env_id", "kwargs", "seed", "steps")
    return {name: card[name] for name in names if name in card}


# ---------------------------------------------------------------------------- files


def save_policy(path: str | Path, network: AnyNetwork, fields: ObservationFields, card: Mapping[str, Any]) -> Path:
    """Write `path` (.npz: weights) and the .json beside it (what they are), each at once or not at all.

    `card` must say: env_id, kwargs, algorithm, action (`action_card`), output ("logits", "q", "mean", or "squashed":
    a mean before its hyperbolic tangent), normalised, frame_stack; may say sampled (true: it draws its actions even
    where others would not); and should say command, seed, steps, results. The rest is filled in: format,
    package_version, fields, network, sha256. Returns the path of the weights.
    """
    from mmwave_gym.version import __version__

    path = Path(path).with_suffix(".npz")
    arrays = {f"{i}.{part}": a for i, layer in enumerate(network.layers) for part, a in zip("wb", layer, strict=True)}
    if network.log_std is not None:
        arrays["log_std"] = network.log_std
    full = {
        "format": SQUASHED_FORMAT if card.get("output") == "squashed" else FORMAT,
        "package_version": __version__,
        **card,
        "fields": field_card(fields),
        "network": network.describe(),
    }
    full.pop("sha256", None)
    _complete(full, path)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    full["sha256"] = hashlib.sha256(part.read_bytes()).hexdigest()
    text = json.dumps(full, indent=1) + "\n"
    os.replace(part, path)
    write_text(path.with_suffix(".json"), text)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file so that a kill leaves the old one or the new one, never half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


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


def read_policy(weights: bytes, card_text: bytes, name: str, kind: type[Policy] | None = None) -> Policy:
    """The policy of a .npz and a .json that are in memory already; `name` is used in errors (AgentError).

    kind: the class of agent, by default the one that the card asks for.
    """
    card = _card(card_text, name)
    _complete(card, name)
    sha256 = hashlib.sha256(weights).hexdigest()
    if card.get("sha256") != sha256:
        raise AgentError(
            f"{name} is damaged or not the file that its .json describes: sha256 {sha256[:12]}…, "
            f"expected {str(card.get('sha256'))[:12]}…. Save it again, or fetch both files again."
        )
    arrays = _arrays(weights, name)
    try:
        outputs, frame_stack = _outputs(card["action"]), int(card["frame_stack"])
        network = read_network(card["network"], arrays, card["fields"], outputs, frame_stack)
        return (kind or kind_of(card))(network, card)
    except AgentError as error:
        raise AgentError(f"{name}: {error}") from None
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise AgentError(f"{name} and its .json do not fit together: {type(error).__name__} {error}.") from error


def kind_of(card: Mapping[str, Any]) -> type[Policy]:
    """The class of the agent that a card describes, or that of the installed agent that it names."""
    if agent := card.get("agent"):
        return policy_class(str(agent))
    room = next((r for r in rooms.rooms().values() if any(e.id == card["env_id"] for e in r.entries)), None)
    policies = room and room.load("policies")
    return (policies and policies(card)) or Policy


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        other = path.with_suffix(".json" if path.suffix == ".npz" else ".npz").name
        raise AgentError(f"there is no file {path}; a policy is two files, {path.name} and {other}.") from None
    except OSError as error:
        raise AgentError(f"cannot read {path}: {error.strerror}.") from error


def _card(text: bytes, name: str) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise AgentError(f"the .json of {name} is not JSON: {error}.") from None
    if not isinstance(card, dict):
        raise AgentError(f"the .json of {name} must hold an object, got {type(card).__name__}.")
    if card.get("format") not in (FORMAT, SQUASHED_FORMAT):
        raise AgentError(
            f"{name} has format {card.get('format')!r}, this version of mmwave-gym reads {FORMAT} and "
            f"{SQUASHED_FORMAT}: "
            "train it again or install the version named in its .json."
        )
    return card


_NEEDED = ("env_id", "kwargs", "algorithm", "action", "output", "normalised", "frame_stack", "fields", "network")


def _complete(card: Mapping[str, Any], name: Any) -> None:
    if missing := [key for key in _NEEDED if key not in card]:
        raise AgentError(f"the .json of {name} lacks {', '.join(missing)}.")


def _arrays(weights: bytes, name: str) -> dict[str, Float32Array]:
    import io

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
    card: dict[str, Any] = {"algorithm": algorithm, "normalised": False, "frame_stack": 1}
    side = path.with_suffix(".json")
    if side.exists():
        card |= _card(_bytes(side), str(path))
    try:
        model = loader.load(path, device="cpu")
    except Exception as error:  # unpickling may raise anything
        raise AgentError(f"{path} cannot be loaded as {algorithm}: {type(error).__name__} {error}.") from error
    return ArchivePolicy(model, card, hashlib.sha256(raw).hexdigest())


def _bytes_of_archive(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise AgentError(f"there is no file {path}.") from None
    except OSError as error:
        raise AgentError(f"cannot read {path}: {error.strerror}.") from error


__all__ = [
    "ArchivePolicy", "LstmNetwork", "Network", "Normalisation", "Policy", "SetNetwork", "action_card", "field_card",
    "kind_of", "load_policy", "read_policy", "save_policy",
]  # fmt: skip
