"""The keywords of handover, what "ideal" and "real" receivers are, and what is allowed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from mmwave_gym.core.checks import between
from mmwave_gym.core.ranges import Count, Either, Probabilities, Range, Said, Words, check_ranges, pair
from mmwave_gym.core.worlds import OneWorld, only_in, only_with
from mmwave_gym.links.matrix import LinkMatrix

PAPER_WORLD, LINK_MATRIX = "the paper's world", "a link matrix"
AREAS: dict[str, tuple[float, float, float, float]] = {
    "A1": (0.25, 0.25, 0.25, 0.25),  # probabilities of a step east, south, west, north (section V)
    "A2": (0.25, 0.25, 0.25, 0.25),
    "A3": (0.6, 0.2, 0.1, 0.1),
}
RECEIVERS: Mapping[str, Mapping[str, Any]] = {
    "ideal": {"fading": "seen", "interference_db": None, "most_bps_hz": None, "interruption_s": 0.0},
    "real": {"fading": "past", "interference_db": -13.0, "most_bps_hz": 7.4063, "interruption_s": 0.05},
}
"""What `receiver` stands for, and all that tells `MmwaveHandover-v1` ("real") from `MmwaveHandover-v0` ("ideal").

fading: what is measured in a slot can decide the next one. interference_db: as in the street, others send half the time
and a beam hits a ninth of directions (ours). most_bps_hz: 8 bit at a code rate of 948/1024, the last line of TS 38.214,
table 5.1.3.1-2. interruption_s: the paper's longest; 49.5 ms in LTE (TR 36.881, not read again).
"""

SINCE_V1 = ("receiver", "interference_db", "most_bps_hz")
"""Keywords that rows of v0 know nothing of."""


@dataclass(frozen=True, kw_only=True)
class HandoverConfig(OneWorld):
    """Keywords of handover. Errors: ValueError names the keyword, the value and what is allowed."""

    mobility: Annotated[str | tuple[float, float, float, float], Either(Words(*AREAS), Probabilities(4))] = only_in(
        PAPER_WORLD, default="A1"
    )
    """An area of the paper (A1, A2: symmetric; A3: drifts east) or probabilities of a step E, S, W, N."""
    beta: Annotated[float, Range(0.0, 1e6, "bit/s/Hz/J")] = 25.0
    """Price of handover energy in the reward, bit/s/Hz per joule (paper: 5 to 25)."""
    receiver: Annotated[str, Words(*RECEIVERS)] = "ideal"
    """"ideal" (the paper's) or "real": the defaults of `fading`, `interference_db`, `most_bps_hz`, `interruption_s`."""
    step_s: Annotated[float, Range(1e-4, 10.0, "s")] = 0.05
    """Slot length in seconds."""
    horizon: Annotated[int, Count(1, 1_000_000, cost="memory and time in proportion")] = 1200
    """Slots until truncation; the default is one minute."""
    num_cells: Annotated[int, Count(2, 1000, cost="memory and time in proportion")] = 6
    """Small cells, uniform in the area (paper: 6); a link matrix has its own."""
    num_ues: Annotated[int, Count(1, 10_000, cost="memory and time in proportion")] = 1
    """UEs, each an agent in PettingZoo; `gym.make` controls the first."""
    area_side_m: Annotated[
        float, Range(0.1, 2000.0, "m", "with correlated shadowing memory and time with its square")
    ] = only_in(PAPER_WORLD, default=16.0)
    """Side of the square area in metres (paper: 16)."""
    start: Annotated[str, Words("centre", "uniform")] = only_in(PAPER_WORLD, default="centre")
    """Where UEs begin: "centre" or "uniform"."""
    boundary: Annotated[str, Words("leave", "stay", "open")] = only_in(PAPER_WORLD, default="leave")
    """What a UE does at the border: "leave" (its episode ends), "stay" (walls), "open" (no border)."""
    speed_mps: Annotated[tuple[float, float], pair(0.0, 1000.0, "m/s")] = (1.0, 3.0)
    """Speed interval in metres a second (paper: 1 to 3)."""
    speed_drawn_per: Annotated[str, Words("ue", "slot")] = only_in(PAPER_WORLD, default="ue")
    """Whether the speed is drawn once per "ue" or anew per "slot"."""
    shadowing: Annotated[str, Words("correlated", "static", "independent", "none")] = only_in(
        PAPER_WORLD, default="correlated"
    )
    """"correlated" (one map per cell), "static" (one value per cell), "independent" (new every slot) or "none"."""
    shadowing_db: Annotated[float, Range(0.0, 40.0, "dB")] = only_with(
        "shadowing", "correlated", "static", "independent", default=8.0, worlds=(PAPER_WORLD,)
    )
    """Standard deviation of shadowing in dB (paper: 8)."""
    shadowing_correlation_m: Annotated[
        float, Range(0.1, 1000.0, "m", "above a tenth of the area memory and time with its square")
    ] = only_with("shadowing", "correlated", default=6.0, worlds=(PAPER_WORLD,))
    """Distance in metres over which the correlation falls to 1/e."""
    fading: Annotated[str, Words("seen", "past", "averaged", "none")] = only_in(PAPER_WORLD, default="seen")
    """Rayleigh fading that the controller sees: of the slot it decides ("seen"), of the slot before ("past"), its mean
    ("averaged"), or there is none ("none"). With `receiver="real"`: "past"."""
    interference_db: Annotated[float | None, Range(-200.0, 0.0, "dB")] = None
    """Share of the other cells' power that interferes: how often they send, times how often a beam hits. None: nothing;
    with `receiver="real"`: -13, as in the street."""
    most_bps_hz: Annotated[float | None, Range(0.01, 1000.0, "bit/s/Hz")] = None
    """Rate of the best code. None: no limit; with `receiver="real"`: 7.4063 (TS 38.214, table 5.1.3.1-2)."""
    interruption_s: Annotated[float, Range(0.0, 10.0, "s")] = 0.0
    """Time without data after a handover, during which the UE cannot hand over. At most one slot where the receiver is
    "ideal"; with `receiver="real"`: 0.05 (paper: up to 0.05)."""
    handover_energy_j: Annotated[float, Range(0.0, 1000.0, "J")] = 0.3
    """Energy of a handover in joules (paper: 0.3)."""
    tx_power_dbm: Annotated[float, Range(-50.0, 100.0, "dBm")] = only_in(PAPER_WORLD, default=30.0)
    """Transmit power of a cell in dBm (paper: 30)."""
    bandwidth_hz: Annotated[float, Range(1e3, 1e11, "Hz")] = only_in(PAPER_WORLD, default=10e6)
    """Bandwidth in Hz (paper: 10 MHz); it sets the noise."""
    layout_seed: Annotated[int | None, Count(0, 2**63 - 1)] = only_in(PAPER_WORLD, default=None)
    """Fixes cells and shadowing maps for all episodes; None draws new ones for every episode."""
    channel: Annotated[str | os.PathLike[str] | LinkMatrix | None, Said("a link matrix, its file or its name")] = None
    """A link matrix as the world: a .npz or .csv file, "city:munich", "mssn:V-R10/2071667", "deepmimo:FOLDER". Append
    "#north" to the name to use the northern half of the map."""

    def __post_init__(self) -> None:
        check_ranges(self)
        self.check_world()
        for name in set(RECEIVERS[self.receiver]).intersection(self.own_keywords()) - self.passed:
            object.__setattr__(self, name, RECEIVERS[self.receiver][name])
        if self.receiver == "ideal":
            between("interruption_s", self.interruption_s, 0.0, self.step_s)

    def as_constants(self) -> dict[str, Any]:
        """Keywords of this world; of those younger than v0 only what differs from v0, whose rows hold these."""
        ideal = {"receiver": "ideal", **RECEIVERS["ideal"]}
        own = self.own_keywords().items()
        return {name: value for name, value in own if name not in SINCE_V1 or value != ideal[name]}

    @property
    def world(self) -> Mapping[str, str]:
        return {PAPER_WORLD if self.channel is None else LINK_MATRIX: "channel"}


def interrupted_slots(interruption_s: float, step_s: float) -> float:
    """How many slots an interruption takes; above one without the last bits of the quotient."""
    slots = interruption_s / step_s
    return slots if slots <= 1.0 else round(slots, 9)


def interruption(constants: Mapping[str, Any]) -> tuple[int, float]:
    """For planners: slots from a handover to the next decision, at least 1, and the share of the last one with data.

    constants: those of a scenario with `interruption_s` and `step_s`.
    """
    slots = interrupted_slots(constants["interruption_s"], constants["step_s"])
    wait = max(1, math.ceil(slots))
    return wait, wait - slots
