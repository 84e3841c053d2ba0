"""MaskablePPO where agents take turns: its buffer against plain Python, its credit, mixed worlds, a small training."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="the extra mmwave-gym[train] is not installed")

from rich.console import Console

from mmwave_baselines.association.learned import CandidatesPolicy
from mmwave_baselines.training.command import parse
from mmwave_baselines.training.per_agent_gae import PerAgentGaeBuffer, PerAgentGaePpo, TurnTakingVecEnv
from mmwave_baselines.training.ppo import Ppo, build
from mmwave_baselines.training.run import BadRun, parse_checked
from mmwave_baselines.training.session import train
from mmwave_baselines.training.yardstick import Yardstick
from mmwave_gym import evaluate
from mmwave_gym.agents.files import read_policy
from mmwave_gym.api.sb3 import make_sb3_vec_env
from mmwave_gym.benchmark.task import Task

ENV = "MmwaveAssociation-v0"
SMALL = {"geometry": "blocked", "crossings": (3, 3), "settle_s": 5.0, "duration_s": 29.0}
WORDS = [ENV, *(w for k, v in SMALL.items() for w in ("--set", f"{k}={json.dumps(v) if k == 'crossings' else v}"))]


def part(num_ues: int, num_envs: int = 1, seed: int = 0) -> Any:
    return make_sb3_vec_env(ENV, num_envs, seed, num_ues=num_ues, **SMALL)


def choose(venv: Any, rng: np.random.Generator) -> Any:
    """Random allowed actions."""
    masks = np.stack(venv.env_method("action_masks"))
    return np.where(masks, rng.random(masks.shape), -1.0).argmax(axis=1)


def slow_advantages(buffer: PerAgentGaeBuffer) -> tuple[Any, Any, Any]:
    """Advantages before they are centred, whether they are known, and returns: one UE of one episode at a time."""
    steps, columns = buffer.agent.shape
    advantage, known = np.zeros((steps, columns)), np.zeros((steps, columns), bool)
    for column in range(columns):
        time_s, episode, chains = 0.0, 0, {}
        for k in range(steps):
            episode += bool(buffer.episode_starts[k, column])
            chains.setdefault((episode, buffer.agent[k, column]), []).append((k, time_s))
            time_s += buffer.elapsed_s[k, column]
        for decisions in chains.values():
            for (k, at_s), (following, then_s) in reversed(list(pairwise(decisions))):
                discount = math.exp(-(then_s - at_s) / buffer.horizon_s)
                error = buffer.rewards[following, column] + discount * buffer.values[following, column]
                error -= buffer.values[k, column]
                advantage[k, column] = error + discount * buffer.gae_lambda * advantage[following, column]
                known[k, column] = True
    return advantage, known, advantage + buffer.values


def test_the_buffer_follows_each_ues_own_decisions() -> None:
    rng = np.random.default_rng(0)
    venv = TurnTakingVecEnv([part(5), part(9)])
    steps = 200  # more than an episode of five UEs
    buffer = PerAgentGaeBuffer(
        steps, venv.observation_space, venv.action_space, "cpu", gae_lambda=0.8, n_envs=2, horizon_s=7.0
    )
    buffer.venv = venv
    import torch

    observation, starts = venv.reset(), np.ones(2, bool)
    for _ in range(steps):
        masks = np.stack(venv.env_method("action_masks"))
        action = choose(venv, rng)
        following, reward, done, _ = venv.step(action)
        value = torch.as_tensor(rng.normal(size=2))
        buffer.add(observation, action[:, None], reward, starts, value, value, action_masks=masks)
        observation, starts = following, done
    assert buffer.episode_starts[1:].any()
    buffer.compute_returns_and_advantage(torch.zeros(2), starts)
    advantage, known, returns = slow_advantages(buffer)
    counted = known & (buffer.action_masks.sum(axis=2) > 1)
    assert 0.5 < counted.mean() < 1.0
    assert np.allclose(buffer.returns, returns, atol=1e-4)
    spread = advantage[counted]
    within = 5.0 * spread.std()
    cut = np.clip(advantage - spread.mean(), -within, within)
    assert np.allclose(buffer.advantages, (cut - cut[counted].mean()) * counted, atol=1e-4)
    assert (buffer.advantages[~counted] == 0.0).all()


def test_the_reward_is_the_environments_credit() -> None:
    """Scaled; over an episode it is what the metric sums to, and `turn` tells who decided and for how long it held."""
    venv = TurnTakingVecEnv([part(6), part(10)], scale=0.5)
    venv.reset()
    rng = np.random.default_rng(1)
    earned, elapsed = np.zeros(2), np.zeros(2)
    running = np.ones(2, bool)
    while running.any():
        deciding = [int(p.batch.agent_ids()[0, 0]) for p in venv.venvs]
        _, reward, done, infos = venv.step(choose(venv, rng))
        credit = [p.outcome.metrics["credit_mbit"][0] for p in venv.venvs]
        assert np.allclose(reward, 0.5 * np.array(credit))
        assert venv.turn.agent.tolist() == deciding
        earned += credit * running
        elapsed += venv.turn.elapsed_s * running
        for i in np.flatnonzero(done & running):
            episode = infos[i]["episode"]
            assert episode["credit_mbit"] * episode["l"] == pytest.approx(earned[i])
            assert elapsed[i] == pytest.approx(SMALL["duration_s"], abs=5.0)
        running &= ~done
    assert (earned != 0.0).all()


def test_mixed_worlds_are_the_single_ones_side_by_side() -> None:
    mixed, single = TurnTakingVecEnv([part(6, 2), part(12)]), [part(6, 2), part(12)]
    rng = np.random.default_rng(2)
    assert mixed.num_envs == 3
    assert np.array_equal(mixed.reset(), np.concatenate([p.reset() for p in single]))
    for _ in range(100):
        masks = np.stack(mixed.env_method("action_masks"))
        assert np.array_equal(masks, np.concatenate([p.action_masks() for p in single]))
        action = choose(mixed, rng)
        observation, _, done, _ = mixed.step(action)
        alone = [p.step(a) for p, a in zip(single, (action[:2], action[2:]), strict=True)]
        assert np.array_equal(observation, np.concatenate([a[0] for a in alone]))
        assert np.array_equal(done, np.concatenate([a[2] for a in alone]))
    mixed.set_attr("render_mode", "x", [2])
    assert mixed.get_attr("render_mode", [1, 2]) == [None, "x"]
    assert [p.num_ues for p in mixed.get_attr("scenario")] == [6, 6, 12]
    assert set(mixed.recent_metrics()) >= {"reward", "network_rate_mbps"}
    other = make_sb3_vec_env(ENV, 1, 0, num_ues=6, **{**SMALL, "max_candidates": 2})
    with pytest.raises(ValueError, match="same observations and actions"):
        TurnTakingVecEnv([part(6), other])


def test_plain_rewards_can_be_asked_for() -> None:
    venv = TurnTakingVecEnv([part(6)], credit=False)
    venv.reset()
    _, reward, _, _ = venv.step(choose(venv, np.random.default_rng(0)))
    assert reward[0] == pytest.approx(venv.venvs[0].outcome.reward[0, 0])


def test_it_trains_and_what_it_saves_plays_at_any_density(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two densities in one run; the better of two evaluations is kept. Curves have one before the first decision."""
    scores = iter([0.0, 3.0, 9.0, 1.0, 2.0])
    monkeypatch.setattr(Yardstick, "__init__", lambda self, task, episodes: setattr(self, "missing", []))
    monkeypatch.setattr(Yardstick, "score", lambda self, agent: {"reward": next(scores)})
    words = ["--vary", "num_ues=[8,16]", "--steps", "512", "--n-steps", "64", "--eval-every", "256"]
    words += ["--imitate-updates", "10", "--horizon", "50", "--out", str(tmp_path)]
    path = train(parse_checked(Ppo, [*WORDS, *words]), build, Console(quiet=True))
    metadata = json.loads(path.with_suffix(".json").read_text())
    assert metadata["results"]["reward"] == 9.0
    assert metadata["results"]["steps"] == 512
    assert "--vary" in metadata["command"]
    policy: Any = read_policy(path.read_bytes(), path.with_suffix(".json").read_bytes(), "policy", CandidatesPolicy)
    for num_ues, most in ((6, None), (20, 3)):
        task = Task(env_id=ENV, kwargs={**SMALL, "num_ues": num_ues, "max_candidates": most}, episodes=1)
        assert all(row["network_rate_mbps"] > 0.0 for row in evaluate(policy, task))
    assert train(parse_checked(Ppo, [*WORDS, *words, "--resume"]), build, Console(quiet=True)) == path
    assert json.loads(path.with_suffix(".json").read_text())["results"]["reward"] == 2.0  # the last network's


def test_what_is_built() -> None:
    """Per-agent GAE on credit where turns are taken, the environment's reward where it is not wanted."""
    from mmwave_baselines.training.session import Environment

    words = [*WORDS, "--set", "num_ues=6", "--n-steps", "64"]
    for more, kind in ([], PerAgentGaeBuffer), (["--no-per-agent-gae"], None):
        args = parse(Ppo, [*words, *more])
        assert len(args.varied_keywords(args.target())) == 1  # --set comes before the preset's --vary
        model = build(args, Environment(args, args.target(), 0).venv)
        assert isinstance(model, PerAgentGaePpo) == (kind is not None)
        assert isinstance(model.rollout_buffer, PerAgentGaeBuffer) == (kind is not None)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--vary", "num_ues=3"], "a keyword and a list"),
        (["--vary", "num_ues=[3,4]", "--vary", "max_candidates=[2]"], "lists of one length"),
        (["--frame-stack", "2"], "--frame-stack must be 1"),
        (["--horizon-s", "0"], "--horizon-s must be above 0"),
    ],
)
def test_bad_arguments_are_named(words: list[str], fault: str) -> None:
    with pytest.raises(BadRun, match=fault):
        parse_checked(Ppo, [*WORDS, *words])


def test_other_worlds_vary_too() -> None:
    """Side by side, each with its own keyword; observations are normalised alike."""
    from mmwave_baselines.training.concatenated import ConcatenatedVecEnv
    from mmwave_baselines.training.session import Environment

    words = ["MmwaveHandover-v0", "--vary", "beta=[1.0,2.0]", "--n-envs", "3", "--frame-stack", "2"]
    args = parse_checked(Ppo, words)
    environment = Environment(args, args.target(), 0)
    base = environment.base
    assert isinstance(base, ConcatenatedVecEnv)
    assert [part.unwrapped.scenario.config.beta for part in base.venvs] == [1.0, 2.0]
    assert environment.venv.num_envs == 6
    assert environment.venv.reset().shape == (6, 2 * base.scenario.fields.size)
    reward = environment.venv.step(np.zeros(6, np.int64))[1]
    assert reward.shape == (6,)
    assert set(base.recent_metrics()) >= {"reward", "throughput_bps_hz"}
