"""Learning to allocate powers: continuous actions from training to a saved agent, and what the shipped agents reach."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

import torch
from rich.console import Console
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import VecEnvWrapper

import mmwave_gym  # noqa: F401 - registers the environments
from mmwave_baselines.power_allocation import optimisation
from mmwave_baselines.power_allocation.learned import Ppo as ShippedPpo, Repaired, repaired
from mmwave_baselines.power_allocation.planners import networks
from mmwave_gym.agents.files import load_policy
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import Policy, action_metadata, field_metadata
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.registry import training_seeds
from mmwave_gym.api.sb3 import make_sb3_vec_env, network_of
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import all_tasks, task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.power_allocation.policy import ChangePolicy, to_level

torch.set_num_threads(1)
ROOT = Path(__file__).parents[3]
ENV = "MmwavePowerAllocation-v0"
SEEN = {"observation": "local", "ue_radius_m": 30.0, "reward": "difference"}
FREE = {**SEEN, "levels": None}
SHIPPED = sorted((ROOT / "baselines/mmwave_baselines/power_allocation/weights").glob("ppo-clusters-s*.npz"))
LEARNED = [
    t.name for t in all_tasks() if t.scenario_name == "power_allocation" and t.kwargs.get("observation") == "local"
]
SMALL_PPO = ["--n-envs=6", "--steps=52800", "--batch-size=1320", "--checkpoint-every=100000"]
SMALL_SAC = ["--n-envs=2", "--steps=12000", "--batch-size=256", "--vary", "num_bs=[14,6]", "--hidden=32"]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def batch_of(num_envs: int, **keywords: Any) -> Batch:
    batch = Batch(make_scenario("power_allocation", **keywords), num_envs, draws_ahead=False)
    batch.reset([EpisodeKey(3, n) for n in range(num_envs)])
    return batch


def metadata_for(scenario: Any, **more: Any) -> dict[str, Any]:
    return {
        "env_id": ENV, "kwargs": {}, "training_kwargs": {"action": "change"}, "algorithm": "PPO", "output": "mean",
        "normalised": True, "frame_stack": 1, "action": action_metadata(scenario.action_space),
        "fields": field_metadata(scenario.fields), **more,
    }  # fmt: skip


def changing(seed: int = 0, **keywords: Any) -> ChangePolicy:
    """A policy with random weights that says changes of some decibels."""
    scenario = make_scenario("power_allocation", **{**FREE, "action": "change", **keywords})
    rng = np.random.default_rng(seed)
    sizes = [scenario.fields.size, 8, 1]
    layers = [
        (rng.normal(size=(b, a)).astype(np.float32), rng.normal(size=b).astype(np.float32))
        for a, b in itertools.pairwise(sizes)
    ]
    return ChangePolicy(Network(tuple(layers)), metadata_for(scenario))


# ---------------------------------------------------------------------- from changes to powers and levels


def test_a_change_is_the_same_however_powers_are_given() -> None:
    """The same world with changes, powers and levels: the same powers follow, to the nearest level there."""
    policy = changing()
    free = {**FREE, "start": "random"}
    worlds = {name: batch_of(5, **free, action=name) for name in ("change", "power")}
    memory = {name: policy.begin(View(b, "local"), RowRng.from_seed(0, 70)) for name, b in worlds.items()}
    moved = 0.0
    for _ in range(6):
        before = worlds["change"].state.power_mw.copy()
        for name, batch in worlds.items():
            seen = batch.observe().reshape(70, -1)
            action, memory[name] = policy.predict(seen, memory[name])
            batch.step(np.asarray(action, np.float64).reshape(5, 14))
        powers = [b.state.power_mw for b in worlds.values()]
        assert np.allclose(10 * np.log10(powers[0] / powers[1]), 0.0, atol=1e-4)
        moved += np.abs(10 * np.log10(powers[0] / before)).max()
    assert moved > 1.0


def test_levels_are_the_nearest_and_the_pressed_go_up() -> None:
    policy = changing()
    levels = batch_of(4, **SEEN, start="random")
    view = View(levels, "local")
    memory = policy.begin(view, RowRng.from_seed(0, 56))
    pressed_ones = 0
    for _ in range(8):
        seen = levels.observe().reshape(56, -1)
        parts = levels.scenario.fields.split(seen)
        raw, _ = Policy.predict(policy, seen, policy.fresh(view, RowRng.from_seed(0, 56)))
        wanted = np.clip(parts["power_dbm"][:, 0].astype(float) + raw, -10.0, 35.0)
        grid = np.linspace(-10.0, 35.0, 32)
        action, memory = policy.predict(seen, memory)
        assert action.dtype == np.int64
        pressed = parts["pressure"][:, 0] > 1e-3
        pressed_ones += pressed.sum()
        nearest = np.abs(grid - wanted[:, None]).argmin(axis=1)
        assert (action[~pressed] == nearest[~pressed]).all()
        above = np.searchsorted(grid, wanted[pressed] - 0.2 * 45.0 / 31.0 - 1e-9)
        assert (action[pressed] == above).all()
        levels.step(action.reshape(4, 14))
    assert pressed_ones > 10


def test_rounding_on_paper() -> None:
    position = np.array([3.0, 3.1, 3.3, 3.6, 0.0, 31.0])
    assert to_level(position, np.zeros(6, bool)).tolist() == [3, 3, 3, 4, 0, 31]
    assert to_level(position, np.ones(6, bool)).tolist() == [3, 3, 4, 4, 0, 31]


def test_it_reads_its_own_bounds_and_refuses_other_observations() -> None:
    """The bound of `members` is the number of places: what a number means must not depend on it."""
    policy = changing()
    wide = batch_of(2, **FREE, layout="poisson", cluster_bs=(2, 24))
    assert policy.metadata["fields"] != field_metadata(wide.scenario.fields)
    seen = wide.observe().reshape(48, -1)
    dbm, _ = policy.predict(seen, policy.begin(View(wide, "local"), RowRng.from_seed(0, 48)))
    home = batch_of(2, **FREE)
    said, _ = Policy.predict(policy, seen, policy.fresh(View(wide, "local"), RowRng.from_seed(0, 48)))
    there = wide.state.present.ravel()
    before = wide.scenario.fields.split(seen)["power_dbm"][:, 0]
    assert np.allclose(dbm[there], np.clip(before + said, -10.0, 35.0)[there])
    assert home.scenario.num_agents == 14
    with pytest.raises(AgentError, match="observation='local'"):
        policy.begin(View(batch_of(2), "local"), RowRng.from_seed(0, 28))
    with pytest.raises(AgentError, match="must begin"):
        policy.predict(seen)


# ---------------------------------------------------------------------- training


def trained(script: str, words: list[str], out: Path) -> Path:
    import importlib

    from mmwave_baselines.training.run import parse_checked
    from mmwave_baselines.training.session import train

    module = importlib.import_module(f"mmwave_baselines.training.{script}")
    args = parse_checked(getattr(module, script.capitalize()), [*words, "--out", str(out)])
    return train(args, module.build, Console(quiet=True))


def beginner(script: str, words: list[str]) -> Policy:
    """The agent before it learned anything."""
    import importlib

    from mmwave_baselines.training.run import parse_checked
    from mmwave_baselines.training.session import Environment, agent_of

    module = importlib.import_module(f"mmwave_baselines.training.{script}")
    args = parse_checked(getattr(module, script.capitalize()), words)
    environment = Environment(args, args.target(), args.seed)
    return agent_of(module.build(args, environment.venv), args, environment, args.target())


@pytest.mark.sample(by=lambda script, options, others: ("one of them",))
@pytest.mark.parametrize(
    ("script", "options", "others"), [("ppo", SMALL_PPO, ("begun", "full")), ("sac", SMALL_SAC, ("begun",))]
)
def test_short_training_improves(script: str, options: list[str], others: tuple[str, ...], tmp_path: Path) -> None:
    """Better than it began, PPO than everybody at full power, too; the file plays levels as well."""
    options = [*options, "--eval-every=0", "--eval-episodes=8"]
    path = trained(script, [ENV, *options, "--seed=1"], tmp_path / "run")
    policy = load_policy(path)
    assert isinstance(policy, ChangePolicy)
    hard = dataclasses.replace(task("power_allocation/hard-14"), episodes=24)
    begun = beginner(script, [ENV, *options, "--seed=1"])
    rate = {}  # the reward says what a base station adds to others' choices, so it ranks no policies
    for name, agent in (("trained", policy), ("begun", begun), ("full", "full-power")):
        rate[name] = np.array([row["satisfied_rate_bps_hz"] for row in evaluate(agent, hard)])
    for other in others:
        gain = rate["trained"] - rate[other]
        assert gain.mean() > 2.0 * gain.std() / len(gain) ** 0.5, (other, gain.mean())
    levels = Task(env_id=ENV, kwargs={**SEEN, "horizon": 30}, episodes=4)
    assert len(evaluate(policy, levels)) == 4


def test_sac_needs_a_range() -> None:
    from mmwave_baselines.training.run import BadRun, parse_checked
    from mmwave_baselines.training.sac import Sac, build
    from mmwave_baselines.training.session import Environment

    args = parse_checked(Sac, [ENV, "--set", "horizon=50", "--train-set", "horizon=20", "--see=ring"])
    with pytest.raises(BadRun, match="levels=null"):
        build(args, Environment(args, args.target(), 0).venv)
    other = parse_checked(Sac, ["--task", "street/car-sparse"])
    with pytest.raises(BadRun, match=r"here they are Discrete\(6\)\.$"):
        build(other, Environment(other, other.target(), 0).venv)
    with pytest.raises(BadRun, match="--network must be plain"):
        parse_checked(Sac, [ENV, "--network", "set"])


@pytest.mark.parametrize("algorithm", [PPO, SAC])
@pytest.mark.parametrize("control", ["first", "all"])
def test_algorithms_take_the_gymnasium_environment(algorithm: Any, control: str) -> None:
    """One base station among others with a Box of shape (1,), or a cluster with one of shape (14,)."""
    env = gym.make(ENV, **FREE, horizon=20, control=control)
    assert env.action_space.shape == ((1,) if control == "first" else (14,))
    sizes: dict[str, Any] = {"n_steps": 40} if algorithm is PPO else {"learning_starts": 20, "batch_size": 32}
    model = algorithm("MlpPolicy", env, device="cpu", seed=0, policy_kwargs={"net_arch": [16]}, **sizes)
    before = [p.clone() for p in model.policy.actor.parameters()] if algorithm is SAC else None
    model.learn(80)
    assert model.num_timesteps >= 80
    observation, _ = env.reset(seed=1)
    action, _ = model.predict(observation, deterministic=True)
    assert env.action_space.contains(np.asarray(action, np.float32))
    if before is not None:
        after = list(model.policy.actor.parameters())
        assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("script", ["ppo", "sac"])
def test_the_saved_network_is_the_models(script: str, tmp_path: Path) -> None:
    """Standardised inputs, units of the action and SAC's squashing are folded in; SB3 answers the same."""
    import importlib

    from mmwave_baselines.training.run import parse_checked
    from mmwave_baselines.training.session import Environment

    module = importlib.import_module(f"mmwave_baselines.training.{script}")
    args = parse_checked(getattr(module, script.capitalize()), [ENV, "--n-envs=2", "--seed=3", "--hidden=16"])
    environment = Environment(args, args.target(), 3)
    model = module.build(args, environment.venv)
    with torch.no_grad():
        for part in (model.policy.action_net,) if script == "ppo" else (model.policy.actor.mu,):
            for weight in part.parameters():
                weight.mul_(60.0 if script == "ppo" else 2.0).add_(0.1)
    network, output = network_of(model)
    assert output == ("mean" if script == "ppo" else "squashed")
    shown = environment.venv.reset()
    metadata = metadata_for(environment.base.scenario, output=output, normalised=False)
    action, _ = Policy(network, metadata).predict(shown)
    expected = model.predict(shown, deterministic=True)[0][:, 0]
    assert np.ptp(expected) > 1.0
    assert np.allclose(action, expected, atol=2e-3)
    hidden = [f.name for f in environment.base.scenario.fields if f.name not in args.see.split(",")]
    columns = environment.base.scenario.fields.split(np.arange(shown.shape[1]))
    for name in hidden:
        assert (network.layers[0][0][:, columns[name]] == 0.0).all()
    assert network.layers[0][0][:, columns["balance_db"]].any()


def test_unknown_fields_are_named() -> None:
    from mmwave_baselines.training.ppo import Ppo
    from mmwave_baselines.training.run import BadRun, parse_checked

    with pytest.raises(BadRun, match=r"--see names colour, but an observation has: power_dbm"):
        parse_checked(Ppo, [ENV, "--see", "power_dbm,colour"])
    with pytest.raises(BadRun, match="--deviation must be above 0"):
        parse_checked(Ppo, [ENV, "--deviation", "0"])


def test_the_batched_bootstrap_is_that_of_sb3() -> None:
    """The rollout buffer is the same whether values of last observations are added one by one or at once."""
    from mmwave_baselines.training.bootstrap import BatchedBootstrapPpo, TruncationBootstrap

    def buffer(algorithm: Any, wrap: Any) -> Any:
        keywords = {**FREE, "action": "change", "horizon": 5, "num_bs": 4}
        env = wrap(make_sb3_vec_env(ENV, 3, 0, **keywords))
        model = algorithm("MlpPolicy", env, n_steps=12, batch_size=48, n_epochs=1, gamma=0.5, seed=0, device="cpu")
        model.learn(1)
        return model.rollout_buffer

    quick = buffer(BatchedBootstrapPpo, lambda venv: TruncationBootstrap(venv, 0.5))
    slow = buffer(PPO, lambda venv: VecEnvWrapperThatDoesNothing(venv))
    assert np.allclose(quick.rewards, slow.rewards, atol=1e-5)
    assert np.allclose(quick.returns, slow.returns, atol=1e-5)
    plain = slow.rewards.reshape(12, 3, 4)
    assert slow.episode_starts[5].all()
    assert plain.shape[0] == 12


class VecEnvWrapperThatDoesNothing(VecEnvWrapper):
    def reset(self) -> Any:
        return self.venv.reset()

    def step_wait(self) -> Any:
        return self.venv.step_wait()


# ---------------------------------------------------------------------- what is shipped


def test_five_seeds_are_shipped_and_say_how_they_were_made() -> None:
    assert len(SHIPPED) == 5
    for number, path in enumerate(SHIPPED):
        metadata = json.loads(path.with_suffix(".json").read_text())
        assert metadata["seed"] == number
        assert metadata["command"].startswith(f"python -m train.ppo {ENV}")
        assert f"--seed {number}" in metadata["command"] or number == 0
        assert metadata["training_kwargs"]["action"] == "change"
        assert metadata["training_kwargs"]["reward"] == "difference"
        assert metadata["steps"] >= 1_000_000
        assert metadata["results"]["qos_satisfaction"] > 0.985
        policy = load_policy(path)
        assert isinstance(policy, ChangePolicy)


def test_one_set_of_weights_for_all_tasks_but_the_rings() -> None:
    assert set(LEARNED) == {t for t in LEARNED if training_seeds("ppo", "power_allocation", task(t))[0] is not None}
    assert len(LEARNED) >= 5
    for name in LEARNED:
        for agent in ("ppo", "ppo-repair"):
            assert len(training_seeds(agent, "power_allocation", task(name))) == 5
            assert load_agent(f"{agent}@2", "power_allocation", task(name)).metadata["seed"] == 2
    for agent in ("ppo", "ppo-repair"):
        with pytest.raises(NotApplicable, match="ring"):
            load_agent(agent, "power_allocation", task("power_allocation/paper-14"))
    assert ShippedPpo.training_seeds(None) == ()


def hard(episodes: int, name: str = "hard-14") -> Task:
    return dataclasses.replace(task(f"power_allocation/{name}"), episodes=episodes)


def test_the_shipped_policy_reaches_what_is_claimed() -> None:
    """On feasible draws of the training split, against full power: 99 % of users satisfied and a larger sum."""
    for seed in (0, 3):
        rows = evaluate(f"ppo@{seed}", hard(32), split="train")
        full = evaluate("full-power", hard(32), split="train")
        assert np.mean([row["qos_satisfaction"] for row in rows]) > 0.985
        gain = np.array([a["sum_rate_bps_hz"] - b["sum_rate_bps_hz"] for a, b in zip(rows, full, strict=True)])
        assert gain.mean() > 3.0 * gain.std() / 32**0.5


def test_repair_satisfies_all_where_that_is_possible() -> None:
    """And where it is not, no fewer than the policy alone."""
    rows = evaluate("ppo-repair", hard(16), split="train")
    assert all(row["qos_satisfaction"] == 1.0 for row in rows)
    alone, mended = (evaluate(a, hard(8, "overfull-14"), split="train") for a in ("ppo", "ppo-repair"))
    means = [np.mean([row["qos_satisfaction"] for row in r]) for r in (alone, mended)]
    assert means[1] >= means[0] - 0.01


def test_repaired_powers_are_kept_until_base_stations_change() -> None:
    batch = batch_of(2, **FREE, horizon=80, changes=2)
    policy = load_agent("ppo", "power_allocation", hard(1))
    agent = Repaired(policy.network, policy.metadata)
    a = batch.scenario.num_agents
    memory = agent.begin(View(batch, "central"), RowRng.from_seed(0, 2 * a))
    powers, phases = [], []
    for _ in range(79):
        phases.append(batch.state.phase.copy())
        action, memory = agent.predict(batch.observe().reshape(2 * a, -1), memory)
        batch.step(np.asarray(action, np.float64).reshape(2, a))
        powers.append(batch.state.power_mw.copy())
    phases.append(batch.state.phase.copy())
    for env in range(2):
        since, held, moved = 0, 0, 0
        for t in range(1, 79):
            since = 0 if phases[t][env] != phases[t - 1][env] else since + 1
            same = np.allclose(powers[t][env], powers[t - 1][env], rtol=1e-6)
            if since > 20 and phases[t + 1][env] == phases[t][env]:  # else who came or left shows already
                assert same
                held += 1
            moved += since < 20 and not same
        assert moved > 0
        assert held > 0 or np.diff(batch.episodes.change_slot[batch.episodes.row[env]]).max() < 22


def test_repair_on_levels_stays_on_levels() -> None:
    """And satisfies no fewer than the powers that it begins at."""
    batch = batch_of(6, **SEEN)
    rng = np.random.default_rng(0)
    for at, network in networks(View(batch, "central"), np.arange(6)):
        levels = 10.0 ** (0.1 * np.linspace(-10.0, 35.0, 32))
        start = levels[rng.integers(0, 32, np.broadcast_shapes(*(i.shape for i in at)))]
        mended = repaired(network, start, 32)
        position = (10.0 * np.log10(mended) + 10.0) / 45.0 * 31.0
        assert np.allclose(position, np.rint(position), atol=1e-6)
        before, after = (optimisation.satisfied(network, p).sum(axis=1) for p in (start, mended))
        assert (after >= before).all()
        assert after.sum() > before.sum()
