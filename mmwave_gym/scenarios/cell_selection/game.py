"""Cell selection: user equipments (UEs) share a few cells, and the states of their links come and go.

The paper is M. Mezzavilla, S. Goyal, S. Panwar, S. Rangan, M. Zorzi, "An MDP Model for Optimal Handover Decisions in
mmWave Cellular Networks", EuCNC 2016 (arXiv 1507.00387), sections II and IV.

A link is in line of sight (LOS), in non-line-of-sight (NLOS, weaker) or in outage. A slot:

1. Every UE sees the state K(t) of its own links, and how many other UEs were at each cell.
2. All UEs choose a cell at once.
3. The links move on to K(t+1).
4. A UE receives the rate of its link's new state, divided by the UEs that chose the same cell. If the cell is a new
   one, the share `handover_cost` of the slot is lost (eq. 9).

All links follow one transition matrix, independently of each other and of all actions.

Differences from the paper, and choices where it is silent:

1. The matrix (14) is read in the order (LOS, NLOS, outage), not in that of eq. 1. Only then its stationary law is
   that of the paper's recipe, and its diagonal has the order of T_avg.
2. (14) does not follow from the recipe: its mean sojourns are 2.2, 5 and 1.3 slots instead of 5, 25 and 3.
   `transition="recipe"` is the matrix that comes nearest to them with the recipe's stationary law.
3. The rates are not printed. They are averages of log2(1 + SNR / 2) over a disc of 200 m with the path loss of
   Akdeniz et al. (`radio.nyu_28ghz`), times the data symbols' share 24/30 of a slot. `rate_bps_hz` names others.
4. A UE counts the *other* UEs at each cell. With sum U = N (eq. 4) and U + 1 in eq. 9, a UE that stays would be counted
   twice.
5. Those who are at a cell in a slot share it. The UE of the paper plans with the loads of the slot before (footnote 1),
   which is `load="previous"`.
6. The rate is that of the links after the decision, K(t+1), as eqs. 8 and 9 say ("R of s_j").
7. A UE in outage keeps its share of the cell's slot; `load="served"` gives it to the others.
8. At the start every UE is at a random cell, and the links have their stationary law.
9. A UE pays for a handover at its first decision too; its cell before the episode is known.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import (
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField,
    ObservationFields,
    Outcome,
    Scenario,
)
from mmwave_gym.scenarios.cell_selection import markov
from mmwave_gym.scenarios.cell_selection.config import STATES, CellSelectionConfig, resolve_rates, resolve_transition
from mmwave_gym.scenarios.cell_selection.rewards import REWARDS

_MOST_ROWS = 2**14  # of the table of observations: larger ones would leave the cache


@dataclass
class CellSelectionEpisodes(Episodes):
    """Drawn episodes; axis 0 is storage."""

    channel: NDArray[np.uint8]  # (storage, slot 0..horizon, ue, cell): state of the link, an index of the matrix
    first_cell: NDArray[np.int64]  # (storage, ue): the cell before the first slot


@dataclass
class CellSelectionState:
    slot: NDArray[np.int64]  # (N,)
    link: NDArray[np.int64]  # (N, A): where `channel`, seen flat, has each UE's first link in this slot
    serving: NDArray[np.int64]  # (N, A): the cell of the last slot
    load: NDArray[np.int64]  # (N, cell): UEs at each cell in the last slot


class CellSelection(Scenario[CellSelectionEpisodes, CellSelectionState]):
    """The scenario of the module's text: one agent a UE, one step a slot, all decide at once."""

    name = "cell_selection"
    agent_noun = "ue"
    action_meaning = "the cell of the coming slot"
    reward_unit = "bit/s/Hz"
    metrics = (
        Metric("spectral_efficiency_bps_hz", "bit/s/Hz", "step", "spectral efficiency received, summed over UEs"),
        Metric("own_efficiency_bps_hz", "bit/s/Hz", "step", "spectral efficiency that a UE received"),
        Metric("handovers_per_slot", "1", "step", "UEs that changed their cell in a slot"),
        Metric("outage_fraction", "1", "step", "share of a UE's slots without a link (rate 0)"),
        Metric("load_imbalance", "1", "step", "UEs at the fullest cell minus UEs at the emptiest"),
    )

    def __init__(self, config: CellSelectionConfig):
        self.config = config
        matrix, slot_s = resolve_transition(config.transition)
        self.transition = np.array(matrix)
        self.rate_bps_hz = np.array(resolve_rates(config.rate_bps_hz, len(matrix)))
        self.step_s = float(slot_s if config.step_s is None else config.step_s)
        self.num_agents = self.max_agent_ids = config.num_ues
        self.horizon = config.horizon
        self.action_space = spaces.Discrete(config.num_cells)
        self.reward = REWARDS[config.reward]
        self.reward_meaning = self.reward.meaning
        self.fields = self._fields()
        self._sampler = markov.ChainSampler(self.transition)
        self._links_of_slot = config.num_ues * config.num_cells
        # By link state: what a UE alone keeps if it stays, then if it changed its cell; and whether that is nothing.
        self._kept_bps_hz = np.append(self.rate_bps_hz, (1.0 - config.handover_cost) * self.rate_bps_hz)
        self._is_outage = (self.rate_bps_hz == 0.0).astype(np.float64)
        self._first_cell = np.empty((0, config.num_ues), np.int64)
        self._rows = self._observation_rows()

    def _fields(self) -> ObservationFields:
        cells, k = self.config.num_cells, len(self.transition)
        states = STATES if k == len(STATES) else tuple(f"state_{i}" for i in range(k))
        texts = {"los": "in line of sight", "nlos": "not in line of sight", "outage": "in outage"}
        most = float(max(self.config.num_ues - 1, 1))
        return ObservationFields(
            (
                *(
                    ObservationField(
                        s,
                        cells,
                        0.0,
                        1.0,
                        "1",
                        f"1 for each cell whose link is {texts.get(s, 'in ' + s)} now",
                        per="choice",
                    )
                    for s in states
                ),
                ObservationField("serving", cells, 0.0, 1.0, "1", "one-hot: the cell of the last slot", per="choice"),
                ObservationField(
                    "others", cells, 0.0, most, "1", "other UEs at each cell in the last slot", per="choice"
                ),
            )
        )

    # ------------------------------------------------------------------ the world

    def draw(self, rngs: Sequence[EpisodeRng]) -> CellSelectionEpisodes:
        c, n = self.config, len(rngs)
        links = (c.horizon + 1, c.num_ues, c.num_cells)
        channel = np.empty((n, *links), np.uint8)
        first_cell = np.empty((n, c.num_ues), np.int64)
        for i, rng in enumerate(rngs):
            channel[i] = self._sampler.stationary_paths(markov.uniform_words(rng["channel"], links))
            first_cell[i] = self._first_cells(rng)
        return CellSelectionEpisodes(row=np.arange(n), channel=channel, first_cell=first_cell)

    def _first_cells(self, rng: EpisodeRng) -> NDArray[np.int64]:
        c = self.config
        if c.start == "uniform":
            return rng["start"].integers(0, c.num_cells, c.num_ues)
        return np.arange(c.num_ues) % c.num_cells if c.start == "spread" else np.array(c.start, np.int64)

    # ------------------------------------------------------------------ the game

    def start(self, episodes: CellSelectionEpisodes) -> CellSelectionState:
        serving = episodes.first_cell[episodes.row]
        slot = np.zeros(len(serving), np.int64)
        links_of_episode = episodes.channel[0].size
        link = episodes.row[:, None] * links_of_episode + np.arange(0, self._links_of_slot, self.config.num_cells)
        return CellSelectionState(slot=slot, link=link, serving=serving, load=self._loads(serving))

    def _loads(self, cell: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N, cell): UEs at each cell, from the cells of the UEs (N, A)."""
        n, cells = len(cell), self.config.num_cells
        return np.bincount((cell + self._cell_of_env(n)).ravel(), minlength=n * cells).reshape(n, cells)

    def step(self, episodes: CellSelectionEpisodes, state: CellSelectionState, action: NDArray[Any]) -> Outcome:
        n, a = action.shape
        state.slot += 1
        state.link += self._links_of_slot
        handover = action != state.serving
        link_state = episodes.channel.reshape(-1).take(state.link + action)
        load = self._loads(action)
        own = self.received_bps_hz(link_state, action, handover, load, state.load)
        total = _over_columns(np.add, own)

        state.serving = action.copy()
        state.load = load
        return Outcome(
            reward=self.reward.bps_hz(own, total),
            terminated=np.zeros((n, a), bool),
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(n, self.step_s),
            metrics={
                "spectral_efficiency_bps_hz": total,
                "own_efficiency_bps_hz": own,
                "handovers_per_slot": _over_columns(np.add, handover.astype(np.float64)),
                "outage_fraction": self._is_outage.take(link_state),
                "load_imbalance": (_over_columns(np.maximum, load) - _over_columns(np.minimum, load)).astype(
                    np.float64
                ),
            },
        )

    def received_bps_hz(
        self,
        link_state: NDArray[Any],
        cell: NDArray[np.int64],
        handover: NDArray[np.bool_],
        load: NDArray[np.int64],
        load_before: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """(N, A): what each UE receives in a slot, in bit/s/Hz (eq. 9).

        cell: the cell that each UE chose, (N, A); link_state: the index of the state of the link to it in this slot,
        (N, A); handover: whether it is a new cell, (N, A); load, load_before: UEs at each cell in this slot and in the
        one before, (N, cell).
        """
        n, a = cell.shape
        at = (cell + self._cell_of_env(n)).ravel()  # each UE's cell among the cells of all environments
        if self.config.load == "previous":
            sharing = load_before.ravel().take(at).reshape(n, a) + handover
        elif self.config.load == "served":
            served = np.bincount(at, self._is_outage.take(link_state).ravel() == 0.0, minlength=load.size)
            sharing = np.maximum(served.take(at), 1.0).reshape(n, a)
        else:
            sharing = load.ravel().take(at).reshape(n, a)
        return self._kept_bps_hz.take(handover * np.uint8(len(self.transition)) + link_state) / sharing

    def _cell_of_env(self, n: int) -> NDArray[np.int64]:
        """(n, A): number of each environment's first cell. Kept, because broadcasting over few columns is slow."""
        if len(self._first_cell) != n:
            first = np.arange(0, n * self.config.num_cells, self.config.num_cells)
            self._first_cell = np.repeat(first, self.config.num_ues).reshape(n, -1)
        return self._first_cell

    def observe(self, episodes: CellSelectionEpisodes, state: CellSelectionState) -> NDArray[np.float32]:
        c, k = self.config, len(self.transition)
        n, slots = len(state.slot), episodes.channel.shape[1]
        of_slot = episodes.channel.reshape(-1, self._links_of_slot)
        channel = of_slot.take(episodes.row * slots + state.slot, axis=0).reshape(n, c.num_ues, c.num_cells)
        if self._rows is None:
            observation = np.empty((*state.serving.shape, self.fields.size), np.float32)
            self._write(observation, channel, state.serving, state.load[:, None])
            return observation
        load_number = np.zeros(n, np.int64)
        for cell in range(c.num_cells - 1):
            load_number = load_number * (c.num_ues + 1) + state.load[:, cell]
        number = np.repeat(load_number, c.num_ues).reshape(n, c.num_ues)
        for cell in range(c.num_cells):
            number *= k
            number += channel[..., cell]
        number *= c.num_cells
        number += state.serving
        return self._rows.take(number, axis=0)

    def _write(
        self, observation: NDArray[np.float32], channel: NDArray[Any], serving: NDArray[Any], load: NDArray[Any]
    ) -> None:
        """Fill (…, F) from channels (…, cell), serving cells (…) and loads (…, cell), which count oneself."""
        k, cells = len(self.transition), self.config.num_cells
        for cell in range(cells):
            for state in range(k):
                observation[..., state * cells + cell] = channel[..., cell] == state
            observation[..., k * cells + cell] = serving == cell
            observation[..., (k + 1) * cells + cell] = load[..., cell] - (serving == cell)

    def _observation_rows(self) -> NDArray[np.float32] | None:
        """Every observation there can be: row (loads but the last, channels, serving cell) in lexicographic order.

        None if there are too many; rows of loads that cannot be mean nothing.
        """
        k, ues, cells = len(self.transition), self.config.num_ues, self.config.num_cells
        shape = (*(ues + 1,) * (cells - 1), *(k,) * cells, cells)
        if math.prod(shape) > _MOST_ROWS:
            return None
        digits = np.indices(shape).reshape(len(shape), -1)
        load, channel, serving = digits[: cells - 1], digits[cells - 1 : -1], digits[-1]
        rows = np.empty((len(serving), self.fields.size), np.float32)
        self._write(rows, channel.T, serving, np.vstack((load, ues - load.sum(axis=0))).T)
        return rows

    def reveal(
        self, episodes: CellSelectionEpisodes, state: CellSelectionState, access: str
    ) -> dict[str, NDArray[Any]]:
        """Arrays by name.

        Returns from "central": `channel` (N, A, cell), indices of link states now; `serving` (N, A), cells; `slot`
        (N,). "hindsight" adds `channels` (N, slot, A, cell), the link states of the whole episode.
        """
        if access == "local":
            return {}
        known: dict[str, NDArray[Any]] = {
            "channel": episodes.channel[episodes.row, state.slot],
            "serving": state.serving,
            "slot": state.slot,
        }
        if access == "hindsight":
            known["channels"] = episodes.channel[episodes.row]
        return known

    def memory(self) -> Memory:
        c, states = self.config, len(self.transition)
        links = (c.horizon + 1) * self._links_of_slot
        drawing = 16 if self._sampler.has_table else 16 + 5 * states
        table = 0 if self._rows is None else 3 * self._rows.nbytes
        state = 16 * c.num_cells + c.num_ues * (150 + 8 * self.fields.size)
        return Memory(links + 8 * c.num_ues, state, links * drawing, table)

    def constants(self) -> Mapping[str, Any]:
        """The configuration with names resolved to numbers, and the stationary law: the model is public."""
        return {
            **dataclasses.asdict(self.config),
            "transition": tuple(tuple(row) for row in self.transition.tolist()),
            "rate_bps_hz": tuple(self.rate_bps_hz.tolist()),
            "stationary_law": tuple(markov.stationary_law(self.transition).tolist()),
            "step_s": self.step_s,
        }


def _over_columns(operation: np.ufunc, values: NDArray[Any]) -> NDArray[Any]:
    """(N,): `operation` over the columns of (N, C), one after the other: NumPy is slow along a short last axis."""
    result = values[:, 0].copy()
    for column in range(1, values.shape[1]):
        operation(result, values[:, column], out=result)
    return result
