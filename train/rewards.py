"""What training adds to rewards: nothing that changes which policy is best, much that quietens its learning.

Worlds that do not react to actions can be solved in hindsight when an episode is drawn, as the ceiling of the task
does. The reward of a step becomes the regret of its action: what the best continuation from here would have brought,
less what this action and the best continuation from there do. It is potential-based shaping (Ng et al. 1999): the
sum over an episode is the return less a number that no action changes. The policy sees none of it, and episodes'
returns in the logs stay those of the environment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnvWrapper

from mmwave_gym.sb3 import ScenarioVecEnv

NEEDED_CONSTANTS = ("beta", "handover_energy_j", "interruption_s", "step_s")


def hindsight_values(
    efficiency_bps_hz: NDArray[Any], departure: NDArray[np.int64], price: float, kept: float
) -> NDArray[np.float64]:
    """Viterbi's values (copy, slot + 1, ue, cell): the best return from a slot on, by the cell that served before.

    efficiency_bps_hz (copy, slot, ue, cell): the rate of every choice. departure (copy, ue): the first slot without
    the UE. A handover costs `price` and keeps the share `kept` of its slot.
    """
    copies, slots, ues, cells = efficiency_bps_hz.shape
    values = np.zeros((copies, slots + 1, ues, cells))
    for t in range(slots - 1, -1, -1):
        present = (t < departure)[..., None]
        rate = np.where(present, efficiency_bps_hz[:, t], 0.0)
        change = (values[:, t + 1] + kept * rate - price * present).max(axis=-1, keepdims=True)
        values[:, t] = np.maximum(values[:, t + 1] + rate, change)
    return values


class HandoverPotential:
    """Viterbi's values along the slots of UDN handover."""

    def __init__(self, base: ScenarioVecEnv):
        constants = base.scenario.constants()
        self._base = base
        self._price = constants["beta"] * constants["handover_energy_j"]
        self._kept = 1.0 - constants["interruption_s"] / constants["step_s"]
        copies, ues, cells = base.batch.num_envs, base.scenario.num_agents, int(base.action_space.n)  # type: ignore[attr-defined]
        self._values = np.zeros((copies, base.scenario.horizon + 1, ues, cells))
        self._at = (np.arange(copies)[:, None], np.arange(ues))
        self._slot = np.zeros((copies, 1), np.int64)

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Values of the copies whose episode has just begun; (copies, ues): those of all states now."""
        batch = self._base.batch
        shown = batch.scenario.reveal(batch.episodes.of(np.flatnonzero(begun)), batch.state, "hindsight")
        slots = self._values.shape[1] - 1
        solved = hindsight_values(shown["efficiency_bps_hz"][:, :slots], shown["departure"], self._price, self._kept)
        self._values[begun] = solved
        self._slot[begun] = 0
        cells = solved.shape[-1]
        serving = batch.scenario.fields.split(batch.observe())["serving"].argmax(axis=-1) % cells
        copy, ue = self._at
        return self._values[copy, self._slot, ue, serving]

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(copies, ues): the value of the state that the actions have led to."""
        self._slot += 1
        copy, ue = self._at
        return self._values[copy, self._slot, ue, action]


class StreetPotential:
    """Values in hindsight along the decisions of a street; a handover passes several, a lost link too."""

    def __init__(self, base: ScenarioVecEnv):
        from mmwave_baselines.street.oracle import bound

        self._base, self._bound = base, bound
        self._constants = base.scenario.constants()
        self._values: NDArray[np.float64] | None = None

    def solve(self, begun: NDArray[np.bool_]) -> NDArray[np.float64]:
        batch = self._base.batch
        shown = batch.scenario.reveal(batch.episodes.of(np.flatnonzero(begun)), batch.state, "hindsight")
        best = self._bound(shown["sinr_ahead_db"](), shown["rsrp_ahead_dbm"](), self._constants)
        if self._values is None:
            self._values = np.zeros((batch.num_envs, *best.shape[1:]))
        self._values[begun] = best
        return self._now()

    def _now(self) -> NDArray[np.float64]:
        assert self._values is not None
        state = self._base.batch.state
        decision = np.minimum(state.tick // self._constants["decision_ticks"], self._values.shape[1] - 1)
        return self._values[np.arange(len(decision)), decision, state.serving][:, None]

    def after(self, action: NDArray[np.int64], done: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.where(done[:, None], 0.0, self._now())  # a copy that is done has begun anew already


def potential(base: ScenarioVecEnv) -> HandoverPotential | StreetPotential | None:
    """How the scenario is solved in hindsight, None where it is not."""
    constants = base.scenario.constants()
    if base.scenario.name == "street":
        return StreetPotential(base)
    if base.scenario.name == "handover" and all(c in constants for c in NEEDED_CONSTANTS):
        return HandoverPotential(base)
    return None


class TrainingReward(VecEnvWrapper):
    """Scales rewards, and turns them into regrets where `regret` and the scenario can be solved in hindsight.

    usual_per_s: what is taken off rewards for every second of a step. With steps of different lengths and a discount a
    step, a long one otherwise looks better than several short ones in which as much is received.
    """

    def __init__(self, venv: ScenarioVecEnv, scale: float, regret: bool, usual_per_s: float = 0.0):
        super().__init__(venv)
        self._scale, self._usual_per_s, self._base = scale, usual_per_s, venv
        self._source = potential(venv) if regret else None
        shape = (venv.batch.num_envs, venv.scenario.num_agents)
        self._potential = np.zeros(shape)  # the value of the state in which the next action is taken
        self._action = np.zeros(shape, np.int64)

    def reset(self) -> NDArray[np.float32]:
        observation: Any = self.venv.reset()
        if self._source:
            self._potential = self._source.solve(np.ones(len(self._potential), bool))
        return observation

    def step_async(self, actions: NDArray[Any]) -> None:
        if self._source:
            self._action = np.asarray(actions).reshape(self._potential.shape)
        self.venv.step_async(actions)

    def step_wait(self) -> Any:
        observation, reward, done, infos = self.venv.step_wait()
        if self._source:
            # A copy that begins anew shows it: the ends of all its places come together.
            over = done.reshape(self._potential.shape).all(axis=1)
            following = self._source.after(self._action, over)
            reward = (reward.reshape(following.shape) + following - self._potential).reshape(-1).astype(np.float32)
            self._potential = following
            if over.any():
                self._potential = np.where(over[:, None], self._source.solve(over), following)
        if self._usual_per_s:
            usual = self._usual_per_s * self._base.outcome.elapsed_s
            reward = (reward.reshape(self._potential.shape) - usual[:, None]).reshape(-1).astype(np.float32)
        return observation, reward * np.float32(self._scale), done, infos
