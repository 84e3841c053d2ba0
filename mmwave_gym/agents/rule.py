"""Rules: agents that need no training. A rule is one method, `act`; `Rule` does what every agent has to do.

```python
class Patient(Rule):
    \"\"\"Moves to the strongest cell once it has been the strongest for two decisions in a row.\"\"\"

    label = "patient"

    @dataclass
    class Memory:
        strongest: NDArray[np.int64]  # (rows,)

    def remember(self, view: View) -> Memory:
        return self.Memory(np.full(view.num_rows, -1))

    def act(self, seen: Seen, rng: RowRng) -> NDArray[np.int64]:
        strongest = seen["rsrp_dbm"].argmax(axis=1)
        agreed = strongest == seen.memory.strongest
        seen.memory.strongest = strongest
        return np.where(agreed, strongest, seen["serving"].argmax(axis=1))
```

A row is one agent slot of one environment, environments first. Rows know nothing of each other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, RowRng, begun
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array


@dataclass
class RuleState:
    """The state of a rule: what `begin` was given, and the rule's own memory."""

    view: View
    rng: RowRng
    memory: Any
    fresh: bool = True  # nothing was decided yet on this memory


class Seen:
    """What a rule sees at one decision. `seen["name"]` is a field of the observation, shape (rows, size)."""

    def __init__(self, view: View, memory: Any, observation: NDArray[Any], started: NDArray[np.bool_]):
        self.view = view
        self.memory = memory
        """What `remember` returned. Change it in place, or give its fields new arrays."""
        self.observation = observation
        """(rows, features)"""
        self.started = started
        """(rows,): this observation is the first of the row's episode."""

    def __len__(self) -> int:
        return len(self.observation)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.parts[name]

    @cached_property
    def parts(self) -> dict[str, NDArray[Any]]:
        """Every field of the observation by its name, (rows, size) each; views, so do not write to them."""
        return self.view.fields.split(self.observation)

    @cached_property
    def mask(self) -> NDArray[np.bool_] | None:
        """(rows, choices): which actions are allowed; None where all always are."""
        return self.view.action_mask()

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """(rows, choices): the mask, all True where there is none. For discrete actions."""
        if self.mask is not None:
            return self.mask
        choices: Any = self.view.action_space
        return np.ones((len(self), int(choices.n)), dtype=bool)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(rows,): does the agent slot hold an agent? What is done in an empty slot means nothing."""
        return (self.observation != self.view.fields.absent).any(axis=1)

    @property
    def slot(self) -> Int64Array:
        """(rows,): the agent slot of each row in its environment."""
        return np.arange(len(self)) % self.view.num_agents

    @property
    def constants(self) -> Mapping[str, Any]:
        """The configuration that every agent may know."""
        return self.view.constants

    def look(self, *names: str) -> dict[str, NDArray[Any]]:
        """What the rule's access level grants now, by name, (num_envs, …) each; see `View.look`."""
        return self.view.look(*names)

    def best(self, score: NDArray[Any], tolerance: float = 0.0) -> NDArray[np.bool_]:
        """(rows, choices): True for the allowed choices of the highest `score` (rows, choices), within `tolerance`.

        `.argmax(axis=1)` takes the first of them, `rng.choice(...)` one at random.
        """
        among = score if self.mask is None else np.where(self.mask, score, -np.inf)
        return among >= among.max(axis=1, keepdims=True) - tolerance


class Rule:
    """Base of rules. Override `act`; with a memory also `remember`: `help("mmwave_gym.agents.rule")` shows one.

    `predict` takes rows, or one observation without the row axis. Raises AgentError where `begin` was not called, or
    was called for another number of rows.
    """

    access: str = "local"
    """What the rule knows: "local" is its observation; `mmwave_gym.core.access` has the others."""
    kind: str = "rule"
    """How the leaderboard shows it: "rule", "paper", "learned", "floor" or "ceiling"."""
    label: str
    """The name on the leaderboard."""
    config: Mapping[str, Any] = {}
    """Parameters, JSON values; they stand in the head of the rows."""
    carries: ClassVar[bool] = False
    """Does what the rule has learnt outlive an episode? Then `episode_start` resets nothing by itself."""

    def act(self, seen: Seen, rng: RowRng) -> NDArray[Any]:
        """The actions, (rows, …). All chance comes from `rng`, which has a generator of its own for every row."""
        raise NotImplementedError

    def remember(self, view: View) -> Any:
        """The memory with which episodes begin: a dataclass whose arrays have rows as their first axis, or None."""
        return None

    def restart(self, memory: Any, view: View, rows: NDArray[np.bool_]) -> Any:
        """The memory when new episodes begin in some `rows` (rows,): there as `remember` makes it.

        Override it for a memory whose arrays do not have rows as their first axis.
        """
        if self.carries or not dataclasses.is_dataclass(memory):
            return memory
        fresh = self.remember(view)
        for field in dataclasses.fields(memory):
            old, new = getattr(memory, field.name), getattr(fresh, field.name)
            if isinstance(old, np.ndarray):
                here = rows.reshape(-1, *(1,) * (old.ndim - 1))
                setattr(memory, field.name, np.where(here, new, old))  # not in place: it may be part of an observation
        return memory

    def begin(self, view: View, rng: RowRng | None = None) -> RuleState:
        """The state when episodes begin in all rows; without `rng` chance has the seed 0."""
        rng = RowRng.from_seed(0, view.num_rows) if rng is None else rng
        return RuleState(view, rng, self.remember(view))

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], RuleState]:
        """Actions (rows, …) and the next state, for observations (rows, features) and episode starts (rows,)."""
        now: RuleState = begun(state, self)
        observation = np.asarray(observation)
        if observation.ndim == 1:
            start = None if episode_start is None else np.atleast_1d(episode_start)
            action, now = self.predict(observation[None], now, start, deterministic)
            return action[0], now
        rows = now.view.num_rows
        if len(observation) != rows:
            raise AgentError(f"the state is that of {rows} rows, got observations of {len(observation)}.")
        started = np.zeros(rows, bool) if episode_start is None else np.asarray(episode_start, bool)
        if now.fresh:  # `begin` has just made the memory of all rows
            now.fresh, started = False, np.ones(rows, bool)
        elif np.count_nonzero(started):  # `.any()` takes several times as long
            now.memory = self.restart(now.memory, now.view, started)
        return self.act(Seen(now.view, now.memory, observation, started), now.rng), now
