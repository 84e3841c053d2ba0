"""A link matrix: the RSRP of every cell over time or over places, and the episodes that are played on it.

Two kinds, told apart by the fields that are given:

* **time**: row i was heard at `time_s[i]`. Every UE plays the recording back from a random moment.
* **place**: row i is heard at `position_m[i]`. Every UE walks from place to place along `edges` at its own speed,
  starting anywhere on them with equal chance; at each place it goes on to a random neighbour and turns round only
  in a dead end. A ray-traced route is a graph whose places have two neighbours, a street grid one with crossings.

Between two rows the RSRP is linear in dB. NaN means "not heard", which is not minus infinity: a cell is heard where
the nearer of the two rows hears it, and if only one of them does it has that row's RSRP there.

A place may hold measured percentiles in the place of one number. The RSRP there is then the percentiles' quantile
function at u = Phi(z), with z a standard normal process along the walked distance, independent for each cell and
UE, whose correlation falls to 1/e over `correlation_m`. **That process is ours**: the percentiles say how often an
RSRP occurs in a square, not in which order a walker meets them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.links.checks import TEXTS, checked

MAX_LEGS = 1_000_000


class Drawn(NamedTuple):
    """One episode on a link matrix. A time matrix without positions gives NaN positions."""

    position_m: Float64Array  # (2, ue, slot)
    cell: NDArray[np.intp]  # (k,): the cells that are heard at all, often a fraction of all K
    rsrp_dbm: Float64Array  # (ue, slot, k), NaN = not heard

    def of_all_cells(self, num_cells: int) -> Float64Array:
        """RSRP in dBm of all cells of the matrix, (ue, slot, K)."""
        rsrp_dbm = np.full((*self.rsrp_dbm.shape[:2], num_cells), np.nan)
        rsrp_dbm[..., self.cell] = self.rsrp_dbm
        return rsrp_dbm


class _Legs(NamedTuple):
    """Where UEs are: between the rows `ends[leg]`, `fraction` of the way from the first to the second."""

    ends: NDArray[np.intp]  # (leg, 2)
    leg: NDArray[np.intp]  # (ue, slot)
    fraction: Float64Array  # (ue, slot)
    stride_m: Float64Array  # (ue,): metres walked in a slot


class _Streets(NamedTuple):
    """The places' graph as directed edges; edge e is followed by `successors[first[e] : first[e] + branches[e]]`."""

    ends: NDArray[np.intp]  # (edge, 2)
    length_m: Float64Array  # (edge,)
    first: NDArray[np.intp]
    branches: NDArray[np.intp]
    successors: NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LinkMatrix:
    """RSRP of K cells at P times or places. Arrays are copied, checked and frozen; two with equal content are equal.

    Errors: ChannelError names the field, the value and what is allowed.
    """

    rsrp_dbm: Float64Array
    """(P, K), or (P, K, Q) with `percentiles`, in dBm; NaN = not heard."""
    noise_dbm: float
    """Noise power in dBm, over the bandwidth that `rsrp_dbm` is received in."""
    cells: tuple[str, ...]
    """(K,) names of the cells."""
    time_s: Float64Array | None = None
    """(P,) times in seconds, increasing by equal steps."""
    position_m: Float64Array | None = None
    """(P, 2) coordinates in metres; needed without `time_s`."""
    edges: NDArray[np.intp] | None = None
    """(E, 2) pairs of neighbouring places; None joins places by their spacing, see `neighbours`."""
    percentiles: Float64Array | None = None
    """(Q,) from 0 to 100, for the last axis of `rsrp_dbm`."""
    correlation_m: float = 10.0
    """Distance over which the walk through the percentiles forgets (ours: a few parked cars, a doorway)."""
    site_m: Float64Array | None = None
    """(K, 2) coordinates of the cells, where they are known."""
    carrier_hz: float | None = None
    source: str = ""
    licence: str = ""
    notes: str = ""
    """What the reader of the raw data left out or assumed."""

    def __post_init__(self) -> None:
        for name, value in checked(self).items():
            object.__setattr__(self, name, value)

    # ------------------------------------------------------------------ what it is

    @property
    def num_cells(self) -> int:
        return len(self.cells)

    @property
    def kind(self) -> str:
        """ "time" or "place"."""
        return "place" if self.time_s is None else "time"

    @property
    def duration_s(self) -> float:
        """Length of a recording; infinite for places, on which a UE can walk for ever."""
        return np.inf if self.time_s is None else float(self.time_s[-1] - self.time_s[0])

    @cached_property
    def heard(self) -> NDArray[np.bool_]:
        """(P, K): which cells each row hears."""
        return ~np.isnan(self.rsrp_dbm if self.percentiles is None else self.rsrp_dbm[..., 0])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of all that an episode depends on, in hexadecimal: equal for equal worlds from different files."""
        digest = hashlib.sha256()
        for field in dataclasses.fields(self):
            if field.name in TEXTS:
                continue
            value = getattr(self, field.name)
            shape = getattr(value, "shape", ())
            digest.update(f"{field.name}{shape}=".encode())
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LinkMatrix):
            return False
        return self.fingerprint == other.fingerprint and all(getattr(self, t) == getattr(other, t) for t in TEXTS)

    def __hash__(self) -> int:
        return int(self.fingerprint[:15], 16)

    def __repr__(self) -> str:
        rows = f"{self.rsrp_dbm.shape[0]} {self.kind}s x {self.num_cells} cells"
        return f"<LinkMatrix {rows}, {self.source or 'unnamed'}, {self.fingerprint[:8]}>"

    def describe(self) -> str:
        """A few lines for people: size, span, how much is heard, source and notes."""
        heard = self.heard.sum(axis=1)
        rows = f"{len(heard)} {'times' if self.kind == 'time' else 'places'}"
        lines = [
            f"{rows} x {self.num_cells} cells over {self.kind}, noise {self.noise_dbm:.1f} dBm",
            f"heard: median {np.median(heard):g}, at most {heard.max()}; nothing at {(heard == 0).sum()} rows",
        ]
        if self.kind == "time":
            lines.append(f"duration: {self.duration_s:g} s")
        else:
            length_m = self._streets.length_m.sum() / 2
            lines.append(f"streets: {len(self._streets.length_m) // 2} edges, {length_m:.0f} m")
        return "\n".join([*lines, *(text for text in (self.source, self.licence, self.notes) if text)])

    # ------------------------------------------------------------------ an episode

    def draw(
        self,
        rng: EpisodeRng,
        *,
        horizon: int,
        step_s: float,
        num_ues: int = 1,
        speed_mps: tuple[float, float] = (1.0, 3.0),
    ) -> Drawn:
        """Positions and RSRP of `num_ues` UEs at slots 0..horizon, `step_s` seconds apart.

        Walks use `rng["mobility"]`, percentiles `rng["channel"]`. A time matrix ignores `speed_mps`, a UE's own
        uniform speed in an interval of metres a second. Raises ChannelError if a recording is shorter than the
        episode.
        """
        if self.kind == "time":
            legs = self._playback(rng["mobility"], horizon, step_s, num_ues)
        else:
            legs = self._walk(rng["mobility"], horizon, step_s, num_ues, speed_mps)
        if self.position_m is None:
            position_m = np.full((2, *legs.leg.shape), np.nan)
        else:
            start_m = self.position_m[legs.ends[:, 0]].T
            step_m = self.position_m[legs.ends[:, 1]].T - start_m
            position_m = start_m.take(legs.leg, axis=1) + legs.fraction * step_m.take(legs.leg, axis=1)
        return Drawn(position_m, *self._rsrp(rng, legs))

    def along(self, rng: EpisodeRng, way: NDArray[np.intp], walked_m: Float64Array) -> Drawn:
        """Positions and RSRP of one UE on a given way over places.

        way: (n,) places, each joined to the next; walked_m: (slot,) metres from the first, equally far apart and not
        falling. Percentiles use `rng["channel"]`.
        """
        assert self.position_m is not None
        ends_m = np.linalg.norm(np.diff(self.position_m[way], axis=0), axis=1).cumsum()
        leg = np.minimum(np.searchsorted(ends_m, walked_m, side="right"), len(ends_m) - 1)
        length_m = np.diff(ends_m, prepend=0.0)[leg]
        fraction = np.clip(1.0 - (ends_m[leg] - walked_m) / length_m, 0.0, 1.0)
        stride_m = np.diff(walked_m[:2], append=walked_m[0])[:1]
        legs = _Legs(np.stack((way[:-1], way[1:]), axis=1), leg[None], fraction[None], stride_m)
        start_m, end_m = self.position_m[legs.ends[leg]].transpose(1, 2, 0)
        return Drawn((start_m + fraction * (end_m - start_m))[:, None], *self._rsrp(rng, legs))

    def check_episode(self, horizon: int, step_s: float, fastest_mps: float) -> None:
        """ChannelError unless episodes of this length can be played."""
        episode_s = horizon * step_s
        if episode_s > self.duration_s * (1.0 + 1e-9):
            raise ChannelError(
                f"the recording lasts {self.duration_s:g} s and an episode {episode_s:g} s: lower horizon or step_s."
            )
        if self.kind == "place":
            legs = fastest_mps * episode_s / float(self._streets.length_m.mean())
            if legs > MAX_LEGS:
                raise ChannelError(
                    f"a UE at {fastest_mps:g} m/s would pass {legs:.2g} places in {episode_s:g} s, at most "
                    f"{MAX_LEGS} are allowed: lower speed_mps or horizon."
                )

    def _playback(self, rng: np.random.Generator, horizon: int, step_s: float, num_ues: int) -> _Legs:
        self.check_episode(horizon, step_s, 0.0)
        rows = self.rsrp_dbm.shape[0]
        row_s = self.duration_s / (rows - 1)
        start_s = rng.random((num_ues, 1)) * max(self.duration_s - horizon * step_s, 0.0)
        row = (start_s + step_s * np.arange(horizon + 1)) / row_s
        before = np.minimum(row.astype(np.intp), rows - 2)
        first = before.min()
        ends = np.arange(first, before.max() + 1)
        return _Legs(np.stack((ends, ends + 1), axis=1), before - first, row - before, np.zeros(num_ues))

    def _walk(
        self, rng: np.random.Generator, horizon: int, step_s: float, num_ues: int, speed_mps: tuple[float, float]
    ) -> _Legs:
        slowest, fastest = speed_mps
        self.check_episode(horizon, step_s, fastest)
        streets = self._streets
        stride_m = (slowest + (fastest - slowest) * rng.random(num_ues)) * step_s
        along_m = streets.length_m.cumsum()
        start_m = rng.random(num_ues) * along_m[-1]
        edge = np.minimum(np.searchsorted(along_m, start_m, side="right"), len(along_m) - 1)
        # Distances count from the tail of the first edge.
        walked_m = (start_m - along_m[edge] + streets.length_m[edge])[:, None] + stride_m[:, None] * np.arange(
            horizon + 1
        )
        edges, ends_m = [edge], [streets.length_m[edge]]
        while (ends_m[-1] <= walked_m[:, -1]).any():
            turn = (rng.random(num_ues) * streets.branches[edge]).astype(np.intp)
            edge = streets.successors[streets.first[edge] + turn]
            edges.append(edge)
            ends_m.append(ends_m[-1] + streets.length_m[edge])
        path, path_m = np.stack(edges, axis=1), np.stack(ends_m, axis=1)
        nth = np.stack([np.searchsorted(end, s, side="right") for end, s in zip(path_m, walked_m, strict=True)])
        leg = nth + (np.arange(num_ues) * path.shape[1])[:, None]
        flat = path.ravel()
        to_go_m = path_m.ravel()[leg] - walked_m
        fraction = np.clip(1.0 - to_go_m / streets.length_m[flat][leg], 0.0, 1.0)
        return _Legs(streets.ends[flat], leg, fraction, stride_m)

    def _rsrp(self, rng: EpisodeRng, legs: _Legs) -> tuple[NDArray[np.intp], Float64Array]:
        """Which cells these legs hear, and their RSRP (ue, slot, k)."""
        heard = self.heard[legs.ends]  # (leg, 2, cell)
        cell = np.flatnonzero(heard.any(axis=(0, 1)))
        heard = heard[:, :, cell]
        value = self.rsrp_dbm[legs.ends[:, :, None], cell]  # (leg, 2, cell[, percentile])
        deaf = ~heard if self.percentiles is None else ~heard[..., None]
        value = np.where(deaf, value[:, ::-1], value)  # an end that does not hear takes the other's value
        if self.percentiles is None:
            start, end = value[:, 0].take(legs.leg, axis=0), value[:, 1].take(legs.leg, axis=0)
        else:
            start, end = self._quantiles(rng["channel"], legs, value)
        rsrp_dbm = start + legs.fraction[..., None] * (end - start)
        nearer = 2 * legs.leg + (legs.fraction > 0.5)
        np.copyto(rsrp_dbm, np.nan, where=~heard.reshape(2 * len(heard), len(cell)).take(nearer, axis=0))
        return cell, rsrp_dbm

    def _quantiles(
        self, rng: np.random.Generator, legs: _Legs, value: Float64Array
    ) -> tuple[Float64Array, Float64Array]:
        """The quantile functions of both ends of a leg, `value` (leg, 2, cell, percentile), at u = Phi(z)."""
        assert self.percentiles is not None
        _, _, cells, q = value.shape
        levels = self.percentiles / 100.0
        z = correlated_normals(rng, legs.stride_m / self.correlation_m, legs.leg.shape[1], cells)
        u = np.clip(ndtr(z, out=z), levels[0], levels[-1])
        below = np.zeros(u.shape, np.int8)
        for level in levels[1:-1].tolist():  # percentiles are few: ten times as fast as a search
            below += u >= level
        share = (u - levels.take(below)) * (1.0 / np.diff(levels)).take(below)
        at = (legs.leg[..., None] * (2 * cells) + np.arange(cells)) * (q - 1) + below
        low, rise = value[..., :-1].ravel(), np.diff(value).ravel()
        other = cells * (q - 1)
        return low.take(at) + share * rise.take(at), low.take(at + other) + share * rise.take(at + other)

    @cached_property
    def _streets(self) -> _Streets:
        """`edges` in both directions, and what follows each: any but the way back, or that in a dead end."""
        assert self.position_m is not None
        assert self.edges is not None
        ends = np.concatenate((self.edges, self.edges[:, ::-1]))
        ends = ends[np.lexsort((ends[:, 1], ends[:, 0]))]
        leaving: dict[int, list[int]] = {}
        for e, tail in enumerate(ends[:, 0].tolist()):
            leaving.setdefault(tail, []).append(e)
        following: list[list[int]] = []
        for tail, head in ends.tolist():
            onward = [e for e in leaving[head] if ends[e, 1] != tail]
            following.append(onward or leaving[head])
        count = np.array([len(f) for f in following])
        return _Streets(
            ends=ends,
            length_m=np.linalg.norm(self.position_m[ends[:, 1]] - self.position_m[ends[:, 0]], axis=1),
            first=count.cumsum() - count,
            branches=count,
            successors=np.array([e for f in following for e in f]),
        )


def correlated_normals(rng: np.random.Generator, stride: Float64Array, slots: int, cells: int) -> Float64Array:
    """Standard normal AR(1) processes (ue, slot, cell), exactly exp(-n stride) correlated n slots apart.

    `stride` (ue,) is the walked distance of a slot in correlation distances.
    """
    from scipy.signal import lfilter  # a slow import, needed for percentiles only

    z = rng.standard_normal((len(stride), slots, cells))
    z[:, 1:] *= np.sqrt(-np.expm1(-2.0 * stride))[:, None, None]  # 1 - rho^2 without cancellation
    for ue, rho in enumerate(np.exp(-stride).tolist()):
        z[ue] = lfilter([1.0], [1.0, -rho], z[ue], axis=0)
    return z
