"""The keywords of `MmwaveCellSelection-v0` and what their names stand for: transition matrices and rates by name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

import numpy as np

from mmwave_gym.core.checks import one_of
from mmwave_gym.core.ranges import Count, Either, Many, Range, Said, Words, check_ranges
from mmwave_gym.radio import nyu_28ghz as akdeniz
from mmwave_gym.scenarios.cell_selection import markov
from mmwave_gym.scenarios.cell_selection.rewards import REWARDS

Matrix = tuple[tuple[float, ...], ...]

STATES = ("los", "nlos", "outage")
"""The order of rows, columns and rates."""
PRINTED_MATRIX: Matrix = ((0.55, 0.30, 0.15), (0.01, 0.80, 0.19), (0.38, 0.40, 0.22))  # eq. 14
MEAN_SOJOURN_SLOTS = (5, 25, 3)  # T_avg, section IV
SLOT_S = 125e-6  # section IV
DATA_SHARE = 24 / 30  # section IV: of 30 OFDM symbols a slot, 6 are control
MATRICES = ("printed", "recipe", "drive_test")
MOST_RATE = Range(0.0, 1000.0, "bit/s/Hz")
LOADS = ("present", "previous", "served")


@cache
def recipe_matrix() -> Matrix:
    """The matrix of the paper's own recipe: sojourns as near to T_avg as the stationary law of the disc allows."""
    matrix = markov.matrix_with_sojourns(akdeniz.state_law(), MEAN_SOJOURN_SLOTS)
    return tuple(tuple(row) for row in matrix.tolist())


def named_rates_bps_hz() -> dict[str, tuple[float, float, float]]:
    """Rates of (LOS, NLOS, outage) by name, in bit/s/Hz."""
    shannon = akdeniz.mean_efficiency_bps_hz()
    ways = {
        "shannon": shannon,
        "no_loss": akdeniz.mean_efficiency_bps_hz(loss_db=0.0),
        "capped": akdeniz.mean_efficiency_bps_hz(cap_bps_hz=4.8),  # Akdeniz et al., section V: the best 64-QAM
        "fitted": (shannon[0], 0.14 * shannon[0]),  # ours: the ratio that comes nearest to the paper's Table I
    }
    return {name: (DATA_SHARE * los, DATA_SHARE * nlos, 0.0) for name, (los, nlos) in ways.items()}


RATES = ("shannon", "no_loss", "capped", "fitted")


def resolve_transition(transition: Any) -> tuple[Matrix, float]:
    """A name, a file written by the drive-test fit, or a matrix -> the checked matrix and its slot in seconds.

    Raises ValueError.
    """
    slot_s = SLOT_S
    if isinstance(transition, str | os.PathLike):
        name = os.fspath(transition)
        if name == "drive_test" or name.endswith(".json"):
            from mmwave_gym.scenarios.cell_selection import (
                drive_test,  # readers of files are not needed in the paper's world
            )

            value, slot_s = drive_test.read_fit(None if name == "drive_test" else name)
        else:
            if name not in MATRICES:
                words = ", ".join(map(repr, MATRICES))
                raise ValueError(f"transition must be one of {words}, a .json file or a matrix, got {name!r}.")
            value = PRINTED_MATRIX if name == "printed" else recipe_matrix()
    else:
        value = transition
    matrix = markov.checked_matrix("transition", value)
    return tuple(tuple(row) for row in matrix.tolist()), slot_s


def resolve_rates(rates: Any, num_states: int) -> tuple[float, ...]:
    """A name or one number a state -> rates in bit/s/Hz. Raises ValueError."""
    if isinstance(rates, str):
        one_of("rate_bps_hz", rates, RATES)
        if num_states != len(STATES):
            raise ValueError(
                f"rate_bps_hz={rates!r} has the rates of {len(STATES)} states, but transition has {num_states}: give "
                f"{num_states} numbers."
            )
        return named_rates_bps_hz()[rates]
    if not isinstance(rates, Sequence | np.ndarray) or len(rates) != num_states:
        raise ValueError(f"rate_bps_hz must hold one rate for each of the {num_states} states, got {rates!r}.")
    for k, rate in enumerate(rates):
        MOST_RATE.check(f"rate_bps_hz[{k}]", rate)
    if num_states == len(STATES) and not rates[0] >= rates[1] >= rates[2]:
        raise ValueError(f"rate_bps_hz must not rise from LOS to NLOS to outage, got {tuple(rates)}.")
    return tuple(float(rate) for rate in rates)


@dataclass(frozen=True, kw_only=True)
class CellSelectionConfig:
    """Keywords of `MmwaveCellSelection-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    num_ues: Annotated[int, Count(1, 1000, cost="memory and time in proportion")] = 3
    """UEs, each an agent in PettingZoo (paper: 3 to 6); `gym.make` controls the first, or all with control="all"."""
    num_cells: Annotated[int, Count(1, 1000, cost="memory and time in proportion")] = 3
    """Cells that every UE can use (paper: 3)."""
    transition: Annotated[
        str | os.PathLike[str] | Matrix, Said("a word, a .json file, or a matrix of 1 to 16 states", MATRICES[:2])
    ] = "printed"
    """Transition matrix of a link, slot to slot: "printed" (eq. 14), "recipe" (nearest to the sojourns that the paper
    asks for), "drive_test" (fitted to runs on a real network, from MMWAVE_DATA), a .json file of such a fit, or the
    rows themselves; order LOS, NLOS, outage; any number of states if `rate_bps_hz` has as many."""
    rate_bps_hz: Annotated[str | tuple[float, ...], Either(Words(*RATES), Many(MOST_RATE, 1, markov.MOST_STATES))] = (
        "shannon"
    )
    """Spectral efficiency of each state for a UE alone in its cell, in bit/s/Hz: "shannon" (3 dB below capacity),
    "no_loss" (capacity), "capped" (at most 4.8 before overhead), "fitted" (NLOS at 0.14 of LOS), or numbers that do
    not rise from LOS to NLOS to outage."""
    handover_cost: Annotated[float, Range(0.0, 1.0)] = 0.1
    """Share of the slot that a UE loses when it changes its cell (paper: 0.03 to 0.3)."""
    load: Annotated[str, Words(*LOADS)] = "present"
    """Who shares a cell's slot: "present" (all who chose it), "previous" (oneself and the others of the slot before:
    what the UE of eq. 9 reckons with), "served" (those who chose it and are not in outage)."""
    reward: Annotated[str, Words(*REWARDS)] = "own"
    """What an agent is paid: its "own" rate, or that of the "team", the sum over UEs."""
    horizon: Annotated[int, Count(1, 1_000_000, cost="memory and time in proportion")] = 1000
    """Slots until truncation."""
    step_s: Annotated[float | None, Range(1e-9, 3600.0, "s")] = None
    """Slot length in seconds; None: that of the matrix (125 microseconds, paper)."""
    start: Annotated[
        str | tuple[int, ...], Said('"uniform", "spread", or a cell for each UE', ("uniform", "spread"))
    ] = "uniform"
    """Where UEs are before the first slot: "uniform" (at random), "spread" (UE i at cell i modulo `num_cells`), or a
    cell for each UE."""

    def __post_init__(self) -> None:
        check_ranges(self)
        matrix, _ = resolve_transition(self.transition)
        resolve_rates(self.rate_bps_hz, len(matrix))
        if isinstance(self.start, str):
            one_of("start", self.start, ("uniform", "spread"))
        elif (
            not isinstance(self.start, Sequence | np.ndarray)
            or len(self.start) != self.num_ues
            or not all(isinstance(cell, int | np.integer) and 0 <= cell < self.num_cells for cell in self.start)
        ):
            raise ValueError(
                f"start must be 'uniform', 'spread' or a cell from 0 to {self.num_cells - 1} for each of the "
                f"{self.num_ues} UEs, got {self.start!r}."
            )
