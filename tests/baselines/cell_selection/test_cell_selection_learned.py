"""Learned cell selection: how it is trained, and that what is shipped stands where the documentation says."""

import dataclasses
import shlex
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.cell_selection.learned import Dqn, Ppo, PpoMemory
from mmwave_gym.agents.networks import SetNetwork
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.benchmark.suite import task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

ROOT = Path(__file__).parents[3]
ENV = "MmwaveCellSelection-v0"
TASKS = ("n3-cost10", "n3-cost30", "n6-cost10", "n6-cost30")
SUM_RATE = "spectral_efficiency_bps_hz"


@lru_cache
def sum_rate(agent, name):
    """Sum over UEs in bit/s/Hz in each of 64 test episodes of 300 slots."""
    short = dataclasses.replace(task(f"cell_selection/{name}"), scored_steps=300)
    return np.array([row[SUM_RATE] for row in mmwave_gym.evaluate(agent, short, episodes=64)])


def against_team(agent, name, seeds):
    """What an agent has more than the team policy, as a share of that: the mean over training seeds."""
    team = sum_rate("team", name)
    return np.mean([(sum_rate(f"{agent}@{seed}", name) - team).mean() for seed in seeds]) / team.mean()


@pytest.mark.parametrize("name", TASKS)
def test_ppo_is_near_the_best_team_policy_of_one_slot(name):
    """Two training seeds. With so few slots the difference is known to 0.3 percent, so the margin is a whole one."""
    assert Ppo.training_seeds(task(f"cell_selection/{name}")) == (0, 1, 2, 3, 4)
    assert abs(against_team("ppo", name, (0, 1))) < 0.01
    for seed in (0, 1):
        assert sum_rate(f"ppo@{seed}", name).mean() > 1.1 * sum_rate("rate-stay", name).mean()


@pytest.mark.parametrize("name", TASKS[:2])
def test_memory_brings_more(name):
    """With three UEs, whose gain is large enough to be seen in so few slots."""
    seeds = PpoMemory.training_seeds(task(f"cell_selection/{name}"))[:1]
    assert against_team("ppo-memory", name, seeds) > max(0.0, against_team("ppo", name, (0, 1)))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("kind", [Ppo, PpoMemory, Dqn])
def test_shipped_agents_are_those_of_their_files(kind, name):
    of = task(f"cell_selection/{name}")
    for seed in kind.training_seeds(of):
        policy = kind.for_task(of, seed)
        script = "dqn" if kind is Dqn else "ppo"
        assert policy.metadata["command"].startswith(f"python -m train.{script} --task {of.name}")
        assert (policy.config["seed"], policy.config["kwargs"]) == (seed, of.kwargs)
        assert policy.metadata["training_kwargs"]["reward"] == "team"
        assert (policy.metadata["frame_stack"] > 1) == (kind is PpoMemory)
        assert isinstance(policy.network, SetNetwork)
        assert policy.label == kind.label


def test_other_games_have_no_weights():
    with pytest.raises(NotApplicable, match="no shipped PPO weights for cell_selection/own; there are some for"):
        Ppo.for_task(Task(env_id=ENV, name="cell_selection/own"))
    renamed = dataclasses.replace(task("cell_selection/n3-cost10"), kwargs={"num_ues": 3, "handover_cost": 0.2})
    with pytest.raises(NotApplicable, match="trained for another world"):
        Ppo.for_task(renamed)
    assert Ppo.training_seeds(task("handover/a1-beta5")) == ()


def collisions(agent, deterministic, name="n6-cost10"):
    """How often a slot a UE hands over to a cell to which another UE hands over too."""
    batch = Batch(make_scenario("cell_selection", **task(f"cell_selection/{name}").kwargs), 100)
    batch.reset([EpisodeKey(3, n, "test") for n in range(100)])
    places = batch.scenario.num_agents
    memory = agent.begin(View(batch, "local"), RowRng.from_seed(0, 100 * places))
    met = []
    for _ in range(200):
        serving = batch.state.serving.copy()
        action, memory = agent.predict(batch.observe().reshape(100 * places, -1), memory, None, deterministic)
        action = action.reshape(100, places)
        moved = (action != serving)[..., None] & (action[..., None] == np.arange(3))
        arrivals = moved.sum(axis=1)
        met.append(np.where(arrivals > 1, arrivals, 0).sum(axis=1).mean())
        batch.step(action)
    return np.mean(met[10:])


def test_ues_with_the_same_network_do_not_all_jump_together():
    """Taking the largest output instead of sampling, as in evaluation, makes no more of them meet in a new cell."""
    policy = Ppo.for_task(task("cell_selection/n6-cost10"), 0)
    greedy, sampled = (collisions(policy, deterministic) for deterministic in (True, False))
    assert greedy < 1.1 * sampled


# ---------------------------------------------------------------------------- training


@pytest.fixture
def in_the_checkout(monkeypatch):
    pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize("script", ["ppo", "dqn"])
def test_training_takes_what_is_good_for_the_scenario(script, in_the_checkout, tmp_path):
    """A short run with the presets but for its length; PPO has learned something, and the command repeats the run."""
    import importlib

    from mmwave_baselines.training.command import command, parse
    from mmwave_baselines.training.session import main

    module = importlib.import_module(f"mmwave_baselines.training.{script}")
    kind = getattr(module, script.capitalize())
    small = ["--n-envs=32", "--hidden=8", "--frame-stack=2", "--eval-every=0", "--eval-episodes=1"]
    length = ["--batch-size=256", "--steps=12000"] if script == "ppo" else ["--batch-size=64", "--steps=9000"]
    argv = ["--task", "cell_selection/n3-cost30", "--set", "horizon=100", *small, *length, "--seed=3"]
    args = parse(kind, argv)
    assert (args.network, args.train_set, args.gamma, args.stay_logit) == ("set", ("reward=team",), 0.8, 0.0)
    words = shlex.split(command(args))
    assert words[:3] == ["python", "-m", f"train.{script}"]
    assert parse(kind, words[3:]) == args

    main(kind, module.build, [*argv, "--out", str(tmp_path / "run")])
    world = Task(env_id=ENV, kwargs={"num_ues": 3, "handover_cost": 0.3, "horizon": 100}, name="cell_selection/short")
    played = mmwave_gym.evaluate(str(tmp_path / "run/policy.npz"), world, episodes=64)
    if script == "ppo":  # DQN is not even done exploring
        floor = mmwave_gym.evaluate("random", world, episodes=64)
        assert np.mean([r[SUM_RATE] for r in played]) > 1.2 * np.mean([r[SUM_RATE] for r in floor])


def test_what_the_command_line_says_comes_before_a_preset(in_the_checkout):
    from mmwave_baselines.training.command import command, parse
    from mmwave_baselines.training.ppo import Ppo as Arguments

    one = parse(Arguments, [ENV, "--gamma=0.998", "--network=mlp"])
    assert (one.gamma, one.network, one.frame_stack) == (0.998, "mlp", 1)
    # Defaults of the class that the preset would change are said too, or the command would not repeat the run.
    assert parse(Arguments, shlex.split(command(one))[3:]) == one
    handover = parse(Arguments, ["MmwaveHandover-v0"])
    assert handover == Arguments(env_id="MmwaveHandover-v0")
    with pytest.raises(ValueError, match="--network must be one of mlp, plain, set, relative, got 'cnn'"):
        parse(Arguments, [ENV, "--network=cnn"])


def test_entropy_falls_to_nothing(in_the_checkout):
    from mmwave_baselines.training.callbacks import EntropyDecay
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.ppo import Ppo as Arguments, build
    from mmwave_baselines.training.session import Environment

    small = ["--n-envs=4", "--n-steps=8", "--batch-size=96", "--hidden=8", "--horizon=20"]
    args = parse(Arguments, [ENV, *small])
    model = build(args, Environment(args, args.target(), 0).venv)
    callback, weights = EntropyDecay(0.5), []
    callback.on_rollout_end = lambda: (EntropyDecay.on_rollout_end(callback), weights.append(model.ent_coef))
    model.learn(960, callback=callback)
    np.testing.assert_allclose(weights, 0.5 * np.arange(10, 0, -1) / 10)  # ten updates, the first at full weight
