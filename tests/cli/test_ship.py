"""`mmwave-gym ship`: runs of one algorithm become weights that load; everything else is refused with its reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outside_packages import RELAY, install

from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import action_metadata
from mmwave_gym.benchmark.suite import task
from mmwave_gym.cli import main

TASK = task("cell_selection/n3-cost10")


def run(folder: Path, number: int, name: str = "policy.npz", **changes: Any) -> Path:
    """A run's directory as training leaves it: a linear policy of random weights."""
    scenario, rng = TASK.scenario(), np.random.default_rng(number)
    shape = int(scenario.action_space.n), scenario.fields.size  # type: ignore[attr-defined]
    network = Network(((rng.normal(size=shape).astype(np.float32), np.zeros(shape[0], np.float32)),))
    about = {
        "algorithm": "PPO",
        "command": f"python -m train.ppo --task {TASK.name} --seed {number} --gamma 0.6",
        "env_id": TASK.env_id,
        "kwargs": dict(TASK.kwargs),
        "seed": number,
        "action": action_metadata(scenario.action_space),
        "output": "logits",
        "normalised": True,
        "frame_stack": 1,
        "steps": 10,
        "results": {"reward": float(number)},
    }
    folder.mkdir(exist_ok=True)
    save_policy(folder / name, network, scenario.fields, {**about, **changes})
    return folder


def ship(*words: Any) -> int:
    try:
        main(["ship", *map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_runs_become_weights_with_their_metadata(tmp_path: Path, capsys: Any) -> None:
    runs = [run(tmp_path / f"run-{seed}", seed) for seed in (0, 3)]
    assert ship(*runs, "--out", tmp_path / "weights") == 0
    names = sorted(p.name for p in (tmp_path / "weights").iterdir())
    assert names == [f"ppo-n3-cost10-s{seed}.{suffix}" for seed in (0, 3) for suffix in ("json", "npz")]
    for seed, of in zip((0, 3), runs, strict=True):
        shipped = tmp_path / f"weights/ppo-n3-cost10-s{seed}.npz"
        assert shipped.read_bytes() == (of / "policy.npz").read_bytes()
        assert shipped.with_suffix(".json").read_bytes() == (of / "policy.json").read_bytes()
        assert load_policy(shipped).config["seed"] == seed
    text = capsys.readouterr().out
    assert 'Ppo = Shipped(__package__, "ppo", "PPO",' in text
    assert '"cell_selection/ppo" = "mmwave_baselines.cell_selection.learned:Ppo"' in text


def test_what_is_there_is_not_written_over(tmp_path: Path, capsys: Any) -> None:
    first, other = run(tmp_path / "a", 0), run(tmp_path / "b", 0, results={"reward": 1.0})
    words = ("--out", tmp_path / "weights")
    assert ship(first, *words) == 0
    before = (tmp_path / "weights/ppo-n3-cost10-s0.json").read_bytes()
    assert ship(other, *words) == 2
    assert "holds ppo-n3-cost10-s0 already: --replace" in capsys.readouterr().err
    assert (tmp_path / "weights/ppo-n3-cost10-s0.json").read_bytes() == before
    assert ship(other, *words, "--replace") == 0
    assert (tmp_path / "weights/ppo-n3-cost10-s0.json").read_bytes() == (other / "policy.json").read_bytes()


def test_a_directory_with_several_seeds_and_a_name_of_ones_own(tmp_path: Path) -> None:
    for seed in (1, 2):
        run(tmp_path / "run", seed, f"policy-s{seed}.npz")
    words = ("--out", tmp_path / "w", "--name", "mine", "--task", "cell_selection/n3-cost10")
    assert ship(tmp_path / "run", *words) == 0
    assert sorted(p.stem for p in (tmp_path / "w").glob("*.npz")) == ["mine-n3-cost10-s1", "mine-n3-cost10-s2"]


def test_a_package_outside_this_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    home = tmp_path / "their_cells"
    home.mkdir()
    (home / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ship(run(tmp_path / "run", 5), "--package", "their_cells") == 0
    assert (home / "weights/ppo-n3-cost10-s5.npz").exists()
    text = capsys.readouterr().out
    assert 'scenario="cell_selection")' in text, "the package's name is not the scenario's"
    assert '"their_cells.learned:Ppo"' in text
    assert ship(tmp_path / "run", "--package", "no_such_package") == 2
    assert "there is no package 'no_such_package'" in capsys.readouterr().err


def test_an_installed_package_is_not_written_into_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    site = install(tmp_path / "site", RELAY)
    monkeypatch.syspath_prepend(str(site))
    weights, before = site / "relay_gym/weights", sorted((site / "relay_gym/weights").iterdir())
    words = (run(tmp_path / "run", 5), "--package", "relay_gym")
    assert ship(*words) == 2
    text = capsys.readouterr().err
    assert "was installed by pip as part of relay-gym" in text
    assert len(text.strip().splitlines()) == 1
    assert sorted(weights.iterdir()) == before
    assert ship(*words, "--installed") == 0
    assert (weights / "ppo-n3-cost10-s5.npz").exists()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"algorithm": "DQN"}, 'were not trained alike: algorithm "PPO" and "DQN".'),
        ({"frame_stack": 1, "normalised": False}, "normalised true and false"),
        (
            {"command": "python -m train.ppo --seed 1 --gamma 0.9 --regret"},
            '--gamma ["0.6"] and ["0.9"]; --regret null',
        ),
        ({"seed": 0}, "two runs have the training seed 0"),
        ({"seed": None}, "does not say which training seed"),
        ({"seed": True}, "does not say which training seed"),
        ({"seed": -1}, "does not say which training seed"),
        ({"command": "python 'unclosed --gamma 0.9"}, '--gamma ["0.6"] and ["0.9"]'),
    ],
)
def test_runs_that_do_not_belong_together(tmp_path: Path, capsys: Any, changes: Any, fault: str) -> None:
    runs = [run(tmp_path / "a", 0), run(tmp_path / "b", 1, **changes)]
    assert ship(*runs, "--out", tmp_path / "weights") == 2
    assert fault in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()


def test_what_is_no_finished_run(tmp_path: Path, capsys: Any) -> None:
    def fault(*words: Any) -> str:
        assert ship(*words, "--out", tmp_path / "weights") == 2
        text: str = capsys.readouterr().err
        assert len(text.strip().splitlines()) == 1
        return text

    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/checkpoint.zip").write_text("")
    assert "begun is not finished: there is no policy.npz" in fault(tmp_path / "begun")
    assert "there is no run" in fault(tmp_path / "nowhere")
    other = run(tmp_path / "other", 0, kwargs={"num_ues": 5})
    assert 'no task of the suite is MmwaveCellSelection-v0 with {"num_ues": 5}' in fault(other)
    whole = run(tmp_path / "whole", 0)
    assert "--name takes lower-case" in fault(whole, "--name", "My-PPO")
    text = json.loads((whole / "policy.json").read_text())
    (whole / "policy.json").write_text(json.dumps({**text, "sha256": "0"}))
    assert "is damaged" in fault(whole)
    misfit = run(tmp_path / "misfit", 0)
    assert "this policy was trained on MmwaveCellSelection-v0" in fault(misfit, "--task", "handover/a1-beta25")


def test_weights_of_another_world_are_said_to_be_so(tmp_path: Path, capsys: Any) -> None:
    words = ("--task", TASK.name, "--out", tmp_path / "w")
    assert ship(run(tmp_path / "a", 0), *words) == 0
    assert "trained_for" not in capsys.readouterr().out
    assert ship(run(tmp_path / "b", 1, kwargs={**TASK.kwargs, "handover_cost": 0.77}), *words) == 0
    assert "0.77}, which is not cell_selection/n3-cost10: Shipped(…) plays them only with trained_for=" in (
        capsys.readouterr().out
    )
    assert ship(run(tmp_path / "c", 2, env_id="MmwaveHandover-v0"), *words) == 2
    assert "was trained on MmwaveHandover-v0, and cell_selection/n3-cost10 is of Mmw" in capsys.readouterr().err
    assert ship(run(tmp_path / "d", 3, algorithm="../My PPO"), "--out", tmp_path / "v") == 0
    assert (tmp_path / "v/my_ppo-n3-cost10-s3.npz").exists()


def test_what_another_library_trained_ships_as_a_policy_that_needs_it_no_longer(tmp_path: Path, capsys: Any) -> None:
    torch = pytest.importorskip("torch")
    from mmwave_gym.agents.formats.described import describe
    from mmwave_gym.benchmark.evaluation import evaluate

    files = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        files.append(tmp_path / f"actor-s{seed}.pt")
        torch.save(
            torch.nn.Sequential(torch.nn.Linear(15, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).state_dict(), files[-1]
        )
        told = {"normalised": True, "activation": "tanh", "algorithm": "MAPPO", "library": "BenchMARL", "steps": 10}
        describe(
            files[-1], TASK.env_id, TASK.kwargs, **told, seed=seed, command=f"python it.py --seed {seed} --save x{seed}"
        )
    assert ship(*files, "--out", tmp_path / "weights") == 0
    assert 'Shipped(__package__, "benchmarl_mappo", "MAPPO (BenchMARL)"' in " ".join(capsys.readouterr().out.split())
    for seed, file in enumerate(files):
        made = tmp_path / f"weights/benchmarl_mappo-n3-cost10-s{seed}.npz"
        rows = [evaluate(str(path), TASK, episodes=2, trusted=True) for path in (made, file)]
        assert rows[0] == rows[1]
        about = load_policy(made)
        assert (about.label, about.metadata["seed"], about.training["decisions"]) == ("MAPPO (BenchMARL)", seed, 10)
    files[0].with_suffix(".json").write_text('{"activation": "tanh"}')
    assert ship(files[0], "--out", tmp_path / "other") == 2
    assert "lacks env_id, kwargs, seed, algorithm" in " ".join(capsys.readouterr().err.split())
