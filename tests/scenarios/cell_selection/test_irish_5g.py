"""The fit of a transition matrix from drive tests: counts by hand, bad files, and the 83 Irish runs."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmwave_gym import cli
from mmwave_gym.core.notes import Notes
from mmwave_gym.scenarios.cell_selection import drive_test, markov
from mmwave_gym.scenarios.cell_selection.config import resolve_transition
from mmwave_gym.scenarios.cell_selection.drive_test import Fit, TraceError, fit, read_fit
from mmwave_gym.sources.recordings import Options

LEVEL = {"los": "12", "nlos": "3.5", "outage": "-7", "-": "-"}
ROUND = ["los", "los", "nlos", "outage", "outage", "nlos", "los"]  # each state is left at least once


def trace(states: list[str], times: list[float] | None = None, cells: list[str] | None = None) -> str:
    times = list(range(len(states))) if times is None else times
    cells = ["7"] * len(states) if cells is None else cells
    rows = [f"{t},{LEVEL[s]},{c}" for t, s, c in zip(times, states, cells, strict=True)]
    return "\n".join(["time_s,SNR,CellID", *rows]) + "\n"


def written(folder: Path, text: str, name: str = "run.csv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_counts_by_hand(tmp_path: Path) -> None:
    found = fit(written(tmp_path, trace(ROUND)))
    assert found.counts.tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 1]]
    assert found.transition.tolist() == [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]]
    assert (found.slot_s, found.num_runs, found.level, found.thresholds_db) == (1.0, 1, "snr", (-5.0, 10.0))
    assert ((found.low <= found.transition) | (found.transition == 0)).all()
    assert (found.transition <= found.high).all()


def test_gaps_missing_levels_duplicates_and_changes_of_cell_break_or_replace(tmp_path: Path) -> None:
    """Beside ROUND: a gap of two slots, "-", a slot whose second sample counts, a change of cell, a clock set back."""
    more = ["los", "nlos", "-", "nlos", "los", "outage", "los", "outage", "los"]
    times = [20.0, 22.0, 23.0, 24.0, 30.0, 30.4, 31.0, 40.0, 41.0]
    cells = ["7", "7", "7", "7", "7", "7", "7", "8", "9"]
    states, at = [*ROUND, *more], [*range(len(ROUND)), *times]
    path = written(tmp_path, trace(states, at, ["7"] * len(ROUND) + cells))
    plain = fit(written(tmp_path, trace(ROUND), "plain.csv")).counts
    extra = fit(path).counts - plain
    assert extra.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]], "only the last sample of slot 30, then LOS"
    assert (fit(path, same_cell=False).counts - plain).tolist() == [[0, 0, 0], [0, 0, 0], [2, 0, 0]]


def test_slot_level_and_thresholds(tmp_path: Path) -> None:
    rows = [(0, -80), (2, -95), (4, -120), (6, -200), (8, -120), (10, -95), (12, -80), (14, -80)]
    path = written(tmp_path, "time,rsrp\n" + "".join(f"{t},{level}\n" for t, level in rows))
    found = fit(path, level="rsrp", slot_s=2.0)
    assert found.counts.tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 0]], "-200 dBm is no sample"
    assert fit(path, level="rsrp", slot_s=2.0, thresholds_db=(-110.0, -80.5)).counts.tolist() == found.counts.tolist()
    with pytest.raises(TraceError, match=r"no transition from the state los .* slots of 1 s: choose other"):
        fit(path, level="rsrp", slot_s=1.0)
    assert fit(path, level="rsrp").slot_s == 2.0, "the usual step where it is longer than a second"


@pytest.mark.parametrize(
    "times",
    [
        [f"2019.11.25_15.59.{57 + i}" if i < 3 else f"2019.11.25_16.00.0{i - 3}" for i in range(7)],
        [f"2020-02-28T23:59:{57 + i}Z" if i < 3 else f"2020-02-29T00:00:0{i - 3}Z" for i in range(7)],
        [str(1000.25 + i) for i in range(7)],
    ],
)
def test_times_of_every_form(tmp_path: Path, times: list[str]) -> None:
    text = "\ufeffTimestamp,SNR\r\n" + "".join(f"{t},{LEVEL[s]}\r\n" for t, s in zip(times, ROUND, strict=True))
    path = tmp_path / "run.csv"
    path.write_bytes(text.encode())
    assert fit(path).counts.tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 1]]


def test_folders_and_archives_without_junk(tmp_path: Path) -> None:
    written(tmp_path, trace(ROUND), "a/one.csv")
    written(tmp_path, trace(ROUND), "b/two.csv")
    written(tmp_path, "junk", "__MACOSX/b/._two.csv")
    written(tmp_path, "junk", "b/._two.csv")
    with zipfile.ZipFile(tmp_path / "runs.zip", "w") as archive:
        for path in sorted(tmp_path.rglob("*.csv")):
            archive.write(path, path.relative_to(tmp_path))
    for source in (tmp_path, tmp_path / "runs.zip"):
        found = fit(source)
        assert found.num_runs == 2
        assert found.counts.tolist() == [[2, 2, 0], [2, 0, 2], [0, 2, 2]]


def test_runs_are_not_joined(tmp_path: Path) -> None:
    written(tmp_path, trace(ROUND), "1.csv")
    written(tmp_path, trace(["outage", "outage"]), "2.csv")
    assert fit(tmp_path).counts.sum() == len(ROUND) - 1 + 1


def test_estimate_finds_the_chain_that_made_the_trace(tmp_path: Path) -> None:
    """Twenty runs of 500 slots: intervals of resampled runs are tight and hold the truth."""
    truth = np.array(((0.8, 0.15, 0.05), (0.1, 0.7, 0.2), (0.05, 0.35, 0.6)))
    rng = np.random.default_rng(8)
    states = markov.ChainSampler(truth).stationary_paths(markov.uniform_words(rng, (500, 20)))
    for run in range(20):
        written(tmp_path, trace([drive_test.STATES[k] for k in states[:, run]]), f"{run}.csv")
    found = fit(tmp_path)
    assert np.abs(found.transition - truth).max() < 0.03
    assert ((found.low < truth) & (truth < found.high)).sum() >= 8
    assert (found.high - found.low).max() < 0.06


def test_few_runs_have_jeffreys_intervals(tmp_path: Path) -> None:
    found = fit(written(tmp_path, trace(ROUND)))
    assert found.low[0, 2] == pytest.approx(0.0, abs=1e-2)
    assert found.high[0, 2] > 0.5, "two transitions prove little"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it has no header line"),
        ("time_s,level\n0,1\n", "row 1: no column for snr with values in it; it may be called snr, snr_db"),
        ("SNR\n1\n", "row 1: no column for time"),
        ("time_s,SNR\n0,1\nnoon,2\n", "row 3, column 'time_s': a number is needed, as in the rows before, got 'noon'"),
        ("time_s,SNR\n0,1\n1e200,2\n", "row 3, column 'time_s': 1e200 s is no time"),
        ("time_s,SNR\nnoon,1\n", "row 2, column 'time_s': the time must be a number, ISO 8601, or like"),
        ("time_s,SNR\n0,1\n1,good\n", "row 3, column 'SNR': a level in dB is needed, got 'good'"),
        ("time_s,SNR\n0,1\n1,inf\n", "row 3, column 'SNR': a level must be finite"),
        ("time_s,SNR\n0,1\n1\n", "row 3: 1 fields where the header has 2"),
        ("time_s,SNR\n0,1\n1,2\n", "no transition from the state los in 1 run"),
    ],
)
def test_errors_name_file_row_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(TraceError, match=message) as caught:
        fit(path)
    assert str(path) in str(caught.value)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TraceError, match=r"nowhere: there is no such file or folder"):
        fit(tmp_path / "nowhere")
    with pytest.raises(TraceError, match=r"holds no \.csv file"):
        fit(tmp_path)
    (tmp_path / "bad.zip").write_bytes(b"PK no archive")
    with pytest.raises(TraceError, match=r"bad\.zip: it is not a sound \.zip archive"):
        fit(tmp_path / "bad.zip")
    (tmp_path / "binary.csv").write_bytes(b"time_s,SNR\n\xff\xfe")
    with pytest.raises(TraceError, match=r"binary\.csv: row 2: 1 fields where the header has 2"):
        fit(tmp_path / "binary.csv")
    monkeypatch.setattr(drive_test, "LARGEST_FILE_BYTES", 10)
    with pytest.raises(TraceError, match=r"binary\.csv: it has more than 0 MiB"):
        fit(tmp_path)
    run = written(tmp_path, trace(ROUND))
    for keywords, message in (
        ({"level": "cqi"}, "there is no column 'cqi'"),
        ({"slot_s": 0.0}, "slot_s must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(run, **keywords)
    with pytest.raises(ValueError, match="thresholds_db must be a pair"):
        fit(run, thresholds_db=(3.0, 1.0))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([b"", b"time_s,SNR\n", b"time_s,SNR\n0,1\n"]))
def test_any_bytes_are_read_or_refused_with_the_name(
    tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "run.csv"
    path.write_bytes(head + tail)
    with pytest.raises(TraceError, match=r"run\.csv"):  # no fit: too few rows for all three states
        fit(path)


def test_saved_fits_come_back(tmp_path: Path) -> None:
    found = fit(written(tmp_path, trace(ROUND)), slot_s=1.0)
    path = tmp_path / "fit.json"
    found.save(path)
    matrix, slot_s = read_fit(path)
    assert (np.array(matrix) == found.transition).all()
    assert slot_s == 1.0
    assert (np.array(resolve_transition(str(path))[0]) == found.transition).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"fit\.json: it is not JSON"),
        ("[]", "a fit has the entries"),
        ('{"transition": [[1]], "slot_s": "1"}', "slot_s must be a number above 0"),
        ('{"transition": [[1]], "slot_s": 1e300}', "slot_s must be a number above 0, 1e-06 to 86400"),
        ('{"transition": [[1]], "slot_s": 1, "format": 2}', "its format must be 1, got '2'"),
        ('{"transition": [[1]], "slot_s": 1, "states": ["outage", "los"]}', "its states must be los, nlos, outage"),
        ('{"transition": "x", "slot_s": 1}', r"fit\.json: transition must be a square matrix"),
        ('{"transition": [[1, 0], [0, 1]], "slot_s": 1}', r"fit\.json: transition must be ergodic"),
    ],
)
def test_fits_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text, "fit.json")
    with pytest.raises(ValueError, match=message):
        resolve_transition(path)


def mmwave_gym(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["mmwave-gym", *map(str, words)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    if caught.value.code:
        raise SystemExit(caught.value.code)


def test_the_command_line_s_fit_makes_an_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, out = written(tmp_path, trace(ROUND * 2, cells=["7"] * 7 + ["8"] * 7)), tmp_path / "fit.json"
    mmwave_gym(monkeypatch, "transition", run, "--out", out, "--thresholds", "-5", "10", "--slot", "1")
    assert "snr thresholds (-5.0, 10.0) dB" in capsys.readouterr().out
    env = gym.make("MmwaveCellSelection-v0", transition=str(out))
    constants = env.unwrapped.scenario.constants()  # type: ignore[attr-defined]
    assert constants["step_s"] == 1.0
    assert constants["transition"] == pytest.approx(fit(run).transition)
    mmwave_gym(monkeypatch, "transition", run, "--out", out, "--any-cell")
    assert read_fit(out)[0] == pytest.approx(fit(run, same_cell=False).transition)
    assert read_fit(out)[0] != pytest.approx(fit(run).transition)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv", "--out", "fit.json"], "nowhere.csv: there is no such file or folder."),
        (["run.csv", "--out", "fit.txt"], "--out must end in .json, got 'fit.txt'."),
        (["run.csv", "--out", "fit.json", "--level", "sinr"], "run.csv: row 1: there is no column 'sinr'"),
        (["run.csv", "--out", "fit.json", "--thresholds", "5", "-5"], "thresholds_db"),
        (["run.csv", "--out", "fit.json", "--slot", "0"], "slot_s must be above 0"),
    ],
)
def test_the_command_line_s_errors_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, trace(ROUND))
    with pytest.raises(SystemExit) as caught:
        mmwave_gym(monkeypatch, "transition", *words)
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "fit.json").exists()


@pytest.fixture(scope="module")
def irish_runs() -> Path:
    data = os.environ.get("MMWAVE_DATA")
    source = Path(data or "", drive_test.IRISH_RUNS)
    if not data or not source.exists():
        pytest.skip("the Irish runs are not here: set MMWAVE_DATA to the folder with irish_5g (docs/channel_files.md)")
    return source


def test_the_irish_runs(irish_runs: Path) -> None:
    notes = Notes()
    found: Fit = drive_test.fit_of(drive_test.recordings_of(irish_runs, Options(level="snr"), notes), irish_runs)
    assert found.num_runs == 83
    assert [line[:50] for line in notes.lines()] == ["left out: 1 recording that cannot be read (first: "[:50]]
    assert "B_2019.12.16_11.49.59.csv: row 1: no column for snr with values in it" in notes.first_wrong
    assert found.counts.tolist() == [[19167, 4132, 153], [4139, 103379, 2609], [160, 2605, 9056]]
    assert (np.diag(found.transition) > 0.7).all(), "a second is short for a car: most seconds are like the one before"


def test_no_data_is_in_the_package() -> None:
    """The runs are under GPL-3.0: neither they nor their fit is shipped."""
    assert not list(Path(drive_test.__file__).parent.glob("*.json"))


def test_the_word_means_the_fit_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MMWAVE_DATA", raising=False)
    assert not drive_test.irish_runs_are_here()
    with pytest.raises(TraceError, match=r"transition='drive_test': .*set the environment variable MMWAVE_DATA"):
        resolve_transition("drive_test")
    monkeypatch.setenv("MMWAVE_DATA", str(tmp_path))
    with pytest.raises(TraceError, match=r"5G-production-dataset\.zip is not there.*mmwave-gym transition RECORDING"):
        resolve_transition("drive_test")
    (tmp_path / "irish_5g").mkdir()
    with zipfile.ZipFile(tmp_path / drive_test.IRISH_RUNS, "w") as archive:
        archive.writestr("a.csv", trace(ROUND))
        archive.writestr("b.csv", trace(ROUND))
        archive.writestr("none.csv", trace(["-", "-"]))
    assert drive_test.irish_runs_are_here()
    monkeypatch.setenv("MMWAVE_DATA", f"{tmp_path}/")
    made, slot_s = resolve_transition("drive_test")
    assert slot_s == 1.0
    other = tmp_path / "other"
    (other / "irish_5g").mkdir(parents=True)
    fit(tmp_path / drive_test.IRISH_RUNS).save(other / drive_test.IRISH_FIT)
    monkeypatch.setenv("MMWAVE_DATA", str(other))
    assert resolve_transition("drive_test") == (made, slot_s), "the fit that one command made is as good as the archive"


def test_recordings_that_cannot_be_read_are_left_out_unless_they_are_most(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", trace(ROUND))
        archive.writestr("b.csv", "time_s,SNR\n0,99\n")
    notes = Notes()
    assert len(drive_test.recordings_of(tmp_path / "a.zip", Options(level="snr"), notes)) == 1
    assert notes.number("recording") == 1
    assert "b.csv: row 2, column 'SNR': 99 is no SNR" in notes.first_wrong
    with zipfile.ZipFile(tmp_path / "a.zip", "a") as archive:
        archive.writestr("c.csv", "")
    with pytest.raises(TraceError, match=r"a\.zip/b\.csv: row 2, .*So it is with 2 of 3 recordings"):
        fit(tmp_path / "a.zip")
