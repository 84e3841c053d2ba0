"""DeepMIMO folders that the tests write, by the public description of the format."""

from __future__ import annotations

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from scipy.io import savemat

import mmwave_gym  # noqa: F401
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.sources import deepmimo, open_channel

SIDE = 5
USERS = SIDE * SIDE


def write(folder: Path, *, stations: int = 3, ending: str = "npz", old_names: bool = False, **changes: object) -> Path:
    """A grid of 5 by 5 users 10 m apart. Station s sends two paths: -80 - s dB at all users, and a second of -90 dB."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = np.meshgrid(np.arange(SIDE) * 10.0, np.arange(SIDE) * 10.0)
    rx_m = np.column_stack((x.ravel(), y.ravel(), np.full(USERS, 1.5))).astype(np.float32)
    for station in range(stations):
        power = np.full((USERS, 4), np.nan, np.float32)
        power[:, 0], power[:, 1] = -80.0 - station, -90.0
        arrays = {
            "power": power,
            "rx_pos": rx_m,
            "tx_pos": np.array([[5.0 * station, -7.0, 10.0]], np.float32),
            **changes,
        }
        for name, array in arrays.items():
            if array is None:
                continue
            name = name.replace("pos", "loc") if old_names else name
            file = folder / f"{name}_t001_tx{station:03}_r000.{ending}"
            (np.savez if ending == "npz" else lambda f, **a: savemat(f, a))(file, **{name: array})
    return folder


@pytest.mark.parametrize(("ending", "old_names"), [("npz", False), ("mat", False), ("mat", True)])
def test_paths_are_added_and_the_world_is_played(tmp_path: Path, ending: str, old_names: bool) -> None:
    folder = write(tmp_path / "town", ending=ending, old_names=old_names)
    (folder / "params.json").write_text(json.dumps({"rt_params": {"frequency": 28e9}}))
    matrix = open_channel(f"deepmimo:{folder}")
    assert matrix.cells == ("t001_tx000", "t001_tx001", "t001_tx002")
    assert matrix.carrier_hz == 28e9
    assert matrix.rsrp_dbm.shape == (USERS, 3)
    # by hand: 10 log10(10^-8 + 10^-9) = -79.586; 30 dBm + 20 dB of antenna gain
    assert matrix.rsrp_dbm[0, 0] == pytest.approx(-79.586 + 50.0, abs=1e-3)
    assert matrix.site_m is not None
    assert matrix.site_m[2].tolist() == [10.0, -7.0]
    assert matrix.edges is not None
    assert len(matrix.edges) == 2 * SIDE * (SIDE - 1)
    env = gym.make("MmwaveHandover-v0", channel=f"deepmimo:{folder}", horizon=20)
    env.reset(seed=1)
    assert env.step(0)[1] > 0.0
    env.close()


def test_the_largest_set_of_receivers_is_the_users(tmp_path: Path) -> None:
    folder = write(tmp_path)
    for station in range(3):
        for name, array in (
            ("power", np.full((3, 2), -60.0)),
            ("rx_pos", np.zeros((3, 3))),
            ("tx_pos", np.zeros((1, 3))),
        ):
            np.savez(folder / f"{name}_t001_tx{station:03}_r001.npz", **{name: array})
    assert len(deepmimo.read(folder).rsrp_dbm) == USERS


def test_users_without_any_path_are_inside_of_buildings(tmp_path: Path) -> None:
    power = np.full((USERS, 2), -80.0, np.float32)
    power[12] = np.nan
    matrix = deepmimo.read(write(tmp_path, power=power))
    assert len(matrix.rsrp_dbm) == USERS - 1
    assert "24 of 25 points" in matrix.notes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"power": np.full((USERS, 2), 1e-9)}, "is it linear"),
        ({"power": np.full((USERS, 2), 35.0)}, "is it linear"),
        ({"power": np.full((7, 2), -80.0)}, r"power must have shape \(25, paths\), got \(7, 2\)"),
        ({"power": np.full(USERS, -80.0)}, r"power must have shape"),
        ({"power": np.array([["a", "b"]] * USERS)}, "power must be numbers"),
        ({"rx_pos": None}, "rx_pos_t001_tx000_r000.npz is missing"),
        ({"tx_pos": np.full((1, 3), np.nan)}, "tx_pos must be finite"),
        ({"rx_pos": np.zeros((USERS, 2))}, r"rx_pos must be finite, of shape \(places, 3\), got \(25, 2\)"),
        ({"stations": 1}, "1 base station;"),
        ({"power": np.full((USERS, 2), np.nan)}, "gain_db: a site is heard at 0 of 25 points"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, changes: dict, said: str) -> None:
    with pytest.raises(ChannelError, match=f"(?i){said}"):
        deepmimo.read(write(tmp_path, **changes))


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ChannelError, match="there is no such folder"):
        open_channel("deepmimo:nowhere")
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(ChannelError, match=r"holds no power_t.*found: readme.txt"):
        deepmimo.read(tmp_path)


def test_limits_of_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path)
    for name, value, said in (
        ("MAX_USERS", 24, "it has 25 users, at most 24"),
        ("MAX_VALUES", 74, "25 users times 3 base stations"),
        ("MAX_PATH_VALUES", 99, "power may hold 99 values, got 100"),
        ("MAX_FILE_BYTES", 100, "MiB|bytes"),
    ):
        with monkeypatch.context() as changed:
            changed.setattr(deepmimo, name, value)
            with pytest.raises(ChannelError, match=said):
                deepmimo.read(folder)


def test_a_file_of_pickles_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path)
    np.savez(folder / "power_t001_tx001_r000.npz", power=np.array([{"a": 1}] * USERS, object))
    with pytest.raises(ChannelError, match="power_t001_tx001_r000"):
        deepmimo.read(folder)


def test_a_damaged_matlab_file(tmp_path: Path) -> None:
    folder = write(tmp_path, ending="mat")
    file = folder / "power_t001_tx001_r000.mat"
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ChannelError, match="power_t001_tx001_r000"):
        deepmimo.read(folder)
    file.write_bytes(b"MATLAB 7.3 MAT-file" + bytes(200))
    with pytest.raises(ChannelError, match="save it as -v7"):
        deepmimo.read(folder)
