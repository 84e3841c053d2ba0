"""Rules for UDN handover that learn nothing: random, stay, strongest cell, and 3GPP's event A3.

They read observations by field name, so they play every world of `MmwaveHandover-v0`, measured ones too. RSRQ is a
cell's share of the power that a UE receives, so within a slot a difference of two RSRQ in dB is the difference of the
two RSRP in dB, and eq. 32 of the paper (arXiv 1801.02077) can be asked of either.

A cell is a *candidate* where the UE hears it and the action mask, if there is one, allows it. A cell is heard where
the field `heard` says so, and in worlds without that field where its RSRQ is above the low bound of `rsrq_db`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Int64Array


@dataclass
class Memory:
    """The state of a rule without memory of its own: what `begin` was given."""

    view: View
    rng: RowRng


class Reading(NamedTuple):
    """What rules take from an observation; all leading axes are rows."""

    rsrq_db: NDArray[np.float32]  # (rows, cells)
    serving: Int64Array  # (rows,)
    allowed: NDArray[np.bool_]  # (rows, cells): by the action mask
    candidate: NDArray[np.bool_]  # (rows, cells): heard and allowed

    def of(self, per_cell: NDArray[Any], cell: Int64Array) -> NDArray[Any]:
        """The entry of each row's `cell`, shape (rows,)."""
        return np.take_along_axis(per_cell, cell[:, None], axis=1)[:, 0]

    def strongest(self, among: NDArray[np.bool_]) -> Int64Array:
        """The strongest cell of each row among those marked; ties go to the serving cell, then the lowest index.

        A row without a mark stays with its serving cell, or takes the first allowed one if it may not.
        """
        level_db = np.where(among, self.rsrq_db, -np.inf)
        best = level_db.argmax(axis=1)
        stays = self.of(level_db, self.serving) == self.of(level_db, best)  # also where nothing is marked
        cell = np.where(stays, self.serving, best)
        return np.where(self.of(self.allowed, cell), cell, self.allowed.argmax(axis=1))


def begun(state: Any, agent: object) -> Any:
    """`state`, or an AgentError that says how to begin."""
    if state is None:
        raise AgentError(
            f"{type(agent).__name__} must begin before it predicts: "
            "state = agent.begin(env.unwrapped.view(agent.access), RowRng.from_seed(0, rows)) after each reset."
        )
    return state


def read(view: View, observation: NDArray[Any]) -> Reading:
    """The parts of observations (rows, features) that rules use."""
    parts = view.fields.split(observation)
    rsrq_db = parts["rsrq_db"]
    lowest_db = next(f.low for f in view.fields if f.name == "rsrq_db")
    heard = parts["heard"] > 0 if "heard" in parts else rsrq_db > lowest_db
    mask = view.action_mask()
    allowed = np.ones(rsrq_db.shape, bool) if mask is None else mask
    return Reading(rsrq_db, parts["serving"].argmax(axis=1), allowed, heard & allowed)


class _Memoryless:
    access = "local"
    kind = "rule"
    config: dict[str, Any]

    def __init__(self) -> None:
        self.config = {}

    def begin(self, view: View, rng: RowRng) -> Memory:
        return Memory(view, rng)


class RandomCell(_Memoryless):
    """A cell at random in every slot, uniformly among those that the action mask allows: the floor."""

    label = "random cell"
    kind = "floor"

    def predict(
        self,
        observation: NDArray[Any],
        state: Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, Memory]:
        memory: Memory = begun(state, self)
        return memory.rng.choice(read(memory.view, observation).allowed), memory


class Stay(_Memoryless):
    """Never hands over; where the serving cell is not allowed any more, takes the strongest candidate."""

    label = "stay"

    def predict(
        self,
        observation: NDArray[Any],
        state: Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, Memory]:
        memory: Memory = begun(state, self)
        seen = read(memory.view, observation)
        may_stay = seen.of(seen.allowed, seen.serving)
        return np.where(may_stay, seen.serving, seen.strongest(seen.candidate)), memory


class StrongestCell(_Memoryless):
    """The candidate with the highest RSRQ in every slot, whatever the handover costs; ties stay."""

    label = "strongest cell"

    def predict(
        self,
        observation: NDArray[Any],
        state: Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, Memory]:
        memory: Memory = begun(state, self)
        seen = read(memory.view, observation)
        return seen.strongest(seen.candidate), memory


DEFAULT_PAIR = (
    3.0,
    0.15,
)  # dB, s: the best row for beta = 25 in section 5.1 of our notes on the paper, 3 slots of 50 ms


@lru_cache(maxsize=1)
def tuned_pairs() -> dict[str, dict[str, Any]]:
    """What `python -m mmwave_baselines.handover.training.tuning` has found, by the task's name."""
    stored: dict[str, dict[str, Any]] = json.loads(files(__package__).joinpath("tuned_a3.json").read_text("utf-8"))
    return stored


@dataclass
class A3Memory:
    """Counters of event A3, one row a UE."""

    view: View
    slots_better: NDArray[np.int64]  # (rows, cells): slots in a row in which the entering condition has held
    serving: Int64Array  # (rows,): whom the counters compare with


class A3:
    """Event A3, "neighbour becomes offset better than the serving cell" (3GPP TS 38.331, 5.5.4.4; paper eq. 32).

    The entering condition is RSRQ_n > RSRQ_s + hysteresis (inequality A3-1 with all offsets zero). A neighbour
    triggers when the condition has held for every measurement during the time-to-trigger (TS 38.331, 5.5.4.1): with a
    time of n slots that is n + 1 measurements in a row, with 0 it is one. Among triggered cells the strongest is taken.
    Every cell has its own counter; all start anew after a handover and when an episode starts.

    Only candidates (see the module's text) trigger, and a slot in which a cell is none interrupts its time. A serving
    cell that is no candidate itself is left at once for the strongest candidate, as after a radio link failure; if
    there is none, the UE stays.

    hysteresis_db: at least 0. time_to_trigger_s: at least 0, rounded up to whole slots. ValueError otherwise.
    """

    access = "local"
    kind = "rule"

    def __init__(self, hysteresis_db: float = DEFAULT_PAIR[0], time_to_trigger_s: float = DEFAULT_PAIR[1]):
        at_least("hysteresis_db", hysteresis_db, 0.0)
        at_least("time_to_trigger_s", time_to_trigger_s, 0.0)
        self.hysteresis_db = float(hysteresis_db)
        self.time_to_trigger_s = float(time_to_trigger_s)
        self.label = f"A3 ({self.hysteresis_db:g} dB, {1e3 * self.time_to_trigger_s:g} ms)"
        self.config: dict[str, Any] = {
            "hysteresis_db": self.hysteresis_db,
            "time_to_trigger_s": self.time_to_trigger_s,
            "tuned_on": None,
        }

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> A3:
        """A3 with the pair tuned on the task's training split; without one, 3 dB and 0.15 s, and `config` says so."""
        if training_seed is not None:
            raise AgentError(f"a3 is a rule and has no training seeds, got {training_seed}.")
        tuned = None if task is None else tuned_pairs().get(task.name)
        if tuned is None:
            return cls()
        made = cls(tuned["hysteresis_db"], tuned["time_to_trigger_s"])
        made.config["tuned_on"] = f"the training split of {task.name}, task hash {tuned['task_hash']}"
        return made

    def begin(self, view: View, rng: RowRng | None = None) -> A3Memory:
        cells = next(f.size for f in view.fields if f.name == "rsrq_db")
        return A3Memory(view, np.zeros((view.num_rows, cells), np.int64), np.full(view.num_rows, -1))

    def predict(
        self,
        observation: NDArray[Any],
        state: A3Memory | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[Int64Array, A3Memory]:
        memory: A3Memory = begun(state, self)
        seen = read(memory.view, observation)
        same = seen.serving == memory.serving
        if episode_start is not None:
            same &= ~np.asarray(episode_start, bool)
        # Slots first: 0.15 s is 3 slots of 0.05 s, whatever the last bit of the quotient says.
        wait = math.ceil(self.time_to_trigger_s / memory.view.constants["step_s"] - 1e-9)
        threshold_db = seen.of(seen.rsrq_db, seen.serving)[:, None] + np.float32(self.hysteresis_db)
        better = seen.candidate & (seen.rsrq_db > threshold_db)
        slots_better = np.where(better, memory.slots_better * same[:, None] + 1, 0)
        lost = ~seen.of(seen.candidate, seen.serving)
        triggered = np.where(lost[:, None], seen.candidate, slots_better > wait)
        return seen.strongest(triggered), A3Memory(memory.view, slots_better, seen.serving)
