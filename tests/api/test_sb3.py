"""The vector environment for Stable-Baselines3: what it tells an algorithm, and that algorithms learn on it."""

import warnings

import gymnasium as gym
import numpy as np
import pytest

pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")

import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import VecFrameStack, VecMonitor, VecNormalize

import mmwave_gym  # registers the environments
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.api.sb3 import SEED_SPACING, make_sb3_vec_env, network_of

torch.set_num_threads(1)
ENV = "MmwaveHandover-v0"


@pytest.mark.parametrize("world", [{"horizon": 7}, {"horizon": 400, "area_side_m": 2.0, "mobility": "A3"}])
def test_every_copy_is_the_single_environment(world):
    """Observations, rewards, ends, terminal observations and episode sums, over several episodes of each copy."""
    seed, num_envs = 3, 4
    venv = make_sb3_vec_env(ENV, num_envs, seed, normalise=False, **world)
    singles = [gym.make(ENV, **world) for _ in range(num_envs)]
    shown = venv.reset()
    for i, single in enumerate(singles):
        first, _ = single.reset(seed=seed * SEED_SPACING + i)
        assert np.array_equal(shown[i], first)
    rng = np.random.default_rng(0)
    sums, lengths, metrics = np.zeros(num_envs), np.zeros(num_envs, int), [[] for _ in range(num_envs)]
    ends = {True: 0, False: 0}
    for _ in range(60):
        action = rng.integers(0, 6, num_envs)
        shown, rewards, dones, infos = venv.step(action)
        for i, single in enumerate(singles):
            observation, reward, terminated, truncated, info = single.step(int(action[i]))
            sums[i] += reward
            lengths[i] += 1
            metrics[i].append(info)
            assert rewards[i] == np.float32(reward)
            assert dones[i] == (terminated or truncated)
            if not dones[i]:
                assert infos[i] == {}
                assert np.array_equal(shown[i], observation)
                continue
            ends[terminated] += 1
            assert np.array_equal(infos[i]["terminal_observation"], observation)
            assert infos[i]["TimeLimit.truncated"] == (truncated and not terminated)
            episode = infos[i]["episode"]
            assert episode["r"] == pytest.approx(sums[i], rel=1e-12)
            assert episode["l"] == lengths[i]
            assert episode["t"] >= 0
            handovers = sum(m["handovers_per_s"] for m in metrics[i])
            assert episode["handovers_per_s"] == pytest.approx(handovers / (0.05 * lengths[i]))
            throughput = np.mean([m["throughput_bps_hz"] for m in metrics[i]])
            assert episode["throughput_bps_hz"] == pytest.approx(throughput)
            sums[i], lengths[i], metrics[i] = 0.0, 0, []
            observation, _ = single.reset()
            assert np.array_equal(shown[i], observation)
    assert ends["area_side_m" in world] > 0  # the case showed the kind of end that it is for


def test_observations_are_normalised_unless_told_otherwise():
    shown = make_sb3_vec_env(ENV, 8, 0, horizon=5).reset()
    plain = make_sb3_vec_env(ENV, 8, 0, horizon=5, normalise=False).reset()
    assert shown.dtype == np.float32
    assert np.abs(shown).max() <= 1
    low, high = np.r_[np.full(6, -45), np.zeros(6)], np.r_[np.zeros(6), np.ones(6)]
    assert np.allclose(shown, 2 * (plain - low) / (high - low) - 1, atol=1e-6)


def test_training_seeds_share_no_world_and_repeat():
    first, again, other = (make_sb3_vec_env(ENV, 16, s, horizon=5).reset() for s in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not (first[:, None] == other[None]).all(axis=2).any()
    venv = make_sb3_vec_env(ENV, 4, 0, horizon=5)
    begun = venv.reset()
    following = venv.reset()
    assert not np.array_equal(begun, following)
    assert venv.seed(0)[:2] == [0, 1]
    assert np.array_equal(venv.reset(), begun)
    later = make_sb3_vec_env(ENV, 4, 0, horizon=5, first_episode=1).reset()
    assert np.array_equal(later, following)


def test_nothing_leaks_between_steps_or_copies():
    venv = make_sb3_vec_env(ENV, 4, 0, horizon=3)
    kept = venv.reset()
    before = kept.copy()
    observation, rewards, _, infos = venv.step(np.zeros(4, int))
    assert np.array_equal(kept, before)
    copied, rewards_copied = observation.copy(), rewards.copy()
    with pytest.raises(TypeError, match="read-only"):
        infos[0]["mine"] = 1
    with pytest.raises(TypeError, match="read-only"):
        infos[0].update(mine=1)
    venv.step(np.zeros(4, int))
    assert np.array_equal(observation, copied)
    assert np.array_equal(rewards, rewards_copied)
    *_, dones, infos = venv.step(np.zeros(4, int))
    assert dones.all()
    infos[0]["terminal_observation"][:] = 9  # an end's info is the caller's own
    assert (infos[1]["terminal_observation"] != 9).any()
    assert all(info == {} for info in venv.step(np.zeros(4, int))[3])


def test_it_works_under_the_wrappers_of_sb3():
    inner = make_sb3_vec_env(ENV, 4, 0, horizon=5)
    venv = VecNormalize(VecMonitor(VecFrameStack(inner, 3)))
    venv.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(12):
            observation, _, dones, infos = venv.step(np.zeros(4, int))
    assert observation.shape == (4, 36)
    assert all(np.shape(i["terminal_observation"]) == (36,) for i, d in zip(infos, dones, strict=True) if d)


def test_remote_access_as_sb3_uses_it():
    venv = make_sb3_vec_env(ENV, 3, 0, horizon=5)
    venv.reset()
    assert venv.has_attr("action_masks")
    assert not venv.has_attr("no_such_thing")
    assert np.stack(venv.env_method("action_masks")).shape == (3, 6)
    assert len(venv.env_method("action_masks", indices=[1])) == 1
    with pytest.raises(AttributeError, match="no_such"):
        venv.env_method("no_such")
    venv.set_attr("tag", 5, indices=1)
    assert venv.get_attr("tag") == [None, 5, None]
    assert venv.get_attr("render_mode", indices=[0, 2]) == [None, None]
    assert venv.env_is_wrapped(gym.Wrapper) == [False] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"id": "Nothing-v0"}, ValueError, "unknown environment"),
        ({"n_envs": 0}, ValueError, "n_envs"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 2**60}, ValueError, "seed"),
        ({"bta": 1.0}, TypeError, "beta"),
        ({"first_episode": -1}, ValueError, "first_episode"),
    ],
)
def test_bad_arguments_are_named(arguments, error, said):
    with pytest.raises(error, match=said):
        make_sb3_vec_env(**{"id": ENV, "n_envs": 2, "seed": 0, **arguments})


def test_bad_steps_are_named():
    venv = make_sb3_vec_env(ENV, 2, 0, horizon=5)
    with pytest.raises(gym.error.ResetNeeded):
        venv.step(np.zeros(2, int))
    venv.reset()
    with pytest.raises(ValueError, match="shape"):
        venv.step(np.zeros(3, int))
    with pytest.raises(ValueError, match="0 to 5"):
        venv.step(np.full(2, 6))


def test_recent_metrics_are_means_since_last_asked():
    venv = make_sb3_vec_env(ENV, 8, 0, horizon=50)
    venv.reset()
    venv.step(np.zeros(8, int))
    venv.recent_metrics()
    total = np.mean([venv.step(np.full(8, t % 6))[1] for t in range(1, 11)])
    recent = venv.recent_metrics()
    assert recent["reward"] == pytest.approx(total, rel=1e-5)
    assert recent["handovers_per_s"] == pytest.approx(20.0)  # every slot of 50 ms
    assert np.isnan(venv.recent_metrics()["reward"])


@pytest.mark.parametrize("algorithm", [PPO, A2C, DQN, MaskablePPO])
def test_algorithms_learn_on_it(algorithm):
    venv = make_sb3_vec_env(ENV, 8, 0, horizon=10)
    options = {"learning_starts": 16} if algorithm is DQN else {"n_steps": 8}
    options |= {"batch_size": 32} if algorithm in (PPO, MaskablePPO) else {}
    model = algorithm("MlpPolicy", venv, policy_kwargs={"net_arch": [8]}, seed=0, device="cpu", **options)
    before, _ = network_of(model)
    model.learn(256)
    after, _ = network_of(model)
    assert not np.array_equal(before.layers[0][0], after.layers[0][0])
    assert len(model.ep_info_buffer) > 0
    assert {"r", "l", "t", "throughput_bps_hz"} <= set(model.ep_info_buffer[0])
    reward, length = evaluate_policy(model, make_sb3_vec_env(ENV, 2, 1, horizon=10), 4, return_episode_rewards=True)
    assert length == [10] * 4
    assert len(reward) == 4


def test_agents_that_leave_and_places_that_are_empty():
    """Six UEs in a small area: each is an environment of SB3; who has left shows zeros and earns nothing."""
    num_envs, ues = 3, 6
    venv = make_sb3_vec_env(ENV, num_envs, 5, num_ues=ues, area_side_m=3.0, horizon=60)
    assert venv.num_envs == num_envs * ues
    venv.reset()
    lived, returns, gone = np.zeros(18, int), np.zeros(18), np.zeros(18, bool)
    episodes = 0
    for _ in range(150):
        observation, rewards, dones, infos = venv.step(np.zeros(18, int))
        assert (rewards[gone] == 0).all()
        lived += ~gone
        returns += rewards
        for i in np.flatnonzero(dones):
            assert ("episode" in infos[i]) == (not gone[i])
            if not gone[i]:
                episodes += 1
                assert infos[i]["episode"]["l"] == lived[i]
                assert infos[i]["episode"]["r"] == pytest.approx(returns[i], rel=1e-5)
            lived[i], returns[i] = 0, 0.0
        absent = ~venv._present.ravel()
        assert (observation[absent] == 0).all()
        assert (np.abs(observation[~absent]).sum(axis=1) > 0).all()
        gone = absent
    assert episodes > 18  # everybody left or was cut off, and environments went on
    assert venv._present.any(axis=1).all()  # no copy runs on with nobody in it


def test_a_place_s_next_agent_begins_an_episode_of_its_own(small_scenarios):
    """A thousand agents that come and go: the steps of an empty place end when somebody sits down."""
    venv = make_sb3_vec_env("Crowd-v0", 1, 0)
    venv.reset()
    arrived = 0
    for _ in range(venv.scenario.horizon - 1):
        was = venv._present.ravel().copy()
        action = np.array([venv.action_space.sample() for _ in range(venv.num_envs)])
        _, rewards, dones, infos = venv.step(action)
        newcomers = ~was & venv._present.ravel()
        arrived += newcomers.sum()
        assert dones[newcomers].all()
        assert not any("episode" in infos[i] for i in np.flatnonzero(newcomers))
        assert (rewards[~was] == 0).all()
    assert arrived > 0


def test_masked_scenarios_train_with_masks(small_scenarios):
    venv = make_sb3_vec_env("RingRoad-v0", 4, 0)
    venv.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        masks = np.stack(venv.env_method("action_masks"))
        assert masks.dtype == bool
        assert masks.any(axis=1).all()
        venv.step((rng.random(masks.shape) * masks).argmax(axis=1))
    assert not masks.all()
    model = MaskablePPO("MlpPolicy", venv, n_steps=8, batch_size=16, policy_kwargs={"net_arch": [8]}, seed=0)
    model.learn(64)


def test_shared_parameters_learn_for_all_agents(small_scenarios):
    venv = make_sb3_vec_env("SharedCells-v0", 4, 0)
    assert venv.num_envs == 16
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=32, policy_kwargs={"net_arch": [8]}, seed=0)
    model.learn(400)
    assert model.ep_info_buffer[0]["l"] == venv.scenario.horizon


def test_networks_that_cannot_be_saved_are_refused():
    from torch import nn

    venv = make_sb3_vec_env(ENV, 2, 0, horizon=5)
    model = PPO("MlpPolicy", venv, n_steps=8, policy_kwargs={"net_arch": [8], "activation_fn": nn.ELU})
    with pytest.raises(AgentError, match="tanh or ReLU"):
        network_of(model)


def test_the_package_imports_without_stable_baselines3():
    import subprocess
    import sys

    code = "import mmwave_gym, mmwave_gym.agents.policy, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert mmwave_gym.__version__
