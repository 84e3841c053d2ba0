"""Measured 28 GHz cells: RSRP percentiles by grid square and cell, Chicago and Indianapolis, 2021.

Y. Liu, C. Peng, "A Close Look at 5G in the Wild: Unrealized Potentials and Implications", IEEE INFOCOM 2023; files
`dataset/grid/<region>_rss_cell_*.csv` of github.com/mssn/INFOCOM23-5GMeas, MIT licence. A row is a square of 0.0005
degrees (55 x 41 m in Chicago) and a cell (NR-ARFCN, PCI), with the percentiles 0, 10, 25, 50, 75, 90, 100 of the
SS-RSRP that phones reported there. `rat` is "mw" for 28 GHz.

What becomes of it, each choice ours unless it says otherwise:

* Places are the centres of squares in which the carrier was heard, projected to metres; streets join squares that
  share a side. Only the largest connected part is kept, `notes` says how much that leaves out.
* A cell whose percentiles are missing, though samples are counted, is not heard there.
* Noise is that of one resource element, as SS-RSRP is (3GPP TS 38.215, 5.1.1): 120 kHz, the smaller of the two SSB
  subcarrier spacings above 24 GHz, and a UE noise figure of 10 dB (3GPP's studies above 6 GHz take 10 to 13 dB).
* A cell heard in few of a square's samples is heard in all of the square. `min_samples` leaves out the rarest.
* There are no site positions and no order in time. How a UE passes through the percentiles is `LinkMatrix`'s walk.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.radio.units import noise_dbm

FOLDERS = ("mssn_5g_rss_grid", "dataset/grid", "INFOCOM23-5GMeas/dataset/grid")
"""Where the files may lie in the data folder: by themselves, as a clone of the repository, or in one."""
PERCENTILES = (0, 10, 25, 50, 75, 90, 100)
COLUMNS = ("grid_lat", "grid_lon", "freq", "cid", "rat", "sample", *(f"rsrp_{q}" for q in PERCENTILES))
SQUARE_DEG = 0.0005
EARTH_RADIUS_M = 6_371_008.8  # mean radius, IUGG
SUBCARRIER_HZ = 120e3
NOISE_FIGURE_DB = 10.0
MISSING = ("", "None", "nan")
USA_LAT, USA_LON = (24.0, 50.0), (-125.0, -66.0)  # all of MSSN's regions lie in the contiguous United States
MMWAVE_ARFCN = range(2_016_667, 3_279_166)  # FR2, 3GPP TS 38.104 table 5.4.2.1-1


class _Reading(NamedTuple):
    square: tuple[int, int]  # latitude and longitude in squares
    cell: str
    rsrp_dbm: tuple[float, ...]  # NaN where missing


def open_named(folder: Path, name: str) -> LinkMatrix:
    """ "V-R10/2071667" in the data folder: region and NR-ARFCN; "V-R10" is all 28 GHz carriers of the region.

    The folder may also be a clone of the repository, or hold one. It has some regions twice, measured until December
    2021 and until January 2022: the later is taken, or that of "T-R12@20211226".
    """
    match = re.fullmatch(r"([A-Z]-R\d+)(?:@(\d{8}))?(?:/(\d+))?", name)
    if match is None:
        raise ChannelError(
            f"mssn:{name}: it must be mssn:REGION/CARRIER as in mssn:V-R10/2071667, or mssn:REGION@DATE/CARRIER."
        )
    region, until, carrier = match.groups()
    place = next((folder / part for part in FOLDERS if (folder / part).is_dir()), folder / FOLDERS[0])
    found: dict[str, dict[str, Path]] = {}  # region -> last day -> file
    for file in sorted(place.glob("*_rss_cell_*.csv*"), reverse=True):  # so that .csv takes the place of .csv.gz
        if named := re.fullmatch(r"([A-Z]-R\d+)_rss_cell_(?:\d{8}_(\d{8}))?.*\.csv(?:\.gz)?", file.name):
            found.setdefault(named[1], {})[named[2] or ""] = file
    files = found.get(region, {})
    if not files:
        raise ChannelError(
            f"mssn:{name}: there is no file {region}_rss_cell_*.csv in {place}; regions found there: "
            f"{', '.join(sorted(found)) or 'none'}."
        )
    if until is not None and until not in files:
        raise ChannelError(f"mssn:{name}: {place} has {region} until {', '.join(sorted(files))}, not until {until}.")
    return read(files[until or max(files)], None if carrier is None else int(carrier))


def read(path: str | os.PathLike[str], carrier: int | None = 2_071_667, *, min_samples: int = 1) -> LinkMatrix:
    """A region's 28 GHz cells as a link matrix of places.

    `path` is a `*_rss_cell_*.csv`, also gzipped; `carrier` an NR-ARFCN, None for all 28 GHz carriers (cells are then
    named ARFCN/PCI); a cell is left out of squares with fewer than `min_samples` samples. Raises ChannelError with
    file, row (the header is row 1) and column.
    """
    file = Path(path)
    with untrusted.blaming(file, ChannelError):
        readings = list(_readings(_text(file), carrier, min_samples))
        return _matrix(readings, file.name, carrier, min_samples)


def _text(file: Path) -> str:
    return untrusted.decode(untrusted.gunzip(untrusted.read_bytes(file)), only_utf8=True)


def _readings(text: str, carrier: int | None, min_samples: int) -> Iterator[_Reading]:
    """Every 28 GHz row of the carrier; all rows are checked for their length, these for all that is used."""
    rows = csv.reader(io.StringIO(text))
    try:
        header = next(rows, [])
        if missing := [name for name in COLUMNS if name not in header]:
            grid_cell_set = " It looks like a grid_cell_set file." if "pcell_cid" in header else ""
            raise ChannelError(f"it is no rss_cell file: column {missing[0]!r} is missing.{grid_cell_set}")
        at = {name: header.index(name) for name in COLUMNS}
        seen: dict[tuple[tuple[int, int], str], int] = {}
        carriers: set[str] = set()
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise ChannelError(f"row {number} has {len(row)} fields, the header {len(header)}.")
            if row[at["rat"]] != "mw":
                continue
            carriers.add(row[at["freq"]])
            arfcn, pci = _integer(row, at, "freq", number), _integer(row, at, "cid", number)
            if arfcn not in MMWAVE_ARFCN:
                raise ChannelError(f"row {number}, column 'freq': {arfcn} is no NR-ARFCN of mmWave.")
            if carrier not in (None, arfcn) or _integer(row, at, "sample", number) < min_samples:
                continue
            reading = _Reading(_square(row, at, number), f"{arfcn}/{pci}", _percentiles(row, at, number))
            first = seen.setdefault(reading[:2], number)
            if first != number:
                raise ChannelError(f"rows {first} and {number} are of the same square and cell {reading.cell}.")
            yield reading
    except csv.Error as error:
        raise ChannelError(f"row {rows.line_num}: {error}.") from None
    if not seen:
        raise ChannelError(
            f"no 28 GHz row of carrier {carrier if carrier is not None else 'any'}; "
            f"28 GHz carriers in it: {', '.join(sorted(carriers)) or 'none'}."
        )


def _number(row: list[str], at: dict[str, int], column: str, number: int) -> float:
    try:
        return untrusted.number(row[at[column]])
    except ValueError:
        raise ChannelError(f"row {number}, column {column!r}: {row[at[column]][:50]!r} is not a number.") from None


def _integer(row: list[str], at: dict[str, int], column: str, number: int) -> int:
    value = _number(row, at, column, number)
    if not value.is_integer():
        raise ChannelError(f"row {number}, column {column!r}: {value:g} is not a whole number.")
    return int(value)


def _square(row: list[str], at: dict[str, int], number: int) -> tuple[int, int]:
    lat, lon = _number(row, at, "grid_lat", number), _number(row, at, "grid_lon", number)
    if not (USA_LAT[0] <= lat <= USA_LAT[1] and USA_LON[0] <= lon <= USA_LON[1]):
        swapped = USA_LAT[0] <= lon <= USA_LAT[1] and USA_LON[0] <= lat <= USA_LON[1]
        hint = (
            "they are swapped, as in the grid_cell_set files of this data set"
            if swapped
            else "that is not in the United States, where it was measured"
        )
        raise ChannelError(f"row {number}, columns 'grid_lat' and 'grid_lon': {lat:g} and {lon:g}: {hint}.")
    square = lat / SQUARE_DEG, lon / SQUARE_DEG
    whole = round(square[0]), round(square[1])
    if max(abs(square[0] - whole[0]), abs(square[1] - whole[1])) > 0.01:
        raise ChannelError(f"row {number}: {lat}, {lon} is not on the grid of {SQUARE_DEG} degrees.")
    return whole


def _percentiles(row: list[str], at: dict[str, int], number: int) -> tuple[float, ...]:
    values = []
    for q in PERCENTILES:
        column = f"rsrp_{q}"
        absent = row[at[column]] in MISSING
        values.append(math.nan if absent else _number(row, at, column, number))
    if not math.isnan(sum(values)):
        for q, low, high in zip(PERCENTILES[1:], values, values[1:], strict=False):
            if high < low - 1e-6:
                raise ChannelError(f"row {number}, column 'rsrp_{q}': {high:g} is less than the percentile before it.")
    elif not all(math.isnan(value) for value in values):
        raise ChannelError(f"row {number}: some of the columns rsrp_0 to rsrp_100 are missing, some are not.")
    return tuple(values)


def _matrix(readings: list[_Reading], name: str, carrier: int | None, min_samples: int) -> LinkMatrix:
    heard = [r for r in readings if not math.isnan(r.rsrp_dbm[0])]
    squares = sorted({r.square for r in heard})
    if len(squares) < 2:
        raise ChannelError(f"28 GHz was heard in {len(squares)} squares; a walk needs at least 2.")
    part, edges = _largest_part(squares)
    kept = {square: i for i, square in enumerate(part)}
    cells = sorted({r.cell for r in heard if r.square in kept}, key=lambda c: [int(n) for n in c.split("/")])
    column = {cell: i for i, cell in enumerate(cells)}
    rsrp_dbm = np.full((len(part), len(cells), len(PERCENTILES)), np.nan)
    for r in heard:
        if r.square in kept:
            rsrp_dbm[kept[r.square], column[r.cell]] = r.rsrp_dbm
    arfcn = min(int(cell.split("/")[0]) for cell in cells)
    dropped = len({r.cell for r in heard}) - len(cells)
    few = "" if min_samples == 1 else f" Cells with fewer than {min_samples} samples in a square are left out of it."
    return LinkMatrix(
        rsrp_dbm=rsrp_dbm,
        noise_dbm=noise_dbm(SUBCARRIER_HZ, noise_figure_db=NOISE_FIGURE_DB),
        cells=tuple(cells),
        position_m=_project(part),
        edges=edges,
        percentiles=np.array(PERCENTILES, np.float64),
        # 3GPP TS 38.104, table 5.4.2.1-1: 60 kHz raster from 24250.08 MHz.
        carrier_hz=24_250.08e6 + 60e3 * (arfcn - 2_016_667),
        source=f"MSSN, Purdue: Liu and Peng, INFOCOM 2023; {name}, carrier {carrier or 'all of 28 GHz'}",
        licence="MIT",
        notes=(
            f"The largest part that hangs together: {len(part)} of {len(squares)} squares, {len(cells)} cells; "
            f"{dropped} cells are heard only in the rest. {len(readings) - len(heard)} rows without RSRP are not "
            f"heard.{few} Noise, correlation and streets are this package's choice."
        ),
    )


def _largest_part(squares: list[tuple[int, int]]) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
    """The largest set of squares that hang together by their sides, and the pairs that share one."""
    index = {square: i for i, square in enumerate(squares)}
    pairs = [
        (i, index[side])
        for (lat, lon), i in index.items()
        for side in ((lat + 1, lon), (lat, lon + 1))
        if side in index
    ]
    edges = np.array(pairs, np.intp).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(squares), len(squares)))
    _, label = connected_components(graph, directed=False)
    kept = label == np.bincount(label).argmax()
    if kept.sum() < 2:
        raise ChannelError("no two squares share a side: there is no street to walk.")
    number = kept.cumsum() - 1
    return [s for s, keep in zip(squares, kept.tolist(), strict=True) if keep], number[edges[kept[edges[:, 0]]]]


def _project(squares: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Metres east and north of the middle; the equirectangular projection is exact to 0.1 % over a few km."""
    degrees = np.array(squares, np.float64) * SQUARE_DEG
    middle = (degrees.min(axis=0) + degrees.max(axis=0)) / 2
    north, east = (np.radians(degrees - middle) * EARTH_RADIUS_M).T
    return np.stack((east * math.cos(math.radians(middle[0])), north), axis=1)
