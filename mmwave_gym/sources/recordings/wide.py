"""A recording as a table of its own (long, .csv), or as a link matrix with a column for each cell (wide)."""

from __future__ import annotations

import csv
import io
import math

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.shown import spreadsheet_safe
from mmwave_gym.core.types import Float64Array
from mmwave_gym.links.checks import UNIFORM_TIME
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.links.resampling import MAX_ROWS, grid, nearest
from mmwave_gym.radio.units import noise_dbm as thermal_noise_dbm
from mmwave_gym.sources.recordings.recording import Recording, RecordingError

SUBCARRIER_HZ = 15e3
"""An RSRP is the power of one resource element (3GPP TS 36.214, 5.1.1): LTE's is 15 kHz wide, NR's 15 kHz or more."""
NOISE_FIGURE_DB = 9.0  # of a UE: 3GPP TR 38.901 table 7.8-1


def to_csv(recording: Recording, resample_s: float | None = None) -> str:
    """Samples as comma-separated text: time_s from the first sample, the level, cell and run; empty: no signal."""
    if resample_s is not None:
        recording = _resampled(recording, resample_s)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["time_s", f"{recording.kind}_{'dbm' if recording.kind == 'rsrp' else 'db'}", "cell", "run"])
    start_s = float(recording.time_s.min())
    for time_s, level, cell, run in zip(
        recording.time_s.tolist(),
        recording.level.tolist(),
        recording.cell.tolist(),
        recording.run.tolist(),
        strict=True,
    ):
        writer.writerow(
            [repr(round(time_s - start_s, 6)), "" if math.isnan(level) else repr(level), spreadsheet_safe(cell), run]
        )
    return out.getvalue()


def _resampled(recording: Recording, step_s: float) -> Recording:
    """Samples at equal steps, each the nearest one in time of its run; none where none is near, as in a long gap."""
    times, picks, runs = [], [], []
    for run in range(int(recording.run[-1]) + 1):
        rows = np.flatnonzero(recording.run == run)
        with untrusted.blaming(recording.name, RecordingError):
            at = grid(recording.time_s[rows], step_s)
        pick = nearest(recording.time_s[rows], at, recording.step_s)
        there = pick >= 0
        times.append(at[there])
        picks.append(rows[pick[there]])
        runs.append(np.full(int(there.sum()), run))
    pick = np.concatenate(picks)
    return Recording(recording.name, np.concatenate(times), recording.level[pick], recording.cell[pick],
                     np.concatenate(runs), recording.kind, recording.epoch, recording.notes)  # fmt: skip


def to_links(recording: Recording, *, resample_s: float | None = None, noise_dbm: float | None = None) -> LinkMatrix:
    """A link matrix with a column for each cell of a recording of RSRP; a cell is heard where a row says so.

    resample_s: the step of the matrix; needed where times are not equally spaced. noise_dbm: by default thermal noise
    in 15 kHz with a noise figure of 9 dB. Raises RecordingError.
    """
    with untrusted.blaming(recording.name, RecordingError):
        if recording.kind != "rsrp":
            raise RecordingError("a channel needs a recording of RSRP; this is one of SNR: name its column (--level).")
        if recording.run[-1]:
            raise RecordingError(f"it holds {recording.run[-1] + 1} runs, one after the other: cut it into files.")
        names = sorted(set(recording.cell.tolist()) - {""})
        if len(names) < 2:
            raise RecordingError(
                f"it names {len(names)} cell{'' if len(names) == 1 else 's'}; a channel needs two to choose from: name "
                "the column of the cell (--cell), or fit its transitions."
            )
        times = np.unique(recording.time_s)
        at = _steps(times, resample_s)
        rsrp = np.full((len(at), len(names)), math.nan)
        for column, name in enumerate(names):
            rows = np.flatnonzero(recording.cell == name)
            pick = nearest(recording.time_s[rows], at, float(np.median(np.diff(times))))
            rsrp[:, column] = np.where(pick < 0, math.nan, recording.level[rows[pick]])
        heard = ~np.isnan(rsrp).all(axis=0)
        if noise_dbm is None:
            noise_dbm = thermal_noise_dbm(SUBCARRIER_HZ, noise_figure_db=NOISE_FIGURE_DB)
        return LinkMatrix(
            rsrp_dbm=rsrp[:, heard],
            noise_dbm=noise_dbm,
            cells=tuple(name for name, there in zip(names, heard, strict=True) if there),
            time_s=at - at[0],
            source=f"recording {recording.name.rpartition('/')[2]}",
        )


def _steps(times: Float64Array, resample_s: float | None) -> Float64Array:
    """(steps,): the times of a matrix's rows."""
    if resample_s is not None:
        return grid(times, resample_s)
    steps = np.diff(times)
    step = float(np.median(steps)) if len(steps) else 0.0
    if len(steps) and (np.abs(steps - step) > UNIFORM_TIME * step).any():
        row = int((np.abs(steps - step) > UNIFORM_TIME * step).argmax())
        raise RecordingError(
            f"its times are not equally spaced: most are {step:g} s apart, {times[row] - times[0]:g} s and "
            f"{times[row + 1] - times[0]:g} s after the start are {steps[row]:g} s. Resample it (--resample {step:g})."
        )
    if len(times) > MAX_ROWS:
        raise RecordingError(f"it has more than {MAX_ROWS:,} times: resample it (--resample).")
    return times
