"""Whatever a user gets wrong is an error that says what, the value, and what is allowed; and nothing else is one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import gymnasium
import numpy as np
import pytest
from contract import CASES
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from hypothesis import HealthCheck, given, settings, strategies as st

from mmwave_gym.api import pettingzoo as multiagent
from mmwave_gym.api.contract.cases import SAME_STEP, Case, same
from mmwave_gym.api.seeds import MAX_SEED, episode_seeds
from mmwave_gym.core import checks, registration, rooms
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario

pytestmark = pytest.mark.usefixtures("small_scenarios")
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ID = "MmwaveHandover-v0"
NAMES = {"small": "crowd-of-8", "pairs": "coupled-pairs", "events": "events", "handover": "handover-leaving"}
BY_KIND = {kind: next(c for c in CASES if c.name == name) for kind, name in NAMES.items()}
each_kind = pytest.mark.parametrize("case", BY_KIND.values(), ids=str)
each_case = pytest.mark.parametrize("case", CASES, ids=str)

nonsense = st.one_of(
    st.just(math.nan),
    st.just(math.inf),
    st.just(-math.inf),
    st.booleans(),
    st.text("01.a", max_size=4),
    st.just(()),
    st.just((1.0, 2.0, 3.0)),
    st.just({}),
    st.just(1j),
    st.just(object()),
)
COUNTS = {"horizon": 1, "num_cells": 2, "num_ues": 1}
POSITIVE = ("step_s", "area_side_m", "shadowing_correlation_m", "bandwidth_hz")
NOT_NEGATIVE = ("beta", "shadowing_db", "handover_energy_j")
WORDS = ("start", "boundary", "speed_drawn_per", "shadowing", "fading")


# -------------------------------------------------------------------------------------------- configuration


@each_case
def test_every_field_of_every_configuration_refuses_nonsense(case: Case) -> None:
    """Where a scenario leaves one unchecked, this finds it."""
    config = rooms.room(case.scenario).load("config")
    for field in dataclasses.fields(config):
        for wrong in (math.nan, -math.inf, "bogus", object(), (1.0, 2.0, 3.0)):
            if field.name in ("channel", "city") and isinstance(wrong, str):
                continue  # a path, whose errors are those of files
            with pytest.raises((ValueError, TypeError, OSError), match=field.name):
                make_scenario(case.scenario, **{**case.keywords, field.name: wrong})


@quick
@given(keyword=st.sampled_from([*COUNTS, *POSITIVE, *NOT_NEGATIVE, "tx_power_dbm", "interruption_s"]), value=nonsense)
def test_numbers_must_be_numbers(keyword: str, value: Any) -> None:
    with pytest.raises(ValueError, match=keyword) as error:
        make_scenario("handover", **{keyword: value})
    assert repr(value) in str(error.value) or str(value) in str(error.value)
    assert "must be" in str(error.value)


@quick
@given(keyword=st.sampled_from([*COUNTS]), below=st.integers(min_value=0, max_value=10**30))
def test_counts_too_small(keyword: str, below: int) -> None:
    value = COUNTS[keyword] - 1 - below
    with pytest.raises(ValueError, match=f"^{keyword} must be between {COUNTS[keyword]} and .*, got {value}.$"):
        make_scenario("handover", **{keyword: value})


@pytest.mark.parametrize("keyword", COUNTS)
@pytest.mark.parametrize("value", [2.5, 3.0, "3", np.float64(4.0), None])
def test_counts_must_be_integers(keyword: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{keyword} must be an integer between {COUNTS[keyword]} and .*, got"):
        make_scenario("handover", **{keyword: value})


@quick
@given(keyword=st.sampled_from(POSITIVE), value=st.floats(max_value=0.0, allow_nan=False))
def test_measures_must_be_positive(keyword: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{keyword} must be between [0-9.e+-]+ and .*, got"):
        make_scenario("handover", **{keyword: value})


@quick
@given(keyword=st.sampled_from(NOT_NEGATIVE), value=st.floats(max_value=0.0, exclude_max=True, allow_nan=False))
def test_prices_must_not_be_negative(keyword: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{keyword} must be between 0 and .*, got"):
        make_scenario("handover", **{keyword: value})


@pytest.mark.parametrize("keyword", WORDS)
@given(value=st.one_of(st.text("anoe", max_size=5), nonsense, st.integers(), st.none()))
@quick
def test_words_must_be_known(keyword: str, value: Any) -> None:
    allowed = {"start": "centre", "boundary": "leave", "speed_drawn_per": "ue", "shadowing": "none", "fading": "seen"}
    if value in ("none", "ue", "seen", "stay", "open", "slot", "leave"):
        return
    with pytest.raises(ValueError, match=f"{keyword} must be one of .*{allowed[keyword]!r}") as error:
        make_scenario("handover", **{keyword: value})
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("speed_mps", 2.0),
        ("speed_mps", (3.0, 1.0)),
        ("speed_mps", (-1.0, 1.0)),
        ("speed_mps", (math.nan, 1.0)),
        ("speed_mps", (1.0, math.nan)),
        ("speed_mps", (1.0, math.inf)),
        ("speed_mps", (True, 2.0)),
        ("speed_mps", ("1", "2")),
        ("speed_mps", "12"),
        ("mobility", (0.5, 0.5)),
        ("mobility", (0.5, 0.5, 0.5, 0.5)),
        ("mobility", (1.5, -0.5, 0.0, 0.0)),
        ("mobility", (math.nan, 0.5, 0.25, 0.25)),
        ("mobility", (True, False, False, False)),
        ("mobility", "A4"),
        ("mobility", 5),
        ("interruption_s", 0.06),
        ("interruption_s", -0.01),
        ("tx_power_dbm", 1000.0),
        ("layout_seed", -1),
        ("layout_seed", 1.5),
        ("layout_seed", "1"),
    ],
)
def test_other_values_out_of_range(keyword: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{keyword} must") as error:
        make_scenario("handover", **{keyword: value})
    assert repr(value) in str(error.value)


def test_numbers_of_numpy_are_as_good_as_python_s() -> None:
    numpys = {"beta": np.float32(25.0), "horizon": np.int64(7), "num_cells": np.uint8(3), "step_s": np.float64(0.1)}
    more = {"speed_mps": np.array([1, 2]), "mobility": np.full(4, 0.25), "layout_seed": np.array(3)}
    made = make_scenario("handover", **numpys, **more, start=np.str_("centre"))
    plain = {"beta": 25.0, "horizon": 7, "num_cells": 3, "step_s": 0.1}
    same = make_scenario("handover", **plain, speed_mps=[1, 2], mobility=[0.25] * 4, layout_seed=3)
    assert made.config == same.config
    assert {type(getattr(made.config, n)) for n in numpys} == {int, float}
    assert isinstance(made.config.speed_mps, tuple)
    assert gymnasium.make(ID, **numpys).reset(seed=np.int64(3))[0].shape == (6,)
    assert make_scenario("handover", beta=3).config.beta == 3, "an integer is a number"


@pytest.mark.parametrize(
    ("keyword", "nearest"),
    [("betta", "beta"), ("num_ue", "num_ues"), ("Horizon", "horizon"), ("speed_ms", "speed_mps"), ("zzz", None)],
)
@pytest.mark.parametrize("make", [gymnasium.make, lambda i, **k: gymnasium.make_vec(i, num_envs=2, **k)])
def test_an_unknown_keyword_names_the_nearest(make: Any, keyword: str, nearest: str | None) -> None:
    with pytest.raises(TypeError, match=f"handover got an unexpected keyword argument '{keyword}'") as error:
        make(ID, **{keyword: 1})
    assert (f"Did you mean '{nearest}'?" in str(error.value)) == (nearest is not None)
    assert "Its keywords are: mobility, beta" in str(error.value)


def test_an_unknown_keyword_in_pettingzoo() -> None:
    for make in (multiagent.parallel_env, multiagent.env, multiagent.raw_env):
        with pytest.raises(TypeError, match="Did you mean 'num_ues'"):
            make("handover", num_uess=3)


def test_unknown_scenarios_and_ids_name_the_known() -> None:
    with pytest.raises(
        ValueError, match=r"unknown scenario 'handovr'\. Did you mean 'handover'\? Known are association"
    ):
        make_scenario("handovr")
    with pytest.raises(ValueError, match="unknown environment 'Mmwave'\\. Known are MmwaveAssociation-v0"):
        registration.entry("Mmwave")


def test_configurations_are_frozen_and_take_keywords_only() -> None:
    config = rooms.room("handover").load("config")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config().beta = 3.0
    with pytest.raises(TypeError):
        config("A1")


@quick
@given(value=st.floats(allow_nan=True), low=st.floats(-10, 10), high=st.floats(-10, 10))
def test_checks_agree_with_comparison(value: float, low: float, high: float) -> None:
    for inside, check in (
        (low <= value <= high, lambda: checks.between("x", value, low, high)),
        (low <= value < math.inf, lambda: checks.at_least("x", value, low)),
        (low < value < math.inf, lambda: checks.at_least("x", value, low, strict=True)),
    ):
        if inside:
            check()
        else:
            with pytest.raises(ValueError, match=r"^x must be"):
                check()


def test_huge_integers_are_compared_too() -> None:
    checks.at_least("x", 10**400, 0, integer=True)
    with pytest.raises(ValueError, match="x must be at least 0"):
        checks.at_least("x", -(10**400), 0, integer=True)


# -------------------------------------------------------------------------------------------------- actions


def wrong_actions(space: spaces.Space[Any]) -> list[tuple[Any, type[Exception]]]:
    """Actions of one agent that are none, and the error each deserves."""
    if isinstance(space, spaces.Box):
        fine = np.zeros(space.shape)
        off = [fine + bad for bad in (math.nan, math.inf, -0.01, 1.01)]
        shapes = [np.zeros((2, *space.shape)), np.zeros((*space.shape, 1)), []]
        kinds = [np.zeros(space.shape, bool), np.zeros(space.shape, complex), np.full(space.shape, "0")]
    elif isinstance(space, spaces.MultiDiscrete):
        off = [space.nvec, [0, int(space.nvec[1])], [-1, 0]]
        shapes = [0, [0, 0, 0], [[0, 0]], [[0], [0, 1]]]
        kinds = [[0.0, 1.0], [True, False], ["0", "1"], [None, None]]
    else:
        off = [int(space.n), -1, np.int64(2**40)]
        shapes = [[0], np.zeros((1, 1), int), [], [[0], [0, 1]]]
        kinds = [1.0, np.float32(0.0), True, "0", None, math.nan, 1j]
    return [(a, ValueError) for a in (*off, *shapes)] + [(a, TypeError) for a in kinds]


@each_kind
def test_wrong_actions_of_a_single_environment(case: Case) -> None:
    env = case.make()
    for action, error in wrong_actions(env.action_space):
        before = env.reset(seed=1)[0]
        with pytest.raises(error, match=r"the action must (be|have)"):
            env.step(action)
        assert same(env.unwrapped.batch.observe()[0, 0], before), "a refused action changes nothing"


@each_kind
def test_wrong_actions_of_a_vector_environment(case: Case) -> None:
    vector = case.make_vec(3)
    space = vector.single_action_space
    fine = np.zeros((3, *space.shape), space.dtype)
    vector.reset(seed=1)
    for wrong in (fine[:2], fine[0], fine[None], [], None, "abc", [[0], [0, 1], []]):
        with pytest.raises((ValueError, TypeError), match=r"the action must (be|have)"):
            vector.step(wrong)
    for action, error in wrong_actions(space):
        with pytest.raises(error, match=r"the action must (be|have)"):
            vector.step([fine[0], action, fine[2]] if error is ValueError else [action] * 3)
    vector.step(fine)


@each_kind
def test_wrong_actions_in_pettingzoo(case: Case) -> None:
    if case.name == "events":
        env = multiagent.raw_env(case.scenario)
        env.reset(seed=1)
        for action, error in wrong_actions(env.action_space(env.agent_selection)):
            with pytest.raises(error, match=r"the action must (be|have)"):
                env.step(action)
        guarded = case.aec_env()
        guarded.reset(seed=1)
        with pytest.raises(AssertionError, match="action is not in action space"):
            guarded.step(77)
        return
    env = case.parallel_env()
    env.reset(seed=1)
    space = env.action_space(env.agents[0])
    fine = {agent: np.zeros(space.shape, space.dtype) for agent in env.agents}
    last = env.agents[-1]
    for action, error in wrong_actions(space):
        with pytest.raises(error, match=r"the action must (be|have)"):
            env.step({**fine, last: action})
    with pytest.raises(ValueError, match=f"every agent needs an action; none was given for {last}"):
        env.step({agent: a for agent, a in fine.items() if agent != last})
    with pytest.raises(ValueError, match="there is no agent 'stranger_1' now; present are ue_0"):
        env.step({**fine, "stranger_1": fine[last]})
    env.step(fine)


def test_numbers_of_any_integer_type_are_actions() -> None:
    env = BY_KIND["handover"].make()
    for kind in (np.int8, np.uint8, np.int32, np.uint64, np.int64, int):
        env.reset(seed=1)
        assert env.step(kind(1))[0][6 + 1] == 1.0
    env.reset(seed=1)
    env.step(np.array(1))


@quick
@given(
    action=st.one_of(st.integers(), st.floats(), st.text("012", max_size=3), st.lists(st.integers(0, 9), max_size=3))
)
def test_whatever_is_not_in_the_space_is_refused(action: Any) -> None:
    space = spaces.Discrete(4)
    if type(action) is int and 0 <= action < 4:
        assert checked_action(space, action, ()) == action
    else:
        with pytest.raises((ValueError, TypeError, OverflowError), match=r"action must|too large"):
            checked_action(space, action, ())


class Wrong:
    """Another agent that plays what it is told to."""

    def __init__(self, action: Any):
        self.action = action

    def predict(self, observation: Any, **_: Any) -> Any:
        return self.action, None


@pytest.mark.parametrize("action", [np.full(4, 9), np.zeros(3, int), np.zeros(4), None, np.zeros((4, 2), int)])
def test_wrong_actions_of_the_others_name_their_policy(action: Any) -> None:
    env = gymnasium.make("SharedCells-v0", others=Wrong(action))
    env.reset(seed=1)
    with pytest.raises((ValueError, TypeError), match=r"the policy of the others, .*Wrong.*: the action must"):
        env.step(0)


def test_the_others_must_be_named() -> None:
    for make in (gymnasium.make, lambda i, **k: gymnasium.make_vec(i, num_envs=2, **k)):
        with pytest.raises(ValueError, match=r"has 4 agents and one of them is controlled: name the policy"):
            make("SharedCells-v0")
        with pytest.raises(ValueError, match="unknown shared_cells agent 'nobody'"):
            make("SharedCells-v0", others="nobody")
        with pytest.raises(ValueError, match=r"an agent needs a method predict"):
            make("SharedCells-v0", others=object())


# ---------------------------------------------------------------------------------------------------- seeds

BAD_SEEDS = [-1, MAX_SEED + 1, 2**70, 1.5, math.nan, "7", True, (1.0,), {}]


@pytest.mark.parametrize("seed", BAD_SEEDS, ids=repr)
@each_kind
def test_wrong_seeds(case: Case, seed: Any) -> None:
    makers = [case.make, lambda: case.make_vec(2)]
    makers.append(lambda: multiagent.raw_env(case.scenario, **case.keywords))
    for make in makers:
        env = make()
        with pytest.raises(
            ValueError, match=r"seed must be an integer (between 0 and 9223372036854775807|or)"
        ) as error:
            env.reset(seed=seed)
        assert repr(seed) in str(error.value) or isinstance(seed, tuple)


def test_a_refused_seed_leaves_the_episode_as_it_was() -> None:
    env = BY_KIND["handover"].make()
    env.reset(seed=5)
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=-1)
    assert env.unwrapped.batch.keys[0].seed == 5
    env.step(0)


@pytest.mark.parametrize("seed", [[], [1], [1, 2, 3], (1, 2, 3), np.arange(5)], ids=repr)
def test_seeds_must_be_one_a_copy(seed: Any) -> None:
    vector = BY_KIND["handover"].make_vec(2)
    with pytest.raises(ValueError, match=f"seed must be an integer or 2 of them, got {len(seed)} of them"):
        vector.reset(seed=seed)


def test_the_last_copy_s_seed_must_fit_too() -> None:
    assert episode_seeds(MAX_SEED - 1, 2) == [MAX_SEED - 1, MAX_SEED]
    with pytest.raises(ValueError, match=f"got {MAX_SEED + 1}"):
        episode_seeds(MAX_SEED - 1, 3)
    with pytest.raises(ValueError, match="got -4"):
        episode_seeds([3, -4], 2)
    drawn = episode_seeds([3, None], 2)
    assert drawn[0] == 3
    assert 0 <= drawn[1] <= MAX_SEED


@pytest.mark.parametrize("seed", [0, MAX_SEED, np.int64(7), np.uint32(7)])
def test_every_seed_in_range_is_a_seed(seed: Any) -> None:
    env, vector = BY_KIND["small"].make(), BY_KIND["small"].make_vec(1)
    assert same(env.reset(seed=seed)[0], vector.reset(seed=seed)[0][0])
    assert same(env.reset(seed=seed)[0], vector.reset(seed=[seed])[0][0])
    assert env.unwrapped.np_random_seed == seed


# ------------------------------------------------------------------------------------- numbers of copies, modes


@pytest.mark.parametrize("num_envs", [0, -3, 2.0, 2.5, "2", True, None, math.nan])
def test_num_envs(num_envs: Any) -> None:
    scenario = make_scenario("handover")
    with pytest.raises(ValueError, match=r"num_envs must be (an integer )?at least 1, got"):
        Batch(scenario, num_envs)
    with pytest.raises(ValueError, match=r"num_envs must be (an integer )?at least 1, got"):
        gymnasium.make_vec(ID, num_envs=num_envs)


def test_num_envs_may_be_numpy_s() -> None:
    assert gymnasium.make_vec(ID, num_envs=np.int64(2)).reset(seed=1)[0].shape == (2, 12)


@pytest.mark.parametrize("mode", ["bogus", "disabled", None, 3, ["NextStep"]])
def test_autoreset_mode(mode: Any) -> None:
    with pytest.raises(ValueError, match=r"autoreset_mode must be .*NextStep.*SameStep.*got") as error:
        gymnasium.make_vec(ID, num_envs=2, autoreset_mode=mode)
    assert repr(mode) in str(error.value)
    made = gymnasium.make_vec(ID, num_envs=2, autoreset_mode="SameStep")
    assert made.metadata["autoreset_mode"] is made.unwrapped.autoreset_mode is SAME_STEP


@pytest.mark.parametrize("mode", ["rgb", "RGB_ARRAY", ""])
@pytest.mark.filterwarnings("ignore:.*render_mode.*")
def test_render_mode(mode: Any) -> None:
    for make in (lambda: gymnasium.make(ID, render_mode=mode), lambda: multiagent.env("handover", render_mode=mode)):
        with pytest.raises(ValueError, match=r"render_mode must be None or one of human, rgb_array, ansi, got"):
            make()


def test_the_vector_environment_says_that_it_does_not_render() -> None:
    with pytest.raises(ValueError, match=r"does not render: use gymnasium\.make"):
        gymnasium.make_vec(ID, num_envs=2, render_mode="rgb_array")


@each_kind
def test_step_before_reset(case: Case) -> None:
    for env in (case.make().unwrapped, case.make_vec(2)):
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            env.step(env.action_space.sample())
    if case.name == "events":
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            multiagent.raw_env(case.scenario).step(0)
    else:
        with pytest.raises(ResetNeeded, match=r"call reset\(\)"):
            case.parallel_env().step({})


def test_rendering_before_reset_or_without_a_mode() -> None:
    env = gymnasium.make(ID).unwrapped
    env.reset(seed=1)
    with pytest.warns(UserWarning, match="render_mode='rgb_array'"):
        assert env.render() is None
    with pytest.raises(ResetNeeded, match=r"call reset\(\) first"):
        gymnasium.make(ID, render_mode="ansi").unwrapped.render()
