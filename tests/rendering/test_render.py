"""Every scenario renders in every mode, and the handover frame shows what it should."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
import warnings
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import render_test

from mmwave_gym import handover_v0
from mmwave_gym.core.scenario import Metric, Outcome
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.rendering.canvas import FRAME_SIZE
from mmwave_gym.rendering.colours import series_colour
from mmwave_gym.rendering.totals import Totals

HEIGHT_WIDTH_3 = (FRAME_SIZE[1], FRAME_SIZE[0], 3)


def handover(mode: str = "rgb_array", **keywords: Any) -> gym.Env[Any, Any]:
    return gym.make("MmwaveHandover-v0", render_mode=mode, **keywords)


def has_colour(frame: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((frame == np.array(colour, np.uint8)).all(axis=-1).any())


def test_frames_are_pictures_of_constant_size_that_change() -> None:
    env = handover()
    env.reset(seed=1)
    frames = [env.render()]
    for _ in range(5):
        env.step(0)
        frames.append(env.render())
    assert all(f.dtype == np.uint8 and f.shape == HEIGHT_WIDTH_3 and f.flags.writeable for f in frames)
    assert all((a != b).any() for a, b in pairwise(frames))
    assert (env.render() == frames[-1]).all()
    assert not np.shares_memory(env.render(), frames[-1])
    env.close()


def test_the_serving_cell_shows_in_its_colour() -> None:
    env = handover(num_cells=6)
    env.reset(seed=3)
    for cell in range(6):
        env.step(cell)
        strip = env.render()[484 + 181 : 484 + 189, 78:914]
        assert has_colour(strip, series_colour(cell))


def test_text_names_the_serving_cell_and_keeps_its_shape() -> None:
    env = handover("ansi", boundary="stay")
    env.reset(seed=3)
    shapes = set()
    for slot in range(40):
        env.step(slot // 5 % 6)
        text = env.render()
        assert f"served by cell {slot // 5 % 6}" in text.splitlines()[0]
        assert text.isascii()
        assert "@" in text
        shapes.add(tuple(len(line) for line in text.splitlines()))
    assert len(shapes) == 1
    assert len(set(shapes.pop())) == 1


def test_text_counts_handovers() -> None:
    env = handover("ansi", boundary="stay", handover_energy_j=0.5)
    env.reset(seed=3)
    first = int(env.unwrapped.batch.state.serving[0, 0])  # type: ignore[attr-defined]
    other = (first + 1) % 6
    for cell in (other, first, first, first):
        env.step(cell)
    assert "handovers    2" in env.render()
    assert "ping-pongs    1" in env.render()
    assert "energy     1.00 J" in env.render()


@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_an_ended_episode_renders(mode: str) -> None:
    env = handover(mode, area_side_m=2.0)
    env.reset(seed=1)
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(0)
        over = terminated or truncated
        env.render()
    if mode == "ansi":
        assert "gone" in env.render()


@pytest.mark.parametrize("where", ["place", "time", "sites"])
@pytest.mark.parametrize("mode", ["rgb_array", "ansi"])
def test_channels_from_files_render_without_places_sites_or_signal(mode: str, where: str, tmp_path: Any) -> None:
    from mmwave_gym.links.files import write_channel

    rng = np.random.default_rng(0)
    rsrp_dbm = rng.uniform(-110.0, -70.0, (30, 12))
    rsrp_dbm[rng.random((30, 12)) < 0.5] = np.nan
    rsrp_dbm[10:20] = np.nan  # nothing is heard at all
    street_m = np.stack([np.arange(30.0) * 5.0, np.zeros(30)], axis=1)
    site_m = np.stack([np.arange(12.0), np.full(12, 9.0)], axis=1)
    placed = {"position_m": street_m, **({"site_m": site_m} if where == "sites" else {})}
    matrix = LinkMatrix(
        rsrp_dbm=rsrp_dbm,
        noise_dbm=-100.0,
        cells=tuple(f"cell {k}" for k in range(12)),
        **({"time_s": np.arange(30.0)} if where == "time" else placed),
    )
    write_channel(tmp_path / "street.npz", matrix)
    env = handover(mode, channel=str(tmp_path / "street.npz"), horizon=300)
    env.reset(seed=1)
    env.render()
    for _ in range(300):
        env.step(int(np.flatnonzero(env.unwrapped.action_masks())[0]))  # type: ignore[attr-defined]
    assert env.render() is not None


def test_many_ues_are_drawn_and_the_watched_one_changes() -> None:
    world: dict[str, Any] = {"num_ues": 12, "start": "uniform", "mobility": "A3", "area_side_m": 4.0}
    env = handover_v0.parallel_env(**world, render_mode="ansi")
    picture = handover_v0.parallel_env(**world, render_mode="rgb_array")
    env.reset(seed=3)
    picture.reset(seed=3)
    watched = set()
    while env.agents:
        for e in (env, picture):
            e.step(dict.fromkeys(e.agents, 0))
        watched.add(env.render().split("UE ")[1].split()[0])
    assert len(watched) > 1
    assert picture.render().shape == HEIGHT_WIDTH_3


def test_window_opens_closes_twice_and_survives_its_user() -> None:
    import pygame

    env = handover("human")
    env.reset(seed=1)
    assert pygame.display.get_surface().get_size() == FRAME_SIZE
    env.step(0)
    assert env.render() is None
    pygame.event.post(pygame.event.Event(pygame.QUIT))
    env.step(0)  # the window notices
    assert not pygame.display.get_init()
    env.step(0)
    assert env.render() is None
    assert not pygame.display.get_init()
    env.close()
    env.close()


def test_another_environment_that_quits_pygame_does_no_harm() -> None:
    import pygame

    env = handover()
    env.reset(seed=1)
    env.render()
    pygame.quit()
    pygame.font.init()
    env.step(0)
    assert env.render().shape == HEIGHT_WIDTH_3


def test_rgb_array_needs_no_display() -> None:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(
            """
            import gymnasium as gym, mmwave_gym
            env = gym.make("MmwaveHandover-v0", render_mode="rgb_array")
            env.reset(seed=0)
            env.render()
            import pygame
            assert not pygame.display.get_init()
            """
        )],
        env={"SDL_VIDEODRIVER": "no such driver", "PATH": ""},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""  # no greeting


def test_missing_pygame_is_named_and_text_does_without() -> None:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(
            """
            import sys
            class Block:
                def find_spec(self, name, path=None, target=None):
                    if name.split(".")[0] == "pygame":
                        raise ImportError(name)
            sys.meta_path.insert(0, Block())
            import gymnasium as gym, mmwave_gym
            env = gym.make("MmwaveHandover-v0", render_mode="ansi")
            env.reset(seed=0)
            assert "served by cell" in env.render()
            for mode in ("rgb_array", "human"):
                try:
                    gym.make("MmwaveHandover-v0", render_mode=mode).reset(seed=0)
                except gym.error.DependencyNotInstalled as error:
                    print(error)
            """
        )],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("pip install 'mmwave-gym[render]'") == 2


@pytest.mark.parametrize("make", [handover_v0.env, handover_v0.raw_env])
def test_pettingzoo_render_test(make: Any) -> None:
    render_test(lambda **keywords: make(num_ues=3, **keywords))


def test_gymnasium_checker_renders_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*out of date.*|.*we recommend.*|.*not within.*|.*different.*spec.*")
        check_env(gym.make("MmwaveHandover-v0").unwrapped, skip_render_check=False)


def test_totals_condense_as_a_row_does() -> None:
    metrics = (Metric("rate", "1", "step", ""), Metric("events", "1/s", "second", ""), Metric("load", "1", "all", ""))
    totals = Totals(metrics, 2)
    for present in (np.array([True, True]), np.array([True, False])):
        outcome = Outcome(
            reward=np.array([[1.0, 2.0]]) * present,
            terminated=np.zeros((1, 2), bool),
            truncated=np.zeros(1, bool),
            elapsed_s=np.array([0.5]),
            metrics={"rate": np.array([[3.0, 6.0]]) * present, "events": np.ones((1, 2)) * present,
                     "load": np.array([4.0])},
        )  # fmt: skip
        totals.add(outcome, present)
    assert totals.condensed(metrics[0]) == pytest.approx(4.0)  # 12 over 3 agent-steps
    assert totals.condensed(metrics[0], 1) == pytest.approx(6.0)
    assert totals.condensed(metrics[1]) == pytest.approx(2.0)  # 3 over 1.5 agent-seconds
    assert totals.condensed(metrics[2]) == pytest.approx(8.0)
    assert totals.sums["reward"].tolist() == [2.0, 2.0]


def test_speed_is_reported(record_property: Any) -> None:
    env = handover(boundary="stay")
    env.reset(seed=1)
    env.render()
    started, spent = time.process_time(), 0.0
    for _ in range(50):
        env.step(0)
        started = time.process_time()
        env.render()
        spent += time.process_time() - started
    record_property("frames_per_cpu_second", 50 / spent)
