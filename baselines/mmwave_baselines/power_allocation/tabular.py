"""CDP-Q, EXP-Q and learning on the difference reward, as agents that learn while they play.

R. Amiri, H. Mehrpouyan, arXiv 1804.05757, section IV; `q_learning` has the rule, its readings and whole runs of it.
Each base station has a table of one value a level (it never moves, so its ring never changes), all zeros when its
episode begins. It explores in the first 80 % of the time there is to learn: a task's warm-up, or where there is none,
or no task, the horizon. It learns to the end. Ties go to the lowest level.

An agent receives what the UEs of other base stations measure; each class says how many bytes a step that takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation.q_learning import EXPLORING
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, RuleState, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.types import FloatArray, Int64Array
from mmwave_gym.radio.units import spectral_efficiency_bps_hz


@dataclass
class Learning:
    """What the rows have learnt. Rows of one environment copy are neighbours."""

    q: FloatArray  # (rows, levels)
    age: Int64Array  # (rows,): steps learnt
    learns_for: int
    """Steps until which an agent should have learnt."""
    here: NDArray[np.bool_]  # (rows,): who played the last step
    phase: Int64Array  # (num_envs,): of the clusters and gains below
    order: Int64Array  # (rows,): by group
    starts: Int64Array  # (groups,): in that order
    group: Int64Array  # (rows,)
    gain: NDArray[Any]  # (num_envs, A, A), or (num_envs,) sparse
    far_gain: FloatArray  # (num_envs, A)


class Tabular(Rule):
    """What all share. alpha: share of a new value, (0, 1]. gamma: discount, [0, 1). epsilon: chance of a random level.

    learning_steps: how long there is to learn, None: the horizon. ValueError names what is wrong.
    """

    kind = "paper"
    rule: ClassVar[str] = "independent"
    needs_gains: ClassVar[bool] = False
    first_q: ClassVar[float] = 0.0
    _defaults: ClassVar[tuple[float, float, float]] = (0.5, 0.9, 0.1)  # authors' code

    def __init__(
        self,
        alpha: float | None = None,
        gamma: float | None = None,
        epsilon: float | None = None,
        learning_steps: int | None = None,
    ):
        given = [d if g is None else g for g, d in zip((alpha, gamma, epsilon), self._defaults, strict=True)]
        self._alpha, self._gamma, self._epsilon = map(float, given)
        at_least("alpha", self._alpha, 0.0, strict=True)
        for name, value in (("alpha", self._alpha), ("gamma", self._gamma), ("epsilon", self._epsilon)):
            between(name, value, 0.0, 1.0)
        if learning_steps is not None:
            at_least("learning_steps", learning_steps, 1, integer=True)
        self._learning_steps = learning_steps
        self.config: dict[str, Any] = {
            "alpha": self._alpha,
            "gamma": self._gamma,
            "epsilon": self._epsilon,
            "learning_steps": learning_steps,
        }

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Tabular:
        """The agent for a task: it explores in 80 % of the warm-up."""
        if training_seed is not None:
            raise AgentError(f"{cls.label} has no training seeds, got {training_seed}.")
        if task is None:
            return cls()
        if not task.missing_data:
            cls._check_levels(task.scenario().constants())
        return cls(learning_steps=task.warmup_steps or None)

    @classmethod
    def _check_levels(cls, constants: Any) -> None:
        if constants["levels"] is None:
            raise NotApplicable(
                f"{cls.label} learns a value for each level, and here powers are continuous: it needs levels=32 or so."
            )

    def remember(self, view: View) -> Learning:
        self._check_levels(view.constants)
        rows, num_envs = view.num_rows, view.num_envs
        return Learning(
            q=np.full((rows, view.constants["levels"]), self.first_q),
            age=np.zeros(rows, np.int64),
            learns_for=self._learning_steps or view.horizon,
            here=np.zeros(rows, bool),
            phase=np.full(num_envs, -1),
            order=np.arange(rows),
            starts=np.arange(rows),
            group=np.arange(rows),
            gain=np.empty(0),
            far_gain=np.empty(0),
        )

    def restart(self, memory: Learning, view: View, rows: NDArray[np.bool_]) -> Learning:
        memory.q[rows] = self.first_q
        memory.age[rows] = 0
        memory.phase[:] = -1
        return memory

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        memory, now = seen.memory, seen.look("present", "phase", "head")
        memory.here = now["present"].ravel()
        if not np.array_equal(memory.phase, now["phase"]):
            memory.phase = now["phase"].copy()
            self._meet(memory, now["head"], seen)
        # Who is not there sends nothing.
        table = memory.q if memory.here.all() else np.where(memory.here[:, None], memory.q, 0.0)
        if self.rule == "independent":
            greedy = table.argmax(axis=1)
        else:
            together = np.add.reduceat(table.take(memory.order, axis=0), memory.starts, axis=0)
            greedy = together.argmax(axis=1)[memory.group]
        chance = rng.random()
        epsilon = self.chance_to_explore(memory)
        levels = memory.q.shape[1]
        tried = np.minimum(chance / np.maximum(epsilon, 1e-300) * levels, levels - 1).astype(np.int64)
        return np.where(chance < epsilon, tried, greedy)

    def _meet(self, memory: Learning, head: Int64Array, seen: Seen) -> None:
        """Who decides together, and who disturbs whom, which changes when base stations come or go."""
        if self.rule != "independent":
            num_envs, slots = head.shape
            cluster = (np.arange(num_envs)[:, None] * (slots + 1) + np.where(head < 0, slots, head)).ravel()
            if self.rule == "code":
                ring = seen["ring"]
                cluster = cluster * (ring.shape[1] + 1) + np.where(ring.any(axis=1), ring.argmax(axis=1), ring.shape[1])
            _, memory.group = np.unique(cluster, return_inverse=True)
            memory.order = np.argsort(memory.group, kind="stable")
            memory.starts = np.searchsorted(memory.group[memory.order], np.arange(memory.group.max() + 1))
        if self.needs_gains:
            there = seen.look("gain", "far_gain")
            memory.gain, memory.far_gain = there["gain"], there["far_gain"]

    def chance_to_explore(self, memory: Learning) -> FloatArray:
        """(rows,): `epsilon`, and none after 80 % of the time."""
        return np.where(memory.age < EXPLORING * memory.learns_for, self._epsilon, 0.0)

    def learn(
        self,
        state: RuleState,
        observation: NDArray[Any],
        action: Int64Array,
        reward: FloatArray,
        next_observation: NDArray[Any],
        done: NDArray[np.bool_],
        info: dict[str, Any],
    ) -> RuleState:
        """Move the value of the level played towards `rewards` of what the UEs measured. Changes and returns `state`.

        action (rows,): the levels played. done (rows,): rows whose episode has ended learn nothing. The environment's
        own reward (rows,) and the observations (rows, features) are not used.
        """
        memory: Learning = state.memory
        own = self.rewards(memory, state.view)
        rows = np.flatnonzero(memory.here & ~done)  # where an episode is over the next may be seen already
        level = np.asarray(action)[rows]
        before = memory.q[rows, level]
        aim = own[rows] + self._gamma * memory.q[rows].max(axis=1) if self._gamma else own[rows]
        memory.q[rows, level] = before + self._alpha * (aim - before)
        memory.age[rows] += 1
        return state

    def rewards(self, memory: Learning, view: View) -> FloatArray:
        """(rows,): what each base station learns from."""
        raise NotImplementedError


class CdpQ(Tabular):
    """CDP-Q, independent: the reward of eq. 7, saturated from twice log2 of the required SINR on. It sends nothing."""

    label = "CDP-Q"

    def rewards(self, memory: Learning, view: View) -> FloatArray:
        line = float(np.log2(view.constants["qos_sinr"]))
        return np.minimum(_capacity_bps_hz(view), 2.0 * line) / line - 1.0


class CdpQCode(CdpQ):
    """CDP-Q, cooperative as in the authors' code: members of a ring of a cluster choose by the sum of their tables.

    Each sends its 32 values (float64) and its ring to all other members: 257 bytes each, 3,341 in a cluster of 14.
    """

    label = "CDP-Q, cooperative (code)"
    rule = "code"


class CdpQEq6(CdpQ):
    """CDP-Q, cooperative by eq. 6: all members of a cluster choose by the sum of their tables, so all choose the same.

    Each sends its 32 values (float64) and its ring to all other members: 257 bytes each, 3,341 in a cluster of 14.
    """

    label = "CDP-Q, cooperative (eq. 6)"
    rule = "eq6"


class ExpQ(Tabular):
    """EXP-Q, independent: exp(-(C - log2(1 + q))^2), largest at the required capacity. It sends nothing."""

    label = "EXP-Q"

    def rewards(self, memory: Learning, view: View) -> FloatArray:
        return np.exp(-((_capacity_bps_hz(view) - view.constants["required_bps_hz"]) ** 2))


class ExpQCode(ExpQ):
    """EXP-Q, cooperative as in the authors' code; messages as `CdpQCode`."""

    label = "EXP-Q, cooperative (code)"
    rule = "code"


class ExpQEq6(ExpQ):
    """EXP-Q, cooperative by eq. 6; messages as `CdpQEq6`."""

    label = "EXP-Q, cooperative (eq. 6)"
    rule = "eq6"


class DifferenceQ(Tabular):
    """A value a level, learnt from one's own utility less what the others lose by one's power (ours).

    A utility is the capacity less `PENALTY` for each bit/s/Hz missing to what an SINR `MARGIN` above the required one
    gives. UE i knows its gain from each interferer k and the power of each: it tells k by one number (float32, 4
    bytes, 52 in a cluster of 14) how much better off it would be had k transmitted at the least power. No discount, as
    no action changes what comes; exploration falls linearly to 0. Tables start at `first_q`, above most utilities, so
    that every level is tried early.
    """

    label = "Q on the difference reward"
    kind = "rule"
    needs_gains = True
    PENALTY: ClassVar[float] = 4.0
    MARGIN: ClassVar[float] = 0.3
    first_q = 10.0
    _defaults = (0.1, 0.0, 0.3)

    def __init__(self, *args: Any, **keywords: Any):
        super().__init__(*args, **keywords)
        self.config |= {"penalty": self.PENALTY, "margin": self.MARGIN, "first_q": self.first_q}

    def chance_to_explore(self, memory: Learning) -> FloatArray:
        return self._epsilon * np.maximum(1.0 - memory.age / (EXPLORING * memory.learns_for), 0.0)

    def rewards(self, memory: Learning, view: View) -> FloatArray:
        seen = view.look("present", "power_mw", "interference_mw", "own_gain")
        there, power_mw, heard_mw = seen["present"], seen["power_mw"], seen["interference_mw"]
        constants = view.constants
        aimed = float(np.log2(1.0 + (1.0 + self.MARGIN) * constants["qos_sinr"]))
        signal_mw = power_mw * seen["own_gain"]
        utility = self._utility(signal_mw, heard_mw, aimed)
        more_mw = np.maximum(power_mw - constants["power_mw"][0], 0.0)
        if memory.gain.dtype != object:
            less_mw = heard_mw[:, :, None] - memory.gain * more_mw[:, None, :]
            lost = self._utility(signal_mw[:, :, None], less_mw, aimed) - utility[:, :, None]
            return (utility - np.where(there[:, :, None], lost, 0.0).sum(axis=1)).ravel()
        reward = utility.copy()
        for env, gain in enumerate(memory.gain):
            ue = np.repeat(np.arange(len(utility[env])), np.diff(gain.indptr))
            less_mw = heard_mw[env, ue] - gain.data * more_mw[env, gain.indices]
            lost = self._utility(signal_mw[env, ue], less_mw, aimed) - utility[env, ue]
            reward[env] -= np.bincount(gain.indices, np.where(there[env, ue], lost, 0.0), len(reward[env]))
        return reward.ravel()

    def _utility(self, signal_mw: FloatArray, heard_mw: FloatArray, aimed: float) -> FloatArray:
        capacity = np.asarray(spectral_efficiency_bps_hz(signal_mw / heard_mw), np.float64)
        return capacity - self.PENALTY * np.maximum(aimed - capacity, 0.0)


def _capacity_bps_hz(view: View) -> FloatArray:
    """(rows,): what the UEs report."""
    return np.asarray(spectral_efficiency_bps_hz(view.look("sinr")["sinr"]), np.float64).ravel()
