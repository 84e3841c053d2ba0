"""Streets on link matrices: routes, power, what is refused, and that all views of the environment agree."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from link_worlds import NAN, line, measured, rng

import mmwave_gym
from mmwave_gym import Task
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.links.routes import Streets
from mmwave_gym.sources.raytracing.places import edges, grid, streets

WALLS = (
    "...........",
    ".####.####.",
    ".####.####.",
    ".####.####.",
    ".####.####.",
    "...........",
    "#####.#####",
    "#####.#####",  # a dead end
)


def town(cells: int = 3, seed: int = 0, **changes: Any) -> LinkMatrix:
    """Streets 5 m apart between two blocks, cells that are heard within 40 m of a site."""
    open_air = np.array([[c == "." for c in row] for row in WALLS])
    xy_m = np.stack(np.meshgrid(np.arange(8.0) * 5.0, np.arange(11.0) * 5.0, indexing="ij"), axis=-1)
    place_m = xy_m[open_air]
    site_m = np.random.default_rng(seed).uniform((0.0, 0.0), (35.0, 50.0), (cells, 2))
    apart_m = np.hypot(*(place_m[:, None] - site_m).transpose(2, 0, 1)) + 3.0
    rsrp_dbm = np.where(apart_m < 40.0, -40.0 - 30.0 * np.log10(apart_m), NAN)
    fields = {
        "rsrp_dbm": rsrp_dbm, "noise_dbm": -84.0, "cells": tuple(f"s{i}" for i in range(cells)),
        "position_m": place_m, "edges": edges(open_air), "site_m": site_m, **changes,
    }  # fmt: skip
    return LinkMatrix(**fields)


# ---------------------------------------------------------------------- routes


def test_a_way_goes_straight_on_and_turns_where_it_must() -> None:
    place_m = np.stack((np.arange(40) * 5.0, np.zeros(40)), axis=1)
    ends = np.stack((np.arange(39), np.arange(1, 40)), axis=1)
    way = Streets(place_m, ends).way(np.random.default_rng(4), 2_000.0)
    step = np.diff(way)
    assert set(np.abs(step).tolist()) == {1}
    turned = np.flatnonzero(step[1:] != step[:-1]) + 1
    assert len(turned) > 5
    assert set(way[turned].tolist()) == {0, 39}, "only at the two dead ends"


def test_a_way_keeps_to_the_streets_and_turns_about_once_a_block() -> None:
    matrix = town()
    assert matrix.edges is not None
    assert matrix.position_m is not None
    joined = {tuple(sorted(pair)) for pair in matrix.edges.tolist()}
    open_field = grid((0.0, 0.0), 600.0, 5.0)
    square = streets(np.ones(open_field.shape[:2], bool))
    wide = Streets(open_field.reshape(-1, 2), edges(square))
    chance = np.random.default_rng(1)
    for _ in range(5):
        way = Streets(matrix.position_m, matrix.edges).way(chance, 400.0)
        assert {tuple(sorted(pair)) for pair in zip(way[:-1].tolist(), way[1:].tolist(), strict=True)} <= joined
        assert 5.0 * (len(way) - 1) >= 400.0
    turns = steps = 0
    for _ in range(40):
        place_m = open_field.reshape(-1, 2)[wide.way(chance, 400.0)]
        step_m = np.diff(place_m, axis=0)
        turns += int((np.abs((step_m[1:] * step_m[:-1]).sum(axis=1)) < 1e-9).sum())
        steps += len(step_m)
    assert 50.0 < 5.0 * steps / turns < 200.0, "one in 80 m, and of those a third goes straight on"
    assert (wide.way(np.random.default_rng(7), 90.0) == wide.way(np.random.default_rng(7), 90.0)).all()


def test_power_along_a_way_by_hand() -> None:
    drawn = line().along(rng(), np.array([0, 1, 2, 1]), np.array([0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0]))
    assert drawn.position_m[0, 0].tolist() == [0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 16.0]
    level = drawn.of_all_cells(2)[0]
    assert level[:3, 0].tolist() == pytest.approx([-80.0, -84.0, -88.0])
    assert level[3, 0] == -90.0, "beyond the middle place the nearer row counts"
    assert np.isnan(level[4, 0])
    assert level[4, 1] == pytest.approx(-100.0 + 0.6 * 30.0)
    assert level[6, 1] == level[4, 1]


# ---------------------------------------------------------------------- the environment


def corridor(**changes: Any) -> LinkMatrix:
    """Two cells of constant power, 24 dB and 4 dB above the noise."""
    place_m = np.stack((np.arange(30) * 10.0, np.zeros(30)), axis=1)
    level = np.broadcast_to((-60.0, -80.0), (30, 2))
    return LinkMatrix(**{"rsrp_dbm": level, "noise_dbm": -84.0, "cells": ("a", "b"), "position_m": place_m, **changes})


def test_the_rate_by_hand() -> None:
    words = {"interference_db": None, "measurement_error_db": 0.0, "duration_s": 2.0}
    env = gym.make("MmwaveStreet-v1", channel=corridor(), users="car", most_bps_hz=100.0, **words)
    seen, _ = env.reset(seed=3)
    assert seen[:2].tolist() == [-54.0, -74.0], "RSRP is told above a noise of -78 dBm"
    assert env.step(0)[1] == pytest.approx(math.log2(1.0 + 10.0**2.4), rel=1e-5)
    # A handover: 60 ms on the old cell, 240 ms of nothing, 100 ms on a wide beam that is 6 dB weaker.
    ticks = 3 * math.log2(1.0 + 10.0**2.4) + 5 * math.log2(1.0 + 10.0**-0.2)
    assert env.step(1)[1] == pytest.approx(ticks / 5.0, rel=1e-5)


def test_a_cell_that_is_not_heard_is_far_below_the_noise() -> None:
    level = np.broadcast_to((-60.0, NAN), (30, 2)).copy()
    level[0, 1] = -70.0
    env = gym.make("MmwaveStreet-v1", channel=corridor(rsrp_dbm=level), users="pedestrian", duration_s=1.0)
    lowest = []
    for seed in range(20):
        env.reset(seed=seed)
        batch = env.unwrapped.batch  # type: ignore[attr-defined]
        lowest.append(batch.episodes.rsrp_dbm[batch.episodes.row[0], 0, 1])
    assert min(lowest) == -140.0


KINDS = {
    "town, commands": {"channel": town(), "users": "car"},
    "town, conditional": {"channel": town(), "users": "pedestrian", "handover": "conditional"},
    "two towns": {"channel": (town(), town(seed=5)), "handover": "conditional"},
    "recording": {"channel": LinkMatrix(
        rsrp_dbm=np.random.default_rng(0).normal(-70.0, 8.0, (200, 3)), noise_dbm=-84.0, cells=("a", "b", "c"),
        time_s=np.arange(200.0),
    )},
    "percentiles": {"channel": measured(cells=3, places=40, apart_m=20.0)},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_one_environment_is_a_row_of_many(kind: str) -> None:
    words = {"duration_s": 4.0, **KINDS[kind]}
    many = gym.make_vec("MmwaveStreet-v1", num_envs=3, **words)
    seen, _ = many.reset(seed=11)
    singles = [gym.make("MmwaveStreet-v1", **words) for _ in range(3)]
    for i, env in enumerate(singles):
        assert (env.reset(seed=11 + i)[0] == seen[i]).all()
    chance = np.random.default_rng(0)
    for _ in range(8):
        action = chance.integers(3, size=3)
        seen, reward, _, over, _ = many.step(action)
        for i, env in enumerate(singles):
            mine = env.step(int(action[i]))
            assert (mine[0] == seen[i]).all()
            assert mine[1] == reward[i]
        if over.any():
            break
    many.close()


@pytest.mark.parametrize("kind", KINDS)
def test_gymnasium_is_content(kind: str) -> None:
    check_env(gym.make("MmwaveStreet-v1", duration_s=3.0, **KINDS[kind]).unwrapped, skip_render_check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_drawn(kind: str) -> None:
    text = gym.make("MmwaveStreet-v1", duration_s=3.0, render_mode="ansi", **KINDS[kind])
    text.reset(seed=0)
    first = str(text.render())
    text.step(0)
    assert len(str(text.render()).splitlines()) == len(first.splitlines())
    assert "#" in first
    if importable("pygame"):
        env = gym.make("MmwaveStreet-v1", duration_s=3.0, render_mode="rgb_array", **KINDS[kind])
        env.reset(seed=0)
        env.step(1)
        frame = np.asarray(env.render())
        assert frame.ndim == 3
        assert frame.std() > 10.0
        env.close()


def importable(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


def test_episodes_take_one_of_several_maps_and_agents_learn_of_which_only_the_fingerprint() -> None:
    towns = (town(), town(seed=5))
    env = gym.make_vec("MmwaveStreet-v1", num_envs=32, channel=towns, duration_s=2.0)
    env.reset(seed=0)
    episodes = env.unwrapped.batch.episodes  # type: ignore[attr-defined]
    assert set(episodes.map_seed[episodes.row].tolist()) == {0, 1}
    constants = env.unwrapped.batch.scenario.constants()  # type: ignore[attr-defined]
    assert constants["channel"] == tuple(t.fingerprint for t in towns)
    assert "street" not in constants
    env.close()


def test_the_oracle_is_at_least_as_good_as_the_rules_and_all_repeat() -> None:
    task = Task(env_id="MmwaveStreet-v1", kwargs={"channel": town(), "handover": "conditional", "duration_s": 10.0})
    rates = {
        a: [r["rate_bps_hz"] for r in mmwave_gym.evaluate(a, task, episodes=8)] for a in ("stay", "cho-a3", "oracle")
    }
    assert np.mean(rates["oracle"]) >= max(np.mean(rates["stay"]), np.mean(rates["cho-a3"]))
    assert rates["cho-a3"] == [r["rate_bps_hz"] for r in mmwave_gym.evaluate("cho-a3", task, episodes=8, num_envs=3)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"street": "canyon"}, "street must be left out with channel=…"),
        ({"cells": "dense"}, "cells must be left out"),
        ({"maps": (1, 2)}, "maps must be left out"),
        ({"sight": "geometry"}, "sight must be left out"),
        ({"link_budget_db": 120.0}, "link_budget_db must be left out"),
        ({"channel": "nowhere.npz"}, "nowhere.npz"),
        ({"channel": "city:atlantis"}, "city:atlantis: the shipped cities are munich"),
        ({"channel": ()}, "channel must be 1 to 64 link matrices, got 0"),
        ({"channel": (town(), town(cells=4))}, r"the same number of cells, got \[3, 4\]"),
        ({"channel": line(position_m=None, time_s=np.arange(3.0))}, "the recording lasts 2 s"),
        ({"channel": 7}, "channel must be the path"),
    ],
)
def test_what_is_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        gym.make("MmwaveStreet-v1", **{"channel": town(), **words})
