"""The scene of power allocation says what the environment says, in every size and mode; real sites become a map."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from mmwave_gym import cli
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation import map_picture as power_allocation_map
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation
from mmwave_gym.scenarios.power_allocation.scene import NEAR_UNITS, Record, colours
from mmwave_gym.sources import open_sites

CHANGING = {"layout": "poisson", "scope": "network", "side_m": 500.0, "changes": 8, "horizon": 30}


def power_allocation(mode: str = "rgb_array", **keywords: Any) -> gym.Env[Any, Any]:
    return gym.make("MmwavePowerAllocation-v0", render_mode=mode, **keywords)


def played(seed: int = 4, **keywords: Any) -> tuple[Batch, Record, list[Any]]:
    """A batch, its record and what every step of random powers gave."""
    batch = Batch(PowerAllocation(PowerAllocationConfig(**keywords)), 1)
    batch.reset([EpisodeKey(seed)])
    record, rng, outcomes = Record(batch), np.random.default_rng(0), []
    for _ in range(batch.scenario.horizon):
        outcomes.append(batch.step(rng.integers(0, 32, (1, batch.scenario.num_agents))))
        record.add(outcomes[-1])
    return batch, record, outcomes


def test_the_record_has_the_environment_s_rates_and_satisfaction() -> None:
    _, record, outcomes = played(horizon=250, ue_radius_m=50.0)
    rate = np.array([o.metrics["sum_rate_bps_hz"][0] for o in outcomes])
    share = np.array([o.metrics["qos_satisfaction"][0].mean() for o in outcomes])
    assert record.bin_slots == 3  # 250 slots in at most 100 bins
    thirds = [rate[i : i + 3].mean() for i in range(0, 250, 3)]
    np.testing.assert_allclose(record.mean(record.sum_rate), thirds)
    np.testing.assert_allclose(record.share.sum(), share.sum())
    assert record.share_now == pytest.approx(share[-1])
    assert record.jain_index == pytest.approx(outcomes[-1].metrics["jain_index"][0])
    np.testing.assert_array_equal(record.satisfied, outcomes[-1].metrics["qos_satisfaction"][0] > 0.5)
    assert 0 < record.satisfied.sum() < 14
    np.testing.assert_allclose(record.power_share[record.present], (record.power_dbm + 10.0) / 45.0)
    assert record.powers.sum() == 14


def test_the_record_knows_who_came_who_left_and_whose_head_is_another() -> None:
    batch, record, _ = played(**CHANGING)
    row = batch.episodes.row[0]
    present, head = batch.episodes.present[row], batch.episodes.head[row]
    np.testing.assert_array_equal(record.changes, batch.episodes.change_slot[row])
    came, left = (sum((b & ~a).astype(int) for a, b in zip(x, y, strict=True)) for x, y in (
        (present[:-1], present[1:]), (present[1:], present[:-1])))  # fmt: skip
    np.testing.assert_array_equal(record.came_slot > 0, came > 0)
    np.testing.assert_array_equal(record.left_slot > 0, left > 0)
    assert came.sum() + left.sum() == 8
    stayed = present[:-1] & present[1:]
    moved = ((head[:-1] != head[1:]) & stayed).any(axis=0)
    np.testing.assert_array_equal(record.moved_slot > 0, moved)
    assert moved.any()


def test_clusters_near_each_other_have_different_colours_and_keep_them() -> None:
    place_m = np.random.default_rng(1).random((2000, 2)) * 4000.0
    heads = np.unique(floc(place_m, np.random.default_rng(2)).head)
    colour = colours(place_m[heads], 100.0)
    apart_m = np.hypot(*(place_m[heads][:, None] - place_m[heads][None]).transpose(2, 0, 1))
    near = (apart_m < NEAR_UNITS * 100.0) & (apart_m > 0.0)
    assert near.sum() > 500
    assert not (near & (colour[:, None] == colour[None])).any()
    kept = np.where(np.arange(len(heads)) % 2, colour, -1)
    again = colours(place_m[heads], 100.0, kept)
    np.testing.assert_array_equal(again[1::2], colour[1::2])


def test_text_shows_heads_members_and_who_is_not_satisfied() -> None:
    places = ((0.0, 0.0), (90.0, 0.0), (0.0, 90.0), (900.0, 900.0))
    at = ((18, 0), (18, 4), (16, 0), (0, 41))  # rows and columns of the text's map
    env = power_allocation("ansi", layout=places, scope="network", qos_sinr=1000.0, reward="team")
    env.reset(seed=1)
    state = env.unwrapped.batch.state  # type: ignore[attr-defined]
    assert state.head[0, 3] == 3
    assert state.head[0, 0] == state.head[0, 1] == state.head[0, 2]
    for action in (31, 0):  # base station 0; the others keep full power
        env.step(action)
        lines = env.render().splitlines()
        assert lines[1].startswith("4 base stations, 2 clusters")
        grid = [line[1:43] for line in lines[3:22]]
        lost = state.sinr[0] < 1000.0
        # Far from each other two clusters may have the same letter.
        for bs, (row, column) in enumerate(at):
            assert grid[row][column] == ("!" if lost[bs] else "A" if state.head[0, bs] == bs else "a")
        assert sum(sign != " " for line in grid for sign in line) == 4
        assert f"{lost.sum():4d} not" in lines[3]
    assert lost[0]
    assert not lost.all()


def test_the_picture_marks_who_is_not_satisfied() -> None:
    """The same world but for the requirement: crosses instead of dots, and nothing else on the map."""
    frames = []
    for qos_sinr in (0.001, 1000.0):
        env = power_allocation(qos_sinr=qos_sinr, reward="team", ue_radius_m=30.0)
        env.reset(seed=3)
        env.step(31)
        frames.append(env.render().astype(int))
    batch = env.unwrapped.batch  # type: ignore[attr-defined]
    place_m, ue_m = batch.episodes.place_m[0], batch.episodes.ue_m[0]
    lost = batch.state.sinr[0] < 1000.0
    assert lost.any()
    changed = (np.abs(frames[0] - frames[1]).sum(axis=2) > 60)[56:692, 20:656]
    _, columns = np.nonzero(changed)
    assert changed.sum() > 20 * lost.sum()
    assert changed.sum() < 300 * lost.sum()
    # UEs in pixels, as the picture's square has them: no change is farther than a cross from one that is lost.
    points = np.concatenate((place_m, ue_m))
    half_m = 0.54 * np.ptp(points, axis=0).max()
    low_m = 0.5 * (points.min(axis=0) + points.max(axis=0)) - half_m
    x = (ue_m[lost, 0] - low_m[0]) * 636.0 / (2.0 * half_m)
    assert np.abs(columns[:, None] - x).min(axis=1).max() < 12.0


# ---------------------------------------------------------------------- real sites

SITES = "name,lat,lon\n" + "".join(
    f"mast {i},{-37.81 - 0.0004 * (i % 5):.4f},{144.96 + 0.0005 * (i // 5):.4f}\n" for i in range(20)
)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["mmwave-gym", "sites", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


def test_one_command_clusters_powers_and_draws_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra [report]")
    pytest.importorskip("pyproj", reason="needs the extra [real]")
    file, out = tmp_path / "masts.csv", tmp_path / "masts.png"
    file.write_text(SITES + "again,-37.81,144.96\n")
    words = ("--agent", "minimum-power", "--episodes", "2", "--warmup", "1", "--scored", "2", "--out", str(out))
    assert command(monkeypatch, str(file), *words) == 0
    said = capsys.readouterr().out
    assert "20 sites of 21 rows in masts.csv: 1 at the place of another are left out." in said
    assert "clusters of" in said
    assert "messages" in said
    assert "full-power" in said
    assert "minimum-power" in said
    with image.open(out) as picture:
        assert picture.width > 900
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 100


def test_the_clusters_told_are_those_of_the_environment() -> None:
    """The command forms them by itself, to count messages."""
    from mmwave_gym.benchmark.task import Task
    from mmwave_gym.core.scenario import EpisodeRng

    place = tuple(map(tuple, (np.random.default_rng(5).random((40, 2)) * 700.0).tolist()))
    found = Task(env_id="MmwavePowerAllocation-v0", kwargs={"layout": place, "scope": "network"})
    batch = Batch(found.scenario(), 1)
    batch.reset(found.keys([0]))
    formed = floc(np.array(place), EpisodeRng(found.keys([0])[0])["clusters"], unit_m=100.0)
    np.testing.assert_array_equal(batch.state.head[0], formed.head)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,lat,lon\na,144.96,-37.81\n", "row 2, .* is no place on Earth: are they swapped"),
        ("name,latt,lon\na,60.17,24.94\n", "row 1: the columns latitude and longitude are needed"),
        ("name,lat,lon\na,60.17,east\n", "row 2, field 'lon': 'east' is not a number"),
        ("name,lat,lon\na,60.17,24.94,3\n", "row 2: 4 fields where the header has 3"),
        ("name,lat,lon\n", "it has no site"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line_that_names_it(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyproj", reason="needs the extra [real]")
    file = tmp_path / "masts.csv"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        gym.make("MmwavePowerAllocation-v0", layout=str(file), scope="network")
    assert command(monkeypatch, str(file)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"mmwave-gym: {file}")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("c,24.94,60.17", "far from the others, or swapped"),
        ("c,61,60", "far from the others, or swapped"),
        ("c,,", "without a place"),
        ("c,inf,inf", "at no possible place"),
    ],
)
def test_a_site_that_cannot_be_used_is_left_out_counted_and_refused_if_strict(
    row: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyproj", reason="needs the extra [real]")
    file = tmp_path / "masts.csv"
    file.write_text(f"name,lat,lon\na,60.17,24.94\nb,60.171,24.941\n{row}\n")
    with pytest.warns(UserWarning, match=f"masts.csv: left out: 1 site {why} .first: row 4"):
        env = gym.make("MmwavePowerAllocation-v0", layout=str(file), scope="network")
    assert env.unwrapped.scenario.config.layout == str(file)  # type: ignore[attr-defined]
    assert command(monkeypatch, str(file), "--strict") == 2
    assert "row 4" in capsys.readouterr().err


def test_no_site_at_the_edge_of_a_file_in_metres_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "masts.csv"
    file.write_text("x_m,y_m\n0.5,0\n10.2,3.9\n")
    place_m = open_sites(file)[1]
    np.testing.assert_allclose(place_m[1] - place_m[0], (9.7, 3.9))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("sites:nowhere",), "the known sites are sites:melbourne"),
        (("sites:melbourne",), "set the environment variable MMWAVE_DATA"),
        (("missing.csv",), "there is no such file"),
        (("missing.csv", "--out", "masts.gif"), "a picture ends in .png, .svg or .pdf"),
        (("missing.csv", "--episodes", "0"), "--episodes must be at least 1, got 0"),
        (("missing.csv", "--scored", "0"), "--scored must be at least 1, got 0"),
    ],
)
def test_the_command_s_mistakes_are_one_line(
    words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MMWAVE_DATA", raising=False)
    assert command(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1


def test_without_pyproj_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "masts.csv"
    file.write_text(SITES)
    monkeypatch.setitem(sys.modules, "pyproj", None)
    with pytest.raises(ImportError, match=r"latitude and longitude needs pyproj: pip install 'mmwave-gym\[real\]'"):
        open_sites(file)


@pytest.mark.parametrize("stations", [30, power_allocation_map.CROWD + 1])
def test_a_map_is_written_in_every_format_with_and_without_powers(stations: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    place_m = rng.random((stations, 2)) * (2000.0, 500.0)
    network = {"place_m": place_m, "head": floc(place_m, rng).head}
    power_allocation_map.save(tmp_path / "clusters.svg", "clusters", **network)
    network |= {"power_share": rng.random(stations), "ue_m": place_m + 5.0, "satisfied": rng.random(stations) < 0.8}
    power_allocation_map.save(tmp_path / "powers.pdf", "powers", "whose they are", **network)
    assert b"<svg" in (tmp_path / "clusters.svg").read_bytes()[:2000]
    assert (tmp_path / "powers.pdf").read_bytes().startswith(b"%PDF")


def test_melbourne_s_sites_are_all_used_and_clustered() -> None:
    if not os.environ.get("MMWAVE_DATA"):
        pytest.skip("MMWAVE_DATA is not set: point it at the folder with cells_melbourne (docs/environments)")
    from mmwave_gym.benchmark.suite import task

    found = task("power_allocation/melbourne")
    batch = Batch(found.scenario(), 1)
    batch.reset(found.keys([0]))
    assert batch.state.present.sum() == 125
    off_m = np.hypot(*(batch.episodes.place_m[0] - batch.episodes.place_m[0][batch.state.head[0]]).T)
    assert off_m.max() <= 200.0
    assert 20 < len(np.unique(batch.state.head[0])) < 42  # 3 to 6 sites each
