"""Power allocation against a slow, obvious reference: one base station after the other, from the drawn world."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import sparse, stats
from scipy.optimize import linprog

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio import interference
from mmwave_gym.scenarios.power_allocation import rewards
from mmwave_gym.scenarios.power_allocation.config import ROWS_M
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation

Q = 2.83
REQUIRED = math.log2(1.0 + Q)
NETWORK: dict[str, Any] = {"layout": "poisson", "scope": "network", "ue_radius_m": 30.0, "start": "random"}
WORLDS: dict[str, dict[str, Any]] = {
    "rows": {"num_bs": 9, "ue_radius_m": 30.0, "start": "random"},
    "rows-changing": {"num_bs": 4, "changes": 5, "ue_radius_m": 30.0},
    "cluster": {"layout": "poisson", "cluster_bs": (3, 9), "ue_radius_m": 30.0, "start": "random"},
    "network": {**NETWORK, "interference": "network", "side_m": 350.0, "changes": 6},
    "network-clusters": {**NETWORK, "side_m": 450.0, "changes": 6},
    "network-far": {**NETWORK, "interference": "network", "interference_range_m": 120.0, "side_m": 450.0, "changes": 6},
}
REWARDS = ("paper", "exponential", "team", "difference")


def scenario(**keywords: Any) -> PowerAllocation:
    made = make_scenario("power_allocation", **keywords)
    assert isinstance(made, PowerAllocation)
    return made


def batch_of(num_envs: int = 1, seed: int = 0, **keywords: Any) -> Batch:
    batch = Batch(scenario(**keywords), num_envs, draws_ahead=False)
    batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
    return batch


def dbm(mw: float) -> float:
    return 10.0 * math.log10(mw)


# ---------------------------------------------------------------------------------------------- the reference


class Reference:
    """One copy. Whoever is there is in `there`; everything else is by place."""

    def __init__(self, world: PowerAllocation, seed: int):
        self.config = c = world.config
        drawn = world.draw([EpisodeRng(EpisodeKey(seed))])
        gain = drawn.gain[0]
        self.gain = np.asarray(gain.toarray() if sparse.issparse(gain) else gain)
        self.far, self.first_mw = drawn.far_gain[0], drawn.first_mw[0]
        self.place_m, self.ue_m = drawn.place_m[0], drawn.ue_m[0]
        self.phases, self.heads = drawn.present[0], drawn.head[0]
        self.change_slot = drawn.change_slot[0].tolist()
        self.noise_mw = 10.0 ** (c.noise_dbm / 10.0)
        self.least_mw = 10.0 ** (c.power_dbm[0] / 10.0)
        self.slot = self.phase = 0
        self.power_mw: dict[int, float] = {}
        self.pressure: dict[int, float] = {}
        self.unhealed: list[set[int]] = []  # by change: whose clusters it touched
        self.enter()
        self.measure()

    def enter(self) -> None:
        self.there = np.flatnonzero(self.phases[self.phase]).tolist()
        self.head = {i: int(self.heads[self.phase][i]) for i in self.there}
        self.power_mw = {i: self.power_mw.get(i, float(self.first_mw[i])) for i in self.there}
        self.pressure = {i: self.pressure.get(i, 0.0) for i in self.there}
        self.hears = {i: self.disturbs(i) for i in self.there}
        self.own = {i: self.own_gain(i) for i in self.there}

    def disturbs(self, i: int) -> list[int]:
        """Whose power UE i hears by itself."""
        c = self.config
        others = [j for j in self.there if j != i]
        if c.interference == "cluster":
            return [j for j in others if self.head[j] == self.head[i]]
        if c.interference_range_m is not None:
            return [j for j in others if math.dist(self.ue_m[i], self.place_m[j]) <= c.interference_range_m]
        return others

    def own_gain(self, i: int) -> float:
        wavelength_m = 3e8 / self.config.frequency_hz
        return (wavelength_m / (4.0 * math.pi * math.dist(self.ue_m[i], self.place_m[i]))) ** 2

    def heard_mw(self, i: int, power_mw: dict[int, float]) -> float:
        """Interference and noise; the far ones are always as loud as they really are on average."""
        mean_mw = sum(self.power_mw.values()) / len(self.there)
        return sum(power_mw[j] * self.gain[i, j] for j in self.hears[i]) + self.far[i] * mean_mw + self.noise_mw

    def sinr_of(self, i: int, power_mw: dict[int, float]) -> float:
        return power_mw[i] * self.own[i] / self.heard_mw(i, power_mw)

    def measure(self) -> None:
        self.sinr = {i: self.sinr_of(i, self.power_mw) for i in self.there}
        self.capacity = {i: math.log2(1.0 + s) for i, s in self.sinr.items()}

    def utility(self, capacity: float) -> float:
        return capacity - self.config.penalty * max(REQUIRED - capacity, 0.0)

    def rewards(self) -> dict[int, float]:
        kind, line = self.config.reward, math.log2(Q)
        if kind == "paper":
            return {i: (c - abs(c - 2.0 * line)) / (2.0 * line) for i, c in self.capacity.items()}
        if kind == "exponential":
            return {i: math.exp(-((c - REQUIRED) ** 2)) for i, c in self.capacity.items()}
        utility = {i: self.utility(c) for i, c in self.capacity.items()}
        if kind == "team":
            return dict.fromkeys(self.there, sum(utility.values()))
        reward = {}
        for k in self.there:
            quiet = {**self.power_mw, k: self.least_mw}
            without = {i: self.utility(math.log2(1.0 + self.sinr_of(i, quiet))) for i in self.there if i != k}
            reward[k] = utility[k] + sum(utility[i] - u for i, u in without.items())
        return reward

    def balance_db(self, k: int) -> float:
        """What a little more power gains the own UE over what it costs the others, by differences of logarithms."""

        def worth(i: int, factor: float) -> float:
            sinr = self.sinr_of(i, {**self.power_mw, k: self.power_mw[k] * factor})
            return math.log(1.0 + sinr) + self.pressure[i] * math.log(sinr)

        step = 1e-4
        slope = {i: (worth(i, math.exp(step)) - worth(i, math.exp(-step))) / (2.0 * step) for i in self.there}
        return dbm(slope[k] / -sum(v for i, v in slope.items() if i != k))

    def step(self, power_mw: Any) -> dict[str, Any]:
        self.power_mw = {i: float(power_mw[i]) for i in self.there}
        self.measure()
        for i in self.there:
            short = math.log(Q * 1.05 / self.sinr[i])
            self.pressure[i] = min(max(self.pressure[i] + 0.3 * min(max(short, -3.0), 3.0), 0.0), 5.0)
        satisfied = {i for i in self.there if self.sinr[i] >= Q * (1.0 - 1e-9)}
        c = list(self.capacity.values())
        self.unhealed = [who if (who & set(self.there)) - satisfied else set() for who in self.unhealed]
        expected = {
            "reward": self.rewards(),
            "qos_rate_bps_hz": sum(self.capacity[i] if i in satisfied else -10.0 for i in self.there),
            "satisfied_rate_bps_hz": sum(self.capacity[i] for i in satisfied),
            "sum_rate_bps_hz": sum(c),
            "qos_satisfaction": {i: float(i in satisfied) for i in self.there},
            "all_satisfied": float(len(satisfied) == len(self.there)),
            "jain_index": sum(c) ** 2 / (len(c) * sum(x * x for x in c)),
            "power_w": {i: 1e-3 * p for i, p in self.power_mw.items()},
            "recovery_slots": sum(map(bool, self.unhealed)) / max(self.config.changes, 1),
            "terminated": set(),
        }
        self.slot += 1
        if self.slot in self.change_slot:
            there, head = set(self.there), self.head
            self.phase += 1
            self.enter()
            expected["terminated"] = there - set(self.there)
            everybody = there | set(self.there)
            changed = {i for i in everybody if head.get(i) != self.head.get(i)}
            touched = {h.get(i) for i in changed for h in (head, self.head)} - {None}
            self.unhealed.append({i for i in self.there if self.head[i] in touched})
            self.measure()
        return expected


def assert_same(fast: Any, slow: dict[int, float] | float, what: str, **tolerance: float) -> None:
    """Numbers by place, zeros where nobody is; or one number."""
    if isinstance(slow, dict):
        slow = np.array([slow.get(i, 0.0) for i in range(len(fast))])
    np.testing.assert_allclose(fast, slow, err_msg=what, **{"rtol": 1e-9, "atol": 1e-12, **tolerance})


@pytest.mark.parametrize("reward", REWARDS)
@pytest.mark.parametrize("name", WORLDS)
def test_whole_episodes_are_those_of_the_reference(name: str, reward: str) -> None:
    """Everything that a step tells, before, at and after every change."""
    horizon, seed = 24, 3
    world = scenario(**WORLDS[name], levels=None, reward=reward, observation="local", horizon=horizon)
    batch = Batch(world, 1, draws_ahead=False)
    batch.reset([EpisodeKey(seed)])
    slow, rng = Reference(world, seed), np.random.default_rng(seed)
    assert_same(batch.state.sinr[0], slow.sinr, "sinr at the start")
    for t in range(horizon):
        # Loud, quiet and mixed slots: all satisfied, hardly anybody, and in between.
        low, high = ((-10.0, 35.0), (34.0, 35.0), (-10.0, -9.0))[t % 3]
        action = rng.uniform(low, high, (1, world.num_agents))
        expected, outcome = slow.step(10.0 ** (0.1 * action[0])), batch.step(action)
        assert_same(outcome.reward[0], expected.pop("reward"), "reward", atol=1e-9)
        assert set(np.flatnonzero(outcome.terminated[0]).tolist()) == expected.pop("terminated")
        assert expected.keys() == outcome.metrics.keys() == {m.name for m in world.metrics}
        for metric, value in expected.items():
            assert_same(outcome.metrics[metric][0], value, f"{metric} in slot {t}")
        assert np.flatnonzero(batch.agent_ids()[0] >= 0).tolist() == slow.there
        assert_same(batch.state.sinr[0], slow.sinr, "sinr")
        assert_same(batch.state.pressure[0], slow.pressure, "pressure")
        assert_same(batch.state.power_mw[0], slow.power_mw, "power")
    assert slow.phase == world.config.changes, "every change happened"
    assert batch.state.slot[0] == horizon


@pytest.mark.parametrize("name", WORLDS)
def test_observations_are_those_of_the_reference(name: str) -> None:
    horizon, seed = 10, 8
    world = scenario(**WORLDS[name], levels=None, observation="local", horizon=horizon)
    batch = Batch(world, 1, draws_ahead=False)
    batch.reset([EpisodeKey(seed)])
    slow, rng = Reference(world, seed), np.random.default_rng(seed)
    compared = 0
    for _ in range(horizon):
        action = rng.uniform(0.0, 35.0, (1, world.num_agents))
        slow.step(10.0 ** (0.1 * action[0]))
        batch.step(action)
        seen = world.fields.split(batch.observe()[0].astype(np.float64))
        for i in slow.there:
            off_m = math.dist(slow.place_m[i], slow.place_m[slow.head[i]])
            loudest = sorted(slow.hears[i], key=lambda j, i=i: -slow.gain[i, j])[:4]
            expected: dict[str, Any] = {
                "power_dbm": dbm(slow.power_mw[i]),
                "capacity_bps_hz": slow.capacity[i],
                "interference_dbm": dbm(slow.heard_mw(i, slow.power_mw)),
                "margin_db": dbm(slow.sinr[i] / Q),
                "pressure": slow.pressure[i],
                "own_gain_db": dbm(slow.own_gain(i)),
                "members": sum(slow.head[j] == slow.head[i] for j in slow.there),
                "ring": [float(k == min(int(off_m // 50.0), 3)) for k in range(4)],
                "neighbour_gain_db": [dbm(slow.gain[i, j]) for j in loudest],
                "neighbour_power_dbm": [dbm(slow.power_mw[j]) for j in loudest],
                "neighbour_capacity_bps_hz": [slow.capacity[j] for j in loudest],
            }
            missing = {"neighbour_gain_db": -200.0, "neighbour_power_dbm": -10.0, "neighbour_capacity_bps_hz": 0.0}
            for field, value in missing.items():
                expected[field] += [value] * (4 - len(loudest))
            if loudest and any(i in heard for heard in slow.hears.values()):
                expected["balance_db"] = slow.balance_db(i)
                compared += 1
            for field, value in expected.items():
                assert_same(seen[field][i], value, f"{field} of {i}", rtol=1e-5, atol=2e-4)
    assert compared >= 3 * horizon
    assert slow.phase == world.config.changes


def test_recovery_by_hand() -> None:
    """Two base stations 20 m apart, whose UEs cannot both be satisfied at equal powers; a third one comes and goes."""
    world = scenario(num_bs=2, changes=1, ue_radius_m=30.0, horizon=30, levels=None)
    for seed in range(40):  # a change by which somebody arrives, not in the last slots
        batch = Batch(world, 1, draws_ahead=False)
        batch.reset([EpisodeKey(seed)])
        drawn = batch.episodes
        if drawn.present[0, 1].sum() == 3 and drawn.change_slot[0, 0] <= 20:
            break
    change, sums = int(drawn.change_slot[0, 0]), []
    silenced = np.array([[35.0, 35.0, -10.0]])
    for t in range(30):
        # The newcomer whispers for seven slots beside two that shout, then all speak as the least powers demand.
        healing = change <= t < change + 7
        action = silenced if healing else 10.0 * np.log10(np.maximum(least_powers(world, batch), 0.1))[None]
        outcome = batch.step(action)
        sums.append(float(outcome.metrics["recovery_slots"][0]))
        satisfied = outcome.metrics["qos_satisfaction"][0][batch.state.present[0]]
        if t == change:
            hurt = not satisfied.all()
    assert hurt, "the newcomer's UE is drowned"
    assert sum(sums) == 7.0
    assert sums.index(1.0) == change


def least_powers(world: PowerAllocation, batch: Batch) -> Any:
    """Least powers that satisfy all who are there with 1 % to spare, by solving the linear equations."""
    there = np.flatnonzero(batch.state.present[0])
    need = 1.01 * Q / batch.state.own_gain[0, there]
    matrix = np.eye(len(there)) - need[:, None] * batch.state.gain[0][np.ix_(there, there)]
    power = np.full(world.num_agents, 0.1)
    power[there] = np.linalg.solve(matrix, need * world.noise_mw)
    assert (power > 0.0).all(), "the draw is feasible"
    return np.clip(power * 0.1 / power[there].min(), 0.1, None)


# ------------------------------------------------------------------------------------------------- oracles


def test_one_base_station_alone_has_the_closed_form() -> None:
    for keywords in ({"num_bs": 1}, {"layout": ((5.0, 7.0),), "cluster_bs": (1, 1)}):
        batch = batch_of(levels=None, **keywords)
        apart_m = float(np.hypot(*(batch.episodes.place_m[0, 0] - batch.episodes.ue_m[0, 0])))
        for power_dbm in (-10.0, 3.0, 35.0):
            batch.step(np.full((1, 1), power_dbm))
            loss_db = 20.0 * math.log10(4.0 * math.pi * apart_m * 28e9 / 3e8)
            expected = math.log2(1.0 + 10.0 ** (0.1 * (power_dbm - loss_db + 120.0)))
            assert batch.state.capacity_bps_hz[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["rows", "network", "network-far"])
def test_without_noise_only_ratios_of_powers_count(name: str) -> None:
    batch = batch_of(**WORLDS[name], noise_dbm=-200.0, levels=None)
    action = np.random.default_rng(0).uniform(0.0, 10.0, (1, batch.scenario.num_agents))
    batch.step(action)
    before = batch.state.sinr.copy()
    batch.step(action + 20.0)
    assert before.max() > 0.0
    np.testing.assert_allclose(batch.state.sinr, before, rtol=1e-6)


def test_two_without_noise_reach_the_known_balance() -> None:
    """The greatest SINR that both can have is 1 / sqrt(F12 F21), where p1 / p2 = sqrt(F12 / F21)."""
    batch = batch_of(num_bs=2, noise_dbm=-200.0, levels=None, ue_radius_m=30.0)
    f = batch.state.gain[0] / batch.state.own_gain[0][:, None]
    ratio_db = 5.0 * math.log10(f[0, 1] / f[1, 0])
    batch.step(np.array([[10.0 + ratio_db / 2.0, 10.0 - ratio_db / 2.0]]))
    np.testing.assert_allclose(batch.state.sinr[0], (f[0, 1] * f[1, 0]) ** -0.5, rtol=1e-6)


def rewards_at(capacity: Any, **keywords: Any) -> Any:
    """Rewards of UEs that would have these capacities."""
    batch = batch_of(num_bs=len(capacity), **keywords)
    batch.state.capacity_bps_hz = np.array([capacity], np.float64)
    return batch.scenario.reward.of(batch.scenario._slot(batch.state))[0]


def test_the_paper_s_reward_at_its_corners() -> None:
    line = math.log2(Q)
    assert rewards_at([0.0, line, 1.5 * line, 2.0 * line, 30.0]) == pytest.approx([-1.0, 0.0, 0.5, 1.0, 1.0], abs=1e-12)


def test_the_exponential_reward_is_greatest_at_the_required_rate() -> None:
    capacity = np.linspace(0.0, 4.0, 13)
    reward = rewards_at([REQUIRED, *capacity], reward="exponential")
    assert reward[0] == 1.0
    assert (reward[1:] < 1.0).all()
    assert reward[1:].argmax() == np.abs(capacity - 1.937).argmin()
    assert pytest.approx(1.937, abs=5e-4) == REQUIRED


def test_a_function_is_a_reward_and_must_keep_the_shape() -> None:
    assert rewards_at([1.0, 5.0], reward=lambda c, q: c - q) == pytest.approx([1.0 - REQUIRED, 5.0 - REQUIRED])
    with pytest.raises(ValueError, match=r"reward must return shape \(1, 2\), got \(1,\)"):
        rewards_at([1.0, 5.0], reward=lambda c, q: c.sum(axis=1))


def test_utility_is_rate_less_what_is_missing() -> None:
    batch = batch_of(reward="team", penalty=7.0)
    slot = batch.scenario._slot(batch.state)
    capacity = np.array([0.0, 1.0, REQUIRED, 5.0])
    expected = [-7.0 * REQUIRED, 1.0 - 7.0 * (REQUIRED - 1.0), REQUIRED, 5.0]
    assert slot.utility(capacity) == pytest.approx(expected)
    assert capacity.tolist() == [0.0, 1.0, REQUIRED, 5.0], "what it was given is as it was"


def test_authors_count_interference_up() -> None:
    """With their fault UE i is charged with what UEs 1 to i hear; all else is as it was."""
    faulty = batch_of(authors=True, num_bs=6, levels=None)
    power_dbm = np.random.default_rng(1).uniform(-10.0, 35.0, 6)
    faulty.step(power_dbm[None])
    drawn, heard_mw = faulty.episodes, 1e-12
    for i in range(6):
        for j in range(6):
            if j != i:
                heard_mw += 10.0 ** (0.1 * power_dbm[j]) * drawn.gain[0][i, j]
        signal_mw = 10.0 ** (0.1 * power_dbm[i]) * drawn.own_gain[0][i]
        assert faulty.state.sinr[0, i] == pytest.approx(signal_mw / heard_mw, rel=1e-9)
    north = drawn.ue_m[0] - drawn.place_m[0]
    assert north == pytest.approx(np.tile([0.0, 10.0], (6, 1)))


# --------------------------------------------------------------------------------------------------- draws


def worlds_of(count: int, **keywords: Any) -> tuple[PowerAllocation, Any]:
    world = scenario(**keywords)
    return world, world.draw([EpisodeRng(EpisodeKey(seed)) for seed in range(count)])


@pytest.mark.parametrize(("authors", "sigma_db"), [(False, 8.7), (True, 8.7 / 10.0**0.5)])
def test_shadowing_is_in_db(authors: bool, sigma_db: float) -> None:
    """The loss beyond the median one is normal, its deviation that of Table I (the authors average ten draws)."""
    _, drawn = worlds_of(60, authors=authors)
    apart_m = np.linalg.norm(drawn.ue_m[:, :, None] - drawn.place_m[:, None], axis=-1)
    others = ~np.eye(14, dtype=bool)
    loss_db = -10.0 * np.log10(drawn.gain[:, others])
    excess_db = (loss_db - 72.0 - 29.2 * np.log10(np.maximum(apart_m, 1.0))[:, others]).ravel()
    assert len(excess_db) == 60 * 14 * 13
    assert excess_db.std() == pytest.approx(sigma_db, rel=0.03)
    assert abs(excess_db.mean()) < 4.0 * sigma_db / len(excess_db) ** 0.5
    assert stats.kstest(excess_db / sigma_db, "norm").pvalue > 1e-3
    own_m = np.linalg.norm(drawn.ue_m - drawn.place_m, axis=-1)
    own_db = -10.0 * np.log10(drawn.own_gain) - 20.0 * np.log10(4.0 * math.pi * own_m * 28e9 / 3e8)
    assert own_db.std() == pytest.approx(sigma_db if authors else 0.0, rel=0.1, abs=1e-9)


def test_mean_shadowing_is_that_of_the_lognormal_law() -> None:
    assert interference.mean_shadowing(8.7) == pytest.approx(7.44, abs=5e-3)
    gains = 10.0 ** (0.1 * 4.0 * np.random.default_rng(0).standard_normal(10**6))
    assert interference.mean_shadowing(4.0) == pytest.approx(gains.mean(), rel=0.01)


def test_ues_are_uniform_in_their_disc_and_not_at_the_mast() -> None:
    _, drawn = worlds_of(200, ue_radius_m=12.0)
    off_m = (drawn.ue_m - drawn.place_m).reshape(-1, 2)
    apart_m = np.hypot(*off_m.T)
    assert apart_m.min() >= 1.0 - 1e-9
    assert apart_m.max() <= 12.0
    # Within a metre, 1 / 144 of the disc, they are moved out to it.
    assert 0.003 < (apart_m < 1.0 + 1e-9).mean() < 0.013
    beyond = apart_m[apart_m > 1.0 + 1e-9]
    assert stats.kstest((beyond**2 - 1.0) / 143.0, "uniform").pvalue > 1e-3
    assert stats.kstest(np.arctan2(*off_m.T) / (2.0 * np.pi) + 0.5, "uniform").pvalue > 1e-3


def test_a_poisson_network_is_one() -> None:
    """Counts by the Poisson law, places uniform, and place 0 like any other."""
    world, drawn = worlds_of(400, layout="poisson", scope="network", side_m=250.0)
    count, mean = drawn.present[:, 0].sum(axis=1), 120e-6 * 250.0**2
    edges = [0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1000]
    seen = np.histogram(count, edges)[0]
    expected = 400 * np.diff(stats.poisson.cdf(np.array(edges) - 1, mean))
    assert stats.chisquare(seen, expected * seen.sum() / expected.sum()).pvalue > 1e-3
    assert count.max() <= world.num_agents
    places = drawn.place_m[drawn.present[:, 0]]
    assert all(stats.kstest(axis / 250.0, "uniform").pvalue > 1e-3 for axis in (*places.T, *drawn.place_m[:, 0].T))


def test_clusters_have_sizes_that_are_asked_for() -> None:
    world, drawn = worlds_of(60, layout="poisson", cluster_bs=(3, 6))
    size = drawn.present[:, 0].sum(axis=1)
    assert set(size.tolist()) == {3, 4, 5, 6}
    assert world.num_agents == 6
    for i, n in enumerate(size):
        # Members lie within two units of FLOC's head, so within four of each other.
        places = drawn.place_m[i, :n]
        assert np.linalg.norm(places[:, None] - places[None], axis=-1).max() <= 400.0
        middle = np.linalg.norm(places - places.mean(axis=0), axis=1).argmin()
        assert (drawn.head[i, 0, :n] == middle).all()


def test_rows_take_places_of_the_authors_at_random() -> None:
    _, drawn = worlds_of(320, num_bs=4)
    known = [tuple(p) for p in ROWS_M]
    taken = np.array([[known.index(tuple(p)) for p in world] for world in drawn.place_m.tolist()])
    assert all(len(set(row)) == 4 for row in taken.tolist())
    assert stats.chisquare(np.bincount(taken.ravel(), minlength=16)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(taken[:, 0], minlength=16)).pvalue > 1e-3, "place 0 too"


def test_arrivals_and_departures_are_equally_likely_and_at_slots_of_their_own() -> None:
    _, drawn = worlds_of(100, **NETWORK, side_m=350.0, changes=6, horizon=30)
    grows = np.diff(drawn.present.sum(axis=2), axis=1)
    assert set(grows.ravel().tolist()) == {-1, 1}
    assert stats.binomtest(int((grows > 0).sum()), grows.size).pvalue > 1e-3
    assert (np.diff(drawn.change_slot, axis=1) > 0).all()
    assert drawn.change_slot.min() >= 1
    assert drawn.change_slot.max() <= 29
    assert drawn.present[:, :, 0].all(), "place 0 stays"
    came = drawn.present[:, 1:] & ~drawn.present[:, :-1]
    assert came.sum(axis=1).max() == 1, "nobody comes back"


def can_all_be_satisfied(world: PowerAllocation, own_gain: Any, gain: Any) -> bool:
    """By linear programming: powers within bounds with p_i g_ii >= q (interference + noise)."""
    factor = Q * gain / own_gain[:, None]
    low, high = (10.0 ** (0.1 * x) for x in world.config.power_dbm)
    noise = Q * 1e-12 / own_gain
    found = linprog(np.ones(len(gain)), factor - np.eye(len(gain)), -noise, bounds=(low, high), method="highs")
    return bool(found.status == 0)


@pytest.mark.parametrize("keywords", [{"ue_radius_m": 30.0}, {"ue_radius_m": 30.0, "num_bs": 8, "changes": 3}], ids=str)
def test_feasible_worlds_are_those_that_a_linear_program_solves(keywords: dict[str, Any]) -> None:
    verdicts = {}
    for feasible in ("any", "only", "not"):
        world, drawn = worlds_of(50 if feasible == "any" else 12, feasible=feasible, **keywords)
        verdicts[feasible] = []
        for i in range(len(drawn.row)):
            phases = [np.flatnonzero(there) for there in drawn.present[i]]
            able = [can_all_be_satisfied(world, drawn.own_gain[i, p], drawn.gain[i][np.ix_(p, p)]) for p in phases]
            verdicts[feasible].append(all(able))
    assert all(verdicts["only"])
    assert not any(verdicts["not"])
    assert 0.6 < np.mean(verdicts["any"]) < 1.0


# ------------------------------------------------------------------------------------------------- far away


def spread(rng: np.random.Generator, count: int) -> Any:
    """Equal powers, and such as are uniform in dBm."""
    return {"equal": np.full(count, 35.0), "unequal": rng.uniform(-10.0, 35.0, count)}


@pytest.mark.parametrize(
    ("range_m", "bounds"),
    [
        # |mean| and greatest error in bit/s/Hz at equal and at unequal powers, about twice what was seen
        (100.0, {"equal": (0.01, 0.6), "unequal": (0.1, 3.0)}),
        (200.0, {"equal": (0.003, 0.2), "unequal": (0.02, 1.6)}),
        (400.0, {"equal": (0.0005, 0.05), "unequal": (0.005, 0.5)}),
    ],
)
def test_the_mean_of_far_base_stations_stands_for_them(range_m: float, bounds: Any) -> None:
    """Two thousand base stations without shadowing, against all pairs; cutting the far ones off is far worse."""
    keywords = {**NETWORK, "interference": "network", "side_m": 4082.0, "shadowing_db": 0.0, "levels": None}
    near, exact = batch_of(interference_range_m=range_m, seed=1, **keywords), batch_of(seed=1, **keywords)
    there = exact.state.present[0]
    assert 1800 < there.sum() < 2200
    for name, power_dbm in spread(np.random.default_rng(0), len(there)).items():
        for batch in (near, exact):
            batch.step(power_dbm[None])
        error = (near.state.capacity_bps_hz - exact.state.capacity_bps_hz)[0, there]
        mean, most = bounds[name]
        assert abs(error.mean()) < mean, name
        assert np.abs(error).max() < most, name
        state = near.state
        heard_mw = interference.received(state.gain, state.power_mw) + near.scenario.noise_mw
        cut = np.log2(1.0 + state.power_mw * state.own_gain / heard_mw)
        too_much = (cut - exact.state.capacity_bps_hz)[0, there]
        assert np.abs(error).mean() < (0.05 if name == "equal" else 0.3) * np.abs(too_much).mean()


def test_with_shadowing_the_tail_is_as_good_as_a_mean_can_be() -> None:
    """What is left is the far links' own chance: an exact sum of mean gains errs as much as the grid's."""
    rng, count = np.random.default_rng(2), 2500
    bs_m = rng.random((count, 2)) * (count / 120e-6) ** 0.5
    ue_m = bs_m + rng.uniform(-7.0, 7.0, (count, 2))
    apart_m = np.maximum(np.linalg.norm(ue_m[:, None] - bs_m[None], axis=-1), 1.0)
    others = ~np.eye(count, dtype=bool)
    median = 10.0 ** (-0.1 * (72.0 + 29.2 * np.log10(apart_m))) * others
    gain = median * 10.0 ** (0.1 * 8.7 * rng.standard_normal(median.shape))
    own_gain = (3e8 / 28e9 / (4.0 * np.pi * np.diag(apart_m))) ** 2
    boost = interference.mean_shadowing(8.7)
    for range_m, mean_bound in ((100.0, 0.2), (200.0, 0.06), (400.0, 0.02)):
        far = interference.far_gain(bs_m, ue_m, range_m, 72.0, 29.2, boost)
        sums = boost * (median * (apart_m > range_m)).sum(axis=1)
        assert far.mean() == pytest.approx(sums.mean(), rel=0.02)
        near = gain * (apart_m <= range_m)
        for name, power_dbm in spread(rng, count).items():
            power = 10.0 ** (0.1 * power_dbm)
            exact = np.log2(1.0 + power * own_gain / (gain @ power + 1e-12))
            grid, ideal, cut = (
                np.log2(1.0 + power * own_gain / (near @ power + tail * power.mean() + 1e-12)) - exact
                for tail in (far, sums, 0.0 * far)
            )
            assert abs(grid.mean()) < mean_bound * (1.0 if name == "equal" else 4.0)
            assert (grid**2).mean() ** 0.5 < 1.05 * (ideal**2).mean() ** 0.5
            assert np.abs(grid).mean() < 0.4 * np.abs(cut).mean()


def test_pairs_in_range_are_all_pairs_in_range() -> None:
    rng = np.random.default_rng(4)
    bs_m, ue_m = rng.random((2, 150, 2)) * 500.0
    ue, bs, apart_m = interference.pairs_in_range(bs_m, ue_m, 90.0)
    slow = [(i, j) for i in range(150) for j in range(150) if i != j and math.dist(ue_m[i], bs_m[j]) <= 90.0]
    assert list(zip(ue.tolist(), bs.tolist(), strict=True)) == slow
    assert apart_m == pytest.approx([math.dist(ue_m[i], bs_m[j]) for i, j in slow])


def test_sparse_and_dense_gains_do_the_same() -> None:
    rng = np.random.default_rng(5)
    dense = rng.random((30, 30)) * (rng.random((30, 30)) < 0.2)
    np.fill_diagonal(dense, 0.0)
    ue, bs = np.nonzero(dense)
    near = interference.csr(ue, bs, dense[ue, bs], 30)
    both = np.empty(1, object)
    both[0] = near
    power, group = rng.random((1, 30)), rng.integers(0, 4, 30)
    for one, other in (
        (interference.received(both, power), interference.received(dense[None], power)),
        (interference.charged(both, power), interference.charged(dense[None], power)),
        (interference.within(near, group).toarray(), interference.within(dense, group)),
        *zip(interference.strongest(near, 4), interference.strongest(dense, 4), strict=True),
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_an_interferer_that_is_spared_leaves_the_noise_however_far_below_it_that_is() -> None:
    noise_mw, strong_mw = 1e-20, 1.0
    alone_bps_hz = math.log2(1.0 + strong_mw / noise_mw)
    slot = rewards.Slot(
        qos_sinr=Q,
        required_bps_hz=REQUIRED,
        penalty=0.0,
        least_mw=0.0,
        present=np.ones((1, 2), bool),
        power_mw=np.array([[strong_mw, 1.0]]),
        own_gain=np.array([[1.0, 1e-20]]),
        gain=np.array([[[0.0, 0.0], [1.0, 0.0]]]),
        noise_mw=noise_mw,
        interference_mw=np.array([[noise_mw, strong_mw + noise_mw]]),
        capacity_bps_hz=np.array([[alone_bps_hz, 0.0]]),
    )
    assert strong_mw + noise_mw - strong_mw == 0.0
    # Without the first station the second UE would have an SINR of 1: one bit/s/Hz, which the first one costs it.
    np.testing.assert_allclose(rewards.difference(slot), [[alone_bps_hz - 1.0, 0.0]], atol=1e-12)
