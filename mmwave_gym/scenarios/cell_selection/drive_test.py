"""A transition matrix from drive tests: the states that a real link went through, counted slot by slot.

Made for the runs of D. Raca, D. Leahy, C. J. Sreenan, J. J. Quinlan, "Beyond Throughput, The Next Generation: a 5G
Dataset with Channel and Context Metrics", ACM MMSys 2020 (github uccmisl/5Gdataset, 83 runs in Ireland), and for
anyone's trace: a CSV file with a column of times and one of levels, a folder of such files, or a .zip of one.

    mmwave-gym transition 5G-production-dataset.zip --out fit.json
    gymnasium.make("MmwaveCellSelection-v0", transition="fit.json")

What is done, and what it means:

1. A slot is `slot_s` seconds, 1 s by default, the step of the recordings. Of several samples in one slot the last
   counts. Slots without a sample, or with the level "-", break the chain: no transition is counted across them.
2. States are told apart by the SNR: LOS from 10 dB on, outage below -5 dB, NLOS between (ours: a recording does not
   say what was in sight; -5 dB is about where the lowest modulation fails). RSRP serves with thresholds of its own.
3. P is the maximum likelihood estimate, counts over row sums. With ten runs or more the intervals come from 2,000
   resamples of whole runs, since slots of one run are alike beyond the chain; with fewer they are Jeffreys intervals
   of each row, which hold if the chain is true.
4. A phone records the cell that serves it. Transitions across a change of cell are left out where the trace names
   the cell; still, a link that got bad was often left before it got worse.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import sys
import zipfile
from collections.abc import Iterator
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from mmwave_gym.core.checks import at_least, interval, one_of
from mmwave_gym.core.types import Float64Array

STATES = ("los", "nlos", "outage")
THRESHOLDS_DB = {"snr": (-5.0, 10.0), "rsrp": (-110.0, -90.0)}
"""Level -> (outage below, LOS from here on); ours, see 2."""
COLUMNS = {
    "time": ("timestamp", "time", "time_s"),
    "snr": ("snr", "snr_db", "sinr", "sinr_db"),
    "rsrp": ("rsrp", "rsrp_dbm"),
    "cell": ("rawcellid", "cellid", "cell"),
}
"""Names that a column may have, small or capital letters, the best first."""
MISSING = ("", "-", "nan")
NO_SIGNAL_DBM = -200.0  # what the recordings' RSRP says where there is none
LARGEST_FILE_BYTES = 64 * 2**20
LARGEST_TOTAL_BYTES = 512 * 2**20
_RESAMPLES = 2000
_FORMAT = 1
_SHIPPED = "irish_5g.json"


class TraceError(ValueError):
    """A trace or a fit that cannot be used; the text names the file, the row and the column."""


class Fit(NamedTuple):
    """What `fit` found. Rows are "from", columns "to", in the order (LOS, NLOS, outage)."""

    transition: Float64Array  # (3, 3)
    counts: NDArray[np.int64]  # (3, 3): transitions seen
    low: Float64Array  # (3, 3): ends of the 95 % intervals
    high: Float64Array
    slot_s: float
    num_runs: int
    level: str
    thresholds_db: tuple[float, float]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the .json file that `transition=` reads."""
        values = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in self._asdict().items()}
        Path(path).write_text(json.dumps({"format": _FORMAT, "states": STATES, **values}, indent=1) + "\n")


def fit(
    source: str | os.PathLike[str],
    *,
    level: str = "snr",
    thresholds_db: tuple[float, float] | None = None,
    slot_s: float = 1.0,
    same_cell: bool = True,
) -> Fit:
    """The transition matrix of the runs in a .csv file, a folder or a .zip.

    level: "snr" or "rsrp", the column that tells states apart; thresholds_db: (outage below, LOS from here on).
    same_cell: leave out transitions across a change of the serving cell, where the trace names it.
    Raises TraceError, and ValueError for other arguments out of range.
    """
    one_of("level", level, THRESHOLDS_DB)
    at_least("slot_s", slot_s, 0.0, strict=True)
    thresholds = THRESHOLDS_DB[level] if thresholds_db is None else thresholds_db
    interval("thresholds_db", thresholds, -math.inf)
    runs = [_count(name, text, level, thresholds, slot_s, same_cell) for name, text in _traces(Path(source))]
    counts = np.sum(runs, axis=0)
    for state, name in enumerate(STATES):
        if counts[state].sum() == 0:
            raise TraceError(
                f"{source}: no transition from the state {name} in {len(runs)} run(s) with {level} thresholds "
                f"{tuple(thresholds)} and slots of {slot_s:g} s: choose other thresholds or a longer slot."
            )
    low, high = _intervals(np.array(runs), counts)
    transition = counts / counts.sum(axis=1, keepdims=True)
    return Fit(transition, counts, low, high, float(slot_s), len(runs), level, (thresholds[0], thresholds[1]))


def read_fit(path: str | os.PathLike[str] | None = None) -> tuple[Any, float]:
    """(matrix, slot in seconds) of a file that `Fit.save` wrote; None: the one of the Irish runs. Raises TraceError."""
    source = files(__package__) / _SHIPPED if path is None else Path(path)
    try:
        values = json.loads(source.read_text())
    except OSError as error:
        raise TraceError(f"{source}: cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise TraceError(f"{source}: not a .json file: {error}.") from None
    if not isinstance(values, dict) or not {"transition", "slot_s"} <= values.keys():
        raise TraceError(f"{source}: a fit has the entries 'transition' and 'slot_s'; write it with Fit.save.")
    slot_s = values["slot_s"]
    if isinstance(slot_s, bool) or not isinstance(slot_s, int | float) or not 0.0 < slot_s < math.inf:
        raise TraceError(f"{source}: slot_s must be a number above 0, got {slot_s!r}.")
    return values["transition"], float(slot_s)


# ---------------------------------------------------------------------- files


def _traces(source: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each run; what archives and systems add (__MACOSX, hidden files) is passed over."""
    found = False
    total = 0
    for name, size, read in _members(source):
        if size > LARGEST_FILE_BYTES:
            raise TraceError(f"{name}: {size:,} bytes, more than the {LARGEST_FILE_BYTES:,} that are read.")
        total += size
        if total > LARGEST_TOTAL_BYTES:
            raise TraceError(f"{source}: more than the {LARGEST_TOTAL_BYTES:,} bytes that are read in all.")
        try:
            text = read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TraceError(f"{name}: not a text in UTF-8 (byte {error.start}).") from None
        found = True
        yield name, text
    if not found:
        raise TraceError(f"{source}: holds no .csv file.")


def _members(source: Path) -> Iterator[tuple[str, int, Any]]:
    if source.is_dir():
        for path in sorted(source.rglob("*.csv")):
            if _wanted(path.relative_to(source).parts):
                yield str(path), path.stat().st_size, path.read_bytes
    elif source.suffix.lower() == ".zip" and source.is_file():
        try:
            with zipfile.ZipFile(source) as archive:
                for entry in sorted(archive.infolist(), key=lambda e: e.filename):
                    if entry.filename.lower().endswith(".csv") and _wanted(Path(entry.filename).parts):
                        # The archive reader stops at the size that the entry declares.
                        yield f"{source}/{entry.filename}", entry.file_size, lambda e=entry: archive.read(e)
        except zipfile.BadZipFile as error:
            raise TraceError(f"{source}: not a sound .zip archive: {error}.") from None
    elif source.is_file():
        yield str(source), source.stat().st_size, source.read_bytes
    else:
        raise TraceError(f"{source}: there is no such file or folder.")


def _wanted(parts: tuple[str, ...]) -> bool:
    return not any(part == "__MACOSX" or part.startswith(".") for part in parts)


# ---------------------------------------------------------------------- one run


def _count(
    name: str, text: str, level: str, thresholds_db: tuple[float, float], slot_s: float, same_cell: bool
) -> NDArray[np.int64]:
    """(3, 3): transitions between consecutive slots of one run."""
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        head = [h.strip().lower() for h in next(rows, [])]
        time_at, level_at = _column(name, head, "time"), _column(name, head, level)
        cell_at = _column(name, head, "cell", required=False) if same_cell else None
        slots: dict[int, tuple[int, str]] = {}  # slot -> state, cell; a later sample of the slot replaces it
        begin_s: float | None = None
        for cells in rows:
            line = rows.line_num
            if not cells:
                continue
            if len(cells) <= max(time_at, level_at, cell_at or 0):
                raise TraceError(f"{name}, row {line}: {len(cells)} columns, the head has {len(head)}.")
            time_s = _time_s(cells[time_at], f"{name}, row {line}, column {head[time_at]!r}")
            begin_s = time_s if begin_s is None else begin_s
            slot = math.floor((time_s - begin_s) / slot_s + 1e-6)
            value = _level_db(cells[level_at], level, f"{name}, row {line}, column {head[level_at]!r}")
            if value is None:
                slots.pop(slot, None)
            else:
                state = 2 if value < thresholds_db[0] else 0 if value >= thresholds_db[1] else 1
                slots[slot] = state, "" if cell_at is None else cells[cell_at]
    except csv.Error as error:
        raise TraceError(f"{name}, row {rows.line_num}: not a table: {error}.") from None
    counts = np.zeros((3, 3), np.int64)
    for slot, (state, cell) in slots.items():
        after = slots.get(slot + 1)
        if after is not None and after[1] == cell:
            counts[state, after[0]] += 1
    return counts


def _column(name: str, head: list[str], what: str, required: bool = True) -> Any:
    for candidate in COLUMNS[what]:
        if candidate in head:
            return head.index(candidate)
    if required:
        raise TraceError(
            f"{name}, row 1: no column for {what}; it may be called {', '.join(COLUMNS[what])}, got "
            f"{', '.join(head[:12]) or 'an empty row'}."
        )
    return None


def _time_s(text: str, where: str) -> float:
    """Seconds, from a number, an ISO 8601 time, or the recordings' 2019.11.25_15.34.34."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.strptime(text, "%Y.%m.%d_%H.%M.%S") if "_" in text else datetime.fromisoformat(text)
        except ValueError:
            raise TraceError(
                f"{where}: the time must be seconds, ISO 8601 or like 2019.11.25_15.34.34, got {text!r}."
            ) from None
        # Clocks of phones are local; a difference of naive times is what is wanted.
        seconds = (moment.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()
    if not abs(seconds) < 1e12:
        raise TraceError(f"{where}: the time must be finite, got {text!r}.")
    return seconds


def _level_db(text: str, level: str, where: str) -> float | None:
    if text.strip().lower() in MISSING:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) < 1000.0:
        raise TraceError(f"{where}: {level} must be a number in dB or '-', got {text!r}.")
    return None if level == "rsrp" and value <= NO_SIGNAL_DBM else value


def _intervals(runs: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
    """Ends of the 95 % intervals, see 3."""
    if len(runs) < 10:
        rest = counts.sum(axis=1, keepdims=True) - counts
        low, high = (np.asarray(beta.ppf(q, counts + 0.5, rest + 0.5)) for q in (0.025, 0.975))
        return low, high
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), _RESAMPLES)
    resampled = np.tensordot(times, runs, axes=1).astype(np.float64)
    sums = resampled.sum(axis=2, keepdims=True)
    shares = np.divide(resampled, sums, out=np.full_like(resampled, np.nan), where=sums > 0)
    low, high = np.nanquantile(shares, (0.025, 0.975), axis=0)
    return low, high


def table(found: Fit) -> str:
    """The fit for reading: each probability with its interval, and how many transitions stand behind a row."""
    lines = [f"{found.num_runs} runs, slots of {found.slot_s:g} s, {found.level} thresholds {found.thresholds_db} dB"]
    lines.append(f"{'from / to':10}" + "".join(f"{name:>24}" for name in STATES) + f"{'transitions':>14}")
    for i, name in enumerate(STATES):
        cells = "".join(
            f"{p:>10.4f} [{low:.4f}, {high:.4f}]".rjust(24)
            for p, low, high in zip(found.transition[i], found.low[i], found.high[i], strict=True)
        )
        lines.append(f"{name:10}{cells}{found.counts[i].sum():>14,}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """The command of the module's text."""
    parser = argparse.ArgumentParser(
        prog="python -m mmwave_gym.scenarios.cell_selection.drive_test", description=(__doc__ or "").splitlines()[0]
    )
    option = parser.add_argument
    option("source", help="a .csv file, a folder of them, or a .zip")
    option("--level", choices=list(THRESHOLDS_DB), default="snr", help="the column that tells states apart")
    option("--thresholds", type=float, nargs=2, metavar=("OUTAGE", "LOS"), help="dB: outage below, LOS from here on")
    option("--slot", type=float, default=1.0, help="slot in seconds (default: 1)")
    option("--any-cell", action="store_true", help="count transitions across a change of cell too")
    option("--out", help="write the fit to this .json file")
    given = parser.parse_args(arguments)
    thresholds = tuple(given.thresholds) if given.thresholds else None
    try:
        found = fit(
            given.source, level=given.level, thresholds_db=thresholds, slot_s=given.slot, same_cell=not given.any_cell
        )
    except ValueError as error:
        parser.error(str(error))
    if given.out:
        found.save(given.out)
    sys.stdout.write(table(found) + "\n")


if __name__ == "__main__":
    main()
