"""Rules that were tuned task by task: what their files say, and that each is the old rule where its prices are off."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_baselines.association.priced_rollout import PricedRollout
from mmwave_baselines.association.rollout import Rollout
from mmwave_baselines.association.rules import Cover, Msr, Price
from mmwave_baselines.association.scored import CoverScore, Score
from mmwave_baselines.cell_selection.expected import ExpectedLoad
from mmwave_baselines.handover.events import A3Filtered
from mmwave_baselines.handover.mean_rate import MeanRate, rates_of
from mmwave_baselines.handover.rules import StrongestCell
from mmwave_baselines.handover.saturated import Saturated as HandoverSaturated
from mmwave_baselines.power_allocation.feedback import BackOff, FoschiniMiljanicFeedback, Linear
from mmwave_baselines.street.fresh import A2Fresh, A3Cells, A3Fresh, A3Pairs, A3Trend, A5Fresh, RateFresh
from mmwave_baselines.street.least_squares import StreetLeastSquares
from mmwave_baselines.street.saturated import Saturated
from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.registry import agents, is_shipped
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.agents.tuned import declares, file_of, parameters, stored
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_registered, make_scenario
from mmwave_gym.core.scenario import EpisodeKey

BLOCKED = {"num_ues": 6, "crossings": (3, 3), "duration_s": 40.0, "settle_s": 1.0, "geometry": "blocked"}


def tunable_rules() -> list[tuple[str, str, Any]]:
    """Scenario, name and class of every shipped agent that declares parameters."""
    known = [(scenario, name) for scenario in rooms.rooms() for name in agents(scenario)]
    found = [(scenario, name, find(name, scenario)) for scenario, name in known if is_shipped(name, scenario)]
    return [(scenario, name, kind) for scenario, name, kind in found if declares(kind)]


RULES = tunable_rules()


def actions(agent: Any, scenario: str, envs: int = 6, steps: int = 60, **keywords: Any) -> Any:
    """(step, env): what it does in the same episodes."""
    batch = Batch(make_scenario(scenario, **keywords), envs, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in range(envs)])
    rng = RowRng([np.random.default_rng(n) for n in range(envs)])
    memory, started, done = agent.begin(View(batch, agent.access), rng), np.ones(envs, bool), []
    for _ in range(steps):
        action, memory = agent.predict(batch.observe()[:, 0], memory, started)
        started = batch.step(action[:, None]).truncated
        done.append(action)
    return np.array(done)


@pytest.mark.parametrize(("scenario", "name", "kind"), RULES, ids=[f"{s}/{n}" for s, n, _ in RULES])
def test_what_was_tuned_holds_for_the_tasks_of_today(scenario: str, name: str, kind: type[Rule]) -> None:
    for task_name, entry in stored(file_of(kind)).get(kind.__name__, {}).items():
        task = find_task(task_name)
        assert entry["task_hash"] == task.hash, "tune it again"
        made = load_agent(name, scenario, task)
        assert type(made) is kind
        assert {parameter: made.config[parameter] for parameter in entry["parameters"]} == entry["parameters"]
        assert made.config["tuned_on"] == f"the training split of {task_name}, task hash {entry['task_hash']}"
        assert made.config["tuned_by"] == entry["tuned_by"]
        assert parameters(kind, task).keys() >= entry["parameters"].keys()
    default = load_agent(name, scenario)
    assert default.config["tuned_on"] is None
    told = {
        parameter: value for parameter, value in default.config.items() if parameter not in ("tuned_on", "tuned_by")
    }
    assert kind().config == told
    with pytest.raises(AgentError, match="no training seeds"):
        load_agent(f"{name}@3", scenario)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeanRate(slots=math.nan), "slots"),
        (lambda: MeanRate(alpha=-0.1), "alpha"),
        (lambda: HandoverSaturated(slots=-1.0), "slots"),
        (lambda: HandoverSaturated(alpha=1.5), "alpha"),
        (lambda: A3Fresh(past=1.0), "past"),
        (lambda: A3Fresh(decisions=0), "decisions"),
        (lambda: A3Fresh(stay_s=-1.0), "stay_s"),
        (lambda: A3Trend(trend=-1.0), "trend"),
        (lambda: RateFresh(factor=-1.0), "factor"),
        (lambda: A5Fresh(serving_db=math.nan), "serving_db"),
        (lambda: Saturated(cost_bps_hz=0.0), "cost_bps_hz"),
        (lambda: A3Filtered(past=1.0), "past"),
        (lambda: A3Filtered(hysteresis_db=math.inf), "hysteresis_db"),
        (lambda: StreetLeastSquares(window="3"), "window must be one of 2, 1, 4"),
        (lambda: ExpectedLoad(ahead=1.1), "ahead"),
        (lambda: BackOff(-1.0), "back_off_db"),
        (lambda: FoschiniMiljanicFeedback(step=0.0), "step"),
        (lambda: Linear(balance=math.inf), "balance"),
        (lambda: PricedRollout(depth_epochs=0), "depth_epochs"),
        (lambda: Score(lam=math.nan), "lam"),
        (lambda: CoverScore(threshold_bps_hz=-1.0), "threshold_bps_hz"),
        (lambda: CoverScore(kappa_bps_hz=math.inf), "kappa_bps_hz"),
    ],
)
def test_bad_parameters_are_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------- handover


@pytest.mark.parametrize("beta", [5.0, 25.0])
def test_saturated_is_its_formula_in_plain_python(beta: float) -> None:
    slots, alpha, cost = 3.0, 0.2, beta * 0.3
    batch = Batch(make_scenario("handover", horizon=80, beta=beta), 3, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in range(3)])
    agent = HandoverSaturated(slots, alpha)
    memory, means = agent.begin(View(batch, "local")), [[0.0] * 6 for _ in range(3)]
    moves = 0
    for t in range(80):
        observation = batch.observe()[:, 0]
        parts = batch.scenario.fields.split(observation)
        action, memory = agent.predict(observation, memory, np.full(3, t == 0))
        for i in range(3):
            q = [float(db) / (10 * math.log10(2)) for db in parts["rsrq_db"][i]]
            share = max(alpha, 1 / (t + 1))
            means[i] = [f + share * (now - f) for f, now in zip(means[i], q, strict=True)]
            s = int(parts["serving"][i].argmax())
            gain = [
                0.0 if n == s else q[n] - q[s] + cost * math.tanh(slots * (means[i][n] - means[i][s]) / cost) - cost
                for n in range(6)
            ]
            assert action[i] == max(range(6), key=lambda n: gain[n])
            moves += int(action[i] != s)
        batch.step(action[:, None])
    assert moves > 3


def test_saturated_takes_the_strongest_cell_where_handovers_cost_nothing() -> None:
    keywords = {"beta": 0.0, "horizon": 100}
    np.testing.assert_array_equal(
        actions(HandoverSaturated(), "handover", **keywords), actions(StrongestCell(), "handover", **keywords)
    )


def test_rates_of_shares_by_hand() -> None:
    """Shares of 3/4 and 1/4, both 1.7 dB too high: at full load SINRs of 3 and 1/3."""
    signal_db = np.array([[10 * math.log10(0.75), 10 * math.log10(0.25)]]) + 1.7
    np.testing.assert_allclose(rates_of(signal_db, 0.0, None), [[2.0, math.log2(4 / 3)]])
    np.testing.assert_allclose(rates_of(signal_db, 0.0, 1.5), [[1.5, math.log2(4 / 3)]])
    np.testing.assert_allclose(rates_of(signal_db, -10.0, None), [[math.log2(31.0), math.log2(1 + 10 / 3)]])
    apart = rates_of(signal_db, None, None)
    assert apart[0, 0] - apart[0, 1] == pytest.approx(math.log2(3.0)), "where all SNRs are high"


@pytest.mark.parametrize("interruption_s", [0.05, 0.12])
def test_mean_rate_is_its_formula_in_plain_python(interruption_s: float) -> None:
    slots, alpha, cost, share = 6.0, 0.25, 5.0 * 0.3, 10**-1.3
    keywords = {"horizon": 120, "beta": 5.0, "interruption_s": interruption_s, "speed_mps": (8.0, 16.0)}
    batch = Batch(make_registered("MmwaveHandover-v1", boundary="stay", **keywords), 3, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in range(3)])
    agent = MeanRate(slots, alpha)
    memory, means = agent.begin(View(batch, "local")), [[0.0] * 6 for _ in range(3)]
    moves = 0
    for t in range(120):
        observation, mask = batch.observe()[:, 0], batch.action_mask()
        parts = batch.scenario.fields.split(observation)
        action, memory = agent.predict(observation, memory, np.full(3, t == 0))
        for i in range(3):
            weight = max(alpha, 1 / (t + 1))
            means[i] = [f + weight * (float(q) - f) for f, q in zip(means[i], parts["rsrq_db"][i], strict=True)]
            power = [10 ** (f / 10) for f in means[i]]
            rate = [min(math.log2(1 + p / (share * (sum(power) - p))), 7.4063) for p in power]
            s = int(parts["serving"][i].argmax())
            lost = interruption_s / 0.05 * rate[s]
            gain = [0.0 if n == s else slots * (rate[n] - rate[s]) - cost - lost for n in range(6)]
            busy = mask is not None and not mask[i, 0].all()
            assert action[i] == (s if busy else max(range(6), key=lambda n: gain[n]))
            moves += int(action[i] != s)
        batch.step(action[:, None])
    assert moves > 3


# ---------------------------------------------------------------------- street


def test_measured_sinr_is_the_world_s() -> None:
    """Where the measurements are the truth, the SINR that follows from them is that of the world."""
    batch = Batch(make_scenario("street"), 4, draws_ahead=False)
    batch.reset([EpisodeKey(1, n, "test") for n in range(4)])
    agent, view, episodes = A3Trend(past=0.3, trend=0.5), View(batch, "local"), batch.episodes
    observation = batch.observe()[:, 0]
    parts = batch.scenario.fields.split(observation)
    for i in range(8):
        parts[f"rsrp_{i}_dbm"][:] = episodes.rsrp_dbm[episodes.row, 700]
    seen = Seen(view, None, observation, np.ones(4, bool))
    truth = episodes.sinr_db[episodes.row, 700]
    heard = episodes.rsrp_dbm[episodes.row, 700] > -140.0  # the bound of the observation
    np.testing.assert_allclose(agent.measured_db(seen)[heard], truth[heard], atol=0.01)


def fresh(agent: Any, own_db: Any, levels_dbm: Any, served_s: float = 10.0, serving: int = 0) -> list[int]:
    """Cells that one UE of a cell would choose, without moving; measurements newest first at every decision.

    levels_dbm: of cell 1, or of the serving cell 0 and cells 1, 2, … where an entry is a tuple.
    """
    batch = Batch(make_scenario("street", interference_db=None), 1)
    fields, memory, chosen = batch.scenario.fields, agent.begin(View(batch, "local")), []
    for t, (own, levels) in enumerate(zip(own_db, levels_dbm, strict=True)):
        observation = np.zeros((1, fields.size), np.float32)
        parts = fields.split(observation)
        parts["serving"][0, serving], parts["served_s"][0], parts["sinr_db"][0, :2] = 1.0, served_s, own
        for i in range(8):
            level = levels[min(i, len(levels) - 1)]
            parts[f"rsrp_{i}_dbm"][0] = -120.0
            if isinstance(level, tuple):
                parts[f"rsrp_{i}_dbm"][0, : len(level)] = level
            else:
                parts[f"rsrp_{i}_dbm"][0, 1] = level
        action, memory = agent.predict(observation, memory, np.array([t == 0]))
        chosen.append(int(action[0]))
    return chosen


def test_fresh_a3_by_hand() -> None:
    """SINR is RSRP + 78 dB here: -68 dBm are 10 dB."""
    assert fresh(A3Fresh(), [(6.9, 9.0), (7.1, 9.0)], [[-68.0]] * 2) == [1, 0]  # 3 dB, on the SINR of now
    assert fresh(A3Fresh(past=0.5), [(3.0, 3.0)], [[-68.0, -78.0]]) == [0]  # (10 + 0) / 2 dB, that is 2 above
    assert fresh(A3Fresh(past=0.5), [(1.9, 3.0)], [[-68.0, -78.0]]) == [1]
    assert fresh(A3Trend(trend=1.0), [(8.0, 8.0)] * 2, [[-68.0, -68.0], [-68.0, -70.0]]) == [0, 1]  # 2 dB more to come
    assert fresh(A3Trend(own_trend=2.0), [(8.0, 8.0), (8.0, 9.0)], [[-68.0]] * 2) == [0, 1]
    assert fresh(A3Fresh(gate_db=5.0), [(5.5, 5.5), (4.5, 4.5)], [[-68.0]] * 2) == [0, 1]
    assert fresh(A3Fresh(), [(24.0, 24.0)], [[-38.0]]) == [1]
    assert fresh(A3Fresh(capped=True), [(24.0, 24.0), (19.0, 24.0)], [[-38.0]] * 2) == [0, 1]  # 22.3 dB are enough
    assert fresh(A3Fresh(stay_s=2.0), [(0.0, 0.0)], [[-68.0]], served_s=1.9) == [0]
    assert fresh(A3Fresh(decisions=2), [(0.0, 0.0), (9.0, 9.0), (0.0, 0.0), (0.0, 0.0)], [[-68.0]] * 4) == [0, 0, 0, 1]
    assert fresh(A3Fresh(), [(-9.0, -9.0)], [[-68.0]]) == [0]  # a command would be lost
    assert fresh(A3Fresh(commands_in_outage=True), [(-9.0, -9.0)], [[-68.0]]) == [1]


def test_offsets_by_cell_and_by_pair_by_hand() -> None:
    assert fresh(A3Cells(offset_db=(4.0, 0, 0, 0, 0, 0)), [(4.0, 4.0), (2.9, 2.9)], [[-68.0]] * 2) == [0, 1]
    both = [[(-80.0, -68.0, -69.0)]]  # cells 1 and 2 have 10 and 9 dB
    assert fresh(A3Cells(), [(0.0, 0.0)], both) == [1]
    assert fresh(A3Cells(offset_db=(0.0, 0.0, 1.5, 0, 0, 0)), [(0.0, 0.0)], both) == [2]
    pair_db = np.zeros((6, 6))
    pair_db[0, 1] = 5.0  # from cell 0 to 1 eight dB are needed, from elsewhere three
    pairs = tuple(pair_db.ravel())
    assert fresh(A3Pairs(pair_db=pairs), [(2.1, 2.1), (1.9, 1.9)], [[-68.0]] * 2) == [0, 1]
    assert fresh(A3Pairs(pair_db=pairs), [(6.9, 6.9)], [[-68.0]], serving=3) == [1]
    assert fresh(A3Pairs(pair_db=pairs), [(0.0, 0.0)], both) == [2]
    for agent, name, count in (
        (A3Cells(offset_db=(0.0, 1.0)), "offset_db", 6),
        (A3Pairs(pair_db=(1.0,)), "pair_db", 36),
    ):
        with pytest.raises(AgentError, match=rf"{name} must have {count} numbers, one a .*, got"):
            fresh(agent, [(0.0, 0.0)], [[-68.0]])


def test_rates_thresholds_and_saturated_means_by_hand() -> None:
    # 10 dB are 3.46 bit/s/Hz, 3.5 dB 1.69, 4.5 dB 1.93.
    assert fresh(RateFresh(factor=2.0, hysteresis_db=0.0), [(4.5, 4.5), (3.5, 3.5)], [[-68.0]] * 2) == [0, 1]
    assert fresh(A5Fresh(serving_db=3.0, neighbour_db=6.0), [(3.1, 3.1), (2.9, 2.9)], [[-68.0]] * 2) == [0, 1]
    assert fresh(A5Fresh(serving_db=3.0, neighbour_db=11.0), [(2.9, 2.9)], [[-68.0]]) == [0]
    assert fresh(A2Fresh(serving_db=3.0), [(3.1, 3.1), (2.9, 2.9)], [[-80.0]] * 2) == [
        0,
        1,
    ]  # -2 dB are better than none
    # 10 dB against 4.5 dB gain 1.53 bit/s/Hz now. With T = 0 that must pay for the handover alone.
    now = {"own_db": [(4.5, 4.5)], "levels_dbm": [[-68.0]]}
    assert fresh(Saturated(decisions=0.0, cost_bps_hz=1.5), **now) == [1]
    assert fresh(Saturated(decisions=0.0, cost_bps_hz=1.6), **now) == [0]
    # With T = 1 the mean, which is the first value, adds 3 tanh(1.53 / 3) = 1.41, less than 3.
    assert fresh(Saturated(decisions=1.0, cost_bps_hz=3.0), **now) == [0]
    assert fresh(Saturated(decisions=5.0, cost_bps_hz=3.0), **now) == [1]  # 3 tanh(5 x 1.53 / 3) = 2.96
    # The mean of a cell that was not heard before is half of what it is now: 3 tanh(5 x (1.73 - 1.93) / 3) < 0.
    later = {"own_db": [(4.5, 4.5)] * 2, "levels_dbm": [[-120.0], [-68.0]]}
    assert fresh(Saturated(decisions=5.0, alpha=0.5, cost_bps_hz=3.0), **later) == [0, 0]
    assert fresh(Saturated(decisions=5.0, alpha=1.0, cost_bps_hz=3.0), **later) == [0, 1]
    assert fresh(Saturated(decisions=5.0), [(-9.0, -9.0)], [[-68.0]]) == [0]  # a command would be lost


# ---------------------------------------------------------------------- association


@pytest.mark.parametrize(
    ("priced", "plain"),
    [(Score(), Price()), (Score(kappa_bps_hz=0.0), Msr()), (CoverScore(), Cover())],
    ids=["PRICE", "MSR", "COVER"],
)
def test_without_its_prices_a_score_is_the_rule_it_is_built_on(priced: Any, plain: Any) -> None:
    np.testing.assert_array_equal(actions(priced, "association", **BLOCKED), actions(plain, "association", **BLOCKED))


def test_prices_turn_a_choice() -> None:
    free, full = Score(opening_bps_hz=-100.0), Score(opening_bps_hz=100.0)
    rows = [
        mmwave_gym.evaluate(a, Task(env_id="MmwaveAssociation-v0", kwargs=BLOCKED), episodes=2) for a in (free, full)
    ]
    assert not np.array_equal(actions(free, "association", **BLOCKED), actions(full, "association", **BLOCKED))
    assert np.mean([r["network_rate_mbps"] for r in rows[0]]) > np.mean([r["network_rate_mbps"] for r in rows[1]])


def test_a_rollout_of_the_score_without_prices_is_the_rollout_of_msr() -> None:
    pytest.importorskip("numba", reason="the extra baselines is not installed")
    plain = actions(Rollout(12), "association", steps=30, **BLOCKED)
    np.testing.assert_array_equal(actions(PricedRollout(12), "association", steps=30, **BLOCKED), plain)
    charged = actions(PricedRollout(12, kappa_bps_hz=8.0, opening_bps_hz=5.0), "association", steps=30, **BLOCKED)
    assert not np.array_equal(charged, plain)


def test_the_base_of_a_rollout_is_the_score_by_hand() -> None:
    pytest.importorskip("numba", reason="the extra baselines is not installed")
    from mmwave_baselines.association.kernels import Epochs, network_of
    from mmwave_baselines.association.priced_kernel import best_score

    # UE 0 has left and may join cell 0 (one UE of 4 bit/s/Hz, own link 5) or cell 1 (free, own link 1).
    network = network_of(np.array([2, 0]), np.array([0.0, 4.0]), 4)
    epochs = Epochs(
        ue=np.array([0]),
        choices=np.array([2]),
        cell=np.array([[0, 1]]),
        efficiency=np.array([[5.0, 1.0]]),
        mean=np.array([[5.0, 1.0]]),
        gap_s=np.array([1.0]),
    )
    assert best_score(network, epochs, 0, 1.0, 0.0, 0.0) == 1  # (5 - 4) / 2 = 0.5 against 1
    assert best_score(network, epochs, 0, 0.0, 0.0, 0.0) == 0  # 5 / 2 against 1
    assert best_score(network, epochs, 0, 1.0, 0.0, 0.6) == 0  # opening takes 0.6: 0.5 against 0.4
    assert best_score(network, epochs, 0, 1.0, 2.0, 0.0) == 0  # 0.5 - 2 / 6 = 0.17 against 1 - 2 / 2 = 0
