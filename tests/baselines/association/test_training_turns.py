"""train.turns: its compiled world is the environment, it learns, it resumes, and what it saves plays anywhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mmwave_baselines.association.learned import CandidatesPolicy, free_sites
from mmwave_baselines.association.training import turns
from mmwave_baselines.association.training.turns_kernel import play
from mmwave_baselines.training.command import parse
from mmwave_gym import evaluate
from mmwave_gym.agents.files import read_policy
from mmwave_gym.agents.networks import SetNetwork, choice_columns
from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

SMALL = {"geometry": "blocked", "crossings": (3, 3), "settle_s": 5.0}


@pytest.fixture(autouse=True)
def _small_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "DENSITIES", (12, 24))


def random_weights(features: int, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    shapes = (48, 3 * features), (48,), (32, 144), (32,), (1, 32), (1,)
    return [0.3 * rng.normal(size=shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize("geometry", ["paper", "blocked"])
def test_the_compiled_world_is_the_environment(geometry: str) -> None:
    """The same network with the same chance sees, does and earns the same, epoch by epoch."""
    scenario: Any = make_scenario("association", **{**SMALL, "geometry": geometry, "num_ues": 30, "duration_s": 40.0})
    drawn = scenario.draw([EpisodeRng(EpisodeKey(5))])
    logs = np.array([np.log1p(f.high) if f.logarithmic else 0.0 for f in scenario.fields])
    weights, epochs = random_weights(8), int((drawn.ue[0] >= 0).sum())
    chance = np.random.default_rng(1).random((epochs, scenario.max_candidates))
    played = play(drawn, 0, scenario.num_bs, logs, None, weights, chance, "", False, 10.0)

    columns = choice_columns(scenario.fields, scenario.max_candidates)
    layers = tuple((weights[i], weights[i + 1]) for i in (0, 2, 4))
    network, normalise = SetNetwork(layers, columns, scenario.fields.size), Normalisation(scenario.fields)
    batch = Batch(scenario, 1)
    batch.reset([EpisodeKey(5)])
    for k in range(epochs):
        seen, allowed = normalise(batch.observe()[:, 0]), batch.scenario.action_mask(batch.episodes, batch.state)[:, 0]
        assert (allowed[0] == played.allowed[k]).all()
        assert np.allclose(seen[:, columns][0][allowed[0]], played.seen[k][allowed[0]], atol=1e-6)
        logits = np.where(allowed, network(seen, allowed) - np.log(-np.log(chance[k])), -np.inf)
        assert logits.argmax() == played.action[k]
        outcome = batch.step(np.array([[played.action[k]]]))
        credit = outcome.metrics["credit_mbit"][0] / (scenario.config.bandwidth_hz * 1e-6)
        assert credit == pytest.approx(played.credit[k], abs=1e-9)
    assert len(set(played.action.tolist())) > 1


def command(out: Any, *more: str) -> turns.Turns:
    settings = ("--set", "geometry=blocked", "--set", "crossings=[3, 3]", "--set", "settle_s=5.0")
    words = ["MmwaveAssociation-v0", *settings, "--set", "num_ues=12", "--out", str(out), *more]
    return parse(turns.Turns, words)


@pytest.fixture(name="validation")
def _validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """512 and 2048 UEs are too many for a test."""
    monkeypatch.setattr(turns, "VALIDATION", (24,))


@pytest.mark.usefixtures("validation")
def test_it_trains_resumes_and_saves_what_plays_at_any_density(tmp_path: Any) -> None:
    first = turns.train(command(tmp_path / "run", "--steps", "3000", "--eval-every", "1500"), Console(quiet=True))
    with pytest.raises(ValueError, match="--resume continues it"):
        turns.train(command(tmp_path / "run", "--steps", "3000"), Console(quiet=True))
    again = turns.train(command(tmp_path / "run", "--steps", "6000", "--resume"), Console(quiet=True))
    assert first == again
    metadata = json.loads(again.with_suffix(".json").read_text())
    assert metadata["algorithm"] == "TURNS"
    assert "train.turns" in metadata["command"]
    policy: Any = read_policy(again.read_bytes(), again.with_suffix(".json").read_bytes(), "policy", CandidatesPolicy)
    for num_ues, most in ((6, None), (40, 3)):
        kwargs = {**SMALL, "num_ues": num_ues, "max_candidates": most, "duration_s": 35.0}
        rows = evaluate(policy, Task(env_id="MmwaveAssociation-v0", kwargs=kwargs, episodes=2))
        assert all(row["network_rate_mbps"] > 0.0 for row in rows)


@pytest.mark.usefixtures("validation")
def test_roles_are_seen(tmp_path: Any) -> None:
    """A policy with roles plays COVER's game: it is given them by its view, and needs the map."""
    path = turns.train(command(tmp_path, "--roles", "--imitate", "cover", "--steps", "2000"), Console(quiet=True))
    policy: Any = read_policy(path.read_bytes(), path.with_suffix(".json").read_bytes(), "policy", CandidatesPolicy)
    assert policy.access == "central"
    batch = Batch(make_scenario("association", num_ues=12, **SMALL), 2)
    batch.reset([EpisodeKey(1), EpisodeKey(2)])
    view = View(batch, "central")
    state = policy.begin(view, RowRng.from_seed(0, 2))
    observation = batch.observe()[:, 0]
    shown = state.view.with_roles(observation)
    offered = view.look("offered")["offered"]
    assert shown.shape[1] == observation.shape[1] + offered.shape[1]
    assert (shown[:, -offered.shape[1] :] == (free_sites(view.constants)[offered] & (offered >= 0))).all()
    with pytest.raises(AgentError, match="begin"):
        policy.predict(observation)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--imitate", "cover"], "needs --roles"),
        (["--imitate", "a3"], "price, cover or empty"),
        (["--steps", "0"], "--steps must be at least 1, got 0"),
        (["--horizon-s", "0"], "--horizon-s must be above 0"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Any, words: list[str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        command(tmp_path, *words)


def test_other_scenarios_are_refused(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="plays association only"):
        turns.train(parse(turns.Turns, ["MmwaveHandover-v0", "--out", str(tmp_path)]), Console(quiet=True))
