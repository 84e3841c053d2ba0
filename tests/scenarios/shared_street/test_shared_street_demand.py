"""Interference that follows load, and files with deadlines, against numbers worked by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from shared_street_worlds import TINY, by_hand, play

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.scenarios.shared_street import queues
from mmwave_gym.scenarios.shared_street.config import SharedStreetConfig

LOG11 = math.log2(11.0)
SLOT_MBIT = 400.0 * 0.1
"""Mbit of 1 bit/s/Hz in a slot."""
LEVELS = [[-68.0, -73.0, -138.0, -138.0], [-73.0, -68.0, -138.0, -138.0]]
"""RSRP in dBm of two cars, each on a cell of its own: SNRs of 10 and 5 dB (noise: -78 dBm)."""
QUEUE: dict[str, Any] = {"demand": "queue", "file_mbit": 200.0, "file_period_s": 1.0, "deadline_s": 0.5}


def under_load(active: Any, **keywords: Any) -> Batch:
    """Two cars with the links of `LEVELS`; active: (ue,), who wants data."""
    batch = by_hand(np.zeros((2, 4)), np.array(LEVELS), interference="load", interference_db=-10.0, **keywords)
    batch.episodes.active[:] = active
    batch.state = batch.scenario.start(batch.episodes)
    return batch


def test_an_idle_cell_does_not_interfere() -> None:
    batch = under_load([True, False])
    assert batch.state.sinr_db[0, 0, :2] == pytest.approx([10.0, 10.0 * math.log10(10.0**0.5 / 2.0)], abs=1e-5)
    outcome = play(batch, {}, 1)[0]
    assert outcome.reward[0, 0] == pytest.approx(math.log(LOG11 + 0.01), rel=1e-6)


def test_a_cell_that_serves_an_active_ue_interferes() -> None:
    batch = under_load([True, True])
    sinr = 10.0 / (1.0 + 0.1 * 10.0**0.5)
    assert batch.state.sinr_db[0, 0, 0] == pytest.approx(10.0 * math.log10(sinr), abs=1e-5)
    assert batch.state.sinr_db[0, 0, 2] == pytest.approx(10.0 * math.log10(1e-6 / (1.0 + 1.0 + 0.1 * 10.0**0.5)))
    outcome = play(batch, {}, 1)[0]
    assert outcome.reward[0] == pytest.approx([math.log(math.log2(1.0 + sinr) + 0.01)] * 2, rel=1e-6)


def test_an_empty_cell_falls_silent_once_its_last_ue_counts_elsewhere() -> None:
    batch = under_load([True, True])
    levels = []
    for t in range(3):
        levels.append(float(batch.state.sinr_db[0, 1, 1]))
        play(batch, {(0, 0): 1} if t == 0 else {}, 1)
    # UE 0 is commanded in slot 0, where its cell still serves it; from slot 1 on both count at cell 1.
    assert levels == pytest.approx([10.0 * math.log10(10.0 / (1.0 + 0.1 * 10.0**0.5)), 10.0, 10.0], abs=1e-5)


def test_with_all_cells_busy_interference_is_constant() -> None:
    keywords = {**TINY, "num_cars": 30, "active_s": 1000.0, "idle_s": 0.1}
    batch = Batch(make_scenario("shared_street", **keywords, interference="load"), 2)
    batch.reset([EpisodeKey(0), EpisodeKey(1)])
    e, state = batch.episodes, batch.state
    busy = batch.scenario.sharing(e, state) > 0.0
    full = np.flatnonzero(busy.all(axis=1))
    assert len(full)
    assert state.sinr_db[full] == pytest.approx(e.sinr_db[e.row[full], 0], abs=1e-3)


def test_efficiencies_are_estimated_with_the_cells_that_the_broadcast_calls_busy() -> None:
    batch = under_load([True, False])
    seen = batch.scenario.fields.split(batch.observe())["efficiency_bps_hz"][0, 0]
    other = math.log2(1.0 + 10.0**0.5 / (1.0 + 0.1 * 10.0))
    assert seen[:2] == pytest.approx([LOG11, other], rel=1e-4)


def queued(files: dict[tuple[int, int], Any], **keywords: Any) -> Batch:
    """Two cars with 10 dB each on its own cell; files: (slot, ue) in which one comes."""
    links = [[10.0, 5.0, 0.0, -20.0], [5.0, 10.0, 0.0, -20.0]]
    batch = by_hand(links, **{**QUEUE, **keywords})
    batch.episodes.files[:] = False
    for slot, ue in files:
        batch.episodes.files[0, slot, ue] = True
    batch.state = batch.scenario.start(batch.episodes)
    return batch


def test_a_file_takes_as_many_slots_as_its_rate_says() -> None:
    # 138.4 Mbit a slot: 200 Mbit are complete in the second one.
    batch = queued({(0, 0): 1}, horizon=10)
    seen = batch.scenario.fields.split(batch.observe())
    assert seen["queue_mbit"][0, :, 0].tolist() == [200.0, 0.0]
    assert seen["deadline_s"][0, :, 0] == pytest.approx([0.5, 0.0])
    assert seen["active"][0, :, 0].tolist() == [1.0, 0.0]
    play(batch, {}, 1)
    seen = batch.scenario.fields.split(batch.observe())
    assert seen["queue_mbit"][0, 0, 0] == pytest.approx(200.0 - LOG11 * SLOT_MBIT, rel=1e-5)
    assert seen["deadline_s"][0, 0, 0] == pytest.approx(0.4)
    assert batch.state.delays[0].tolist() == [0, 0, 0, 0, 0, 0]
    play(batch, {}, 1)
    assert batch.state.delays[0].tolist() == [0, 0, 1, 0, 0, 0], "delivered after two slots"
    last = play(batch, {}, 8)[-1].metrics
    assert last["delay_s"][0] == last["delay_p95_s"][0] == pytest.approx(0.2)
    assert last["on_time_share"][0] == 1.0
    # 200 Mbit in a second that was active for ten slots; the other UE got nothing.
    assert last["mean_mbps"][0] == pytest.approx(100.0)
    assert last["utility"][0] == pytest.approx((math.log(0.5 + 0.01) + math.log(0.01)) / 2.0)


def test_files_are_sent_one_after_the_other_and_share_with_who_waits() -> None:
    links = [[10.0, 5.0, 0.0, -20.0], [10.0, 5.0, 0.0, -20.0]]
    batch = by_hand(links, **{**QUEUE, "file_period_s": 0.1})
    batch.episodes.files[:] = False
    batch.episodes.files[0, [0, 1, 0], [0, 0, 1]] = True
    batch.state = batch.scenario.start(batch.episodes)
    # 69.2 Mbit a slot for each of two: 200 Mbit take three slots. Then UE 0 has all: what is left of its second file
    # (392 = 3 x 69.2 + 184.8 left, of 200) takes two more.
    play(batch, {}, 3)
    assert batch.state.waiting[0].sum(axis=1) == pytest.approx([400.0 - 3 * LOG11 * SLOT_MBIT / 2.0, 0.0])
    assert batch.state.delays[0].tolist() == [0, 0, 0, 2, 0, 0]
    play(batch, {}, 2)
    assert batch.state.delays[0].tolist() == [0, 0, 0, 2, 1, 0], "slots 1 to 4"


def test_what_is_left_at_the_deadline_is_dropped() -> None:
    batch = queued({(0, 0): 1}, file_mbit=1000.0, horizon=20)
    outcomes = play(batch, {}, 5)
    assert batch.state.delays[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert not batch.state.waiting.any()
    rate = np.exp(sum(float(o.reward[0, 0]) for o in outcomes) / 5.0) - 0.01
    assert rate == pytest.approx(LOG11), "what was sent of it counts"
    last = play(batch, {}, 15)[-1].metrics
    assert last["on_time_share"][0] == last["delay_s"][0] == last["delay_p95_s"][0] == 0.0


def test_rewards_of_a_second_sum_to_its_value_when_files_outlast_activity() -> None:
    batch = queued({(5, 0): 1}, file_mbit=500.0, horizon=20)
    batch.episodes.active[0, 6:] = False
    rewards = [float(o.reward[0, 0]) for o in play(batch, {}, 10)]
    assert sum(rewards) == pytest.approx(6.0 * math.log(500.0 / SLOT_MBIT / 6.0 + 0.01))
    assert batch.state.second_bps_hz[0, 0, 0] == pytest.approx(500.0 / SLOT_MBIT / 6.0)


def test_delays_are_counted_to_the_95th_percentile() -> None:
    found = queues.score(np.array([5, 94, 0, 1, 5]))
    assert found["delay_s"] == pytest.approx((94 * 0.1 + 0.3 + 5 * 0.4) / 100.0)
    assert found["delay_p95_s"] == pytest.approx(0.3), "95 of 100 files have at most that"
    assert found["on_time_share"] == pytest.approx(100.0 / 105.0)


def test_files_come_while_a_ue_is_active() -> None:
    config = SharedStreetConfig(**TINY, demand="queue", file_period_s=0.3)
    active, arrives = np.zeros((20, 2), bool), np.zeros((20, 2), bool)
    active[4:12, 0], active[:, 1], arrives[9, 1] = True, True, True
    found = queues.files(config, np.random.default_rng(1), active, arrives)
    phase = int(np.random.default_rng(1).integers(3, size=2)[1])
    assert np.flatnonzero(found[:, 0]).tolist() == [4, 7, 10]
    before = [t for t in range(9) if (t + phase) % 3 == 0]
    assert np.flatnonzero(found[:, 1]).tolist() == [*before, 9, 12, 15, 18], "a new UE begins anew"


def test_without_the_options_nothing_of_them_is_there() -> None:
    scenario = make_scenario("shared_street", **TINY)
    names = {"interference", "demand", "file_mbit", "file_period_s", "deadline_s"}
    assert not names & set(scenario.constants()["keywords"])
    assert "queue_mbit" not in [field.name for field in scenario.fields]
    assert "delay_s" not in [metric.name for metric in scenario.metrics]
    on = make_scenario("shared_street", **TINY, demand="queue", interference="load")
    assert names <= set(on.constants()["keywords"])
    assert on.constants()["interference"] == "load"


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"interference": "none"}, "interference must be one of 'constant', 'load', got 'none'"),
        ({"demand": "video"}, "demand must be one of 'full', 'queue', got 'video'"),
        ({"file_mbit": 5.0}, "file_mbit means nothing with demand='full': it needs demand='queue'"),
        ({"demand": "queue", "file_mbit": 0.0}, "file_mbit must be between 0.001 and 1e+06, got 0.0"),
        ({"demand": "queue", "deadline_s": 60.0}, "deadline_s must be between 0.1 and 10, got 60.0"),
    ],
)
def test_bad_keywords_are_refused_with_what_is_allowed(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        make_scenario("shared_street", **TINY, **keywords)
