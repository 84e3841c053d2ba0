"""The keywords of `MmwaveHandover-v0` and what is allowed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mmwave_gym.core.checks import at_least, between, interval, one_of, probabilities
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

    mobility: str | tuple[float, float, float, float] = only_in(PAPER_WORLD, default="A1")
    """An area of the paper (A1, A2: symmetric; A3: drifts east) or probabilities of a step E, S, W, N."""
    beta: float = 25.0
    """Price of handover energy in the reward, bit/s/Hz per joule (paper: 5 to 25)."""
    step_s: float = 0.05
    """Slot length in seconds."""
    horizon: int = 1200
    """Slots until truncation; the default is one minute."""
    num_cells: int = 6
    """Small cells, uniform in the area (paper: 6); a link matrix has its own."""
    num_ues: int = 1
    """UEs, each an agent in PettingZoo; `gym.make` controls the first."""
    area_side_m: float = only_in(PAPER_WORLD, default=16.0)
    """Side of the square area in metres (paper: 16)."""
    start: str = only_in(PAPER_WORLD, default="centre")
    """Where UEs begin: "centre" or "uniform"."""
    boundary: str = only_in(PAPER_WORLD, default="leave")
    """What a UE does at the border: "leave" (its episode ends), "stay" (walls), "open" (no border)."""
    speed_mps: tuple[float, float] = (1.0, 3.0)
    """Speed interval in metres a second (paper: 1 to 3)."""
    speed_drawn_per: str = only_in(PAPER_WORLD, default="ue")
    """Whether the speed is drawn once per "ue" or anew per "slot"."""
    shadowing: str = only_in(PAPER_WORLD, default="correlated")
    """"correlated" (one map per cell), "static" (one value per cell), "independent" (new every slot) or "none"."""
    shadowing_db: float = only_with(
        "shadowing", "correlated", "static", "independent", default=8.0, worlds=(PAPER_WORLD,)
    )
    """Standard deviation of shadowing in dB (paper: 8)."""
    shadowing_correlation_m: float = only_with("shadowing", "correlated", default=6.0, worlds=(PAPER_WORLD,))
    """Distance in metres over which the correlation falls to 1/e."""
    fading: str = only_in(PAPER_WORLD, default="seen")
    """Rayleigh fading: "seen" by controller and reward, "averaged" for the controller, or "none"."""
    interruption_s: float = 0.0
    """Time without data at a handover, in seconds, at most one slot (paper: up to 0.05)."""
    handover_energy_j: float = 0.3
    """Energy of a handover in joules (paper: 0.3)."""
    tx_power_dbm: float = only_in(PAPER_WORLD, default=30.0)
    """Transmit power of a cell in dBm (paper: 30)."""
    bandwidth_hz: float = only_in(PAPER_WORLD, default=10e6)
    """Bandwidth in Hz (paper: 10 MHz); it sets the noise."""
    layout_seed: int | None = only_in(PAPER_WORLD, default=None)
    """Fixes cells and shadowing maps for all episodes; None draws new ones for every episode."""
    channel: str | os.PathLike[str] | LinkMatrix | None = None
    """A link matrix as the world: a .npz or .csv file, "mssn:V-R10/2071667", "raytraced:sf_columbus_28ghz". Append
    "#north" to the name to use the northern half of the map."""

    def __post_init__(self) -> None:
        if isinstance(self.mobility, str):
            one_of("mobility", self.mobility, AREAS)
        else:
            probabilities("mobility", self.mobility, 4)
        one_of("start", self.start, ("centre", "uniform"))
        one_of("boundary", self.boundary, ("leave", "stay", "open"))
        one_of("speed_drawn_per", self.speed_drawn_per, ("ue", "slot"))
        one_of("shadowing", self.shadowing, ("correlated", "static", "independent", "none"))
        one_of("fading", self.fading, ("seen", "averaged", "none"))
        for name, low in {"horizon": 1, "num_cells": 2, "num_ues": 1}.items():
            at_least(name, getattr(self, name), low, integer=True)
        for name in ("step_s", "area_side_m", "shadowing_correlation_m", "bandwidth_hz"):
            at_least(name, getattr(self, name), 0.0, strict=True)
        for name in ("beta", "shadowing_db", "handover_energy_j"):
            at_least(name, getattr(self, name), 0.0)
        between("tx_power_dbm", self.tx_power_dbm, -50.0, 100.0)
        between("interruption_s", self.interruption_s, 0.0, self.step_s)
        interval("speed_mps", self.speed_mps, 0.0)
        if self.layout_seed is not None:
            at_least("layout_seed", self.layout_seed, 0, integer=True)
        self.check_world()

    @property
    def world(self) -> Mapping[str, str]:
        return {PAPER_WORLD if self.channel is None else LINK_MATRIX: "channel"}
