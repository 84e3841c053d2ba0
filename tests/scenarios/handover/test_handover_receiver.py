"""What tells `MmwaveHandover-v1` from v0: past fading, interference, the best code, interruptions. By hand."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from link_worlds import line
from test_handover_physics import Game

from mmwave_gym.core.registration import make_registered, make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.handover.config import RECEIVERS, HandoverConfig, interruption
from mmwave_gym.scenarios.handover.world import HandoverEpisodes, efficiency_bps_hz, interfered

KEYS = [EpisodeKey(seed) for seed in range(3)]


def drawn(env_id: str, **keywords: Any) -> HandoverEpisodes:
    return make_registered(env_id, horizon=40, **keywords).draw([EpisodeRng(key) for key in KEYS])


# ---------------------------------------------------------------------- what the two versions are


def test_v1_is_v0_with_a_real_receiver() -> None:
    v0, v1 = (make_registered(f"MmwaveHandover-v{i}").config for i in (0, 1))
    different = {f.name for f in dataclasses.fields(v0) if getattr(v0, f.name) != getattr(v1, f.name)}
    assert different == {"receiver", *RECEIVERS["real"]}
    assert {name: getattr(v0, name) for name in RECEIVERS["ideal"]} == RECEIVERS["ideal"]
    assert {name: getattr(v1, name) for name in RECEIVERS["real"]} == RECEIVERS["real"]


def test_what_is_passed_stands_against_the_preset() -> None:
    config = HandoverConfig(receiver="real", fading="seen", interference_db=None)
    assert (config.fading, config.interference_db, config.most_bps_hz) == ("seen", None, 7.4063)
    assert dataclasses.replace(config, beta=3.0).fading == "seen"
    assert HandoverConfig(**dataclasses.asdict(config)) == config


def test_an_ideal_receiver_is_interrupted_for_a_slot_at_most() -> None:
    with pytest.raises(ValueError, match=r"interruption_s must be between 0(\.0)? and 0\.05, got 0\.06"):
        make_scenario("handover", interruption_s=0.06)
    assert make_scenario("handover", receiver="real", interruption_s=0.06).masked


def test_versions_of_the_street_have_ids_of_their_own() -> None:
    with pytest.raises(ValueError, match=r"street=.crossing. .* MmwaveHandover-v0 .* MmwaveStreet-v0"):
        gym.make("MmwaveHandover-v1", street="crossing")


# ---------------------------------------------------------------------- interference and the best code


def test_interference_by_hand() -> None:
    """SNRs of 20, 10 and 0 dB, a twentieth of the others' power: 100 / (1 + 11 / 20) and so on."""
    sinr = interfered(np.array([[100.0], [10.0], [1.0]], np.float32), 0.05)[:, 0]
    assert sinr == pytest.approx([100.0 / 1.55, 10.0 / 6.05, 1.0 / 6.5], rel=1e-6)


def test_at_full_load_the_sinr_is_the_share_over_the_rest() -> None:
    """Without noise to speak of a cell with half of the power has 0 dB: 1 bit/s/Hz."""
    config = HandoverConfig(receiver="real", interference_db=0.0)
    snr = np.array([2e6, 1e6, 1e6], np.float32)[:, None]
    assert efficiency_bps_hz(config, snr)[:, 0] == pytest.approx([1.0, math.log2(4 / 3), math.log2(4 / 3)], rel=1e-5)


def test_a_weak_interferer_is_not_lost_beside_a_strong_cell() -> None:
    """120 dB and 20 dB: float32 would round the sum of both to the strong one, and find no interference."""
    sinr = interfered(np.array([[1e12], [100.0]], np.float32), 1.0)[0, 0]
    assert sinr == pytest.approx(1e12 / 101.0, rel=1e-6)


def test_the_best_code_is_256_qam_at_948_of_1024() -> None:
    config = HandoverConfig(receiver="real", interference_db=None)
    assert config.most_bps_hz == pytest.approx(8 * 948 / 1024, abs=5e-5)
    snr = np.array([[10.0**7.8], [168.0], [150.0]], np.float32)  # v0's 78 dB; the cap lies at an SNR of 168.6
    rates = efficiency_bps_hz(config, snr)[:, 0]
    assert rates == pytest.approx([7.4063, math.log2(169.0), math.log2(151.0)], rel=1e-6)


def test_rates_of_v1_follow_from_the_snr_of_v0() -> None:
    """The same chance is drawn, so SNRs come from v0's rates."""
    snr = 2.0 ** drawn("MmwaveHandover-v0").efficiency_bps_hz.astype(np.float64) - 1.0
    others = snr.sum(axis=-1, keepdims=True) - snr
    expected = np.minimum(np.log2(1.0 + snr / (1.0 + 10**-1.3 * others)), 7.4063)
    rates = drawn("MmwaveHandover-v1").efficiency_bps_hz
    np.testing.assert_allclose(rates, expected, atol=1e-4)
    assert 0.01 < (rates == np.float32(7.4063)).mean() < 0.2, "some are limited by the code, most are not"


def test_through_a_link_matrix_cells_interfere_too() -> None:
    """It holds no fading, so nothing about the present is hidden; a cell out of earshot neither serves nor disturbs."""
    quiet, loud = (drawn(f"MmwaveHandover-v{i}", channel=line()) for i in (0, 1))
    np.testing.assert_array_equal(quiet.rsrq_db, loud.rsrq_db)
    snr = 2.0 ** quiet.efficiency_bps_hz.astype(np.float64) - 1.0
    others = snr.sum(axis=-1, keepdims=True) - snr
    expected = np.minimum(np.log2(1.0 + snr / (1.0 + 10**-1.3 * others)), 7.4063)
    np.testing.assert_allclose(loud.efficiency_bps_hz, expected, rtol=1e-4, atol=1e-5)
    assert (loud.efficiency_bps_hz == 0.0).any()
    assert (loud.efficiency_bps_hz < quiet.efficiency_bps_hz).any()


# ---------------------------------------------------------------------- fading of past slots


def test_a_real_receiver_reports_the_slot_before() -> None:
    """v0 shows slot t at t; v1 shows it at t + 1, and at first the mean, as v0 without fading in the report."""
    now, mean = drawn("MmwaveHandover-v0"), drawn("MmwaveHandover-v0", fading="averaged")
    late = drawn("MmwaveHandover-v1")
    np.testing.assert_array_equal(late.rsrq_db[:, 1:], now.rsrq_db[:, :-1])
    np.testing.assert_array_equal(late.rsrq_db[:, 0], mean.rsrq_db[:, 0])


def test_what_is_seen_says_nothing_of_the_slot_to_come() -> None:
    """Of what fading adds to a cell's share: all is seen of the last slot, nothing of the next."""
    keywords: dict[str, Any] = {"shadowing": "static", "speed_mps": (0.0, 0.0), "horizon": 400}
    scenario = make_registered("MmwaveHandover-v1", interference_db=None, most_bps_hz=None, **keywords)
    episodes = scenario.draw([EpisodeRng(key) for key in KEYS])
    for rsrq_db, rate in zip(episodes.rsrq_db[..., 0, :], episodes.efficiency_bps_hz[..., 0, :], strict=True):
        gap_db = 10.0 * math.log10(2.0) * (rate[:, 0] - rate[:, 1])  # of two cells, in the slot decided
        seen_db = rsrq_db[:, 0] - rsrq_db[:, 1]
        assert np.corrcoef(seen_db[1:], gap_db[:-1])[0, 1] > 0.9
        assert abs(np.corrcoef(seen_db[1:], gap_db[1:])[0, 1]) < 0.2


# ---------------------------------------------------------------------- interruptions


def test_an_interruption_of_several_slots_by_hand() -> None:
    """0.12 s are 2.4 slots of 0.05 s: two slots without data, then 0.6 of the third."""
    game = Game([[5, 1]] * 2 + [[4, 8]] * 4, receiver="real", beta=10.0, interruption_s=0.12)
    seen = []
    for cell in (0, 1, 0, 0, 0, 1):
        fields = game.scenario.fields.split(game.scenario.observe(game.episodes, game.state))
        mask = game.scenario.action_mask(game.episodes, game.state)
        assert mask is not None
        seen.append((round(float(fields["interruption_left_s"][0, 0, 0]), 6), mask[0, 0].tolist()))
        game.play(cell)
    assert seen == [
        (0.0, [True, True]),
        (0.0, [True, True]),
        (0.07, [False, True]),
        (0.02, [False, True]),
        (0.0, [True, True]),
        (0.07, [True, False]),
    ]


def test_rewards_of_an_interruption_by_hand() -> None:
    """A handover costs 3 bit/s/Hz; commands during the interruption are not carried out."""
    game = Game([[5, 1]] * 2 + [[4, 8]] * 4, receiver="real", beta=10.0, interruption_s=0.12)
    metrics = game.play(0, 1, 0, 0, 0, 0)
    assert metrics["reward"] == pytest.approx([5.0, -3.0, 0.0, 8.0 * 0.6, -3.0, 0.0])
    assert metrics["throughput_bps_hz"] == pytest.approx([5.0, 0.0, 0.0, 4.8, 0.0, 0.0])
    assert metrics["handovers_per_s"] == [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    assert metrics["ping_pongs_per_s"] == [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def test_whole_slots_are_whole_slots() -> None:
    """0.15 / 0.05 is not 3 in floating point: after three slots data flow in full, and the UE decides."""
    assert interruption({"interruption_s": 0.15, "step_s": 0.05}) == (3, 0.0)
    assert interruption({"interruption_s": 0.05, "step_s": 0.05}) == (1, 0.0)
    assert interruption({"interruption_s": 0.02, "step_s": 0.05}) == (1, 1.0 - 0.02 / 0.05)
    game = Game([[4, 8]] * 5, receiver="real", beta=0.0, interruption_s=0.15)
    assert game.play(0, 0, 0, 0, 1)["reward"] == [0.0, 0.0, 0.0, 4.0, 0.0]  # at first the other one serves
