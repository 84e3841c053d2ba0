"""The contract of scenarios, for every registered environment and three small scenarios."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import warnings

import contract
import gymnasium
import pettingzoo
import pytest
from contract import CASES, PARALLEL_CASES
from gymnasium.vector import AsyncVectorEnv

from mmwave_gym.api.contract import ALWAYS, TOGETHER, TURNS, Check, check_scenario
from mmwave_gym.api.contract.cases import NEXT_STEP, SAME_STEP, Case, play_vector, same
from mmwave_gym.core import registration, rooms
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

pytestmark = pytest.mark.usefixtures("small_scenarios")

HANDOVER = next(case for case in CASES if case.env_id == "MmwaveHandover-v0")
FEW_AGENTS = {  # with a thousand these take minutes
    "next_step_mode_ignores_the_action_of_a_copy_that_restarts",
    "every_declared_render_mode_works",
    "what_was_returned_is_the_caller_s",
    "what_a_vector_env_returned_is_the_caller_s",
    "aec_api",
    "aec_seeds",
    "rendering",
    "seed_over_whole_episodes_one_after_the_other",
    "masks_are_flat_int8",
    "parallel_seeds",
    "state",
    "one_agent_view_is_one_agent_of_the_parallel_env",
    "a_reset_tells_what_a_step_tells",
    "who_has_ended_waits_where_autoreset_is_disabled",
    "everybody_is_always_present",
}


def _pairs() -> list[tuple[Case, Check]]:
    both = [(c, check) for c in CASES for check in (*ALWAYS, *(TOGETHER if c in PARALLEL_CASES else TURNS))]
    return [(c, check) for c, check in both if c.name != "crowd" or check.__name__ not in FEW_AGENTS]


def _named(value: object) -> str:
    return str(value) if isinstance(value, Case) else f"{value.__module__.rpartition('.')[2]}-{value.__name__}"


@pytest.mark.sample
@pytest.mark.parametrize(("case", "check"), _pairs(), ids=_named)
def test_contract(case: Case, check: Check) -> None:
    assert case.make_scenario().turn_based == (case not in PARALLEL_CASES)
    check(case)


def test_check_scenario_passes_and_names_what_fails(small_scenarios, monkeypatch) -> None:
    ranges, memory = check_scenario("shared_cells", num_ues=2, horizon=6)
    assert ranges.startswith("shared_cells: please declare what may be given and what it costs, Annotated[…, Range(")
    assert "for num_ues, num_cells, horizon, power_levels, action: " in ranges
    assert memory.startswith("shared_cells: please give memory(), the bytes of an environment")
    step = small_scenarios.SharedCells.step

    def drawing(self, episodes, state, action):
        episodes.snr += 1.0
        return step(self, episodes, state, action)

    monkeypatch.setattr(small_scenarios.SharedCells, "step", drawing)
    with pytest.raises(AssertionError, match=r"SharedCells-v0 fails (physics|gymnasium)\.\w+: "):
        check_scenario("shared_cells", num_ues=2, horizon=6)
    with pytest.raises(ValueError, match=r"unknown scenario 'shared_cell'\. Did you mean 'shared_cells'"):
        check_scenario("shared_cell")


@pytest.mark.parametrize(
    ("keywords", "skipped"),
    [
        ({"action": "float64"}, []),
        ({"action": "grid"}, ["Stable-Baselines3 knows no MultiDiscrete of more than one dimension"]),
        ({"horizon": 1}, ["Gymnasium's checker refuses environments that truncate after one step"]),
    ],
    ids=str,
)
def test_check_scenario_takes_what_gymnasium_allows(small_scenarios, keywords, skipped) -> None:
    found = check_scenario("shared_cells", **{"num_ues": 2, "horizon": 6, **keywords})
    assert [reason.rpartition(": ")[2] for reason in found if ": please " not in reason] == skipped


def test_without_any_seed_episodes_differ() -> None:
    firsts = [gymnasium.make(HANDOVER.env_id, horizon=2).reset()[0].tobytes() for _ in range(3)]
    assert len(set(firsts)) == 3


def test_a_task_s_stream_shares_no_draws_with_seeds() -> None:
    keys = [EpisodeKey(s, n, stream) for s in range(8) for n in range(8) for stream in ("", "x", "test", "train")]
    draws = {EpisodeRng(key)[cause].bytes(8) for key in keys for cause in ("mobility", "fading")}
    assert len(draws) == 2 * len(keys)
    plain, task = EpisodeRng(EpisodeKey(5, 0)).words(), EpisodeRng(EpisodeKey(5, 0, "x")).words()
    assert len(task) == len(plain) + 1, "no number of an episode can make one the other"


# -------------------------------------------------------------------------- single environment == vector row


def test_the_vector_env_tells_its_mode_and_spaces() -> None:
    case = HANDOVER
    vector = case.make_vec(5, autoreset_mode=SAME_STEP)
    assert vector.metadata["autoreset_mode"] is SAME_STEP
    assert case.make_vec(5).metadata["autoreset_mode"] is NEXT_STEP
    assert vector.num_envs == 5
    assert vector.reset(seed=[4, 4, 9, 1, 2])[0] in vector.observation_space
    observation = vector.reset(seed=[4, 4, 9, 1, 2])[0]
    assert same(observation[0], observation[1])
    assert same(observation[2], vector.reset(seed=9)[0][0])
    vector.close()
    vector.close()


# --------------------------------------------------------------------------------------------- registration


def test_registering_twice_changes_nothing(small_scenarios) -> None:
    registries = (gymnasium.registry, pettingzoo.aec_registry, pettingzoo.parallel_registry)
    before, table = [dict(r) for r in registries], list(registration.entries())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registration.register()
        small_scenarios.register()
    assert [dict(r) for r in registries] == before
    assert table == registration.entries()


def test_a_taken_name_is_refused() -> None:
    taken = rooms.room("handover")
    with pytest.raises(ValueError, match=r"is taken by mmwave_gym\.scenarios\.handover: ids are versioned"):
        registration.add(dataclasses.replace(taken, name="other"))
    with pytest.raises(ValueError, match="the scenario name 'handover' is taken by"):
        registration.add(dataclasses.replace(taken, package="somewhere"))


def test_ids_are_versioned_and_modules_bear_pettingzoo_s_names() -> None:
    import importlib

    for entry in registration.entries():
        assert entry.id.rsplit("-v", 1)[1].isdigit()
        if entry.id.startswith("Mmwave"):
            assert entry.history
            room = registration.room_of(entry.id)
            module = importlib.import_module(f"mmwave_gym.{room.name}_v0")
            assert callable(module.env)
            assert callable(module.raw_env)
            turns = registration.room_of(entry.id).load("scenario").turn_based
            assert turns or callable(module.parallel_env)


def test_a_prefixed_id_works_where_nothing_was_imported() -> None:
    """What AsyncVectorEnv and SubprocVecEnv need in their workers."""
    case = HANDOVER
    make = [PrefixedMake(case.env_id, case.env_keywords) for _ in range(2)]
    workers = AsyncVectorEnv(make, context="spawn")
    try:
        expected = play_vector(case.make_vec(2), 70, 30)
        assert same(expected, play_vector(workers, 70, 30))
    finally:
        workers.close()


class PrefixedMake:
    """Picklable, and in the worker nothing of ours is imported until the id is made."""

    def __init__(self, env_id: str, keywords: dict):
        self.env_id, self.keywords = env_id, keywords

    def __call__(self) -> gymnasium.Env:
        return gymnasium.make(f"mmwave_gym:{self.env_id}", **self.keywords)


def test_another_package_adds_a_scenario_by_being_imported(tmp_path) -> None:
    (tmp_path / "their_package.py").write_text(
        "from mmwave_gym.core import registration\n"
        "from mmwave_gym.core.rooms import Entry, Room\n"
        "entry = Entry(id='Theirs-v0', summary='one UE alone', overrides={'num_ues': 1})\n"
        "room = Room(name='theirs', package='small_scenarios', entries=(entry,), scenario=':SharedCells',\n"
        "            config=':SharedCellsConfig')\n"
        "registration.add(room)\n"
    )
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import gymnasium\n"
        "env = gymnasium.make('their_package:Theirs-v0', num_cells=5)\n"
        "assert env.reset(seed=1)[0].shape == (15,)\n"
        "assert gymnasium.make_vec('Theirs-v0', num_envs=3).reset(seed=1)[0].shape == (3, 9)\n"
        "from mmwave_gym import Task\n"
        "assert Task(env_id='Theirs-v0').scenario().num_agents == 1\n"
    )
    folder = str(contract.__file__).rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
