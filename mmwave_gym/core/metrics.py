"""What `Metric.per` means: one `Condenser` for leaderboard rows, episode infos, TensorBoard and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import Metric, Outcome
from mmwave_gym.core.types import Float64Array

STEPS, SECONDS, FIRST = 0, 1, 2
"""Rows of the sums: steps lived, seconds lived, and from `FIRST` on what is condensed."""


class Condenser:
    """Sums of the reward and of metrics over steps, condensed as each metric says.

    A metric of shape (env,) belongs to the environment, one of shape (env, agent) to the agents. The reward belongs to
    the agents and is condensed "step". An absent agent counts nowhere. `Metric.per` means:

    * In a **row**, one episode of the environment (`episodes`). "step": a metric of the environment is summed and
      divided by the steps of the environment; a metric of agents is summed over all agents and divided by the steps
      that all agents lived together. "second": the same, divided by seconds. "all": the sum.
    * In an **agent's episode** (`agent_episodes`), which may be a part of the environment's. Both kinds of metrics are
      summed over the steps that this agent lived. "step" divides by these steps, "second" by their seconds, "all"
      leaves the sum.
    * In a **window of training** (`window`). "step" and "second": as in a row, with the sums of all environments over
      the window. "all": the mean over the environments' episodes that ended in the window, each as its row has it.
    * In a **picture**: the row of the episode so far (`episodes`), or the same with the agents of one slot (`slot`).

    num_rows: how many episodes are counted side by side. num_agents: keeps so many agent slots apart; None adds the
    agents up in each step, which is all that rows need.
    """

    def __init__(self, metrics: tuple[Metric, ...], num_rows: int, num_agents: int | None = None):
        self.metrics = metrics
        self._apart = num_agents is not None
        shape = (num_rows,) if num_agents is None else (num_rows, num_agents)
        self._agents = np.zeros((FIRST + 1, *shape))  # steps, seconds, reward, metrics of agents
        self._environment = np.zeros((FIRST, num_rows))  # steps, seconds, metrics of the environment
        self._of_agents: dict[str, int] = {"reward": FIRST}  # name: row of the sums
        self._of_environment: dict[str, int] = {}
        self._laid_out = False

    @property
    def steps(self) -> NDArray[np.int64]:
        """(row,): steps of the environment."""
        return self._environment[STEPS].astype(np.int64)

    @property
    def seconds(self) -> Float64Array:
        """(row,): time of the environment in s."""
        return self._environment[SECONDS]

    def add(
        self,
        outcome: Outcome,
        present: NDArray[np.bool_] | None = None,
        counted: NDArray[np.bool_] | None = None,
        at: NDArray[np.intp] | None = None,
    ) -> None:
        """Count a step of N environments.

        present: (N, A), the agent slots that had an agent when the step began; None: all. counted: (N,), the
        environments that count; None: all. at: (N,), the row of each environment; None: environment i is row i. Raises
        KeyError where the outcome lacks a metric.
        """
        if not self._laid_out:
            self._lay_out(outcome)
        agents, environment, elapsed_s = self._agents, self._environment, outcome.elapsed_s
        who = present
        if counted is not None:
            who = counted[:, None] & (np.ones(outcome.reward.shape, bool) if present is None else present)
        _add(environment[STEPS], at, 1.0 if counted is None else counted)
        _add(environment[SECONDS], at, elapsed_s if counted is None else elapsed_s * counted)
        for name, i in self._of_environment.items():
            value = outcome.metrics[name]
            _add(environment[i], at, value if counted is None else value * counted)
        if self._apart:
            _add(agents[STEPS], at, 1.0 if who is None else who)
            _add(agents[SECONDS], at, elapsed_s[:, None] if who is None else elapsed_s[:, None] * who)
        else:
            count = outcome.reward.shape[1] if who is None else _over_agents(who)
            _add(agents[STEPS], at, count)
            _add(agents[SECONDS], at, elapsed_s * count)
        for name, i in self._of_agents.items():
            value = outcome.reward if name == "reward" else outcome.metrics[name]
            if who is not None:
                value = value * who
            _add(agents[i], at, value if self._apart else _over_agents(value))

    def sums(self, name: str) -> Float64Array:
        """The plain sum of the reward or of a metric: (row,), or of agents kept apart (row, slot)."""
        if name in self._of_environment:
            return self._environment[self._of_environment[name]]
        if name in self._of_agents:
            return self._agents[self._of_agents[name]]
        return np.zeros_like(self._agents[FIRST])  # nothing was counted yet

    def episodes(self) -> dict[str, Float64Array]:
        """Reward and metrics of every row, (row,); NaN where nothing was lived."""
        return self._condensed(self._agents.sum(axis=-1) if self._apart else self._agents, self._environment)

    def slot(self, slot: int) -> dict[str, Float64Array]:
        """Reward and metrics of every row, (row,), with the agents of one slot only; otherwise as `episodes`."""
        return self._condensed(self._agents[:, :, slot], self._environment)

    def _condensed(self, agents: Float64Array, environment: Float64Array) -> dict[str, Float64Array]:
        """Sums (FIRST + metrics, …) as numbers (…): the one place that says what `per` means."""
        lived = environment[STEPS] > 0
        condensed = {}
        for name, per in (("reward", "step"), *((m.name, m.per) for m in self.metrics)):
            if name in self._of_environment:
                sums, i = environment, self._of_environment[name]
            else:
                sums, i = agents, self._of_agents.get(name, FIRST)
            over = {"step": sums[STEPS], "second": sums[SECONDS], "all": np.ones_like(sums[STEPS])}[per]
            condensed[name] = np.divide(sums[i], over, out=np.full_like(over, np.nan), where=lived & (over > 0))
        return condensed

    def _lay_out(self, outcome: Outcome) -> None:
        """Which metrics belong to whom shows with the first outcome."""
        for m in self.metrics:
            group = self._of_agents if outcome.metrics[m.name].ndim == 2 else self._of_environment
            group[m.name] = FIRST + len(group)
        self._agents = np.zeros((FIRST + len(self._of_agents), *self._agents.shape[1:]))
        self._environment = np.zeros((FIRST + len(self._of_environment), *self._environment.shape[1:]))
        self._laid_out = True


class RunningCondenser(Condenser):
    """A condenser of environments whose episodes follow each other: the agents' episodes, and windows of training.

    Row i is the running episode of environment i; `restart` begins its next one.
    """

    def __init__(self, metrics: tuple[Metric, ...], num_rows: int, num_agents: int):
        super().__init__(metrics, num_rows, num_agents)
        self._clear()

    def agent_episodes(
        self, rows: NDArray[np.intp], slots: NDArray[np.intp]
    ) -> tuple[Float64Array, Float64Array, dict[str, Float64Array]]:
        """Steps, returns and metrics of the running episodes of the agents in rows, slots (n,); (n,) each."""
        agents = self._agents[:, rows, slots] - self._agents_before[:, rows, slots]
        environment = self._environment[:, rows] - self._environment_before[:, rows, slots]
        return agents[STEPS], agents[FIRST], self._condensed(agents, environment)

    def begin_agents(self, slots: NDArray[np.bool_]) -> None:
        """The next step is the first of a new agent's episode in these slots (row, slot)."""
        rows = slots.nonzero()[0]
        self._agents_before[:, slots] = self._agents[:, slots]
        self._environment_before[:, slots] = self._environment[:, rows]

    def restart(self, rows: NDArray[np.intp], ended: bool = True) -> None:
        """Begin the next episode in `rows`, (n,) indices. The running ones have ended, or else are broken off."""
        agents, environment = self._agents[:, rows].sum(axis=(1, 2)), self._environment[:, rows].sum(axis=1)
        self._past_agents += agents
        self._past_environment += environment
        if ended:
            self._ended_agents += agents
            self._ended_environment += environment
            self._num_ended += len(rows)
        for running in (self._agents, self._agents_before, self._environment, self._environment_before):
            running[:, rows] = 0.0

    def window(self) -> dict[str, float]:
        """Reward and metrics since this was last asked; NaN where nothing happened."""
        agents, environment = self._agents.sum(axis=(1, 2)), self._environment.sum(axis=1)
        condensed = self._condensed(
            self._past_agents + agents - self._told_agents,
            self._past_environment + environment - self._told_environment,
        )
        window = {name: float(value) for name, value in condensed.items()}
        ended = self._condensed(self._ended_agents, self._ended_environment)
        for m in self.metrics:
            if m.per == "all":
                window[m.name] = float(ended[m.name]) / self._num_ended if self._num_ended else float("nan")
        self._begin_window(agents, environment)
        return window

    def _begin_window(self, agents: Float64Array, environment: Float64Array) -> None:
        """agents, environment: sums of the running episodes up to now, which belong to earlier windows."""
        self._told_agents, self._told_environment = agents, environment
        self._past_agents, self._ended_agents = np.zeros((2, *agents.shape))
        self._past_environment, self._ended_environment = np.zeros((2, *environment.shape))
        self._num_ended = 0

    def _clear(self) -> None:
        self._agents_before = np.zeros_like(self._agents)  # when the agents' running episodes began
        self._environment_before = np.zeros((len(self._environment), *self._agents.shape[1:]))
        self._begin_window(np.zeros(len(self._agents)), np.zeros(len(self._environment)))

    def _lay_out(self, outcome: Outcome) -> None:
        super()._lay_out(outcome)
        self._clear()


def _add(total: Float64Array, at: NDArray[np.intp] | None, value: Any) -> None:
    if at is None:
        total += value
    else:
        total[at] += value


def _over_agents(value: NDArray[Any]) -> NDArray[Any]:
    """(N, A) summed to (N,); the sum of one is that one, and is had without adding."""
    return value[:, 0] if value.shape[1] == 1 else value.sum(axis=1)
