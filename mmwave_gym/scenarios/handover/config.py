"""The keywords of `MmwaveHandover-v0` and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

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


@dataclass(frozen=True, kw_only=True)
class HandoverConfig(OneWorld):
    """Keywords of `MmwaveHandover-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    mobility: Annotated[str | tuple[float, float, float, float], Either(Words(*AREAS), Probabilities(4))] = only_in(
        PAPER_WORLD, default="A1"
    )
    """An area of the paper (A1, A2: symmetric; A3: drifts east) or probabilities of a step E, S, W, N."""
    beta: Annotated[float, Range(0.0, 1e6, "bit/s/Hz/J")] = 25.0
    """Price of handover energy in the reward, bit/s/Hz per joule (paper: 5 to 25)."""
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
    fading: Annotated[str, Words("seen", "averaged", "none")] = only_in(PAPER_WORLD, default="seen")
    """Rayleigh fading: "seen" by controller and reward, "averaged" for the controller, or "none"."""
    interruption_s: Annotated[float, Range(0.0, 10.0, "s")] = 0.0
    """Time without data at a handover, in seconds, at most one slot (paper: up to 0.05)."""
    handover_energy_j: Annotated[float, Range(0.0, 1000.0, "J")] = 0.3
    """Energy of a handover in joules (paper: 0.3)."""
    tx_power_dbm: Annotated[float, Range(-50.0, 100.0, "dBm")] = only_in(PAPER_WORLD, default=30.0)
    """Transmit power of a cell in dBm (paper: 30)."""
    bandwidth_hz: Annotated[float, Range(1e3, 1e11, "Hz")] = only_in(PAPER_WORLD, default=10e6)
    """Bandwidth in Hz (paper: 10 MHz); it sets the noise."""
    layout_seed: Annotated[int | None, Count(0, 2**63 - 1)] = only_in(PAPER_WORLD, default=None)
    """Fixes cells and shadowing maps for all episodes; None draws new ones for every episode."""
    channel: Annotated[str | os.PathLike[str] | LinkMatrix | None, Said("a link matrix, its file or its name")] = None
    """A link matrix as the world: a .npz or .csv file, "mssn:V-R10/2071667", "raytraced:sf_columbus_28ghz". Append
    "#north" to the name to use the northern half of the map."""

    def __post_init__(self) -> None:
        check_ranges(self)
        between("interruption_s", self.interruption_s, 0.0, self.step_s)
        self.check_world()

    @property
    def world(self) -> Mapping[str, str]:
        return {PAPER_WORLD if self.channel is None else LINK_MATRIX: "channel"}
