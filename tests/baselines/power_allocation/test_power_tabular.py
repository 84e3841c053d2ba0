"""Tabular learners of power: the rule by hand, the kernel against plain Python, agents against the kernel."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.power_allocation import q_learning, scale, tabular
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.benchmark.suite import task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

AGENTS = {
    "cdpq": tabular.CdpQ,
    "cdpq-code": tabular.CdpQCode,
    "cdpq-eq6": tabular.CdpQEq6,
    "expq": tabular.ExpQ,
    "expq-code": tabular.ExpQCode,
    "expq-eq6": tabular.ExpQEq6,
    "difference-q": tabular.DifferenceQ,
}


class Dealt:
    """Deals out given numbers instead of chance."""

    def __init__(self, numbers: Any):
        self._numbers = np.asarray(numbers, np.float64)

    def random(self, size: tuple[int, int], /) -> Any:
        given, self._numbers = np.split(self._numbers, [size[0]])
        assert given.shape == size
        return given


def batch_of(num_envs: int = 1, seed: int = 0, **keywords: Any) -> Batch:
    batch = Batch(make_scenario("power_allocation", **keywords), num_envs)
    batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
    return batch


def air(batch: Batch, env: int = 0) -> dict[str, Any]:
    """What the kernel needs of an environment's world."""
    state: Any = batch.state
    scenario: Any = batch.scenario
    return {
        "gain": state.gain[env],
        "own_gain": state.own_gain[env],
        "noise_mw": scenario.noise_mw,
        "levels_mw": scenario.actions.levels_mw,
        "far_gain": state.far_gain[env],
        "ring": state.ring[env],
        "cluster": state.head[env],
    }


def play(agent: Any, batch: Batch, steps: int, rng: RowRng, first: Any = None) -> tuple[Any, Any]:
    """Levels (steps, num_envs, A) of an agent that learns as it plays, and its memory."""
    memory = agent.begin(View(batch, "local"), rng) if first is None else first
    shape, taken = (batch.num_envs, batch.scenario.num_agents), []
    seen = batch.observe().reshape(shape[0] * shape[1], -1)
    for _ in range(steps):
        action, memory = agent.predict(seen, memory)
        outcome = batch.step(action.reshape(shape))
        after = batch.observe().reshape(len(seen), -1)
        done = outcome.terminated.ravel()
        memory = agent.learn(memory, seen, action, outcome.reward.ravel(), after, done, {})
        seen = after
        taken.append(action.reshape(shape))
    return np.array(taken), memory


# ---------------------------------------------------------------------- the rule, by hand

PAIR: dict[str, Any] = {
    "gain": np.array([[0.0, 0.5], [0.25, 0.0]]),
    "own_gain": [1.0, 1.0],
    "noise_mw": 1.0,
    "levels_mw": [1.0, 4.0],
    "qos_sinr": 2.0,
}
SINR = (4.0 / 1.5, 1.0 / 2.0)  # at 4 mW and 1 mW


@pytest.mark.parametrize(
    ("reward", "expected"),
    [
        ("paper", [math.log2(1 + SINR[0]) - 1.0, math.log2(1 + SINR[1]) - 1.0]),  # log2 of 2 is 1
        ("exponential", [math.exp(-(math.log2((1 + s) / 3.0) ** 2)) for s in SINR]),
        (
            "difference",
            [
                # UE 1 would have an SINR of 1 / 1.25 at 1 mW, and misses 5 times the change less.
                math.log2(1 + SINR[0]) - 6.0 * (math.log2(1.8) - math.log2(1.5)),
                math.log2(1 + SINR[1]) - 5.0 * (math.log2(3.0) - math.log2(1.5)),
            ],
        ),
    ],
)
def test_one_step_of_two_base_stations(reward: str, expected: list[float]) -> None:
    run = q_learning.run(**PAIR, rng=Dealt([[0.9, 0.1]]), steps=1, epsilon=[1.0], alpha=0.5, reward=reward)
    assert run.level.tolist() == [1, 0]
    assert run.power_mw.tolist() == [4.0, 1.0]
    np.testing.assert_allclose(run.sinr, SINR, rtol=1e-12)
    np.testing.assert_allclose(run.q, [[0.0, 0.5 * expected[0]], [0.5 * expected[1], 0.0]], rtol=1e-9)
    assert run.satisfied[0] == 0.5  # 8/3 is enough, 1/2 is not
    assert run.satisfied_rate_bps_hz[0] == pytest.approx(math.log2(1 + SINR[0]))


def test_the_next_update_bootstraps_from_the_best_value() -> None:
    run = q_learning.run(**PAIR, rng=Dealt([[0.9, 0.1], [0.4, 0.9]]), steps=2, epsilon=[1.0, 1.0], alpha=0.5, gamma=0.9)
    first = 0.5 * (math.log2(1 + SINR[0]) - 1.0)
    second = 0.5 * (math.log2(1 + 1.0 / 3.0) - 1.0 + 0.9 * first)
    np.testing.assert_allclose(run.q[0], [second, first], rtol=1e-12)


def test_equal_values_mean_the_lowest_level_and_epsilon_ends() -> None:
    run = q_learning.run(**{**PAIR, "levels_mw": np.linspace(1.0, 9.0, 5)}, rng=Dealt(np.full((10, 2), 0.05)), steps=10)
    # Exploring (0.05 below 0.1) takes level 2 for eight steps. Two greedy ones follow, and the others' values are 0.
    assert run.greedy.tolist() == [0 if run.q[k, 2] < 0.0 else 2 for k in range(2)]
    assert (run.q[:, [1, 3, 4]] == 0.0).all()


def test_the_authors_charge_a_ue_with_what_those_before_it_hear() -> None:
    gain = np.array([[0.0, 0.1, 0.2], [0.3, 0.0, 0.4], [0.5, 0.6, 0.0]])
    keywords: dict[str, Any] = {
        "gain": gain,
        "own_gain": [1.0, 2.0, 3.0],
        "noise_mw": 0.01,
        "levels_mw": [2.0],
        "steps": 1,
    }
    run = q_learning.run(**keywords, rng=Dealt(np.ones((1, 3))), authors=True)
    np.testing.assert_allclose(run.sinr, [2.0 / 0.61, 4.0 / 2.01, 6.0 / 4.21], rtol=1e-12)
    run = q_learning.run(**keywords, rng=Dealt(np.ones((1, 3))))
    np.testing.assert_allclose(run.sinr, [2.0 / 0.61, 4.0 / 1.41, 6.0 / 2.21], rtol=1e-12)


def test_the_early_stop_is_the_authors() -> None:
    alone: dict[str, Any] = {"gain": np.zeros((1, 1)), "own_gain": [1.0], "noise_mw": 1e-3, "levels_mw": [1.0]}
    run = q_learning.run(**alone, rng=np.random.default_rng(0), steps=5000, stop=True)
    q, reference, calm, played = 0.0, math.inf, 0, 0
    while calm <= 1000:
        q += 0.5 * (1.0 + 0.9 * q - q)
        played += 1
        calm, reference = (calm + 1, reference) if abs(q - reference) < 1e-3 else (0, q)
    assert run.steps == played < 2000
    assert run.q[0, 0] == pytest.approx(q)
    assert len(run.rate_bps_hz) == played
    assert q_learning.run(**alone, rng=np.random.default_rng(0), steps=5000).steps == 5000


def test_members_that_share_tables_choose_alike() -> None:
    batch = batch_of(num_bs=14)
    world = air(batch)
    ring = np.asarray(world["ring"])
    assert len(set(ring.tolist())) > 1
    eq6 = q_learning.run(**world, rng=np.random.default_rng(0), steps=400, rule="eq6")
    assert len(set(eq6.greedy.tolist())) == 1
    assert eq6.greedy[0] == eq6.q.sum(axis=0).argmax()
    code = q_learning.run(**world, rng=np.random.default_rng(0), steps=400, rule="code")
    for k in range(14):
        assert code.greedy[k] == code.q[ring == ring[k]].sum(axis=0).argmax()
    own = q_learning.run(**world, rng=np.random.default_rng(0), steps=400)
    assert (own.greedy == own.q.argmax(axis=1)).all()
    assert len(set(own.greedy.tolist())) > 2


def test_bad_words_and_shapes() -> None:
    for wrong in ({"rule": "shared"}, {"reward": "team"}):
        keywords: dict[str, Any] = {**PAIR, **wrong}
        with pytest.raises(ValueError, match="must be one of"):
            q_learning.run(**keywords, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"gain must have shape \(2, 2\)"):
        q_learning.run(**{**PAIR, "gain": np.zeros((3, 3))}, rng=np.random.default_rng(0))


# ---------------------------------------------------------------------- compiled, plain, sparse

SMALL = """
import json
import numpy as np
from mmwave_baselines.power_allocation import q_learning
rng = np.random.default_rng(7)
gain, own = 10.0 ** rng.uniform(-12, -7, (5, 5)), 10.0 ** rng.uniform(-8, -7, 5)
out = []
for rule in q_learning.RULES:
    for reward in q_learning.REWARDS:
        run = q_learning.run(
            gain, own, 1e-12, 10.0 ** np.linspace(-1, 3.5, 8), [0, 0, 1, 1, 1], rng=np.random.default_rng(3), rule=rule,
            reward=reward, steps=150, epsilon=0.3, far_gain=gain[0], authors=rule == "code", stop=True,
        )
        out.append([run.steps, run.level.tolist(), run.q.tolist(), run.rate_bps_hz.tolist()])
"""


def test_compiled_and_plain_runs_are_equal() -> None:
    plain = subprocess.run(
        [sys.executable, "-c", SMALL + "print(json.dumps(out))"],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    compiled: dict[str, Any] = {}
    exec(SMALL, compiled)
    assert json.loads(plain.stdout) == compiled["out"]


@pytest.mark.parametrize("reward", q_learning.REWARDS)
def test_sparse_and_dense_gains_are_the_same_world(reward: str) -> None:
    from scipy import sparse

    world = air(batch_of(num_bs=10))
    dense = q_learning.run(**world, rng=np.random.default_rng(1), steps=300, reward=reward)
    apart = sparse.block_diag([world["gain"]] * 7, format="csr")  # 70: too many for the dense path
    many = {
        **world,
        "gain": apart,
        "own_gain": np.tile(world["own_gain"], 7),
        "far_gain": np.zeros(70),
        "ring": None,
        "cluster": None,
    }
    same = np.tile(np.random.default_rng(1).random((300, 10)), 7)
    seven = q_learning.run(**many, rng=Dealt(same), steps=300, reward=reward)
    np.testing.assert_allclose(seven.q.reshape(7, 10, -1), np.broadcast_to(dense.q, (7, *dense.q.shape)), rtol=1e-9)


# ---------------------------------------------------------------------- the environment and the agents

SPARSE = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 150.0}


@pytest.mark.parametrize("keywords", [{"num_bs": 9}, {**SPARSE, "side_m": 500.0}])
def test_the_difference_reward_is_the_environments(keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular.DifferenceQ, "MARGIN", 0.0)
    monkeypatch.setattr(tabular.DifferenceQ, "PENALTY", 5.0)
    batch = batch_of(2, ue_radius_m=30.0, reward="difference", start="random", **keywords)
    agent, present = tabular.DifferenceQ(), batch.state.present
    memory = agent.begin(View(batch, "local"), RowRng.from_seed(0, present.size))
    _, memory = agent.predict(batch.observe().reshape(present.size, -1), memory)
    level = np.random.default_rng(5).integers(0, 32, present.shape)
    outcome = batch.step(level)
    reward = agent.rewards(memory.memory, memory.view).reshape(present.shape)
    np.testing.assert_allclose(reward[present], outcome.reward[present], rtol=1e-9, atol=1e-9)
    for env in range(2):
        there = present[env]
        world = air(batch, env)
        for name in ("own_gain", "far_gain", "ring", "cluster"):
            world[name] = world[name][there]
        world["gain"] = world["gain"][there][:, there]
        chance = Dealt((level[env, there][None] + 0.5) / 32.0)
        run = q_learning.run(
            **world, rng=chance, steps=1, epsilon=[1.0], alpha=1.0, gamma=0.0, penalty=5.0, reward="difference"
        )
        mine = run.q[np.arange(there.sum()), level[env, there]]
        np.testing.assert_allclose(mine, outcome.reward[env, there], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_an_agent_learns_as_the_kernel_does(name: str) -> None:
    steps, bs = 400, 5
    batch = batch_of(num_bs=bs, ue_radius_m=30.0, horizon=steps + 1)
    world = air(batch)
    agent = AGENTS[name](learning_steps=steps)
    levels, state = play(agent, batch, steps, RowRng.from_seed(4, bs))
    rng = RowRng.from_seed(4, bs)
    chance = Dealt([rng.random() for _ in range(steps)])
    if name == "difference-q":
        keywords = scale.settings(name, steps)
    else:
        keywords = {"reward": "paper" if "cdpq" in name else "exponential", "rule": agent.rule}
    run = q_learning.run(**world, rng=chance, steps=steps, **keywords)
    np.testing.assert_allclose(state.memory.q, run.q, rtol=1e-6, atol=1e-9)
    assert levels[-1, 0].tolist() == run.level.tolist()


@pytest.mark.parametrize("name", ["cdpq-code", "expq", "difference-q"])
def test_rows_are_independent(name: str) -> None:
    def taken(seeds: list[int]) -> Any:
        batch = Batch(make_scenario("power_allocation", num_bs=6, ue_radius_m=30.0), len(seeds))
        batch.reset([EpisodeKey(s) for s in seeds])
        rng = RowRng([np.random.default_rng([s, place]) for s in seeds for place in range(6)])
        return play(AGENTS[name](), batch, 80, rng)[0]

    together = taken([3, 1, 8])
    for i, seed in enumerate([3, 1, 8]):
        assert (taken([seed])[:, 0] == together[:, i]).all()


def test_who_is_not_there_learns_nothing_and_who_arrives_starts_anew() -> None:
    batch = batch_of(
        layout="poisson", scope="network", interference="network", side_m=400.0, changes=12, horizon=60, seed=2
    )
    agent = tabular.CdpQCode(epsilon=1.0)
    played = np.zeros(batch.scenario.num_agents, np.int64)
    state = agent.begin(View(batch, "local"), RowRng.from_seed(0, len(played)))
    before = batch.state.present[0].copy()
    came = left = 0
    for _ in range(59):
        there = batch.state.present[0].copy()
        came, left = came + int((there & ~before).sum()), left + int((before & ~there).sum())
        before = there
        seen = batch.observe()[0]
        action, state = agent.predict(seen, state)
        outcome = batch.step(action[None])
        played += there & ~outcome.terminated[0]
        state = agent.learn(state, seen, action, outcome.reward[0], batch.observe()[0], outcome.terminated[0], {})
    assert came > 0
    assert left > 0
    assert (state.memory.age == played).all()
    assert 0 in played
    assert (state.memory.q[played == 0] == 0.0).all()
    assert (np.abs(state.memory.q[played > 0]).sum(axis=1) > 0.0).all()


def test_a_new_episode_begins_with_empty_tables() -> None:
    batch = batch_of(2, num_bs=4)
    agent = tabular.DifferenceQ()
    _, state = play(agent, batch, 30, RowRng.from_seed(0, 8))
    start = np.repeat([False, True], 4)
    _, state = agent.predict(batch.observe().reshape(8, -1), state, start)
    assert (state.memory.q[4:] == agent.first_q).all()
    assert (state.memory.age[4:] == 0).all()
    assert (state.memory.q[:4] != agent.first_q).any(axis=1).all()
    assert (state.memory.age[:4] == 30).all()


def test_exploration_ends_after_four_fifths_of_the_warm_up() -> None:
    own = Task(env_id="MmwavePowerAllocation-v0", kwargs={"num_bs": 3, "horizon": 60}, warmup_steps=50, scored_steps=10)
    made = load_agent("cdpq", "power_allocation", own)
    batch = batch_of(num_bs=3, horizon=60)
    state = made.begin(View(batch, "local"), RowRng.from_seed(0, 3))
    chances = []
    for age in range(60):
        state.memory.age[:] = age
        chances.append(float(made.chance_to_explore(state.memory)[0]))
    assert chances == [0.1] * 40 + [0.0] * 20
    falling = tabular.DifferenceQ(learning_steps=50)
    state = falling.begin(View(batch, "local"), RowRng.from_seed(0, 3))
    state.memory.age[:] = (0, 20, 40)
    np.testing.assert_allclose(falling.chance_to_explore(state.memory), [0.3, 0.15, 0.0])


def test_the_difference_reward_comes_near_the_optimum() -> None:
    """Three base stations, all 32^3 choices tried: within 5 % on each of eight feasible draws, 2 % on average."""
    batch = batch_of(8, num_bs=3, ue_radius_m=30.0, feasible="only", seed=100)
    share = []
    for env in range(8):
        world = air(batch, env)
        levels = np.array(list(itertools.product(world["levels_mw"], repeat=3)))
        sinr = levels * world["own_gain"] / (levels @ world["gain"].T + world["noise_mw"])
        best = np.log2(1.0 + sinr).sum(axis=1)[(sinr >= 2.83).all(axis=1)].max()
        keywords = scale.settings("difference-q", 5000)
        run = q_learning.run(**world, rng=np.random.default_rng(env), steps=5000, **keywords)
        share.append(run.satisfied_rate_bps_hz[-1] / best)
    assert max(share) <= 1.0 + 1e-12
    assert min(share) > 0.95
    assert np.mean(share) > 0.98


@pytest.mark.parametrize("name", sorted(AGENTS))
def test_where_agents_are_not_applicable(name: str) -> None:
    with pytest.raises(NotApplicable, match=r"learns a value for each level, .* continuous: it needs levels=32"):
        load_agent(name, "power_allocation", task("power_allocation/hard-14"))
    batch = batch_of(levels=None)
    with pytest.raises(NotApplicable, match="powers are continuous"):
        AGENTS[name]().begin(View(batch, "local"), RowRng.from_seed(0, 14))
    with pytest.raises(AgentError, match="has no training seeds, got 1"):
        AGENTS[name].for_task(None, 1)
    assert type(load_agent(name, "power_allocation", task("power_allocation/paper-14"))) is AGENTS[name]


def test_bad_settings_are_named() -> None:
    for wrong in ({"alpha": 0.0}, {"alpha": 1.5}, {"gamma": -0.1}, {"epsilon": 2.0}, {"learning_steps": 0}):
        with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be"):
            tabular.CdpQ(**wrong)


# ---------------------------------------------------------------------- scale


def test_a_small_network_is_played_and_drawn(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("pygame")
    scale.main(["--bs", "200", "--iterations", "400", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "million agent-steps a second" in said
    assert "full power" in said
    for name in ("power_allocation_scale.png", "power_allocation_scale_map.png"):
        assert (tmp_path / name).stat().st_size > 10_000
    with pytest.raises(SystemExit):
        scale.main(["--bs", "0"])


def test_a_network_learns_more_than_full_power_gives() -> None:
    result = scale.play(300, 3000)
    run = result.learned["difference-q"]
    rate, met = result.fixed["full power"]
    assert run.rate_bps_hz[-1] / result.count > rate
    assert run.satisfied[-1] > met
