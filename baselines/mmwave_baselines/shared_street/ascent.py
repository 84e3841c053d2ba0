"""The best known in hindsight: best responses in turn, planned before the first slot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.shared_street.hindsight import Episode, plan
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.types import Int64Array

EPISODE = "sinr_ahead_db", "rsrp_ahead_dbm", "measured_ahead_dbm", "active_ahead", "present_ahead"


@dataclass
class Plans:
    """The running plans: `cell` (env, slot, ue), -1 to stay, and the scenario, which knows the laws."""

    cell: NDArray[np.int64]
    scenario: Any


class Ascent(Rule):
    """Best known, no bound: UEs answer each other in turn `sweeps` times; see `hindsight`."""

    access = "hindsight"
    kind = "ceiling"

    def __init__(self, sweeps: int = 3):
        self.sweeps = int(sweeps)
        self.config = {"sweeps": self.sweeps}
        self.label = f"hindsight ascent ({self.sweeps} sweeps, best known)"

    def remember(self, view: View) -> Plans:
        keywords = dict(view.constants)
        made = make_scenario("shared_street", **{name: keywords[name] for name in keywords["keywords"]})
        return Plans(np.full((view.num_envs, view.horizon, view.num_agents), -1), made)

    def restart(self, memory: Any, view: View, rows: NDArray[np.bool_]) -> Any:
        return memory  # plans are made when an environment is at its first slot

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        if seen.view.access != "hindsight":
            raise AgentError("the ascent needs access level 'hindsight'.")
        view, plans = seen.view, seen.memory
        slot = seen.look("slot")["slot"]
        begins = np.flatnonzero((slot == 0) & seen.started.reshape(view.num_envs, -1).any(axis=1))
        if len(begins):
            known = seen.look(*EPISODE)
            for env in begins:
                arrays = (known[name][env] for name in EPISODE)
                plans.cell[env], _ = plan(Episode.known(plans.scenario, *arrays), self.sweeps)
        cell = plans.cell[np.arange(view.num_envs), np.minimum(slot, view.horizon - 1)]
        candidate = seen.look("candidate")["candidate"]
        is_it = (candidate == cell[..., None]) & (cell[..., None] >= 0)
        return is_it.argmax(axis=2).ravel()
