"""The best that anybody could have done on the drawn world: the hindsight-exact ceiling of UDN handover.

Where UEs go and what they hear does not depend on the cells chosen, so the best sequence of cells is a longest path
through slots and cells. A handover costs the same from and to every cell, so Viterbi's recursion needs O(T K):

    V_t(s) = max( R_t[s] + V_{t+1}(s),  max_a R_{t+w-1}[a] kept - beta E + V_{t+w}(a) )

A handover takes w slots, 1 or more, until the UE can decide again; an interruption leaves only the share `kept` of the
last one for data. With an interruption of at most one slot w is 1.

It is not in the paper (arXiv 1801.02077), whose reference [10] uses Viterbi's algorithm alike. It knows future fading
and is a bound for every causal controller, on every episode.

What it maximises is what a task scores: rewards and prices of the warm-up count as nothing, so the choice of the cell
with which the scored slots begin is free.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core import compiled
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Int64Array
from mmwave_gym.scenarios.handover.config import interruption


@dataclass
class Plan:
    """The best action of every row, slot and serving cell."""

    first: int  # slot of the first entry; before it, staying is as good as anything
    target: NDArray[np.int16]  # (slots, rows): the best cell to change to
    stay: NDArray[np.bool_]  # (slots, rows, cells): is staying at least as good as that?
    slot: NDArray[np.int64]  # (rows,): the slot of the next decision
    world: dict[str, NDArray[Any]]  # what was solved, to tell a new episode from a repetition


def best_changes(
    rate: NDArray[Any],
    departure: NDArray[np.int64],
    price: float,
    kept: float,
    masked: bool,
    begin: int,
    slots: range,
    wait: int = 1,
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """The best cell to change to, (slot, episode, ue), and whether staying is as good, (slot, episode, ue, cell).

    rate: (episode, slot, ue, cell) in bit/s/Hz; departure: (episode, ue), the first slot without the UE. A handover
    costs `price` (bit/s/Hz), takes `wait` slots and leaves the share `kept` of the last one for data. `masked`: only
    cells with a rate may be chosen. `begin`: the first slot that counts; `slots`: those of the answer.
    """
    num_envs, _, ues, cells = rate.shape
    target = np.empty((len(slots), num_envs, ues), np.int16)
    stay = np.empty((len(slots), num_envs, ues, cells), bool)
    if compiled.wanted(()):
        kept = rate.dtype.type(kept)  # NumPy multiplies float32 in its own precision
        oracle_kernel().plan(rate, departure, price, kept, wait, masked, begin, slots.start, target, stay)
        return target, stay
    nothing = np.zeros((num_envs, ues, cells))
    # Of the slots t + 1 to t + wait, with rewards of t to t + wait - 1; after the last slot all is 0.
    values, rewards = deque([nothing] * wait), deque([nothing] * wait)
    for i in reversed(range(len(slots))):
        t = slots[i]
        counts = ((t < departure) & (t >= begin))[..., None]
        rewards.appendleft(np.where(counts, rate[:, t], 0.0))
        rewards.pop()
        change = values[-1] + kept * rewards[-1] - price * counts
        keep = values[0] + rewards[0]
        if masked:
            change = np.where(rate[:, t] > 0.0, change, -np.inf)
        best = change.argmax(axis=-1)
        target[i] = best
        changed = np.take_along_axis(change, best[..., None], axis=-1)
        stay[i] = keep >= changed
        values.appendleft(np.maximum(keep, changed))
        values.pop()
    return target, stay


@cache
def oracle_kernel() -> Any:
    from mmwave_baselines.handover import oracle_kernel as kernel  # numba takes half a second to load

    return kernel


class Oracle(Rule):
    """Viterbi on the revealed world; ties stay. Works with interruption, departures, several UEs and masks.

    warmup_steps, scored_steps: the slots that do not count at first, and those that count then (None: all that
    follow), as in `Task`. rereads: whether rows may go on to new episodes without a new `begin`.
    """

    access = "hindsight"
    kind = "ceiling"
    label = "oracle (Viterbi)"

    def __init__(self, warmup_steps: int = 0, scored_steps: int | None = None, rereads: bool = True):
        at_least("warmup_steps", warmup_steps, 0, integer=True)
        if scored_steps is not None:
            at_least("scored_steps", scored_steps, 1, integer=True)
        self._warmup_steps = int(warmup_steps)
        self._scored_steps = scored_steps
        self._rereads = rereads
        self.config: dict[str, Any] = {"warmup_steps": self._warmup_steps, "scored_steps": scored_steps}

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Oracle:
        """The oracle of what `task` scores; of whole episodes without one."""
        if training_seed is not None:
            raise AgentError(f"oracle is not trained and has no training seeds, got {training_seed}.")
        if task is None:
            return cls()
        return cls(task.warmup_steps, task.scored_steps, rereads=task.carry > 1)

    def remember(self, view: View) -> Plan:
        return self._plan(view, view.look())

    def restart(self, memory: Plan, view: View, rows: NDArray[np.bool_]) -> Plan:
        plan = self._reread(memory, view) if self._rereads else memory
        plan.slot[rows] = 0
        return plan

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        plan: Plan = seen.memory
        serving = seen["serving"].argmax(axis=1)
        row = np.arange(len(serving))
        # Agent slots whose UE has left play on without effect, so the last entry will do for them.
        at = np.clip(plan.slot - plan.first, 0, len(plan.target) - 1)
        target = plan.target[at, row]
        stays = plan.stay[at, row, serving] | (plan.slot < plan.first)
        if seen.mask is not None:  # during an interruption, all others are forbidden
            stays |= ~seen.mask[row, target]
        plan.slot += 1
        return np.where(stays, serving, target)

    def _reread(self, plan: Plan, view: View) -> Plan:
        """The plan for the episodes that run now, which may be new ones."""
        world = view.look()
        if all(np.array_equal(world[name], plan.world[name]) for name in plan.world):
            return plan
        fresh = self._plan(view, world)
        fresh.slot = plan.slot
        return fresh

    def _plan(self, view: View, world: dict[str, NDArray[Any]]) -> Plan:
        efficiency = world["efficiency_bps_hz"]  # (num_envs, slots, ues, cells)
        num_envs, _, ues, cells = efficiency.shape
        # Worlds that hide cells allow the serving cell and every cell that is heard, which are those with a rate.
        masked = any(field.name == "heard" for field in view.fields)
        wait, kept = interruption(view.constants)
        horizon = view.horizon
        begin = self._warmup_steps
        end = horizon if self._scored_steps is None else min(horizon, begin + self._scored_steps)
        # Where all are heard, a handover at the end of the warm-up can reach every cell; else it may take longer.
        first = 0 if masked else max(0, begin - wait)
        price = view.constants["beta"] * view.constants["handover_energy_j"]

        target, stay = best_changes(efficiency, world["departure"], price, kept, masked, begin, range(first, end), wait)
        rows = num_envs * ues
        return Plan(
            first,
            target.reshape(-1, rows),
            stay.reshape(-1, rows, cells),
            np.zeros(rows, np.int64),
            {name: world[name] for name in ("efficiency_bps_hz", "departure")} if self._rereads else {},
        )
