"""Networks over choices: as torch computes them, the same for every order of the choices, saved and read."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.networks import SetNetwork, choice_columns, mark_columns
from mmwave_gym.agents.policy import Policy, action_metadata, field_metadata
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, ObservationField, ObservationFields

ENV = "MmwaveCellSelection-v0"
FIELDS = ObservationFields(
    (
        ObservationField("level_db", 4, -50.0, 50.0, "dB", "", per="choice"),
        ObservationField("position_m", 2, 0.0, 9.0, "m", ""),
        ObservationField("serving", 4, 0.0, 1.0, "1", "", per="choice"),
    )
)
"""Two fields about four choices, and one between them that is not."""


def random_network(columns, inputs, hidden=(6, 5), activation="tanh", seed=0):
    rng = np.random.default_rng(seed)
    widths = [columns.shape[1], *hidden]
    shapes = [*((b, 3 * a) for a, b in pairwise(widths)), (1, widths[-1])]
    layers = [(rng.normal(size=s).astype(np.float32), rng.normal(size=s[0]).astype(np.float32)) for s in shapes]
    return SetNetwork(tuple(layers), columns, inputs, activation)


def of_fields(frames=1, **keywords):
    return random_network(choice_columns(FIELDS, 4, frames), 10 * frames, **keywords)


def some_masks(rng, rows, choices):
    mask = rng.random((rows, choices)) < 0.6
    mask[np.arange(rows), rng.integers(0, choices, rows)] = True
    return mask


def test_where_choices_find_their_features():
    """A number of its own from each field about choices, all numbers of the others, frame after frame."""
    assert choice_columns(FIELDS, 4).tolist() == [[c, 4, 5, 6 + c] for c in range(4)]
    assert choice_columns(FIELDS, 4, 2).tolist() == [[c, 4, 5, 6 + c, 10 + c, 14, 15, 16 + c] for c in range(4)]
    with pytest.raises(AgentError, match="a number for each of the 3 choices"):
        choice_columns(FIELDS, 3)


def test_fields_say_which_numbers_are_about_choices():
    """Not their sizes: a street with four cells has four past SINRs, and none of them is a cell's."""
    street = make_scenario("street", street="canyon", arm_m=300.0, isd_m=150.0)
    cells, sinr = int(street.action_space.n), next(f for f in street.fields if f.name == "sinr_db")
    assert cells == sinr.size == 4
    columns = choice_columns(street.fields, cells)
    where = street.fields.split(np.arange(street.fields.size))
    for name in ("rsrp_0_dbm", "serving"):
        assert [np.isin(where[name], own).sum() for own in columns] == [1, 1, 1, 1]
    assert all(np.isin(where["sinr_db"], own).all() for own in columns)
    assert mark_columns(street.fields, cells).tolist() == where["serving"].tolist()

    power = make_scenario("power_allocation", levels=4)  # as many levels as rings and neighbours
    assert int(power.action_space.n) == 4
    assert 4 in {f.size for f in power.fields}
    with pytest.raises(
        AgentError, match=r'number for each of the 4 choices, declared by ObservationField\(…, per="choice"\)'
    ):
        choice_columns(power.fields, 4)


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(4)), st.integers(0, 2**32 - 1), st.booleans(), st.integers(1, 3))
def test_choices_may_come_in_any_order(order, seed, masked, frames):
    """Reordered choices get their numbers in that order, whatever the weights, the frames and the masks."""
    rng = np.random.default_rng(seed)
    network = of_fields(frames, seed=seed)
    x = rng.normal(size=(20, network.inputs)).astype(np.float32)
    mask = some_masks(rng, 20, 4) if masked else None
    moved = x.copy()
    for frame in range(frames):
        for start in (10 * frame, 10 * frame + 6):
            moved[:, start : start + 4] = x[:, start : start + 4][:, order]
    expected = network(x, mask)[:, order]
    found = network(moved, None if mask is None else mask[:, order])
    allowed = slice(None) if mask is None else mask[:, order]
    np.testing.assert_allclose(found[allowed], expected[allowed], rtol=1e-4, atol=1e-5)


def test_what_is_not_allowed_is_not_seen():
    rng = np.random.default_rng(0)
    network = of_fields()
    x = rng.normal(size=(50, 10)).astype(np.float32)
    mask = some_masks(rng, 50, 4)
    mask[:, 2] = False
    mask[:, 0] = True
    other = x.copy()
    other[:, [2, 8]] = 100.0
    np.testing.assert_array_equal(network(x, mask)[mask], network(other, mask)[mask])
    assert (np.abs(network(x) - network(other))[mask] > 1e-3).any()
    # As if the choice did not exist.
    without = dataclasses.replace(network, columns=network.columns[[0, 1, 3]])
    np.testing.assert_allclose(
        network(x, mask)[:, [0, 1, 3]][mask[:, [0, 1, 3]]],
        without(x, mask[:, [0, 1, 3]])[mask[:, [0, 1, 3]]],
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("masked", [False, True])
def test_numpy_computes_as_torch(activation, masked):
    torch = pytest.importorskip("torch")
    pytest.importorskip("stable_baselines3")
    from mmwave_gym.api.sb3_networks import SetMlp

    network = of_fields(frames=2, activation=activation)
    module = SetMlp(network.columns.tolist(), [6, 5], {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[activation])
    with torch.no_grad():
        for layer, (weight, bias) in zip([*module.hidden, module.last], network.layers, strict=True):
            layer.weight.copy_(torch.as_tensor(weight))
            layer.bias.copy_(torch.as_tensor(bias))
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 20)).astype(np.float32)
    mask = some_masks(rng, 300, 4) if masked else None
    expected = module(torch.as_tensor(x), None if mask is None else torch.as_tensor(mask)).detach().numpy()
    allowed = slice(None) if mask is None else mask
    np.testing.assert_allclose(network(x, mask)[allowed], expected[allowed], rtol=1e-4, atol=1e-5)


def test_networks_that_cannot_be():
    columns = choice_columns(FIELDS, 4)
    good = random_network(columns, 10)
    with pytest.raises(AgentError, match="layer 0 of the network must take 12 numbers"):
        SetNetwork(good.layers[1:], columns, 10)
    with pytest.raises(AgentError, match="ends in one number a choice, got 5"):
        SetNetwork((*good.layers[:-1], (np.zeros((5, 5), np.float32), np.zeros(5, np.float32))), columns, 10)
    with pytest.raises(AgentError, match="activation"):
        random_network(columns, 10, activation="sine")


# ---------------------------------------------------------------------------- as policies


def metadata(scenario, frame_stack=1, output="logits"):
    return {
        "env_id": ENV,
        "kwargs": {},
        "algorithm": "PPO",
        "action": action_metadata(scenario.action_space),
        "output": output,
        "normalised": True,
        "frame_stack": frame_stack,
    }


@pytest.mark.parametrize(("algorithm", "frame_stack"), [("PPO", 2), ("DQN", 1)])
def test_a_saved_policy_acts_as_the_model(algorithm, frame_stack, tmp_path):
    """What NumPy chooses has the largest output of the model; where several have, Stable-Baselines3 takes the first."""
    pytest.importorskip("stable_baselines3")
    import stable_baselines3
    import torch
    from stable_baselines3.common.vec_env import VecFrameStack

    from mmwave_gym.api.sb3 import make_sb3_vec_env, network_of
    from mmwave_gym.api.sb3_networks import SetDqnPolicy, SetPolicy

    torch.set_num_threads(1)
    venv = make_sb3_vec_env(ENV, 32, 0, num_ues=4, horizon=30)
    stacked = VecFrameStack(venv, frame_stack) if frame_stack > 1 else venv
    columns = choice_columns(venv.scenario.fields, 3, frame_stack).tolist()
    kind, policy = getattr(stable_baselines3, algorithm), {"DQN": SetDqnPolicy}.get(algorithm, SetPolicy)
    options = {"learning_starts": 128} if algorithm == "DQN" else {"n_steps": 8, "batch_size": 256}
    model = kind(policy, stacked, learning_rate=1e-2, policy_kwargs={"columns": columns, "net_arch": [8, 8]}, **options)
    model.learn(2048)
    model.save(tmp_path / "model.zip")
    model = kind.load(tmp_path / "model.zip")
    network, output = network_of(model)
    described = metadata(venv.scenario, frame_stack, output)
    agent = load_policy(save_policy(tmp_path / "policy.npz", network, venv.scenario.fields, described))

    venv.seed(7)
    shown = stacked.reset()
    state = agent.begin(venv.view(), RowRng.from_seed(0, venv.num_envs))
    started, chosen, same = np.ones(venv.num_envs, bool), set(), []
    for _ in range(60):
        with torch.no_grad():
            seen = torch.as_tensor(np.array(shown))
            outputs = model.q_net(seen) if output == "q" else model.policy.get_distribution(seen).distribution.logits
        expected, _ = model.predict(shown, deterministic=True)
        action, state = agent.predict(venv.raw_observation(), state, started)
        numbers = outputs.numpy()
        assert (numbers[np.arange(len(action)), action] >= numbers.max(axis=1) - 1e-3).all()
        same.append(action == expected)
        chosen |= set(action.tolist())
        shown, _, started, _ = stacked.step(action)
    assert len(chosen) == 3
    assert np.mean(same) > 0.6


def test_choices_that_look_the_same_are_drawn_among():
    """A network of zeros finds all cells equal: each UE draws, with its own chance; without any it takes the first."""
    batch = Batch(make_scenario("cell_selection", num_ues=4), 250)
    batch.reset([EpisodeKey(0, n) for n in range(250)])
    fields = batch.scenario.fields
    network = random_network(choice_columns(fields, 3), fields.size)
    network = dataclasses.replace(network, layers=tuple((w * 0, b * 0) for w, b in network.layers))
    policy = Policy(network, {**metadata(batch.scenario), "fields": field_metadata(fields)})
    observation = batch.observe().reshape(1000, -1)
    drawn = [
        policy.predict(observation, policy.begin(View(batch, "local"), RowRng.from_seed(seed, 1000)))[0]
        for seed in (0, 0, 1)
    ]
    np.testing.assert_allclose(np.bincount(drawn[0], minlength=3) / 1000, 1 / 3, atol=0.05)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()
    assert (policy.predict(observation)[0] == 0).all()


def test_masked_training_leaves_out_what_is_masked(small_scenarios):
    """MaskablePPO with a network over choices trains, and its saved actor gives what the model gives."""
    pytest.importorskip("sb3_contrib")
    import torch
    from sb3_contrib import MaskablePPO

    from mmwave_gym.api.sb3 import make_sb3_vec_env, network_of
    from mmwave_gym.api.sb3_networks import MaskableSetPolicy

    torch.set_num_threads(1)
    venv = make_sb3_vec_env("RingRoad-v0", 8, 0)
    columns = choice_columns(venv.scenario.fields, int(venv.action_space.n)).tolist()
    keywords = {"columns": columns, "net_arch": [8, 8]}
    model = MaskablePPO(MaskableSetPolicy, venv, n_steps=8, batch_size=32, learning_rate=1e-2, policy_kwargs=keywords)
    model.learn(128)
    network, _ = network_of(model)
    observation, masks = venv.reset(), venv.action_masks()
    assert not masks.all()
    with torch.no_grad():
        found = model.policy.get_distribution(torch.as_tensor(observation), masks).distribution.logits.numpy()
    expected = network(observation, masks)
    shift = found[masks] - expected[masks]  # the logits of SB3 are normalised, row by row
    row = np.nonzero(masks)[0]
    for i in range(len(masks)):
        assert np.ptp(shift[row == i]) < 1e-4


def test_files_say_what_is_wrong(tmp_path):
    scenario = make_scenario("cell_selection")
    network = random_network(choice_columns(scenario.fields, 3), scenario.fields.size)
    path = save_policy(tmp_path / "policy.npz", network, scenario.fields, metadata(scenario))
    assert isinstance(load_policy(path).network, SetNetwork)
    side = path.with_suffix(".json")
    right = json.loads(side.read_text())
    assert all(field[-1] == "choice" for field in right["fields"])
    assert right["network"] == {"over": "choices", "hidden": [6, 5], "activation": "tanh"}
    for changes, said in (
        ({"network": {**right["network"], "over": "cells"}}, "this version knows those over 'choices'"),
        ({"network": {**right["network"], "hidden": [6]}}, "ends in one number|must take"),
        ({"network": {**right["network"], "hidden": [6, 5, 4]}}, "do not fit together"),
        ({"frame_stack": 2}, "must take 30 numbers"),
        ({"action": {"kind": "multidiscrete", "nvec": [2, 1]}}, "makes one choice a step"),
        ({"action": {"kind": "discrete", "n": 4}}, "a number for each of the 4 choices"),
    ):
        side.write_text(json.dumps({**right, **changes}))
        with pytest.raises(AgentError, match=said):
            load_policy(path)


def test_saving_checks_what_a_network_over_choices_reads(tmp_path):
    """A network that takes another field for one about choices is not saved."""
    scenario = make_scenario("cell_selection")
    wrong = ObservationFields(f._replace(per="choice" if f.name == "serving" else "") for f in scenario.fields)
    network = random_network(choice_columns(wrong, 3), scenario.fields.size)
    with pytest.raises(AgentError, match="columns are not those of fields that declare a number for each choice"):
        save_policy(tmp_path / "policy.npz", network, scenario.fields, metadata(scenario))
    assert not list(tmp_path.iterdir())


def test_older_files_do_not_declare_and_are_read_by_size(tmp_path):
    """They act as they were trained, and a newer one is refused where another field is about choices."""
    scenario = make_scenario("cell_selection")
    network = random_network(choice_columns(scenario.fields, 3), scenario.fields.size)
    path = save_policy(tmp_path / "policy.npz", network, scenario.fields, metadata(scenario))
    side = path.with_suffix(".json")
    text = json.loads(side.read_text())
    batch = Batch(scenario, 5)
    batch.reset([EpisodeKey(0, n) for n in range(5)])
    view, observation = View(batch, "local"), batch.observe()[:, 0]
    newer = load_policy(path)
    expected = newer.predict(observation)[0]
    newer.begin(view, RowRng.from_seed(0, view.num_rows))
    view.fields = ObservationFields(f._replace(per="") for f in view.fields)
    with pytest.raises(AgentError, match=r"serving\[3\] in \[0, 1\] a choice.* here it is"):
        newer.begin(view, RowRng.from_seed(0, view.num_rows))

    side.write_text(json.dumps({**text, "fields": [field[:4] for field in text["fields"]]}))
    older = load_policy(path)
    np.testing.assert_array_equal(older.network.columns, network.columns)
    np.testing.assert_array_equal(older.predict(observation)[0], expected)
    older.begin(View(batch, "local"), RowRng.from_seed(0, view.num_rows))
