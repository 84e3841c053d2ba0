"""What a scenario is; `core.batch` runs many environment copies of one.

Three ideas carry both files:

* **The chance of an episode is drawn before its first step.** Mobility, topology and channel do not depend on
  actions, so `Scenario.draw` makes the whole episode and `Scenario.step` is look-ups and arithmetic. Every policy
  meets the same world, and an exact optimum of a drawn world can be computed where the scenario has one.
* **Physics is written once, for a batch.** Arrays are `(env, agent, feature)`. The Gymnasium environment is row 0
  of a batch of one, the vector environment is the batch, the PettingZoo environment is one row split by agent.
* **An episode is known by its key** `(seed, number)`. Environment `i` of a batch reset with seed `s` plays the episodes
  `(s + i, 0), (s + i, 1), …` whatever the batch size, so a single environment with seed `s + i` plays the same.
"""

from __future__ import annotations

import dataclasses
import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory


class ObservationField(NamedTuple):
    """One named part of an agent's observation, `size` numbers between `low` and `high` in `unit`.

    A field whose numbers span decades is `logarithmic`: learners are shown log(1 + x) of it.
    per: "choice" where number i of the field is about choice i of a Discrete action, such as the power of cell i;
    "" for every other field, whatever its size. Networks over choices read it.
    """

    name: str
    size: int
    low: float
    high: float
    unit: str
    description: str
    logarithmic: bool = False
    per: str = ""


class ObservationFields(tuple[ObservationField, ...]):
    """The ordered fields of an observation: the one declaration behind space, documentation and normalisation."""

    @property
    def size(self) -> int:
        return sum(f.size for f in self)

    @property
    def low(self) -> NDArray[np.float32]:
        """(size,): lower bounds, in the units of the fields."""
        return np.concatenate([np.full(f.size, f.low, np.float32) for f in self])

    @property
    def high(self) -> NDArray[np.float32]:
        """(size,): upper bounds, in the units of the fields."""
        return np.concatenate([np.full(f.size, f.high, np.float32) for f in self])

    @property
    def absent(self) -> NDArray[np.float32]:
        """(size,): what stands for nobody's observation, 0, or the bound nearest to it where 0 is out of bounds."""
        return np.clip(np.zeros(self.size, np.float32), self.low, self.high)

    def split(self, observation: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Views of the last axis of `observation`, shape `(..., size)`, by field name."""
        parts, start = {}, 0
        for f in self:
            parts[f.name] = observation[..., start : start + f.size]
            start += f.size
        return parts


class Metric(NamedTuple):
    """A number that `Outcome.metrics` carries every step and that a row of the leaderboard condenses.

    `per` says how: "step" divides the sum over the episode by the steps lived, "second" by the seconds lived, "all"
    leaves the sum. A metric of shape (env, agent) counts the steps or seconds of every agent, one of shape (env,)
    those of the environment. `core.metrics.Condenser` condenses.
    """

    name: str
    unit: str
    per: str
    description: str


class EpisodeKey(NamedTuple):
    """Names one episode. `stream` separates seed spaces: "" is that of `reset(seed=…)`, others belong to tasks."""

    seed: int
    number: int = 0
    stream: str = ""


class EpisodeRng:
    """The chance of one episode: `rng["fading"]` is its generator for one physical cause.

    Causes have streams of their own, so that a new cause, or more draws of one, leaves the others as they were.
    """

    def __init__(self, key: EpisodeKey):
        self.key = key

    def __getitem__(self, cause: str) -> np.random.Generator:
        words = self.words()
        words[-1] = cause_word(cause)
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(words)))

    def words(self) -> NDArray[np.uint32]:
        """(n,): what NumPy's `SeedSequence` mixes of the seed and the spawn key (stream, number, cause).

        The last word, that of the cause, is left 0. Words cost a third of a spawn key, with the same result.
        """
        seed = _words(self.key.seed)
        # No `reset(seed=…)` can meet a named stream: its spawn keys are one word longer.
        stream = [zlib.crc32(self.key.stream.encode())] if self.key.stream else []
        return np.array([*seed, *[0] * (4 - len(seed)), *stream, *_words(self.key.number), 0], np.uint32)


@cache
def cause_word(cause: str) -> int:
    """The number of a cause in the words of a key."""
    return zlib.crc32(cause.encode())


def _words(value: int) -> list[int]:
    """An integer in words of 32 bits, the lowest first."""
    value = int(value)
    words = [value & 0xFFFFFFFF]
    while value := value >> 32:
        words.append(value & 0xFFFFFFFF)
    return words


@dataclass
class Episodes:
    """Drawn episodes. Scenarios add arrays whose first axis is storage; environment `i` uses storage row `row[i]`.

    The indirection lets a batch draw the next episodes ahead and start them without copying.
    """

    row: NDArray[np.intp]

    def of(self, envs: NDArray[np.intp]) -> Episodes:
        """The same storage, seen by the environments `envs` (n,) only."""
        return dataclasses.replace(self, row=self.row[envs])


def assign(target: Any, at: NDArray[np.intp], source: Any) -> None:
    """Write episodes or states `source` into the rows `at` (n,) of others of their kind."""
    for name in arrays_of(target):
        getattr(target, name)[at] = getattr(source, name)


def arrays_of(record: Any) -> list[str]:
    """The names of what episodes or states hold."""
    return [f.name for f in dataclasses.fields(record) if f.name != "row"]


@dataclass
class Outcome:
    """What one step brought, for every environment copy and agent slot. Empty slots have zeros and False."""

    reward: NDArray[np.float64]  # (env, agent)
    terminated: NDArray[np.bool_]  # (env, agent): this agent's life has really ended, for instance it left
    truncated: NDArray[np.bool_]  # (env,): the horizon was reached
    elapsed_s: NDArray[np.float64]  # (env,): how long the step took
    metrics: dict[str, NDArray[np.float64]]  # (env, agent) or (env,), see `Metric`
    own: dict[str, NDArray[np.float64]] = field(default_factory=dict)  # (env, agent), see `Scenario.own`


EpisodesT = TypeVar("EpisodesT", bound=Episodes)
StateT = TypeVar("StateT")


class Scenario(ABC, Generic[EpisodesT, StateT]):
    """The physics of one scenario for any number of environment copies. It holds configuration, never an episode.

    Shapes: N environment copies, A agent slots (`num_agents`), F observation features. An agent leaves by
    `Outcome.terminated`, and then its slot is empty. Later the slot may be given to a new agent: `agent_ids` tells
    who sits where. It stays empty for at least one step between two agents, so that the last observation of the one
    is never hidden by the other. Slot 0 has an agent when an episode starts: the one that the one-agent view controls.
    """

    name: str
    agent_noun: str = "agent"
    turn_based: ClassVar[bool] = False
    """Each step is the decision of one agent: one slot, whose agent changes from step to step and may come back.
    `terminated` then ends the episode for all."""
    action_meaning: str = ""
    reward_meaning: str = ""
    reward_unit: str = "1"
    metrics: tuple[Metric, ...]
    own: tuple[Metric, ...] = ()
    """What `Outcome.own` carries: an agent's own numbers, where metrics are the network's. Shown in `info` only."""
    masked: bool = False  # does `action_mask` give masks?
    num_agents: int
    max_agent_ids: int  # ids lie in range(max_agent_ids)
    horizon: int  # the most steps that an episode can have
    fields: ObservationFields
    action_space: spaces.Space[Any]  # of one agent: Discrete or MultiDiscrete from 0, or bounded Box

    @abstractmethod
    def __init__(self, config: Any):
        """`config` is the scenario's frozen dataclass of keywords."""

    @abstractmethod
    def draw(self, rngs: Sequence[EpisodeRng]) -> EpisodesT:
        """One episode for each rng, `row = arange(len(rngs))`. An episode must not depend on its neighbours."""

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: EpisodesT, rows: NDArray[np.intp]) -> None:
        """Draw one episode for each rng into the storage rows (n,) of `episodes`; a scenario may do it without copies.

        An episode is the same as by `draw`.
        """
        assign(episodes, rows, self.draw(rngs))

    @abstractmethod
    def start(self, episodes: EpisodesT) -> StateT:
        """The state before the first step: a dataclass of arrays with leading axis `len(episodes.row)`."""

    @abstractmethod
    def step(self, episodes: EpisodesT, state: StateT, action: NDArray[Any]) -> Outcome:
        """Move every environment on by one decision, changing `state` in place. `action` is (N, A) or (N, A, parts).

        Actions lie in the action space, int64 or float64, but those of empty slots mean nothing. The mask may
        forbid an action: the scenario says what it then stands for and never fails.
        """

    @abstractmethod
    def observe(self, episodes: EpisodesT, state: StateT) -> NDArray[np.float32]:
        """Fresh observations, (N, A, F), each field in its unit; `fields.absent` in empty agent slots."""

    def action_mask(self, episodes: EpisodesT, state: StateT) -> NDArray[np.bool_] | None:
        """(N, A, actions): True for each allowed action, at least one in every slot; None if all are always allowed."""
        return None

    def agent_ids(self, episodes: EpisodesT, state: StateT) -> NDArray[np.int64]:
        """The id of the agent in each slot, (N, A), -1 for an empty one. No id comes back in the same episode."""
        return np.broadcast_to(np.arange(self.num_agents), (len(episodes.row), self.num_agents))

    def reveal(self, episodes: EpisodesT, state: StateT, access: str) -> dict[str, Any]:
        """What an agent of that access level may know beside its observation: arrays (N, …) by name.

        A large array may be a function that returns it. Units are in the names: `place_m`, `rsrp_dbm`.
        """
        return {}

    def constants(self) -> Mapping[str, Any]:
        """The configuration that every agent may know, by name."""
        return {}

    def memory(self) -> Memory | None:
        """What it takes in bytes, by a formula of the configuration; None: nobody reckoned, and no limit holds."""
        return None
