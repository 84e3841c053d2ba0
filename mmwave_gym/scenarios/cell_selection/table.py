"""Cell selection as a table in Gymnasium's convention, for anyone's dynamic programming, where the state is small.

A state is everything that the next slot depends on: every UE's cell and every link's state. Links move on by their
own law whatever anybody does, so P[s][a] lists the next links: the cells are those chosen. Two decision makers:

* all UEs as one (control="all", or one UE alone): an action is a joint choice, the reward the sum of the UEs';
* the first UE among others who follow a policy: an action is its cell. The policy must answer the same to the same
  observation; the UE of the table knows the others' links, which the UE of the environment does not see, so the
  table's optimum bounds from above what it can reach.

Rewards are taken from the scenario's own `step`. An episode of the environment is cut after `horizon` slots; the
table has no end.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.joint import JointScenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.cell_selection.game import CellSelection, CellSelectionEpisodes

Transitions = dict[int, dict[int, list[tuple[float, int, float, bool]]]]
_MOST_ENTRIES = 3_000_000  # of P, about 0.5 GB of Python objects


class TabularModel:
    """`P[s][a] = [(probability, next state, reward, terminated), …]` with the numbering of states and actions."""

    def __init__(self, scenario: CellSelection, control: str, others: Any = None):
        c = scenario.config
        self._scenario = scenario
        self._control = control
        self._others = others
        self._num_joint = c.num_cells**c.num_ues
        self._num_links = len(scenario.transition) ** (c.num_ues * c.num_cells)
        self.num_states = self._num_joint * self._num_links
        self.num_actions = self._num_joint if control == "all" else c.num_cells
        entries = self.num_states * self.num_actions * self._num_links
        if entries > _MOST_ENTRIES:
            raise ValueError(
                f"the table of {c.num_ues} UEs at {c.num_cells} cells has {self.num_states:,} states and up to "
                f"{entries:,} transitions, more than {_MOST_ENTRIES:,}: choose fewer UEs or cells."
            )

    @property
    def _cell_shape(self) -> tuple[int, ...]:
        return (self._scenario.config.num_cells,) * self._scenario.config.num_ues

    @property
    def _link_shape(self) -> tuple[int, ...]:
        c = self._scenario.config
        return (len(self._scenario.transition),) * (c.num_ues * c.num_cells)

    def index(self, serving: NDArray[Any], channel: NDArray[Any]) -> NDArray[np.intp]:
        """(…): numbers of states, from the UEs' serving cells (…, A) and the states of their channels (…, A, L)."""
        serving, channel = np.asarray(serving), np.asarray(channel)
        links = channel.reshape(*channel.shape[:-2], -1)
        cell = np.ravel_multi_index(tuple(np.moveaxis(serving, -1, 0).astype(np.intp)), self._cell_shape)
        link = np.ravel_multi_index(tuple(np.moveaxis(links, -1, 0).astype(np.intp)), self._link_shape)
        return np.asarray(cell * self._num_links + link)

    def decode(self, state: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The UEs' cells (…, A) and their links' states (…, A, L) of states (…)."""
        c = self._scenario.config
        cell, link = np.divmod(np.asarray(state), self._num_links)
        serving = np.stack(np.unravel_index(cell, self._cell_shape), axis=-1)
        channel = np.stack(np.unravel_index(link, self._link_shape), axis=-1)
        return serving, channel.reshape(*channel.shape[:-1], c.num_ues, c.num_cells)

    def now(self, batch: Batch, env: int = 0) -> int:
        """The state in which an environment of a batch is."""
        state, episodes = batch.state, batch.episodes
        return int(self.index(state.serving[env], episodes.channel[episodes.row[env], state.slot[env]]))

    def action(self, index: int) -> Any:
        """The environment's action of that number: a cell, or one for each UE."""
        if self._control != "all":
            return int(index)
        return np.stack(np.unravel_index(index, self._cell_shape)).astype(np.int64)

    @cached_property
    def P(self) -> Transitions:
        """Built at the first use. Transitions of probability 0 are left out."""
        steps = [(row[row > 0], np.flatnonzero(row)) for row in self._link_kernel()]
        joint = self._joint_actions()  # (state, action): number of the joint choice
        reward = self._rewards()  # (cells before, joint choice, next links)
        table: Transitions = {}
        for state in range(self.num_states):
            cell, link = divmod(state, self._num_links)
            probability, next_link = steps[link]
            chances = probability.tolist()
            table[state] = {
                a: [
                    (p, s, r, False)
                    for p, s, r in zip(
                        chances,
                        (b * self._num_links + next_link).tolist(),
                        reward[cell, b, next_link].tolist(),
                        strict=True,
                    )
                ]
                for a, b in enumerate(joint[state].tolist())
            }
        return table

    def _link_kernel(self) -> NDArray[np.float64]:
        """(links, links): all links move at once and independently."""
        kernel = np.ones((1, 1))
        for _ in self._link_shape:
            kernel = np.kron(kernel, self._scenario.transition)
        return kernel

    def _rewards(self) -> NDArray[np.float64]:
        """(cells before, joint choice, next links): what `step` pays, to the first UE or to all."""
        joint, links = self._num_joint, self._num_links
        before, choice, after = np.indices((joint, joint, links)).reshape(3, -1)
        serving, _ = self.decode(before * links)
        action, channel = self.decode(choice * links + after)
        episodes = CellSelectionEpisodes(
            row=np.arange(len(before)),
            channel=np.stack((channel, channel), axis=1).astype(np.uint8),
            first_cell=serving.astype(np.int64),
        )
        outcome = self._scenario.step(episodes, self._scenario.start(episodes), action.astype(np.int64))
        paid = outcome.reward.sum(axis=1) if self._control == "all" else outcome.reward[:, 0]
        return paid.reshape(joint, joint, links)

    def _joint_actions(self) -> NDArray[np.intp]:
        """(state, action): number of the joint choice that an action leads to."""
        everything = np.arange(self._num_joint)
        if self._control == "all":
            return np.broadcast_to(everything, (self.num_states, self._num_joint))
        chosen = self._others_choose() if self._others is not None else self.decode(np.arange(self.num_states))[0]
        joint = []
        for cell in range(self.num_actions):
            chosen[:, 0] = cell
            joint.append(np.ravel_multi_index(tuple(chosen.T), self._cell_shape))
        return np.stack(joint, axis=1)

    def _others_choose(self) -> NDArray[np.intp]:
        """(state, A): what the policy of the others does in each state, asked twice with different chance."""
        answers = [self._ask(seed) for seed in (0, 1)]
        if not (answers[0] == answers[1]).all():
            raise ValueError(
                f"the policy of the others, {self._others!r}, draws lots, so that its choices are not a function of "
                "the state: a table needs one that answers the same to the same observation."
            )
        return answers[0]

    def _ask(self, seed: int) -> NDArray[np.intp]:
        """What each UE would choose in each state; the first one's answers are overwritten."""
        serving, channel = self.decode(np.arange(self.num_states))
        batch = Batch(type(self._scenario)(self._scenario.config), 1)
        batch.reset([EpisodeKey(seed)])
        batch.num_envs = self.num_states  # a batch that holds all states at once; it is looked at and never stepped
        batch.episodes = CellSelectionEpisodes(
            row=np.arange(self.num_states),
            channel=channel[:, None].astype(np.uint8),
            first_cell=serving.astype(np.int64),
        )
        batch.state = batch.scenario.start(batch.episodes)
        return np.array(Rollout.of(self._others, batch, seed).act(), np.intp)


def tabular_model(scenario: Any, others: Any = None) -> TabularModel:
    """The table of a scenario, or of its centralised view; `others` is the policy object of all UEs but the first.

    Raises AttributeError for a scenario that has none, ValueError where it would be too large.
    """
    control = "first"
    if isinstance(scenario, JointScenario):
        scenario, control = scenario.scenario, "all"
    if not isinstance(scenario, CellSelection):
        raise AttributeError(f"{scenario.name} has no tabular model: its states are not finitely many.")
    return TabularModel(scenario, control, others)
