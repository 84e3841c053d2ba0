"""Files of link matrices, everything that can be wrong with them, and MmwaveHandover-v0 on them."""

from __future__ import annotations

import contextlib
import io
import math
import pickle
import zipfile

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from link_worlds import LINE, NAN, QUANTILES, TIME, line, measured

import mmwave_gym  # noqa: F401  (registers the ids)
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.files import LinkMatrix, read_channel, write_channel
from mmwave_gym.scenarios.handover.world import LOWEST_RSRQ_DB

# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("name", ["m.npz", "m.csv"])
@pytest.mark.parametrize("fields", [LINE, TIME, {**TIME, "position_m": LINE["position_m"]}])
def test_a_file_gives_back_what_was_written(tmp_path, name, fields):
    matrix = LinkMatrix(**fields, carrier_hz=28e9, source="made up, by hand", licence="CC0", notes="none")
    write_channel(tmp_path / name, matrix)
    again = read_channel(tmp_path / name)
    assert again == matrix
    assert hash(again) == hash(matrix)
    assert pickle.loads(pickle.dumps(matrix)) == matrix
    assert list(tmp_path.iterdir()) == [tmp_path / name]  # no drafts are left


def test_npz_holds_percentiles_edges_and_sites_and_csv_says_that_it_cannot(tmp_path):
    matrix = LinkMatrix(
        rsrp_dbm=np.repeat(LINE["rsrp_dbm"][..., None], 5, axis=2),
        noise_dbm=-110,
        cells=("a", "b"),
        position_m=LINE["position_m"],
        edges=np.array([[0, 2], [0, 1]]),
        percentiles=QUANTILES,
        site_m=np.array([[0.0, 5.0], [20.0, 5.0]]),
        correlation_m=7.0,
    )
    write_channel(tmp_path / "m.npz", matrix)
    assert read_channel(tmp_path / "m.npz") == matrix
    with pytest.raises(ChannelError, match="no percentiles"):
        write_channel(tmp_path / "m.csv", matrix)
    with pytest.raises(ChannelError, match="holds no edges"):
        write_channel(tmp_path / "m.csv", line(edges=np.array([[0, 2], [0, 1]])))
    with pytest.raises(ChannelError, match=r"\.npz or \.csv"):
        write_channel(tmp_path / "m.json", matrix)


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "taken.npz").mkdir()
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "no" / "m.npz", tmp_path / "taken.npz", tmp_path / "file" / "m.csv"):
        with pytest.raises(ChannelError, match="cannot be written"):
            write_channel(place, line())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.npz"]


def test_noise_may_be_derived_or_told(tmp_path):
    body = "x_m,y_m,a_dbm,b_dbm\n0,0,-80,\n10,0,,-90\n"
    file = tmp_path / "m.csv"
    file.write_text(f"# a remark\n# bandwidth_hz: 100e6\n# noise_figure_db: 10\n{body}")
    assert read_channel(file).noise_dbm == pytest.approx(-84.0)
    file.write_text(body)
    assert read_channel(file, noise_dbm=-100.0).noise_dbm == -100.0
    with pytest.raises(ChannelError, match="0 are given"):
        read_channel(file)
    file.write_text(f"# noise_dbm: -90\n{body}")
    with pytest.raises(ChannelError, match="2 are given"):
        read_channel(file, noise_dbm=-100.0)


def test_arrays_are_frozen_copies():
    mine = LINE["rsrp_dbm"].copy()
    matrix = line(rsrp_dbm=mine)
    mine[:] = -1
    assert matrix.rsrp_dbm[0, 0] == -80
    with pytest.raises(ValueError, match="read-only"):
        matrix.rsrp_dbm[0, 0] = 0


# ---------------------------------------------------------------------- everything wrong

PERCENTILE = {"rsrp_dbm": np.repeat(LINE["rsrp_dbm"][..., None], 5, axis=2), "percentiles": QUANTILES}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rsrp_dbm": [[-80.0, -90.0], [-80.0]]}, "rectangular"),
        ({"rsrp_dbm": np.array([["x", "y"]] * 3)}, "must be numbers"),
        ({"rsrp_dbm": np.zeros(3)}, r"shape \(rows, cells\)"),
        ({"rsrp_dbm": np.full((1, 2), -80.0)}, "at least 2 rows"),
        ({"rsrp_dbm": np.full((3, 1), -80.0), "cells": ("a",)}, "2 to 4096 cells"),
        ({"rsrp_dbm": np.full((3, 2), NAN)}, "all of rsrp_dbm is NaN"),
        ({"rsrp_dbm": np.full((3, 2), 1e-9)}, "linear watts"),
        ({"rsrp_dbm": np.array([[-80.0, 1.0], [120.0, 1], [1, 1]])}, "row 2, cell 'a': 120 is no.*minus sign"),
        ({"rsrp_dbm": np.array([[-80.0, -200.0], [-80, 1], [1, 1]])}, "row 1, cell 'b': -200 is no.*not heard"),
        ({"rsrp_dbm": np.array([[-80.0, -np.inf], [-80, 1], [1, 1]])}, "not heard"),
        ({"cells": ("a", "a")}, "'a' occurs twice"),
        ({"cells": ("a",)}, "got 1 names"),
        ({"cells": ("a", " ")}, "printable name"),
        ({"cells": ("a", "b\nc")}, "printable name"),
        ({"cells": "ab"}, "sequence of names"),
        ({"noise_dbm": NAN}, "noise_dbm must be a number"),
        ({"noise_dbm": "loud"}, "noise_dbm must be a number"),
        ({"noise_dbm": 1e-13}, "noise_dbm must be between -180 and -40"),
        ({"noise_dbm": -250.0}, "noise_dbm must be between -180 and -40"),
        ({"correlation_m": 0.0}, "correlation_m must be between"),
        ({"carrier_hz": 28.0}, "carrier_hz must be between"),
        ({"source": 3}, "source must be text"),
        ({"position_m": None}, "needs time_s .* or position_m"),
        ({"position_m": np.zeros((2, 2))}, r"position_m must have shape \(3, 2\)"),
        ({"position_m": np.array([[0, 0], [1, NAN], [2, 0]])}, "position_m must be finite; row 2"),
        ({"position_m": np.array([[41.88, -87.67], [41.8805, -87.67], [41.88, -87.66]])}, "degrees"),
        ({"position_m": np.array([[0.0, 0], [1e9, 0], [2e9, 0]])}, "must be in metres"),
        ({"position_m": np.array([[0.0, 0], [10, 0], [0, 0]])}, "rows 1 and 3 have the same position"),
        ({"position_m": np.array([[0.0, 0], [10, 0], [900, 0]]), "edges": np.array([[0, 1]])}, "2 parts.*row 3"),
        ({"edges": np.array([[0, 3]])}, "indices from 0 to 2, got 0 to 3"),
        ({"edges": np.array([[0, -1]])}, "indices from 0 to 2"),
        ({"edges": np.array([[0.0, 1.0]])}, "edges must be integers"),
        ({"edges": np.array([0, 1])}, "edges must be integers"),
        ({"edges": np.zeros((0, 2), int)}, "3 parts"),
        ({"edges": np.array([[0, 1], [1, 1]])}, "place 1 is joined to itself"),
        ({"site_m": np.zeros((3, 2))}, r"site_m must have shape \(2, 2\)"),
        ({"percentiles": QUANTILES}, "with percentiles"),
        ({"rsrp_dbm": PERCENTILE["rsrp_dbm"]}, "without percentiles"),
        ({**PERCENTILE, "percentiles": np.array([0.0, 50, 100])}, r"percentiles must have shape \(5,\)"),
        ({**PERCENTILE, "percentiles": np.array([0.0, 50, 50, 60, 100])}, "increase strictly"),
        ({**PERCENTILE, "percentiles": QUANTILES + 1}, "within 0 to 100"),
        ({**PERCENTILE, "rsrp_dbm": PERCENTILE["rsrp_dbm"] - np.arange(5)}, "row 1, cell 'a': the percentiles .* fall"),
        ({**PERCENTILE, "time_s": np.arange(3.0), "position_m": None}, "percentiles belong to places"),
        ({"time_s": np.arange(2.0)}, r"time_s must have shape \(3,\)"),
        ({"time_s": np.array([0.0, NAN, 2.0])}, "time_s must be finite; row 2"),
        ({"time_s": np.array([0.0, 1.0, 1.0])}, "row 2 has 1 s and row 3 1 s"),
        ({"time_s": np.array([0.0, 1.0, 3.0])}, "equal steps"),
        ({"time_s": np.arange(3.0), "edges": np.array([[0, 1]])}, "edges belong to places"),
    ],
)
def test_a_wrong_matrix_is_refused_with_its_reason(changes, message):
    with pytest.raises(ChannelError, match=message):
        line(**changes)


def test_some_missing_percentiles_are_refused():
    rsrp_dbm = PERCENTILE["rsrp_dbm"].copy()
    rsrp_dbm[1, 0, 2] = NAN
    with pytest.raises(ChannelError, match="row 2, cell 'a': some percentiles are NaN"):
        line(rsrp_dbm=rsrp_dbm, percentiles=QUANTILES)


def test_rounding_errors_in_percentiles_are_not_a_fault():
    rsrp_dbm = PERCENTILE["rsrp_dbm"].copy()
    rsrp_dbm[..., 1] -= 1e-12  # seen in the MSSN files
    assert (np.diff(line(rsrp_dbm=rsrp_dbm, percentiles=QUANTILES).rsrp_dbm[0, 0]) >= 0).all()


GOOD_CSV = "# noise_dbm: -110\ntime_s,a_dbm,b_dbm\n0,-80,\n1,-81,-90\n2,-82,-91\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("-81", "loud", "line 4, column 'a_dbm': 'loud' is not a number"),
        ("-81,-90", "-81", "line 4: 2 fields where the header has 3"),
        ("-81,-90", "-81,-90,7", "line 4: 4 fields where the header has 3"),
        ("time_s", "seconds", "the header needs time_s"),
        ("time_s", "lat", "degrees"),
        ("time_s", "x_m", "the header needs time_s"),
        ("b_dbm", "b", "column 3: 'b' is none of"),
        ("b_dbm", "_dbm", "column 3"),
        ("b_dbm", "a_dbm", "'a_dbm' occurs twice"),
        ("noise_dbm: -110", "noise_dbm: loud", "line 1: noise_dbm must be a number"),
        ("noise_dbm: -110", "noise_db: -110", "Did you mean 'noise_dbm'"),
        ("noise_dbm: -110", "bandwidth_hz: -5", "bandwidth_hz must be between"),
        ("noise_dbm: -110", "noise_dbm: -110\n# noise_dbm: -110", "given twice"),
        ("noise_dbm: -110", "noise_dbm: -110\n# noise_figure_db: 3", "goes with bandwidth_hz"),
        ("noise_dbm: -110", "noise_dbm: -110\n# version: 2", "version 2"),
        ("\n2,", "\n1,", "must increase: row 2 has 1 s and row 3 1 s"),
        ("\n2,-82,-91", "", "time|rows"),
        (GOOD_CSV, "", "no header"),
        (GOOD_CSV, "time_s,a_dbm,b_dbm\n", "at least 2 rows"),
        (GOOD_CSV, "\0\0", "zero byte"),
    ],
)
def test_a_wrong_csv_is_refused_with_line_and_column(tmp_path, old, new, message):
    file = tmp_path / "m.csv"
    assert old in GOOD_CSV
    file.write_text(GOOD_CSV.replace(old, new, 1))
    if message == "time|rows":  # two rows are enough
        assert read_channel(file).duration_s == 1.0
        return
    with pytest.raises(ChannelError, match=message) as caught:
        read_channel(file)
    assert str(caught.value).startswith(str(file))


def npz_with(tmp_path, **changes):
    arrays = {"version": 1, **{k: np.array(v) for k, v in LINE.items()}, **changes}
    np.savez(tmp_path / "m.npz", **{k: v for k, v in arrays.items() if v is not None})
    return tmp_path / "m.npz"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rsrp_dbm": None}, "'rsrp_dbm' is missing"),
        ({"cells": None}, "'cells' is missing"),
        ({"version": None}, "'version' is missing"),
        ({"version": 2}, "version 2"),
        ({"version": "one"}, "version one"),
        ({"noise_dbm": None}, "0 are given"),
        ({"bandwidth_hz": 1e6}, "2 are given"),
        ({"noise_dbm": np.array([-110.0, -110.0])}, "noise_dbm must be one number"),
        ({"rsrp": np.zeros(3)}, "unknown field 'rsrp'. Did you mean 'rsrp_dbm'"),
        ({"cells": np.array([1, 2])}, "cells must be a one-dimensional array of strings"),
        ({"cells": np.array(["a", "b"], dtype=object)}, "pickled"),
        ({"source": np.array(["x"])}, "source must be a string"),
    ],
)
def test_a_wrong_npz_is_refused(tmp_path, changes, message):
    file = npz_with(tmp_path, **changes)
    with pytest.raises(ChannelError, match=message) as caught:
        read_channel(file)
    assert str(caught.value).startswith(str(file))


def test_an_npz_that_promises_more_than_it_holds_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 2)})
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("rsrp_dbm.npy", header.getvalue())
    with pytest.raises(ChannelError, match="header says"):
        read_channel(tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rsrp_dbm.npy", bytes(300 * 2**20))
    with pytest.raises(ChannelError, match="unpacked it has more than"):
        read_channel(tmp_path / "m.npz")


def test_files_that_are_none_are_refused(tmp_path):
    for name, message in (("no.npz", "no such file"), ("no.txt", r"ends in \.npz or \.csv")):
        with pytest.raises(ChannelError, match=message):
            read_channel(tmp_path / name)
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(ChannelError, match="it is no regular file, but a folder"):
        read_channel(tmp_path / "folder.npz")
    (tmp_path / "text.npz").write_text(GOOD_CSV)
    with pytest.raises(ChannelError, match=r"not an \.npz file"):
        read_channel(tmp_path / "text.npz")
    (tmp_path / "latin.csv").write_bytes(b"\xef\xbb\xbf\xff")
    with pytest.raises(ChannelError, match="not UTF-8"):
        read_channel(tmp_path / "latin.csv")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_but_never_fails_otherwise(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    name = data.draw(st.sampled_from(["m.npz", "m.csv"]))
    write_channel(folder / name, line(source="x"))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    (folder / name).write_bytes(bytes(content[: cut if data.draw(st.booleans()) else None]))
    reason = str(folder / name)
    try:
        read_channel(folder / name)
    except ChannelError as error:
        reason = str(error)
    assert reason.startswith(str(folder / name))


@settings(max_examples=100, deadline=None)
@given(text=st.text(alphabet="0123456789-.,#:\n\"' abtimes_dbmx", max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("text") / "m.csv"
    file.write_text(text)
    with contextlib.suppress(ChannelError):
        read_channel(file, noise_dbm=-100)


# ---------------------------------------------------------------------- as the world of MmwaveHandover-v0


def make(channel, **keywords):
    return gym.make("MmwaveHandover-v0", channel=channel, **{"horizon": 100, **keywords}).unwrapped


def test_the_environment_shows_what_is_heard_and_masks_the_rest():
    env = make(line())
    _, info = env.reset(seed=1)
    seen = set()
    for _ in range(100):
        x_m = float(env.batch.episodes.position_m[env.batch.episodes.row[0], env.batch.state.slot[0], 0, 0])
        if abs(x_m % 10 - 5) < 1e-3:
            continue
        hears = np.array([x_m < 15, x_m > 5])
        seen.add(tuple(hears.tolist()))
        rsrp = np.array([-80 - min(x_m, 10), -100 + 3 * max(x_m - 10, 0)])
        snr = np.where(hears, 10 ** ((rsrp + 110) / 10), 0.0)
        fields = env.scenario.fields.split(env.batch.observe()[0, 0])
        assert fields["heard"].tolist() == hears.tolist()
        expected = np.maximum(10 * np.log10(np.maximum(snr / (1 + snr.sum()), 1e-9)), LOWEST_RSRQ_DB)
        np.testing.assert_allclose(fields["rsrq_db"], expected, atol=1e-3)
        serving = fields["serving"].astype(bool)
        assert (info["action_mask"] == (hears | serving)).all()
        action = int(env.batch.state.slot[0] % 2)  # now and then a cell that is not heard
        _, reward, terminated, _, info = env.step(action)
        rate = math.log2(1 + snr[action])
        assert info["throughput_bps_hz"] == pytest.approx(rate, rel=1e-3)
        assert info["outage_fraction"] == (not hears[action] or snr[action] < 10 ** (-0.8))
        assert not terminated
        assert reward == pytest.approx(rate - 7.5 * (not serving[action]), rel=1e-3, abs=1e-3)
    assert len(seen) >= 2


def test_silence_is_outage_and_leaves_the_serving_cell():
    rsrp_dbm = np.full((40, 2), NAN)
    rsrp_dbm[-1] = -80.0
    env = make(LinkMatrix(rsrp_dbm=rsrp_dbm, noise_dbm=-110, cells=("a", "b"), time_s=np.arange(40.0)))
    _, info = env.reset(seed=0)
    assert env.batch.state.serving[0, 0] == 0
    assert info["action_mask"].tolist() == [1, 0]
    observation, reward, _, _, info = env.step(0)
    assert (reward, info["outage_fraction"]) == (0.0, 1.0)
    assert observation.tolist() == [LOWEST_RSRQ_DB, LOWEST_RSRQ_DB, 1, 0, 0, 0]
    assert env.observation_space.contains(observation)


def test_paths_survive_gymnasium_and_pickling(tmp_path):
    write_channel(tmp_path / "m.npz", line())
    env = gym.make("MmwaveHandover-v0", channel=str(tmp_path / "m.npz"), horizon=10)
    again = gym.make(pickle.loads(pickle.dumps(env.spec)))
    from_path = gym.make("MmwaveHandover-v0", channel=tmp_path / "m.npz", horizon=10)
    from_matrix = gym.make("MmwaveHandover-v0", channel=line(), horizon=10)
    first = [e.reset(seed=5)[0] for e in (env, again, from_path, from_matrix)]
    for observation in first[1:]:
        np.testing.assert_array_equal(observation, first[0])


def test_the_vector_environment_plays_the_same_episodes_through_restarts():
    matrix = measured(cells=3, places=3)
    many = gym.make_vec("MmwaveHandover-v0", num_envs=3, channel=matrix, horizon=15)
    observation, info = many.reset(seed=10)
    singles = [make(matrix, horizon=15) for _ in range(3)]
    alone = [env.reset(seed=10 + i)[0] for i, env in enumerate(singles)]
    ended = [False] * 3
    for _ in range(50):
        np.testing.assert_array_equal(observation, alone)
        assert (info["action_mask"] == [env.action_masks() for env in singles]).all()
        action = info["action_mask"].argmax(axis=1)
        observation, _, _, truncated, info = many.step(action)
        for i, env in enumerate(singles):
            alone[i] = env.reset()[0] if ended[i] else env.step(int(action[i]))[0]
            ended[i] = bool(truncated[i])


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"mobility": "A3"}, "mobility belongs to the paper's world"),
        ({"area_side_m": 20.0}, "area_side_m belongs"),
        ({"shadowing": "none"}, "shadowing belongs"),
        ({"shadowing": "correlated"}, r"means nothing in a link matrix \(channel=<LinkMatrix .*\): leave"),
        ({"layout_seed": 3}, r"layout_seed belongs .*\(got layout_seed=3\)"),
        ({"boundary": "stay"}, "boundary belongs"),
        ({"fading": "none"}, "fading belongs"),
        ({"num_cells": 3}, "num_cells must be left out with channel=…, which has 2"),
        ({"num_cells": 6}, "num_cells must be left out with channel=…, which has 2; got 6"),
        ({"channel": "nowhere.npz"}, "no such file"),
        ({"channel": "elsewhere:V-R10"}, "known sources are city:…, deepmimo:…, mssn:…, raytraced:…"),
        ({"channel": 5}, "channel must be the path"),
        ({"channel": LinkMatrix(**TIME)}, "recording lasts 2 s and an episode 5 s"),
        ({"channel": LinkMatrix(**TIME), "horizon": 10, "speed_mps": (1.0, 2.0)}, "speed_mps means nothing"),
        ({"channel": LinkMatrix(**TIME), "horizon": 10, "speed_mps": (1.0, 3.0)}, "speed_mps means nothing"),
    ],
)
def test_keywords_that_contradict_a_channel_are_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        gym.make("MmwaveHandover-v0", **{"channel": line(), "horizon": 100, **keywords})


def test_keywords_of_all_worlds_and_none_go_with_a_channel():
    keywords = {"beta": 25.0, "speed_mps": (1.0, 3.0), "num_cells": 2, "layout_seed": None}
    env = gym.make("MmwaveHandover-v0", channel=line(), horizon=10, **keywords)
    constants = env.unwrapped.scenario.constants()
    assert {name: constants[name] for name in ("beta", "speed_mps", "num_cells")} == {
        "beta": 25.0,
        "speed_mps": (1.0, 3.0),
        "num_cells": 2,
    }
    assert "layout_seed" not in constants


def test_agents_are_not_told_the_matrix():
    scenario = make(line()).scenario
    constants = scenario.constants()
    assert constants["channel"] == line().fingerprint
    assert constants["num_cells"] == 2
    assert "mobility" not in constants
