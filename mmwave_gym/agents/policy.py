"""Trained networks as agents. A policy runs on NumPy alone: shipped agents need neither torch nor Stable-Baselines3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.networks import AnyNetwork, LstmNetwork
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.core.types import Float32Array

_SAME = 1e-4
"""Outputs this close are equal but for rounding: choices that look the same to a network that tells none apart."""

TRAINING = ("decisions", "processor_s", "teacher", "oracle_regrets", "trained_on")
"""What a row tells of an agent's training."""


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
class PolicyMemory:
    """State of a policy: the last frames of each row, (rows, frame_stack * features), oldest first; RNG and view."""

    frames: Float32Array
    rng: RowRng | None = None
    view: View | None = None
    recurrent: tuple[Float32Array, Float32Array] | None = None  # hidden and cell values of an LSTM


class Frames:
    """Normalises observations and stacks the last ones, as `make_sb3_vec_env` and SB3's VecFrameStack do."""

    def __init__(self, fields: ObservationFields, normalised: bool, frame_stack: int):
        self.size, self.frame_stack = fields.size, frame_stack
        self._normalise = Normalisation(fields) if normalised else None

    def remember(self, observation: NDArray[Any], memory: Any, episode_start: Any) -> PolicyMemory:
        """The memory after observations (rows, features) in their units; its `frames` are the network's input.

        memory: that of the step before, None for zeros. episode_start: (rows,) bool or None; rows that begin an episode
        forget their older frames. Raises AgentError for another number of features or rows.
        """
        rows, size = observation.shape
        if size != self.size:
            raise AgentError(f"the policy reads observations of {self.size} numbers, got {size}.")
        frame = self._normalise(observation) if self._normalise else np.array(observation, np.float32)
        absent = ~observation.any(axis=1)  # an empty agent slot: training showed zeros for it
        if absent.any() and getattr(getattr(memory, "view", None), "num_agents", 1) > 1:
            frame[absent] = 0.0
        width = size * self.frame_stack
        if memory is None:
            memory = PolicyMemory(np.zeros((rows, width), np.float32))
        if memory.frames.shape != (rows, width):
            raise AgentError(f"the state is that of {len(memory.frames)} rows, got observations of {rows}.")
        frames = np.empty_like(memory.frames)
        frames[:, :-size] = memory.frames[:, size:]
        if episode_start is not None:
            frames[np.asarray(episode_start, bool)] = 0.0
        frames[:, -size:] = frame
        return PolicyMemory(frames, memory.rng, memory.view, memory.recurrent)


class Policy:
    """An agent made of a saved network: the largest allowed output, or one sampled, or a continuous mean.

    `metadata` is the `.json`, see `save_policy`. A Q-network is always greedy, because its outputs are no
    probabilities. Ties of a network over choices are broken at random, as in training: with the first choice always,
    agents that share the network would all choose the same.
    """

    access = "local"
    kind = "learned"

    def __init__(self, network: AnyNetwork, metadata: Mapping[str, Any]):
        self.network = network
        self.metadata = dict(metadata)
        self.label = str(metadata.get("label") or metadata["algorithm"])
        self.weights_sha256 = str(metadata.get("sha256", ""))
        self.config = config_of(metadata)
        self.training = training_of(metadata)
        self._frames = Frames(fields_of(metadata), bool(metadata["normalised"]), int(metadata["frame_stack"]))
        self._action = metadata["action"]
        self._splits = np.cumsum(self._action.get("nvec", ()))[:-1].astype(int)
        expected = self._frames.size * self._frames.frame_stack
        if network.inputs != expected:
            raise AgentError(f"the network takes {network.inputs} numbers, but its observations are {expected} long.")
        if network.symmetric and self._action["kind"] != "discrete":
            raise AgentError(f"a network over choices makes one choice a step, not {self._action}.")
        if network.outputs != outputs_of(self._action):
            raise AgentError(f"the network gives {network.outputs} numbers for the action {self._action}.")

    def begin(self, view: View, rng: RowRng) -> Any:
        """Fresh memory for `view.num_rows` rows. Raises AgentError where the environment is another one."""
        check_fits(self.metadata, view)
        return self.fresh(view, rng)

    def fresh(self, view: View, rng: RowRng) -> PolicyMemory:
        """Memory before the first observation."""
        width = view.fields.size * self._frames.frame_stack
        return PolicyMemory(np.zeros((view.num_rows, width), np.float32), rng, view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions for raw observations (rows, features) and episode starts (rows,), and the new state.

        Also of one row without its axis.
        """
        observation = np.asarray(observation)
        if observation.ndim == 1:
            action, state = self.predict(observation[None], state, episode_start, deterministic)
            return action[0], state
        deterministic = deterministic and not self.metadata.get("sampled", False)  # a policy may be meant to draw
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
        self, memory: PolicyMemory, episode_start: NDArray[np.bool_] | None, mask: NDArray[np.bool_] | None
    ) -> Float32Array:
        """The network's outputs (rows, outputs); memory is cleared in the rows whose episode starts."""
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
        sampled = None if self.metadata["output"] == "q" else rng
        if self._action["kind"] == "discrete":
            return _choose(output, sampled)
        return np.stack([_choose(part, sampled) for part in np.split(output, self._splits, axis=1)], axis=1)

    def _continuous(self, mean: Float32Array, rng: RowRng | None) -> NDArray[Any]:
        low, high = (np.array(self._action[k], np.float32) for k in ("low", "high"))
        if self.metadata["output"] == "squashed":
            return (low.ravel() + 0.5 * (np.tanh(mean) + 1.0) * (high - low).ravel()).reshape(-1, *low.shape)
        if rng is not None and self.network.log_std is not None:
            columns = range(mean.shape[1])
            radius = np.stack([np.sqrt(-2.0 * np.log1p(-rng.random())) for _ in columns], axis=1)
            angle = np.stack([2.0 * np.pi * rng.random() for _ in columns], axis=1)  # Box-Muller
            mean = mean + (np.exp(self.network.log_std) * radius * np.cos(angle)).astype(np.float32)
        return np.clip(mean, low.ravel(), high.ravel()).reshape(-1, *low.shape)


def _choose(logits: Float32Array, rng: RowRng | None) -> NDArray[np.int64]:
    if rng is None:
        return logits.argmax(axis=1)
    weight = np.exp((logits - logits.max(axis=1, keepdims=True)).astype(np.float64))
    below = weight.cumsum(axis=1)
    return (below > (rng.random() * below[:, -1])[:, None]).argmax(axis=1)


def action_metadata(space: spaces.Space[Any]) -> dict[str, Any]:
    """An action space as JSON values."""
    if isinstance(space, spaces.Discrete):
        return {"kind": "discrete", "n": int(space.n)}
    if isinstance(space, spaces.MultiDiscrete):
        return {"kind": "multidiscrete", "nvec": [int(n) for n in space.nvec]}
    if isinstance(space, spaces.Box):
        return {"kind": "box", "low": space.low.tolist(), "high": space.high.tolist()}
    raise AgentError(f"policies for {type(space).__name__} actions are not supported.")


def field_metadata(fields: ObservationFields) -> list[list[Any]]:
    """Observation fields as JSON values: name, size, low, high, then "log" where learners are shown log(1 + x), and
    "choice" where there is a number for each choice."""
    return [
        [f.name, f.size, f.low, f.high, *(["log"] if f.logarithmic else []), *([f.per] if f.per else [])]
        for f in fields
    ]


def _declares(fields: Any) -> bool:
    """Do saved fields tell which have a number for each choice? Older files do not."""
    return any("choice" in shown for _, _, _, _, *shown in fields)


def check_fits(metadata: Mapping[str, Any], view: View) -> None:
    """AgentError where a policy was trained for other observations or actions than `view` has."""
    trained = [tuple(f) for f in metadata["fields"]]
    declared = view.fields if _declares(trained) else ObservationFields(f._replace(per="") for f in view.fields)
    here = [tuple(f) for f in field_metadata(declared)]
    if trained != here:
        raise AgentError(
            f"this policy was trained on {metadata['env_id']} {metadata['kwargs']}, whose observation is "
            f"{_named(trained)}; here it is {_named(here)}."
        )
    if metadata["action"] != action_metadata(view.action_space):
        raise AgentError(f"this policy chooses from {metadata['action']}, here actions are {view.action_space}.")


def _named(fields: list[tuple[Any, ...]]) -> str:
    shown = ((f"{name}[{size}] in [{low:g}, {high:g}]", "choice" in more) for name, size, low, high, *more in fields)
    return ", ".join(text + (" a choice" if about_choices else "") for text, about_choices in shown)


def fields_of(metadata: Mapping[str, Any]) -> ObservationFields:
    """The fields that a policy was trained on.

    Older files do not say which fields have a number for each choice. Their networks over choices were trained by
    the rule that every field has that is as long as there are choices, so they are read by it.
    """
    fields, described = metadata["fields"], metadata.get("network", {})
    by_size = "over" in described and not _declares(fields)
    choices = outputs_of(metadata["action"]) if by_size else None
    return ObservationFields(
        ObservationField(
            name, size, low, high, "", "", "log" in shown, "choice" if "choice" in shown or size == choices else ""
        )
        for name, size, low, high, *shown in fields
    )


def outputs_of(action: Mapping[str, Any]) -> int:
    sizes = {"discrete": lambda a: a["n"], "multidiscrete": lambda a: sum(a["nvec"])}
    size = sizes.get(action["kind"], lambda a: np.size(a["low"]))
    return int(size(action))


def config_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    names = ("algorithm", "env_id", "kwargs", "seed", "steps")
    return {name: metadata[name] for name in names if name in metadata}


def training_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata tell of the training, None for what they do not.

    decisions: how many it was trained on. processor_s: processor time in seconds. teacher: the agent that was
    imitated, "" for none. oracle_regrets: whether rewards were shaped by the optimum in hindsight. trained_on: the
    task, or the environment and its keywords.
    """
    known = {"decisions": metadata.get("steps"), **(metadata.get("training") or {})}
    return {name: known.get(name) for name in TRAINING}
