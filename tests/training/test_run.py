"""What all training scripts share: one directory, one way to resume, one way to end. Here for each of their options."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

from rich.console import Console

from mmwave_baselines.association.training.turns import Turns, train as train_turns
from mmwave_baselines.power_allocation.training.unfolded import Unfolded
from mmwave_baselines.training.a3c import A3c, train as train_a3c
from mmwave_baselines.training.command import Command
from mmwave_baselines.training.curve import Curve
from mmwave_baselines.training.ppo import Ppo
from mmwave_baselines.training.run import BadRun, Run, checked, main

QUIET = Console(quiet=True)
SCRIPTS = [
    (Ppo, "MmwaveHandover-v0"),
    (A3c, "MmwaveHandover-v0"),
    (Turns, "MmwaveAssociation-v0"),
    (Unfolded, "MmwavePowerAllocation-v0"),
]
each = pytest.mark.parametrize(("kind", "env_id"), SCRIPTS)


def opened(kind: type[Command], env_id: str, out: Path, **more: Any) -> Run[Any]:
    return Run(kind(env_id=env_id, out=str(out), **more), "checkpoint", QUIET)


@each
def test_a_directory_is_new_or_resumed(kind: type[Command], env_id: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(BadRun, match=r"no checkpoint in .*, so nothing to resume"):
        opened(kind, env_id, out, resume=True)
    first = opened(kind, env_id, out)
    assert json.loads((out / "arguments.json").read_text())["env_id"] == env_id
    opened(kind, env_id, out)  # nothing was kept yet, so nothing is lost
    first.checkpoint.write_text("")
    with pytest.raises(BadRun, match="holds a run already: --resume continues it"):
        opened(kind, env_id, out)
    assert opened(kind, env_id, out, resume=True, eval_episodes=3).out == out
    with pytest.raises(BadRun, match="had other arguments: --seed was 0, is 3"):
        opened(kind, env_id, out, resume=True, seed=3)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadRun, match="cannot write to"):
        opened(kind, env_id, tmp_path / "file/run")


@pytest.mark.parametrize(
    ("kind", "env_id", "name", "script"),
    [
        (A3c, "MmwaveHandover-v0", "checkpoint.npz", train_a3c),
        (Turns, "MmwaveAssociation-v0", "checkpoint.pt", train_turns),
    ],
)
@pytest.mark.parametrize("text", ["", "no checkpoint"])
def test_a_damaged_checkpoint_is_said_to_be_so(
    kind: type[Command], env_id: str, name: str, script: Any, text: str, tmp_path: Path
) -> None:
    Run(kind(env_id=env_id, out=str(tmp_path)), name, QUIET).checkpoint.write_text(text)
    with pytest.raises(BadRun, match=rf"{name} is damaged \(.+\): begin again with another --out\.$"):
        script(kind(env_id=env_id, out=str(tmp_path), resume=True), QUIET)


@each
def test_the_default_directory_says_what_is_trained(
    kind: type[Command], env_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(kind(env_id=env_id, seed=2), "checkpoint", QUIET)
    assert run.out == Path(f"runs/{kind.__name__.lower()}-{run.task.scenario_name}-custom-s2")
    assert Run(kind(env_id=env_id), "checkpoint", QUIET, "other").out.name.startswith("other-")


def test_a_curve_goes_on_after_a_kill_and_is_saved_short(tmp_path: Path) -> None:
    path = tmp_path / "curve.json"
    curve = Curve(path, "utility")
    for at in range(100):
        curve.add(at, {"utility": at / 10, "reward": -1.0})
    resumed = Curve(path, "utility", goes_on=True)
    resumed.add(50, {"utility": 7.0})  # the checkpoint was of 50 decisions
    saved = resumed.saved()
    assert saved["metric"] == "utility"
    assert (len(saved["points"]), saved["points"][0], saved["points"][-1]) == (40, [0, 0.0], [50, 7.0])
    assert Curve(path, "utility").saved() == {}
    path.write_text("[[1, 2]]")
    opened(Ppo, "MmwaveHandover-v0", tmp_path).checkpoint.write_text("")
    with pytest.raises(BadRun, match=r"curve\.json is damaged .*: delete it"):
        opened(Ppo, "MmwaveHandover-v0", tmp_path, resume=True)


def test_scalars_and_files_of_parts(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = opened(Ppo, "MmwaveHandover-v0", tmp_path)
    for steps in (10, 20):
        run.record({"train/loss": steps / 10}, steps)
        run.record({"train/loss": 5.0}, steps, "s1")
    run.close()
    for part, values in (("", [1.0, 2.0]), ("s1", [5.0, 5.0])):
        events = EventAccumulator(str(tmp_path / "tensorboard" / part))
        events.Reload()
        assert [(e.step, e.value) for e in events.Scalars("train/loss")] == list(zip((10, 20), values, strict=True))


@pytest.mark.parametrize(
    ("kind", "env_id", "fault"),
    [
        (Turns, "MmwaveHandover-v0", "train.turns plays association only"),
        (Unfolded, "MmwaveHandover-v0", "train.unfolded allocates powers"),
        (A3c, "MmwaveAssociation-v0", "train.a3c plays handover and street only"),
        (Ppo, "MmwaveHandover-v9", "Did you mean 'MmwaveHandover-v0'|unknown environment 'MmwaveHandover-v9'"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(kind: type[Command], env_id: str, fault: str) -> None:
    with pytest.raises(BadRun, match=fault):
        checked(kind(env_id=env_id))


@each
def test_how_a_script_ends(kind: type[Command], env_id: str, tmp_path: Path, capsys: Any) -> None:
    """2 and one line for bad input, 130 when interrupted; what is nobody's bad input shows where it happened."""

    def ended(error: BaseException | None, *words: str) -> Any:
        def train(args: Any, console: Console) -> None:
            if error:
                raise error

        with pytest.raises(SystemExit) as end:
            main(kind, train, [env_id, "--out", str(tmp_path), *words])
        return end.value.code

    assert ended(BadRun("no such world.")) == 2
    assert capsys.readouterr().err == "train: no such world.\n"
    assert ended(KeyboardInterrupt()) == 130
    assert "the same command with --resume continues" in capsys.readouterr().err
    assert ended(None, "--steps", "0") == 2
    assert capsys.readouterr().err == "train: --steps must be at least 1, got 0.\n"
    with pytest.raises(ZeroDivisionError):
        main(kind, lambda args, console: 1 // 0, [env_id, "--out", str(tmp_path)])
