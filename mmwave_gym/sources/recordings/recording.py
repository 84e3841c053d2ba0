"""A recording: times, levels and cells, checked for what no logger can have seen."""

from __future__ import annotations

import collections
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import InputError
from mmwave_gym.core.shown import unquoted, visible
from mmwave_gym.core.types import Float64Array
from mmwave_gym.sources.recordings import table as tables, times
from mmwave_gym.sources.recordings.options import MISSING, UNITS_S, ZERO_LIKE, Options
from mmwave_gym.sources.recordings.table import Table

MAX_BYTES = 64 * 2**20
HIGHEST_DBM = -31.0
"""The highest SS-RSRP that is reported (3GPP TS 38.133 table 10.1.6.1-1); what is above it stands for none, as -24 of
phones in 3G does, or has lost its sign or its unit."""
LOWEST_DBM = -156.0
"""The lowest SS-RSRP that is reported (same table); what is below it stands for none, as -200 of G-NetTrack does."""
SNR_DB = (-60.0, 60.0)
"""SS-SINR is reported from -23 to 40 dB (3GPP TS 38.133 table 10.1.16.1-1); 99 and 255 stand for none."""
COMMON_SHARE = 0.3
"""A level in more of the rows than this is suspicious: ours."""
LONG_GAP_STEPS = 10.0
FASTEST_MPS = 100.0
"""360 km/h, faster than any train that phones are taken in."""
EARTH_RADIUS_M = 6_371_000.0
_DECIBELS = re.compile(r"\s*dbm?$", re.IGNORECASE)
LONGEST_JUMP_S = 366 * 86400.0
"""Between two rows of one recording: what is longer is a clock that was set, or times in two units. Ours."""
MOST_BACKWARDS = 0.05
"""Of the rows: a recording of appended runs goes back in time less often than this: ours."""


class RecordingError(InputError):
    """A recording that cannot be used; the text names file, row and column."""


@dataclass(frozen=True)
class Recording:
    """One file's samples in the order of its rows."""

    name: str
    time_s: Float64Array  # (samples,)
    level: Float64Array  # (samples,): NaN where there is no signal
    cell: NDArray[np.str_]  # (samples,): "" where the recording does not say
    run: NDArray[np.intp]  # (samples,): a new one begins where time runs backwards
    kind: str
    """ "rsrp" in dBm or "snr" in dB."""
    epoch: bool
    notes: Sequence[str] = field(default=())
    """What was understood, a line each."""
    doubt: str = ""
    """Why the levels may mean nothing; a reader of one recording refuses it, a reader of many may go on."""

    @property
    def step_s(self) -> float:
        """The usual time from one sample to the next; NaN where there is only one."""
        steps = np.diff(self.time_s)
        steps = steps[(steps > 0) & (self.run[1:] == self.run[:-1])]
        return round(float(np.median(steps)), 6) if len(steps) else math.nan

    def describe(self) -> str:
        """What was understood, for people."""
        return visible("\n".join([self.name, *(f"  {note}" for note in self.notes)]))


def read(path: str | os.PathLike[str], options: Options | None = None) -> Recording:
    """The recording in a file. Raises RecordingError, which begins with the file's name."""
    file = Path(path)
    with untrusted.blaming(file, RecordingError):
        data = untrusted.gunzip(untrusted.read_bytes(file, MAX_BYTES), MAX_BYTES)
        found = read_text(data, str(file), options)
        if found.doubt:
            raise RecordingError(found.doubt)
        return found


def read_text(data: bytes, name: str, options: Options | None = None) -> Recording:
    """The recording in the bytes of a file called `name`. Raises RecordingError."""
    wanted = options or Options()
    with untrusted.blaming(name, RecordingError):
        table = tables.read(data, wanted.separator, unnamed=bool(wanted.unnamed))
        notes = list(table.notes)
        time_at = tables.column(table, wanted.time, "time")
        level_at, kind = _level_column(table, wanted)
        cell_at = None if wanted.cell == "" else tables.column(table, wanted.cell, "cell", needed=False)
        table, moments = _timed(table, time_at, wanted.unit, notes)  # type: ignore[arg-type]
        level, doubt = _levels(table, level_at, kind, wanted.no_signal, notes)
        cells = [""] * len(table.rows) if cell_at is None else [_cell(row[cell_at]) for row in table.rows]
        cell = np.array(cells, dtype=np.str_)
        notes.append(
            "no column says the serving cell" if cell_at is None
            else f"cell from {table.header[cell_at]!r}: {len(set(cells) - {''})} cells"
        )  # fmt: skip
        notes += _technologies(table)
        run = _runs(table, moments, notes)
        notes += _speeds(table, moments, run)
        found = Recording(name, moments.time_s, level, cell, run, kind, moments.epoch)
        return Recording(name, moments.time_s, level, cell, run, kind, moments.epoch, [*notes, *_gaps(found)], doubt)


def _cell(text: str) -> str:
    return "" if text.strip().lower() in MISSING else unquoted(text.strip())


def _level_column(table: Table, wanted: Options) -> tuple[int, str]:
    """The index of the column of levels, and whether it is an RSRP or an SNR."""
    if wanted.level in ("rsrp", "snr"):
        at, kind = tables.column(table, wanted.level, wanted.level), wanted.level
    elif wanted.level is not None:
        at, kind = tables.column(table, wanted.level, "rsrp"), None
    else:
        at, kind = tables.column(table, None, "rsrp", needed=False), "rsrp"
        if at is None:
            at, kind = tables.column(table, None, "snr"), "snr"
    name = tables.plain(table.header[at])  # type: ignore[index]
    if kind is None:
        kind = "snr" if any(word in name for word in ("snr", "sinr")) else "rsrp" if _powerful(name) else None
    if (kind := wanted.kind or kind) is None:
        raise InputError(f"row 1: is {table.header[at]!r} an RSRP or an SNR? Say so (--kind rsrp, --kind snr).")  # type: ignore[index]
    return at, kind  # type: ignore[return-value]


def _powerful(name: str) -> bool:
    return any(word in name for word in ("rsrp", "level", "dbm", "power", "rssi", "rscp"))


def _timed(table: Table, at: int, unit: str | None, notes: list[str]) -> tuple[Table, times.Times]:
    """The rows that have a time, and their times."""
    kept = [i for i, row in enumerate(table.rows) if row[at].strip().lower() not in MISSING]
    if left := len(table.rows) - len(kept):
        first = next(i for i, row in enumerate(table.rows) if row[at].strip().lower() in MISSING)
        notes.append(f"{left} rows without a time left out, the first is row {table.lines[first]}")
    rows, lines = [table.rows[i] for i in kept], [table.lines[i] for i in kept]
    header = table.header[at]
    if not rows:
        raise InputError(f"the column {header!r} has no time in any row.")
    given = tables.unit_of(header)
    try:
        moments = times.parse(_with_dates(table.header, rows, at, notes), unit or (given if given in UNITS_S else None))
    except times.TimeError as error:
        raise InputError(f"row {lines[error.row]}, column {header!r}: {error}.") from None
    notes.append(f"time from {header!r}: {moments.understood}")
    return Table(table.header, rows, lines, []), moments


def _with_dates(header: list[str], rows: list[list[str]], at: int, notes: list[str]) -> list[str]:
    """The fields of the column of times; behind those of a column of dates where they are clock times alone."""
    texts = [row[at] for row in rows]
    date = next((i for i, name in enumerate(header) if tables.plain(name) == "date" and i != at), None)
    if date is None or not times.are_clocks(texts) or any(row[date].strip().lower() in MISSING for row in rows):
        return texts
    notes.append(f"the dates of the clock times are in {header[date]!r}")
    return [f"{row[date].strip()} {row[at].strip()}" for row in rows]


def _levels(
    table: Table, at: int, kind: str, no_signal: tuple[float, ...] | None, notes: list[str]
) -> tuple[Float64Array, str]:
    """(rows,): levels, NaN where there is none; and a doubt, see `Recording`."""
    header, unit = table.header[at], "dBm" if kind == "rsrp" else "dB"
    level = np.full(len(table.rows), math.nan)
    for i, (row, line) in enumerate(zip(table.rows, table.lines, strict=True)):
        text = row[at].strip()
        if text.lower() in MISSING:
            continue
        try:
            level[i] = _number(text)
        except ValueError:
            raise InputError(
                f"row {line}, column {header!r}: a level in {unit} is needed, got {text[:40]!r}."
            ) from None
        if math.isinf(level[i]) and level[i] not in (no_signal or ()):
            raise InputError(f"row {line}, column {header!r}: a level must be finite, got {text[:40]!r}.")
    missing = int(np.isnan(level).sum())
    silent = np.zeros(len(level), bool)
    known = no_signal if no_signal is not None else ZERO_LIKE if kind == "rsrp" else ()
    for value in known:
        if count := int((level == value).sum()):
            why = "" if no_signal else f", since it is no RSRP; the first is row {_line(table, level == value)}"
            notes.append(f"{value:g} in {count} rows of {header!r} means no signal{why}")
        silent |= level == value
    if kind == "rsrp" and (deaf := level < LOWEST_DBM).any():
        notes.append(
            f"{int(deaf.sum())} levels below {LOWEST_DBM:g} dBm mean no signal, the first is {level[deaf][0]:g} in row "
            f"{_line(table, deaf)}"
        )
        silent |= deaf
    level[silent] = math.nan
    _check_range(table, header, level, kind)
    doubt = _common(table, header, level, kind, no_signal, notes)
    share = float(np.isnan(level).mean())
    if share == 1.0:
        raise InputError(f"the column {header!r} has no level in any row.")
    heard = level[~np.isnan(level)]
    notes.append(
        f"{kind.upper()} from {header!r}: {heard.min():g} to {heard.max():g} {unit}, no signal in {share:.1%} of "
        f"{len(level)} rows ({missing} without a value)"
    )
    return level, doubt


def _number(text: str) -> float:
    """A level as "-80", "-80,5", "-80 dBm" or with the minus sign of typesetters."""
    text = _DECIBELS.sub("", text).replace("\u2212", "-")
    return untrusted.number(text.replace(",", ".") if text.count(",") == 1 else text)


def _line(table: Table, where: NDArray[np.bool_]) -> int:
    return table.lines[int(where.argmax())]


def _check_range(table: Table, header: str, level: Float64Array, kind: str) -> None:
    low, high = (LOWEST_DBM, HIGHEST_DBM) if kind == "rsrp" else SNR_DB
    wrong = (level < low) | (level > high)
    if not wrong.any():
        return
    value, count = level[wrong][0], int((level == level[wrong][0]).sum())
    what = "RSRP in dBm" if kind == "rsrp" else "SNR in dB"
    raise InputError(
        f"row {_line(table, wrong)}, column {header!r}: {value:g} is no {what}, which is between {low:g} and "
        f"{high:g}; {count} of {len(level)} rows have it. If it means no signal, say so (--no-signal {value:g}); if it "
        "is another quantity, name the right column (--level)."
    )


def _common(
    table: Table, header: str, level: Float64Array, kind: str, no_signal: tuple[float, ...] | None, notes: list[str]
) -> str:
    """One value in many rows: for an SNR of 0 or -1 a doubt, because it may mean no signal; else a note."""
    values, counts = np.unique(level[~np.isnan(level)], return_counts=True)
    if kind == "snr" and no_signal is None:
        for odd in ZERO_LIKE:
            if 0 < (count := int((level == odd).sum())) <= COMMON_SHARE * len(level):
                notes.append(
                    f"{odd:g} is in {count} rows of {header!r}, the first is row {_line(table, level == odd)}: it is "
                    f"taken for a level; if it means no signal, say so (--no-signal {odd:g})"
                )
    if not len(values) or (share := counts.max() / len(level)) <= COMMON_SHARE:
        return ""
    value = float(values[counts.argmax()])
    if kind == "snr" and no_signal is None and value in ZERO_LIKE:
        return (
            f"row {_line(table, level == value)}, column {header!r}: {value:g} is in {share:.0%} of the rows. Say "
            f"whether it means no signal (--no-signal {value:g}) or is a level (--no-signal none)."
        )
    notes.append(f"{value:g} is in {share:.0%} of the rows of {header!r}: is it a level, or a value that means none?")
    return ""


def _runs(table: Table, moments: times.Times, notes: list[str]) -> NDArray[np.intp]:
    """(rows,): the number of the run; it goes up where time runs backwards."""
    steps = np.diff(moments.time_s)
    if (far := np.abs(steps) > LONGEST_JUMP_S).any():
        row = int(far.argmax()) + 1
        raise InputError(
            f"row {table.lines[row]}: time jumps by {steps[row - 1]:.6g} s: are times in two units, or of two clocks?"
        )
    back = steps < 0
    if back.sum() > max(MOST_BACKWARDS * len(steps), 1) and back.sum() > 3:
        row = int(back.argmax()) + 1
        raise InputError(
            f"row {table.lines[row]}: time runs backwards by {-steps[row - 1]:g} s, and so in {int(back.sum())} of "
            f"{len(steps)} rows: is it the right column of times (--time), and is the recording sorted?"
        )
    for row in (np.flatnonzero(back) + 1)[:3].tolist():
        hour = " (an hour repeated at the end of daylight saving?)" if 3000 < -steps[row - 1] < 3700 else ""
        notes.append(
            f"time runs backwards by {-steps[row - 1]:g} s at row {table.lines[row]}{hour}: a new run begins there"
        )
    return np.concatenate([[0], np.cumsum(back)]).astype(np.intp)


def _technologies(table: Table) -> list[str]:
    """What there is to say where rows are of several generations of networks, whose levels are not the same."""
    at = tables.column(table, None, "technology", needed=False)
    if at is None:
        return []
    counts = collections.Counter(row[at] for row in table.rows if row[at].lower() not in MISSING).most_common(4)
    if len(counts) < 2:
        return []
    told = ", ".join(f"{name[:20]} {count}" for name, count in counts)
    return [f"rows of several technologies in {table.header[at]!r} ({told}): a level is an RSRP in LTE and NR only"]


def _speeds(table: Table, moments: times.Times, run: NDArray[np.intp]) -> list[str]:
    """What there is to say on how fast the phone went from row to row, where the recording has its places."""
    lat, lon = (tables.column(table, None, what, needed=False) for what in ("latitude", "longitude"))
    if lat is None or lon is None:
        return []
    place = np.radians([[_place(row[lat], 90.0), _place(row[lon], 180.0)] for row in table.rows])
    north, east = np.diff(place[:, 0]), np.diff(place[:, 1]) * np.cos(place[1:, 0])
    moved_m, took_s = EARTH_RADIUS_M * np.hypot(north, east), np.diff(moments.time_s)
    fast = (run[1:] == run[:-1]) & (moved_m > FASTEST_MPS * np.maximum(took_s, 1.0))
    if not fast.any():
        return []
    row = int(fast.argmax())
    return [
        f"{int(fast.sum())} moves faster than {FASTEST_MPS:g} m/s, the first by {moved_m[row]:.0f} m in "
        f"{took_s[row]:g} s to row {table.lines[row + 1]}: are times and places of one phone?"
    ]


def _place(text: str, largest: float) -> float:
    try:
        value = untrusted.number(text)
    except ValueError:
        return math.nan
    return value if abs(value) <= largest else math.nan


def _gaps(found: Recording) -> list[str]:
    """What there is to say on the times of a recording."""
    step = found.step_s
    if math.isnan(step):
        return ["all rows have the same time"]
    steps = np.diff(found.time_s)
    same = found.run[1:] == found.run[:-1]
    mixed = int((same & (steps == 0.0) & (found.cell[1:] != found.cell[:-1])).sum())
    steps = steps[same]
    gaps, repeats = steps[steps > LONG_GAP_STEPS * step], int((steps == 0.0).sum())
    span = sum(float(np.ptp(found.time_s[found.run == run])) for run in range(int(found.run[-1]) + 1))
    start = ""
    if found.epoch:
        began = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=float(found.time_s[0]))
        start = f" from {began:%Y-%m-%d %H:%M:%S}"
    runs = int(found.run[-1]) + 1
    text = f"{len(found.time_s)} samples in {runs} run{'s' if runs > 1 else ''} over {span:.6g} s{start}"
    text += f", most {step:.6g} s apart"
    if len(gaps):
        text += f", {len(gaps)} gaps of more than {LONG_GAP_STEPS * step:.6g} s (the longest {gaps.max():.6g} s)"
    else:
        text += ", no long gaps"
    text += f"; {repeats} rows repeat the time of the row before" if repeats else ""
    several = f"; {mixed} of these name another cell: a channel keeps all, transitions are of the last row of a slot"
    return [text + (several if mixed else "")]
