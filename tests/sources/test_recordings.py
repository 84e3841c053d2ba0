"""Recordings as loggers write them: what is understood, what is refused, and what comes out."""

from __future__ import annotations

import gzip
import math
import os
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym import cli
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.files import read_channel, write_channel
from mmwave_gym.scenarios.cell_selection.drive_test import fit
from mmwave_gym.sources import convert
from mmwave_gym.sources.recordings import PRESETS, Options, RecordingError, read, to_csv, to_links

LEVELS = (-80, -85, -100, -120, -115, -100, -80, -75, -112, -95)
# One line of each logger's header and rows, in its own form; levels are LEVELS, a row a second.
LOGGERS = {
    "irish": ("Timestamp,RSRP,SNR,RAWCELLID\n", lambda i: f"2019.11.25_15.34.{i:02d},{LEVELS[i]},-,{i // 5}\n"),
    "g-nettrack": (
        "Timestamp\tCellID\tLevel\tSNR\tBAND\n",
        lambda i: f"2025.07.18_22.11.{i:02d}\t{i // 5}\t{LEVELS[i]}\t-\tL7\t\n",
    ),
    "mtu": (
        "Time,rsrp(dBm),rsrq(dB),nr_rsrp(dBm)\n",
        lambda i: f"Thu Aug 11 13:41:{i:02d} UTC 2022,{LEVELS[i]},-12,0\n",
    ),
    "cicv5g": (
        "pub_time(ms) sub_time(ms) velocity(m/s) cellid(db) sinr(db) rsrp(db)\n",
        lambda i: f"{1721808579000 + 1000 * i} {1721808579038 + 1000 * i} 3.1  5C42{i // 5} 10 {LEVELS[i]} \n",
    ),
    "cni-cell-tracker": (
        "Count;Date;Timestamp;PCI;RSRP;SS_RSRP\n",
        lambda i: f"0;10-12-2020_11:33:{i:02d}:187;{1607599988187 + 1000 * i};{i // 5};{LEVELS[i]};-1\n",
    ),
}


def written(folder: Path, text: str, name: str = "run.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(path: Path, **options) -> str:
    return read(path, Options(**options)).describe()


def mmwave_gym(*words: object) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([*map(str, words)])
    assert not caught.value.code


# ---------------------------------------------------------------------- loggers


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_reads_its_logger(tmp_path: Path, preset: str) -> None:
    header, row = LOGGERS[preset]
    found = read(written(tmp_path, header + "".join(map(row, range(10)))), Options().over(preset))
    assert found.level.tolist() == list(LEVELS)
    assert (found.time_s - found.time_s[0]).tolist() == pytest.approx(list(range(10)))
    assert len(set(found.cell.tolist())) == (1 if preset == "mtu" else 2)
    assert found.step_s == 1.0


def test_all_presets_are_tested() -> None:
    assert set(PRESETS) == set(LOGGERS)


@pytest.mark.parametrize("preset", sorted(LOGGERS))
def test_most_is_found_without_a_preset(tmp_path: Path, preset: str) -> None:
    header, row = LOGGERS[preset]
    assert read(written(tmp_path, header + "".join(map(row, range(10))))).level.tolist() == list(LEVELS)


# ---------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("times", "seconds", "words"),
    [
        (["0", "1000", "2000"], [0, 1, 2], "ms, because they rise by 1000"),
        (["1721808579908", "1721808580908", "1721808581908"], [0, 1, 2], "ms, by the size of the numbers, since 1970"),
        (["2019/11/25 15:34:00", "2019/11/25 15:34:01", "2019/11/25 15:34:02"], [0, 1, 2], "no zone given"),
        (["25/11/2019 15:34:00", "25/11/2019 15:34:01", "25/11/2019 15:34:02"], [0, 1, 2], "no zone given"),
        (["Thu Aug 11 13:41:30 UTC 2022", "Thu Aug 11 13:41:33 UTC 2022"], [0, 3], "zone +0000"),
        (["Sun Oct 30 02:59:59 CEST 2022", "Sun Oct 30 02:00:00 CET 2022"], [0, 1], "zone +0100, +0200"),
        (["2022-10-30T02:59:59+02:00", "2022-10-30T02:00:00+01:00"], [0, 1], "zone +0100, +0200"),
        (["10-12-2020_11:33:08:187", "10-12-2020_11:33:08:226"], [0, 0.039], "no zone given"),
        (["23:59:59.5", "00:00:00.5"], [0, 1], "clock times without a date"),
    ],
)
def test_times(tmp_path: Path, times: list[str], seconds: list[float], words: str) -> None:
    found = read(written(tmp_path, "time,rsrp\n" + "".join(f"{t},-80\n" for t in times)))
    assert (found.time_s - found.time_s[0]).tolist() == pytest.approx(seconds, abs=1e-6)
    assert words in found.describe()


def test_an_explicit_offset_is_kept(tmp_path: Path) -> None:
    found = read(written(tmp_path, "time,rsrp\n1970-01-01T01:00:00+01:00,-80\n1970-01-01 00:00:01Z,-80\n"))
    assert found.time_s.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["0", "50", "100"], r"row 2, column 'time': times rise by 50 .*--unit s, --unit ms"),
        (["03/04/2019 10:00:00", "03/04/2019 10:00:01"], "day or month first"),
        (["2019-11-25 10:00:00", "2019-11-25T10:00:01Z"], "row 3, .*with and without a time zone"),
        (["0", "noon"], "row 3, column 'time': a number is needed"),
        (["5", "4", "3", "2", "1", "0"], r"row 3: time runs backwards by 1 s, and so in 5 of 5 rows.*--time"),
    ],
)
def test_times_that_may_mean_anything_are_refused(tmp_path: Path, times: list[str], words: str) -> None:
    path = written(tmp_path, "time,rsrp\n" + "".join(f"{t},-80\n" for t in times))
    with pytest.raises(RecordingError, match=rf"run\.csv: .*{words}"):
        read(path)


def test_the_unit_can_be_given(tmp_path: Path) -> None:
    text = "time,rsrp\n" + "".join(f"{50 * i},-80\n" for i in range(5))
    assert read(written(tmp_path, text), Options(unit="ms")).step_s == 0.05
    assert read(written(tmp_path, text.replace("time,", "time(ms),"))).step_s == 0.05


def test_appended_runs_are_two_chains(tmp_path: Path) -> None:
    """The second run must not replace the first, and nothing is counted from one to the other."""
    rows = "".join(f"{i},{level}\n" for i, level in enumerate(LEVELS))
    once = fit(written(tmp_path, "time,rsrp\n" + rows), level="rsrp")
    twice = fit(written(tmp_path, "time,rsrp\n" + rows + rows), level="rsrp")
    assert twice.counts.tolist() == (2 * once.counts).tolist()
    assert twice.num_runs == 2
    assert "time runs backwards by 9 s at row 12: a new run begins there" in told(tmp_path / "run.csv")


def test_a_repeated_hour_is_named(tmp_path: Path) -> None:
    text = "time,rsrp\n" + "".join(
        f"2022-10-30 02:{m:02d}:{s:02d},-80\n" for m, s in ((59, 58), (59, 59), (0, 0), (0, 1))
    )
    assert "(an hour repeated at the end of daylight saving?)" in told(written(tmp_path, text))


# ---------------------------------------------------------------------- levels


@pytest.mark.parametrize("value", ["0", "-1", "2147483647", "NA", "-", "", "not available", "-200", "-164"])
def test_no_signal_is_no_level(tmp_path: Path, value: str) -> None:
    """As with these rows emptied: they break the chain."""
    levels = [-80, -85, -100, -120, "?", "?", "?", "?", -120, -100, -80]
    rows = "".join(f"{i},{level}\n" for i, level in enumerate(levels))
    found = fit(written(tmp_path, "time,rsrp\n" + rows.replace("?", value)), level="rsrp")
    assert found.counts.tolist() == [[1, 1, 0], [1, 0, 1], [0, 1, 0]]


def test_zeros_are_told_with_their_row(tmp_path: Path) -> None:
    words = told(written(tmp_path, "time,rsrp\n0,-80\n1,0\n2,0\n"))
    assert "0 in 2 rows of 'rsrp' means no signal, since it is no RSRP; the first is row 3" in words
    assert "no signal in 66.7% of 3 rows" in words


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("time,rsrp\n0,-80\n1,-5\n", {}, r"row 3, column 'rsrp': -5 is no RSRP in dBm.*--no-signal -5"),
        ("time,rsrp\n0,-80\n1,0\n", {"no_signal": ()}, "row 3, column 'rsrp': 0 is no RSRP"),
        ("time,rsrp\n0,-80\n1,84\n", {}, "84 is no RSRP"),
        ("time,snr\n0,0\n1,0\n2,7\n", {}, r"row 2, column 'snr': 0 is in 67% of the rows.*signal none"),
        ("time,snr\n0,5\n1,-999\n", {}, "-999 is no SNR in dB"),
        ("time,rsrp\n0,-80\n1,good\n", {}, "row 3, column 'rsrp': a level in dBm is needed, got 'good'"),
        ("time,rsrp\n0,0\n1,0\n", {}, "the column 'rsrp' has no level in any row"),
        ("time,x\n0,-80\n", {"level": "x"}, r"is 'x' an RSRP or an SNR.*--kind"),
        ("time,rsrp\n0,-80\n", {"level": "RSRQ"}, "there is no column 'RSRQ'; there are time, rsrp"),
        ("time,rsrp\n0,-80,3\n", {}, r"row 2: 3 fields where the header has 2.*--sep"),
        ("", {}, "no header line"),
        ("time,rsrp\n", {}, "no row below its header"),
    ],
)  # fmt: skip
def test_what_no_logger_can_have_seen_is_refused(tmp_path: Path, text: str, options: dict, words: str) -> None:
    with pytest.raises(RecordingError, match=rf"run\.csv: .*{words}"):
        read(written(tmp_path, text), Options(**options))


def test_one_value_in_many_rows_is_told(tmp_path: Path) -> None:
    assert "-90 is in 60% of the rows of 'rsrp'" in told(
        written(tmp_path, "time,rsrp\n" + "".join(f"{i},{-90 if i < 6 else -80 + i}\n" for i in range(10)))
    )
    snr = written(tmp_path, "time,snr\n0,0\n1,0\n2,7\n")
    assert read(snr, Options(no_signal=())).level.tolist() == [0.0, 0.0, 7.0]
    assert math.isnan(read(snr, Options(no_signal=(0.0,))).level[0])


# ---------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# a remark\ntime;rsrp\n0;-80\n1;-81,5\n", "semicolon between fields"),
        ("time,rsrp\n0,-80\ntime,rsrp\n1,-81.5\n", "1 repeated header lines left out"),
        ("time,rsrp\n0,-80,\n1,-81.5,\n", "2 rows end in an empty field more than the header"),
        ("\ufefftime\trsrp\n0\t-80\n1\t-81.5\n", "tab between fields, text in UTF-8"),
        ("time rsrp\n0   -80\n1 -81.5\n", "space between fields"),
        ("time,ss_rsrp,ss_sinr\n0,-80,3\nNA,-3,3\n1,-81.5,3\n", "1 rows without a time left out, the first is row 3"),
    ],
)
def test_tables(tmp_path: Path, text: str, words: str) -> None:
    found = read(written(tmp_path, text))
    assert found.level.tolist() == [-80.0, -81.5]
    assert words in found.describe()


def test_two_spaces_may_be_an_empty_field(tmp_path: Path) -> None:
    found = read(written(tmp_path, "time cell snr rsrp\n0 7 3 -80 \n1  0 0 \n2   8   3  -81\n"))
    assert found.cell.tolist() == ["7", "", "8"]
    assert np.isnan(found.level).tolist() == [False, True, False]


def test_cut_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = [f"{i},-80\n" for i in range(40)]
    last = read(written(tmp_path, "time,rsrp\n" + "".join(rows[:3]) + "3"))
    assert len(last.level) == 3
    assert "1 rows of another length left out: row 5: 1 fields where the header has 2" in last.describe()
    rows[7] = "7\n"
    assert "left out: row 9: 1 fields" in told(written(tmp_path, "time,rsrp\n" + "".join(rows)))
    rows[8:12] = ["8\n", "9\n", "10\n", "11\n"]
    with pytest.raises(RecordingError, match=r"row 9: 1 fields where the header has 2.*--sep"):
        read(written(tmp_path, "time,rsrp\n" + "".join(rows)))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "run.csv"
    path.write_bytes("time,rsrp,größe\n0,-80,1\n1,-81,2\n".encode(encoding))
    assert encoding.upper() in told(path)


# ---------------------------------------------------------------------- what comes out


def test_a_long_table_becomes_a_wide_one(tmp_path: Path) -> None:
    rows = [(0, "a", -80), (0, "b", -90), (1, "a", -81), (2, "a", -82), (2, "b", 0), (3, "b", -93)]
    text = "time,cell,rsrp\n" + "".join(f"{t},{cell},{level}\n" for t, cell, level in rows)
    matrix = to_links(read(written(tmp_path, text)))
    assert matrix.cells == ("a", "b")
    assert matrix.time_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    wide = matrix.rsrp_dbm
    assert wide[:3, 0].tolist() == [-80.0, -81.0, -82.0]
    assert wide[0, 1] == -90.0
    assert wide[3, 1] == -93.0
    assert matrix.noise_dbm == pytest.approx(-174.0 + 10 * math.log10(15e3) + 9.0, abs=0.1)


def test_jittered_times_are_resampled_on_request(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    times = np.arange(40) * 0.1 + rng.uniform(-0.02, 0.02, 40)
    rows = "".join(f"{t:.4f},{'ab'[i // 20]},{-80 - i / 10}\n" for i, t in enumerate(times))
    found = read(written(tmp_path, "time_s,cell,rsrp\n" + rows))
    with pytest.raises(RecordingError, match=r"not equally spaced.*--resample 0\.0987"):
        to_links(found)
    matrix = to_links(found, resample_s=0.1)
    assert np.diff(matrix.time_s) == pytest.approx(0.1)
    assert np.nanmax(matrix.rsrp_dbm[:, 0]) == -80.0


def test_a_clean_recording_reads_as_the_one_it_was_made_of(tmp_path: Path) -> None:
    header, row = LOGGERS["cni-cell-tracker"]
    first = read(written(tmp_path, header + "".join(map(row, range(10)))))
    again = read(written(tmp_path, to_csv(first), "clean.csv"))
    assert again.level.tolist() == first.level.tolist()
    assert again.cell.tolist() == first.cell.tolist()
    assert again.time_s.tolist() == pytest.approx((first.time_s - first.time_s[0]).tolist())


@pytest.mark.parametrize("preset", ["cni-cell-tracker", "g-nettrack", "cicv5g"])
def test_one_line_makes_a_world(tmp_path: Path, preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    header, row = LOGGERS[preset]
    path, out = written(tmp_path, header + "".join(map(row, range(10))), "log.txt"), tmp_path / "world.npz"
    mmwave_gym("import", path, "--preset", preset, "--out", out)
    words = capsys.readouterr().out
    assert "time from" in words
    assert "no signal in 0.0% of 10 rows" in words
    assert read_channel(out).rsrp_dbm.shape == (10, 2)
    env = gym.make("MmwaveHandover-v0", channel=str(out), horizon=8)
    env.reset(seed=0)
    mmwave_gym("transition", path, "--preset", preset, "--out", tmp_path / "fit.json", "--any-cell")
    gym.make("MmwaveCellSelection-v0", transition=str(tmp_path / "fit.json")).reset(seed=0)


def test_import_feeds_channel_and_transition(tmp_path: Path) -> None:
    header, row = LOGGERS["irish"]
    path, clean = written(tmp_path, header + "".join(map(row, range(10)))), tmp_path / "clean.csv"
    mmwave_gym("import", path, "--out", clean)
    mmwave_gym("channel", clean, "--out", tmp_path / "c.npz", "--noise", "-100")
    assert read_channel(tmp_path / "c.npz").noise_dbm == -100.0
    mmwave_gym("transition", clean, "--level", "rsrp", "--out", tmp_path / "t.json")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x.txt"], "--out must end in .csv or .npz"),
        (["--out", "x.csv", "--preset", "nemo"], "nemo"),
        (["--out", "x.csv", "--unit", "h"], "unit"),
        (["--out", "x.csv", "--no-signal", "zero"], "--no-signal must be numbers"),
        (["--out", "x.csv", "--resample", "0"], "above 0 s"),
        (["--out", "x.npz"], "names 0 cells; a channel needs two"),
    ],
)
def test_errors_of_the_command_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "time,rsrp\n0,-80\n1,-81\n")
    with pytest.raises(SystemExit) as caught:
        cli.main(["import", "run.csv", *words])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("x.*"))


# ---------------------------------------------------------------------- channel files


def test_zeros_in_a_channel_file_are_named_or_not_heard(tmp_path: Path) -> None:
    text = "# noise_dbm: -84.0\ntime_s,a_dbm,b_dbm\n0,-90,-95\n1,0,-95\n2,0,-94\n3,-91,-95\n"
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match=r"row 2, cell 'a': 0 is no received power in dBm.* 2 values .*--no-signal 0"):
        read_channel(path)
    mmwave_gym("channel", path, "--no-signal", "0", "--out", tmp_path / "z.npz")
    assert np.isnan(read_channel(tmp_path / "z.npz").rsrp_dbm[1:3, 0]).all()


def test_a_jittered_channel_file_is_resampled(tmp_path: Path) -> None:
    times = [0.0, 0.101, 0.199, 0.302]
    rows = "".join(f"{t},{-80 - i},-95\n" for i, t in enumerate(times))
    path = written(tmp_path, "# noise_dbm: -84.0\ntime_s,a_dbm,b_dbm\n" + rows)
    with pytest.raises(ValueError, match=r"equal steps.*--resample 0\.1"):
        read_channel(path)
    matrix = read_channel(path, resample_s=0.1)
    assert matrix.time_s == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert matrix.rsrp_dbm[:, 0].tolist() == [-80.0, -81.0, -82.0, -83.0]


# ---------------------------------------------------------------------- what acceptance found


@pytest.mark.parametrize(
    ("times", "step_s", "words"),
    [
        ([0, 1_000_000, 2_000_000], 1.0, "us, because they rise by 1e+06"),
        ([0, 10**9, 2 * 10**9], 1.0, "ns, because they rise by 1e+09"),
        (["12:59:59 PM", "1:00:00 PM"], 1.0, "clock times"),
        (["10/30/2022 11:59:59 AM", "10/30/2022 12:00:00 PM"], 1.0, "dates"),
        (["10/30/2022 11:59:59 p.m.", "10/31/2022 12:00:00 a.m."], 1.0, "dates"),
        (["20221030235959", "20221031000000"], 1.0, "dates, no zone given"),
        (["20221030235959.5", "20221031000000.0"], 0.5, "dates, no zone given"),
        (["31-Oct-2022 23:59:59", "01-Nov-2022 00:00:00"], 1.0, "dates"),
        (["Oct 31, 2022 23:59:59", "Nov 1, 2022 00:00:00"], 1.0, "dates"),
        (["Sun Nov 06 01:59:59 EDT 2022", "Sun Nov 06 01:00:00 EST 2022"], 1.0, "zone -0400, -0500"),
    ],
)
def test_more_times(tmp_path: Path, times: list[object], step_s: float, words: str) -> None:
    found = read(written(tmp_path, "time;rsrp\n" + "".join(f"{t};-80\n" for t in times)))
    assert found.step_s == step_s
    assert words in found.describe()


def test_days_of_a_spreadsheet_need_their_unit(tmp_path: Path) -> None:
    text = "time,rsrp\n" + "".join(f"{44784.5 + i / 86400:.7f},-80\n" for i in range(5))
    with pytest.raises(RecordingError, match=r"row 2, .*rise by 1.16e-05.*--unit d"):
        read(written(tmp_path, text))
    assert read(written(tmp_path, text), Options(unit="d")).step_s == pytest.approx(1.0, abs=0.01)


def test_numbers_far_in_the_future_are_no_dates(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"row 3, .*after 2100: give its unit"):
        read(written(tmp_path, "time,rsrp\n20223014000000,-80\n20223014000001,-80\n"))


def test_clock_times_have_the_dates_of_a_column_of_dates(tmp_path: Path) -> None:
    """The same clock time of two days is not one run."""
    rows = "2022-08-11,10:00:00,-80\n2022-08-12,10:00:01,-80\n2022-08-12,10:00:02,-80\n"
    found = read(written(tmp_path, f"Date,Time,RSRP\n{rows}"))
    assert np.diff(found.time_s).tolist() == [86401.0, 1.0]
    assert "the dates of the clock times are in 'Date'" in found.describe()


@pytest.mark.parametrize("level", ["-80 dBm", "-80dBm", "\u221280", "-80,0", "-80.0 "])
def test_levels_as_people_write_them(tmp_path: Path, level: str) -> None:
    found = read(written(tmp_path, f"time;rsrp\n0,5;{level}\n1,5;-90\n"))
    assert found.level.tolist() == [-80.0, -90.0]
    assert found.step_s == 1.0


def test_a_spreadsheet_names_its_separator(tmp_path: Path) -> None:
    found = read(written(tmp_path, "sep=;\ntime;rsrp\n0;-80\n1;-90\n"))
    assert found.level.tolist() == [-80.0, -90.0]
    with pytest.raises(RecordingError, match="row 4"):
        read(written(tmp_path, "sep=;\ntime;rsrp\n0;-80\n1;x\n"))


def test_few_zeros_of_an_snr_are_told(tmp_path: Path) -> None:
    text = "time,snr\n" + "".join(f"{i},{0 if i == 3 else 5 + i % 7}\n" for i in range(20))
    assert "0 is in 1 rows of 'snr', the first is row 5: it is taken for a level" in told(written(tmp_path, text))
    assert "is taken for a level" not in told(written(tmp_path, text), no_signal=())


@pytest.mark.parametrize("value", ["99", "255", "-200"])
def test_an_snr_that_no_modem_reports_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(RecordingError, match=rf"row 3, column 'snr': {value} is no SNR.*--no-signal"):
        read(written(tmp_path, f"time,snr\n0,5\n1,{value}\n2,7\n"))


def test_a_phone_that_flies_is_told(tmp_path: Path) -> None:
    head = "time,rsrp,lat,lon\n"
    rows = [f"{i},-80,50.93,{6.9 + 1e-4 * i + (i > 4)}\n" for i in range(9)]
    assert "1 moves faster than 100 m/s, the first by 70" in told(written(tmp_path, head + "".join(rows)))
    rows = [f"{i},-80,{50.93 if i % 3 else ''},{6.9 + 1e-4 * i}\n" for i in range(9)]
    assert "faster" not in told(written(tmp_path, head + "".join(rows)))


def test_cells_that_look_like_formulas_are_quoted_and_come_back(tmp_path: Path) -> None:
    rows = "".join(f"{i},-80,{cell}\n" for i, cell in enumerate(["=1+1", "\t=2", "-7", "7"]))
    found = read(written(tmp_path, f"time,rsrp,cell\n{rows}"))
    clean = to_csv(found)
    assert ",'=1+1," in clean
    assert read(written(tmp_path, clean, "clean.csv")).cell.tolist() == found.cell.tolist()


def channel(folder: Path, rows: list[str], name: str = "c.csv") -> Path:
    return written(folder, "# noise_dbm: -84.0\ntime_s,a_dbm,b_dbm\n" + "\n".join(rows) + "\n", name)


def test_a_level_in_many_values_of_a_channel_is_told(tmp_path: Path) -> None:
    path = channel(tmp_path, [f"{i},{-90 - i % 9 if i % 2 else -140},{-95 - i % 7}" for i in range(40)])
    assert "-140 dBm is 2" not in convert(path, tmp_path / "c.npz")
    path = channel(
        tmp_path, [f"{i},{-90 - i % 9 if i % 2 else -140},{-95 - i % 7 if i % 3 else -140}" for i in range(40)]
    )
    for source in (path, tmp_path / "c.npz"):
        told = convert(source, tmp_path / "c.npz")
        assert "note: -140 dBm is 42% of what is heard; if it means not heard, say so (--no-signal -140)" in told
    assert "note:" not in convert(path, tmp_path / "c.npz", options=Options(no_signal=(-140.0,)))


def test_a_channel_in_milliseconds_is_told(tmp_path: Path) -> None:
    path = channel(tmp_path, [f"{1000 * i},{-90 - i},{-95 - i}" for i in range(5)])
    assert "its times are 1000 s apart" in convert(path, tmp_path / "c.npz")


@pytest.mark.parametrize("value", ["0", "-1", "99"])
def test_a_channel_that_never_hears_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ChannelError, match=r"c\.csv: .*(no received power in dBm|linear watts)"):
        read_channel(channel(tmp_path, [f"{i},{value},{value}" for i in range(5)]))


def test_commas_at_the_ends_and_formulas_in_a_channel(tmp_path: Path) -> None:
    path = channel(tmp_path, [f"{i},-90,-95,," for i in range(5)])
    path.write_text(path.read_text().replace("a_dbm,b_dbm", "=a_dbm,b_dbm,"))
    matrix = read_channel(path)
    assert matrix.cells == ("=a", "b")
    write_channel(tmp_path / "again.csv", matrix)
    assert "time_s,'=a_dbm,b_dbm\n" in (tmp_path / "again.csv").read_text()
    assert read_channel(tmp_path / "again.csv").cells == ("=a", "b")


def test_a_long_gap_is_not_filled_with_rows(tmp_path: Path) -> None:
    found = read(written(tmp_path, "time,rsrp\n0,-80\n1,-81\n2,-82\n1000000,-83\n1000001,-84\n"))
    assert len(to_csv(found, 1.0).splitlines()) < 10


# ---------------------------------------------------------------------- as hostile testers wrote them


SECONDS = "".join(f"{1_700_000_000 + i},-80\n" for i in range(9))
MILLISECONDS = "".join(f"{1_700_000_000_000 + 1000 * i},-80\n" for i in range(9))


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("time,rsrp\n0,-80\n1,-24\n", {}, r"row 3, column 'rsrp': -24 is no RSRP.*--no-signal -24"),
        ("time,rsrp\n0,-80\n1,inf\n", {}, "row 3, column 'rsrp': a level must be finite, got 'inf'"),
        ("time,rsrp\n0,-80\n1,-8_5\n", {}, "row 3, column 'rsrp': a level in dBm is needed, got '-8_5'"),
        ("time,rsrp\n0,-80\n100000,-85\n", {}, "row 2, column 'time': times rise by 100000 .*--unit us"),
        (f"time,rsrp\n{SECONDS}{MILLISECONDS}", {}, "row 11: time jumps by 1.*: are times in two units"),
        (f"time,rsrp\n{MILLISECONDS}{SECONDS}", {}, "row 11: time jumps by -1.*: are times in two units"),
        ("time,rsrp\n0001-01-01 00:00:00+14:00,-80\n", {}, "row 2, column 'time': a date between 1970 and 2100"),
        ("time,rsrp\n9999-12-31 23:59:59-14:00,-80\n", {}, "row 2, column 'time': a date between 1970 and 2100"),
        ("time,rsrp\n0,-80\n", {"separator": "tab"}, r"row 1: there is no tab in its header, but a comma.*--sep ','"),
        ('"time" "rsrp"\n"1" 0 -80\n"2" 1 -81\n', {}, "row 2: 3 fields where the header has 2"),
        ("time,\x1b[31mcell\n0,1\n", {}, r"there are time, \x1b\[31mcell"),
    ],
)
def test_more_that_is_refused(tmp_path: Path, text: str, options: dict, words: str) -> None:
    with pytest.raises(RecordingError, match=rf"run\.csv: .*{words}"):
        read(written(tmp_path, text), Options(**options))


def test_a_terminal_is_told_no_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "time,rsrp,\x1b[31mcell\u202e\n0,-80,1\n")
    with pytest.raises(SystemExit):
        cli.main(["import", str(path), "--out", str(tmp_path / "o.csv"), "--cell", "x"])
    assert r"there are time, rsrp, \x1b[31mcell\u202e" in capsys.readouterr().err
    assert r"(\x1b[31m 1, 4G 1)" in told(written(tmp_path, "time,rsrp,rat\n0,-80,\x1b[31m\n1,-81,4G\n"))


def test_an_infinite_level_may_mean_no_signal(tmp_path: Path) -> None:
    path = written(tmp_path, "time,rsrp\n0,-80\n1,-inf\n")
    assert np.isnan(read(path, Options(no_signal=(-math.inf,))).level).tolist() == [False, True]


def test_spreadsheets_and_packed_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_bytes(b"PK\x03\x04" + bytes(99))
    with pytest.raises(RecordingError, match=r"run\.csv: it is no text, but a \.zip archive or a spreadsheet"):
        read(path)


def test_remarks_that_end_as_on_old_macs(tmp_path: Path) -> None:
    found = read(written(tmp_path, "# made up\r# in May\rtime,rsrp\r0,-80\r1,-81\r"))
    assert found.level.tolist() == [-80.0, -81.0]


def test_a_preset_may_know_that_the_last_columns_have_no_name(tmp_path: Path) -> None:
    """Twenty public files of CICV5G are so. Where nobody knows it, the row is refused: of R the first has no name."""
    text = "pub_time(ms) rsrp(db)\n" + "".join(f"{1721808579000 + 50 * i} {-80 - i} 1.5 {i}\n" for i in range(9))
    options = Options(cell="").over("cicv5g")
    found = read(written(tmp_path, text), options)
    assert found.level.tolist() == [-80.0 - i for i in range(9)]
    assert "the last 2 fields of each row have no name and were left out" in found.describe()
    with pytest.raises(RecordingError, match="row 2: 4 fields where the header has 2"):
        read(tmp_path / "run.csv", Options(separator="space"))
    with pytest.raises(RecordingError, match=r"row \d+: .* fields where the header has 2"):
        read(written(tmp_path, text + "1721808580000 -80 1\n" * 9), options)


def test_the_highest_level_of_phones_in_3g_is_none(tmp_path: Path) -> None:
    header, row = LOGGERS["g-nettrack"]
    text = header.replace("BAND", "NetworkTech") + "".join(map(row, range(9))).replace("L7", "4G")
    text = text.replace(f"\t{LEVELS[3]}\t-\t4G", "\t-24\t-\t3G")
    found = read(written(tmp_path, text), Options().over("g-nettrack"))
    assert math.isnan(found.level[3])
    assert "-24 in 1 rows of 'Level' means no signal" in found.describe()
    assert "rows of several technologies in 'NetworkTech' (4G 8, 3G 1)" in found.describe()


def test_cells_at_one_time_are_told(tmp_path: Path) -> None:
    text = "time,rsrp,cell\n" + "".join(f"{i},-80,A\n{i},-90,B\n" for i in range(9))
    assert "9 of these name another cell: a channel keeps all" in told(written(tmp_path, text))
    assert to_links(read(tmp_path / "run.csv")).rsrp_dbm.tolist() == [[-80.0, -90.0]] * 9


def test_what_cannot_be_written_is_named_as_it_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, "time,rsrp\n0,-80\n1,-81\n"), tmp_path / "o.csv"
    out.mkdir()
    with pytest.raises(SystemExit):
        cli.main(["import", str(path), "--out", str(out)])
    assert f"{out} cannot be used" in capsys.readouterr().err.replace("\n", "")


def test_a_member_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    from mmwave_gym.core.notes import Notes
    from mmwave_gym.scenarios.cell_selection.drive_test import TraceError, recordings_of

    folder = tmp_path / "runs"
    folder.mkdir()
    rows = "".join(f"{i},{level}\n" for i, level in enumerate(LEVELS))
    for name in ("a.csv", "b.csv"):
        written(folder, "time,rsrp\n" + rows, name)
    (folder / "c.csv.gz").write_bytes(gzip.compress(("time,rsrp\n" + rows).encode()))
    os.mkfifo(folder / "pipe.csv")
    notes = Notes()
    assert len(recordings_of(folder, Options(level="rsrp"), notes)) == 3
    assert notes.first_wrong == f"{folder}/pipe.csv: it is no regular file, but a pipe"
    with pytest.raises(TraceError, match=r"pipe\.csv: it is no regular file"):
        recordings_of(folder, Options(level="rsrp"), Notes(strict=True, error=TraceError))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("-80", "-8_0", r"c\.csv: line 3, column 'a_dbm': '-8_0' is not a number"),
        ("noise_dbm: -84", "bandwidth_hz: 100", r"c\.csv: bandwidth_hz must be between 1000 .*: is it in MHz"),
    ],
)
def test_channel_files_in_python_or_megahertz(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = "# noise_dbm: -84\ntime_s,a_dbm,b_dbm\n0,-80,-85\n1,-81,-85\n".replace(old, new)
    with pytest.raises(ChannelError, match=words):
        read_channel(written(tmp_path, text, "c.csv"))


def test_packed_channel_files_and_tiny_steps(tmp_path: Path) -> None:
    text = "# noise_dbm: -84\ntime_s,a_dbm,b_dbm\n0,-80,-85\n1e-9,-81,-85\n"
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_channel(tmp_path / "c.csv.gz").cells == ("a", "b")
    assert "its times are 1e-09 s apart" in convert(tmp_path / "c.csv.gz", tmp_path / "o.npz")
