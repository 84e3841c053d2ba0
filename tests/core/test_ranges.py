"""Declared ranges: every keyword has one, all that is in use lies within, and what is outside is refused by name."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any

import pytest

from bench.watched import Watched
from mmwave_gym.benchmark.page import page
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.core import ranges, rooms
from mmwave_gym.core.ranges import Count, Either, Flag, Many, Probabilities, Range, Said, Words, pair
from mmwave_gym.core.registration import entries, make_scenario

LOST = {"preparation_s": 0.0, "reestablishment_s": 0.0, "link_budget_db": -300.0, "out_db": 0.0, "in_db": 0.0}
"""Every command is lost at once, and nothing takes time."""
CONFIGS = [room.load("config") for room in rooms.rooms().values() if room.package.startswith("mmwave_gym.")]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    cells: Annotated[int, Count(1, 100, cost="memory in proportion")] = 3
    seed: Annotated[int | None, Count(0, 2**63 - 1)] = None
    gain_db: Annotated[float, Range(-5.0, 1e6, "dB")] = 0.0
    speed: Annotated[tuple[float, float], pair(0.0, 9.0)] = (1.0, 2.0)
    places: Annotated[tuple[int, ...], Many(Count(1, 9), 1, 3)] = (4, 2)
    word: Annotated[str, Words("a", "b")] = "a"
    share: Annotated[Any, Either(Words("even"), Probabilities(2))] = "even"
    exact: Annotated[bool, Flag()] = False
    file: Annotated[str, Said("a file", ("x",))] = "x"
    free: int = 0

    def __post_init__(self) -> None:
        ranges.check_ranges(self)


@pytest.mark.parametrize(
    "keywords",
    [
        {"cells": 1, "gain_db": -5.0, "speed": (0, 9.0), "places": [9], "share": (0.25, 0.75), "exact": True},
        {"cells": 100, "gain_db": 10**6, "seed": 2**63 - 1, "speed": [3, 3]},
        {"file": object(), "free": -1},
    ],
)
def test_what_is_inside_is_allowed(keywords):
    Config(**keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"cells": 0}, r"^cells must be between 1 and 100, got 0\.$"),
        ({"cells": 10**400}, r"^cells must be between 1 and 100, got 1000"),
        ({"cells": 2.0}, r"^cells must be an integer between 1 and 100, got 2\.0\.$"),
        ({"cells": None}, r"^cells must be an integer between 1 and 100, got None\.$"),
        ({"cells": True}, r"^cells must be an integer between 1 and 100, got True\.$"),
        ({"seed": 2**63}, r"^seed must be between 0 and 2\^63 - 1, got 9223372036854775808\.$"),
        ({"gain_db": math.nan}, r"^gain_db must be between -5 and 1e\+06, got nan\.$"),
        ({"gain_db": 10**400}, r"^gain_db must be between -5 and 1e\+06, got 1000"),
        ({"gain_db": "1"}, r"^gain_db must be a number between -5 and 1e\+06, got '1'\.$"),
        (
            {"speed": (2.0, 1.0)},
            r"^speed must be a pair of numbers, 0 <= lowest <= highest <= 9, got \(2\.0, 1\.0\)\.$",
        ),
        ({"speed": (1.0, math.inf)}, r"^speed must be a pair of numbers, .*inf\)\.$"),
        ({"speed": 3.0}, r"^speed must be a pair of numbers, .* got 3\.0\.$"),
        ({"places": ()}, r"^places must be 1 to 3 integers between 1 and 9, got \(\)\.$"),
        ({"places": (1, 2, 3, 4)}, r"^places must be 1 to 3 integers between 1 and 9, got \(1, 2, 3, 4\)\.$"),
        ({"word": "c"}, r"^word must be one of 'a', 'b', got 'c'\.$"),
        ({"share": "odd"}, r"^share must be one of 'even', got 'odd'\.$"),
        ({"share": (0.5, 0.6)}, r"^share must sum to 1, got"),
        ({"exact": 1}, r"^exact must be False or True, got 1\.$"),
    ],
)
def test_what_is_outside_is_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        Config(**keywords)


def test_a_range_is_finite():
    with pytest.raises(ValueError, match=r"a range must be finite, low < high, got 0\.0 to inf"):
        Range(0.0, math.inf)


def test_declarations_can_be_listed():
    assert ranges.undeclared(Config) == ["free"]
    assert list(ranges.costly(Config)) == ["cells"]
    allowed, may_be_none = ranges.declared(Config)["seed"]
    assert (allowed.text, may_be_none) == ("0 to 2^63 - 1", True)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_every_keyword_of_ours_declares_its_range_and_the_defaults_are_inside(config):
    assert ranges.undeclared(config) == []
    config()
    assert list(ranges.costly(config)), "some keyword makes a world larger"


@pytest.mark.parametrize("task", [t for t in all_tasks() if not t.missing_data], ids=lambda task: task.name)
def test_tasks_lie_inside(task):
    task.scenario()


@pytest.mark.parametrize("entry", [e for e in entries() if e.id.startswith("Mmwave")], ids=lambda entry: entry.id)
def test_the_page_shows_ranges_and_costs(entry, tmp_path):
    text = page(entry.id, tmp_path)
    assert "| keyword | default | range | what more of it costs | what it does |" in text
    assert "memory and time in proportion" in text
    assert "With the defaults each environment takes" in text


@pytest.mark.parametrize(
    ("scenario", "keyword", "value"),
    [
        ("handover", "shadowing_db", 400.0),
        ("handover", "bandwidth_hz", 1e-300),
        ("handover", "horizon", 10**9),
        ("cell_selection", "num_cells", 10**6),
        ("cell_selection", "horizon", 10**9),
        ("power_allocation", "penalty", 1e308),
        ("power_allocation", "frequency_hz", 1e-320),
        ("power_allocation", "density_per_km2", 1e9),
        ("street", "maps", 2**63),
    ],
)
def test_numbers_that_no_world_survived_are_refused(scenario, keyword, value):
    more = {"layout": "poisson"} if keyword == "density_per_km2" else {}
    with pytest.raises(ValueError, match=f"^{keyword} must be .*got"):
        make_scenario(scenario, **{keyword: value}, **more)


@pytest.mark.parametrize(
    ("scenario", "keywords"),
    [
        ("handover", {"area_side_m": 0.4, "horizon": 9}),
        ("handover", {"area_side_m": 200.0, "horizon": 9}),
        ("street", {"measurement_s": 60.0, "street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 4.0}),
        ("street", {**LOST, "street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 4.0}),
        ("street", {"maps": 2**63 - 1, "street": "canyon", "arm_m": 60.0, "isd_m": 60.0, "duration_s": 4.0}),
    ],
)
def test_worlds_that_were_accepted_and_failed_are_played(scenario, keywords):
    watched = Watched(make_scenario(scenario, **keywords), 2, 0)
    assert [watched.step() for _ in range(3)]


def test_signals_too_weak_for_float32_are_refused():
    far = {"boundary": "open", "speed_mps": (900.0, 1000.0), "step_s": 10.0, "horizon": 1000}
    with pytest.raises(ValueError, match=r"tx_power_dbm=-50 leaves an SNR of -\d+ dB at 1e\+07 m .*raise tx_power_dbm"):
        make_scenario("handover", tx_power_dbm=-50.0, **far)
