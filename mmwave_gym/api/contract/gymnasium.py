"""Checks of the Gymnasium side: seeds, single environments beside vectors and batches, checkers, array ownership."""

from __future__ import annotations

import copy
import importlib
import pickle
import unittest
import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

from mmwave_gym.api.contract.cases import (
    NEXT_STEP,
    SAME_STEP,
    Case,
    Script,
    ends,
    play,
    play_vector,
    raises,
    same,
    several_episodes,
    spoil,
)
from mmwave_gym.core.scenario import EpisodeKey


def needs(module: str, extra: str) -> Any:
    """The module; unittest.SkipTest where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise unittest.SkipTest(f"needs the extra [{extra}]") from None


def same_seed_same_episodes_and_other_seed_others(case: Case) -> None:
    steps = several_episodes(case)
    env = case.make()
    first = play(env, 11, steps)
    assert ends(first) >= 2
    assert same(first, play(env, 11, steps)), "the same environment again"
    assert same(first, play(case.make(), 11, steps)), "a new environment"
    assert not same(first, play(env, 12, steps))


def unseeded_resets_go_on_with_the_next_episode(case: Case) -> None:
    """Also in the middle of an episode; single and vector alike."""
    env, vector = case.make(), case.make_vec(3)
    env.reset(seed=31)
    vector.reset(seed=30)
    firsts = []
    for _ in range(4):
        single, batched = env.reset()[0], vector.reset()[0]
        assert same(single, batched[1])
        observation, _, _, _, info = env.step(Script(env.action_space, 0, 1)(0))
        firsts.append((single.tobytes(), observation.tobytes(), str(info)))
        vector.step(vector.action_space.sample())
    assert len(set(firsts)) == 4
    assert env.unwrapped.batch.keys == (EpisodeKey(31, 4),)


def vector_rows_are_single_environments(case: Case) -> None:
    """Bit for bit, through several autoresets, whatever `num_envs` is."""
    steps, seed = several_episodes(case), 100
    env = case.make()
    singles = [play(env, seed + i, steps) for i in range(17)]
    assert all(ends(single) >= 2 for single in singles)
    for mode in (NEXT_STEP, SAME_STEP):
        for n in (1, 3, 17):
            vector = case.make_vec(n, autoreset_mode=mode)
            for single, row in zip(singles[:n], play_vector(vector, seed, steps), strict=True):
                assert same(single, row[: len(single)])
            vector.close()


def native_vector_env_says_what_gymnasium_s_own_says(case: Case) -> None:
    for mode in (NEXT_STEP, SAME_STEP):
        native = case.make_vec(3, autoreset_mode=mode)
        sync = case.make_vec(3, vectorization_mode="sync", vector_kwargs={"autoreset_mode": mode})
        assert native.single_observation_space == sync.single_observation_space
        assert native.observation_space == sync.observation_space
        assert native.action_space == sync.action_space
        steps = min(several_episodes(case), 80)
        assert same(play_vector(native, 40, steps), play_vector(sync, 40, steps))


def next_step_mode_ignores_the_action_of_a_copy_that_restarts(case: Case) -> None:
    steps, seen = several_episodes(case), []
    for change in (False, True):
        vector = case.make_vec(3)
        script = Script(vector.single_action_space, 5, steps)
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
            assert not any(info[m.name][waiting].any() for m in case.make_scenario().metrics)
            waiting = terminated | truncated
            log.append((observation, reward, terminated, truncated, info))
        seen.append(log)
    assert same(*seen)


def gymnasium_checker(case: Case) -> None:
    if case.make_scenario().horizon == 1:
        raise unittest.SkipTest("Gymnasium's checker refuses environments that truncate after one step")
    env = case.make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*recommend using a symmetric and normalized space.*")
        check_env(env.unwrapped, skip_render_check=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is different from the unwrapped version.*")
        check_env(env, skip_render_check=True)


def every_declared_render_mode_works(case: Case) -> None:
    needs("pygame", "render")
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


def sb3_checker(case: Case) -> None:
    space = case.make_scenario().action_space
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim > 1:
        raise unittest.SkipTest("Stable-Baselines3 knows no MultiDiscrete of more than one dimension")
    checker = needs("stable_baselines3.common.env_checker", "train")
    env = case.make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*recommend (you )?(to )?us.*symmetric and normalized.*")
        warnings.filterwarnings("ignore", ".*action space has dtype float64, we recommend.*")
        checker.check_env(env.unwrapped, warn=True, skip_render_check=True)


def rewards_and_flags_are_python_s_own(case: Case) -> None:
    env = case.make()
    env.reset(seed=3)
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert type(reward) is float
        assert type(terminated) is bool
        assert type(truncated) is bool
        numbers = {name: value for name, value in info.items() if name != "action_mask"}
        assert all(type(value) is float for value in numbers.values())
        scenario = env.unwrapped.scenario
        assert numbers.keys() == {"elapsed_s", *(m.name for m in (*scenario.metrics, *scenario.own))}
        if terminated or truncated:
            break


def masks(case: Case) -> None:
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


def after_the_end_a_reset_is_needed(case: Case) -> None:
    env, vector = case.make().unwrapped, case.make_vec(2)
    for unbegun in (env, vector):
        with raises(ResetNeeded, match=r"reset\(\)"):
            unbegun.step(unbegun.action_space.sample())
    env.reset(seed=1)
    while True:
        *_, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            break
    with raises(ResetNeeded, match=r"reset\(\)"):
        env.step(env.action_space.sample())


def what_was_returned_is_the_caller_s(case: Case) -> None:
    """Later steps do not change earlier answers, and writing into answers or actions changes no later one."""
    steps = several_episodes(case)
    clean = play(case.make(), 8, steps)
    assert same(clean, copy.deepcopy(clean))
    env = case.make()
    script = Script(env.action_space, 8, steps)
    observation, info = env.reset(seed=8)
    entries, kept = [("reset", observation, info)], [copy.deepcopy(("reset", observation, info))]
    for t in range(steps):
        action = np.array(script(t, info.get("action_mask")))
        observation, *values, info = env.step(action)
        entries.append(("step", observation, *values, info))
        kept.append(copy.deepcopy(entries[-1]))
        spoil(action)
        if (values[1] or values[2]) and t + 1 < steps:
            observation, info = env.reset()
            entries.append(("reset", observation, info))
            kept.append(copy.deepcopy(entries[-1]))
        if t % 2:
            spoil(*[entry[1] for entry in entries[-3:-1]])
            kept[-3:-1] = copy.deepcopy(entries[-3:-1])
    assert same(entries, kept)
    assert [e[2:-1] for e in kept] == [e[2:-1] for e in clean]
    assert same(kept[-1], clean[-1])


def what_a_vector_env_returned_is_the_caller_s(case: Case) -> None:
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
            assert all(part.flags.c_contiguous for part in got[:4]), "JAX takes no other"
            spoil(ours, *got[:4], *[v for v in got[4].values() if isinstance(v, np.ndarray)])
            spoil(*got[4].get("final_info", {}).values())


def environments_can_be_copied_and_sent(case: Case) -> None:
    steps = min(several_episodes(case), 60)
    env = case.make()
    sent = pickle.loads(pickle.dumps(env))
    rebuilt = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
    expected = play(env, 2, steps)
    assert same(expected, play(sent, 2, steps))
    assert same(expected, play(rebuilt, 2, steps))
    assert same(expected, play(pickle.loads(pickle.dumps(env.spec)).make(), 2, steps))
    env.reset()
    if case.make_scenario().horizon > 1:
        env.step(env.action_space.sample())
    twin = copy.deepcopy(env)  # in the middle of an episode, where it has one
    for _ in range(steps):
        action = env.action_space.sample()
        one, two = env.step(action), twin.step(action)
        assert same(one, two)
        if one[2] or one[3]:
            assert same(env.reset(), twin.reset())
