"""Checks of the PettingZoo side: its own tests, and what they leave out: whole episodes, the batch's rows."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.error import ResetNeeded
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, render_test, seed_test, state_test

from mmwave_gym.api.contract.cases import Case, Script, joint_action, over, raises, same, scripted
from mmwave_gym.api.contract.gymnasium import needs

HARMLESS = (
    "Observation numpy array is all zeros",  # nobody's observation
    "State numpy array is all zeros",
    "Observation space for each agent probably should be",  # a Dict with the mask
    "Observation is not a NumPy array",
    "Action space for each agent probably should be",  # MultiDiscrete
    "No agents present but not all possible_agents",  # not everybody arrives before the end
    "Agent was given (observation|reward|terminated|truncated|info) but was dead",  # its last ones
    ".*is out of date",  # Gymnasium's, of an id that stays beside its next version
)


def strict(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """PettingZoo's tests warn where they could fail: here they fail, but for warnings that name no fault."""

    @functools.wraps(check)
    def checked(case: Case) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for harmless in HARMLESS:
                warnings.filterwarnings("ignore", harmless)
            check(case)

    return checked


@strict
def aec_api(case: Case) -> None:
    api_test(case.aec_env(), num_cycles=60)


@strict
def parallel_api(case: Case) -> None:
    parallel_api_test(case.parallel_env(), num_cycles=70)


@strict
def aec_seeds(case: Case) -> None:

    def made() -> Any:
        env = case.aec_env()
        for i, agent in enumerate(env.possible_agents):  # PettingZoo seeds only those who are there at the start
            env.action_space(agent).seed(i)
        return env

    seed_test(made, num_cycles=30)


@strict
def parallel_seeds(case: Case) -> None:
    parallel_seed_test(case.parallel_env, num_cycles=30)


@strict
def state(case: Case) -> None:
    state_test(case.aec_env(), case.parallel_env(), num_cycles=5)


@strict
def state_of_turns(case: Case) -> None:
    env = case.aec_env()
    env.reset(seed=1)
    action = scripted(env.action_space(env.agents[0]), np.zeros(1))[0]
    assert env.state() in env.state_space
    for _ in env.agent_iter():
        _, _, terminated, truncated, _ = env.last()
        env.step(None if terminated or truncated else action)
        assert env.state() in env.state_space


@strict
def rendering(case: Case) -> None:
    needs("pygame", "render")
    render_test(case.aec_env)


def play_aec(env: Any, seed: int, steps: int) -> list[Any]:
    """Everything that `last` says over as many episodes as the steps take."""
    log, script = [], None
    env.reset(seed=seed)
    for t in range(steps):
        if not env.agents:
            env.reset()
        agent = env.agent_selection
        observation, reward, terminated, truncated, info = env.last()
        log.append((agent, observation, float(reward), terminated, truncated, dict(info), sorted(env.agents)))
        script = script or Script(env.action_space(agent), seed, steps)
        mask = observation["action_mask"] if isinstance(observation, dict) else None
        env.step(None if terminated or truncated else script(t, mask))
    return log


@strict
def seed_over_whole_episodes_one_after_the_other(case: Case) -> None:
    steps = 400
    env = case.aec_env()
    first = play_aec(env, 5, steps)
    assert any(entry[3] or entry[4] for entry in first), "no episode ended"
    assert same(first, play_aec(env, 5, steps))
    assert same(first, play_aec(case.aec_env(), 5, steps))
    assert not same(first, play_aec(env, 6, steps))


@strict
def parallel_env_is_the_batch_s_row(case: Case) -> None:
    """Bit for bit over three episodes: who is there, what they see, get and are told."""
    env, batch = case.parallel_env(), case.batch(3, seed=90)
    noun, space = batch.scenario.agent_noun, batch.scenario.action_space
    scripts = [Script(space, 90 + i, 200) for i in range(3)]
    observations, infos = env.reset(seed=91)
    assert set(infos) == set(observations) == set(env.agents)
    episodes = t = 0
    while episodes < 3:
        before = {f"{noun}_{a}": p for p, a in enumerate(batch.agent_ids()[1].tolist()) if a >= 0}
        assert list(before) == env.agents
        action = joint_action(batch, scripts, [t] * 3)
        outcome = batch.step(action)
        answer = env.step({agent: action[1, slot] for agent, slot in before.items()})
        observations, rewards, terminations, truncations, infos = answer
        after = {f"{noun}_{a}": p for p, a in enumerate(batch.agent_ids()[1].tolist()) if a >= 0}
        ended, truncated = over(batch, outcome), bool(outcome.truncated[1])
        everyone = {**before, **({} if truncated else after)}
        assert all(part.keys() == everyone.keys() for part in answer)
        assert set(env.agents) == (set() if truncated else set(after))
        seen, mask = batch.observe()[1], batch.action_mask()
        for agent, slot in everyone.items():
            own = observations[agent]
            assert own in env.observation_space(agent)
            if mask is not None:
                assert same(own["action_mask"], mask[1, slot].astype(np.int8))
                own = own["observation"]
            assert same(own, seen[slot])
            assert type(rewards[agent]) is float
            assert type(terminations[agent]) is bool
            assert type(truncations[agent]) is bool
            assert truncations[agent] == truncated
            if agent in before:
                assert rewards[agent] == outcome.reward[1, slot]
                assert terminations[agent] == outcome.terminated[1, slot]
                for name, value in {**outcome.metrics, **outcome.own}.items():
                    assert infos[agent][name] == (value[1, slot] if value.ndim == 2 else value[1])
                assert infos[agent]["elapsed_s"] == outcome.elapsed_s[1]
            else:
                assert (rewards[agent], terminations[agent]) == (0.0, False)
                assert set(infos[agent].values()) == {0.0}
        t += 1
        if ended.any():
            batch.restart(np.flatnonzero(ended))
        if ended[1]:
            episodes += 1
            assert env.agents == []
            with raises(ResetNeeded):
                env.step({})
            ids, seen = batch.agent_ids()[1].tolist(), batch.observe()[1]
            first = {f"{noun}_{a}": seen[slot] for slot, a in enumerate(ids) if a >= 0}
            assert same({agent: _seen(own) for agent, own in env.reset()[0].items()}, first)


def _seen(observation: Any) -> Any:
    return observation["observation"] if isinstance(observation, dict) else observation


@strict
def one_agent_view_is_one_agent_of_the_parallel_env(case: Case) -> None:
    """Fed with the joint actions of the one-agent view, the parallel environment gives its agent the same."""
    env, together = case.make().unwrapped, case.parallel_env()
    first = f"{env.scenario.agent_noun}_0"
    joint: list[Any] = []
    step = env.batch.step

    def noted(action: Any) -> Any:
        joint.append(np.array(action))
        return step(action)

    env.batch.step = noted
    script = Script(env.action_space, 3, 100)
    observation, _ = env.reset(seed=3)
    everybody, _ = together.reset(seed=3)
    assert same(observation, _seen(everybody[first]))
    for t in range(100):
        observation, reward, terminated, truncated, info = env.step(script(t))
        chosen = {agent: joint[-1][0, slot] for agent, slot in together._slots.items()}
        everybody, *answers = together.step(chosen)
        assert same(observation, _seen(everybody[first]))
        if info.pop("action_mask", None) is not None:
            assert isinstance(everybody[first], dict)
        assert [a[first] for a in answers] == [reward, terminated, truncated, info]
        if terminated or truncated:
            return
    raise AssertionError("the episode did not end")


@strict
def turns_are_the_single_environment_s_steps(case: Case) -> None:
    """Each decision is a step of the one-agent view; its reward is the decider's, told at its next turn."""
    single, env = case.make(), case.aec_env()
    script = Script(single.action_space, 4, 200)
    expected, info = single.reset(seed=4)
    env.reset(seed=4)
    owed: dict[str, float] = {}
    deciders, over = [], False
    for t in range(200):
        agent = env.agent_selection
        assert env.agents == env.possible_agents
        observation, reward, terminated, truncated, _ = env.last()
        assert (terminated, truncated) == (False, False)
        assert same(_seen(observation), expected)
        mask = info.get("action_mask")
        if isinstance(observation, dict):
            assert same(observation["action_mask"], mask)
        assert reward == owed.get(agent, 0.0)
        deciders.append(agent)
        action = script(t, mask)
        expected, step_reward, terminated, truncated, info = single.step(action)
        env.step(action)
        owed[agent] = step_reward
        assert env.rewards[agent] == step_reward
        assert sum(value != 0.0 for value in env.rewards.values()) <= 1
        assert {n: v for n, v in info.items() if n != "action_mask"} == env.infos[agent]
        if over := terminated or truncated:
            break
    assert over
    assert len(set(deciders)) > 1 or single.unwrapped.scenario.max_agent_ids == 1
    assert all(env.truncations.values())
    for _ in list(env.agents):
        agent = env.agent_selection
        assert env.last()[1] == owed.get(agent, 0.0)
        assert env.last()[0] in env.observation_space(agent)
        with raises(ValueError, match="only valid action is None"):
            env.step(0)
        env.step(None)
    assert env.agents == []
    with raises(ResetNeeded):
        env.unwrapped.step(0)


@strict
def spaces_are_the_same_objects_at_every_call(case: Case) -> None:
    env = case.aec_env()
    env.reset(seed=0)
    for agent in env.agents[:20]:
        assert env.observation_space(agent) is env.observation_space(agent)
        assert env.action_space(agent) is env.action_space(agent)
    if len(env.agents) > 1:
        one, other = (env.action_space(agent) for agent in env.agents[:2])
        assert one is not other, "each is seeded on its own"
        assert one == other
    assert env.metadata["name"].endswith("_v0")
    assert isinstance(env.metadata["is_parallelizable"], bool)


@strict
def masks_are_flat_int8(case: Case) -> None:
    env = case.aec_env()
    env.reset(seed=1)
    for agent in env.agent_iter(150):
        observation, _, terminated, truncated, _ = env.last()
        if not env.unwrapped.scenario.masked:
            assert isinstance(observation, np.ndarray)
            return
        mask = observation["action_mask"]
        assert mask.dtype == np.int8
        assert mask.ndim == 1
        assert mask.any()
        env.step(None if terminated or truncated else env.action_space(agent).sample(mask))


@strict
def what_was_returned_is_the_caller_s(case: Case) -> None:
    one, two = case.parallel_env(), case.parallel_env()
    one.reset(seed=2)
    two.reset(seed=2)
    for t in range(30):
        if not one.agents:
            break
        u = np.random.default_rng(t).random(len(one.agents))
        actions = dict(zip(one.agents, scripted(one.action_space(one.agents[0]), u), strict=True))
        expected, got = one.step(actions), two.step({a: np.array(x) for a, x in actions.items()})
        assert same(expected, got)
        for observation in got[0].values():
            _seen(observation)[...] = -1.0
