"""Evaluation: rows do not depend on how they were made, and an agent that cannot be used is told why."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.supervised import playing
from mmwave_gym.benchmark import evaluation
from mmwave_gym.benchmark.evaluation import BLOCK, Layout, evaluate, metric_units, play_episodes
from mmwave_gym.benchmark.suite import all_tasks, task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario

ENV = "MmwaveHandover-v0"
CELLS = 6
SMALL = Task(env_id=ENV, kwargs={"horizon": 30, "beta": 5.0, "boundary": "stay"}, name="handover/small", episodes=10)
# A fast UE in a small area leaves after a few slots, each at another time.
LEAVING = {"horizon": 25, "mobility": "A3", "area_side_m": 3.0, "speed_mps": (1.0, 3.0), "step_s": 0.1}


class Constant:
    """Always the same cell; only `predict`."""

    def __init__(self, cell=0):
        self.cell = cell

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return np.full(len(observation), self.cell), state


class Counting:
    """Acts by the slot of the episode: `plan(slot)` is the step from the serving cell to the chosen one."""

    def __init__(self, plan):
        self.plan = plan

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        slot = np.where(episode_start, 0, 0 if state is None else state)
        serving = observation[:, CELLS:].argmax(axis=1)
        return (serving + self.plan(slot)) % CELLS, slot + 1


class Learner:
    """Explores the cells in turn for a while, then takes the one that paid best; forgets nothing at an episode's end.

    It has no `begin`: its memory starts where the state is None.
    """

    explores = 20

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        if state is None:
            state = (np.zeros((len(observation), CELLS)), np.zeros((len(observation), CELLS)))
        total, count = state
        steps = count.sum(axis=1)
        best = np.divide(total, count, out=np.zeros_like(total), where=count > 0).argmax(axis=1)
        return np.where(steps < self.explores, steps.astype(np.int64) % CELLS, best), state

    def learn(self, state, observation, action, reward, next_observation, done, info):
        total, count = (part.copy() for part in state)
        row = np.arange(len(action))
        total[row, action] += reward
        count[row, action] += 1
        return total, count


# ---------------------------------------------------------------------- rows depend on nothing but their episode


@pytest.mark.parametrize("carry", [1, 3])
@pytest.mark.parametrize("agent", ["random", "a3", "ucb", "oracle", pytest.param(Learner(), id="learner")])
def test_rows_are_the_same_for_any_number_of_copies(agent, carry):
    """With `carry`, episodes of one chain end at other times than those of its neighbours."""
    task = Task(env_id=ENV, kwargs=LEAVING, name="handover/leaving", carry=carry)
    many = evaluate(agent, task, episodes=70 * carry, num_envs=300)
    assert len({row["scored_steps"] for row in many}) > 8
    assert evaluate(agent, task, episodes=70 * carry, num_envs=7) == many
    assert evaluate(agent, task, episodes=2 * carry, num_envs=64) == many[: 2 * carry]
    assert [row["episode"] for row in many] == list(range(70 * carry))


@pytest.mark.parametrize("carry", [1, 2])
def test_a_killed_run_goes_on_where_it_was(carry):
    task = Task(env_id=ENV, kwargs=LEAVING, name="handover/leaving", carry=carry)
    whole = evaluate("ucb", task, episodes=3 * BLOCK, num_envs=1)
    kept: list = []

    def store(rows):
        kept.extend(rows)
        if len(kept) > BLOCK:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate("ucb", task, episodes=3 * BLOCK, num_envs=1, on_rows=store)
    assert BLOCK < len(kept) < 3 * BLOCK
    done = frozenset(row["episode"] for row in kept)
    rest = evaluate("ucb", task, episodes=3 * BLOCK, num_envs=7, skip=done)
    assert sorted(kept + rest, key=lambda row: row["episode"]) == whole
    assert evaluate("ucb", task, episodes=9, skip=frozenset(range(9))) == []


def test_no_row_twice_where_a_chain_was_cut():
    task = Task(env_id=ENV, kwargs=LEAVING, name="handover/leaving", carry=4)
    whole = evaluate("ucb", task, episodes=8)
    assert [row["episode"] for row in evaluate("ucb", task, episodes=6)] == list(range(6))
    assert evaluate("ucb", task, episodes=8, skip=frozenset({0, 1, 4})) == [whole[e] for e in (2, 3, 5, 6, 7)]


def test_an_agents_chance_is_keyed_by_seed_task_and_episode():
    first = evaluate("random", SMALL)
    assert evaluate("random", SMALL) == first
    assert evaluate("random", SMALL, skip=frozenset(range(9))) == first[9:]
    other_seed = evaluate("random", SMALL, agent_seed=1)
    renamed = evaluate("random", Task(env_id=ENV, kwargs=SMALL.kwargs, name="handover/renamed"), episodes=10)
    for rows in (other_seed, renamed):
        assert all(a["reward"] != b["reward"] for a, b in zip(first, rows, strict=True))
    assert len({row["reward"] for row in first}) == 10
    # The worlds are the same for both names.
    same = evaluate(Constant(), Task(env_id=ENV, kwargs=SMALL.kwargs, name="handover/renamed"), episodes=10)
    assert same == evaluate(Constant(), SMALL)


def test_training_and_test_episodes_differ():
    train = evaluate(Constant(), SMALL, split="train")
    assert all(a["reward"] != b["reward"] for a, b in zip(train, evaluate(Constant(), SMALL), strict=True))
    with pytest.raises(ValueError, match="split must be one of test, train, got 'dev'"):
        evaluate(Constant(), SMALL, split="dev")


def test_no_reset_reproduces_an_episode_of_the_suite():
    scenario = SMALL.scenario()
    batch = Batch(scenario, 200)
    env = gym.make_vec(ENV, num_envs=200, **SMALL.kwargs)
    seen = []
    for seed in (0, 20261122, 20261122 + 2**32):
        seen.append(env.reset(seed=seed)[0])
    met = {row.tobytes() for row in np.concatenate(seen)}
    assert len(met) == 600
    for split in ("test", "train"):
        batch.reset(SMALL.keys(list(range(200)), split))
        assert not {row.tobytes() for row in batch.observe()[:, 0]} & met


# ---------------------------------------------------------------------- what is scored


def test_the_warm_up_does_not_count():
    restless = Counting(lambda slot: (slot < 12).astype(np.int64))
    task = Task(env_id=ENV, kwargs=SMALL.kwargs, warmup_steps=12, scored_steps=10)
    for row in evaluate(restless, task, episodes=4):
        assert row["handovers_per_s"] == 0.0
        assert row["interactions"] == 22
        assert row["scored_steps"] == 10
    fidget = Counting(lambda slot: (slot >= 12).astype(np.int64))
    for row in evaluate(fidget, task, episodes=4):
        assert row["handovers_per_s"] == pytest.approx(20.0)
    early = evaluate(Counting(lambda slot: slot * 0), task, episodes=4)
    late = evaluate(restless, task, episodes=4)
    assert all(a["warmup_reward"] > b["warmup_reward"] for a, b in zip(early, late, strict=True))


def test_an_episode_that_ends_in_the_warm_up_scores_nothing():
    task = Task(env_id=ENV, kwargs=LEAVING, warmup_steps=15)
    rows = evaluate("stay", task, episodes=60)
    unscored = [row for row in rows if row["scored_steps"] == 0]
    assert unscored
    assert len(unscored) < len(rows)
    for row in unscored:
        assert row["reward"] is row["throughput_bps_hz"] is row["handovers_per_s"] is None
        assert row["interactions"] <= 15
        assert row["warmup_reward"] is not None


def test_means_by_hand():
    """Cells 0, 1, 0, 1, … on a revealed world."""
    kwargs = {"horizon": 8, "beta": 5.0, "boundary": "stay", "step_s": 0.1, "num_ues": 2}
    task = Task(env_id=ENV, kwargs=kwargs, warmup_steps=3, scored_steps=4)
    scenario = task.scenario()
    batch = Batch(scenario, 5)
    batch.reset(task.keys(list(range(5))))
    rate = View(batch, "hindsight").look()["efficiency_bps_hz"]

    class Alternating:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            slot = np.where(episode_start, 0, 0 if state is None else state)
            return slot % 2, slot + 1

    for i, row in enumerate(evaluate(Alternating(), task, episodes=5)):
        scored = [rate[i, t, ue, t % 2] for t in range(3, 7) for ue in range(2)]
        warming = [rate[i, t, ue, t % 2] for t in range(3) for ue in range(2)]
        first = batch.state.serving[i] != 0
        assert row["throughput_bps_hz"] == pytest.approx(np.mean(scored), rel=1e-6)
        assert row["reward"] == pytest.approx(np.mean(scored) - 1.5, rel=1e-6)  # beta E = 1.5 in every slot
        assert row["warmup_reward"] == pytest.approx(np.mean(warming) - 1.5 * (4 + first.sum()) / 6, rel=1e-6)
        assert row["handovers_per_s"] == pytest.approx(10.0)
        assert row["handover_energy_w"] == pytest.approx(3.0)
        assert row["ping_pongs_per_s"] == pytest.approx(10.0)
        assert set(row) == {"episode", "interactions", "scored_steps", "warmup_reward", *metric_units(scenario)}


# ---------------------------------------------------------------------- memory


def test_memory_is_carried_through_a_chain_and_no_further():
    alone = evaluate(Learner(), Task(env_id=ENV, kwargs=SMALL.kwargs), episodes=8)
    carried = evaluate(Learner(), Task(env_id=ENV, kwargs=SMALL.kwargs, carry=4), episodes=8)
    for e in range(8):
        # Twenty steps of exploration are over within the first episode of thirty.
        if e % 4 == 0:
            assert carried[e] == alone[e]
        else:
            assert alone[e]["handovers_per_s"] > 10.0
            assert carried[e]["handovers_per_s"] < 10.0


def test_a_chain_is_what_one_would_play_by_hand():
    """Memory and rewards of a carried learner, episode after episode, in a plain loop."""
    task = Task(env_id=ENV, kwargs=LEAVING, carry=3)
    learner, batch = Learner(), Batch(task.scenario(), 1)
    by_hand, memory = [], None
    for e in range(3):
        batch.reset(task.keys([e]))
        rewards, ended, started = [], False, np.ones(1, bool)
        while not ended:
            observation = batch.observe()[:, 0]
            action, memory = learner.predict(observation, memory, started)
            outcome = batch.step(action[:, None])
            ended = bool(outcome.terminated[0, 0] or outcome.truncated[0])
            done = np.array([ended])
            memory = learner.learn(memory, observation, action, outcome.reward[0], batch.observe()[:, 0], done, {})
            rewards.append(outcome.reward[0, 0])
            started[:] = False
        by_hand.append(np.mean(rewards))
    rows = evaluate(learner, task, episodes=3)
    assert [row["reward"] for row in rows] == pytest.approx(by_hand)


def test_begin_gets_a_view_at_the_agents_level():
    views = []

    class Central(Constant):
        access = "trajectory"

        def begin(self, view, rng):
            views.append(view)
            assert rng.random().shape == (view.num_rows,)

    evaluate(Central(), SMALL, episodes=1)
    assert views[0].access == "trajectory"
    assert "efficiency_bps_hz" not in views[0].look()
    Central.access = "everything"
    with pytest.raises(ValueError, match="access must be one of"):
        evaluate(Central(), SMALL, episodes=1)


# ---------------------------------------------------------------------- agents that cannot be used


def returning(answer):
    class Wrong:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return answer(len(observation))

    return Wrong()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda n: np.zeros(n, int), "must return \\(action, state\\), got ndarray"),
        (lambda n: (np.zeros(n, int), None, None), "must return \\(action, state\\), got tuple"),
        (lambda n: (np.zeros((n, 1), int), None), "actions of shape \\(10,\\), got \\(10, 1\\)"),
        (lambda n: (np.zeros(1, int), None), "actions of shape \\(10,\\), got \\(1,\\)"),
        (lambda n: (0, None), "actions of shape \\(10,\\), got \\(\\)"),
        (lambda n: (np.zeros(n), None), "must return integers, got dtype float64"),
        (lambda n: (np.full(n, np.nan), None), "must return integers, got dtype float64"),
        (lambda n: (np.zeros(n, bool), None), "must return integers, got dtype bool"),
        (lambda n: (np.array(["0"] * n), None), "must return integers, got dtype <U1"),
        (lambda n: (np.array([None] * n), None), "must return integers, got dtype object"),
        (lambda n: (np.full(n, 6), None), "outside Discrete\\(6\\): from 6 to 6"),
        (lambda n: (np.full(n, -1), None), "outside Discrete\\(6\\): from -1 to -1"),
    ],
)
def test_wrong_actions_are_named(answer, fault):
    with pytest.raises(AgentError, match=fault):
        evaluate(returning(answer), SMALL, episodes=1)


class NeedsArguments(Constant):
    def __init__(self, cell):
        super().__init__(cell)


@pytest.mark.parametrize(
    ("agent", "fault"),
    [
        ("nobody", "unknown handover agent 'nobody'. Known are a2, a2c, a3, "),
        ("no_such_package:Agent", "cannot import 'no_such_package'"),
        (":Agent", "cannot import ''"),
        ("json:Agent", "the module 'json' has no 'Agent'"),
        ("json:dumps", "an agent needs a method predict"),
        (object(), "an agent needs a method predict"),
        (None, "an agent needs a method predict"),
        ("a3@x", "training seed in 'a3@x' must be a number"),
        ("stay@1", "has no training seeds"),
        (NeedsArguments, "cannot make a NeedsArguments without arguments"),
    ],
)
def test_agents_that_are_none(agent, fault):
    with pytest.raises(AgentError, match=fault):
        evaluate(agent, SMALL, episodes=1)


def test_unknown_tasks_and_bad_counts():
    with pytest.raises(ValueError, match=r"unknown task 'handover/nowhere'.* Known are handover/a1-beta5"):
        evaluate("stay", "handover/nowhere")
    for keyword in ("episodes", "num_envs"):
        with pytest.raises(ValueError, match=f"{keyword} must be at least 1, got 0"):
            evaluate("stay", SMALL, **{keyword: 0})
        with pytest.raises(ValueError, match=f"{keyword} must be an integer"):
            evaluate("stay", SMALL, **{keyword: 1.5})
    with pytest.raises(ValueError, match="agent_seed must be at least 0"):
        evaluate("stay", SMALL, agent_seed=-1)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"env_id": "MmwaveNowhere-v0"}, "unknown environment 'MmwaveNowhere-v0'"),
        ({"episodes": 0}, "episodes must be an integer of at least 1, got 0"),
        ({"episodes": 2.5}, "episodes must be an integer"),
        ({"warmup_steps": -1}, "warmup_steps must be an integer of at least 0, got -1"),
        ({"scored_steps": 0}, "scored_steps must be an integer of at least 1, got 0"),
        ({"carry": 0}, "carry must be an integer of at least 1, got 0"),
        ({"name": "plain"}, "a task's name must be '<scenario>/<name>', got 'plain'"),
    ],
)
def test_a_task_refuses_bad_fields(fields, fault):
    with pytest.raises(ValueError, match=fault):
        Task(**{"env_id": ENV, **fields})


def test_a_task_refuses_what_its_environment_refuses():
    with pytest.raises(ValueError, match="do not fit into the horizon of 30"):
        evaluate("stay", Task(env_id=ENV, kwargs={"horizon": 30}, warmup_steps=20, scored_steps=11))
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'bta'\. Did you mean 'beta'"):
        evaluate("stay", Task(env_id=ENV, kwargs={"bta": 1.0}))
    with pytest.raises(ValueError, match="beta must be between 0 and"):
        evaluate("stay", Task(env_id=ENV, kwargs={"beta": -1.0}))
    with pytest.raises(TypeError):
        Task(env_id=ENV, nonsense=1)


def test_a_tasks_hash_changes_with_what_rows_depend_on():
    base = Task(env_id=ENV)
    changed = ({"kwargs": {"beta": 5.0}}, {"warmup_steps": 1}, {"scored_steps": 9}, {"carry": 2}, {"version": 2})
    hashes = {base.hash, *(Task(env_id=ENV, **fields).hash for fields in changed)}
    assert len(hashes) == 6
    assert Task(env_id=ENV, description="other words", episodes=7).hash == base.hash
    assert len({task.hash for task in all_tasks()}) == len(all_tasks())
    assert find_task(all_tasks("handover")[0].name) is all_tasks("handover")[0]


# ---------------------------------------------------------------------- one door for all


def test_an_object_a_class_a_name_and_an_import_path_are_the_same_agent(tmp_path, monkeypatch):
    (tmp_path / "their_package.py").write_text(
        "import numpy as np\n"
        "class Two:\n"
        "    def predict(self, observation, state=None, episode_start=None, deterministic=True):\n"
        "        return np.full(len(observation), 2, np.int32), state\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    expected = evaluate(Constant(2), SMALL)
    assert evaluate("their_package:Two", SMALL) == expected
    import their_package

    assert evaluate(their_package.Two, SMALL) == expected
    assert evaluate(their_package.Two(), SMALL) == expected
    assert mmwave_gym.evaluate("handover/stay", SMALL) == evaluate("stay", SMALL)


def test_an_object_is_played_as_it_was_made():
    """A class with `for_task` makes agents for tasks; an agent that exists already keeps its parameters."""
    from mmwave_baselines.handover.rules import A3

    made = A3(1.0, 0.1)
    assert load_agent(made, "handover", all_tasks("handover")[0]) is made
    assert load_agent(A3, "handover", all_tasks("handover")[0]).config["tuned_on"] is not None


def test_a_stable_baselines3_model_walks_in():
    sb3 = pytest.importorskip("stable_baselines3")
    model = sb3.PPO("MlpPolicy", gym.make(ENV, horizon=30), n_steps=8, batch_size=8, seed=0, device="cpu")
    rows = evaluate(model, SMALL, episodes=3)
    assert rows == evaluate(model, SMALL, episodes=3, num_envs=300)
    assert [row["scored_steps"] for row in rows] == [30] * 3


def test_rules_run_without_torch():
    script = (
        "import sys; sys.modules['torch'] = sys.modules['stable_baselines3'] = None\n"
        "import mmwave_gym\n"
        f"task = mmwave_gym.Task(env_id={ENV!r}, kwargs={{'horizon': 20}})\n"
        "for agent in ('random', 'stay', 'strongest', 'a3', 'ucb', 'ucb-normalised', 'oracle'):\n"
        "    assert len(mmwave_gym.evaluate(agent, task, episodes=2)) == 2\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_row_rng_rows_do_not_depend_on_neighbours():
    three, one = RowRng.from_seed(5, 3), RowRng([np.random.default_rng([5, 1])])
    for _ in range(600):
        assert three.random()[1] == one.random()[0]
    allowed = np.array([[False, True, False, True]] * 4000)
    chosen = RowRng.from_seed(0, 4000).choice(allowed)
    assert set(chosen.tolist()) == {1, 3}
    assert abs((chosen == 1).mean() - 0.5) < 0.05


def test_evaluation_is_a_scenarios_own_step():
    """Rows of the many-UE world are sums over present UEs only."""
    task = Task(env_id=ENV, kwargs={**LEAVING, "num_ues": 3, "beta": 0.0}, name="handover/crowd")
    batch = Batch(make_scenario("handover", **task.kwargs), 4)
    batch.reset(task.keys(list(range(4))))
    world = View(batch, "hindsight").look()
    for i, row in enumerate(evaluate(Constant(1), task, episodes=4)):
        ends = np.minimum(world["departure"][i], LEAVING["horizon"])
        rates = [world["efficiency_bps_hz"][i, t, ue, 1] for ue in range(3) for t in range(ends[ue])]
        assert row["throughput_bps_hz"] == pytest.approx(np.mean(rates), rel=1e-5)


def test_replayed_episodes_stand_where_they_stood():
    """Chain 5 is the second of the second block of 4, and chain 6 is its third; chain 9 is in the block after next."""
    first, second = evaluation._groups([10, 11, 12, 18], 4, 2, 4, in_place=True)
    assert first.chains == [[10, 11], [10, 11], [12, 13], [10, 11]]
    assert first.wanted == [1, 2]
    assert (second.chains[1], second.wanted) == ([18, 19], [1])
    task = find_task("handover/a1-beta25")
    with playing("a3", task.scenario_name, task) as player:
        alone, placed = (
            play_episodes(player, task, [70], task.keys, Layout(in_place=in_place)) for in_place in (False, True)
        )
    assert alone == placed
