"""The training scripts: small runs from beginning to end, killed and resumed, and each kind of bad input."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

import mmwave_gym
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import RowRng

ROOT = Path(__file__).parents[2]
ENV = "MmwaveHandover-v0"
TINY = ["--set", "horizon=40", "--n-envs=8", "--frame-stack=2", "--hidden=8", "--eval-episodes=4", "--horizon=20"]
FOUR_LEVELS = ["MmwavePowerAllocation-v0", "--set", "levels=4", "--train-set=horizon=20"]  # as many as rings
PPO = ["--n-steps=8", "--batch-size=64", *TINY]


def run(script, *argv, out):
    """A script's main in this process; returns its exit code."""
    import importlib

    module = importlib.import_module(f"mmwave_baselines.training.{script}")
    kind = getattr(module, script.capitalize())
    from mmwave_baselines.training.session import main

    try:
        main(kind, module.build, [*argv, "--out", str(out)])
    except SystemExit as end:
        return end.code
    return 0


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


def scalars(out):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    return {tag: [e.value for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_ppo_from_the_command_to_a_ranked_agent(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("ppo", ENV, "--steps=640", "--eval-every=320", *PPO, out=out) == 0
    printed = capsys.readouterr().out.strip()
    assert printed == f"mmwave-gym evaluate {out}/policy.npz --env {ENV} --set horizon=40"

    written = scalars(out)
    for name in ("throughput_bps_hz", "handovers_per_s", "handover_energy_w", "ping_pongs_per_s", "outage_fraction"):
        assert f"rollout/{name}" in written
        assert f"eval/{name}" in written
    assert {"eval/reward", "eval/reference_reward", "eval/ceiling_reward", "eval/score", "train/loss"} <= set(written)
    assert written["eval/ceiling_reward"][0] >= written["eval/reference_reward"][0]
    assert written["eval/score"][0] <= 1

    described = json.loads((out / "policy.json").read_text())
    assert described["steps"] == 640
    assert described["kwargs"] == {"horizon": 40}
    assert described["training_kwargs"] == {"horizon": 20}
    assert described["command"].startswith(f"python -m train.ppo {ENV} --set horizon=40")
    assert described["results"]["reward"] == pytest.approx(written["eval/reward"][-1], abs=1)
    assert described["curve"]["metric"] == "score"
    assert [at for at, _ in described["curve"]["points"]] == [0, 320, 640]
    assert [value for _, value in described["curve"]["points"][1:]] == pytest.approx(written["eval/score"], rel=1e-3)

    task = mmwave_gym.Task(env_id=ENV, kwargs={"horizon": 40})
    by_npz, by_zip = (mmwave_gym.evaluate(str(out / name), task, episodes=4) for name in ("policy.npz", "model.zip"))
    assert by_npz == by_zip
    assert by_zip == mmwave_gym.evaluate(str(out / "model.zip"), task, episodes=4, trusted=True)


@pytest.mark.parametrize(
    ("script", "options"), [("a2c", ["--n-steps=8"]), ("dqn", ["--batch-size=16", "--buffer=1000"])]
)
def test_the_siblings(script, options, tmp_path):
    out = tmp_path / "run"
    assert run(script, ENV, "--steps=640", *options, *TINY, out=out) == 0
    assert load_agent(out / "policy.npz").config["algorithm"] == script.upper()
    assert "rollout/throughput_bps_hz" in scalars(out)


def test_many_ues_share_their_parameters(tmp_path):
    assert run("ppo", ENV, "--set", "num_ues=3", "--steps=512", *PPO, out=tmp_path / "run") == 0
    task = mmwave_gym.Task(env_id=ENV, kwargs={"horizon": 40, "num_ues": 3})
    assert len(mmwave_gym.evaluate(str(tmp_path / "run/policy.npz"), task, episodes=2)) == 2


def test_masked_environments_get_the_masked_algorithm(tmp_path, small_scenarios):
    options = ["--n-envs=8", "--hidden=8", "--eval-episodes=4", "--n-steps=8", "--batch-size=64", "--steps=128"]
    assert run("ppo", "RingRoad-v0", *options, out=tmp_path / "run") == 0
    assert "maskable" in str(json.loads(_of_zip(tmp_path / "run/model.zip", "data"))["policy_class"]).lower()


def _of_zip(path, name):
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_the_same_command_gives_the_same_network(tmp_path):
    for name in ("a", "b"):
        assert run("ppo", ENV, "--steps=256", "--seed=4", *PPO, out=tmp_path / name) == 0
    assert (tmp_path / "a/policy.npz").read_bytes() == (tmp_path / "b/policy.npz").read_bytes()
    one, other = (json.loads((tmp_path / name / "policy.json").read_text()) for name in ("a", "b"))
    for metadata in (one, other):
        assert metadata["training"].pop("processor_s") > 0  # a measured time, the only thing that may differ
    assert one == other
    assert run("ppo", ENV, "--steps=256", "--seed=5", *PPO, out=tmp_path / "c") == 0
    assert (tmp_path / "a/policy.npz").read_bytes() != (tmp_path / "c/policy.npz").read_bytes()


def test_a_killed_run_resumes(tmp_path, capsys):
    """A real process, killed without warning after its first checkpoint, goes on and ends as it should."""
    out = tmp_path / "run"
    words = [sys.executable, "-m", "train.ppo", ENV, "--checkpoint-every=64", *PPO, "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*words, "--steps=10000000"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.zip").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / "checkpoint.zip").exists()
    assert not (out / "policy.npz").exists()

    from stable_baselines3 import PPO as Algorithm

    reached = Algorithm.load(out / "checkpoint.zip").num_timesteps
    assert reached >= 64
    saved = json.loads((out / "arguments.json").read_text())
    saved["steps"] = -(-(reached + 640) // 64) * 64  # a nearer end, as if it had been asked for
    (out / "arguments.json").write_text(json.dumps(saved))
    assert run("ppo", *words[3:-2], f"--steps={saved['steps']}", "--resume", out=out) == 0
    assert f"resuming {out} at {reached:,} steps" in capsys.readouterr().err.replace("\n", " ").replace("  ", " ")
    assert json.loads((out / "policy.json").read_text())["steps"] == saved["steps"]


def test_resuming_what_is_done_saves_it_again(tmp_path, capsys):
    out = tmp_path / "run"
    assert run("ppo", ENV, "--steps=128", *PPO, out=out) == 0
    first = (out / "policy.npz").read_bytes()
    assert run("ppo", ENV, "--steps=128", *PPO, "--resume", out=out) == 0
    assert (out / "policy.npz").read_bytes() == first
    assert run("ppo", ENV, "--steps=128", *PPO, out=out) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert run("ppo", ENV, "--steps=128", "--gamma=0.5", *PPO, "--resume", out=out) == 2
    assert "--gamma was 0.998, is 0.5" in capsys.readouterr().err
    whole = (out / "checkpoint.zip").read_bytes()
    for damaged in (b"", b"no archive", whole[: len(whole) // 2], whole.replace(b"data", b"dust")):
        (out / "checkpoint.zip").write_bytes(damaged)
        assert run("ppo", ENV, "--steps=128", *PPO, "--resume", out=out) == 2
        text = capsys.readouterr().err
        assert f"{out / 'checkpoint.zip'} is damaged (" in text
        assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["Nothing-v0"], "unknown environment 'Nothing-v0'"),
        ([], "name an environment"),
        (["--task", "handover/none"], "unknown task"),
        ([ENV, "--set", "bta=3"], "Did you mean 'beta'"),
        ([ENV, "--set", "beta"], "KEY=VALUE is needed"),
        ([ENV, "--train-set", "start=moon"], "start must be"),
        ([ENV, "--steps=0"], "--steps must be at least 1"),
        ([ENV, "--resume"], "nothing to resume"),
        ([ENV, "--imitate=nobody", *PPO], "unknown handover agent 'nobody'"),
        ([ENV, "--no-such-option"], "unrecognized arguments"),
        ([ENV, "--step=3"], "unrecognized arguments: --step=3. Did you mean '--steps'? --help lists the options."),
        (["--task", "handover/a1-beta26"], "Did you mean 'handover/a1-beta25'"),
        ([*FOUR_LEVELS, "--network=set"], "needs a field with a number for each of the 4 choices"),
        ([*FOUR_LEVELS, "--network=relative"], "needs a field with a number for each of the 4 choices"),
        (["MmwavePowerAllocation-v0", "--set", "levels=null", "--network=set"], "--network set makes one choice"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(argv, said, tmp_path, capsys):
    assert run("ppo", *argv, out=tmp_path / "run") == 2
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_a_directory_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run("ppo", ENV, out=tmp_path / "file/run") == 2
    assert "cannot write to" in capsys.readouterr().err


@pytest.mark.sample(by=lambda words, missing, extra: (extra,))
@pytest.mark.parametrize(
    ("words", "missing", "extra"),
    [
        (["train.ppo", ENV], "torch", "train"),
        (["mmwave_gym.cli", "train", "ppo", "--help"], "stable_baselines3", "train"),
        (["train.a3c", "--help"], "torch", "train"),
        (["mmwave_gym.cli", "train", "turns"], "numba", "train,baselines"),
    ],
)
def test_a_missing_extra_is_named(words, missing, extra, tmp_path):
    """In one line, with exit code 2, even where only help is asked for."""
    (tmp_path / f"{missing}.py").write_text(f"raise ModuleNotFoundError('No module named {missing}', name={missing!r})")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path[1:]])}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [f"mmwave-gym: training needs {missing}: pip install 'mmwave-gym[{extra}]'."]


def test_the_command_is_recorded_as_it_was_given(monkeypatch):
    """Scripts exist in a checkout only, so the command line names itself."""
    from mmwave_baselines.training.command import command, parse
    from mmwave_baselines.training.ppo import Ppo

    args = parse(Ppo, [ENV, "--seed=3"])
    for started, words in (
        ("/a/train/ppo.py", "python -m train.ppo"),
        ("/a/bin/mmwave-gym", "mmwave-gym train ppo"),
        ("/a/mmwave_gym/cli/__main__.py", "mmwave-gym train ppo"),
    ):
        monkeypatch.setattr(sys, "argv", [started])
        assert command(args) == f"{words} {ENV} --seed 3"


def test_staying_is_preferred_at_the_start():
    """The untrained network with the initial preference hands over in fewer slots than one without."""
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.ppo import Ppo, build
    from mmwave_baselines.training.session import Environment, agent_of, prefer_staying

    args = parse(Ppo, [ENV, *PPO])
    environment = Environment(args, args.target(), 0)
    model = build(args, environment.venv)
    rate = []
    for logit in (0.0, 8.0):
        prefer_staying(model, environment, logit)
        agent = agent_of(model, args, environment, args.target())
        observation = environment.base.reset()
        state = agent.begin(environment.base.view(), RowRng.from_seed(0, 8))
        moved = 0
        for _ in range(20):
            action, state = agent.predict(environment.base.raw_observation(), state, deterministic=False)
            moved += (environment.base.raw_observation()[:, 6:].argmax(axis=1) != action).sum()
            observation, *_ = environment.base.step(action)
        rate.append(moved / 160)
    assert observation.shape == (8, 12)
    assert rate[0] > 0.5
    assert rate[1] < 0.1


@pytest.mark.parametrize(
    "world",
    [
        {"boundary": "stay"},
        {"area_side_m": 3.0, "num_ues": 2, "interruption_s": 0.02},
        {"receiver": "real", "area_side_m": 3.0, "num_ues": 2, "interruption_s": 0.12},
    ],
)
def test_regrets_leave_out_only_what_no_action_changes(world):
    """Over an episode they are the return less one number, whoever plays; they are never positive, the oracle's 0."""
    from mmwave_baselines.training.shaping import TrainingReward
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    base = make_sb3_vec_env(ENV, 4, 0, horizon=30, **world)
    venv = TrainingReward(base, 0.5, True)
    totals = []
    for player in ("oracle", "strongest", "random"):
        agent = load_agent(player, "handover")
        base.seed(0)
        venv.reset()
        state = agent.begin(base.view(agent.access), RowRng.from_seed(0, base.num_envs))
        started, over = np.ones(base.num_envs, bool), np.zeros(base.num_envs, bool)
        returns, regrets = np.zeros(base.num_envs), np.zeros(base.num_envs)
        while not over.all():
            action, state = agent.predict(base.raw_observation(), state, started)
            _, regret, started, _ = venv.step(action)
            returns += base.outcome.reward.ravel() * ~over
            regrets += regret / 0.5 * ~over
            assert (regret[~over] <= 1e-4).all()
            over |= started
        if player == "oracle":
            assert np.allclose(regrets, 0, atol=1e-3)
        totals.append(returns - regrets)
    assert np.allclose(totals[0], totals[1], atol=1e-3)
    assert np.allclose(totals[0], totals[2], atol=1e-3)
    assert regrets.min() < -10  # the last player, random, had something to regret


@pytest.mark.parametrize("network", ["mlp", "set"])
def test_a_run_may_begin_as_a_rule(network):
    """As a sharp rule on the newest frame the untrained network is the strongest cell with a margin."""
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.ppo import Ppo, build
    from mmwave_baselines.training.run import BadRun
    from mmwave_baselines.training.session import Environment, agent_of, begin_as_rule

    args = parse(Ppo, [ENV, *PPO, "--network", network])
    environment = Environment(args, args.target(), 0)
    model = build(args, environment.venv)
    begin_as_rule(model, environment, "1,0,5", 30.0)
    agent = agent_of(model, args, environment, args.target())
    environment.base.reset()
    state = agent.begin(environment.base.view(), RowRng.from_seed(0, 8))
    agreed = []
    for _ in range(30):
        observation = environment.base.raw_observation()
        action, state = agent.predict(observation, state)
        agreed.append(action == (observation[:, :6] + 5 * observation[:, 6:]).argmax(axis=1))
        environment.base.step(action)
    assert np.mean(agreed) > 0.97
    with pytest.raises(BadRun, match="three numbers"):
        begin_as_rule(model, environment, "1,2", 1.0)


def test_imitation_approaches_the_expert(tmp_path):
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.imitation import imitate
    from mmwave_baselines.training.ppo import Ppo, build
    from mmwave_baselines.training.session import Environment

    args = parse(Ppo, [ENV, *PPO, "--n-envs=64"])
    environment = Environment(args, args.target(), 0)
    model = build(args, environment.venv)
    losses = [imitate(model, environment.venv, "strongest", args.target(), n, 0, 0.01) for n in (1, 150)]
    assert losses[0] > 1.0
    assert losses[1] < 0.5


def test_shipped_agents_are_those_of_their_files():
    from mmwave_baselines.handover.learned import A2c, Dqn, Ppo
    from mmwave_gym.agents.protocol import AgentError, NotApplicable
    from mmwave_gym.benchmark.suite import task
    from mmwave_gym.benchmark.task import Task

    for kind in (Ppo, Dqn, A2c):
        for name in mmwave_gym.tasks("handover"):
            for seed in kind.training_seeds(task(name)):
                policy = kind.for_task(task(name), seed)
                assert policy.config["seed"] == seed
                began = rf"(python -m train\.|mmwave-gym train ){kind.algorithm} --task {name} "
                assert re.match(began, policy.metadata["command"] + " ")
    for name in ("handover/a1-beta5", "handover/a1-beta25", "handover/a3-beta25"):
        assert len(Ppo.training_seeds(task(name))) >= 5
    assert Ppo.training_seeds(Task(env_id=ENV)) == ()
    with pytest.raises(NotApplicable, match="no shipped PPO weights for handover/own"):
        Ppo.for_task(Task(env_id=ENV, name="handover/own"))
    with pytest.raises(NotApplicable, match="name one"):
        Ppo.for_task(None)
    with pytest.raises(AgentError, match="not with 99"):
        Ppo.for_task(task("handover/a1-beta25"), 99)


def test_shipped_weights_are_small():
    """At most 160 kB a policy, and 4 MiB a scenario: agents of two more tasks came with v1."""
    sizes = [file.stat().st_size for file in (ROOT / "baselines/mmwave_baselines/handover/weights").iterdir()]
    assert max(sizes) < 160_000
    assert sum(sizes) < 4 * 2**20
