"""What a link matrix must be. Every check raises ChannelError with the field, the value got and what is allowed.

Rows are counted from 1 in messages, as in a file after its header; indices of `edges` count from 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.types import Float64Array

LOWEST_DBM, HIGHEST_DBM = -160.0, 60.0
"""What can be a received power. SS-RSRP is reported from -156 to -31 dBm (3GPP TS 38.133 table 10.1.6.1-1)."""
LOWEST_NOISE_DBM, HIGHEST_NOISE_DBM = -180.0, -40.0  # thermal noise of 1 Hz is -174 dBm, of 10 GHz -74 dBm
TEXTS = ("source", "licence", "notes")
MAX_VALUES = 20_000_000  # 160 MB of float64
MAX_CELLS = 4096
NEIGHBOUR_SPACINGS = 1.5  # ours: between a grid's side (1) and a missing place (2)
UNIFORM_TIME = 1e-3  # relative: times written with three digits of the step are still uniform
MONOTONE_DB = 1e-6  # measured percentiles carry rounding errors of 1e-14 dB


def checked(matrix: Any) -> dict[str, Any]:
    """The fields of `matrix` in their final types; arrays are read-only copies."""
    out: dict[str, Any] = {}
    rsrp = _floats("rsrp_dbm", matrix.rsrp_dbm)
    percentiles = None if matrix.percentiles is None else _floats("percentiles", matrix.percentiles)
    want = 2 if percentiles is None else 3
    if rsrp.ndim != want:
        shape = "(rows, cells)" if want == 2 else "(rows, cells, percentiles)"
        raise ChannelError(
            f"rsrp_dbm must have shape {shape} {'without' if want == 2 else 'with'} percentiles, got {rsrp.shape}."
        )
    if rsrp.shape[0] < 2:
        raise ChannelError(f"rsrp_dbm must have at least 2 rows, got {rsrp.shape[0]}.")
    if not 2 <= rsrp.shape[1] <= MAX_CELLS:
        raise ChannelError(f"there must be 2 to {MAX_CELLS} cells to choose from, got {rsrp.shape[1]}.")
    if rsrp.size > MAX_VALUES:
        raise ChannelError(f"rsrp_dbm may hold {MAX_VALUES:,} values, got {rsrp.size:,}.")
    rows = rsrp.shape[0]
    out["cells"] = _cells(matrix.cells, rsrp.shape[1])
    _check_power(rsrp, out["cells"])
    if percentiles is not None:
        _check_percentiles(percentiles, rsrp, out["cells"], matrix.time_s is not None)
        rsrp = np.maximum.accumulate(rsrp, axis=-1)
    out["rsrp_dbm"], out["percentiles"] = rsrp, percentiles
    out["noise_dbm"] = _number("noise_dbm", matrix.noise_dbm, LOWEST_NOISE_DBM, HIGHEST_NOISE_DBM, "dBm")
    out["correlation_m"] = _number("correlation_m", matrix.correlation_m, 1e-3, 1e6, "m")
    if matrix.carrier_hz is not None:
        out["carrier_hz"] = _number("carrier_hz", matrix.carrier_hz, 1e6, 1e13, "Hz")
    for name in TEXTS:
        if not isinstance(getattr(matrix, name), str):
            raise ChannelError(f"{name} must be text, got {getattr(matrix, name)!r}.")
    if matrix.time_s is not None:
        out["time_s"] = _times(matrix.time_s, rows)
    if matrix.position_m is not None:
        out["position_m"] = _positions("position_m", matrix.position_m, rows)
    if matrix.site_m is not None:
        out["site_m"] = _positions("site_m", matrix.site_m, rsrp.shape[1])
    out["edges"] = _edges(matrix, out.get("position_m"))
    for value in out.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    return out


def _floats(name: str, value: Any) -> Float64Array:
    try:
        array = np.array(value)
    except ValueError as error:
        raise ChannelError(f"{name} must be a rectangular array of numbers: {error}.") from None
    if array.dtype.kind not in "fiu":
        raise ChannelError(f"{name} must be numbers, got dtype {array.dtype}.")
    return np.array(array, np.float64, order="C")


def _number(name: str, value: Any, low: float, high: float, unit: str) -> float:
    number = value.item() if isinstance(value, np.ndarray | np.generic) and np.ndim(value) == 0 else value
    if not isinstance(number, int | float) or isinstance(number, bool) or not math.isfinite(number):
        raise ChannelError(f"{name} must be a number in {unit}, got {value!r}.")
    if not low <= number <= high:
        raise ChannelError(f"{name} must be between {low:g} and {high:g} {unit}, got {number:g}.")
    return float(number)


def _cells(names: Any, count: int) -> tuple[str, ...]:
    if isinstance(names, str):
        raise ChannelError(f"cells must be a sequence of names, got the text {names!r}.")
    cells = tuple(str(name).strip() for name in names)
    if len(cells) != count:
        raise ChannelError(f"cells must name the {count} columns of rsrp_dbm, got {len(cells)} names.")
    seen: set[str] = set()
    for name in cells:
        if not name or not name.isprintable():
            raise ChannelError(f"a cell needs a printable name, got {name!r}.")
        if name in seen:
            raise ChannelError(f"the cell name {name!r} occurs twice.")
        seen.add(name)
    return cells


def _check_power(rsrp: Float64Array, cells: tuple[str, ...]) -> None:
    known = rsrp[~np.isnan(rsrp)]
    if known.size == 0:
        raise ChannelError("no cell is heard anywhere: all of rsrp_dbm is NaN.")
    if (known >= 0.0).all() and (known <= 1.0).all():
        raise ChannelError(
            f"rsrp_dbm is between 0 and 1 everywhere (largest {known.max():g}): that looks like linear watts or "
            "milliwatts; the file must hold dBm, 10 log10(P / 1 mW)."
        )
    wrong = np.argwhere((rsrp < LOWEST_DBM) | (rsrp > HIGHEST_DBM))
    if len(wrong):
        row, cell = wrong[0, :2].tolist()
        value = rsrp[tuple(wrong[0])]
        hint = (
            "a cell that is not heard is NaN (an empty cell in a csv file), not a very low number."
            if value < 0
            else "has it lost its minus sign, or its unit?"
        )
        raise ChannelError(
            f"row {row + 1}, cell {cells[cell]!r}: {value:g} is no received power in dBm; allowed are "
            f"{LOWEST_DBM:g} to {HIGHEST_DBM:g}; {hint}"
        )


def _check_percentiles(levels: Float64Array, rsrp: Float64Array, cells: tuple[str, ...], timed: bool) -> None:
    if timed:
        raise ChannelError("percentiles belong to places: a matrix with time_s has one RSRP a time and cell.")
    if levels.ndim != 1 or len(levels) < 2 or len(levels) != rsrp.shape[2]:
        raise ChannelError(
            f"percentiles must have shape ({rsrp.shape[2]},) as the last axis of rsrp_dbm, at least 2, "
            f"got {levels.shape}."
        )
    if not ((levels >= 0) & (levels <= 100)).all() or not (np.diff(levels) > 0).all():
        raise ChannelError(f"percentiles must increase strictly within 0 to 100, got {levels.tolist()}.")
    missing = np.isnan(rsrp)
    wrong = np.argwhere(missing.any(axis=2) & ~missing.all(axis=2))
    if len(wrong):
        row, cell = wrong[0].tolist()
        raise ChannelError(
            f"row {row + 1}, cell {cells[cell]!r}: some percentiles are NaN, some are not: {rsrp[row, cell].tolist()}."
        )
    wrong = np.argwhere((np.diff(rsrp, axis=2) < -MONOTONE_DB).any(axis=2))
    if len(wrong):
        row, cell = wrong[0].tolist()
        raise ChannelError(
            f"row {row + 1}, cell {cells[cell]!r}: the percentiles must not fall, got {rsrp[row, cell].tolist()}."
        )


def _times(value: Any, rows: int) -> Float64Array:
    times = _floats("time_s", value)
    if times.shape != (rows,):
        raise ChannelError(f"time_s must have shape ({rows},) as rsrp_dbm has rows, got {times.shape}.")
    if not np.isfinite(times).all():
        raise ChannelError(f"time_s must be finite; row {int(np.argmin(np.isfinite(times))) + 1} is not.")
    steps = np.diff(times)
    if not (steps > 0).all():
        row = int(np.argmin(steps > 0)) + 1
        raise ChannelError(
            f"time_s must increase: row {row} has {times[row - 1]:g} s and row {row + 1} {times[row]:g} s."
        )
    odd = np.abs(steps - np.median(steps)) > UNIFORM_TIME * np.median(steps)
    if odd.any():
        row = int(odd.argmax()) + 1
        raise ChannelError(
            f"time_s must have equal steps: most are {np.median(steps):g} s, from row {row} to row {row + 1} "
            f"it is {steps[row - 1]:g} s. Resample it (mmwave-gym channel FILE --resample {np.median(steps):.3g}); "
            "where it has a gap, write rows of NaN."
        )
    return times


def _positions(name: str, value: Any, rows: int) -> Float64Array:
    places = _floats(name, value)
    if places.shape != (rows, 2):
        raise ChannelError(f"{name} must have shape ({rows}, 2), x and y in metres, got {places.shape}.")
    if not np.isfinite(places).all():
        row = int(np.argmin(np.isfinite(places).all(axis=1))) + 1
        raise ChannelError(f"{name} must be finite; row {row} is {places[row - 1].tolist()}.")
    span = np.ptp(places, axis=0)
    if name == "position_m" and span.any() and (span < 1.0).all():
        raise ChannelError(
            f"all positions lie within {span[0]:g} x {span[1]:g} m: are these degrees of longitude and latitude? "
            "Project them to metres first."
        )
    if (span > 1e6).any():
        raise ChannelError(f"{name} spans {span.max():g} m: coordinates must be in metres.")
    return places


def _edges(matrix: Any, position_m: Float64Array | None) -> NDArray[np.intp] | None:
    """Sorted, unique pairs of neighbouring places; None for a time matrix."""
    if matrix.time_s is not None:
        if matrix.edges is not None:
            raise ChannelError("edges belong to places: a matrix with time_s is played back in time.")
        return None
    if position_m is None:
        raise ChannelError("a link matrix needs time_s (rows over time) or position_m (rows over places).")
    rows = len(position_m)
    if len(np.unique(position_m, axis=0)) < rows:
        _, first, count = np.unique(position_m, axis=0, return_index=True, return_counts=True)
        place = position_m[first[count.argmax()]]
        twins = np.flatnonzero((position_m == place).all(axis=1))[:2] + 1
        raise ChannelError(f"rows {twins[0]} and {twins[1]} have the same position {place.tolist()}.")
    given = matrix.edges is not None
    edges = np.array(matrix.edges) if given else neighbours(position_m)
    if edges.ndim != 2 or edges.shape[1:] != (2,) or not np.issubdtype(edges.dtype, np.integer):
        raise ChannelError(f"edges must be integers of shape (edges, 2), got dtype {edges.dtype}, shape {edges.shape}.")
    if len(edges) and (edges.min() < 0 or edges.max() >= rows):
        raise ChannelError(f"edges must be indices from 0 to {rows - 1}, got {edges.min()} to {edges.max()}.")
    loops = edges[edges[:, 0] == edges[:, 1], 0]
    if len(loops):
        raise ChannelError(f"an edge must join two places; place {loops[0]} is joined to itself.")
    edges = np.unique(np.sort(edges, axis=1), axis=0).astype(np.intp)
    ones = np.ones(len(edges))
    parts, part = connected_components(coo_array((ones, edges.T), shape=(rows, rows)), directed=False)
    if parts > 1:
        sizes = np.bincount(part)
        outside = int(np.flatnonzero(part != sizes.argmax())[0]) + 1
        hint = "add edges or keep" if given else "give `edges` in an npz file, or keep"
        raise ChannelError(
            f"the places fall into {parts} parts that no edge joins, the largest of {sizes.max()} places; "
            f"row {outside} is outside of it: {hint} the largest part."
        )
    return edges


def neighbours(position_m: Float64Array) -> NDArray[np.intp]:
    """Edges (E, 2) of positions (P, 2) that come without: pairs at most 1.5 spacings apart with nobody in between.

    The spacing is the largest distance of a place from its nearest one. "In between" is a third place nearer to
    both ends than they are to each other (the relative neighbourhood graph): it takes away the diagonals of a grid
    and the short cuts of a bend.
    """
    tree = cKDTree(position_m)
    spacing_m = float(np.asarray(tree.query(position_m, k=2)[0])[:, 1].max())
    reach_m = NEIGHBOUR_SPACINGS * spacing_m
    if tree.count_neighbors(tree, reach_m) > 100 * len(position_m):
        raise ChannelError(
            f"one place is {spacing_m:g} m from its nearest, most are far closer: give `edges` in an npz file."
        )
    near = tree.query_pairs(reach_m, output_type="ndarray").astype(np.intp)
    around = tree.query_ball_point(position_m, reach_m)
    kept = []
    for a, b in near[np.lexsort((near[:, 1], near[:, 0]))].tolist():
        third = np.setdiff1d(np.intersect1d(around[a], around[b]), (a, b)).astype(np.intp)
        apart_m, to_a_m, to_b_m = (
            np.linalg.norm(position_m[i] - position_m[j], axis=-1) for i, j in ((a, b), (third, a), (third, b))
        )
        if not (np.maximum(to_a_m, to_b_m) < apart_m * (1.0 - 1e-9)).any():
            kept.append((a, b))
    return np.array(kept, np.intp).reshape(-1, 2)
