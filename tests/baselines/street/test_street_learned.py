"""Learned handover in a street: the reward it is trained on, and that what is shipped stands above the tuned A3."""

import json
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.street.learned import A3c, Ppo, PpoRewards, RecurrentPpo
from mmwave_baselines.street.oracle import Oracle
from mmwave_baselines.street.rules import A3
from mmwave_baselines.street.training.presets import UNTRAINED
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.agents.tuned import tuned_for
from mmwave_gym.benchmark.suite import task, tasks
from mmwave_gym.benchmark.task import Task

FIXED = tuple(name for name in tasks("street") if "unseen" not in name)
V1 = tuple(name for name in tasks("street") if name.endswith("-v1"))
SHORT = tuple(name for name in V1 if name not in ("street/car-sparse-v1", "street/car-sparse-conditional-v1"))
"""Half a million decisions, or on unseen maps four; of these nothing is claimed beforehand."""
COMMANDS: dict[Any, str] = {
    Ppo: "train.ppo", PpoRewards: "train.ppo", RecurrentPpo: "train.recurrent_ppo", A3c: "train.a3c"
}  # fmt: skip
SHIPPED = tuple((kind, name) for kind in COMMANDS for name in tasks("street") if kind.training_seeds(task(name)))
EPISODES = 48


@lru_cache
def played(agent: Any, name: str, seed: int | None = None) -> dict[str, Any]:
    """Every metric in each of the first test episodes."""
    of = task(name)
    made = tuned_for(A3, of) if agent is A3 else agent() if agent is Oracle else agent.for_task(of, seed)
    rows = mmwave_gym.evaluate(made, of, episodes=EPISODES)
    return {m: np.array([row[m] for row in rows]) for m in ("rate_bps_hz", "failures_per_min")}


@pytest.mark.parametrize("name", tasks("street"))
def test_ppo_is_shipped_for_every_street_but_those_that_say_why_not(name: str) -> None:
    """Five seeds or none; and none is called untrained that is trained."""
    assert Ppo.training_seeds(task(name)) == (() if name in UNTRAINED else (0, 1, 2, 3, 4))


@pytest.mark.parametrize("name", V1)
def test_regrets_and_rewards_are_trained_on_equal_terms(name: str) -> None:
    """Either both learners of a task of v1 are shipped or neither; from as many decisions, with the same teacher."""
    of = task(name)
    assert PpoRewards.training_seeds(of) == Ppo.training_seeds(of)
    for seed in Ppo.training_seeds(of):
        regrets, rewards = (kind.for_task(of, seed).metadata for kind in (Ppo, PpoRewards))
        own = ("regret", "usual_per_s", "gamma")  # rewards look further ahead: a regret has the future in it
        alike = [{k: v for k, v in m["arguments"].items() if k not in own} for m in (regrets, rewards)]
        assert alike[0] == alike[1]
        assert (regrets["steps"], regrets["arguments"]["regret"]) == (rewards["steps"], True)
        assert not rewards["arguments"]["regret"]


def test_what_is_untrained_are_tasks_and_says_why() -> None:
    assert set(UNTRAINED) <= set(tasks("street"))
    assert all(reason.endswith(".") for reason in UNTRAINED.values())


@pytest.mark.sample(by=lambda kind, name: (kind.label,))
@pytest.mark.parametrize(("kind", "name"), [pair for pair in SHIPPED if pair[1] in FIXED and pair[1] not in SHORT])
def test_every_seed_is_above_the_tuned_a3_with_no_more_failures(kind: Any, name: str) -> None:
    """Paired by episode. Cars: half of what hindsight would add, in the mean over seeds."""
    a3, oracle = played(A3, name), played(Oracle, name)
    seeds = [played(kind, name, seed) for seed in kind.training_seeds(task(name))]
    gains = np.array([s["rate_bps_hz"] - a3["rate_bps_hz"] for s in seeds])
    assert (gains.mean(axis=1) > 0.0).all()
    assert np.mean([s["failures_per_min"] for s in seeds]) <= a3["failures_per_min"].mean()
    assert all((s["rate_bps_hz"] <= oracle["rate_bps_hz"] * (1 + 1e-5)).all() for s in seeds)
    if "car" in name:
        assert gains.mean() > 0.5 * (oracle["rate_bps_hz"] - a3["rate_bps_hz"]).mean()


@pytest.mark.sample(by=lambda kind, name: (kind.label,))
@pytest.mark.parametrize(("kind", "name"), [pair for pair in SHIPPED if pair[1] in SHORT])
def test_short_trainings_end_no_worse_than_a3_and_below_hindsight(kind: Any, name: str) -> None:
    """Who leads is for the board to say: some of these learners do not."""
    a3, oracle = played(A3, name), played(Oracle, name)
    seeds = [played(kind, name, seed) for seed in kind.training_seeds(task(name))]
    assert np.mean([s["rate_bps_hz"] - a3["rate_bps_hz"] for s in seeds]) > -0.01 * a3["rate_bps_hz"].mean()
    assert all((s["rate_bps_hz"] <= oracle["rate_bps_hz"] * (1 + 1e-5)).all() for s in seeds)


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_shipped_agents_are_those_of_their_files(kind: Any, name: str) -> None:
    of = task(name)
    for seed in kind.training_seeds(of):
        policy = kind.for_task(of, seed)
        command = policy.metadata["command"]
        _, script = COMMANDS[kind].split(".")
        ways = f"python -m train.{script}", f"mmwave-gym train {script}"
        assert command.startswith(tuple(f"{way} --task {name}" for way in ways))
        kwargs = json.loads(json.dumps(of.kwargs))
        assert (policy.config["seed"], policy.config["kwargs"], policy.label) == (seed, kwargs, kind.label)
        assert ("--no-regret" in command) == (kind is PpoRewards)


def test_other_streets_have_no_weights() -> None:
    with pytest.raises(NotApplicable, match=r"no shipped PPO weights for street/own; there are some for: street/car"):
        Ppo.for_task(Task(env_id="MmwaveStreet-v0", name="street/own"))


@pytest.mark.parametrize("name", ["street/car-sparse", "street/walk-dense"])
def test_regrets_of_an_episode_are_its_return_less_a_bound_of_the_episode(name: str) -> None:
    """Three players on the same worlds: return less regrets is the same number, which no return exceeds."""
    pytest.importorskip("stable_baselines3")
    from mmwave_baselines.training.shaping import TrainingReward
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    of, bounds, regretted = task(name), [], []
    for player in (A3(), A3(10.0), None):
        base = make_sb3_vec_env(of.env_id, 6, seed=3, **of.kwargs)
        venv = TrainingReward(base, 0.5, True)
        observation = venv.reset()
        memory: Any = player.begin(base.view("local"), RowRng.from_seed(0, 6)) if player else None
        rng, started, over = np.random.default_rng(1), np.ones(6, bool), np.zeros(6, bool)
        returns, regrets = np.zeros(6), np.zeros(6)
        while not over.all():
            action = rng.integers(0, base.action_space.n, 6)  # type: ignore[attr-defined]
            if player:
                action, memory = player.predict(base.raw_observation(), memory, started)
            observation, regret, started, _ = venv.step(action)
            returns += ~over * base.outcome.reward[:, 0]
            regrets += ~over * np.asarray(regret, float) / 0.5
            over |= started
        assert observation.shape == (6, base.scenario.fields.size)
        bounds.append(returns - regrets)
        regretted.append(regrets.sum())
    assert np.allclose(bounds[0], bounds[1], rtol=1e-4)
    assert np.allclose(bounds[0], bounds[2], rtol=1e-4)
    assert regretted[2] < regretted[0] < 0.0


def test_every_drive_is_solved_whatever_the_number_that_begins() -> None:
    """They are solved a few at a time: more than one group, and one that is not full."""
    pytest.importorskip("stable_baselines3")
    from mmwave_baselines.street.oracle import bound
    from mmwave_baselines.street.training.shaping import WAYS_AT_ONCE, StreetPotential
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    n = 2 * WAYS_AT_ONCE + 1
    base = make_sb3_vec_env("MmwaveStreet-v0", n, seed=3, isd_m=50.0, arm_m=60.0, duration_s=3.0)
    base.reset()
    potential, begun = StreetPotential(base), np.ones(n, bool)

    def each() -> list[float]:
        known, found = base.view("hindsight").look("sinr_ahead_db", "rsrp_ahead_dbm"), []
        for i, cell in enumerate(base.batch.state.serving):
            alone = slice(i, i + 1)
            constants = base.scenario.constants()
            values = bound(known["sinr_ahead_db"][alone], known["rsrp_ahead_dbm"][alone], constants)
            found.append(values[0, 0, cell])
        return found

    assert potential.solve(begun)[:, 0].tolist() == each()
    begun[1::2] = False
    base.batch.restart(np.flatnonzero(begun))
    later = potential.solve(begun)[:, 0].tolist()
    assert later == each()
    assert len(set(later)) == n


def test_what_is_usual_is_taken_off_by_the_second() -> None:
    """A handover of 400 ms has four times of it taken off, a stay of 100 ms once; scaled like the reward."""
    pytest.importorskip("stable_baselines3")
    from mmwave_baselines.training.shaping import TrainingReward
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    base = make_sb3_vec_env("MmwaveStreet-v0", 2, seed=0)
    venv = TrainingReward(base, 0.5, False, 50.0)
    venv.reset()
    serving = base.batch.state.serving
    other = (serving[1] + 1) % base.action_space.n  # type: ignore[attr-defined]
    _, reward, _, _ = venv.step(np.array([serving[0], other]))
    received = base.outcome.reward[:, 0]
    assert base.outcome.elapsed_s[0] == pytest.approx(0.1)
    assert base.outcome.elapsed_s[1] >= 0.4 - 1e-9
    np.testing.assert_allclose(reward, 0.5 * (received - 50.0 * base.outcome.elapsed_s), rtol=1e-5)
