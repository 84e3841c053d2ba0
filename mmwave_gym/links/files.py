"""Files of link matrices: what `MmwaveHandover-v0` takes as `channel=FILE`. docs/channel_files.md has examples.

npz: arrays named as the fields of `LinkMatrix`, and `version` (1). `noise_dbm` may be replaced by `bandwidth_hz` and
`noise_figure_db` (default 0): thermal noise of -174 dBm/Hz. Nothing in it is ever unpickled.

csv: comma-separated UTF-8. Lines `# key: value` first (`noise_dbm` or `bandwidth_hz`, optionally `version`,
`carrier_hz`, `source`, `licence`, `notes`), then a header with `time_s`, or `x_m` and `y_m`, or all three, then a
column `<cell>_dbm` for each cell; an empty field is a cell that is not heard. Percentiles, sites and edges need npz.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.files import write
from mmwave_gym.core.shown import spreadsheet_safe, unquoted
from mmwave_gym.links.matrix import TEXTS, LinkMatrix
from mmwave_gym.links.resampling import grid, nearest
from mmwave_gym.radio.units import noise_dbm as thermal_noise_dbm

__all__ = ["ChannelError", "LinkMatrix", "read_channel", "write_channel"]

VERSION = 1
FIELDS = tuple(field.name for field in dataclasses.fields(LinkMatrix))
CSV_NUMBERS = ("noise_dbm", "bandwidth_hz", "noise_figure_db", "carrier_hz")
CSV_COLUMNS = ("time_s", "x_m", "y_m")
CELL_SUFFIX = "_dbm"
HIGHEST_LEVEL_DBM = -20.0
"""SS-RSRP is reported up to -31 dBm (3GPP TS 38.133 table 10.1.6.1-1); 0 is what loggers write for none."""


def is_channel(path: str | os.PathLike[str]) -> bool:
    """Has this file the form of a channel file: .npz, or a .csv whose header ends in columns `<cell>_dbm`?

    A table of another kind is a recording of one cell at a time. Raises ChannelError where it cannot be read.
    """
    file = Path(path)
    if _ending(file) != ".csv":
        return _ending(file) == ".npz"
    with untrusted.blaming(file, ChannelError):
        lines = untrusted.decode(untrusted.gunzip(untrusted.read_bytes(file))).splitlines()
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    names = [name.strip().strip('"') for name in header.split(",")]
    remarks = any(line.startswith("#") and ":" in line for line in lines[:20])
    measured = {"time_s", "x_m"} & set(names) and any(name.endswith(CELL_SUFFIX) for name in names)
    return remarks or (bool(measured) and not {"cell", "run"} & set(names))


def read_channel(
    path: str | os.PathLike[str],
    *,
    noise_dbm: float | None = None,
    resample_s: float | None = None,
    not_heard_dbm: Sequence[float] = (),
) -> LinkMatrix:
    """The link matrix in an .npz or .csv file; `noise_dbm` is for a file that does not tell its noise.

    resample_s: rows over time are brought to equal steps, each the nearest sample's. not_heard_dbm: levels that mean
    "not heard". Raises ChannelError, which begins with the file's name, for everything that can be wrong with it.
    """
    file = Path(path)
    with untrusted.blaming(file, ChannelError):
        if (ending := _ending(file)) not in (".npz", ".csv"):
            raise ChannelError(f"a channel file ends in .npz or .csv, this one in {file.suffix or 'nothing'!r}.")
        data = untrusted.gunzip(untrusted.read_bytes(file))
        fields = _npz_fields(data) if ending == ".npz" else _csv_fields(data)
        _silence(fields, not_heard_dbm)
        if resample_s is not None:
            _resample(fields, resample_s)
        return LinkMatrix(**_with_noise(fields, noise_dbm))


def _ending(file: Path) -> str:
    """The file's ending, in small letters; of a packed one that before .gz."""
    return next((ending for ending in reversed(file.suffixes) if ending.lower() != ".gz"), "").lower()


def _silence(fields: dict[str, Any], not_heard_dbm: Sequence[float]) -> None:
    """Make NaN of levels that mean "not heard", and refuse those that no receiver can have seen."""
    rsrp = fields["rsrp_dbm"]
    if rsrp.dtype.kind not in "fiu" or rsrp.ndim < 2:
        return  # named by the checks of a link matrix
    rsrp = np.array(rsrp, np.float64)
    rsrp[np.isin(rsrp, np.asarray(not_heard_dbm, np.float64))] = np.nan
    wrong = rsrp > HIGHEST_LEVEL_DBM
    heard = rsrp[~np.isnan(rsrp)]
    linear = ((heard >= 0.0) & (heard <= 1.0)).all()  # another unit, named by the checks
    if wrong.any() and not linear:
        row, cell = np.argwhere(wrong)[0, :2].tolist()
        value, cells = float(rsrp[wrong][0]), fields.get("cells", ())
        name = cells[cell] if cell < len(cells) else str(cell)
        raise ChannelError(
            f"row {row + 1}, cell {name!r}: {value:g} is no received power in dBm, which is below "
            f"{HIGHEST_LEVEL_DBM:g}; {int((rsrp == value).sum())} values are {value:g}. If it means not heard, say so "
            f"(--no-signal {value:g}), or leave the field empty."
        )
    fields["rsrp_dbm"] = rsrp


def _resample(fields: dict[str, Any], step_s: float) -> None:
    """Bring rows over time to equal steps."""
    time_s = np.asarray(fields.get("time_s"))
    if "time_s" not in fields or time_s.ndim != 1 or time_s.dtype.kind not in "fiu" or len(time_s) < 2:
        raise ChannelError("only rows over time can be resampled: the file needs time_s.")
    time_s = time_s.astype(np.float64)
    steps = np.diff(time_s)
    if np.ndim(fields["rsrp_dbm"]) < 2:
        return
    if not np.isfinite(time_s).all() or not (steps > 0).all() or len(time_s) != len(fields["rsrp_dbm"]):
        return  # named by the checks of a link matrix
    at = grid(time_s, step_s)
    pick = nearest(time_s, at, float(np.median(steps)))
    there = pick >= 0
    rsrp = np.full((len(at), *fields["rsrp_dbm"].shape[1:]), np.nan)
    rsrp[there] = fields["rsrp_dbm"][pick[there]]
    fields["rsrp_dbm"], fields["time_s"] = rsrp, at
    if "position_m" in fields:
        place = np.asarray(fields["position_m"], np.float64)
        fields["position_m"] = np.stack([np.interp(at, time_s, place[:, axis]) for axis in (0, 1)], axis=1)


def write_channel(path: str | os.PathLike[str], matrix: LinkMatrix) -> None:
    """Write a link matrix as .npz (everything) or .csv (no percentiles, no sites; edges only where they follow).

    The file appears whole or not at all. Raises ChannelError where the format cannot hold the matrix or the file
    cannot be written.
    """
    file = Path(path)
    if file.suffix.lower() == ".npz":
        buffer = io.BytesIO()
        values = {name: getattr(matrix, name) for name in FIELDS}
        # Text as a fixed-width array: an object array would need pickle.
        np.savez_compressed(buffer, version=VERSION, **{k: v for k, v in values.items() if v is not None})
        content = buffer.getvalue()
    elif file.suffix.lower() == ".csv":
        content = _csv_text(file, matrix).encode()
    else:
        raise ChannelError(f"{file}: a channel file ends in .npz or .csv, this one in {file.suffix or 'nothing'!r}.")
    try:
        write(file, content)
    except OSError as error:
        raise ChannelError(f"{file}: it cannot be written: {error.strerror}.") from None


def _npz_fields(data: bytes) -> dict[str, Any]:
    arrays = untrusted.load_npz(data)
    known = (*FIELDS, "version", "bandwidth_hz", "noise_figure_db")
    for name in arrays:
        _check_known(name, known)
    for name in ("version", "rsrp_dbm", "cells"):
        if name not in arrays:
            raise ChannelError(f"the array {name!r} is missing; it has {', '.join(sorted(arrays)) or 'none'}.")
    _check_version(arrays.pop("version"))
    fields: dict[str, Any] = dict(arrays)
    for name, array in arrays.items():
        if name == "cells" or name in TEXTS:
            if array.dtype.kind != "U" or array.ndim != (name == "cells"):
                want = "one-dimensional array of strings" if name == "cells" else "string"
                raise ChannelError(f"{name} must be a {want}, got dtype {array.dtype}, shape {array.shape}.")
            fields[name] = tuple(array.tolist()) if name == "cells" else str(array)
        elif name in (*CSV_NUMBERS, "correlation_m"):
            if array.ndim or array.dtype.kind not in "fiu":
                raise ChannelError(f"{name} must be one number, got dtype {array.dtype}, shape {array.shape}.")
            fields[name] = float(array)
    return fields


def _csv_fields(data: bytes) -> dict[str, Any]:
    lines = untrusted.decode(data).splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    fields = _csv_comments(lines[:start])
    if start == len(lines):
        raise ChannelError("there is no header line.")
    header = [unquoted(name.strip()) for name in next(csv.reader([lines[start]]))]
    while header and not header[-1]:  # commas at the end
        header.pop()
    _check_header(header, start + 1)
    rows = []
    for number, line in enumerate(lines[start + 1 :], start=start + 2):
        if line.strip():
            rows.append(_csv_row(next(csv.reader([line])), header, number))
    if len(rows) < 2:
        raise ChannelError(f"it needs at least 2 rows of data, got {len(rows)}.")
    table = np.array(rows)
    column = {name: table[:, i] for i, name in enumerate(header)}
    cells = [name for name in header if name not in CSV_COLUMNS]
    fields["cells"] = tuple(name.removesuffix(CELL_SUFFIX) for name in cells)
    fields["rsrp_dbm"] = np.stack([column[name] for name in cells], axis=1)
    if "time_s" in column:
        fields["time_s"] = column["time_s"]
    if "x_m" in column:
        fields["position_m"] = np.stack((column["x_m"], column["y_m"]), axis=1)
    return fields


def _csv_comments(lines: list[str]) -> dict[str, Any]:
    """`# key: value` lines. A line without a colon, or with words before it, is a remark."""
    fields: dict[str, Any] = {}
    for number, line in enumerate(lines, start=1):
        key, colon, value = line.lstrip("# ").partition(":")
        key, value = key.strip(), value.strip()
        if not colon or not key.isidentifier():
            continue
        known = (*CSV_NUMBERS, *TEXTS, "version")
        _check_known(key, known)
        if key in fields:
            raise ChannelError(f"line {number}: {key} is given twice.")
        if key in TEXTS:
            fields[key] = value
            continue
        try:
            fields[key] = untrusted.number(value)
        except ValueError:
            raise ChannelError(f"line {number}: {key} must be a number, got {value!r}.") from None
    _check_version(fields.pop("version", VERSION))
    return fields


def _check_header(header: list[str], number: int) -> None:
    degrees = {"lat", "lon", "lng", "latitude", "longitude"}.intersection(name.lower() for name in header)
    if degrees:
        raise ChannelError(
            f"line {number}: the columns {', '.join(sorted(degrees))} are degrees; give x_m and y_m in metres."
        )
    if "time_s" not in header and not {"x_m", "y_m"} <= set(header):
        raise ChannelError(
            f"line {number}: the header needs time_s, or x_m and y_m, then a column <cell>_dbm for each cell; "
            f"got {', '.join(header)[:200]}."
        )
    if ("x_m" in header) != ("y_m" in header):
        raise ChannelError(f"line {number}: the columns x_m and y_m go together.")
    for place, name in enumerate(header, start=1):
        if name not in CSV_COLUMNS and (not name.endswith(CELL_SUFFIX) or name == CELL_SUFFIX):
            raise ChannelError(
                f"line {number}, column {place}: {name!r} is none of {', '.join(CSV_COLUMNS)} and does not end "
                f"in {CELL_SUFFIX} as a cell's column does."
            )
        if name in header[: place - 1]:
            raise ChannelError(f"line {number}, column {place}: {name!r} occurs twice.")


def _csv_row(values: list[str], header: list[str], number: int) -> list[float]:
    if len(values) > len(header) and not "".join(values[len(header) :]).strip():
        values = values[: len(header)]
    if len(values) != len(header):
        raise ChannelError(f"line {number}: {len(values)} fields where the header has {len(header)}.")
    row = []
    for name, value in zip(header, values, strict=True):
        text = value.strip()
        try:
            row.append(untrusted.number(text) if text else np.nan)
        except ValueError:
            raise ChannelError(
                f"line {number}, column {name!r}: {text[:50]!r} is not a number (empty means not heard)."
            ) from None
    return row


def _check_known(name: str, known: tuple[str, ...]) -> None:
    if name not in known:
        raise ChannelError(unknown("field", name, known))


def _check_version(version: Any) -> None:
    if np.ndim(version) or not np.issubdtype(np.asarray(version).dtype, np.number) or version != VERSION:
        raise ChannelError(f"its format has version {version}; this package reads version {VERSION}.")


def _with_noise(fields: dict[str, Any], noise_dbm: float | None) -> dict[str, Any]:
    """`fields` with `noise_dbm`, from the file, from its bandwidth or from the keyword: one of them."""
    bandwidth_hz = fields.pop("bandwidth_hz", None)
    noise_figure_db = fields.pop("noise_figure_db", None)
    given = [value for value in (fields.get("noise_dbm"), bandwidth_hz, noise_dbm) if value is not None]
    if len(given) != 1:
        raise ChannelError(
            "the noise is needed once, over the bandwidth in which the RSRP is received: the field noise_dbm, or "
            f"bandwidth_hz (and noise_figure_db), or the keyword noise_dbm; {len(given)} are given."
        )
    if bandwidth_hz is not None:
        if not 1e3 <= bandwidth_hz <= 1e11:  # the narrowest subcarrier, of NB-IoT, has 3,750 Hz
            raise ChannelError(f"bandwidth_hz must be between 1000 and 1e11 Hz, got {bandwidth_hz:g}: is it in MHz?")
        noise_dbm = thermal_noise_dbm(bandwidth_hz, noise_figure_db=noise_figure_db or 0.0)
    elif noise_figure_db is not None:
        raise ChannelError("noise_figure_db goes with bandwidth_hz, not with noise_dbm.")
    return fields if noise_dbm is None else {**fields, "noise_dbm": noise_dbm}


def _csv_text(file: Path, matrix: LinkMatrix) -> str:
    if matrix.percentiles is not None or matrix.site_m is not None:
        raise ChannelError(f"{file}: a csv file holds no percentiles and no sites: write .npz.")
    rows: list[np.ndarray[Any, Any]] = []
    header = []
    if matrix.time_s is not None:
        header, rows = ["time_s"], [matrix.time_s]
    if matrix.position_m is not None:
        header, rows = [*header, "x_m", "y_m"], [*rows, *matrix.position_m.T]
    out = io.StringIO()
    for key in ("noise_dbm", "carrier_hz", *TEXTS):
        value = getattr(matrix, key)
        if value not in (None, ""):
            out.write(f"# {key}: {' '.join(value.split()) if isinstance(value, str) else repr(value)}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*header, *(spreadsheet_safe(cell + CELL_SUFFIX) for cell in matrix.cells)])
    for row in np.column_stack([*rows, matrix.rsrp_dbm]).tolist():
        writer.writerow(["" if np.isnan(value) else repr(value) for value in row])
    text = out.getvalue()
    again = LinkMatrix(**_with_noise(_csv_fields(text.encode()), None))
    if again.kind == "place" and not np.array_equal(again.edges, matrix.edges):  # type: ignore[arg-type]
        raise ChannelError(f"{file}: a csv file holds no edges, and these do not follow from the spacing: write .npz.")
    return text
