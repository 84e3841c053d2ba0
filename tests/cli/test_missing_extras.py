"""A command that needs an optional library says so, with the command that installs it, before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mmwave_gym.cli import main
from mmwave_gym.core.errors import is_installed, require

TASK = "cell_selection/n3-cost10"
BOARD = ["leaderboard", "--out", "board", "--task", TASK]
COMMANDS = [
    (["train", "ppo", "--task", TASK], "stable_baselines3", "train"),
    (["train", "ppo", "--task", TASK, "--seeds", "0-1", "--out", "runs"], "stable_baselines3", "train"),
    (["train", "ppo", "--task", TASK, "--seeds", "0-1", "--ray", "auto"], "ray", "ray"),
    (["sweep", "ppo", "--task", TASK], "optuna", "tune"),
    (["sweep", "ppo", "--task", TASK], "sb3_contrib", "train"),
    (["sweep", "ppo", "--task", TASK, "--ray", "auto"], "ray", "ray"),
    (["tune", "a3", "--task", "street/car-sparse"], "optuna", "tune"),
    (["tune", "a3", "--task", "street/car-sparse", "--ray", "auto"], "ray", "ray"),
    (["channel", "raytrace", "--scene", "munich", "--out", "city.npz"], "sionna", "raytrace"),
    (["export", "rate", "--task", TASK, "--minari", "mine/x-v0"], "minari", "minari"),
    (["push", "ppo", "--task", TASK, "--repo", "me/mine"], "huggingface_hub", "hub"),
    (["load", "me/mine", "--task", TASK], "huggingface_hub", "hub"),
    (BOARD, "jinja2", "report"),
    ([*BOARD, "--ray", "auto"], "ray", "ray"),
    (["bound", TASK, "--ray", "auto"], "ray", "ray"),
    (["verify", ".", "--ray", "auto"], "ray", "ray"),
    (["compare", "rate", "stay", "--task", TASK, "--ray", "auto"], "ray", "ray"),
    (["reproduce", "cell-selection", "--quick", "--out", "paper"], "matplotlib", "render"),
    (["evaluate", "policy.onnx", "--task", TASK], "onnxruntime", "onnx"),
    (["evaluate", "model.zip", "--task", TASK], "stable_baselines3", "train"),
    (["evaluate", "actor.pt", "--task", TASK], "torch", "train"),
    (["compare", "rate", "policy.onnx", "--task", TASK], "onnxruntime", "onnx"),
    (["render", "--task", TASK], "pygame", "render"),
    (["render", "--task", TASK, "--out", "x.gif"], "PIL", "report"),
    (["city", "--demo", "--picture", "city.png"], "matplotlib", "render"),
    (["sites", "nowhere.csv", "--out", "map.png"], "matplotlib", "render"),
]


NAMES = [f"{' '.join(words)} without {library}" for words, library, _ in COMMANDS]


@pytest.mark.parametrize(("words", "library", "extra"), COMMANDS, ids=NAMES)
def test_a_missing_library_is_told_before_any_work(
    words: list[str],
    library: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.partition(".")[0] in (library, "mmwave_baselines")]:
        monkeypatch.delitem(sys.modules, name)  # what has been imported would not ask again
    monkeypatch.setitem(sys.modules, library, None)  # type: ignore[arg-type]  # as where it is not installed
    for file in ("policy.onnx", "model.zip", "actor.pt"):
        Path(file).write_bytes(b"")
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    text = capsys.readouterr().err
    assert f"{extra}]'" in text
    assert "pip install 'mmwave-gym[" in text
    assert library in text or (library, extra) == ("stable_baselines3", "train")
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"policy.onnx", "model.zip", "actor.pt"}


def test_all_that_is_missing_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pygame", "PIL"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]
    with pytest.raises(ImportError, match=r"needs pygame and PIL: pip install 'mmwave-gym\[render,report\]'\.$"):
        require("a picture", "pygame", "PIL", "numpy")
    assert is_installed("numpy")
    assert not is_installed("nothing.at_all")
