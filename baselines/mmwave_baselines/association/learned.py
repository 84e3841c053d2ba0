"""Agents that were trained here and are shipped: one network for every UE, any density and any number of candidates.

`python -m train.turns` makes them, several training seeds for each geometry of the streets. What a network knows of
streets it takes along to a city.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.association.rules import vertex_cover
from mmwave_baselines.shipped import Shipped
from mmwave_gym.agents.networks import SetNetwork, choice_columns
from mmwave_gym.agents.policy import Policy, field_metadata, fields_of
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import ObservationField, ObservationFields

ROLE = ObservationField(
    "role", 1, 0.0, 1.0, "1", "1 where a vertex cover of the map leaves the base station free", per="choice"
)


def free_sites(constants: Any) -> NDArray[np.bool_]:
    """(bs,): the base stations outside a smallest vertex cover of those that share a road."""
    return ~vertex_cover(len(constants["bs_m"]), constants["roads"])


class CandidatesPolicy(Policy):
    """A policy over candidates that plays wherever candidates are described alike, however many there are.

    Bounds of the observation are those of its training, so that numbers mean to it what they meant there.
    """

    def __init__(self, network: Any, metadata: Any):
        super().__init__(network, metadata)
        self.with_roles = any(field[0] == ROLE.name for field in metadata["fields"])
        self.access = "central" if self.with_roles else "local"

    def begin(self, view: View, rng: RowRng) -> Any:
        """Raises AgentError where candidates are described otherwise."""
        names = [f.name for f in view.fields] + [ROLE.name] * self.with_roles
        trained = [field[0] for field in self.metadata["fields"]]
        if names != trained:
            raise AgentError(f"this policy reads {', '.join(trained)}; here an observation has {', '.join(names)}.")
        here = self._for(int(view.action_space.n))  # type: ignore[attr-defined]
        shown = _TrainedView(view, here, self.with_roles)
        return _State(here, shown, here.begin(shown, rng))  # type: ignore[arg-type]

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        if state is None:
            raise AgentError("begin(view, rng) must be called first: the number of candidates is unknown.")
        seen = state.view.with_roles(observation)
        action, state.memory = state.policy.predict(seen, state.memory, episode_start, deterministic)
        return action, state

    def _for(self, choices: int) -> Policy:
        """The same policy for another number of candidates."""
        trained = fields_of(self.metadata)
        fields = ObservationFields(f._replace(size=choices) if f.per == "choice" else f for f in trained)
        assert isinstance(self.network, SetNetwork)
        network = dataclasses.replace(self.network, columns=choice_columns(fields, choices), inputs=fields.size)
        action = {"kind": "discrete", "n": choices}
        return Policy(network, {**self.metadata, "fields": field_metadata(fields), "action": action})


@dataclasses.dataclass
class _State:
    policy: Policy
    view: _TrainedView
    memory: Any


class _TrainedView:
    """A view whose observations have the roles, and the bounds that the policy knows."""

    def __init__(self, view: View, policy: Policy, roles: bool):
        self._view = view
        self._free = free_sites(view.constants) if roles else None
        self.fields = fields_of(policy.metadata)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def with_roles(self, observation: NDArray[Any]) -> NDArray[Any]:
        """Observations (rows, features) as the policy reads them, from raw ones of the same shape."""
        if self._free is None:
            return observation
        offered = self._view.look("offered")["offered"]
        return np.concatenate((observation, self._free[offered] & (offered >= 0)), axis=1, dtype=np.float32)


def geometry(task: Task) -> str:
    """The geometry of the streets that weights were trained for; in a city those of the blocked streets play."""
    return "blocked" if task.kwargs.get("city") is not None else str(task.kwargs.get("geometry", "paper"))


Turns = Shipped(
    __package__,
    "turns",
    "PPO by turns",
    "`python -m train.turns`: sees what the environment shows a UE.",
    kind=CandidatesPolicy,
    trained_for=geometry,
)
Roles = Shipped(
    __package__,
    "roles",
    "PPO by turns, with roles",
    "`python -m train.turns --roles --imitate cover`: sees which base stations a vertex cover leaves free, too.",
    kind=CandidatesPolicy,
    access="central",
    trained_for=geometry,
)
