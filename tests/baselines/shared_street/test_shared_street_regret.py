"""The network that learns from regrets: its loss by hand, its inputs, saved as trained, and a small training."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import TINY, assert_resumes_as_if_never_stopped, by_hand, play

from mmwave_baselines.shared_street import learned
from mmwave_baselines.shared_street.learned import FIELDS, INPUTS, METADATA, RegretPolicy, deciding, inputs
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.policy import field_metadata
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.radio.street_maps import NOISE_DBM

torch = pytest.importorskip("torch")
pytest.importorskip("numba")
from mmwave_baselines.shared_street.training import regret as training  # noqa: E402

SMALL = {**TINY, "num_cars": 3, "num_pedestrians": 2}


def a_policy(seed: int = 0) -> RegretPolicy:
    metadata = {**METADATA, "fields": field_metadata(FIELDS), "env_id": "", "kwargs": {}, "algorithm": "REGRET"}
    return RegretPolicy(training.Scores(8, seed).network(), metadata)


def test_the_loss_is_what_pencil_and_paper_say() -> None:
    """Row 0: two allowed candidates of equal scores, regrets 0 and -1. Row 1: one, so nothing to lose, weighs 3."""
    scores = torch.tensor([[0.0, 0.0, 7.0], [5.0, 1.0, 1.0]], requires_grad=True)
    regret = torch.tensor([[0.0, -1.0, 0.0], [0.0, -9.0, -9.0]])
    mask, weight = torch.tensor([[True, True, False], [True, False, False]]), torch.tensor([1.0, 3.0])
    loss = training.loss_of(scores, regret, mask, weight, 0.0)
    assert loss.item() == pytest.approx(0.5 / 4.0)
    loss.backward()
    assert scores.grad is not None
    np.testing.assert_allclose(scores.grad, [[-0.25 / 4.0, 0.25 / 4.0, 0.0], [0.0, 0.0, 0.0]], atol=1e-7)
    with_entropy = training.loss_of(scores, regret, mask, weight, 0.1).item()
    assert with_entropy == pytest.approx((0.5 - 0.1 * math.log(2.0)) / 4.0)


def test_what_is_left_out_is_stood_for() -> None:
    """Of equal scores a regret d moves d / 2: row 0 by 0.5, so it is kept, the others by a fifth of `SURELY`."""
    rows = 4000
    regret = torch.zeros(rows, 2)
    regret[0, 1], regret[1:, 1] = -1.0, -0.4 * training.SURELY
    ones = torch.ones(rows, 2, dtype=torch.bool)
    x = torch.arange(rows, dtype=torch.float32)[:, None]
    before = training.Decisions(x, ones, regret, torch.ones(rows))
    chance = np.r_[0.999, (np.arange(rows - 1) + 0.5) / (rows - 1)]
    after = training.thinned(before, torch.zeros(rows, 2), chance)
    assert after.x[0, 0] == 0.0
    assert after.weight[0] == 1.0
    assert len(after.x) == pytest.approx(1 + (rows - 1) / 5.0, abs=2)
    assert float(after.weight.sum()) == pytest.approx(rows, rel=2e-3)


def test_inputs_name_each_candidate_and_leave_absent_ones_empty() -> None:
    batch = by_hand(np.array([[10.0, 5.0, 0.0, -20.0]] * 2))
    play(batch, {}, 4)
    observation = batch.observe()[0]
    seen = batch.scenario.fields.split(observation)
    x = inputs(batch.scenario.fields, observation).reshape(2, INPUTS, 6)
    assert x.shape[1:] == (41, 6)
    assert FIELDS.size == INPUTS * 6
    assert not x[:, :, 4:].any(), "there are four cells"
    np.testing.assert_allclose(x[:, 0, :4], (seen["rsrp_0_dbm"][:, :4] - NOISE_DBM) / 20.0, rtol=1e-6)
    np.testing.assert_allclose(x[:, 28, :4], (seen["now_dbm"][:, :4] - NOISE_DBM) / 20.0, rtol=1e-6)
    assert x[:, 30, 0].tolist() == [1.0, 0.0], "UE 0 measures in slot 4, UE 1 in slot 3"


@pytest.mark.parametrize(("now_dbm", "rows"), [(-61.0, []), (-59.0, [0, 1])])
def test_a_conditional_handover_is_decided_on_where_the_cell_is_stronger_now(now_dbm: float, rows: list[int]) -> None:
    series = np.tile(np.array([[-60.0, -62.0, -90.0, -95.0]] * 2), (41, 1, 1))
    series[5, :, 1] = now_dbm
    batch = by_hand(np.array([[10.0, 5.0, 0.0, -20.0]] * 2), series)
    play(batch, {}, 4)
    mask = batch.scenario.allowed(batch.state)
    assert deciding(batch.scenario.fields, batch.observe()[0], mask[0]).tolist() == [0], "slot 4 is UE 0's"
    play(batch, {}, 1)
    mask = batch.scenario.allowed(batch.state)
    assert deciding(batch.scenario.fields, batch.observe()[0], mask[0]).tolist() == rows


def test_what_is_saved_scores_as_what_was_trained(tmp_path: Path) -> None:
    scores = training.Scores(32, 3)
    metadata = {**METADATA, "env_id": "MmwaveSharedStreet-v0", "kwargs": {}, "algorithm": "REGRET"}
    path = save_policy(tmp_path / "policy", scores.network(), FIELDS, metadata)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, FIELDS.size)).astype(np.float32)
    mask = rng.random((50, 6)) < 0.6
    mask[:, 0] = True
    with torch.no_grad():
        expected = scores(torch.as_tensor(x), torch.as_tensor(mask)).numpy()
    policy = load_policy(path)
    assert isinstance(policy, RegretPolicy)
    assert np.abs(policy.network(x, mask) - expected)[mask].max() < 1e-6
    assert np.abs(policy.scorer(x, mask) - expected)[mask].max() < 1e-6
    policy.network.layers[1][0][0, -1] = 1.0
    with pytest.raises(AgentError, match="nothing else in common"):
        learned.Scorer(policy.network)


def test_a_row_does_not_depend_on_the_others() -> None:
    scenario: Any = make_scenario("shared_street", **SMALL)
    policy, found = a_policy(), []
    for seeds in ((5,), (1, 2, 5)):
        batch = Batch(scenario, len(seeds), draws_ahead=False)
        batch.reset([EpisodeKey(seed) for seed in seeds])
        rollout, actions = Rollout.of(policy, batch), []
        for _ in range(scenario.horizon - 1):
            actions.append(rollout.act()[-1])
            rollout.step()
        found.append(np.array(actions))
    np.testing.assert_array_equal(found[0], found[1])
    assert found[0].any()


def test_it_is_for_shared_streets_only() -> None:
    batch = Batch(make_scenario("cell_selection"), 1)
    batch.reset([EpisodeKey(0)])
    with pytest.raises(AgentError, match="MmwaveSharedStreet-v0"):
        a_policy().begin(View(batch, "local"), RowRng.from_seed(0, 1))


def test_a_training_from_beginning_to_end_and_resumed(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    words = [f"--set={name}={value}" for name, value in SMALL.items() if name != "horizon"]
    words += ["--episodes", "2", "--horizon", "60", "--hidden", "8", "--eval-episodes", "2", "--set=horizon=40"]
    command = ["MmwaveSharedStreet-v0", *words, "--steps", "3"]
    training.run([*command, "--out", str(tmp_path / "whole")])
    said = shlex.split(capsys.readouterr().out)
    assert said[:2] == ["mmwave-gym", "evaluate"]
    about = json.loads((tmp_path / "whole" / "policy.json").read_text())
    assert about["training"]["oracle_regrets"] is True
    assert about["training"]["decisions"] > 50
    assert about["agent"] == "shared_street/regret"
    assert math.isfinite(about["results"]["utility"])
    assert list((tmp_path / "whole" / "tensorboard").iterdir())

    assert_resumes_as_if_never_stopped(training, command, tmp_path, monkeypatch)


def test_other_worlds_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        training.run(["--task", "street/car-sparse"])
    assert ended.value.code == 2
    assert "is for shared streets" in capsys.readouterr().err


def test_weights_play_with_the_map_or_without_it() -> None:
    from mmwave_gym.benchmark.suite import task as find_task

    names = {"main": "main", "dense": "main", "transfer": "main", "sparse-reports": "main", "local": "local"}
    for name, trained in names.items():
        assert learned.Regret.trained_for is not None
        assert learned.Regret.trained_for(find_task(f"shared_street/{name}")) == trained
    assert learned.PpoRewards.training_seeds(find_task("shared_street/dense")) == (0, 1, 2, 3, 4)
    assert learned.PpoRewards.training_seeds(find_task("shared_street/local")) == ()
