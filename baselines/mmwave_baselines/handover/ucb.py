"""UCB over cells, the paper's learning baseline (arXiv 1801.02077, eq. 34-35): each cell is an arm of a bandit.

The reward is that of the environment (eq. 17), price of handovers included. The paper's text leaves three things
open, and they matter:

1. Arms that were never played come first: the serving cell if it is one, then the lowest index.
2. Ties go to the serving cell. With the lowest index instead, a UE whose every switch earns the same cycles for ever.
3. Eq. 34 needs rewards on the scale of 1, and the paper gives none. `Ucb` takes the reward as it is, in bit/s/Hz,
   which explores little; `NormalisedUcb` divides by 30 bit/s/Hz, which explores for long and pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.rules import num_cells, read
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, RuleState, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array


@dataclass
class UcbMemory:
    """What each row knows of its cells. It outlives episodes: `begin` starts it, nothing else resets it."""

    plays: NDArray[np.int64]  # (rows, cells): M of eq. 34
    mean: NDArray[np.float64]  # (rows, cells): mu of eq. 34, in units of `reward_scale_bps_hz`


class Ucb(Rule):
    """argmax over k of mu_k + sqrt(2 ln t / M_k), mu the running mean of the reward in bit/s/Hz; learns as it goes.

    t counts the row's plays, this one included. Cells that the action mask forbids are no arms of that slot.
    """

    kind = "paper"
    carries = True
    label = "UCB, raw reward"
    reward_scale_bps_hz = 1.0

    def __init__(self) -> None:
        self.config: dict[str, Any] = {"reward_scale_bps_hz": self.reward_scale_bps_hz}

    def remember(self, view: View) -> UcbMemory:
        shape = (view.num_rows, num_cells(view))
        return UcbMemory(np.zeros(shape, np.int64), np.zeros(shape))

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, memory = read(seen), seen.memory
        t = memory.plays.sum(axis=1, keepdims=True) + 1
        bonus = np.sqrt(2.0 * np.log(t) / np.maximum(memory.plays, 1))
        index = np.where(memory.plays > 0, memory.mean + bonus, np.inf)
        index[~now.allowed] = -np.inf
        best = index.argmax(axis=1)
        return np.where(now.of(index, now.serving) == now.of(index, best), now.serving, best)

    def learn(
        self,
        state: RuleState,
        observation: NDArray[Any],
        action: Int64Array,
        reward: NDArray[np.float64],
        next_observation: NDArray[Any],
        done: NDArray[np.bool_],
        info: dict[str, Any],
    ) -> RuleState:
        """Update plays and means by eq. 35. Changes and returns `state`.

        observation (rows, features): its `serving` shows which rows hold a UE. action (rows,): the cells that were
        played. reward (rows,), bit/s/Hz. Not used: next_observation (rows, features), done (rows,) and info.
        """
        # An agent slot whose UE has left shows zeros and plays no arm.
        rows = np.flatnonzero(state.view.fields.split(observation)["serving"].any(axis=1))
        played = action[rows]
        memory: UcbMemory = state.memory
        memory.plays[rows, played] += 1
        step = reward[rows] / self.reward_scale_bps_hz - memory.mean[rows, played]
        memory.mean[rows, played] += step / memory.plays[rows, played]
        return state


class NormalisedUcb(Ucb):
    """UCB with the reward divided by 30 bit/s/Hz.

    UCB's bound is for rewards in [0, 1]. In the paper's world rates are 20 to 28 bit/s/Hz and seldom above 30 (30 dBm
    at one metre without shadowing: 31.4), so the division brings the reward without a handover into [0, 1], nearly. A
    shift by the handover's price would not change the argmax.
    """

    label = "UCB, reward / 30"
    reward_scale_bps_hz = 30.0
