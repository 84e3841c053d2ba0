"""A3C of the handover paper: the compiled learner against plain NumPy, its worlds, and its agents."""

from __future__ import annotations

import json

import numpy as np
import pytest
from lstm_cases import SHAPE, a_block, server

from mmwave_baselines.handover import a3c, a3c_agents, a3c_kernel
from mmwave_baselines.handover.a3c_speed import speed_curve, speed_up
from mmwave_baselines.handover.oracle import Oracle
from mmwave_baselines.handover.rules import A3
from mmwave_baselines.handover.traces import SPACING, World
from mmwave_baselines.training import lstm
from mmwave_baselines.training.a3c_server import BLOCK, PAPER, STABLE, Server, with_settings
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.policy import Policy, action_metadata
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

# ---------------------------------------------------------------------- the compiled learner is the plain one


def plain_learn(start, traces, mode, price, uniform, warmup):
    """`a3c.learn` in plain NumPy, slot by slot, from what the paper says."""
    weights, square = start.weights.copy(), start.mean_square.copy()
    ues = len(traces.begins)
    memory = np.zeros((ues, 2, 1, SHAPE.units))
    serving = np.zeros(ues, int)
    chosen = []
    for b in range(traces.slots // BLOCK):
        fetched, pushes = weights.copy(), []
        for i in range(ues):
            if not mode.stale:
                fetched = weights.copy()
            x, actions, rewards, carried = [], [], [], memory[i].copy()
            for t in range(b * BLOCK, (b + 1) * BLOCK):
                if traces.begins[i, t]:
                    serving[i] = traces.rsrq_db[i, t].argmax()
                seen = np.concatenate(((traces.rsrq_db[i, t].astype(float) + 15.0) / 10.0, np.eye(6)[serving[i]]))
                x.append(seen[None])
                on = ~traces.begins[i, t, None, None]
                tape = lstm.forward(SHAPE, fetched, seen[None, None], *carried, on)
                carried = np.array((tape.steps[0].hidden, tape.steps[0].cell))
                action = int((uniform[i, t] >= lstm.softmax(tape.logits[0, 0]).cumsum()[:-1]).sum())
                change = action != serving[i]
                reward = float(traces.efficiency[i, t, action]) * (price[1] if change else 1.0) - price[0] * change
                rewards.append((reward - mode.offset) * mode.scale)
                actions.append(action)
                serving[i] = action
            last = (b + 1) * BLOCK
            begins = traces.begins[i, b * BLOCK : last + 1]
            tape = lstm.forward(SHAPE, fetched, np.array(x), *memory[i], ~begins[:-1, None])
            seen = np.concatenate(((traces.rsrq_db[i, last].astype(float) + 15.0) / 10.0, np.eye(6)[serving[i]]))
            after = lstm.forward(SHAPE, fetched, seen[None, None], *carried).value[0]
            target = lstm.n_step_targets(np.array(rewards)[:, None], begins[1:, None], after, mode.gamma)
            directions = lstm.actor_critic(tape, np.array(actions)[:, None], target, mode.entropy)
            pushes.append(lstm.backward(SHAPE, fetched, tape, *directions)[0])
            memory[i] = carried
            chosen.append(actions)
            if mode.averaged:
                continue
            lstm.rmsprop(weights, square, pushes[-1], mode.learning_rate, mode.decay, mode.epsilon)
        if mode.averaged:
            only = slice(SHAPE.critic.start if b < warmup else 0, None)
            mean = np.mean(pushes, axis=0)[only]
            lstm.rmsprop(weights[only], square[only], mean, mode.learning_rate, mode.decay, mode.epsilon)
    return Server(SHAPE, weights, square), np.array(chosen)


@pytest.mark.parametrize("mode", [PAPER, with_settings(PAPER, stale=False), with_settings(STABLE, warmup=1)])
def test_the_compiled_learner_is_the_plain_one(mode):
    """In area A3, where UEs leave within blocks, with handovers that cost time too."""
    world = World(3, 5.0, interruption_s=0.02)
    drawn = world.traces("A3", 3, 400, "test")
    ending = np.flatnonzero(drawn.begins[:, 1:].any(axis=0))[0] // BLOCK * BLOCK  # blocks about an end
    first = max(ending - BLOCK, 0)
    traces = drawn.between(first, first + 4 * BLOCK)
    assert traces.begins[:, 1:].any()
    start = server()
    uniform = np.random.default_rng(5).random(traces.efficiency.shape[:2])
    plain, chosen = plain_learn(start, traces, mode, world.price, uniform, mode.warmup)
    learned = a3c.learn(start, traces, mode, world.price, np.random.default_rng(5))
    np.testing.assert_allclose(learned.server.weights, plain.weights, rtol=0, atol=1e-9)
    np.testing.assert_allclose(learned.server.mean_square, plain.mean_square, rtol=1e-9)
    assert len(np.unique(chosen)) > 2
    assert np.abs(learned.server.weights - start.weights).max() > 1e-4
    if mode.averaged:
        assert learned.delays.tolist() == [4, 0, 0]
    else:
        assert learned.delays.tolist() == ([4, 4, 4] if mode.stale else [12, 0, 0])


def test_only_the_critic_learns_during_the_warm_up():
    world = World(1)
    traces = world.traces("A1", 2, 3 * BLOCK)
    start = server()
    learned = a3c.learn(start, traces, with_settings(STABLE, warmup=3), world.price, np.random.default_rng(0)).server
    changed = learned.weights != start.weights
    assert changed[SHAPE.critic].all()
    assert not changed[: SHAPE.critic.start].any()


def test_entropy_alone_raises_entropy():
    """Without rewards and values what is left of eq. 30 is its entropy, whose printed sign would lower it."""
    rng, x, memory, goes_on = a_block(4, slots=20, rows=1)
    weights, square = server(4).weights, np.zeros(SHAPE.size)

    def entropy():
        chance = lstm.softmax(lstm.forward(SHAPE, weights, x, *memory, goes_on).logits)
        return -(chance * np.log(chance)).sum(axis=-1).mean()

    before = entropy()
    for _ in range(20):
        tape = lstm.forward(SHAPE, weights, x, *memory, goes_on)
        directions = lstm.actor_critic(tape, rng.integers(6, size=(20, 1)), tape.value, 0.01)
        lstm.rmsprop(weights, square, lstm.backward(SHAPE, weights, tape, *directions)[0], 1e-3, 0.99, 1e-8)
    assert entropy() > before + 0.01


def test_regrets_add_up_to_the_reward_less_what_was_possible():
    world = World(2, 5.0)
    traces = world.traces("A3", 2, 20 * BLOCK)
    rewards = []
    for mode in (
        with_settings(STABLE, regret=True, offset=0.0, scale=1.0),
        with_settings(STABLE, offset=0.0, scale=1.0),
    ):
        record = np.zeros((*traces.efficiency.shape[:2], 5))
        potential = a3c.potential(traces, mode, world.price)
        uniform = np.random.default_rng(1).random(record.shape[:2])
        for i in range(2):
            shaped = potential[i] if len(potential) else np.zeros((0, 0))
            still, paid = np.zeros((2, SHAPE.units)), (*world.price, 0.0, 1.0)
            a3c_kernel.block(
                *(server().weights, tuple(SHAPE), *(a[i] for a in traces), shaped, uniform[i], 0, traces.slots, *still),
                *(0, paid, 0.9, 0.0, False, np.zeros(0), record[i]),
            )
        rewards.append(record[..., 1])
    regret, reward = rewards
    assert (regret < 1e-9).all()
    potential = a3c.potential(traces, with_settings(STABLE, regret=True), world.price)
    first = traces.rsrq_db.argmax(axis=-1)
    # Each episode's best is worth its potential at the begin.
    best = [potential[i, t, first[i, t]] for i in range(2) for t in np.flatnonzero(traces.begins[i, :-1])]
    assert regret.sum() == pytest.approx(reward.sum() - sum(best), abs=1e-6)


# ---------------------------------------------------------------------- worlds


def test_traces_are_the_episodes_of_the_environment_one_after_the_other():
    world = World(4, 25.0)
    traces = world.traces("A3", 3, 900)
    assert traces.begins[:, 0].all()
    assert (traces.begins.sum(axis=1) > 2).all()
    scenario = make_scenario("handover", **world.keywords("A3"), horizon=900)
    for ue in range(3):
        starts = np.flatnonzero(traces.begins[ue])
        for visit, start in enumerate(starts[:2]):
            batch = Batch(scenario, 1)
            batch.reset([EpisodeKey(4, ue + visit * SPACING, "a3c A3 learning")])
            alive, t = True, int(start)
            while alive:
                np.testing.assert_array_equal(batch.observe()[0, 0, :6], traces.rsrq_db[ue, t])
                outcome = batch.step(np.array([[t % 6]]))
                assert outcome.metrics["throughput_bps_hz"][0, 0] == traces.efficiency[ue, t, t % 6]
                alive, t = not outcome.terminated[0, 0], t + 1
            assert t == starts[visit + 1]
    again = world.traces("A3", [2], 900)
    np.testing.assert_array_equal(again.rsrq_db[0], traces.rsrq_db[2])


@pytest.mark.parametrize(("hysteresis_db", "wait"), [(0.0, 0), (2.0, 1), (4.0, 4)])
def test_the_imitated_a3_is_the_rule(hysteresis_db, wait):
    world = World(5, 25.0, boundary="stay")
    traces = world.traces("A1", 4, 600)
    batch = Batch(make_scenario("handover", **world.keywords("A1"), horizon=600), 4)
    batch.reset([EpisodeKey(5, i, "a3c A1 learning") for i in range(4)])
    agent = A3(hysteresis_db, 0.05 * wait)
    memory, actions, rewards = agent.begin(View(batch, "local")), [], []
    for t in range(600):
        action, memory = agent.predict(batch.observe()[:, 0], memory, np.full(4, t == 0))
        rewards.append(batch.step(action[:, None]).reward[:, 0])
        actions.append(action)
    ours = a3c.a3_actions(traces, hysteresis_db, wait)
    np.testing.assert_array_equal(ours, np.transpose(actions))
    assert len(np.unique(ours)) > 1
    followed = a3c.follow(traces, world.price, hysteresis_db, wait)
    np.testing.assert_allclose(followed.reward, np.mean(rewards, axis=0), rtol=1e-9)


def test_clusters_decide_who_shares_a_server():
    alone = a3c.train("stable", ues=4, blocks=2, clustering=False)
    assert alone.members == [("A1", i) for i in range(4)]
    assert alone.clusters == 0
    shared = a3c.train("stable", ues=4, blocks=2)
    assert shared.clusters == 2
    assert {area for area, _ in shared.members} == {"A1", "A2"}
    drifting = a3c.train("stable", ues=4, blocks=2, area="A3")
    assert {area for area, _ in drifting.members} == {"A3"}
    again = a3c.train("stable", ues=4, blocks=2)
    np.testing.assert_array_equal(again.server.weights, shared.server.weights)
    assert (again.server.weights != alone.server.weights).any()


def test_imitation_makes_a_start_and_stable_learning_keeps_it():
    """Imitation earns more than no training, and the stable mode does not spoil it; means over six worlds."""
    begun, after, random = [], [], []
    for seed in range(6):
        run = a3c.train("stable", seed=seed, blocks=60)
        world = World(seed)
        exam = world.traces("A1", 4, 600, "exam")
        rewards = [
            a3c.act(s, exam, world.price, np.random.default_rng(0)).reward.mean()
            for s in (run.begun, run.server, Server.fresh(SHAPE, seed))
        ]
        for kept, reward in zip((begun, after, random), rewards, strict=True):
            kept.append(reward)
    assert np.mean(begun) > np.mean(random) + 3.0
    assert np.mean(after) > np.mean(begun) - 0.1


def test_it_learns_from_nothing_in_an_easy_room():
    """Free handovers and no shadowing: from random weights (mean of all cells) towards the strongest cell."""
    world = World(0, 0.0, shadowing="none", fading="none")
    traces = world.traces("A1", 8, 400 * BLOCK)
    mode = with_settings(STABLE, learning_rate=3e-3)
    learned = a3c.learn(Server.fresh(SHAPE, 0), traces, mode, world.price, np.random.default_rng(0))
    first, last = learned.curve.reward[:10].mean(), learned.curve.reward[-10:].mean()
    best = traces.efficiency.max(axis=-1).mean()
    assert last > first + 0.5 * (best - first)


def test_the_curve_tells_returns_beside_values():
    run = a3c.train("paper", blocks=10, supervised=False, clustering=False)
    curve = run.curve
    assert all(len(column) == 10 for column in curve)
    # Rewards are 15 to 30 and gamma is .9, so returns are about ten times that; V has only just begun.
    assert (curve.discounted_return > 100.0).all()
    assert (curve.value < curve.discounted_return / 2).all()
    np.testing.assert_allclose(curve.reward, curve.throughput_bps_hz - 7.5 * curve.handovers)
    mean = curve.discounted_return.mean() * (1.0 - PAPER.gamma)
    assert mean == pytest.approx(curve.reward.mean(), rel=0.05)


def test_speed_is_told_by_rows():
    rows = speed_curve((2, 6), seeds=[0], blocks=6, every=3, test_ues=2, test_slots=100)
    assert [row["ues"] for row in rows] == [2, 6]
    assert [row["updates"] for row in rows] == [12, 36]
    assert [row["mean_delay"] for row in rows] == [0.5, 2.5]
    assert [row["bound_ues"] for row in rows] == [pytest.approx(12**0.5), 6.0]
    assert rows[0]["start_reward"] == rows[1]["start_reward"]
    assert all(len(row["rewards"]) == 3 for row in rows)
    prompt = speed_curve((6,), seeds=[0], blocks=3, every=3, test_ues=2, test_slots=100, delayed=False)
    assert prompt[0]["mean_delay"] == 0.0
    needed = [(2, 40), (2, None), (2, 20), (8, 10), (8, 10), (8, None), (16, None), (16, None), (16, 5)]
    table = speed_up([{"ues": n, "blocks_to_target": b} for n, b in needed])
    assert table == {2: 1.0, 8: 4.0, 16: None}
    assert speed_up(
        [{"ues": 2, "blocks_to_target": None}, *({"ues": n, "blocks_to_target": b} for n, b in needed[3:])]
    ) == {2: None, 8: 1.0, 16: None}


# ---------------------------------------------------------------------- agents


def saved(tmp_path, weights, mode=STABLE, **metadata):
    scenario = make_scenario("handover", num_ues=1)
    full = {
        "algorithm": "A3C", "env_id": "MmwaveHandover-v0", "kwargs": {},
        "action": action_metadata(scenario.action_space), "output": "logits", "normalised": False, "frame_stack": 1,
        "online": a3c_agents.mode_metadata(mode, weights), **metadata,
    }  # fmt: skip
    return save_policy(tmp_path / "policy.npz", a3c_agents.as_network(weights), scenario.fields, full)


def test_a_saved_policy_plays_what_the_server_would(tmp_path):
    """Offline and greedy, in A3, where UEs leave: actions of the agent and of the compiled player earn the same."""
    world = World(6, 25.0)
    trained = server(6)
    policy = load_policy(saved(tmp_path, trained))
    assert isinstance(policy, Policy)
    keys = [EpisodeKey(6, i, "a3c A3 learning") for i in range(5)]
    batch = Batch(make_scenario("handover", **world.keywords("A3"), horizon=60), 5)
    batch.reset(keys)
    memory, total = policy.begin(View(batch, "local"), RowRng.from_seed(0, 5)), np.zeros(5)
    for t in range(60):
        action, memory = policy.predict(batch.observe()[:, 0], memory, np.full(5, t == 0))
        total += batch.step(action[:, None]).reward[:, 0]
    traces = world.traces("A3", 5, 60)
    assert not traces.begins[:, 1:].any()
    played = a3c.act(trained, traces, world.price, np.random.default_rng(0), greedy=True)
    np.testing.assert_allclose(total / 60, played.reward, rtol=1e-5)
    assert played.handovers.sum() > 0.0


def test_a_policy_with_memory_forgets_where_an_episode_starts(tmp_path):
    policy = load_policy(saved(tmp_path, server(7)))
    seen = np.random.default_rng(0).uniform(-45.0, 0.0, (2, 3, 12)).astype(np.float32)
    _, fresh = policy.predict(seen[1], None)
    _, memory = policy.predict(seen[0], None)
    _, memory = policy.predict(seen[1], memory, np.array([True, False, False]))
    np.testing.assert_array_equal(memory.recurrent[0][0], fresh.recurrent[0][0])
    assert (memory.recurrent[0][1:] != fresh.recurrent[0][1:]).any()


class Uniforms:
    """A chance whose numbers are known, (rows, slots)."""

    def __init__(self, uniform):
        self._columns = iter(uniform.T)

    def random(self):
        return next(self._columns)


def test_the_online_agent_learns_as_the_simulation_does(tmp_path):
    """Three UEs, each with its own server, four blocks in which some leave: the weights are the compiled learner's."""
    world, mode = World(8, 25.0, area_side_m=1.0), with_settings(STABLE, gamma=0.8)
    trained = server(8)._replace(mean_square=np.full(SHAPE.size, 0.5))
    policy = load_policy(saved(tmp_path, trained, mode))
    agent = a3c_agents.OnlineA3c(policy.network, policy.metadata)
    start = a3c_agents.as_server(policy.network, np.full(SHAPE.size, 0.5))
    np.testing.assert_allclose(start.weights, trained.weights, rtol=0, atol=1e-5)
    slots = 4 * BLOCK
    scenario = make_scenario("handover", **world.keywords("A1"), horizon=slots)
    batch = Batch(scenario, 3)
    uniform = np.random.default_rng(2).random((3, slots))
    batch.reset([EpisodeKey(8, i, "a3c A1 learning") for i in range(3)])
    memory = agent.begin(View(batch, "local"), Uniforms(uniform))
    started, visit = np.ones(3, bool), np.zeros(3, int)
    for _ in range(slots):
        observation = batch.observe()[:, 0]
        action, memory = agent.predict(observation, memory, started)
        outcome = batch.step(action[:, None])
        started = outcome.terminated[:, 0]
        agent.learn(memory, observation, action, outcome.reward[:, 0], batch.observe()[:, 0], started, {})
        for i in np.flatnonzero(started):  # the traces' next visits
            visit[i] += 1
            batch._first_keys[i] = EpisodeKey(8, i + int(visit[i]) * SPACING - 1, "a3c A1 learning")
            batch._nth[i] = 0
            batch._ready[i] = False
            batch.restart(np.array([i]))
    assert visit.sum() > 0
    traces = world.traces("A1", 3, slots)
    for i in range(3):
        one = a3c.learn(
            start, traces.of([i]), with_settings(mode, averaged=False, warmup=0), world.price, Generator(uniform[i])
        )
        np.testing.assert_allclose(memory.server[i], one.server.weights, rtol=0, atol=1e-6)
    assert np.abs(memory.server - start.weights).max() > 1e-3


class Generator:
    """`random(shape)` gives what it was told."""

    def __init__(self, uniform):
        self._uniform = uniform

    def random(self, shape):
        return self._uniform.reshape(shape)


def test_an_online_ue_fetches_as_often_as_it_is_told(tmp_path):
    policy = load_policy(saved(tmp_path, server(9)))
    task = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 3 * BLOCK}, episodes=2)
    batch = Batch(task.scenario(), 2)
    batch.reset(task.keys([0, 1]))
    agent = a3c_agents.OnlineA3c(policy.network, policy.metadata, fetch_every=2)
    memory = agent.begin(View(batch, "local"), RowRng.from_seed(0, 2))
    first, fetched = memory.fetched.copy(), []
    for t in range(3 * BLOCK):
        observation = batch.observe()[:, 0]
        action, memory = agent.predict(observation, memory, np.full(2, t == 0))
        reward = batch.step(action[:, None]).reward[:, 0]
        memory = agent.learn(memory, observation, action, reward, observation, np.zeros(2, bool), {})
        if memory.slot == 0:
            fetched.append(memory.fetched.copy())
            assert (memory.server != first).any(), "it has pushed"
    assert (fetched[0] == first).all(), "its copy stays until it fetches"
    assert (fetched[1] != first).any()
    assert (fetched[2] == fetched[1]).all()


def test_rows_of_agents_do_not_depend_on_their_neighbours(tmp_path):
    policy = load_policy(saved(tmp_path, server(10)))
    task = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 50, "num_ues": 2, "area_side_m": 2.0}, episodes=70)
    for agent in (
        policy,
        Policy(policy.network, {**policy.metadata, "sampled": True}),
        a3c_agents.OnlineA3c(policy.network, policy.metadata),
    ):
        all_rows = evaluate(agent, task)
        some = evaluate(agent, task, skip=frozenset(range(64)))
        assert all_rows[64:] == some
        ceiling = evaluate(Oracle.for_task(task), task)
        assert all(row["reward"] <= best["reward"] + 1e-9 for row, best in zip(all_rows, ceiling, strict=True))


def test_policies_that_cannot_learn_are_refused(tmp_path):
    path = saved(tmp_path, server())
    policy = load_policy(path)
    metadata = {k: v for k, v in policy.metadata.items() if k != "online"}
    with pytest.raises(AgentError, match="only with what"):
        a3c_agents.OnlineA3c(policy.network, metadata)
    with pytest.raises(AgentError, match="begin"):
        a3c_agents.OnlineA3c(policy.network, policy.metadata).predict(np.zeros((1, 12), np.float32))
    text = json.loads(path.with_suffix(".json").read_text())
    text["network"]["recurrent"] = "gru"
    path.with_suffix(".json").write_text(json.dumps(text))
    with pytest.raises(AgentError, match="this version knows 'lstm'"):
        load_policy(path)
