"""Keywords of two worlds are never taken together, whether they have their defaults or not."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping

import pytest

from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.worlds import OneWorld, only_in, only_with


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(OneWorld):
    """Two worlds: a room, or streets from a file; streets are dry or wet."""

    room_m: float = only_in("the room", default=16.0)
    rain_mm: float | None = only_in("wet streets", "the room", default=2.0)
    wet_mm: float = only_in("wet streets", default=1.0)
    horizon: int = 5
    file: str | None = None
    wet: bool = False

    @property
    def world(self) -> Mapping[str, str]:
        if self.file is None:
            return {"the room": "file"}
        return {"streets": "file", "wet streets" if self.wet else "dry streets": "wet"}

    def __post_init__(self) -> None:
        self.check_world()


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"file": "a", "room_m": 16.0}, r"room_m belongs to the room and means nothing in streets \(file='a'\) and"),
        ({"file": "a", "room_m": 3.0}, r"leave one of them out \(got room_m=3\.0\)"),
        ({"file": "a" * 200, "room_m": 3.0}, r"in streets \(file='a{96}\.\.\.\) and dry"),
        (
            {"wet_mm": 1.0},
            r"wet_mm belongs to wet streets and .* the room \(file=None\): leave it out, or choose wet st",
        ),
        ({"file": "a", "rain_mm": 2.0}, r"rain_mm belongs to wet streets or the room and .*dry streets \(wet=False\)"),
    ],
)
def test_a_keyword_of_another_world_is_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        Config(**keywords)


@pytest.mark.parametrize(
    ("keywords", "own"),
    [
        ({"room_m": 3.0, "rain_mm": 1.0}, {"room_m": 3.0, "rain_mm": 1.0}),
        ({"file": None, "room_m": 3.0}, {"room_m": 3.0, "rain_mm": 2.0}),
        ({"file": "a", "rain_mm": None}, {}),
        ({"file": "a", "wet": True, "rain_mm": 2.0}, {"rain_mm": 2.0, "wet_mm": 1.0}),
    ],
)
def test_keywords_of_the_own_world_and_of_all_are_taken(keywords, own):
    config = Config(**keywords)
    assert config.own_keywords() == {"horizon": 5, "file": config.file, "wet": config.wet} | own


def test_a_configuration_is_still_a_dataclass():
    config = Config(file="a", horizon=5)
    assert config.given == {"file", "horizon"}
    assert config == Config(file="a"), "what was given is no part of what it is"
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        assert twin.given == config.given
    with pytest.raises(TypeError):
        Config("a")  # type: ignore[call-arg]


def test_a_configuration_can_be_replaced():
    streets = dataclasses.replace(Config(file="a", wet=True), wet_mm=3.0)
    assert streets == Config(file="a", wet=True, wet_mm=3.0)
    assert dataclasses.replace(streets, wet=False, wet_mm=1.0) == Config(file="a")
    assert Config(**dataclasses.asdict(Config(room_m=3.0))) == Config(room_m=3.0)
    with pytest.raises(ValueError, match="wet_mm belongs to wet streets"):
        dataclasses.replace(streets, wet=False)
    with pytest.raises(ValueError, match="room_m belongs to the room"):
        dataclasses.replace(Config(room_m=3.0), file="a")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rainy(Config):
    """The wind of a room, or of streets where it blows."""

    wind: str = "none"
    wind_mps: float = only_with("wind", "steady", "gusts", default=5.0, worlds=("streets",))


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"file": "a", "wind_mps": 5.0}, r"means nothing with wind='none': it needs wind='steady' or wind='gusts'; le"),
        ({"wind": "steady", "wind_mps": 7.0}, r"wind_mps belongs to streets and means nothing in the room \(file=None"),
    ],
)
def test_a_keyword_that_needs_a_value_of_another_is_refused_without_it(keywords, message):
    with pytest.raises(ValueError, match=message):
        Rainy(**keywords)


def test_a_keyword_that_needs_a_value_of_another_is_taken_with_it():
    windy = Rainy(file="a", wind="gusts", wind_mps=7.0)
    assert windy.own_keywords()["wind_mps"] == 7.0
    assert dataclasses.replace(windy, wind="none", wind_mps=5.0) == Rainy(file="a")
    with pytest.raises(ValueError, match=r"wind_mps means nothing with wind='none': .*\(got wind_mps=7\.0\)"):
        dataclasses.replace(windy, wind="none")


@pytest.mark.parametrize(
    "keywords",
    [
        {"shadowing": "none", "shadowing_db": 8.0},
        {"shadowing": "static", "shadowing_correlation_m": 6.0},
        {"shadowing": "independent", "shadowing_correlation_m": 9.0},
    ],
    ids=str,
)
def test_shadowing_that_is_not_there_has_no_numbers(keywords):
    name = list(keywords)[1]
    with pytest.raises(ValueError, match=rf"{name} means nothing with shadowing='.*': it needs shadowing='correlated'"):
        make_registered("MmwaveHandover-v0", **keywords)


@pytest.mark.parametrize("task", [t for t in all_tasks() if not t.missing_data], ids=lambda task: task.name)
def test_configurations_of_the_suite_can_be_replaced(task):
    config = task.scenario().config
    assert dataclasses.replace(config) == config
    assert make_registered(task.env_id, **dataclasses.asdict(config)).config == config
