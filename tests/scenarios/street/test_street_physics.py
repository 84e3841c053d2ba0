"""A street: numbers of TR 38.901 worked out by hand, maps' statistics, and steps against a slow tick-by-tick loop."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.street.oracle import bound, solve
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_registered, make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio import tr38901_umi as umi
from mmwave_gym.radio.street_maps import STREET_M, Geometry, routes, street_map
from mmwave_gym.scenarios.street.game import PAST_MEASUREMENTS, Street

SMALL: dict[str, Any] = {"arm_m": 60.0, "isd_m": 50.0, "duration_s": 3.0}
WEAK: dict[str, Any] = {**SMALL, "link_budget_db": 100.0, "t310_s": 0.2}
CROSSING = Geometry("crossing", 300.0, 200.0, 3.0)


def batch_of(n: int = 1, seed: int = 0, **keywords: Any) -> Batch:
    batch = Batch(make_scenario("street", **keywords), n)
    batch.reset([EpisodeKey(seed + i) for i in range(n)])
    return batch


# -------------------------------------------------------------------------------------------------- TR 38.901


def test_path_loss_worked_out_by_hand() -> None:
    """100 m at 28 GHz: d3D = sqrt(100^2 + 8.5^2) = 100.3606 m; log10 of it 2.001563, of 28 1.447158."""
    d = np.array([100.0])
    assert umi.los_path_loss_db(d, 10.0, 1.5, 28.0) == pytest.approx(32.4 + 42.03282 + 28.94316, abs=1e-3)
    assert umi.nlos_path_loss_db(d, 10.0, 1.5, 28.0) == pytest.approx(22.4 + 70.65517 + 30.82446, abs=1e-3)


def test_path_loss_is_continuous_at_the_breakpoint_and_40_db_a_decade_beyond() -> None:
    """4 x 9 x 0.5 x 28e9 / c = 1681.2 m."""
    at = np.array([1681.1, 1681.3, 3000.0, 30_000.0])
    loss_db = umi.los_path_loss_db(at, 10.0, 1.5, 28.0)
    assert loss_db[1] - loss_db[0] == pytest.approx(0.0, abs=0.01)
    assert loss_db[3] - loss_db[2] == pytest.approx(40.0, abs=0.01)


def test_nlos_is_never_better_than_los() -> None:
    d = np.geomspace(1.0, 5000.0, 200)
    assert (umi.nlos_path_loss_db(d, 10.0, 1.5, 28.0) >= umi.los_path_loss_db(d, 10.0, 1.5, 28.0)).all()


def test_probability_of_sight() -> None:
    """At 50 m: 18/50 + exp(-50/36) (1 - 18/50) = 0.36 + 0.24935 x 0.64."""
    assert umi.los_probability(np.array([0.0, 18.0, 50.0])) == pytest.approx([1.0, 1.0, 0.519585], abs=1e-5)


# ------------------------------------------------------------------------------------------------------- maps


def test_a_line_is_clear_where_no_point_of_it_is_in_a_building() -> None:
    rng = np.random.default_rng(0)
    half = STREET_M / 2.0

    def on_street(n: int) -> np.ndarray:
        along, across = rng.uniform(-100.0, 100.0, n), rng.uniform(-9.5, 9.5, n)
        turned = rng.random(n) < 0.5
        return np.where(turned[:, None], np.stack((across, along), 1), np.stack((along, across), 1))

    a, b = on_street(60), on_street(60)
    clear = CROSSING.clear(a, b)
    part = np.linspace(0.0, 1.0, 4001)[:, None]
    for i, j in itertools.product(range(60), range(60)):
        line = (1.0 - part) * a[i] + part * b[j]
        depth = np.minimum(np.abs(line[:, 0]), np.abs(line[:, 1])).max() - half
        if abs(depth) > 0.05:  # a cut corner may fall between two points
            assert clear[i, j] == (depth < 0.0)
    assert 0.2 < clear.mean() < 0.9


def test_a_canyon_has_no_corner() -> None:
    canyon = Geometry("canyon", 300.0, 200.0, 3.0)
    assert canyon.clear(canyon.lanes_m().reshape(-1, 2), canyon.sites_m()).all()
    assert len(canyon.sites_m()) == 3
    assert len(CROSSING.sites_m()) == 6


def test_ways_are_driven_metre_by_metre_and_turns_are_half_as_frequent() -> None:
    ways, share = routes(CROSSING)
    assert len(ways) == 12
    assert sorted(share)[:8] == pytest.approx([1 / 16] * 8)
    assert sorted(share)[8:] == pytest.approx([1 / 8] * 4)
    for way in ways:
        assert np.hypot(*np.diff(way.place_m, axis=0).T) == pytest.approx(1.0)
        assert (np.abs(way.place_m).min(axis=1) < STREET_M / 2.0).all()


def test_lanes_that_cross_share_what_is_there() -> None:
    here = street_map(CROSSING, 5, 28.0)
    lanes = CROSSING.lanes_m()
    i, j = int(np.abs(lanes[0, :, 0] - 3.0).argmin()), int(np.abs(lanes[2, :, 1] + 3.0).argmin())
    assert lanes[0, i] == pytest.approx(lanes[2, j])
    assert here.loss_db[0, i] == pytest.approx(here.loss_db[2, j], abs=0.01)


def test_shadowing_has_the_standards_spread_and_range() -> None:
    """Over 20 maps: residuals of the path loss, 4 and 7.82 dB, and their correlation 10 m on in sight, 1 / e."""
    near: list[Any] = []
    for seed in range(20):
        here = street_map(CROSSING, seed, 28.0)
        apart_m = np.hypot(*np.moveaxis(CROSSING.lanes_m()[:, :, None] - here.site_m, -1, 0))
        at = (apart_m, 10.0, 1.5, 28.0)
        rest = here.loss_db - np.where(here.los, umi.los_path_loss_db(*at), umi.nlos_path_loss_db(*at))
        near.append(
            (rest[here.los].std(), rest[~here.los].std(), _at_lag(rest, here.los, 10), _at_lag(rest, ~here.los, 13))
        )
    los_db, nlos_db, los_lag, nlos_lag = np.mean(near, axis=0)
    assert los_db == pytest.approx(4.0, rel=0.05)
    assert nlos_db == pytest.approx(7.82, rel=0.05)
    assert los_lag == pytest.approx(math.exp(-1.0), abs=0.08)
    assert nlos_lag == pytest.approx(math.exp(-1.0), abs=0.06)


def _at_lag(rest: Any, state: Any, lag: int) -> float:
    both = state[:, lag:] & state[:, :-lag]
    a, b = rest[:, lag:][both], rest[:, :-lag][both]
    return float((a * b).mean() / rest[state].var())


def test_sight_is_as_frequent_as_the_standard_says_where_no_corner_hides() -> None:
    canyon = Geometry("canyon", 300.0, 200.0, 3.0)
    apart_m = np.hypot(*np.moveaxis(canyon.lanes_m()[:, :, None] - canyon.sites_m(), -1, 0))
    seen = np.mean([street_map(canyon, seed, 28.0).los for seed in range(80)], axis=0)
    for low, high in ((18.0, 40.0), (40.0, 80.0), (80.0, 160.0), (160.0, 400.0)):
        band = (apart_m >= low) & (apart_m < high)
        assert seen[band].mean() == pytest.approx(umi.los_probability(apart_m[band]).mean(), abs=0.06)


# ----------------------------------------------------------------------------------------------- what is drawn


def test_snr_and_interference_worked_out_by_hand() -> None:
    """P_k / (1 + 0.05 x the others) with P = 130 dB less the loss, as the episode's own powers say."""
    episodes = make_scenario("street").draw([EpisodeRng(EpisodeKey(seed)) for seed in range(3)])
    power = 10.0 ** ((episodes.rsrp_dbm.astype(np.float64) + 78.0) / 10.0)
    others = power.sum(axis=-1, keepdims=True) - power
    assert episodes.sinr_db == pytest.approx(10.0 * np.log10(power / (1.0 + 10.0**-1.3 * others)), abs=1e-3)


def test_a_measurement_is_the_mean_of_its_time_and_an_error() -> None:
    scenario = make_scenario("street", measurement_error_db=0.0)
    episodes = scenario.draw([EpisodeRng(EpisodeKey(4))])
    rsrp, measured = episodes.rsrp_dbm[0], episodes.measured_dbm[0]
    assert measured[0] == pytest.approx(rsrp[0], abs=1e-4)
    assert measured[3] == pytest.approx(rsrp[41:61].mean(axis=0), abs=1e-3)
    noisy = make_scenario("street", measurement_error_db=1.0).draw([EpisodeRng(EpisodeKey(4))]).measured_dbm[0]
    assert (noisy - measured).std() == pytest.approx(1.0, rel=0.1)


def test_bodies_block_a_link_as_often_and_as_long_as_they_should() -> None:
    scenario = make_scenario("street", users="pedestrian")
    assert isinstance(scenario, Street)
    blocked = scenario.world._blocked(np.random.default_rng(0), 200_000)
    assert blocked.mean() == pytest.approx(0.28 / 2.28, rel=0.05)
    ends = np.diff(blocked, axis=0) == -1.0
    assert 0.02 * blocked.sum() / ends.sum() == pytest.approx(0.28, rel=0.05)


# ------------------------------------------------------------------------------------------------------- steps


class SlowUe:
    """One UE, tick by tick, as the module's text says it; knows nothing of the fast code."""

    def __init__(self, scenario: Street, sinr_db: Any, rsrp_dbm: Any, measured_dbm: Any):
        self.s, self.sinr, self.rsrp, self.measured = scenario, sinr_db, rsrp_dbm, measured_dbm
        self.tick, self.serving, self.out = 0, int(rsrp_dbm[0].argmax()), 0
        self.lost_commands = 0
        c = scenario.config
        self.preparation, self.t310 = round(c.preparation_s / 0.02), round(c.t310_s / 0.02)

    def rate(self, tick: int, cell: int, less_db: float = 0.0) -> float:
        level = self.sinr[tick, cell] - less_db
        return 0.0 if level < -8.0 else min(math.log2(1.0 + 10.0 ** (level / 10.0)), 7.4063)

    def timer(self, ran: int, tick: int) -> int:
        """T310 after a tick on the serving cell."""
        level = self.sinr[tick, self.serving]
        return ran + 1 if level < -8.0 or (ran > 0 and level <= -6.0) else 0

    def prepared(self) -> list[int]:
        """The two strongest others of the newest measurement that the serving cell could answer."""
        period = round(self.s.config.measurement_s / 0.02)
        for m in range(self.tick // period, 0, -1):
            told = m * period + self.preparation
            if told <= self.tick and self.sinr[told, self.serving] >= -8.0:
                break
        else:
            m = 0
        others = sorted(range(self.s.num_cells), key=lambda cell: -self.measured[m, cell])
        return [cell for cell in others if cell != self.serving][:2]

    def kept_ticks(self, cell: int) -> int:
        """How long it stays when it is told to go to a cell, 0 where it goes."""
        each = self.s.decision_ticks
        if cell == self.serving:
            return each
        if self.s.config.handover == "conditional":
            return 0 if cell in self.prepared() else each
        if self.s.config.lost_command == "fails":
            return 0
        ran, commanded = self.out, self.tick + self.preparation
        reported = self.sinr[self.tick, self.serving] >= -8.0
        for tick in range(self.tick, commanded):
            ran = self.timer(ran, tick)
            if ran >= self.t310:
                break
        else:
            if reported and self.sinr[commanded, self.serving] >= -8.0:
                return 0
        self.lost_commands += 1
        return each * max(math.ceil(self.preparation / each), 1)

    def step(self, cell: int) -> tuple[float, int, bool]:
        """What was received in bit/s/Hz times ticks, ticks that count, and whether the link was lost."""
        c, begin, end = self.s.config, self.tick, self.s.ticks
        received, failed_at = 0.0, None
        kept = self.kept_ticks(cell)
        if kept:
            for _ in range(kept):
                self.out = self.timer(self.out, self.tick)
                if self.tick < end:
                    received += self.rate(self.tick, self.serving)
                self.tick += 1
                if self.out >= self.t310:
                    failed_at = self.tick
                    break
        else:
            commanded = self.tick + (0 if c.handover == "conditional" else self.preparation)
            accessed = commanded + round(c.interruption_s / 0.02)
            fine = accessed + round(c.refinement_s / 0.02)
            received += sum(self.rate(t, self.serving) for t in range(self.tick, commanded) if t < end)
            self.out = 0
            if c.handover == "command" and self.sinr[commanded, self.serving] < -8.0:
                failed_at = commanded
            elif self.sinr[accessed, cell] < -6.0:
                failed_at = accessed
            else:
                done = begin + self.s.handover_ticks
                received += sum(self.rate(t, cell, 6.0 if t < fine else 0.0) for t in range(accessed, done) if t < end)
                self.tick, self.serving = done, cell
        lost = failed_at is not None and failed_at < end
        if failed_at is not None:
            ready = failed_at + round(c.reestablishment_s / 0.02)
            self.tick = self.s.decision_ticks * math.ceil(ready / self.s.decision_ticks)
            if lost:
                self.serving, self.out = int(self.rsrp[self.tick].argmax()), 0
        return received, min(self.tick, end) - begin, lost


V1: dict[str, Any] = {**WEAK, "lost_command": "stays"}
CONDITIONAL: dict[str, Any] = {**WEAK, "handover": "conditional"}


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        SMALL,
        WEAK,
        {**WEAK, "interruption_s": 0.08},
        {**WEAK, "interruption_s": 0.48, "decision_s": 0.4},
        V1,
        {**V1, "preparation_s": 0.24, "link_budget_db": 86.0},
        {**V1, "preparation_s": 0.0, "decision_s": 0.02},
        CONDITIONAL,
        {**CONDITIONAL, "measurement_s": 0.1, "preparation_s": 0.14},
        {**CONDITIONAL, "street": "canyon", "isd_m": 60.0},
    ],
)
def test_steps_against_a_tick_by_tick_loop(keywords: dict[str, Any]) -> None:
    losses = moves = commands = went = 0
    for seed in range(12):
        batch = batch_of(1, seed, **keywords)
        scenario: Any = batch.scenario
        episodes = batch.episodes
        slow = SlowUe(scenario, episodes.sinr_db[0], episodes.rsrp_dbm[0], episodes.measured_dbm[0])
        rng = np.random.default_rng(seed)
        while True:
            cell = int(rng.integers(scenario.num_cells)) if rng.random() < 0.2 else slow.serving
            if scenario.conditional:
                told = scenario.fields.split(batch.observe()[0, 0])["prepared"]
                assert np.flatnonzero(told).tolist() == sorted(slow.prepared())
            outcome = batch.step(np.array([[cell]]))
            moves += cell != slow.serving
            lost_commands = slow.lost_commands
            went += (goes := slow.kept_ticks(cell) == 0)
            slow.lost_commands = lost_commands
            received, ticks, lost = slow.step(cell)
            losses += lost
            assert outcome.reward[0, 0] == pytest.approx(received / scenario.decision_ticks, rel=1e-6, abs=1e-6)
            assert outcome.elapsed_s[0] == pytest.approx(0.02 * ticks)
            assert outcome.metrics["failures_per_min"][0] == 60.0 * lost
            assert outcome.metrics["handovers_per_s"][0] == goes
            if outcome.truncated[0]:
                assert slow.tick >= scenario.ticks
                break
            assert batch.state.tick[0] == slow.tick
            assert batch.state.serving[0] == slow.serving
            assert batch.state.out_ticks[0] == slow.out
        commands += slow.lost_commands
    assert moves > 10
    assert (commands > 0) == ("lost_command" in keywords)
    assert (went < moves) == ("lost_command" in keywords or ("handover" in keywords and "street" not in keywords))
    if keywords.get("link_budget_db"):
        assert losses > 5


def test_an_episode_lasts_as_long_as_it_should_whatever_is_done() -> None:
    batch = batch_of(8, **WEAK)
    rng, total = np.random.default_rng(0), np.zeros(8)
    running = np.ones(8, bool)
    for _ in range(batch.scenario.horizon):
        outcome = batch.step(rng.integers(0, batch.scenario.action_space.n, (8, 1)))
        total += running * outcome.elapsed_s
        running &= ~outcome.truncated
        if not running.any():
            break
        batch.state.tick = np.minimum(batch.state.tick, batch.scenario.ticks - 5)  # those that are over stand still
        total -= 0.0
        running_over = ~running
        assert (total[running_over] >= 3.0 - 1e-9).all()
    assert total == pytest.approx(np.full(8, 3.0))


def test_windows_hold_what_whole_seconds_brought() -> None:
    batch = batch_of(1, 3, duration_s=5.0)
    rewards = []
    for _ in range(50):
        outcome = batch.step(batch.state.serving[:, None])
        rewards.append(outcome.reward[0, 0])
    assert outcome.truncated[0]
    seconds = np.array(rewards).reshape(5, 10).mean(axis=1)
    assert outcome.metrics["window_p5_bps_hz"][0] == pytest.approx(np.percentile(seconds, 5.0))


def test_observations_say_what_was_measured_when() -> None:
    batch = batch_of(1, 2)
    parts = batch.scenario.fields.split(batch.observe()[0, 0])
    measured = batch.episodes.measured_dbm[0]
    for i in range(PAST_MEASUREMENTS):
        assert parts[f"rsrp_{i}_dbm"] == pytest.approx(np.clip(measured[0], -140.0, 0.0))
    for _ in range(9):
        batch.step(batch.state.serving[:, None])
    parts = batch.scenario.fields.split(batch.observe()[0, 0])
    assert parts["rsrp_0_dbm"] == pytest.approx(np.clip(measured[2], -140.0, 0.0))
    assert parts["rsrp_1_dbm"] == pytest.approx(np.clip(measured[1], -140.0, 0.0))
    assert parts["age_s"][0] == pytest.approx(0.1)
    assert parts["sinr_db"][0] == pytest.approx(batch.episodes.sinr_db[0, 45, batch.state.serving[0]], abs=1e-4)


# ------------------------------------------------------------------------------------------------------ oracle


@pytest.mark.parametrize(
    "kind",
    [{}, {"lost_command": "stays"}, {"lost_command": "stays", "preparation_s": 0.14}, {"handover": "conditional"}],
)
@pytest.mark.parametrize("budget_db", [130.0, 100.0, 84.0])
def test_the_best_in_hindsight_against_every_sequence_of_decisions(budget_db: float, kind: dict[str, Any]) -> None:
    """Two cells, seven decisions: the best of all sequences, played by the environment, is what is promised."""
    keywords = {
        "street": "canyon",
        "arm_m": 60.0,
        "isd_m": 60.0,
        "duration_s": 0.7,
        "link_budget_db": budget_db,
        **kind,
    }
    ran_out = 0
    for seed in range(12):
        batch = batch_of(1, seed, **keywords, t310_s=0.14, reestablishment_s=0.1)
        episodes = batch.episodes
        start = int(batch.state.serving[0])
        shown = batch.scenario.reveal(episodes, batch.state, "hindsight")
        prepared = (shown["prepared_ahead"](),) if kind.get("handover") else ()
        way = episodes.sinr_db[:1], episodes.rsrp_dbm[:1], batch.scenario.constants(), *prepared
        best = -1.0
        for sequence in itertools.product(range(2), repeat=7):
            batch.rewind(np.array([0]))
            total, t = 0.0, 0
            while True:
                stays = sequence[t] == batch.state.serving[0]
                outcome = batch.step(np.array([[sequence[t]]]))
                ran_out += stays and outcome.metrics["failures_per_min"][0] > 0.0
                total, t = total + outcome.reward[0, 0], t + 1
                if outcome.truncated[0]:
                    break
            best = max(best, total)
        assert best == pytest.approx(solve(*way).value[0, start], abs=1e-6)
        assert best <= bound(*way)[0, 0, start] + 1e-6
    assert ran_out == 0 or budget_db < 130.0
    assert ran_out or budget_db > 84.0


def test_the_best_of_three_cells_where_not_all_are_prepared() -> None:
    """Four cells, two of three others prepared, six decisions: every sequence again."""
    keywords = {"arm_m": 60.0, "isd_m": 60.0, "duration_s": 0.6, "handover": "conditional", "link_budget_db": 104.0}
    refused = 0
    for seed in range(4):
        batch = batch_of(1, seed, **keywords, t310_s=0.14, reestablishment_s=0.1, interruption_s=0.08)
        best, start = -1.0, int(batch.state.serving[0])
        shown = batch.scenario.reveal(batch.episodes, batch.state, "hindsight")
        sinr_db, rsrp_dbm = batch.episodes.sinr_db[:1], batch.episodes.rsrp_dbm[:1]
        way = sinr_db, rsrp_dbm, batch.scenario.constants(), shown["prepared_ahead"]()
        for sequence in itertools.product(range(4), repeat=6):
            batch.rewind(np.array([0]))
            total, t = 0.0, 0
            while True:
                told = sequence[t] != batch.state.serving[0]
                outcome = batch.step(np.array([[sequence[t]]]))
                refused += told and outcome.metrics["handovers_per_s"][0] == 0.0
                total, t = total + outcome.reward[0, 0], t + 1
                if outcome.truncated[0]:
                    break
            best = max(best, total)
        assert best == pytest.approx(solve(*way).value[0, start], abs=1e-6)
        assert best <= bound(*way)[0, 0, start] + 1e-6
    assert refused


# ---------------------------------------------------------------------------------- a lost command, versions 0 and 1


def outage(**keywords: Any) -> Batch:
    """A UE on cell 0 at 0 dB, which falls to -20 dB for good after 0.1 s; cell 1 has 10 dB."""
    batch = batch_of(1, **SMALL, **keywords)
    batch.episodes.sinr_db[:] = 10.0
    batch.episodes.sinr_db[0, :, 0] = np.where(np.arange(batch.episodes.sinr_db.shape[1]) < 5, 0.0, -20.0)
    batch.state.serving[:] = 0
    return batch


def test_a_command_in_outage_gains_nothing_since_v1() -> None:
    """T310, 1 s, runs out at 1.1 s whatever is commanded; in v0 the command fails the link at .1 + .06 s."""
    for commands in (False, True):
        batch = outage(lost_command="stays")
        ran = []
        for _ in range(11):
            outcome = batch.step(np.array([[int(commands and batch.state.tick[0] >= 5)]]))
            ran.append(int(batch.state.out_ticks[0]))
        assert ran == [0, *range(5, 50, 5), 0]
        assert outcome.metrics["failures_per_min"][0] == 60.0
        assert outcome.metrics["handovers_per_s"][0] == 0.0  # it was never carried out
        assert batch.state.tick[0] == 70  # 1.1 s + .3 s
    batch = outage()
    batch.step(np.array([[0]]))
    assert batch.step(np.array([[1]])).metrics["failures_per_min"][0] == 60.0
    assert batch.state.tick[0] == 25  # .16 s + .3 s, to the next decision


@pytest.mark.parametrize("lost_at", [10, 13])
def test_report_and_command_are_lost_below_out_db(lost_at: int) -> None:
    """The report leaves with the decision, in tick 10, the command .06 s later; one tick of -9 dB loses either."""
    batch = outage(lost_command="stays")
    batch.state.tick[:] = 10
    batch.episodes.sinr_db[0, :, 0] = 0.0
    batch.episodes.sinr_db[0, lost_at, 0] = -9.0
    outcome = batch.step(np.array([[1]]))
    assert outcome.metrics["handovers_per_s"][0] == outcome.metrics["failures_per_min"][0] == 0.0
    assert (batch.state.tick[0], batch.state.serving[0]) == (15, 0)
    assert outcome.metrics["no_data_fraction"][0] == pytest.approx(0.02)  # that tick alone


def test_t310_runs_on_while_a_handover_is_prepared() -> None:
    """T310 has run .94 s or more at -7 dB, which lets it run on: a command .06 s later comes too late after .96 s."""
    for out_ticks, arrives in ((48, False), (47, False), (46, True)):
        batch = outage(lost_command="stays")
        batch.state.out_ticks[:], batch.state.tick[:] = out_ticks, 10
        batch.episodes.sinr_db[0, 10:13, 0] = -7.0
        batch.episodes.sinr_db[0, 13:, 0] = 0.0
        outcome = batch.step(np.array([[1]]))
        assert outcome.metrics["handovers_per_s"][0] == arrives
        assert outcome.metrics["failures_per_min"][0] == 60.0 * (not arrives)


def test_a_conditional_handover_needs_no_command() -> None:
    batch = outage(handover="conditional")
    batch.step(np.array([[0]]))
    batch.episodes.prepared[0, :, 0] = 1, 2
    outcome = batch.step(np.array([[3]]))
    assert outcome.metrics["handovers_per_s"][0] == 0.0  # it is not prepared
    outcome = batch.step(np.array([[1]]))
    assert (outcome.metrics["handovers_per_s"][0], batch.state.serving[0]) == (1.0, 1)
    assert outcome.metrics["no_data_fraction"][0] == pytest.approx(0.24)  # the interruption and no preparation


def test_v1_is_the_entry_and_v0_knows_nothing_of_it() -> None:
    v0, v1 = make_registered("MmwaveStreet-v0"), make_registered("MmwaveStreet-v1")
    assert v1.constants() == {**v0.constants(), "lost_command": "stays"}
    assert not {"lost_command", "handover"} & set(v0.constants())  # rows of v0 hold a digest of them


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("keywords", "says"),
    [
        ({"isd_m": 900.0}, "isd_m must leave two cells"),
        ({"duration_s": 100.0}, "shorten duration_s or lengthen arm_m"),
        ({"lane_m": 2.5}, "lane_m must be whole metres, got 2.5"),
        ({"maps": ()}, "maps must be 1 to 4096 integers between 0 and"),
        ({"in_db": -9.0}, "in_db must be between -8"),
        ({"street": "square"}, "street must be one of 'crossing', 'canyon', got 'square'"),
        ({"users": "bus"}, "users must be one of"),
        ({"interference_db": 3.0}, "interference_db must be between"),
    ],
)
def test_bad_streets(keywords: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_scenario("street", **keywords)


def test_a_street_turns_the_handover_environment_into_one() -> None:
    import gymnasium as gym

    env = gym.make("MmwaveHandover-v0", street="canyon", users="pedestrian")
    assert env.unwrapped.scenario.name == "street"
    with pytest.raises(TypeError, match="beta"):
        gym.make("MmwaveHandover-v0", street="canyon", beta=5.0)
