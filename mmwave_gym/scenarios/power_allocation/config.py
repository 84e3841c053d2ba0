"""The keywords of `MmwavePowerAllocation-v0` and what is allowed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import pdtrc

from mmwave_gym.core.checks import at_least, one_of
from mmwave_gym.core.ranges import Count, Flag, Range, Said, Words, check_ranges, pair
from mmwave_gym.core.worlds import OneWorld, only_in, only_with
from mmwave_gym.scenarios.power_allocation.rewards import REWARDS

LIGHT_MPS = 3e8  # as in the authors' code
LAYOUTS = ("rows", "poisson")
SCOPES = ("cluster", "network")
ROWS, POISSON, SITES = "the authors' rows", "a Poisson network", "given sites"
CLUSTER, NETWORK = "a drawn cluster", "a whole network"
OBSERVATIONS = ("ring", "local")
ACTIONS = ("power", "change")
STARTS = ("max", "random")
FEASIBLE = ("any", "only", "not")
NEAREST_UE_M = 1.0
FARTHEST_M = 1e7
"""Places beyond this are a mistake in the units."""
MANY_BS = "memory and time with the number of base stations, where all disturb each other with its square"
ROWS_M = tuple(
    (x0 + step * i, y)
    for x0, step, y, count in (
        *((180.0, 35.0, 150.0, 3), (165.0, 30.0, 180.0, 3), (150.0, 35.0, 200.0, 4)),
        *((160.0, 35.0, 240.0, 3), (150.0, 35.0, 280.0, 3)),
    )
    for i in range(count)
)
"""Where the authors' code puts base stations, in metres."""

Layout = str | os.PathLike[str] | tuple[tuple[float, float], ...]
RewardFunction = Callable[[NDArray[Any], float], NDArray[Any]]

REFERENCE = "full-power"
MANY_SITES, RANGE_M = 2000, 400.0
"""`mmwave-gym sites`: of more sites only those within this range disturb each by itself, the others by their number."""


SITE_ENDINGS = (".csv", ".tsv", ".txt", ".geojson", ".json", ".gz")


@dataclass(frozen=True, kw_only=True)
class PowerAllocationConfig(OneWorld):
    """Keywords of `MmwavePowerAllocation-v0`. Errors: ValueError names the keyword, the value and what is allowed."""

    same_as: ClassVar[Mapping[str, str]] = {"step_s": "slot_s"}

    layout: Annotated[Layout, Said("a word, a file, a name, or places within 10,000 km", LAYOUTS)] = "rows"
    """Where base stations are: "rows" (sixteen places of the authors' code, of which `num_bs` are taken), "poisson"
    (section V), a .csv or .geojson file of sites (longitude and latitude, or x_m and y_m), known ones such as
    "sites:melbourne" (from the folder MMWAVE_DATA), or places in metres."""
    num_bs: Annotated[int, Count(1, len(ROWS_M))] = only_in(ROWS, default=14)
    """Base stations that `layout="rows"` takes (paper: 2 to 14)."""
    scope: Annotated[str, Words(*SCOPES)] = only_in(POISSON, SITES, default="cluster")
    """Who plays in the other layouts: one "cluster" that FLOC has formed, drawn at random, or the whole "network"."""
    cluster_bs: Annotated[
        tuple[int, int], pair(1, 10_000, cost="memory and time with the square of the greatest", integer=True)
    ] = only_in(CLUSTER, default=(2, 24))
    """Sizes of the clusters that are drawn with `scope="cluster"`."""
    density_per_km2: Annotated[float, Range(1e-9, 1e6, "1/km2", MANY_BS)] = only_in(POISSON, default=120.0)
    """Base stations of a Poisson network per square kilometre (authors' code)."""
    side_m: Annotated[float, Range(1.0, 1e5, "m", MANY_BS)] = only_in(POISSON, default=1000.0)
    """Side of its square (paper: 1000)."""
    unit_m: Annotated[float, Range(0.1, 10_000.0, "m")] = only_in(POISSON, SITES, default=100.0)
    """FLOC's unit: a cluster reaches two of them from its head (paper: 100)."""
    interference: Annotated[str, Words(*SCOPES)] = only_in(POISSON, SITES, default="cluster")
    """Whose interference counts: that of the same "cluster" (paper) or of the whole "network"."""
    interference_range_m: Annotated[float | None, Range(NEAREST_UE_M, 1e6, "m", "memory and time with its square")] = (
        None
    )
    """With `interference="network"`: interference of base stations nearer than that is computed one by one, that of the
    others from their number and mean power. None: all one by one, for up to a few thousand."""
    ue_radius_m: Annotated[float, Range(NEAREST_UE_M, 10_000.0, "m")] = 10.0
    """A UE is at most so far from its base station (paper)."""
    qos_sinr: Annotated[float, Range(1e-3, 1e9)] = 2.83
    """SINR that satisfies a UE, linear (authors' code)."""
    shadowing_db: Annotated[float, Range(0.0, 60.0, "dB")] = 8.7
    """Standard deviation of the shadowing of interferers (Table I)."""
    noise_dbm: Annotated[float, Range(-200.0, 50.0, "dBm")] = -120.0
    """Noise power (Table I)."""
    frequency_hz: Annotated[float, Range(1e8, 3e12, "Hz")] = 28e9
    """Carrier frequency (Table I)."""
    nlos_intercept_db: Annotated[float, Range(0.0, 300.0, "dB")] = 72.0
    """Path loss of interferers at a metre (Table I: alpha)."""
    nlos_slope_db: Annotated[float, Range(0.0, 200.0, "dB")] = 29.2
    """Additional path loss of interferers per decade of distance (Table I: 10 beta)."""
    power_dbm: Annotated[tuple[float, float], pair(-200.0, 100.0, "dBm")] = (-10.0, 35.0)
    """Least and greatest power (Table I)."""
    levels: Annotated[int | None, Count(2, 10_000)] = 32
    """Powers to choose from, equally spaced in dBm (authors' code); None: any, a Box."""
    action: Annotated[str, Words(*ACTIONS)] = "power"
    """Meaning of an action without levels: the "power" in dBm, or its "change" in dB, at most `change_db`."""
    change_db: Annotated[float, Range(1e-3, 300.0, "dB")] = only_with("action", "change", default=13.0)
    """Greatest change a slot with `action="change"`."""
    observation: Annotated[str, Words(*OBSERVATIONS)] = "ring"
    """What a base station sees: its "ring" around the cluster's head (paper), or "local": also own power, capacity,
    interference, SINR margin, strongest interferers, and the price of interference that other UEs tell."""
    reward: Annotated[str | RewardFunction, Said("a word or a function", tuple(REWARDS))] = "paper"
    """"paper" (eq. 7), "exponential" (EXP-Q), "team" (the sum of utilities), "difference" (own utility minus what the
    base station's power costs the others), or a function of capacities (N, A) and the required one, in bit/s/Hz."""
    penalty: Annotated[float, Range(0.0, 1e6)] = only_with("reward", "team", "difference", default=5.0)
    """Utility = capacity - `penalty` * max(0, required capacity - capacity), in bit/s/Hz (ours)."""
    missed_bps_hz: Annotated[float | None, Range(0.0, 1e6, "bit/s/Hz")] = 10.0
    """What each unsatisfied UE costs in the metric `qos_rate_bps_hz` (ours). None: so much that more satisfied UEs
    always count more, whatever the rates (proven); 10 does not reach that. No reward depends on it."""
    feasible: Annotated[str, Words(*FEASIBLE)] = "any"
    """"only" draws worlds in which all UEs can be satisfied at once, "not" those in which they cannot. Worlds are drawn
    until one is so, 2,000 at most and fewer of large clusters: an error after seconds says where none was."""
    start: Annotated[str, Words(*STARTS)] = "max"
    """Powers before the first slot: "max" or "random" (a level, or uniform in dBm)."""
    changes: Annotated[int, Count(0, 10_000, cost="memory and time in proportion")] = 0
    """Base stations that leave or arrive in an episode, each at a slot of its own; clusters heal themselves."""
    horizon: Annotated[int, Count(1, 1_000_000)] = 100
    """Slots until truncation."""
    slot_s: Annotated[float, Range(1e-9, 3600.0, "s")] = 1e-3
    """Length of a slot (ours; it only sets `elapsed_s`)."""
    authors: Annotated[bool, Flag()] = False
    """The faults of the authors' code, for the reproduction (see the differences)."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.power_dbm[0] == self.power_dbm[1]:
            raise ValueError(f"power_dbm must be lowest < highest, got {self.power_dbm!r}.")
        self._check_layout()
        self._check_qos()
        if self.action == "change" and self.levels is not None:
            raise ValueError(f"action='change' is for continuous powers: it needs levels=None, got {self.levels}.")
        if self.changes >= self.horizon:
            raise ValueError(f"changes must be fewer than the {self.horizon} slots of the horizon, got {self.changes}.")
        self.check_world()

    @property
    def world(self) -> Mapping[str, str]:
        if self.layout == "rows":
            return {ROWS: "layout"}
        layout, scope = POISSON if self.layout == "poisson" else SITES, NETWORK if self.is_network else CLUSTER
        return {layout: "layout", scope: "scope"}

    @property
    def is_network(self) -> bool:
        return self.layout != "rows" and self.scope == "network"

    @property
    def is_sparse(self) -> bool:
        """Are only near base stations' interferences told apart? In a cluster all are near."""
        return self.is_network and (self.interference_range_m is not None or self.interference == "cluster")

    def _check_layout(self) -> None:
        if isinstance(self.layout, str) and not self.layout.lower().endswith(SITE_ENDINGS):
            if self.layout not in LAYOUTS and not self.layout.startswith("sites:"):
                words = ", ".join(map(repr, LAYOUTS))
                raise ValueError(
                    f"layout must be one of {words}, a file of sites ({', '.join(SITE_ENDINGS)}), "
                    f"sites:… or places, got {self.layout!r}."
                )
        elif not isinstance(self.layout, str | os.PathLike):
            check_places("layout", self.layout)
        if self.interference_range_m is not None:
            at_least("interference_range_m", self.interference_range_m, NEAREST_UE_M + self.ue_radius_m)
            if not self.is_network or self.interference != "network":
                raise ValueError(
                    "interference_range_m is for scope='network' with interference='network': inside a cluster all "
                    f"interferers count, got {self.interference_range_m}."
                )
        if self.layout != "rows" and not self.is_network and self.interference == "network":
            raise ValueError(
                "interference='network' needs scope='network': who is outside a drawn cluster does not play."
            )
        if self.changes and not (self.layout == "rows" or self.is_network):
            raise ValueError("changes needs scope='network' or layout='rows': a drawn cluster would split and merge.")
        if self.layout == "poisson" and not self.is_network:
            self._check_clusters()
        if self.is_network and self.feasible != "any":
            raise ValueError(f"feasible must be 'any' for a whole network, got {self.feasible!r}.")
        if self.authors and self.missed_bps_hz is None:
            raise ValueError(
                "missed_bps_hz=None needs the greatest SNR, which authors=True does not bound: it shadows own links."
            )
        if self.authors and self.layout != "rows":
            raise ValueError(f"authors=True is for layout='rows', on which the authors evaluate, got {self.layout!r}.")

    def _check_clusters(self) -> None:
        """ValueError where a Poisson network hardly ever has a cluster of the least size that is asked for."""
        network = self.density_per_km2 * 1e-6 * self.side_m**2
        reach = min(self.density_per_km2 * 1e-6 * math.pi * (2.0 * self.unit_m) ** 2, network)
        least = self.cluster_bs[0]
        so_large = 1.0 if least == 1 else float(pdtrc(least - 2, reach))
        if network * so_large < 0.1:
            raise ValueError(
                f"cluster_bs={self.cluster_bs}: with density_per_km2={self.density_per_km2:g}, side_m={self.side_m:g} "
                f"and unit_m={self.unit_m:g} a head reaches {reach:.3g} base stations on average and a cluster of "
                f"{least} hardly ever forms. Lower cluster_bs or raise one of these."
            )

    def _check_qos(self) -> None:
        if isinstance(self.reward, str):
            one_of("reward", self.reward, REWARDS)
            if self.reward == "paper" and self.qos_sinr <= 1.0:
                raise ValueError(
                    f"reward='paper' divides by log2 of qos_sinr, which must be above 1, got {self.qos_sinr}."
                )
        elif not callable(self.reward):
            raise ValueError(f"reward must be one of {', '.join(REWARDS)} or a function, got {self.reward!r}.")
        alone_db = self.power_dbm[1] - self.friis_db(self.ue_radius_m) - self.noise_dbm
        if 10.0 * math.log10(self.qos_sinr) > alone_db:
            raise ValueError(
                f"qos_sinr={self.qos_sinr:g} cannot be met: at {self.power_dbm[1]:g} dBm a UE "
                f"{self.ue_radius_m:g} m away has an SNR of "
                f"{10.0 ** (0.1 * alone_db):.3g} without any interference. Lower it or raise power_dbm."
            )

    def missed(self, num_bs: int) -> float:
        """What an unsatisfied UE costs in the metric that ranks, of at most `num_bs` UEs, in bit/s/Hz.

        With missed_bps_hz=None: P = (n - 1) (C_max - C_q), n = `num_bs`. C_q = log2(1 + q) is the least capacity of a
        satisfied UE, C_max that at `NEAREST_UE_M` and the greatest power against noise alone.

        Claim: powers at which k UEs are satisfied have a larger metric than any at which fewer are.
        Proof. A satisfied UE has a capacity between C_q and C_max, as noise is the least it can have against it and
        Friis' gain is largest at the least distance. So with k satisfied of the m <= n present the metric is at least
        k C_q - (m - k) P, and with k' < k it is at most k' C_max - (m - k') P. The difference of the two is

            k C_q - k' C_max + (k - k') P >= C_q - (k - 1) (C_max - C_q) + P >= C_q > 0,

        where k' = k - 1 is the worst case, as k' C_max + k' P grows with k', and k <= n. Giving up one UE is that case.
        """
        if self.missed_bps_hz is not None:
            return float(self.missed_bps_hz)
        snr_db = self.power_dbm[1] - self.friis_db(NEAREST_UE_M) - self.noise_dbm
        most = math.log2(1.0 + 10.0 ** (0.1 * snr_db))
        return (num_bs - 1) * max(most - math.log2(1.0 + self.qos_sinr), 0.0)

    def friis_db(self, distance_m: Any) -> Any:
        """Free-space path loss in dB of a UE's own link over a distance (section II), element-wise."""
        return 20.0 * np.log10(4.0 * math.pi * self.frequency_hz / LIGHT_MPS * distance_m)


def check_places(name: str, places: Any) -> None:
    """ValueError unless `places` are pairs of finite numbers (up to 10,000 km), no two alike."""
    if not isinstance(places, Sequence) or len(places) < 1:
        raise ValueError(f"{name} must be places (x, y) in metres, at least one, got {places!r}.")
    for i, place in enumerate(places):
        if (
            not isinstance(place, Sequence)
            or len(place) != 2
            or not all(isinstance(x, Real) and abs(float(x)) <= FARTHEST_M for x in place)
        ):
            raise ValueError(f"{name}[{i}] must be a pair of finite numbers in metres, got {place!r}.")
    seen: dict[tuple[float, float], int] = {}
    for i, place in enumerate(places):
        if (first := seen.setdefault(tuple(place), i)) != i:
            raise ValueError(f"{name}: base stations {first} and {i} are at the same place {tuple(place)}; keep one.")
