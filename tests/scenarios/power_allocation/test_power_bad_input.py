"""Wrong keywords of power allocation: the error names the keyword and the value, and says what is allowed or to do."""

from __future__ import annotations

import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mmwave_gym  # noqa: F401 registers the environments
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.power_allocation import world as worlds

NETWORK: dict[str, Any] = {"layout": "poisson", "scope": "network"}
FAR: dict[str, Any] = {**NETWORK, "interference": "network"}
quick = settings(max_examples=40, deadline=None)

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"density_per_km2": -120.0}, r"density_per_km2 must be between 1e-09 and 1e\+06, got -120\.0\."),
    ({"density_per_km2": 0}, r"density_per_km2 must be between 1e-09 and 1e\+06, got 0\."),
    ({"qos_sinr": 0.0}, r"qos_sinr must be between 0\.001 and 1e\+09, got 0\.0\."),
    ({"qos_sinr": 0.5}, r"reward='paper' divides by log2 of qos_sinr, which must be above 1, got 0\.5\."),
    ({"qos_sinr": 1e9}, r"qos_sinr=1e\+09 cannot be met: at 35 dBm a UE 10 m away has an SNR of 2\.3e\+07 .*Lower it"),
    ({"power_dbm": (-190.0, -150.0)}, r"qos_sinr=2\.83 cannot be met: at -150 dBm .*raise power_dbm"),
    ({"power_dbm": (10.0, -10.0)}, r"power_dbm must be a pair of numbers, .*got \(10\.0, -10\.0\)"),
    ({"power_dbm": (10.0, 10.0)}, r"power_dbm must be lowest < highest, got \(10\.0, 10\.0\)"),
    ({"power_dbm": (0.0, 1e6)}, r"power_dbm must be a pair of numbers, .* <= 100, got"),
    ({"layout": ((0, 0), (5, 5), (0, 0))}, r"layout: base stations 0 and 2 are at the same place \(0, 0\); keep one"),
    ({"layout": ((0, 0), (0.0, -0.0))}, r"layout: base stations 0 and 1 are at the same place"),
    ({"layout": ()}, r"layout must be places \(x, y\) in metres, at least one, got \(\)"),
    ({"layout": ((0, 0), (1,))}, r"layout\[1\] must be a pair of finite numbers in metres, got \(1,\)"),
    ({"layout": ((0, math.nan),)}, r"layout\[0\] must be a pair of finite numbers in metres, got \(0, nan\)"),
    ({"layout": ((0, 0), (1e200, 0))}, r"layout\[1\] must be a pair of finite numbers in metres, got \(1e\+200, 0\)"),
    ({"layout": "hexagons"}, r"layout must be one of 'rows', 'poisson', a file of sites .*got 'hexagons'"),
    ({"layout": "nowhere.csv"}, r"nowhere\.csv: there is no such file"),
    ({"num_bs": 17}, r"num_bs must be between 1 and 16, got 17"),
    ({"num_bs": 2.0}, r"num_bs must be an integer between 1 and 16, got 2\.0"),
    ({"levels": 1}, r"levels must be between 2 and 10,000, got 1"),
    ({"levels": 32.0}, r"levels must be an integer between 2 and 10,000, got 32\.0"),
    ({"levels": 10**9}, r"levels must be between 2 and 10,000, got 1000000000"),
    ({"changes": 100}, r"changes must be fewer than the 100 slots of the horizon, got 100"),
    ({"changes": 3, "layout": "poisson"}, r"changes needs scope='network' or layout='rows'"),
    ({"action": "change"}, r"action='change' is for continuous powers: it needs levels=None, got 32"),
    ({"interference": "network", "layout": "poisson"}, r"interference='network' needs scope='network'"),
    ({"interference_range_m": 200.0}, r"interference_range_m is for scope='network' with interference='network'.*200"),
    ({**NETWORK, "interference_range_m": 200.0}, r"interference_range_m is for .*interference='network'"),
    ({**FAR, "interference_range_m": 5.0}, r"interference_range_m must be at least 11, got 5\.0"),
    ({**FAR, "side_m": 20_000.0}, r"interference_range_m=None: 49,315 base stations would all .*Give a range"),
    (
        {**FAR, "side_m": 3e4, "interference_range_m": 1e5},
        r"interference_range_m=100000: .* would have more than .*Lower",
    ),
    ({**NETWORK, "side_m": 1e7}, r"side_m must be between 1 and 100000, got 10000000\.0"),
    ({"layout": "poisson", "side_m": 1e5}, r"density_per_km2=120 and side_m=100000 make 1,206,573 base .*lower one of"),
    (
        {**NETWORK, "density_per_km2": 1e6, "side_m": 1e4},
        r"make 100,060,001 base stations, at most 2,000,000 are allowed",
    ),
    ({**NETWORK, "feasible": "only"}, r"feasible must be 'any' for a whole network, got 'only'"),
    ({"authors": True, "layout": "poisson"}, r"authors=True is for layout='rows', .*got 'poisson'"),
    ({"authors": 1}, r"authors must be False or True, got 1"),
    ({"cluster_bs": (5, 3)}, r"cluster_bs must be a pair of integers, 1 <= lowest <= highest <= 10,000, got \(5, 3\)"),
    ({"cluster_bs": (2.5, 3)}, r"cluster_bs must be a pair of integers, .*got \(2\.5, 3\)"),
    ({"cluster_bs": (200, 300), "layout": "poisson"}, r"cluster_bs=\(200, 300\): .* 15\.1 base .*hardly ever.*Lower"),
    ({"density_per_km2": 1.0, "side_m": 50.0, "layout": "poisson"}, r"cluster_bs=\(2, 24\): with density_per_km2=1, "),
    ({"shadowing_db": 61.0}, r"shadowing_db must be between 0 and 60, got 61\.0"),
    ({"ue_radius_m": 0.5}, r"ue_radius_m must be between 1 and 10000, got 0\.5"),
    ({"change_db": 0.0, "levels": None, "action": "change"}, r"change_db must be between 0\.001 and 300, got 0\.0"),
    ({"change_db": 13.0}, r"change_db means nothing with action='power': it needs action='change'; leave it out"),
    ({"penalty": 9.0}, r"penalty means nothing with reward='paper': it needs reward='team' or reward='difference'; "),
    ({"penalty": 9.0, "reward": "exponential"}, r"penalty means nothing with reward='exponential': it needs "),
    (
        {"layout": "poisson", "num_bs": 14},
        r"num_bs belongs to the authors' rows and .* a Poisson network \(layout='poi",
    ),
    (
        {"density_per_km2": 120.0},
        r"density_per_km2 belongs to a Poisson network .*rows'\): leave it out, or choose a P",
    ),
    ({"layout": "rows", "side_m": 500.0}, r"side_m belongs to a Poisson network .* leave one of them out"),
    ({"unit_m": 100.0}, r"unit_m belongs to a Poisson network or given sites and means nothing in the authors' rows"),
    ({"scope": "network"}, r"scope belongs to a Poisson network or given sites and means nothing in the authors' rows"),
    ({"interference": "network"}, r"interference belongs to .* means nothing in the authors' rows \(layout='rows'\)"),
    ({**NETWORK, "cluster_bs": (2, 24)}, r"cluster_bs belongs to a drawn cluster .*a whole network \(scope='network'"),
    ({"layout": ((0, 0), (5, 5)), "side_m": 9.0}, r"side_m belongs to a Poisson network .* given sites \(layout=\(\(0"),
    ({"reward": 3}, r"reward must be one of paper, exponential, team, difference or a function, got 3"),
]
WORDS = {
    "scope": "cluster",
    "interference": "network",
    "observation": "local",
    "action": "change",
    "start": "random",
    "feasible": "only",
    "reward": "difference",
}


@pytest.mark.parametrize(("keywords", "message"), WRONG, ids=[str(k)[:60] for k, _ in WRONG])
def test_wrong_keywords_and_combinations(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_scenario("power_allocation", **keywords)


@pytest.mark.parametrize("keyword", WORDS)
@given(value=st.one_of(st.text("anoe", max_size=5), st.integers(), st.none(), st.booleans(), st.just(math.nan)))
@quick
def test_words_must_be_known(keyword: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{keyword} must be one of .*{WORDS[keyword]}") as error:
        make_scenario("power_allocation", **{keyword: value})
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("keyword", ["density_per_km2", "side_m", "unit_m", "qos_sinr", "frequency_hz", "slot_s"])
@given(value=st.floats(max_value=0.0, allow_nan=False))
@quick
def test_measures_must_be_positive(keyword: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{keyword} must be between [0-9.e+-]+ and .*, got"):
        make_scenario("power_allocation", **{keyword: value})


def draw(**keywords: Any) -> Any:
    return make_scenario("power_allocation", **keywords).draw([EpisodeRng(EpisodeKey(0))])


def test_worlds_that_are_never_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only drawing can find out ends too, and says what to change."""
    monkeypatch.setattr(worlds, "MOST_DRAWS", 40)
    with pytest.raises(ValueError, match=r"feasible='not': none of 40 worlds was so\. Change qos_sinr=2\.83, "):
        draw(feasible="not", num_bs=1)
    with pytest.raises(ValueError, match=r"feasible='only': none of 40 worlds was so\. Change qos_sinr=300, "):
        draw(feasible="only", qos_sinr=300.0, ue_radius_m=30.0)
    with pytest.raises(ValueError, match=r"cluster_bs=\(2, 3\) does not fit the layout's clusters: it has \[1\]"):
        draw(layout=((0.0, 0.0), (5000.0, 0.0)), cluster_bs=(2, 3))
    with pytest.raises(ValueError, match=r"cluster_bs=\(23, 23\) does not fit .*none of 40 networks had one of those"):
        draw(layout="poisson", cluster_bs=(23, 23), side_m=300.0, density_per_km2=220.0)


@pytest.mark.parametrize(
    "keywords",
    [
        {"layout": [[0, 0], [30, 1]], "cluster_bs": (1, 2)},
        {"layout": np.array([[0.0, 0.0], [30.0, 1.0]]), "cluster_bs": np.array([1, 2])},
        {"power_dbm": np.array([-5, 20]), "levels": np.int64(4), "num_bs": np.uint8(3)},
        {"num_bs": 16, "changes": 5},
        {"num_bs": 1, "changes": 1},
        {**NETWORK, "side_m": 1.0},
        {**NETWORK, "density_per_km2": 1e-9},
        {"qos_sinr": 0.5, "reward": "team"},
        {"shadowing_db": 0.0, "nlos_slope_db": 0.0, "penalty": 0.0, "reward": "team"},
    ],
    ids=str,
)
def test_unusual_but_allowed(keywords: dict[str, Any]) -> None:
    """Lists, arrays and integers of numpy, one base station, an empty square: somebody always plays."""
    env = gymnasium.make("MmwavePowerAllocation-v0", **keywords)
    observation, _ = env.reset(seed=1)
    observation, reward, *_ = env.step(env.action_space.sample())
    assert env.observation_space.contains(observation)
    assert math.isfinite(reward)
