"""A transition matrix from drive tests: the states that a real link went through, counted slot by slot.

Made for the runs of D. Raca, D. Leahy, C. J. Sreenan, J. J. Quinlan, "Beyond Throughput, The Next Generation: a 5G
Dataset with Channel and Context Metrics", ACM MMSys 2020 (github uccmisl/5Gdataset, 83 runs in Ireland), and for
anyone's trace: a CSV file with a column of times and one of levels, a folder of such files, or a .zip of one.

    mmwave-gym transition 5G-production-dataset.zip --out fit.json
    gymnasium.make("MmwaveCellSelection-v0", transition="fit.json")

The word "drive_test" instead of a file means the fit of these runs. The data is under GPL-3.0, so neither it nor the
fit is in this package: the fit is made of the archive in the folder that MMWAVE_DATA names.

What is done, and what it means:

1. A slot is `slot_s` seconds, by default 1 s, or the recordings' usual step where that is longer. Of several samples
   in one slot the last counts. Slots without a sample, or without a signal, break the chain: no transition is counted
   across them, nor from one run of a file to the next. `mmwave_gym.sources.recordings` reads the files.
2. States are told apart by the SNR: LOS from 10 dB on, outage below -5 dB, NLOS between (ours: a recording does not
   say what was in sight; -5 dB is about where the lowest modulation fails). RSRP serves with thresholds of its own.
3. P is the maximum likelihood estimate, counts over row sums. With ten runs or more the intervals come from 2,000
   resamples of whole runs, since slots of one run are alike beyond the chain; with fewer they are Jeffreys intervals
   of each row, which hold if the chain is true.
4. A phone records the cell that serves it. Transitions across a change of cell are left out where the trace names
   the cell; still, a link that got bad was often left before it got worse.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mmwave_gym.core import untrusted
from mmwave_gym.core.checks import at_least, interval
from mmwave_gym.core.errors import InputError
from mmwave_gym.core.files import write
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.cell_selection import markov
from mmwave_gym.sources import data_folder, recordings
from mmwave_gym.sources.recordings import Options, Recording

STATES = ("los", "nlos", "outage")
THRESHOLDS_DB = {"snr": (-5.0, 10.0), "rsrp": (-110.0, -90.0)}
"""Level -> (outage below, LOS from here on); ours, see 2."""
LARGEST_FILE_BYTES = 64 * 2**20
LARGEST_TOTAL_BYTES = 512 * 2**20
LARGEST_FIT_BYTES = 2**20
SLOTS_S = (1e-6, 86_400.0)
MOST_DOUBTFUL = 0.3
"""Samples in files whose levels may mean nothing, of all: ours, as `recordings` has it for one value."""
_RESAMPLES = 2000
_FORMAT = 1
IRISH_RUNS, IRISH_FIT = "irish_5g/5G-production-dataset.zip", "irish_5g/fit.json"
"""In the data folder: the archive, and its fit where somebody made it before."""


class TraceError(InputError):
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
        write(Path(path), json.dumps({"format": _FORMAT, "states": STATES, **values}, indent=1) + "\n")


def fit(
    source: str | os.PathLike[str],
    *,
    level: str = "snr",
    thresholds_db: tuple[float, float] | None = None,
    slot_s: float | None = None,
    same_cell: bool = True,
    options: Options | None = None,
) -> Fit:
    """The transition matrix of the runs in a recording, a folder of them or a .zip.

    level: "snr" or "rsrp", or the name of the column that tells states apart; thresholds_db: (outage below, LOS from
    here on). slot_s: see 1. same_cell: leave out transitions across a change of the serving cell, where the recording
    names it. options: how to read a recording, see `recordings.Options`; its level goes before `level`.
    Raises TraceError, and ValueError for other arguments out of range.
    """
    return fit_of(recordings_of(source, with_level(options, level)), source, thresholds_db, slot_s, same_cell)


def with_level(options: Options | None, level: str) -> Options:
    """`options` whose level, where they have none, is `level`."""
    found = options or Options()
    return found if found.level is not None else replace(found, level=level)


def fit_of(
    found: list[Recording],
    source: object,
    thresholds_db: tuple[float, float] | None = None,
    slot_s: float | None = None,
    same_cell: bool = True,
) -> Fit:
    """The transition matrix of recordings, see `fit`; `source` names them in errors."""
    kind = found[0].kind
    if other := next((one for one in found if one.kind != kind), None):
        raise TraceError(f"{other.name}: it has {other.kind.upper()}, {found[0].name} has {kind.upper()}.")
    if slot_s is not None:
        at_least("slot_s", slot_s, 0.0, strict=True)
    slot = float(slot_s) if slot_s is not None else usual_slot_s(found)
    thresholds = THRESHOLDS_DB[kind] if thresholds_db is None else thresholds_db
    interval("thresholds_db", thresholds, -math.inf)
    runs = [counts for one in found for counts in _counts(one, thresholds, slot, same_cell)]
    counts = np.sum(runs, axis=0)
    for state, name in enumerate(STATES):
        if counts[state].sum() == 0:
            raise TraceError(
                f"{source}: no transition from the state {name} in {len(runs)} run(s) with {kind} thresholds "
                f"{tuple(thresholds)} and slots of {slot:g} s: choose other thresholds or a longer slot."
            )
    low, high = _intervals(np.array(runs), counts)
    transition = counts / counts.sum(axis=1, keepdims=True)
    return Fit(transition, counts, low, high, slot, len(runs), kind, (thresholds[0], thresholds[1]))


def usual_slot_s(found: list[Recording]) -> float:
    """1 s, or the usual step of recordings where it is above 1.5 s."""
    steps = [one.step_s for one in found if not math.isnan(one.step_s)]
    step_s = float(np.median(steps)) if steps else 1.0
    return 1.0 if step_s <= 1.5 else step_s


def read_fit(path: str | os.PathLike[str] | None = None) -> tuple[Any, float]:
    """(matrix, slot in seconds) of a file that `Fit.save` wrote; None: of the Irish runs. Raises TraceError."""
    return _irish_fit(os.environ.get("MMWAVE_DATA", "")) if path is None else _read_fit(Path(path))


@functools.cache
def _irish_fit(_folder: str) -> tuple[Any, float]:
    """(matrix, slot in seconds) of the Irish runs, once for each data folder."""
    with untrusted.blaming("transition='drive_test'", TraceError):
        folder = data_folder("it is fitted to recordings that are not part of this package")
    if (made := folder / IRISH_FIT).is_file():
        return _read_fit(made)
    if not (runs := folder / IRISH_RUNS).is_file():
        raise TraceError(
            f"transition='drive_test': {runs} is not there; docs/channel_files.md says where to get it. A recording of "
            "your own serves too: mmwave-gym transition RECORDING --out fit.json, transition='fit.json'."
        )
    found = fit(runs)
    return found.transition.tolist(), found.slot_s


def irish_runs_are_here() -> bool:
    """Whether `transition="drive_test"` can be played."""
    folder = Path(os.environ.get("MMWAVE_DATA") or os.devnull)
    return any((folder / name).is_file() for name in (IRISH_FIT, IRISH_RUNS))


def _read_fit(source: Path) -> tuple[Any, float]:
    with untrusted.blaming(source, TraceError):
        values = untrusted.json_value(untrusted.read_bytes(str(source), LARGEST_FIT_BYTES))
    if not isinstance(values, dict) or not {"transition", "slot_s"} <= values.keys():
        raise TraceError(f"{source}: a fit has the entries 'transition' and 'slot_s'; write it with Fit.save.")
    if values.get("format", _FORMAT) != _FORMAT:
        raise TraceError(f"{source}: its format must be {_FORMAT}, got {str(values['format'])[:50]!r}.")
    if values.get("states", list(STATES)) != list(STATES):
        raise TraceError(f"{source}: its states must be {', '.join(STATES)}, got {str(values['states'])[:100]}.")
    slot_s = values["slot_s"]
    low, high = SLOTS_S
    if isinstance(slot_s, bool) or not isinstance(slot_s, int | float) or not low <= slot_s <= high:
        raise TraceError(f"{source}: slot_s must be a number above 0, {low:g} to {high:g}, got {str(slot_s)[:50]!r}.")
    with untrusted.blaming(source, TraceError):
        return markov.checked_matrix("transition", values["transition"]).tolist(), float(slot_s)


def recordings_of(source: str | os.PathLike[str], options: Options, notes: Notes | None = None) -> list[Recording]:
    """The recordings in a file, a folder or a .zip, without what systems add (__MACOSX, hidden files).

    Of several, those that cannot be read are left out; `notes` hears of them. Raises TraceError, also where they are
    more than half.
    """
    source = Path(source)
    notes = Notes(error=TraceError) if notes is None else notes
    if not source.is_dir() and source.suffix.lower() != ".zip":
        if not source.exists():
            raise TraceError(f"{source}: there is no such file or folder.")
        with untrusted.blaming(source, TraceError):
            return [recordings.read(source, options)]
    found, total = [], 0
    for name, content in _members(source):
        try:
            with untrusted.blaming(name, recordings.RecordingError):
                data = untrusted.gunzip(content(), LARGEST_FILE_BYTES)
            if (total := total + len(data)) > LARGEST_TOTAL_BYTES:
                raise TraceError(f"{source}: more than the {LARGEST_TOTAL_BYTES:,} bytes that are read in all.")
            found.append(recordings.read_text(data, name, options))
        except recordings.RecordingError as error:
            notes.leave_out("recording", "that cannot be read", name, str(error).removeprefix(f"{name}: ").rstrip("."))
    left = notes.number("recording")
    if left > len(found):
        raise TraceError(f"{notes.first_wrong}. So it is with {left} of {left + len(found)} recordings.")
    if not found:
        raise TraceError(f"{source}: holds no .csv file and no .txt file.")
    doubtful = [one for one in found if one.doubt]
    if sum(len(one.level) for one in doubtful) > MOST_DOUBTFUL * sum(len(one.level) for one in found):
        raise TraceError(f"{doubtful[0].name}: {doubtful[0].doubt} So it is in {len(doubtful)} of {len(found)} files.")
    return found


def _members(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Names and contents of the .csv files below a folder or in a .zip; of the .txt files where there is no .csv.

    A content is read by calling it, and InputError there is of this member alone.
    """
    if source.is_dir():
        paths = {path.relative_to(source).as_posix(): path for path in sorted(source.rglob("*")) if not path.is_dir()}
        for name in _chosen(list(paths)):
            yield str(paths[name]), functools.partial(untrusted.read_bytes, paths[name], LARGEST_FILE_BYTES)
        return
    with (
        untrusted.blaming(source, TraceError),
        untrusted.open_regular(source) as stream,
        untrusted.checked_zip(stream, limit=LARGEST_TOTAL_BYTES, texts=True) as archive,
    ):
        for name in _chosen(sorted(archive.namelist())):
            yield f"{source}/{name}", functools.partial(untrusted.member, archive, name, LARGEST_FILE_BYTES)


def _chosen(names: list[str]) -> list[str]:
    wanted = [n for n in names if not any(part == "__MACOSX" or part.startswith(".") for part in n.split("/"))]
    tables = [name for name in wanted if name.lower().endswith((".csv", ".csv.gz"))]
    return tables or [name for name in wanted if name.lower().endswith((".txt", ".txt.gz"))]


def _counts(
    found: Recording, thresholds_db: tuple[float, float], slot_s: float, same_cell: bool
) -> Iterator[NDArray[np.int64]]:
    """(3, 3) for each run of a recording: transitions between consecutive slots."""
    for run in range(int(found.run[-1]) + 1):
        counts = np.zeros((3, 3), np.int64)
        rows = found.run == run
        time_s = found.time_s[rows]
        slot = np.floor((time_s - time_s[0]) / slot_s + 1e-6)
        last = np.append(np.diff(slot) > 0, True)  # of several samples in one slot the last counts
        slot, level, cell = slot[last], found.level[rows][last], found.cell[rows][last]
        state = np.where(level < thresholds_db[0], 2, np.where(level >= thresholds_db[1], 0, 1))
        heard = ~np.isnan(level)
        joined = (np.diff(slot) == 1) & heard[1:] & heard[:-1]
        if same_cell:
            joined &= cell[1:] == cell[:-1]
        np.add.at(counts, (state[:-1][joined], state[1:][joined]), 1)
        yield counts


def _intervals(runs: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[Float64Array, Float64Array]:
    """Ends of the 95 % intervals, see 3."""
    if len(runs) < 10:
        rest = counts.sum(axis=1, keepdims=True) - counts
        low, high = (np.asarray(special.betaincinv(counts + 0.5, rest + 0.5, q)) for q in (0.025, 0.975))
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
