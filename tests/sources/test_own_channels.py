"""One's own ray-traced files and a clone of the measurements as the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

import mmwave_gym  # noqa: F401  (registers the ids)
from mmwave_gym.cli import app, main
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.sources import open_channel

HEADER = (
    "grid_lat,grid_lon,freq,cid,rat,total_sample,sample,sample_ratio,rsrp_avg,rsrp_std,"
    "rsrp_0,rsrp_10,rsrp_25,rsrp_50,rsrp_75,rsrp_90,rsrp_100"
)
TX_M = np.array(((0.0, 0.0, 10.0), (90.0, 90.0, 10.0)))


def traced(path: Path, rx_m: np.ndarray[Any, Any], inside: tuple[int, ...] = ()) -> Path:
    """A file of `gain_db` at points (points, 2); at those `inside` a building no path arrives."""
    gain_db = -80.0 - 0.2 * np.hypot(*(rx_m[:, None] - TX_M[None, :, :2]).transpose(2, 0, 1))
    gain_db[list(inside)] = -200.0
    np.savez(path, gain_db=gain_db, rx=rx_m, tx=TX_M)
    return path


def grid(columns: int, rows: int) -> np.ndarray[Any, Any]:
    x, y = np.meshgrid(10.0 * np.arange(columns), 10.0 * np.arange(rows))
    return np.stack((x.ravel(), y.ravel()), axis=1)


def test_a_gain_file_is_a_channel_by_its_path(tmp_path: Path) -> None:
    route = traced(tmp_path / "own.npz", np.stack((10.0 * np.arange(9), np.zeros(9)), axis=1))
    matrix = open_channel(route)
    assert matrix.edges.tolist() == [[i, i + 1] for i in range(8)]
    gym.make("MmwaveHandover-v0", channel=str(route)).reset(seed=0)
    done = CliRunner().invoke(app, ["channel", str(route), "--out", str(tmp_path / "z.npz")])
    assert done.exit_code == 0, done.output
    assert open_channel(tmp_path / "z.npz").fingerprint == matrix.fingerprint


@pytest.mark.parametrize("order", ["rows", "snake", "shuffled"])
def test_a_map_is_joined_by_its_neighbours(order: str, tmp_path: Path) -> None:
    """A building in the middle of 5 x 5 squares: 24 places, each joined with those beside it, none through the wall."""
    rx_m = grid(5, 5)
    inside = rx_m[12]
    if order == "snake":
        rx_m = np.concatenate([row if i % 2 == 0 else row[::-1] for i, row in enumerate(rx_m.reshape(5, 5, 2))])
    elif order == "shuffled":
        rx_m = np.random.default_rng(0).permutation(rx_m)
    building = int(np.flatnonzero((rx_m == inside).all(axis=1))[0])
    matrix = open_channel(traced(tmp_path / "map.npz", rx_m, (building,)))
    assert len(matrix.position_m) == 24
    step_m = np.hypot(*np.diff(matrix.position_m[matrix.edges], axis=1)[:, 0].T)
    np.testing.assert_allclose(step_m, 10.0)
    assert len(matrix.edges) == 40 - 4  # those of 5 x 5 squares without the four of the middle one
    assert "It is a map: 24 of 25 points" in matrix.notes


def test_only_the_largest_part_of_a_map_is_kept(tmp_path: Path) -> None:
    matrix = open_channel(traced(tmp_path / "map.npz", grid(7, 3), (4, 11, 18)))  # a wall from side to side
    assert len(matrix.position_m) == 12
    with pytest.raises(ChannelError, match=r"none\.npz: gain_db: a site is heard at 0 of 9 points"):
        open_channel(traced(tmp_path / "none.npz", grid(3, 3), tuple(range(9))))


def clone(folder: Path, *names: str) -> Path:
    """The repository's folder of grids with made-up files; each tells one more cell than the one before."""
    (folder / "dataset" / "grid").mkdir(parents=True)
    for cells, name in enumerate(names, start=1):
        rows = [
            f"{41.8775 + 0.0005 * i},-87.6835,2071667,{cell},mw,9,5,0.1,-95,3,-110,-105,-100,-95,-90,-85,-80"
            for cell in range(cells + 1)
            for i in range(2)
        ]
        (folder / "dataset" / "grid" / name).write_text("\n".join([HEADER, *rows]) + "\n")
    return folder


def test_a_clone_of_the_measurements_is_a_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ending = "310260_0.0005_0_0.csv"
    names = [f"T-R12_rss_cell_20210405_{until}_{ending}" for until in ("20211226", "20220127")]
    folder = clone(tmp_path / "INFOCOM23-5GMeas", *names)
    for place in (folder, tmp_path):  # the clone itself, and a folder that holds it
        monkeypatch.setenv("MMWAVE_DATA", str(place))
        assert open_channel("mssn:T-R12/2071667").num_cells == 3  # the later one
        assert "20220127" in open_channel("mssn:T-R12").source
        assert open_channel("mssn:T-R12@20211226/2071667").num_cells == 2
        with pytest.raises(ChannelError, match="has T-R12 until 20211226, 20220127, not until 20200101"):
            open_channel("mssn:T-R12@20200101")
        with pytest.raises(ChannelError, match=r"no file V-R1_rss_cell_\*\.csv in .*; regions found there: T-R12"):
            open_channel("mssn:V-R1")


def test_a_gain_that_no_path_has_is_refused(tmp_path: Path) -> None:
    """0 dB is what programs write where there is no path; it must not become the best cell."""
    rx_m = np.stack((10.0 * np.arange(9), np.zeros(9)), axis=1)
    gain_db = np.full((9, len(TX_M)), -100.0)
    gain_db[3, 0] = 0.0
    np.savez(tmp_path / "own.npz", gain_db=gain_db, rx=rx_m, tx=TX_M)
    with pytest.raises(ChannelError, match=r"gain_db\[3, 0\] is 0: a path gain is finite and below -20 dB"):
        open_channel(tmp_path / "own.npz")


def test_colons_in_messages_are_no_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["channel", "nothing:x:", "--out", str(tmp_path / "z.npz")])
    assert "mmwave-gym: nothing:x:: there is no such file" in capsys.readouterr().err
