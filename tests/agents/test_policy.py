"""Policies as files: they act as the model did, remember as SB3's frame stack does, and say what is wrong with them."""

import json
import os
import shutil
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest

import mmwave_gym  # registers the environments
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import Policy, action_metadata, field_metadata
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.api.gymnasium import ScenarioVectorEnv
from mmwave_gym.core.registration import make_scenario

ENV = "MmwaveHandover-v0"
WORLD = {"horizon": 40}


def scenario():
    return make_scenario("handover", **WORLD)


def metadata(frame_stack=1, **other):
    return {
        "env_id": ENV,
        "kwargs": WORLD,
        "algorithm": "PPO",
        "action": action_metadata(scenario().action_space),
        "output": "logits",
        "normalised": True,
        "frame_stack": frame_stack,
        **other,
    }


def random_network(inputs=12, outputs=6, hidden=(8,), skip=True, seed=0):
    rng = np.random.default_rng(seed)
    widths = [inputs, *hidden, outputs]
    layers = []
    for i, (a, b) in enumerate(pairwise(widths)):
        a += inputs if skip and i == len(hidden) else 0
        layers.append((rng.normal(size=(b, a)).astype(np.float32), rng.normal(size=b).astype(np.float32)))
    return Network(tuple(layers), "tanh", skip)


@pytest.fixture
def saved(tmp_path):
    return save_policy(tmp_path / "policy.npz", random_network(), scenario().fields, metadata(seed=3, steps=10))


def begun(policy, num_envs=5, **world):
    env = ScenarioVectorEnv("handover", num_envs=num_envs, **{**WORLD, **world})
    observation, _ = env.reset(seed=0)
    return env, observation, policy.begin(env.view(policy.access), RowRng.from_seed(0, num_envs))


# ---------------------------------------------------------------------------- the same actions as the model


def trained(algorithm, frame_stack, skip):
    pytest.importorskip("stable_baselines3")
    import stable_baselines3
    import torch
    from stable_baselines3.common.vec_env import VecFrameStack

    from mmwave_gym.api.sb3 import make_sb3_vec_env
    from mmwave_gym.api.sb3_networks import SkipDqnPolicy, SkipPolicy

    torch.set_num_threads(1)
    venv = make_sb3_vec_env(ENV, 16, 0, **WORLD)
    stacked = VecFrameStack(venv, frame_stack) if frame_stack > 1 else venv
    policy = {True: {"DQN": SkipDqnPolicy}.get(algorithm, SkipPolicy), False: "MlpPolicy"}[skip]
    options = {"learning_starts": 64} if algorithm == "DQN" else {"n_steps": 16}
    kind = getattr(stable_baselines3, algorithm)
    model = kind(policy, stacked, learning_rate=1e-2, policy_kwargs={"net_arch": [16, 16]}, seed=0, **options)
    model.learn(512)
    with torch.no_grad():  # little learning leaves habits: make the choice depend on what is seen
        for name, weight in model.policy.named_parameters():
            if name.endswith("weight") and weight.shape[0] > 1:
                weight.normal_(0.0, 0.3, generator=torch.Generator().manual_seed(len(weight)))
    return venv, stacked, model


@pytest.mark.parametrize(
    ("algorithm", "frame_stack", "skip"), [("PPO", 4, True), ("A2C", 1, False), ("DQN", 3, True), ("DQN", 1, False)]
)
def test_numpy_acts_as_stable_baselines3(tmp_path, algorithm, frame_stack, skip):
    """Thousands of observations of episodes that begin and end, of the saved .npz and of the .zip."""
    from mmwave_gym.api.sb3 import network_of

    venv, stacked, model = trained(algorithm, frame_stack, skip)
    network, output = network_of(model)
    described = metadata(frame_stack, algorithm=algorithm, output=output)
    path = save_policy(tmp_path / "policy.npz", network, venv.scenario.fields, described)
    model.save(tmp_path / "policy.zip")
    agents = [load_policy(path), load_policy(tmp_path / "policy.zip")]

    venv.seed(7)
    shown = stacked.reset()
    states = [a.begin(venv.view(), RowRng.from_seed(0, 16)) for a in agents]
    started, different, compared, chosen = np.ones(16, bool), 0, 0, set()
    rng = np.random.default_rng(0)
    for _ in range(250):
        expected, _ = model.predict(shown, deterministic=True)
        for i, agent in enumerate(agents):
            action, states[i] = agent.predict(venv.raw_observation(), states[i], started)
            different += (action != expected).sum()
            compared += len(action)
        chosen |= set(expected.tolist())
        explore = rng.integers(0, 6, 16)  # so that observations are not those of one habit
        shown, _, started, _ = stacked.step(np.where(rng.random(16) < 0.3, explore, expected))
    assert len(chosen) > 1
    assert compared == 8000
    assert different == 0  # float32 sums may differ in the last bit, but no choice was that close


def test_sampling_follows_the_softmax_and_the_given_chance():
    network = Network(((np.zeros((6, 12), np.float32), np.log([1, 2, 3, 4, 5, 5]).astype(np.float32)),))
    policy = Policy(network, {**metadata(), "fields": field_metadata(scenario().fields)})
    _, observation, state = begun(policy, num_envs=1000)
    action, _ = policy.predict(observation, state, deterministic=False)
    share = np.bincount(action, minlength=6) / 1000
    assert np.allclose(share, np.array([1, 2, 3, 4, 5, 5]) / 20, atol=0.05)
    again, _ = policy.predict(observation, begun(policy, num_envs=1000)[2], deterministic=False)
    assert np.array_equal(action, again)
    assert (policy.predict(observation, begun(policy, num_envs=1000)[2])[0] == 4).all()


def test_masks_are_obeyed(small_scenarios):
    env = ScenarioVectorEnv("ring_road", num_envs=20)
    observation, _ = env.reset(seed=0)
    fields, space = env.scenario.fields, env.single_action_space
    network = random_network(fields.size, int(space.n), seed=1)
    described = {**metadata(), "action": action_metadata(space), "fields": field_metadata(fields)}
    policy = Policy(network, described)
    state = policy.begin(env.view(), RowRng.from_seed(0, 20))
    forbidden = 0
    for t in range(30):
        action, state = policy.predict(observation, state, deterministic=t % 2 == 0)
        mask = env.action_masks()
        assert mask[np.arange(20), action].all()
        forbidden += (~mask).sum()
        observation, *_ = env.step(action)
    assert forbidden > 0


def test_pairs_of_choices_and_continuous_actions():
    fields = scenario().fields
    box = gym.spaces.Box(np.zeros(2, np.float32), np.ones(2, np.float32))
    for space, outputs, output in ((gym.spaces.MultiDiscrete([4, 2]), 6, "logits"), (box, 2, "mean")):
        network = random_network(12, outputs)
        if output == "mean":
            network = Network(network.layers, "tanh", True, np.zeros(2, np.float32))
        described = {**metadata(), "action": action_metadata(space), "output": output, "fields": field_metadata(fields)}
        policy = Policy(network, described)
        observation = np.random.default_rng(0).uniform(fields.low, fields.high, (50, 12)).astype(np.float32)
        for deterministic in (True, False):
            action, _ = policy.predict(observation, deterministic=deterministic)
            assert action.shape == (50, 2)
            assert all(space.contains(a.astype(space.dtype)) for a in action)
            assert len(np.unique(action, axis=0)) > 1


def test_the_state_is_the_callers_and_rows_are_independent(saved):
    policy = load_policy(saved)
    _, observation, state = begun(policy)
    before = state.frames.copy()
    all_rows, _ = policy.predict(observation, state)
    assert np.array_equal(state.frames, before)
    one, _ = policy.predict(observation[2], None)
    assert one == all_rows[2]
    assert (policy.kind, policy.access) == ("learned", "local")
    assert policy.config["seed"] == 3
    assert len(policy.weights_sha256) == 64


def test_a_saved_policy_is_ranked_by_its_path(saved):
    task = mmwave_gym.Task(env_id=ENV, kwargs=WORLD)
    rows = mmwave_gym.evaluate(str(saved), task, episodes=3)
    assert [row["episode"] for row in rows] == [0, 1, 2]
    assert np.array_equal(
        [r["reward"] for r in rows],
        [r["reward"] for r in mmwave_gym.evaluate(load_agent(saved.with_suffix(".json")), task, episodes=3)],
    )


def test_saving_twice_gives_the_same_bytes(saved, tmp_path):
    other = save_policy(tmp_path / "other.npz", random_network(), scenario().fields, metadata(seed=3, steps=10))
    assert saved.read_bytes() == other.read_bytes()
    assert saved.with_suffix(".json").read_bytes() == other.with_suffix(".json").read_bytes()
    assert not list(tmp_path.glob("*.part"))


# ---------------------------------------------------------------------------- each way a file can be wrong


def rewrite(path, **changes):
    side = path.with_suffix(".json")
    side.write_text(json.dumps({**json.loads(side.read_text()), **changes}))


def test_missing_files(saved, tmp_path):
    with pytest.raises(AgentError, match=r"no file .*nowhere.npz"):
        load_policy(tmp_path / "nowhere.npz")
    with pytest.raises(AgentError, match=r"no file .*nowhere.zip"):
        load_policy(tmp_path / "nowhere.zip")
    saved.with_suffix(".json").unlink()
    with pytest.raises(AgentError, match=r"no file .*policy\.json; a policy is two files"):
        load_policy(saved)


def test_truncated_and_foreign_weights(saved, tmp_path):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AgentError, match="damaged"):
        load_policy(saved)
    import hashlib

    rewrite(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(AgentError, match=r"not an \.npz file|pickled"):
        load_policy(saved)


def test_pickled_arrays_are_refused(saved):
    import hashlib

    np.savez(saved, **{"0.w": np.array([{"a": 1}], dtype=object)})
    rewrite(saved, sha256=hashlib.sha256(saved.read_bytes()).hexdigest())
    with pytest.raises(AgentError, match=r"not an \.npz file|pickled"):
        load_policy(saved)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 99}, "format 99"),
        ({"frame_stack": 2}, "24 long"),
        ({"action": {"kind": "discrete", "n": 7}}, "gives 6 numbers"),
        ({"frame_stack": 10**9}, r"policy\.json: frame_stack must be a whole number"),
        ({"sampled": "no"}, r"policy\.json: sampled must be true or false, got 'no'"),
        ({"normalised": 1}, r"policy\.json: normalised must be true or false, got '1'"),
        ({"output": "logit"}, r"policy\.json: unknown output 'logit'. Did you mean 'logits'"),
        ({"env_id": ["a"]}, r"policy\.json: env_id must be a text"),
        ({"fields": [["a", 100_000, 0, 1]] * 1000}, r"policy\.json: an observation may have 10,000,000 numbers"),
        ({"fields": [["x", 10**12, 0, 1]]}, "the size of the field 'x'"),
        ({"action": "up"}, "action must have a kind"),
        ({"network": {"sizes": [12, 8, 8, 6], "activation": "tanh", "skip": True}}, "do not fit together"),
        ({"network": {"sizes": [12, 8, 6], "activation": "tanh", "skip": False}}, "must take 8 numbers"),
        ({"network": {"sizes": [12, 8, 6], "activation": "sine", "skip": True}}, "activation"),
        ({"fields": "nonsense"}, r"policy\.json: fields must be a list"),
    ],
)
def test_a_description_that_does_not_fit(saved, changes, said):
    rewrite(saved, **changes)
    with pytest.raises(AgentError, match=said):
        load_policy(saved)


def test_a_description_that_is_none(saved):
    side = saved.with_suffix(".json")
    for text, said in (("{", "not JSON"), ("[]", "must hold an object"), ('{"format": 1}', "lacks env_id")):
        side.write_text(text)
        with pytest.raises(AgentError, match=said):
            load_policy(saved)


def test_another_environment(saved):
    policy = load_policy(saved)
    with pytest.raises(AgentError, match=r"trained on MmwaveHandover-v0 .*rsrq_db\[6\].*here it is .*rsrq_db\[4\]"):
        begun(policy, num_cells=4)
    with pytest.raises(AgentError, match="12 numbers, got 5"):
        policy.predict(np.zeros((2, 5), np.float32))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_unreadable_files(saved):
    saved.chmod(0)
    with pytest.raises(AgentError, match="cannot be read"):
        load_policy(saved)


def test_archives_that_are_none(saved, tmp_path):
    pytest.importorskip("stable_baselines3")
    fake = tmp_path / "model.zip"
    fake.write_bytes(b"no archive")
    with pytest.raises(AgentError, match="not a Stable-Baselines3 archive"):
        load_policy(fake)
    shutil.copy(saved, fake)
    with pytest.raises(AgentError, match="not a Stable-Baselines3 archive"):
        load_policy(fake)


def test_an_archive_without_description_takes_raw_observations(tmp_path):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import PPO

    from mmwave_gym.api.sb3 import make_sb3_vec_env

    venv = make_sb3_vec_env(ENV, 2, 0, normalise=False, **WORLD)
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=16, policy_kwargs={"net_arch": [8]}, seed=0)
    model.save(tmp_path / "own.zip")
    policy = load_policy(tmp_path / "own.zip")
    _, observation, state = begun(policy)
    assert np.array_equal(policy.predict(observation, state)[0], model.predict(observation, deterministic=True)[0])
    with pytest.raises(AgentError, match="another environment, or frames stacked"):
        begun(policy, num_cells=4)


@pytest.mark.parametrize("name", ["vecnormalize.pkl", "own/vecnormalize.pkl", "own_vecnormalize.pkl"])
def test_statistics_beside_an_archive_normalise_its_observations(tmp_path, name):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    from mmwave_gym.api.sb3 import make_sb3_vec_env

    venv = VecNormalize(make_sb3_vec_env(ENV, 2, 0, normalise=False, **WORLD))
    model = PPO("MlpPolicy", venv, n_steps=8, batch_size=16, policy_kwargs={"net_arch": [8]}, seed=0)
    model.learn(16)
    model.save(tmp_path / "own.zip")
    bare = load_policy(tmp_path / "own.zip").weights_sha256
    (tmp_path / name).parent.mkdir(exist_ok=True)
    venv.save(str(tmp_path / name))
    policy = load_policy(tmp_path / "own.zip")
    assert policy.weights_sha256 != bare
    _, seen, memory = begun(policy)
    action, _ = policy.predict(seen, memory)
    assert action.tolist() == model.predict(venv.normalize_obs(seen), deterministic=True)[0].tolist()


def test_statistics_that_are_none(tmp_path):
    import pickle

    from mmwave_gym.agents.archives import read_statistics

    file = tmp_path / "vecnormalize.pkl"
    for content, said in ((b"no pickle", "cannot read it"), (pickle.dumps(os.getcwd), "no part of"),
                          (pickle.dumps({}), "it holds a dict")):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(AgentError, match=said) as error:
            read_statistics(file)
        assert str(error.value).startswith(str(file))


def test_statistics_that_would_fill_the_memory(tmp_path):
    """Pickles of a hundred bytes each; the first took 3 GiB, the third asks for 32."""
    pytest.importorskip("stable_baselines3")
    import pickle
    import tracemalloc

    from stable_baselines3.common.running_mean_std import RunningMeanStd
    from stable_baselines3.common.vec_env import VecNormalize

    from mmwave_gym.agents.archives import read_statistics

    class Call:
        def __init__(self, function, *arguments):
            self.call = function, arguments

        def __reduce__(self):
            return self.call

    found = VecNormalize.__new__(VecNormalize)
    found.__dict__.update(norm_obs=True, obs_rms=RunningMeanStd(shape=(2,)), clip_obs=10.0, epsilon="small")
    found.__dict__.update(observation_space=None, norm_obs_keys=None, venv=None, class_attributes={}, returns=None)
    wrong = pickle.dumps(found)
    found.epsilon, found.obs_rms.var = 1e-8, np.array([1.0, np.nan])
    file = tmp_path / "vecnormalize.pkl"
    for content, said in (
        (pickle.dumps(Call(RunningMeanStd, 1e-4, (20_000, 20_000))), "it calls a class with arguments of its own"),
        (pickle.dumps(Call(gym.spaces.Box, 0.0, 1.0, (20_000, 20_000))), "no VecNormalize"),
        (b"\x80\x04Nr\xff\xff\xff\x7f0N.", "more than 100,000 operations"),
        (b"\x80\x04" + b"(l" * 200_000 + b".", "more than 100,000 operations"),
        (wrong, "its epsilon must be a number above 0, got 'small'"),
        (pickle.dumps(found), "its var must be an array of finite numbers"),
    ):
        file.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(AgentError, match=said) as error:
            read_statistics(file)
        assert str(error.value).startswith(str(file))
        assert tracemalloc.get_traced_memory()[1] < 2**25
        tracemalloc.stop()


def test_an_archive_that_unpacks_to_a_gigabyte(tmp_path):
    import zipfile

    with (
        zipfile.ZipFile(tmp_path / "big.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("data", "w") as file,
    ):
        for _ in range(300):
            file.write(bytes(2**20))
    with pytest.raises(AgentError, match=r"big\.zip: .* more than 256 MiB"):
        load_policy(tmp_path / "big.zip")
