"""Powers by an unfolded iteration: what a small network learned to do between slots, the same at each base station.

In each slot the UE of base station i tells all who disturb it what a mW of interference costs it, one number,

    m_i = (a_i + l_i) / I_i,    a_i = SINR_i / (1 + SINR_i),

with the interference and noise I_i that it measures and the pressure l_i >= 0 of its own unmet requirement (a
multiplier). Base station k adds them up, each times its gain to that UE, to the price P_k of a mW of its own. At a
local optimum of the sum rate with QoS its power is b_k = (a_k + l_k) / P_k (J. Papandriopoulos, J. Evans, "SCALE", IEEE
Trans. Inf. Theory 55(8), 2009). Iterating that alone oscillates. Here a network, which sees six numbers of its own
base station (`FIELDS`) and six that it remembers, says in every slot how far the power goes towards b_k, what is added
to it, how fast the pressure follows the shortfall, and what to remember. `python -m train.unfolded` trains it, by the
gradient through the channel; it has 1,769 parameters and plays networks of any size.

What it needs to know is local: the own power, SINR and interference, which its UE measures, the own gains to the
UEs that it disturbs, and the number that each of those tells, 4 bytes a slot from each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation import optimisation
from mmwave_baselines.power_allocation.acting import actions
from mmwave_baselines.power_allocation.learned import clusters, repaired
from mmwave_baselines.power_allocation.planners import networks
from mmwave_baselines.shipped import Shipped
from mmwave_gym.agents.networks import AnyNetwork
from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.protocol import AgentError, RowRng, begun
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import interference

HIDDEN, MEMORY = 32, 6
MOST, FASTEST = 3.0, 4.0
"""Numbers that it sees are clipped to +-MOST, the ln of how fast pressure moves to +-FASTEST."""
PRESSURE_GAIN, MOST_PRESSURE = 0.3, 5.0
MARGIN = 0.05
"""The SINR that is aimed at is so much above the required one, relatively."""
LEVEL_MARGIN, ROUND_UP, PRESSED = 0.3, 0.2, 1e-3
"""With levels: the margin, and who is under pressure takes the next level above unless it is so near below."""
NO_PRICE = 1e-12
"""What a mW costs where it disturbs nobody, 1 / mW."""
SETTLING, SLOWING = 20, 8
"""After so many slots, since the start or a change, steps shrink as (SETTLING / slot)^SLOWING: the network learned to
arrive rather than to stay, and between levels it would go back and forth."""
REPAIR_AFTER = 18
"""Slots from the start or a change until powers are repaired."""
MEASURED = ("power_mw", "interference_mw", "sinr", "present", "phase")

FIELDS = ObservationFields(
    (
        ObservationField("power", 1, -MOST, MOST, "1", "ln of the power over the greatest, / 4"),
        ObservationField("margin", 1, -MOST, MOST, "1", "ln of the SINR over the one aimed at, / 2"),
        ObservationField("interference", 1, -MOST, MOST, "1", "ln of interference and noise over noise, / 8, less 1.5"),
        ObservationField("balance", 1, -MOST, MOST, "1", "ln of b_k, within the allowed powers, over the power, / 2"),
        ObservationField("pressure", 1, 0.0, MOST, "1", "ln(1 + l)"),
        ObservationField("active", 1, 0.0, 1.0, "1", "a = SINR / (1 + SINR)"),
        ObservationField("memory", MEMORY, -1.0, 1.0, "1", "what it said that it would remember"),
    )
)
METADATA: dict[str, Any] = {
    "agent": "power_allocation/unfolded",
    "action": {"kind": "box", "low": [-1e9] * (3 + MEMORY), "high": [1e9] * (3 + MEMORY)},
    "output": "mean",
    "normalised": False,
    "frame_stack": 1,
}
"""What the .json says of every network of this kind: its outputs are no actions, but what `step` makes powers of."""


def scaling(log_greatest: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Factors (6,) and offsets (6,): a measured number x factor + offset is one of the first six of `FIELDS`.

    log_greatest: ln of the greatest power in mW. `step` shows which numbers are measured.
    """
    factors = np.array([0.25, -0.5, 0.125, 0.5, 1.0, 1.0], np.float32)
    return factors, np.array([-0.25 * log_greatest, 0.0, -1.5, 0.0, 0.0, 0.0], np.float32)


@dataclass
class Measurements:
    """What base stations know at the end of a slot, (N, A) each; any finite numbers where nobody is."""

    log_mw: FloatArray
    log_sinr: FloatArray
    log_heard: FloatArray  # ln of interference and noise over noise
    price: FloatArray  # of a mW, 1 / mW


@dataclass
class RecurrentState:
    """What base stations remember: pressure (N, A) and memory (N, A, MEMORY)."""

    pressure: FloatArray
    memory: NDArray[np.float32]


def worth(log_sinr: FloatArray, pressure: FloatArray) -> FloatArray:
    """a + l (N, A): what a relative change of the own SINR is worth, from ln SINR and the pressure l (N, A)."""
    return 1.0 / (1.0 + np.exp(-log_sinr)) + pressure


def step(
    network: AnyNetwork,
    measured: Measurements,
    recurrent: RecurrentState,
    log_target: float,
    log_range: tuple[float, float],
) -> tuple[FloatArray, RecurrentState]:
    """ln of the next powers in mW (N, A), and what is remembered; `Cell.forward` of train.unfolded, without torch."""
    low, high = log_range
    value = worth(measured.log_sinr, recurrent.pressure)
    balance = np.clip(np.log(value) - np.log(measured.price + NO_PRICE), low, high)
    short = np.clip(log_target - measured.log_sinr, -2.0 * MOST, 2.0 * MOST)
    gap = balance - measured.log_mw
    own = (measured.log_mw, short, measured.log_heard, gap, np.log1p(recurrent.pressure), value - recurrent.pressure)
    factors, offsets = scaling(high)
    seen = np.clip(np.stack(own, axis=-1) * factors + offsets, -MOST, MOST)
    inputs = np.concatenate((seen.astype(np.float32), recurrent.memory), axis=-1)
    out = network(inputs.reshape(-1, inputs.shape[-1])).reshape(*inputs.shape[:-1], -1)
    log_mw = measured.log_mw + gap / (1.0 + np.exp(-out[..., 0])) + out[..., 1]
    rate = PRESSURE_GAIN * np.exp(np.clip(out[..., 2], -FASTEST, FASTEST))
    pressure = np.clip(recurrent.pressure + rate * np.clip(short, -MOST, MOST), 0.0, MOST_PRESSURE)
    memory = np.tanh(recurrent.memory + out[..., 3:])
    return np.clip(log_mw, low, high), RecurrentState(pressure, memory)


@dataclass
class _State:
    """The state of the agent, one entry per environment."""

    view: View
    recurrent: RecurrentState
    wanted: FloatArray  # (N, A): ln mW that it wanted
    allowed: FloatArray  # (N, A): the same rounded to what the environment takes
    present: NDArray[np.bool_]  # (N, A)
    held: FloatArray  # (N, A): ln mW after a repair
    phase: NDArray[np.int64]  # (N,): -1 before the first slot
    age: NDArray[np.int64]  # (N,): slots since the start or the last change
    gain: Any


class UnfoldedPolicy(Policy):
    """Plays `MmwavePowerAllocation-v0` with any keywords, whatever is observed: it measures."""

    def begin(self, view: View, rng: RowRng) -> Any:
        if "power_mw" not in view.constants or "qos_sinr" not in view.constants:
            raise AgentError("this policy allocates powers: it is for MmwavePowerAllocation-v0.")
        n, a = view.num_envs, view.num_agents
        recurrent = RecurrentState(np.zeros((n, a)), np.zeros((n, a, MEMORY), np.float32))
        nobody, phase = np.zeros((n, a), bool), np.full(n, -1)
        wanted, allowed, held = np.zeros((3, n, a))
        return _State(view, recurrent, wanted, allowed, nobody, held, phase, np.zeros(n, np.int64), None)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        state = begun(state, self)
        constants, view = state.view.constants, state.view
        seen = view.look(*MEASURED)
        self._notice(state, seen, episode_start)
        measured = self._measured(state, seen, constants["noise_mw"])
        levels = constants["levels_mw"]
        margin = MARGIN if levels is None else LEVEL_MARGIN
        low, high = np.log(constants["power_mw"]).tolist()
        log_target = float(np.log(constants["qos_sinr"] * (1.0 + margin)))
        before = state.recurrent
        state.age += 1
        wanted, recurrent = step(self.network, measured, before, log_target, (low, high))
        part = np.minimum(1.0, (SETTLING / state.age) ** SLOWING)[:, None]
        state.wanted = measured.log_mw + part * (wanted - measured.log_mw)
        pressure = before.pressure + part * (recurrent.pressure - before.pressure)
        memory = before.memory + part[..., None].astype(np.float32) * (recurrent.memory - before.memory)
        state.recurrent = RecurrentState(pressure, memory)
        state.allowed = state.wanted if levels is None else on_levels(state.wanted, state.recurrent.pressure, levels)
        self._finish(state, before)
        return actions(view, np.where(state.present, np.exp(state.allowed), 0.0)), state

    def _finish(self, state: _State, before: RecurrentState) -> None:
        """A last word on `state.allowed`."""

    @staticmethod
    def _notice(state: _State, seen: dict[str, Any], episode_start: NDArray[np.bool_] | None) -> None:
        """Forget for who has just come; learn gains anew where the world is another."""
        present, phase = seen["present"], seen["phase"]
        fresh = present & ~state.present
        if episode_start is not None:
            # An episode begins for a whole environment; an agent slot alone is marked where its base station has left.
            marked = np.asarray(episode_start, bool).reshape(present.shape)
            fresh |= present & np.logical_and.reduce(marked, axis=1)[:, None]
        changed = (phase != state.phase) | np.logical_or.reduce(fresh, axis=1)
        if changed.any():
            state.gain = state.view.look("gain")["gain"]
            state.age[changed] = 0
        state.recurrent.pressure[fresh] = 0.0
        state.recurrent.memory[fresh] = 0.0
        state.wanted[fresh] = np.nan  # what was wanted is nobody's
        state.present, state.phase = present, phase

    @staticmethod
    def _measured(state: _State, seen: dict[str, Any], noise_mw: float) -> Measurements:
        present, heard_mw = state.present, seen["interference_mw"]
        now = np.log(np.where(present, seen["power_mw"], 1.0))
        with np.errstate(invalid="ignore"):
            as_wanted = np.abs(now - state.allowed) < 1e-3  # rounded to a level: what was meant counts
        log_mw = np.where(as_wanted & np.isfinite(state.wanted), state.wanted, now)
        log_sinr = np.log(np.where(present, np.maximum(seen["sinr"], 1e-30), 1.0))
        asked = np.where(present, worth(log_sinr, state.recurrent.pressure) / heard_mw, 0.0)
        price = interference.charged(state.gain, asked)
        return Measurements(log_mw, log_sinr, np.log(heard_mw / noise_mw), price)


def on_levels(log_mw: FloatArray, pressure: FloatArray, levels_mw: Any) -> FloatArray:
    """ln of the level (N, A) to take.

    It is the nearest to log_mw (N, A), or the next one up for who is under pressure (N, A), without unit.
    """
    levels = np.log(np.asarray(levels_mw))
    at = (log_mw - levels[0]) / (levels[1] - levels[0])
    level = np.where(pressure > PRESSED, np.ceil(at - ROUND_UP), np.rint(at))
    return np.asarray(levels[np.clip(level, 0, len(levels) - 1).astype(np.int64)], np.float64)


class RepairedPolicy(UnfoldedPolicy):
    """The same; once powers have settled they are repaired with all gains known, and kept until a change.

    In a cluster that can satisfy all, all are satisfied. Where not all can be, and in a whole network, where everybody
    would pay for one, powers move only if more are satisfied and the satisfied together lose nothing.
    """

    access = "central"

    def _finish(self, state: _State, before: RecurrentState) -> None:
        due = np.flatnonzero(state.age == REPAIR_AFTER + 1)
        if len(due):
            constants, power_mw = state.view.constants, np.where(state.present, np.exp(state.allowed), 0.0)
            whole = constants["scope"] == "network" and constants["layout"] != "rows"
            for at, network in networks(state.view, due):
                if whole and constants["levels"] is None and isinstance(network, optimisation.Network):
                    better = optimisation.repair_local(network, power_mw[at])
                else:
                    better = repaired(network, power_mw[at], constants["levels"])
                state.held[at] = np.log(better)
        still = state.age > REPAIR_AFTER
        state.allowed = np.where(still[:, None], state.held, state.allowed)
        state.wanted = np.where(still[:, None], state.held, state.wanted)
        # What was learned on the way here stays as it is until it is needed again.
        state.recurrent.pressure[still] = before.pressure[still]
        state.recurrent.memory[still] = before.memory[still]


Unfolded = Shipped(
    __package__,
    "unfolded",
    "unfolded network",
    "`python -m train.unfolded`: one set of weights for all tasks of the scenario, several training seeds.",
    kind=UnfoldedPolicy,
    trained_for=clusters,
)
UnfoldedRepair = Shipped(
    __package__,
    "unfolded",
    "unfolded network, repaired",
    "The same with a repair of powers once they have settled.",
    kind=RepairedPolicy,
    access="central",
    trained_for=clusters,
)
