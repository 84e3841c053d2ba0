"""Handover in an ultra-dense network (UDN): a user equipment (UE) walks among small cells and chooses the serving one.

The paper is Z. Wang, L. Li, Y. Xu, H. Tian, S. Cui, "Handover Control in Wireless Systems via Asynchronous
Multi-User Deep Reinforcement Learning", IEEE IoT Journal 5(6), 2018 (arXiv 1801.02077), sections III and V.

A slot:

1. The UE hears every cell (path loss, shadowing, fading) and knows which cell served it.
2. It chooses a cell.
3. It receives that cell's rate. A change of the cell costs beta * E (eq. 17).

Cells have no load here. So UEs do not disturb each other, and the best sequence of cells is a shortest path.

`MmwaveHandover-v0` is the paper's world. No real receiver could play it. The controller sees the fading of the very
slot that it decides. A rate of 26 bit/s/Hz needs an SNR of 78 dB, while the best code of 5G ends at 7.4 bit/s/Hz.

`MmwaveHandover-v1` is the same world with `receiver="real"` (`config.RECEIVERS`):

* The UE knows the reference signal received quality (RSRQ) of the slot before, with its fading. Before the first slot
  it knows the mean over fading.
* SINR_k = S_k / (1 + c * sum of the other S_j). S: signal to noise ratios with fading. c: `interference_db` as a
  ratio. Other cells transmit whether or not they serve anybody.
* The rate is min(log2(1 + SINR), `most_bps_hz`).
* A handover leaves `interruption_s` without data, from the start of its slot on. In slots that begin during an
  interruption the UE stays, whatever its action is. The action mask then allows the serving cell alone, and the field
  `interruption_left_s` says how long. Mask and field exist where an interruption is longer than a slot.

Differences from the paper, and choices where it is silent:

1. The paper gives no slot length. A slot is 50 ms here, its longest handover interruption (`step_s`).
2. The rate in the reward is in bit/s/Hz: with Mbit/s beta costs nothing, with Gbit/s everything (`beta`).
3. In v0 the handover interruption is left out of the rate, as the paper's trade-off in beta needs; `interruption_s`
   puts it back.
4. Shadowing is one map a cell, correlated over 6 m on a 1 m grid; the paper says only "log-normal, 8 dB". With
   `shadowing="independent"` every slot draws anew, which at steps of 10 cm is not physical.
5. Rayleigh fading is drawn anew every slot. In v0 the controller sees it, as the reward does. `fading="past"` shows
   that of the slot before, `fading="averaged"` the mean, `fading="none"` has none.
6. A UE's speed is drawn once. It begins at the centre and is first served by the strongest cell that it hears.
7. The distance is at least 1 m. RSRQ is the cell's share of the received power in dB, without 3GPP's constant.
8. Every episode has a new layout of cells; the paper keeps one an area. `layout_seed` fixes it.
9. `boundary="leave"` ends an episode where the UE leaves, as the paper does. With "stay" the walls stop it. With
   "open" it walks on, and shadowing stays as at the wall.

With `channel=…` the world is a link matrix (measured, ray-traced, recorded) instead of the paper's, and:

10. The reference signal received power (RSRP) comes from the file as `mmwave_gym.links.matrix` says, with walks along
    its places. No fading and no shadowing is added, so a real receiver sees all of the present. The noise is the
    file's.
11. A cell that is not heard at a place has rate 0, the lowest RSRQ and 0 in the field "heard". A UE that it serves
    is in outage. Actions are masked to the heard cells and the serving one.
12. RSRQ has the noise in its denominator, as 3GPP's has. Otherwise a lone cell at -100 dBm would look like one at
    -60 dBm. Differences of RSRQ are still those of RSRP.
13. A UE is first served by the strongest cell that it hears, by the first of the file if it hears none. It never
    leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.scenario import EpisodeRng, Metric, ObservationField, ObservationFields, Outcome, Scenario
from mmwave_gym.radio import units as radio
from mmwave_gym.scenarios.handover.compiled_world import open_world
from mmwave_gym.scenarios.handover.config import HandoverConfig, interrupted_slots
from mmwave_gym.scenarios.handover.world import LOWEST_RSRQ_DB, HandoverEpisodes, empty_episodes

OUTAGE_SNR_DB = -8.0  # Qout as 3GPP TR 36.839 takes it: below, the link counts as out of synchronisation
PING_PONG_WINDOW_S = 1.0  # 3GPP TR 36.839: a return to the old cell within the minimum time of stay


@dataclass
class HandoverState:
    slot: NDArray[np.int64]  # (N,)
    line: NDArray[np.int64]  # (N, A): where `HandoverEpisodes.link` has this slot, its first three axes made one
    departure: NDArray[np.int64]  # (N, A): that of the running episode
    serving: NDArray[np.int64]  # (N, A): the cell of the last slot
    previous: NDArray[np.int64]  # (N, A): the cell before that one, -1 for none
    handover_slot: NDArray[np.int64]  # (N, A): when `serving` took over, long ago at first


class Handover(Scenario[HandoverEpisodes, HandoverState]):
    """The scenario of the module's text: one agent a UE, one step a slot."""

    name = "handover"
    agent_noun = "ue"
    action_meaning = "the cell that serves the coming slot"
    reward_meaning = (
        "spectral efficiency received in the slot (less the share lost to `interruption_s` at a handover), "
        "minus `beta` * `handover_energy_j` if the cell is a new one (eq. 17)"
    )
    reward_unit = "bit/s/Hz"
    metrics = (
        Metric("throughput_bps_hz", "bit/s/Hz", "step", "mean spectral efficiency received"),
        Metric("handovers_per_s", "1/s", "second", "handovers"),
        Metric("handover_energy_w", "W", "second", "power spent on handovers"),
        Metric("ping_pongs_per_s", "1/s", "second", "returns to the previous cell within a second"),
        Metric("outage_fraction", "1", "step", "share of slots with an SNR, or SINR with interference, below -8 dB"),
    )

    def __init__(self, config: HandoverConfig):
        self.config = config
        self.world = open_world(config)
        self.num_cells = cells = self.world.num_cells
        self.num_agents = self.max_agent_ids = config.num_ues
        self.horizon = config.horizon
        self._interrupted = interrupted_slots(config.interruption_s, config.step_s)
        self._some_busy = self._interrupted > 1.0  # can a decision fall into an interruption?
        self.masked = self.world.hides_cells or self._some_busy
        self.action_space = spaces.Discrete(cells)
        self.fields = self._fields()
        self._ping_pong_slots = round(PING_PONG_WINDOW_S / config.step_s)
        self._outage_bps_hz = float(radio.spectral_efficiency_bps_hz(radio.db_to_linear(OUTAGE_SNR_DB)))
        self._handover_cost = config.beta * config.handover_energy_j
        self._some_leave = self.world.ues_leave and config.num_ues > 1  # while the others go on
        self._ue = np.arange(config.num_ues)
        self._step_s = np.full(1, config.step_s)
        self._one_hot = np.eye(cells, dtype=np.float32)

    def _fields(self) -> ObservationFields:
        k = self.num_cells
        fields = [
            ObservationField(
                "rsrq_db", k, LOWEST_RSRQ_DB, 0.0, "dB", "share of each cell in the received power", per="choice"
            ),
            ObservationField("serving", k, 0.0, 1.0, "1", "one-hot: the cell that served the last slot", per="choice"),
        ]
        if self.world.hides_cells:
            fields.append(
                ObservationField("heard", k, 0.0, 1.0, "1", "1 for each cell that is heard here", per="choice")
            )
        if self._some_busy:
            most_s = self.config.interruption_s
            fields.append(
                ObservationField("interruption_left_s", 1, 0.0, most_s, "s", "time until data flow after a handover")
            )
        return ObservationFields(fields)

    def draw(self, rngs: Sequence[EpisodeRng]) -> HandoverEpisodes:
        episodes = empty_episodes(self.config, len(rngs), self.num_cells)
        self.draw_into(rngs, episodes, episodes.row)
        return episodes

    def draw_into(self, rngs: Sequence[EpisodeRng], episodes: HandoverEpisodes, rows: NDArray[np.intp]) -> None:
        self.world.draw_into(rngs, episodes, rows)

    def start(self, episodes: HandoverEpisodes) -> HandoverState:
        strongest = episodes.rsrq_db[episodes.row, 0].argmax(axis=-1)  # the first cell costs no handover
        return HandoverState(
            slot=np.zeros(len(strongest), np.int64),
            line=(episodes.row * (self.horizon + 1))[:, None] * self.num_agents + self._ue,
            departure=episodes.departure[episodes.row],
            serving=strongest,
            previous=np.full_like(strongest, -1),
            handover_slot=np.full_like(strongest, -(2**31)),
        )

    def step(self, episodes: HandoverEpisodes, state: HandoverState, action: NDArray[Any]) -> Outcome:
        slot = state.slot[:, None]
        if self._some_busy:
            action = np.where(self._busy(state), state.serving, action)
        handover = action != state.serving
        # A flat index is thrice as fast as four.
        k = self.num_cells
        efficiency = episodes.link.take(2 * k * state.line + k + action).astype(np.float64)
        outage = efficiency < self._outage_bps_hz
        if self._some_leave:
            present = slot < state.departure
            handover, efficiency, outage = handover & present, efficiency * present, outage & present
        handovers = handover.astype(np.float64)
        back = (action == state.previous) & (slot <= state.handover_slot + self._ping_pong_slots)
        throughput = efficiency
        if self._some_busy:
            since = np.where(handover, 0, slot - state.handover_slot)
            throughput = efficiency * np.minimum(np.maximum(since + (1.0 - self._interrupted), 0.0), 1.0)
        elif self._interrupted:
            throughput = efficiency * (1.0 - self._interrupted * handovers)

        np.putmask(state.previous, handover, state.serving)  # takes half the time of copyto, does not broadcast
        np.copyto(state.handover_slot, slot, where=handover)
        np.putmask(state.serving, handover, action)
        state.slot = state.slot + 1  # in place would be slower, and `slot` is a view of it
        state.line = state.line + self.num_agents

        return Outcome(
            reward=throughput - self._handover_cost * handovers,
            terminated=state.slot[:, None] == state.departure,
            truncated=state.slot >= self.horizon,
            elapsed_s=self._step_s.repeat(len(slot)),
            metrics={
                "throughput_bps_hz": throughput,
                "handovers_per_s": handovers,
                "handover_energy_w": self.config.handover_energy_j * handovers,
                "ping_pongs_per_s": handovers * back,
                "outage_fraction": outage.astype(np.float64),
            },
        )

    def observe(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.float32]:
        k = self.num_cells
        observation = episodes.link.reshape(-1, 2 * k).take(state.line, axis=0)
        if self.world.hides_cells:
            heard = (observation[..., k:] > 0.0).astype(np.float32)
            observation = np.concatenate((observation, heard), axis=-1)
        if self._some_busy:
            left = np.maximum(state.handover_slot - state.slot[:, None] + self._interrupted, 0.0)
            left_s = (left * self.config.step_s).astype(np.float32)[..., None]
            observation = np.concatenate((observation, left_s), axis=-1)
        observation[..., k : 2 * k] = self._one_hot.take(state.serving, axis=0)  # the rates are for `step` only
        if self._some_leave:
            observation[self.agent_ids(episodes, state) < 0] = 0.0
        return observation

    def action_mask(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.bool_] | None:
        if not self.masked:
            return None
        allowed = self._one_hot.take(state.serving, axis=0) > 0.0
        if self.world.hides_cells:
            # Whatever is heard has a rate: LinkMatrix bounds RSRP and noise, so that log1p stays above 0 in float32.
            others = episodes.efficiency_bps_hz[episodes.row, state.slot] > 0.0
        else:
            others = np.ones_like(allowed)
        if self._some_busy:
            others &= ~self._busy(state)[..., None]
        return allowed | others

    def _busy(self, state: HandoverState) -> NDArray[np.bool_]:
        """(N, A): does an interruption still run at this decision?"""
        busy: NDArray[np.bool_] = state.slot[:, None] - state.handover_slot < self._interrupted
        return busy

    def agent_ids(self, episodes: HandoverEpisodes, state: HandoverState) -> NDArray[np.int64]:
        return np.where(state.slot[:, None] < state.departure, self._ue, -1)

    def reveal(self, episodes: HandoverEpisodes, state: HandoverState, access: str) -> dict[str, NDArray[Any]]:
        """Arrays by name.

        Returns from "trajectory": `position_m` (N, slot, A, 2) and `site_m` (N, cell, 2) in metres, where the world
        knows them. "hindsight" adds `efficiency_bps_hz` (N, slot, A, cell), and `departure` (N, A), the first slot
        without the UE.
        """
        if access not in ("trajectory", "hindsight"):
            return {}
        known: dict[str, NDArray[Any]] = {name: getattr(episodes, name)[episodes.row] for name in self.world.known}
        if access == "hindsight":
            known["efficiency_bps_hz"] = episodes.efficiency_bps_hz[episodes.row]
            known["departure"] = episodes.departure[episodes.row]
        return known

    def memory(self) -> Memory:
        return self.world.memory()

    def constants(self) -> Mapping[str, Any]:
        """The keywords that mean something in this world, and what else every agent may know of it."""
        return self.world.constants()
