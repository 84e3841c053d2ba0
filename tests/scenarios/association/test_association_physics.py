"""Association against a slow, obvious reference: sampled positions, sight by crossing segments, short steps."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import example, given, reject, settings, strategies as st
from scipy.integrate import quad

from mmwave_gym import association_v0
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.association import routes as rt
from mmwave_gym.scenarios.association.fairness import LEAST_RATE_MBPS
from mmwave_gym.scenarios.association.game import Association
from mmwave_gym.scenarios.association.sharing import LOAD, TOTAL

SMALL: dict[str, Any] = {"num_ues": 5, "crossings": (3, 3), "duration_s": 60.0, "settle_s": 10.0}
ONE_ROAD: dict[str, Any] = {"num_ues": 2, "crossings": (1, 2), "duration_s": 60.0, "settle_s": 0.0}


def scenario(**keywords: Any) -> Association:
    made = make_scenario("association", **keywords)
    assert isinstance(made, Association)
    return made


def some_scenario(keywords: dict[str, Any]) -> Association:
    """The scenario of drawn keywords, unless nobody would ever decide in it, which is refused."""
    try:
        return scenario(**keywords)
    except ValueError as error:
        if "nobody would ever have to decide" in str(error):
            reject()
        raise


def batch_of(num_envs: int = 1, seed: int = 0, **keywords: Any) -> Batch:
    batch = Batch(scenario(**keywords), num_envs, draws_ahead=False)
    batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
    return batch


# ---------------------------------------------------------------------------------------------- the reference


class Reference:
    """One drawn world, asked at single instants."""

    def __init__(self, world: Association, seed: int):
        self.world, self.config = world, world.config
        self.drawn = world.draw([EpisodeRng(EpisodeKey(seed))])
        self.first_s, self.knots_m = self.drawn.first_s[0], self.drawn.knots_m[0].astype(np.float64)
        self.houses = shapely.box(*self.drawn.buildings_m[0].astype(np.float64).T)
        self.count = int((self.drawn.ue[0] >= 0).sum())

    def place(self, ue: int, time_s: Any) -> Any:
        knot_s = self.config.road_m / self.config.speed_mps
        along = (np.asarray(time_s) - self.first_s[ue]) / knot_s
        knots = np.arange(len(self.knots_m[ue]))
        return np.stack([np.interp(along, knots, self.knots_m[ue, :, i]) for i in (0, 1)], axis=-1)

    def candidates(self, ue: int, time_s: Any, margin_m: float = 0.0) -> Any:
        """(times, bs): in range and in sight; with a margin in metres, strictly or loosely so."""
        place, bs_m = self.place(ue, time_s)[:, None], self.world.bs_m[None].astype(np.float64)
        near = np.hypot(*np.moveaxis(place - bs_m, -1, 0)) <= self.config.resolved("radius_m") - margin_m
        ends = np.stack(np.broadcast_arrays(place, bs_m), axis=-2)
        rays = shapely.linestrings(ends.reshape(-1, 2, 2)).reshape(near.shape)
        houses = shapely.buffer(self.houses, margin_m, join_style="mitre") if margin_m else self.houses
        blocked = np.zeros(near.shape, bool)
        for house in houses[shapely.area(houses) > 0]:
            # A ray that only touches the outline is free.
            blocked |= shapely.length(shapely.intersection(rays, house)) > 1e-7
        return near & ~blocked

    def efficiency(self, ue: int, bs: int, time_s: Any) -> Any:
        distance = np.maximum(np.hypot(*(self.place(ue, time_s) - self.world.bs_m[bs]).T), 1.0)
        snr = 10.0 ** (self.config.resolved("snr_1m_db") / 10.0) * distance**-self.config.path_loss_exponent
        return np.log2(1.0 + snr)

    def mean_efficiency(self, ue: int, bs: int, begin_s: float, end_s: float) -> float:
        """By scipy, between knots and where the base station is passed."""
        knot_s = self.config.road_m / self.config.speed_mps
        corner_s = self.first_s[ue] + np.arange(len(self.knots_m[ue])) * knot_s
        metre_s = 1.0 / self.config.speed_mps  # within a metre of the antenna efficiency is flat
        cuts = {t + d for t in corner_s for d in (-metre_s, 0.0, metre_s) if begin_s < t + d < end_s}
        parts = [
            quad(lambda t: float(self.efficiency(ue, bs, np.array([t]))[0]), a, b, epsrel=1e-8, limit=100)[0]
            for a, b in itertools.pairwise(sorted({begin_s, end_s, *cuts}))
        ]
        return sum(parts) / (end_s - begin_s)


WORLDS = st.fixed_dictionaries(
    {
        "geometry": st.sampled_from(("paper", "blocked")),
        "crossings": st.sampled_from(((1, 3), (2, 2), (2, 3), (3, 3))),
        "radius_m": st.sampled_from((None, 101.0, 160.0, 215.0, 260.0, 390.0)),
        "building_sides": st.sampled_from((None, (0.1, 0.9), (0.0, 0.0), (1.0, 1.0))),
        "max_candidates": st.sampled_from((None, 2)),
    }
)


@settings(max_examples=12, deadline=None)
@given(WORLDS, st.integers(0, 10**6))
def test_candidates_are_those_in_range_and_in_sight(keywords: dict[str, Any], seed: int) -> None:
    """Between a UE's epochs its candidates are what the reference sees at every sampled instant."""
    world = some_scenario({**SMALL, "num_ues": 2, "duration_s": 32.0, **keywords})
    reference = Reference(world, seed)
    drawn = reference.drawn
    for ue in range(world.num_ues):
        mine = np.flatnonzero(drawn.ue[0] == ue)
        begins = drawn.time_s[0, mine]
        assert (np.diff(begins) > 0).all()
        ends = np.append(begins, world.config.duration_s)[1:]
        for k, begin, end in zip(mine, begins, ends, strict=True):
            at = np.linspace(begin, end, 23)[1:-1]
            surely, perhaps = reference.candidates(ue, at, 1e-3), reference.candidates(ue, at, -1e-3)
            listed = drawn.candidate[0, k][drawn.candidate[0, k] >= 0]
            assert len(set(listed.tolist())) == len(listed)
            seen = np.zeros(world.num_bs, bool)
            seen[listed] = True
            assert (perhaps | ~seen).all(), "a candidate is out of range or out of sight"
            if keywords["max_candidates"] is None:
                assert (seen | ~surely).all(), "a base station in range and in sight is no candidate"
            else:
                assert len(listed) == min(2, perhaps.sum(axis=1).max())
            now = [reference.efficiency(ue, b, np.array([begin]))[0] for b in listed]
            assert (np.diff(now) < 1e-3).all(), "candidates are ordered by strength"


@settings(max_examples=5, deadline=None)
@given(WORLDS, st.integers(0, 10**6))
def test_an_epoch_is_where_the_candidates_change(keywords: dict[str, Any], seed: int) -> None:
    """The sampled candidates change between two samples if and only if there is an epoch between them."""
    world = some_scenario({**SMALL, "num_ues": 2, "duration_s": 30.0, **keywords, "max_candidates": None})
    reference = Reference(world, seed)
    samples_s = np.arange(0.0, 30.0, 0.03)
    for ue in range(2):
        surely, perhaps = (reference.candidates(ue, samples_s, m) for m in (1e-3, -1e-3))
        clear = (surely == perhaps).all(axis=1)
        changed = (surely[1:] != surely[:-1]).any(axis=1)
        epoch_s = reference.drawn.time_s[0, : reference.count][reference.drawn.ue[0, : reference.count] == ue]
        inside = np.histogram(epoch_s, samples_s)[0]
        usable = clear[1:] & clear[:-1]
        assert (inside[usable & changed] >= 1).all()
        # Two changes within a sample may take each other back.
        assert (inside[usable & ~changed] != 1).all()


@settings(max_examples=6, deadline=None)
@given(WORLDS, st.integers(0, 10**6), st.sampled_from((2.0, 3.0, 4.0)))
def test_efficiencies_are_those_of_scipy(keywords: dict[str, Any], seed: int, exponent: float) -> None:
    world = some_scenario({**SMALL, "num_ues": 2, "path_loss_exponent": exponent, **keywords})
    reference = Reference(world, seed)
    drawn = reference.drawn
    for k in np.random.default_rng(seed).integers(0, reference.count, 6):
        ue, begin = int(drawn.ue[0, k]), float(drawn.time_s[0, k])
        for c, bs in enumerate(drawn.candidate[0, k]):
            now, mean, stay, stay_s = (float(x) for x in drawn.foreseen[0, k, c])
            if bs < 0:
                assert (now, mean, stay, stay_s) == (0.0, 0.0, 0.0, 0.0)
                continue
            # Places are float32, a few micrometres; where a radius ends it matters as much.
            assert now == pytest.approx(reference.efficiency(ue, bs, np.array([begin]))[0], rel=1e-4)
            end = begin + float(drawn.interval_s[0, k])
            assert mean == pytest.approx(reference.mean_efficiency(ue, bs, begin, end), rel=1e-4)
            assert stay == pytest.approx(reference.mean_efficiency(ue, bs, begin, begin + stay_s), rel=1e-4)
            assert stay_s >= drawn.interval_s[0, k] - 1e-4


@given(st.floats(0.5, 5.0), st.floats(-10.0, 60.0), st.floats(0.0, 20.0), st.tuples(*[st.floats(-300.0, 300.0)] * 4))
@example(5.0, 52.0, 1.7, (0.0, 0.0, 0.0, 258.0))  # away from beside the antenna: about the largest error
@settings(max_examples=60, deadline=None)
def test_link_integral_is_that_of_scipy(
    exponent: float, snr_db: float, height_m: float, ends: tuple[float, ...]
) -> None:
    """Any straight piece, also one that passes the base station, and one that stands still."""
    budget = rt.LinkBudget(10.0 ** (snr_db / 10.0), exponent, height_m)
    begin, end = np.array(ends[:2]), np.array(ends[2:])

    def value(share: float) -> float:
        place = begin + share * (end - begin)
        return float(budget.efficiency_bps_hz(np.array([place @ place]))[0])

    way = end - begin
    nearest = float(np.clip(-(begin @ way) / max(way @ way, 1e-12), 0.0, 1.0))
    near_m = 1.0 / max(np.hypot(*way), 1.0)
    cuts = sorted({0.0, 1.0, *(float(np.clip(nearest + d * near_m, 0, 1)) for d in (-30, -5, -1, 0, 1, 5, 30))})
    expected = 7.0 * sum(quad(value, a, b, epsrel=1e-9, limit=200)[0] for a, b in itertools.pairwise(cuts))
    got = budget.integral(begin[None], end[None], np.array([7.0]))[0]
    assert got == pytest.approx(expected, rel=5e-6 if exponent <= 3.0 else 3e-4)
    assert budget.integral(begin[None], begin[None], np.array([7.0]))[0] == pytest.approx(7.0 * value(0.0))


# ---------------------------------------------------------------------------------------------- metrics


def played(world: Association, seed: int, choose: Any) -> tuple[Batch, dict[str, Any], list[dict[str, Any]]]:
    """An episode: its batch, sums of its metrics, and each epoch's decision."""
    batch = Batch(world, 1, draws_ahead=False)
    batch.reset([EpisodeKey(seed)])
    sums: dict[str, Any] = {"elapsed_s": 0.0}
    log: list[dict[str, Any]] = []
    over = False
    while not over:
        mask = batch.action_mask()[0, 0]  # type: ignore[index]
        episodes, epoch = batch.episodes, int(batch.state.epoch[0])
        rank = choose(np.flatnonzero(mask))
        candidate = int(episodes.candidate[episodes.row[0], epoch, rank])
        log.append(
            {"ue": int(episodes.ue[episodes.row[0], epoch]), "time_s": float(batch.state.time_s[0]), "bs": candidate}
        )
        outcome = batch.step(np.array([[rank]]))
        over = bool(outcome.truncated[0])
        log[-1] |= {"reward": float(outcome.reward[0, 0]), "credit_mbit": float(outcome.metrics["credit_mbit"][0])}
        for name, value in (*outcome.metrics.items(), ("elapsed_s", outcome.elapsed_s)):
            sums[name] = sums.get(name, 0.0) + float(value[0])
    return batch, sums, log


def integrated(reference: Reference, log: list[dict[str, Any]], step_s: float) -> tuple[Any, float]:
    """Mbit of each UE after `settle_s`' epoch and the network's Mbit, by the definition on a fine grid."""
    world, drawn = reference.world, reference.drawn
    times = [entry["time_s"] for entry in log] + [world.config.duration_s]
    serving = drawn.first_serving[0].astype(int).tolist()
    received, network = np.zeros(world.num_ues), 0.0
    settled = next(t for t in [*times[1:]] if t >= world.config.settle_s)
    for entry, begin, end in zip(log, times[:-1], times[1:], strict=True):
        serving[entry["ue"]] = entry["bs"]
        ticks = int(np.ceil((end - begin) / step_s))
        middle = begin + (np.arange(ticks) + 0.5) * (end - begin) / ticks
        for ue, bs in enumerate(serving):
            if bs < 0:
                continue
            mbit = reference.efficiency(ue, bs, middle).mean() * (end - begin) / serving.count(bs) * 10.0
            network += mbit
            if begin >= settled - 1e-9:
                received[ue] += mbit
    return received, network


@pytest.mark.parametrize("geometry", ["paper", "blocked"])
@pytest.mark.parametrize("num_ues", [3, 40])
def test_metrics_are_their_definitions(geometry: str, num_ues: int) -> None:
    """Rate of the network, of each UE, 5th percentile, Jain, mean log: within 0.1 % under random decisions."""
    keywords = {**SMALL, "duration_s": 40.0, "num_ues": num_ues, "geometry": geometry}
    world, rng = scenario(**keywords), np.random.default_rng(1)
    errors = []
    for seed in range(2):
        _, sums, log = played(world, seed, rng.choice)
        received, network = integrated(Reference(world, seed), log, 0.004)
        errors.append(sums["network_rate_mbps"] / network - 1.0)
        settled = next(e["time_s"] for e in log if e["time_s"] >= world.config.settle_s)
        rate = received / (world.config.duration_s - settled)
        assert sums["p5_rate_mbps"] == pytest.approx(np.percentile(rate, 5), rel=2e-3)
        assert sums["jain_index"] == pytest.approx(rate.sum() ** 2 / len(rate) / (rate**2).sum(), rel=2e-3)
        assert sums["mean_log_rate"] == pytest.approx(np.log2(np.maximum(rate, LEAST_RATE_MBPS)).mean(), abs=3e-3)
        assert sums["elapsed_s"] == pytest.approx(world.config.duration_s - log[0]["time_s"])
    assert np.abs(errors).max() < 1e-3, errors


def planned_sums(world: Association, seed: int, log: list[dict[str, Any]]) -> tuple[list[Any], Any]:
    """After each decision everybody's (cell, planned efficiency); before the first one too."""
    drawn = world.draw([EpisodeRng(EpisodeKey(seed))])
    have = list(zip(drawn.first_serving[0].tolist(), drawn.first_efficiency[0].tolist(), strict=True))
    states = [list(have)]
    for k, entry in enumerate(log):
        rank = drawn.candidate[0, k].tolist().index(entry["bs"])
        have[entry["ue"]] = entry["bs"], float(drawn.foreseen[0, k, rank, 1])
        states.append(list(have))
    return states, drawn


def test_rewards_and_credit_are_their_definitions() -> None:
    """Slow sums over everybody: the network's rate, the marginal gain, and the hindsight marginal contribution."""
    keywords = {**SMALL, "num_ues": 12, "geometry": "blocked"}
    rng = np.random.default_rng(2)
    for reward in ("network", "marginal"):
        world = scenario(**keywords, reward=reward)
        _, _, log = played(world, 4, rng.choice)
        states, drawn = planned_sums(world, 4, log)
        times = [entry["time_s"] for entry in log] + [world.config.duration_s]
        last = dict.fromkeys(range(world.num_ues), 0)
        for k, entry in enumerate(log):
            ue, state = entry["ue"], states[k + 1]
            if reward == "network":
                cells = {bs: [e for b, e in state if b == bs] for bs, _ in state if bs >= 0}
                expected = 10.0 * (times[k + 1] - times[k]) * sum(np.mean(own) for own in cells.values())
            else:
                others = [e for u, (b, e) in enumerate(state) if b == entry["bs"] and u != ue]
                without = np.mean(others) if others else 0.0
                gain = np.mean([*others, state[ue][1]]) - without
                expected = 10.0 * gain * float(drawn.interval_s[0, k])
            assert entry["reward"] == pytest.approx(expected, rel=1e-5, abs=1e-6)

            credit = 0.0
            for j in range(last[ue], k):  # since this UE's choice before, with everybody's true later moves
                bs, own = states[j + 1][ue]
                others = [e for u, (b, e) in enumerate(states[j + 1]) if b == bs and u != ue]
                with_it = (sum(others) + own) / (len(others) + 1)
                credit += (with_it - (np.mean(others) if others else 0.0)) * (times[j + 1] - times[j])
            assert entry["credit_mbit"] == pytest.approx(10.0 * credit, rel=1e-6, abs=1e-6)
            last[ue] = k


def test_loads_and_sums_are_those_of_a_recount() -> None:
    batch = batch_of(3, geometry="blocked", num_ues=60)
    rng = np.random.default_rng(0)
    for _ in range(400):
        batch.step(rng.integers(0, 5, (3, 1)))
    state, world = batch.state, batch.scenario
    for i in range(3):
        for bs in range(world.num_bs):  # type: ignore[attr-defined]
            here = state.serving[i] == bs
            assert state.cells[i, bs, LOAD] == here.sum()
            assert state.cells[i, bs, TOTAL] == pytest.approx(state.planned[i, here].sum(), abs=1e-9)


# ---------------------------------------------------------------------------------------------- pencil and paper


def one_road(positions_m: tuple[float, float], right: tuple[bool, bool], **keywords: Any) -> Any:
    """Two base stations, 200 m apart, and two UEs that go to and fro; 10 m/s, so a road takes 20 s."""
    world = scenario(**{**ONE_ROAD, "speed_mps": 10.0, "radius_m": 150.0, **keywords})
    # Chance by hand: the share of the first leg that is driven already, then the lane, then turns at dead ends.
    u = np.zeros((world.world.num_knots, 2))
    u[0] = [(p if r else 200.0 - p) / 200.0 for p, r in zip(positions_m, right, strict=True)]
    u[1] = [0.0 if r else 0.9 for r in right]

    class Chance:
        def random(self, shape: Any) -> Any:
            return u[: shape[0]] if len(shape) == 2 and shape[1] == 2 else np.zeros(shape)

        def uniform(self, low: float, high: float, shape: Any) -> Any:
            return np.full(shape, low)

    class Causes:
        def __getitem__(self, cause: str) -> Chance:
            return Chance()

    return world, world.draw([Causes()])  # type: ignore[list-item]


def test_epochs_on_one_road_by_hand() -> None:
    """Range 150 m: from 50 m to 150 m both base stations are candidates, before and behind only the nearer one."""
    _, drawn = one_road((60.0, 20.0), (True, False))
    # UE 0 starts at 60 m and drives right: at 150 m loses BS 0, turns at 200 m and at 150 m has both again.
    # UE 1 starts at 20 m and drives left: turns at 0 m after 2 s and at 50 m gets BS 1 too.
    assert drawn.first_serving[0].tolist() == [0, 0]
    by_hand = [(7.0, 1), (9.0, 0), (17.0, 1), (19.0, 0), (27.0, 1), (29.0, 0), (37.0, 1), (39.0, 0), (47.0, 1)]
    by_hand += [(49.0, 0), (57.0, 1), (59.0, 0)]
    count = len(by_hand)
    assert drawn.time_s[0, :count].tolist() == pytest.approx([t for t, _ in by_hand])
    assert drawn.ue[0, :count].tolist() == [ue for _, ue in by_hand]
    assert (drawn.ue[0, count:] == -1).all()
    # UE 1 at 50 m: BS 0 is nearer; it loses it at 150 m, 10 s later, while BS 1 stays for 10 s, and 20 s more at least.
    assert drawn.candidate[0, 0].tolist() == [0, 1]
    assert drawn.candidate[0, 1].tolist() == [1, -1]
    assert drawn.interval_s[0, :2].tolist() == pytest.approx([10.0, 10.0])
    assert drawn.foreseen[0, 0, :, 3].tolist() == pytest.approx([10.0, 30.0])


@pytest.mark.parametrize("together", [True, False])
def test_rates_on_one_road_by_hand(together: bool) -> None:
    """Alone a UE has all of its cell, together half: 10 MHz log2(1 + snr) of each instant."""
    world, drawn = one_road((60.0, 20.0), (True, False))
    snr_1m = 10.0 ** (world.config.resolved("snr_1m_db") / 10)

    def bits(from_m: float, to_m: float) -> float:  # in bit/Hz at 10 m/s, at that distance from the base station
        return quad(lambda x: np.log2(1 + snr_1m * max(x, 1.0) ** -3), from_m, to_m, epsrel=1e-10)[0] / 10.0

    batch = Batch(world, 1)
    batch.reset([EpisodeKey(0)])
    for name in vars(drawn):
        if name != "row":
            getattr(batch.episodes, name)[0] = getattr(drawn, name)[0]
    batch.rewind(np.arange(1))
    outcome = batch.step(np.array([[0 if together else 1]]))  # UE 1 at 50 m, 7 s; UE 0 is at 130 m at BS 0
    assert outcome.elapsed_s[0] == pytest.approx(2.0)
    first, second = bits(130.0, 150.0), bits(50.0, 70.0) if together else bits(130.0, 150.0)
    expected = 10.0 * (0.5 * (first + second) if together else first + second)
    assert outcome.metrics["network_rate_mbps"][0] == pytest.approx(expected, rel=1e-6)
    # UE 0, alone or not, had planned with its mean over its whole interval, from the start to 150 m.
    planned = bits(60.0, 150.0) / 9.0, bits(50.0, 150.0) / 10.0  # the same from either end
    rate = 0.5 * sum(planned) if together else sum(planned)
    assert outcome.reward[0, 0] == pytest.approx(10.0 * 2.0 * rate, rel=1e-6)
    assert outcome.metrics["handovers_per_ue_s"][0] == (0.0 if together else 0.5)


# ---------------------------------------------------------------------------------------------- worlds


def test_a_fifth_of_the_links_in_range_is_blocked_in_blocked() -> None:
    """By time: what range alone would give, against what sight leaves."""
    for seed in range(3):
        seen_s = []
        for sides in (None, (0.0, 0.0)):
            world = scenario(geometry="blocked", num_ues=200, building_sides=sides)
            _, visits, _ = world.world.draw(EpisodeRng(EpisodeKey(seed)))
            seen_s.append((np.minimum(visits.end_s, 100.0) - np.maximum(visits.start_s, 0.0)).clip(0.0).sum())
        assert 1.0 - seen_s[0] / seen_s[1] >= 0.2


@pytest.mark.parametrize("keywords", [{}, {"geometry": "blocked"}, {"geometry": "blocked", "num_ues": 2048}])
def test_the_horizon_never_cuts_an_episode(keywords: dict[str, Any]) -> None:
    world = scenario(**keywords)
    drawn = world.draw([EpisodeRng(EpisodeKey(seed)) for seed in range(2)])
    assert ((drawn.ue >= 0).sum(axis=1) < world.horizon).all()


def test_epochs_do_not_depend_on_actions() -> None:
    world = scenario(**SMALL)
    logs = [played(world, 8, choose)[2] for choose in (min, max)]
    assert [(e["ue"], e["time_s"]) for e in logs[0]] == [(e["ue"], e["time_s"]) for e in logs[1]]
    assert [e["bs"] for e in logs[0]] != [e["bs"] for e in logs[1]]


def test_ten_thousand_ues() -> None:
    batch = batch_of(num_ues=10_000, duration_s=30.0, settle_s=5.0)
    for _ in range(20):
        outcome = batch.step(np.zeros((1, 1), np.int64))
    assert batch.observe() in _space(batch)
    assert outcome.elapsed_s[0] < 0.05
    assert batch.state.load[0, :-1].sum() == 10_000


def _space(batch: Batch) -> Any:
    from gymnasium import spaces

    fields = batch.scenario.fields
    return spaces.Box(fields.low[None, None], fields.high[None, None], dtype=np.float32)


# ---------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"num_ues": 0}, "num_ues must be between 1 and 100,000, got 0"),
        ({"num_ues": 2.5}, "num_ues must be an integer"),
        ({"geometry": "city"}, "geometry must be one of 'paper', 'blocked'"),
        ({"crossings": 8}, "crossings must be a pair of integers between 1 and 64"),
        ({"crossings": (8,)}, "crossings must be a pair of integers between 1 and 64"),
        ({"crossings": "88"}, "crossings"),
        ({"crossings": (2.5, 2)}, "crossings"),
        ({"crossings": (0, 3)}, "crossings"),
        ({"crossings": (1, 1)}, "crossings must make at least one road"),
        ({"road_m": 0.0}, "road_m must be"),
        ({"road_m": float("nan")}, "road_m must be"),
        ({"radius_m": 99.0}, "radius_m must be at least 100"),
        ({"radius_m": float("inf")}, "radius_m must be"),
        ({"crossings": (1, 3), "radius_m": 410.0}, "radius_m must leave some base station out of range"),
        ({"num_ues": 200_000}, "num_ues must be between 1 and 100,000"),
        ({"building_sides": (0.5, 1.5)}, "building_sides must be a pair of numbers, 0 <= lowest <= highest <= 1, got"),
        ({"building_sides": (0.9, 0.1)}, "building_sides"),
        ({"building_sides": (-0.1, 0.1)}, "building_sides"),
        ({"snr_1m_db": 300.0}, "snr_1m_db must be between"),
        ({"snr_1m_db": "high"}, "snr_1m_db must be"),
        ({"path_loss_exponent": -1.0}, "path_loss_exponent must be"),
        ({"bandwidth_hz": 0.0}, "bandwidth_hz must be"),
        ({"speed_mps": 0.0}, "speed_mps must be"),
        ({"duration_s": 10.0, "settle_s": 0.0}, "duration_s must be at least 28.8"),
        ({"duration_s": float("inf")}, "duration_s must be"),
        ({"settle_s": -1.0}, "settle_s must be"),
        ({"settle_s": 100.0}, "settle_s must be below duration_s"),
        ({"reward": "own"}, "reward must be one of 'network', 'marginal'"),
        ({"max_candidates": 0}, "max_candidates must be between 1"),
    ],
    ids=str,
)
def test_bad_keywords_are_named(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message.replace("(", r"\(")):
        make_scenario("association", **keywords)


# ---------------------------------------------------------------------------------------------- through the APIs


def test_an_episode_through_pettingzoo() -> None:
    """Turns, rewards, masks and times of the AEC environment are the batch's."""
    env = association_v0.env(**SMALL)
    env.reset(seed=5)
    batch = batch_of(seed=5, **SMALL)
    steps = 0
    for agent in env.agent_iter():
        observation, _, terminated, truncated, _ = env.last()
        if terminated or truncated:
            env.step(None)
            continue
        assert agent == f"ue_{int(batch.agent_ids()[0, 0])}"
        mask = batch.action_mask()[0, 0]  # type: ignore[index]
        np.testing.assert_array_equal(observation["action_mask"], mask)
        np.testing.assert_array_equal(observation["observation"], batch.observe()[0, 0])
        action = int(np.flatnonzero(mask)[-1])
        outcome = batch.step(np.array([[action]]))
        env.step(action)
        assert env.rewards[agent] == outcome.reward[0, 0]
        assert env.infos[agent]["elapsed_s"] == outcome.elapsed_s[0]
        steps += 1
    assert steps == int((batch.episodes.ue[0] >= 0).sum())
    assert not env.agents


def test_pettingzoo_steps_512_ues() -> None:
    """Two entries of each dictionary change a step, whatever the number of agents."""
    env = association_v0.raw_env(num_ues=512)
    env.reset(seed=0)
    for _ in range(300):
        agent = env.agent_selection
        env.step(0)
        assert [a for a, reward in env.rewards.items() if reward] in ([agent], [])
    assert len(env.agents) == 512


def test_maskable_ppo_trains() -> None:
    """MaskablePPO of sb3-contrib meets the masks and learns for some hundred steps."""
    contrib = pytest.importorskip("sb3_contrib", reason="needs the extra [train]")
    from mmwave_gym.api.sb3 import make_sb3_vec_env

    keywords = {**SMALL, "geometry": "blocked", "reward": "marginal"}
    env = make_sb3_vec_env("MmwaveAssociation-v0", n_envs=4, seed=0, **keywords)
    model = contrib.MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(256)
    assert any((a != b).any() for a, b in zip(before, model.policy.parameters(), strict=True))
    observation, masks = env.reset(), np.array(env.env_method("action_masks"))
    assert not masks.all()
    action, _ = model.predict(observation, action_masks=masks)
    assert masks[np.arange(4), action].all()
