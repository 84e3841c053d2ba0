"""Ray-traced routes and maps: `gain_db[point, site]`, as Sionna RT and its like give it.

An .npz file with `gain_db` (points, sites), `rx` (points, 2 or 3) and `tx` (sites, 2 or 3) in metres; `lon` and `lat`
(sites,) may be there too. Points of a route follow each other, and UEs walk it to and fro. Points of a map, which lie
on a grid or jump, are joined with their neighbours; where no site is heard is inside of a building or out of reach,
and nobody walks there. RSRP here is the received power over the whole band: transmit power + antenna gain + path gain.

The radio is ours: 30 dBm (the handover paper's), 100 MHz (one 5G carrier), a UE noise figure of 10 dB, 20 dB of
antenna gain over the isotropic ray tracer (an array of 100 elements). A site is not heard where the tracer found no
path (its floor, -200 dB) or where the SNR is below -20 dB, about the weakest in the measured 28 GHz data.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.checks import neighbours
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.radio.units import noise_dbm as thermal_noise_dbm

FOLDER = "derived_examples"
CARRIER_HZ = 28e9
HIGHEST_GAIN_DB = -20.0
"""A metre of free space takes away 32 dB at 1 GHz; 0 is what programs write where there is no path."""
NO_PATH_DB = -200.0
JUMP_STEPS = 3.0
"""A step of so many median ones is no step along a route: ours."""


@dataclass(frozen=True)
class Radio:
    """What makes a received power of a path gain; the values are this package's choice, see above."""

    tx_power_dbm: float = 30.0
    antenna_gain_db: float = 20.0
    bandwidth_hz: float = 100e6
    noise_figure_db: float = 10.0
    lowest_snr_db: float = -20.0

    @property
    def noise_dbm(self) -> float:
        return thermal_noise_dbm(self.bandwidth_hz, noise_figure_db=self.noise_figure_db)

    def received_dbm(self, gain_db: NDArray[np.float64]) -> NDArray[np.float64]:
        """Power in dBm of path gains in dB, any shape; NaN where there is no path or the SNR is too low."""
        rsrp_dbm = gain_db + self.tx_power_dbm + self.antenna_gain_db
        rsrp_dbm[(gain_db <= NO_PATH_DB) | (rsrp_dbm < self.noise_dbm + self.lowest_snr_db)] = np.nan
        return rsrp_dbm

    def text(self) -> str:
        return (
            f"{self.tx_power_dbm:g} dBm, antenna gain {self.antenna_gain_db:g} dB, {self.bandwidth_hz / 1e6:g} MHz, "
            f"noise figure {self.noise_figure_db:g} dB, heard from {self.lowest_snr_db:g} dB SNR: this package's "
            "choice."
        )


def open_named(folder: Path, name: str) -> LinkMatrix:
    """ "sf_columbus_28ghz": a file of the data folder, without its ending."""
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise ChannelError(f"raytraced:{name}: it must be raytraced:NAME as in raytraced:sf_columbus_28ghz.")
    file = folder / FOLDER / f"{name}.npz"
    if not file.is_file():
        there = sorted(f.stem for f in (folder / FOLDER).glob("*.npz"))
        raise ChannelError(f"raytraced:{name}: there is no {file}; found: {', '.join(there) or 'none'}.")
    return read(file)


def is_traced(path: str | os.PathLike[str]) -> bool:
    """Is this an .npz file with `gain_db`, as ray tracers give it? Raises ChannelError where it cannot be read."""
    file = Path(path)
    if file.suffix.lower() != ".npz" or not file.is_file():
        return False
    with (
        untrusted.blaming(file, ChannelError),
        untrusted.open_regular(file) as stream,
        untrusted.checked_zip(stream) as archive,
    ):
        return "gain_db.npy" in archive.namelist()


def read(
    path: str | os.PathLike[str],
    *,
    tx_power_dbm: float = 30.0,
    antenna_gain_db: float = 20.0,
    bandwidth_hz: float = 100e6,
    noise_figure_db: float = 10.0,
    lowest_snr_db: float = -20.0,
) -> LinkMatrix:
    """A ray-traced route as a link matrix of places. Raises ChannelError with file, array and index."""
    file = Path(path)
    with untrusted.blaming(file, ChannelError):
        arrays = untrusted.load_npz(untrusted.read_bytes(file))
        gain_db = _array(arrays, "gain_db", (None, None))
        points, sites = gain_db.shape
        rx_m = _array(arrays, "rx", (points, None))
        tx_m = _array(arrays, "tx", (sites, None))
        _check_gain(gain_db)
        radio = Radio(tx_power_dbm, antenna_gain_db, bandwidth_hz, noise_figure_db, lowest_snr_db)
        rsrp_dbm = radio.received_dbm(gain_db)
        kept, edges, note = joined(rx_m[:, :2], np.asarray(~np.isnan(rsrp_dbm).all(axis=1)))
        rsrp_dbm, rx_m = rsrp_dbm[kept], rx_m[kept]
        heard = ~np.isnan(rsrp_dbm).all(axis=0)
        return LinkMatrix(
            rsrp_dbm=rsrp_dbm[:, heard],
            noise_dbm=radio.noise_dbm,
            cells=tuple(f"site {i}" for i in np.flatnonzero(heard)),
            position_m=rx_m[:, :2],
            edges=edges,
            site_m=tx_m[heard, :2],
            carrier_hz=CARRIER_HZ,
            source=f"ray-traced {'map' if note else 'route'} {file.name}",
            notes=(f"{radio.text()} {int((~heard).sum())} of {sites} sites are heard nowhere and left out.{note}"),
        )


def joined(rx_m: NDArray[np.float64], heard: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], str]:
    """Points (kept,) of a route or a map, the pairs (edges, 2) of them that are joined, and a note.

    rx_m: (points, 2). heard: (points,), whether any site is.
    """
    points = len(rx_m)
    if not _is_map(rx_m):
        return np.arange(points), np.stack((np.arange(points - 1), np.arange(1, points)), axis=1), ""
    kept = np.flatnonzero(heard)
    if len(kept) < 2:
        raise ChannelError(f"gain_db: a site is heard at {len(kept)} of {points} points; a walk needs at least 2.")
    edges = neighbours(rx_m[kept])
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(kept), len(kept)))
    _, part = connected_components(graph, directed=False)
    largest = part == np.bincount(part).argmax()
    number = largest.cumsum() - 1
    edges = number[edges[largest[edges[:, 0]]]]
    note = f" It is a map: {int(largest.sum())} of {points} points hear a site and hang together by their neighbours."
    return kept[largest], edges, note


def _is_map(rx_m: NDArray[np.float64]) -> bool:
    """Points (points, 2) on a grid of at least 3 by 3, or that jump, are no route."""
    if len(rx_m) < 3 or not np.isfinite(rx_m).all():
        return False
    step_m = np.hypot(*np.diff(rx_m, axis=0).T)
    if (step_m > JUMP_STEPS * np.median(step_m)).any():
        return True
    columns, rows = (len(np.unique(np.round(axis_m, 2))) for axis_m in rx_m.T)
    return min(columns, rows) >= 3 and columns * rows <= 2 * len(rx_m)


def _array(arrays: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    if name not in arrays:
        raise ChannelError(f"the array {name!r} is missing; it has {', '.join(sorted(arrays)) or 'none'}.")
    array = arrays[name]
    if array.dtype.kind not in "fiu":
        raise ChannelError(f"{name} must be numbers, got dtype {array.dtype}.")
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits or (name != "gain_db" and array.shape[1] not in (2, 3)):
        wanted = "(points, sites)" if name == "gain_db" else f"({shape[0]}, 2 or 3)"
        raise ChannelError(f"{name} must have shape {wanted}, got {array.shape}.")
    return array.astype(np.float64)


def _check_gain(gain_db: NDArray[np.float64]) -> None:
    known = gain_db[~np.isnan(gain_db)]
    if known.size and (known >= 0.0).all():
        raise ChannelError(
            f"gain_db is not negative anywhere (largest {known.max():g}): is it linear, or a path loss with the "
            "other sign?"
        )
    wrong = np.argwhere((gain_db > HIGHEST_GAIN_DB) | (gain_db == -np.inf))
    if len(wrong):
        row, site = wrong[0].tolist()
        raise ChannelError(
            f"gain_db[{row}, {site}] is {gain_db[row, site]:g}: a path gain is finite and below "
            f"{HIGHEST_GAIN_DB:g} dB; no path is {NO_PATH_DB:g} or NaN."
        )
