"""What Gymnasium, PettingZoo and Stable-Baselines3 ask, for every registered environment and three small scenarios."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import warnings
from functools import lru_cache
from itertools import chain

import contract
import gymnasium
import numpy as np
import pettingzoo
import pytest
from contract import CASES, NEXT_STEP, SAME_STEP, SMALL_CASES, Case, ends, play, play_batch, play_vector, same
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from mmwave_gym.core import registration, rooms
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

pytestmark = pytest.mark.usefixtures("small_scenarios")
each = pytest.mark.parametrize("case", CASES, ids=str)
each_small = pytest.mark.parametrize("case", SMALL_CASES, ids=str)

HANDOVER = next(case for case in CASES if case.env_id == "MmwaveHandover-v0")


@lru_cache
def several_episodes(case: Case) -> int:
    """Steps that hold two ends at least."""
    log = play_batch(case.batch(3), 0, case.make_scenario().horizon)
    longest = max(next(t for t, entry in enumerate(copy_log) if entry["ended"]) for copy_log in log)
    return int(2.5 * (longest + 1)) + 3


# ------------------------------------------------------------------------------------------- the scenario


@each
def test_scenario_declares_what_it_gives(case: Case) -> None:
    scenario = case.make_scenario()
    batch = case.batch(3)
    n, a = 3, scenario.num_agents
    fields, space = scenario.fields, scenario.action_space
    assert np.isfinite(fields.low).all()
    assert np.isfinite(fields.high).all()
    assert (fields.low < fields.high).all()
    for f in fields:
        assert f.per in ("", "choice")
        assert f.per == "" or (isinstance(space, spaces.Discrete) and f.size == space.n), "one number for each choice"
    assert isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.Box)
    assert np.all(getattr(space, "start", 0) == 0), "actions count from 0"
    assert scenario.agent_noun.isalpha()
    assert scenario.agent_noun.islower()
    assert not scenario.turn_based or a == 1
    assert scenario.masked == (batch.action_mask() is not None)
    assert (batch.agent_ids()[:, 0] >= 0).all(), "place 0 is taken when an episode starts"
    for entry in chain(*play_batch(batch, 0, 5)):
        assert {m.name for m in scenario.metrics} <= entry.keys()
        for metric in scenario.metrics:
            assert metric.per in ("step", "second", "all")
            assert np.shape(entry[metric.name]) in ((), (a,))
        assert entry["reward"].shape == (a,)
        assert entry["reward"].dtype == np.float64
        assert entry["terminated"].shape == (a,)
        assert entry["observation"].shape == (a, fields.size)
        assert entry["observation"].dtype == np.float32
        assert entry["elapsed_s"] > 0.0
    assert View(batch, "local").num_rows == n * a


@each
def test_values_stay_in_bounds_over_whole_episodes(case: Case) -> None:
    scenario, batch = case.make_scenario(), case.batch(4, seed=50)
    low, high = scenario.fields.low, scenario.fields.high
    log = play_batch(batch, 50, several_episodes(case))
    for entry in chain(*log):
        assert (entry["observation"] >= low).all()
        assert (entry["observation"] <= high).all()
        assert np.isfinite(entry["reward"]).all()
        assert all(np.isfinite(entry[m.name]).all() for m in scenario.metrics)
        assert (entry["ids"] < scenario.max_agent_ids).all()
        if scenario.masked:
            assert entry["mask"].dtype == bool
            assert entry["mask"].any(axis=-1).all()
    for copy_log in log:
        lengths = np.diff([-1, *(t for t, entry in enumerate(copy_log) if entry["ended"])])
        assert len(lengths) >= 2, "no episode ended"
        assert max(lengths) <= scenario.horizon


@each
def test_agents_come_and_go_by_the_rules(case: Case) -> None:
    """Whoever leaves is said to be terminated, an id never comes back, a place rests between two agents."""
    batch = case.batch(3, seed=9)
    if batch.scenario.turn_based:
        pytest.skip("turn-based: all agents stay, and each has the place when it is its turn")
    first = np.array(batch.agent_ids())
    for i, copy_log in enumerate(play_batch(batch, 9, several_episodes(case))):
        before, known = first[i], set(first[i][first[i] >= 0].tolist())
        for entry in copy_log:
            ids = entry["ids"]
            left = (before >= 0) & (ids < 0)
            assert not ((before >= 0) & (ids >= 0) & (ids != before)).any(), "a place changed hands at once"
            assert same(entry["terminated"], left)
            assert (entry["reward"][before < 0] == 0.0).all()
            came = ids[(before < 0) & (ids >= 0)].tolist()
            assert known.isdisjoint(came), "an agent came back"
            known.update(came)
            absent = entry["observation"][ids < 0]
            if batch.scenario.num_agents > 1:
                assert (absent == batch.scenario.fields.absent).all()
            before = ids
            if entry["ended"]:
                break


@each
def test_forbidden_and_meaningless_actions_do_no_harm(case: Case) -> None:
    batch = case.batch(3)
    space, shape = batch.scenario.action_space, (3, batch.scenario.num_agents)
    batch.scenario.action_space.seed(0)
    for _ in range(10):
        action = np.resize([space.sample() for _ in range(50)], (*shape, *space.shape))
        outcome = batch.step(action)
        assert np.isfinite(outcome.reward).all()
        if contract.over(batch, outcome).any():
            break


@each
def test_reveal_grants_more_at_every_level_and_lends_nothing(case: Case) -> None:
    batch = case.batch(2)
    granted: set[str] = set()
    for access in ACCESS_LEVELS:
        known = View(batch, access).look()
        assert granted <= known.keys()
        granted = set(known)
        for value in known.values():
            assert len(value) == 2
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0
            arrays = [v for record in (batch.episodes, batch.state) for v in vars(record).values()]
            assert not any(np.shares_memory(value, array) for array in arrays)
    with pytest.raises(ValueError, match="access must be one of local, central, trajectory, hindsight, got 'all'"):
        View(batch, "all")


# --------------------------------------------------------------------------------------------- chance


@each
def test_the_world_does_not_depend_on_actions(case: Case) -> None:
    """Common random numbers: every policy meets the same episodes, and playing them does not change them."""
    worlds: list[dict[EpisodeKey, dict[str, np.ndarray]]] = []
    for policy_seed in (1, 1000):
        batch = case.batch(3, seed=20)
        names = [f.name for f in dataclasses.fields(batch.episodes) if f.name != "row"]
        steps = several_episodes(case)
        scripts = [contract.Script(batch.scenario.action_space, policy_seed + i, steps) for i in range(3)]
        drawn: dict[EpisodeKey, dict[str, np.ndarray]] = {}
        for t in range(steps):
            for i, key in enumerate(batch.keys):
                world = {n: getattr(batch.episodes, n)[batch.episodes.row[i]] for n in names}
                if key not in drawn:
                    drawn[key] = copy.deepcopy(world)
                elif t % 10 == 0:
                    assert same(drawn[key], world), "a step changed the episode"
            outcome = batch.step(contract.joint_action(batch, scripts, [t] * 3))
            if (ended := contract.over(batch, outcome)).any():
                batch.restart(np.flatnonzero(ended))
        worlds.append(drawn)
    common = worlds[0].keys() & worlds[1].keys()
    assert {key.number for key in common} >= {0, 1, 2}
    assert all(same(worlds[0][key], worlds[1][key]) for key in common)


@each
def test_same_seed_same_episodes_and_other_seed_others(case: Case) -> None:
    steps = several_episodes(case)
    env = case.make()
    first = play(env, 11, steps)
    assert ends(first) >= 2
    assert same(first, play(env, 11, steps)), "the same environment again"
    assert same(first, play(case.make(), 11, steps)), "a new environment"
    assert not same(first, play(env, 12, steps))


@each
def test_unseeded_resets_go_on_with_the_next_episode(case: Case) -> None:
    """Also in the middle of an episode; single and vector alike."""
    env, vector = case.make(), case.make_vec(3)
    env.reset(seed=31)
    vector.reset(seed=30)
    firsts = []
    for _ in range(4):
        single, batched = env.reset()[0], vector.reset()[0]
        assert same(single, batched[1])
        observation, _, _, _, info = env.step(contract.Script(env.action_space, 0, 1)(0))
        firsts.append((single.tobytes(), observation.tobytes(), str(info)))
        vector.step(vector.action_space.sample())
    assert len(set(firsts)) == 4
    assert env.unwrapped.batch.keys == (EpisodeKey(31, 4),)


def test_without_any_seed_episodes_differ() -> None:
    firsts = [gymnasium.make(HANDOVER.env_id, horizon=2).reset()[0].tobytes() for _ in range(3)]
    assert len(set(firsts)) == 3


def test_a_task_s_stream_shares_no_draws_with_seeds() -> None:
    keys = [EpisodeKey(s, n, stream) for s in range(8) for n in range(8) for stream in ("", "x", "test", "train")]
    draws = {EpisodeRng(key)[cause].bytes(8) for key in keys for cause in ("mobility", "fading")}
    assert len(draws) == 2 * len(keys)
    plain = EpisodeRng(EpisodeKey(5, 0))["mobility"].bit_generator.seed_seq.spawn_key
    task = EpisodeRng(EpisodeKey(5, 0, "x"))["mobility"].bit_generator.seed_seq.spawn_key
    assert len(task) == len(plain) + 1, "no number of an episode can make one the other"


# -------------------------------------------------------------------------- single environment == vector row


@each
@pytest.mark.parametrize("mode", [NEXT_STEP, SAME_STEP], ids=lambda m: m.value)
def test_vector_rows_are_single_environments(case: Case, mode: AutoresetMode) -> None:
    """Bit for bit, through several autoresets, whatever the number of copies."""
    steps, seed = several_episodes(case), 100
    env = case.make()
    singles = [play(env, seed + i, steps) for i in range(17)]
    assert all(ends(single) >= 2 for single in singles)
    for n in (1, 3, 17):
        vector = case.make_vec(n, autoreset_mode=mode)
        for single, row in zip(singles[:n], play_vector(vector, seed, steps), strict=True):
            assert same(single, row[: len(single)])
        vector.close()


@each
def test_batch_of_7_is_the_head_of_a_batch_of_300(case: Case) -> None:
    steps = min(several_episodes(case), 14 if case.name == "crowd" else 30)
    few, many = (play_batch(case.batch(n, seed=7), 7, steps) for n in (7, 300))
    assert same(few, many[:7])


@each
@pytest.mark.parametrize("mode", [NEXT_STEP, SAME_STEP], ids=lambda m: m.value)
def test_native_vector_env_says_what_gymnasium_s_own_says(case: Case, mode: AutoresetMode) -> None:
    native = case.make_vec(3, autoreset_mode=mode)
    sync = case.make_vec(3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
    assert native.single_observation_space == sync.single_observation_space
    assert native.observation_space == sync.observation_space
    assert native.action_space == sync.action_space
    steps = min(several_episodes(case), 80)
    assert same(play_vector(native, 40, steps), play_vector(sync, 40, steps))


@each_small
def test_next_step_mode_ignores_the_action_of_a_copy_that_restarts(case: Case) -> None:
    steps, seen = several_episodes(case), []
    for change in (False, True):
        vector = case.make_vec(3)
        script = contract.Script(vector.single_action_space, 5, steps)
        _, info = vector.reset(seed=60)
        waiting, log = np.zeros(3, bool), []
        for t in range(steps):
            mask = info.get("action_mask")
            action = np.array([script(t, None if mask is None else mask[i]) for i in range(3)])
            if change:
                action[waiting] = vector.action_space.sample()[waiting]
            observation, reward, terminated, truncated, info = vector.step(action)
            assert (reward[waiting] == 0.0).all()
            assert not (terminated | truncated)[waiting].any()
            assert not any(info[f"_{m.name}"][waiting].any() for m in case.make_scenario().metrics)
            waiting = terminated | truncated
            log.append((observation, reward, terminated, truncated, info))
        seen.append(log)
    assert same(*seen)


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


# ------------------------------------------------------------------------------------------- Gymnasium's rules


@each
def test_gymnasium_checker(case: Case) -> None:
    env = case.make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*recommend using a symmetric and normalized space.*")
        check_env(env.unwrapped, skip_render_check=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version.*")
        check_env(env, skip_render_check=True)


@each_small
def test_every_declared_render_mode_works(case: Case) -> None:
    pytest.importorskip("mmwave_gym.rendering.renderer", reason="the renderer is not there yet")
    pytest.importorskip("pygame", reason="pictures need the extra [render]")
    for mode in gymnasium.make(case.env_id, **case.env_keywords).metadata["render_modes"]:
        env = case.make(render_mode=mode)
        env.reset(seed=1)
        frames = [env.render()]
        env.step(env.action_space.sample())
        frames.append(env.render())
        for frame in frames:
            if mode == "rgb_array":
                assert frame.dtype == np.uint8
                assert frame.ndim == 3
                assert frame.shape[2] == 3
            else:
                assert isinstance(frame, str if mode == "ansi" else None.__class__)
        env.close()
        env.close()


@each
def test_sb3_checker(case: Case) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="needs the extra [train]")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*recommend (you )?(to )?us.*symmetric and normalized.*")
        checker.check_env(case.make().unwrapped, warn=True, skip_render_check=True)


@each
def test_rewards_and_flags_are_python_s_own(case: Case) -> None:
    env = case.make()
    env.reset(seed=3)
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert type(reward) is float
        assert type(terminated) is bool
        assert type(truncated) is bool
        numbers = {name: value for name, value in info.items() if name != "action_mask"}
        assert all(type(value) is float for value in numbers.values())
        assert numbers.keys() == {"elapsed_s", *(m.name for m in env.unwrapped.scenario.metrics)}
        if terminated or truncated:
            break


@each
def test_masks(case: Case) -> None:
    env, vector = case.make(), case.make_vec(4)
    _, info = env.reset(seed=3)
    assert env.get_wrapper_attr("action_masks")().dtype == bool
    assert vector.reset(seed=3)[0].shape[0] == len(vector.action_masks())
    if not env.unwrapped.scenario.masked:
        assert "action_mask" not in info
        return
    for _ in range(60):
        mask = info["action_mask"]
        assert mask.dtype == np.int8
        assert mask.shape == (env.action_space.n,)
        assert mask.any()
        assert same(mask.astype(bool), env.get_wrapper_attr("action_masks")())
        env.action_space.seed(1)
        *_, terminated, truncated, info = env.step(env.action_space.sample(mask))
        if terminated or truncated:
            break
    assert terminated or truncated


@each
def test_after_the_end_a_reset_is_needed(case: Case) -> None:
    env, vector = case.make().unwrapped, case.make_vec(2)
    for unbegun in (env, vector):
        with pytest.raises(ResetNeeded, match=r"reset\(\)"):
            unbegun.step(unbegun.action_space.sample())
    env.reset(seed=1)
    while True:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            break
    with pytest.raises(ResetNeeded, match=r"reset\(\)"):
        env.step(env.action_space.sample())


@each_small
def test_what_was_returned_is_the_caller_s(case: Case) -> None:
    """Later steps do not change earlier answers, and writing into answers or actions changes no later one."""
    steps = several_episodes(case)
    clean = play(case.make(), 8, steps)
    assert same(clean, copy.deepcopy(clean))
    env = case.make()
    script = contract.Script(env.action_space, 8, steps)
    observation, info = env.reset(seed=8)
    entries, kept = [("reset", observation, info)], [copy.deepcopy(("reset", observation, info))]
    for t in range(steps):
        action = np.array(script(t, info.get("action_mask")))
        observation, *values, info = env.step(action)
        entries.append(("step", observation, *values, info))
        kept.append(copy.deepcopy(entries[-1]))
        _spoil(action)
        if (values[1] or values[2]) and t + 1 < steps:
            observation, info = env.reset()
            entries.append(("reset", observation, info))
            kept.append(copy.deepcopy(entries[-1]))
        if t % 2:
            _spoil(*[entry[1] for entry in entries[-3:-1]])
            kept[-3:-1] = copy.deepcopy(entries[-3:-1])
    assert same(entries, kept)
    assert [e[2:-1] for e in kept] == [e[2:-1] for e in clean]
    assert same(kept[-1], clean[-1])


@each_small
def test_what_a_vector_env_returned_is_the_caller_s(case: Case) -> None:
    for mode in (NEXT_STEP, SAME_STEP):
        clean, vector = case.make_vec(3, autoreset_mode=mode), case.make_vec(3, autoreset_mode=mode)
        clean.reset(seed=8)
        vector.reset(seed=8)
        clean.action_space.seed(0)
        for _ in range(min(several_episodes(case), 80)):
            action = clean.action_space.sample()
            ours = np.array(action)
            expected, got = clean.step(action), vector.step(ours)
            assert same(expected, got)
            _spoil(ours, *got[:4], *[v for v in got[4].values() if isinstance(v, np.ndarray)])
            _spoil(*got[4].get("final_info", {}).values())


def _spoil(*arrays: np.ndarray) -> None:
    for array in arrays:
        array[...] = 77 if array.dtype != bool else ~array


@each
def test_environments_can_be_copied_and_sent(case: Case) -> None:
    steps = min(several_episodes(case), 60)
    env = case.make()
    sent = pickle.loads(pickle.dumps(env))
    rebuilt = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    expected = play(env, 2, steps)
    assert same(expected, play(sent, 2, steps))
    assert same(expected, play(rebuilt, 2, steps))
    assert same(expected, play(pickle.loads(pickle.dumps(env.spec)).make(), 2, steps))
    env.reset()
    env.step(env.action_space.sample())
    twin = copy.deepcopy(env)  # in the middle of an episode
    for _ in range(steps):
        action = env.action_space.sample()
        one, two = env.step(action), twin.step(action)
        assert same(one, two)
        if one[2] or one[3]:
            assert same(env.reset(), twin.reset())


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
