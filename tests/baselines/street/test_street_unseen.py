"""Streets that no policy has been trained on: the network that reads cells in any order, and what is shipped of it."""

import json
import shlex
from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.street.learned import Ppo
from mmwave_baselines.street.rules import A3
from mmwave_baselines.training.recipes import preset
from mmwave_gym.agents.networks import SetNetwork, mark_columns
from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.tuned import tuned_for
from mmwave_gym.benchmark.suite import task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import ObservationField, ObservationFields

TASK = task("street/car-unseen")
SEEDS = Ppo.training_seeds(TASK)
TEST_MAPS = set(TASK.kwargs["maps"])
FIELDS = ObservationFields(
    (
        ObservationField("level_db", 3, -90.0, 0.0, "dB", "", per="choice"),
        ObservationField("time_s", 1, 0.0, 9.0, "s", ""),
        ObservationField("serving", 3, 0.0, 1.0, "1", "", per="choice"),
    )
)


def relative_network() -> SetNetwork:
    """By hand: a cell's score is its level less the serving one's."""
    columns = np.array([[c, 3, 4 + c] for c in range(3)])
    first = np.zeros((1, 3 * 6), np.float32)
    last = np.array([[0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]], np.float32)  # hidden, own features, differences
    zero = np.zeros(1, np.float32)
    return SetNetwork(((first, zero), (last, zero)), columns, 7, marks=mark_columns(FIELDS, 3))


def test_levels_are_told_relative_to_the_serving_cell() -> None:
    levels, marks = [[-80.0, -70.0, -75.0]] * 3, 2.0 * np.eye(3) - 1.0
    x = np.concatenate((levels, np.ones((3, 1)), marks), axis=1).astype(np.float32)
    assert relative_network()(x).tolist() == [[0.0, 10.0, 5.0], [-10.0, 0.0, -5.0], [-5.0, 5.0, 0.0]]


def test_the_newest_frame_marks_the_serving_cell() -> None:
    assert mark_columns(FIELDS, 3).tolist() == [4, 5, 6]
    assert mark_columns(FIELDS, 3, 2).tolist() == [11, 12, 13]
    with pytest.raises(AgentError, match="needs a field 'serving' with a number for each of the 4 choices"):
        mark_columns(FIELDS, 4)


def street_policy(network: str) -> tuple[Any, Any, Any]:
    """An untrained model, its environment, and observations of UEs that act at random."""
    pytest.importorskip("sb3_contrib")
    import torch

    from mmwave_baselines.training.ppo import Ppo as Arguments, build
    from mmwave_baselines.training.session import Environment

    given = {"task": "street/car-sparse", "frame_stack": 2, "n_envs": 16, "n_steps": 2, "batch_size": 32, "hidden": 8}
    args = Arguments(network=network, **given)  # type: ignore[arg-type]
    venv = Environment(args, args.target(), 0).venv
    model = build(args, venv)
    venv.reset()
    with torch.no_grad():  # beyond the cautious beginning
        for layer in model.policy.mlp_extractor.actor.parameters():
            layer.add_(0.3 * torch.randn(layer.shape, generator=torch.Generator().manual_seed(len(layer))))
    rng = np.random.default_rng(0)
    return model, venv, np.concatenate([venv.step(rng.integers(0, 6, 16))[0] for _ in range(20)])


@pytest.mark.parametrize("network", ["relative", "set"])
def test_numpy_computes_what_was_trained(network: str) -> None:
    """The units of the inputs are folded into the layers that see them."""
    model, _, x = street_policy(network)
    import torch

    from mmwave_gym.api.sb3 import network_of

    with torch.no_grad():
        expected = model.policy.get_distribution(torch.as_tensor(x)).distribution.logits.numpy()
    found = network_of(model)[0](x)
    found = found - np.log(np.exp(found).sum(axis=1, keepdims=True))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_feature_has_one_unit_for_all_cells() -> None:
    model, venv, _ = street_policy("relative")
    scale = venv.unwrapped.scenario.fields.split(
        model.policy.features_extractor.scale.numpy()[: venv.unwrapped.scenario.fields.size]
    )
    assert all(np.ptp(part) == 0.0 and part[0] > 0.0 for name, part in scale.items() if name.startswith("rsrp"))
    assert max(part.max() for part in scale.values()) <= 10.0


def test_q_learning_has_no_relative_network() -> None:
    from mmwave_baselines.training.dqn import Dqn

    with pytest.raises(ValueError, match="must be one of mlp, plain, set, got 'relative'"):
        Dqn(network="relative")


# ------------------------------------------------------------------------------------------------- what is shipped


def maps_of(words: list[str]) -> set[int]:
    """The maps that a command or a preset trains on."""
    found = [word.removeprefix("maps=") for word in words if word.startswith("maps=")]
    return set(json.loads(found[-1]))


def test_nobody_trains_on_the_maps_of_the_test() -> None:
    assert len(TEST_MAPS) == 8
    assert SEEDS
    train_sets = [list(preset("ppo", "street", TASK.name)["train_set"])]
    train_sets += [shlex.split(Ppo.for_task(TASK, seed).metadata["command"]) for seed in SEEDS]
    for words in train_sets:
        assert len(maps_of(words)) >= 64
        assert not maps_of(words) & TEST_MAPS
    for seed in SEEDS:
        metadata = Ppo.for_task(TASK, seed).metadata
        assert not set(metadata["training_kwargs"]["maps"]) & TEST_MAPS
        assert not metadata["arguments"]["keep_best"]  # it would choose by the task's own maps


def observations(rows: int = 32) -> tuple[Any, Any]:
    scenario = make_scenario("street", **TASK.kwargs)
    batch = Batch(scenario, rows, draws_ahead=False)
    batch.reset(TASK.keys(list(range(rows)), "test"))
    seen = [batch.observe()[:, 0]]
    for _ in range(60):  # stays
        batch.step(scenario.fields.split(seen[-1])["serving"].argmax(axis=1)[:, None])
        seen.append(batch.observe()[:, 0])
    return scenario.fields, np.concatenate(seen)


@pytest.mark.parametrize("seed", SEEDS)
def test_renamed_cells_get_renamed_answers(seed: int) -> None:
    policy = Ppo.for_task(TASK, seed)
    assert isinstance(policy, Policy)
    fields, seen = observations()
    cells = len(fields.split(seen)["serving"][0])
    rng = np.random.default_rng(seed)
    chosen, _ = policy.predict(seen)
    assert len(np.unique(chosen)) > 1
    for order in (rng.permutation(cells), np.arange(cells)[::-1]):
        renamed = seen.copy()
        for part in fields.split(renamed).values():
            if part.shape[1] == cells:
                part[:] = part[:, order]
        assert (order[policy.predict(renamed)[0]] == chosen).all()


def test_it_plays_streets_that_it_has_not_seen() -> None:
    """Every seed on the same drives as the tuned A3: more rate from about as many handovers, less time without data."""

    def means(agent: Any) -> list[float]:
        rows = mmwave_gym.evaluate(agent, TASK, episodes=48)
        return [
            float(np.mean([row[m] for row in rows])) for m in ("rate_bps_hz", "handovers_per_s", "no_data_fraction")
        ]

    a3 = means(tuned_for(A3, TASK))
    for seed in SEEDS:
        rate, handovers, silent = means(Ppo.for_task(TASK, seed))
        assert rate > a3[0]
        assert handovers < 1.1 * a3[1]
        assert silent < a3[2]


def test_the_groups_of_the_task_are_the_maps_of_its_episodes() -> None:
    batch = Batch(TASK.scenario(), TASK.episodes, draws_ahead=False)
    batch.reset(TASK.keys(list(range(TASK.episodes))))
    maps = batch.episodes.map_seed[batch.episodes.row]
    assert [min(TEST_MAPS) + group for group in TASK.groups] == maps.tolist()
