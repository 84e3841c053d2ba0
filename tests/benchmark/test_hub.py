"""Weights in the layout of a model hub: what is written, what the card says, and what is taken from it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.agents import AgentError
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import action_metadata
from mmwave_gym.benchmark import hub
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import task
from mmwave_gym.cli import main

TASK = task("cell_selection/n3-cost10")


def run(folder: Path, seed: int, **changes: Any) -> Path:
    """A run's directory as training leaves it: a linear policy of random weights."""
    scenario, rng = TASK.scenario(), np.random.default_rng(seed)
    shape = int(scenario.action_space.n), scenario.fields.size  # type: ignore[attr-defined]
    network = Network(((rng.normal(size=shape).astype(np.float32), np.zeros(shape[0], np.float32)),))
    about = {
        "algorithm": "PPO", "command": f"mmwave-gym train ppo --seed {seed}", "env_id": TASK.env_id, "steps": 4096,
        "kwargs": dict(TASK.kwargs), "seed": seed, "action": action_metadata(scenario.action_space),
        "output": "logits", "normalised": True, "frame_stack": 1, "training": {"processor_s": 2.5 + seed},
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_policy(folder / "policy.npz", network, scenario.fields, {**about, **changes})
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    runs = [run(tmp_path / f"run{seed}", seed) for seed in (0, 3)]
    return hub.publish(hub.trained([str(r) for r in runs], TASK), TASK, tmp_path / "hub", episodes=3)


def test_a_task_has_a_folder_and_each_seed_one_in_it(published: Path) -> None:
    assert published.name == "cell_selection-n3-cost10"
    names = sorted(str(p.relative_to(published)) for p in published.rglob("*") if p.is_file())
    assert names == ["README.md", "card.json", *(f"s{s}/policy.{e}" for s in (0, 3) for e in ("json", "npz"))]


def test_the_card_says_how_good_the_policies_are(published: Path) -> None:
    about = json.loads((published / "card.json").read_text())
    rows = [evaluate(str(published / f"s{seed}/policy.npz"), TASK, episodes=3, trusted=True) for seed in (0, 3)]
    mean = float(np.mean([[row[TASK.primary] for row in one] for one in rows]))
    ends = [
        float(np.mean([r[TASK.primary] for r in evaluate(a, TASK, episodes=3)])) for a in (TASK.floor, TASK.ceiling)
    ]
    assert about["mean"][0] == pytest.approx(mean)
    assert about["score"][0] == pytest.approx((mean - ends[0]) / (ends[1] - ends[0]), rel=1e-6)
    assert about["score"][1] < about["score"][0] < about["score"][2]
    assert (about["seeds"], about["episodes"], about["processor_s"]) == ([0, 3], 3, [2.5, 5.5])
    text = (published / "README.md").read_text()
    for words in ("license: mit", TASK.name, "mmwave-gym train ppo --seed 3", "2.5, 5.5", "4,096", "| licence | MIT |"):
        assert words in text
    assert (
        f"{about['score'][0]:.4g} [{about['score'][1]:.4g}, {about['score'][2]:.4g}], 0 is random, 1 is optimum" in text
    )


def test_what_is_loaded_plays_as_what_was_published(published: Path, tmp_path: Path) -> None:
    found = hub.fetch(str(published.parent), TASK.name)
    assert [path.parent.name for path in found] == ["s0", "s3"]
    before, after = (evaluate(load_policy(p), TASK, episodes=2) for p in (tmp_path / "run3/policy.npz", found[1]))
    assert before == after
    assert hub.card_of(found[0])["task"] == TASK.name


def test_a_damaged_policy_is_refused(published: Path) -> None:
    weights = published / "s3/policy.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(AgentError, match="damaged or not the file"):
        hub.fetch(str(published.parent), TASK.name)


def test_the_learning_curve_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    curve = {"metric": "score", "points": [[1000, 0.25], [2000, 0.5]]}
    made = run(tmp_path / "run", 0, curve=curve)
    folder = hub.publish(hub.trained([str(made)], TASK), TASK, tmp_path / "hub", episodes=2)
    assert (folder / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert "seeds](curve.png)" in (folder / "README.md").read_text()
    assert json.loads((folder / "s0/policy.json").read_text())["curve"] == curve


def test_what_cannot_be_published_says_why(tmp_path: Path) -> None:
    a, b = run(tmp_path / "a", 1), run(tmp_path / "b", 1)
    with pytest.raises(AgentError, match="two of the policies have the training seed 1"):
        hub.trained([str(a), str(b)], TASK)
    with pytest.raises(AgentError, match="rate-stay is no policy of mmwave-gym"):
        hub.trained(["rate-stay"], TASK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(AgentError, match=r"holds no policy\.npz"):
        hub.trained([str(tmp_path / "empty")], TASK)


def command(*words: Any) -> int:
    try:
        main([*map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(tmp_path / "run", 4)
    words = ["push", made, "--task", TASK.name, "--episodes", "2", "--out", tmp_path / "hub"]
    assert command(*words) == 0
    assert command("load", tmp_path / "hub", "--task", TASK.name) == 0
    told = capsys.readouterr().out
    assert f"s4/policy.npz --task {TASK.name}" in told
    assert command("load", tmp_path / "hub", "--task", "cell_selection/n6-cost10") == 2
    assert "it has cell_selection-n3-cost10" in " ".join(capsys.readouterr().err.split())
    assert command(*words, "--repo", "no name") == 2
    assert "a repository is written as user/name" in " ".join(capsys.readouterr().err.split())
    assert command("load", "me/nothing here", "--task", TASK.name) == 2


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install 'mmwave-gym\[hub\]'"):
        hub.ready("me/mine")
