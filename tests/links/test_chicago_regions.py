"""Regions of measured streets: what they hold, that nobody leaves them, and that training and testing share none."""

from __future__ import annotations

import os

import gymnasium as gym
import numpy as np
import pytest

import mmwave_gym  # noqa: F401  (registers the ids)
from mmwave_baselines.training.command import parse
from mmwave_baselines.training.ppo import Ppo
from mmwave_gym.benchmark.suite import task
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.keywords import keywords
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.links.files import LinkMatrix, read_channel, write_channel
from mmwave_gym.links.regions import REGIONS, within
from mmwave_gym.sources import convert, open_channel

TASK = "handover/chicago-walk-regions"


def streets(columns=5, rows=4, **fields):
    """A grid of places 10 m apart. The RSRP of cell "own" names the place; "upper" is heard in the two upper rows."""
    place = np.arange(columns * rows)
    own = -50.0 - place
    upper = np.where(place >= 2 * columns, -80.0, np.nan)
    position_m = np.stack((place % columns, place // columns), axis=1) * 10.0
    both = {"rsrp_dbm": np.stack((own, upper), axis=1), "cells": ("own", "upper"), "position_m": position_m}
    return LinkMatrix(**{"noise_dbm": -100.0, **both, **fields})


def places(matrix):
    return {tuple(p) for p in matrix.position_m.round(3).tolist()}


def walks(matrix, ues=60, horizon=400):
    """Positions (ue, slot, 2) of walks at 2 to 20 m/s, and what was heard (ue, slot, cell)."""
    key = EpisodeRng(EpisodeKey(0))
    drawn = matrix.draw(key, horizon=horizon, step_s=0.1, num_ues=ues, speed_mps=(2.0, 20.0))
    return drawn.position_m.transpose(1, 2, 0), drawn.of_all_cells(matrix.num_cells)


def on_streets(matrix, position_m):
    """Whether each position (…, 2) lies on an edge of the matrix."""
    start, end = matrix.position_m[matrix.edges[:, 0]], matrix.position_m[matrix.edges[:, 1]]
    along = end - start
    relative = position_m[..., None, :] - start
    share = np.clip((relative * along).sum(-1) / (along**2).sum(-1), 0.0, 1.0)
    return np.linalg.norm(relative - share[..., None] * along, axis=-1).min(axis=-1) < 1e-6


def test_halves_divide_the_places():
    whole = streets()
    found = {region: places(within(whole, region)) for region in REGIONS}
    assert {x for x, _ in found["west"]} == {0.0, 10.0}
    assert {x for x, _ in found["east"]} == {20.0, 30.0, 40.0}  # the middle column lies on the line
    assert {y for _, y in found["south"]} == {0.0, 10.0}
    for one, other in (("north", "south"), ("east", "west")):
        assert found[one] | found[other] == places(whole)
        assert not found[one] & found[other]


def test_rounding_does_not_move_a_place_off_the_line():
    noisy = np.array(streets().position_m)
    noisy[noisy[:, 0] == 20.0, 0] -= 1e-12
    assert len(within(streets(position_m=noisy), "east").position_m) == 12


def test_a_region_keeps_its_rows_and_all_cells():
    whole = streets()
    north, south = within(whole, "north"), within(whole, "south")
    assert north.rsrp_dbm[:, 0].tolist() == (-60.0 - np.arange(10)).tolist()
    assert north.cells == south.cells == whole.cells
    assert north.heard.all()
    assert not south.heard[:, 1].any()  # heard in the north only: the column stays, and is never heard
    assert north.edges.shape == south.edges.shape == (13, 2)
    assert "The north of it: 10 of 20 places." in north.notes
    assert len({north.fingerprint, south.fingerprint, whole.fingerprint}) == 3


def test_what_the_cut_parts_is_left_out_but_for_the_largest_part():
    """A U: its arms, of three and two places in the north, hang together in the south only."""
    position_m = np.array([[x, 0] for x in range(5)] + [[0, 1], [0, 2], [0, 3], [4, 1], [4, 2], [0, -2], [0, -1]])
    u = LinkMatrix(rsrp_dbm=np.full((12, 2), -70.0), noise_dbm=-100.0, cells=("a", "b"), position_m=10.0 * position_m)
    north = within(u, "north")  # of a middle at 5 m
    assert places(north) == {(0.0, 10.0), (0.0, 20.0), (0.0, 30.0)}
    assert "The north of it: 3 of 12 places, 2 are cut off from them." in north.notes


@pytest.mark.parametrize("region", REGIONS)
def test_nobody_leaves_a_region_or_hears_from_outside(region):
    part = within(streets(), region)
    position_m, rsrp_dbm = walks(part)
    assert on_streets(part, position_m).all()
    # Everywhere is visited, and the cell that names the place says so too.
    visited = {tuple(p) for p in (position_m / 10.0).round().reshape(-1, 2).tolist()}
    assert visited == {(x / 10.0, y / 10.0) for x, y in places(part)}
    own = rsrp_dbm[..., 0]
    assert part.rsrp_dbm[:, 0].min() <= own.min() < own.max() <= part.rsrp_dbm[:, 0].max()


def test_a_region_is_named_behind_a_file(tmp_path):
    file = tmp_path / "grid.npz"
    write_channel(file, streets())
    assert open_channel(f"{file}#south") == within(read_channel(file), "south")
    assert places(open_channel(f"{file}#south#west")) == {(x, y) for x in (0.0, 10.0) for y in (0.0, 10.0)}
    convert(f"{file}#south", tmp_path / "south.npz")
    assert read_channel(tmp_path / "south.npz") == within(streets(), "south")
    worlds = [gym.make("MmwaveHandover-v0", channel=f"{file}#{r}", horizon=20).unwrapped for r in ("north", "south")]
    assert worlds[0].observation_space == worlds[1].observation_space
    assert worlds[0].action_space.n == 2
    worlds[1].reset(seed=0)
    assert worlds[1].action_masks().tolist() == [True, False]
    marked = tmp_path / "grid#north.npz"  # a file of that name is the file
    write_channel(marked, streets())
    assert len(open_channel(marked).position_m) == 20


def test_bad_regions_are_told_with_what_is_allowed(tmp_path):
    file = tmp_path / "grid.npz"
    write_channel(file, streets())
    allowed = "north, south, east, west"
    for name in ("up", "", "North", "north-west", "up#north", "north#up"):
        with pytest.raises(ChannelError, match=f"unknown region '[^']*'; a region is one of {allowed}"):
            open_channel(f"{file}#{name}")
    with pytest.raises(ChannelError, match=r"grid\.npz#up: unknown region"):
        gym.make("MmwaveHandover-v0", channel=f"{file}#up")
    with pytest.raises(ChannelError, match="no such file"):
        open_channel(f"{tmp_path / 'none.npz'}#north")
    recording = LinkMatrix(rsrp_dbm=np.full((2, 2), -70.0), noise_dbm=-100.0, cells=("a", "b"), time_s=[0.0, 1.0])
    with pytest.raises(ChannelError, match="recording over time has no streets"):
        within(recording, "north")
    route = streets(columns=4, rows=1, rsrp_dbm=np.full((4, 2), -70.0))
    with pytest.raises(ChannelError, match="no two neighbouring places lie in the south"):
        within(route, "south")


# ---------------------------------------------------------------------- the tasks and the real streets


def test_training_is_for_other_streets_than_testing():
    """Read from the texts, so that it holds without the data too."""
    found, args = task(TASK), parse(Ppo, ["--task", TASK])
    assert found.kwargs["channel"] == "mssn:V-R10/2071667#north"
    assert keywords(args.train_set) == {"channel": "mssn:V-R10/2071667#south"}
    assert keywords(args.set) == keywords(args.vary) == {}


def test_the_measured_regions_share_no_square_and_nobody_leaves():
    if not os.environ.get("MMWAVE_DATA"):
        pytest.skip("MMWAVE_DATA is not set: point it at the folder of the measured data (docs/channel_files.md)")
    found = task(TASK)
    training = parse(Ppo, ["--task", TASK]).training_keywords(found)
    tested, trained = open_channel(found.kwargs["channel"]), open_channel(training["channel"])
    assert (len(tested.position_m), len(trained.position_m)) == (50, 65)
    assert not places(tested) & places(trained)
    assert places(tested) | places(trained) == places(open_channel("mssn:V-R10/2071667"))
    assert tested.cells == trained.cells
    for matrix in (tested, trained):
        assert on_streets(matrix, walks(matrix)[0]).all()
    scenario = found.scenario()
    episodes = scenario.draw([EpisodeRng(key) for key in found.keys([0, 1])])
    south_m, north_m = trained.position_m[:, 1].max(), tested.position_m[:, 1].min()
    assert south_m < north_m - 1e-3 < episodes.position_m[..., 1].min()
