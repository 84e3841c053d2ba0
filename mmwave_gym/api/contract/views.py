"""Checks of what libraries ask for beside the plain environments: masks, scales, agents that stay, resets by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from pettingzoo.test import parallel_api_test

from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.api.contract.cases import (
    SAME_STEP,
    Case,
    Script,
    play,
    play_vector,
    raises,
    row_of,
    same,
    scripted,
    several_episodes,
)
from mmwave_gym.api.contract.pettingzoo import strict


def a_reset_tells_what_a_step_tells(case: Case) -> None:
    """The same names with values of the same types; numbers are 0. Recorders of data sets rely on it."""

    def check(reset: dict[str, Any], step: dict[str, Any]) -> None:
        assert reset.keys() == step.keys()
        for name, value in reset.items():
            assert type(value) is type(step[name])
            assert np.asarray(value).dtype == np.asarray(step[name]).dtype
            assert np.shape(value) == np.shape(step[name])
            assert name in ("action_mask", "turn") or value == 0.0

    env, vector = case.make(), case.make_vec(2)
    _, first = env.reset(seed=1)
    check(first, env.step(Script(env.action_space, 1, 1)(0, first.get("action_mask")))[4])
    _, told = vector.reset(seed=1)
    vector.action_space.seed(0)
    following = vector.step(vector.action_space.sample())[4]
    assert told.keys() == following.keys() - {n for n in following if "final" in n}
    assert same(row_of(told, 0), first)
    for mask in ("observation", "info"):
        together = case.parallel_env(mask=mask)
        _, before = together.reset(seed=1)
        actions = {a: together.action_space(a).sample() for a in together.agents}
        after = together.step(actions)[4]
        for agent in before:
            check(before[agent], after[agent])
        turns = case.aec_env(mask=mask)
        turns.reset(seed=1)
        agent, before = turns.agent_selection, {a: dict(i) for a, i in turns.infos.items()}
        for _ in [0] if turns.unwrapped.scenario.turn_based else before:
            turns.step(turns.action_space(turns.agent_selection).sample())
        check(before[agent], turns.infos[agent])


def who_has_ended_waits_where_autoreset_is_disabled(case: Case) -> None:
    """Resets by hand give the episodes of single environments, each at its own time, whatever the others do."""
    vector, seed, rounds = case.make_vec(3, autoreset_mode=AutoresetMode.DISABLED), 200, 2
    assert vector.unwrapped.autoreset_mode is vector.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    steps = several_episodes(case)
    singles = [play(case.make(), seed + i, steps) for i in range(3)]
    scripts = [Script(vector.single_action_space, seed + i, steps) for i in range(3)]
    observation, info = vector.reset(seed=seed)
    rows: list[list[Any]] = [[("reset", observation[i], row_of(info, i))] for i in range(3)]
    made, ends = np.zeros(3, int), 0
    while ends < rounds:
        mask = info.get("action_mask")
        chosen = [s(made[i], None if mask is None else mask[i]) for i, s in enumerate(scripts)]
        observation, reward, terminated, truncated, info = vector.step(np.array(chosen))
        made += 1
        for i in range(3):
            end = (reward[i], terminated[i], truncated[i])
            rows[i].append(("step", observation[i], *end, row_of(info, i)))
        over = terminated | truncated
        if over.any():
            with raises(ResetNeeded, match="reset_mask"):
                vector.step(np.array(chosen))
            observation, told = vector.reset(options={"reset_mask": over})
            for i in np.flatnonzero(over).tolist():
                rows[i].append(("reset", observation[i], row_of(told, i)))
            assert not any(row_of(told, i) for i in np.flatnonzero(~over).tolist())
            if mask is not None:
                info = {**info, "action_mask": np.where(over[:, None], told["action_mask"], info["action_mask"])}
            ends += 1
    for single, row in zip(singles, rows, strict=True):
        least = min(len(single), len(row))
        assert same(single[:least], row[:least])
    before = vector.reset(seed=5)[0]
    only = np.array([False, True, False])
    begun = vector.reset(seed=[None, 300, None], options={"reset_mask": only})[0]
    assert same(begun[~only], before[~only])
    assert same(begun[1], case.make().reset(seed=300)[0])
    with raises(ValueError, match="reset_mask"):
        vector.reset(options={"reset_mask": np.zeros(3, bool)})


def masks_and_scales_are_other_forms_of_the_same(case: Case) -> None:
    scenario, steps = case.make_scenario(), min(case.make_scenario().horizon + 1, 12)
    plain = play(case.make(), 21, steps)
    scale = Normalisation(scenario.fields)
    scaled = case.make(normalise=True)
    assert (scaled.observation_space.low == -1.0).all()
    assert (scaled.observation_space.high == 1.0).all()
    for one, other in zip(plain, play(scaled, 21, steps), strict=True):
        assert same(scale(one[1]), other[1])
        assert same(one[2:], other[2:])
    shown = case.make(mask="observation", normalise=True)
    observation, info = shown.reset(seed=21)
    assert observation in shown.observation_space
    assert "action_mask" not in info
    if scenario.masked:
        assert same(observation, {"observation": scale(plain[0][1]), "action_mask": plain[0][2]["action_mask"]})
        native = case.make_vec(3, mask="observation", autoreset_mode=SAME_STEP)
        sync = case.make_vec(
            3, mask="observation", vectorization_mode="sync", vector_kwargs={"autoreset_mode": SAME_STEP}
        )
        assert native.observation_space == sync.observation_space
        assert same(native.reset(seed=3), sync.reset(seed=3))
        for t in range(steps):
            action = np.array([Script(native.single_action_space, i, steps)(t) for i in range(3)])
            ours, theirs = native.step(action), sync.step(action)
            last = [list(answer[4].pop("final_obs", ())) for answer in (ours, theirs)]
            assert same(*last)
            for answer in (ours, theirs):
                answer[4].pop("final_info", None)
            assert same(ours, theirs)
    else:
        assert same(observation, scale(plain[0][1]))
    vector = case.make_vec(2, normalise=True)
    assert all(same(scale(row[0][1]), other[0][1]) for row, other in _beside(case, vector))
    aec = case.aec_env(mask="info", normalise=True)
    aec.reset(seed=21)
    assert aec.last()[0] in aec.observation_space(aec.agent_selection)
    assert isinstance(aec.last()[0], np.ndarray)
    assert ("action_mask" in case.parallel_env(mask="info").reset(seed=21)[1][aec.agent_selection]) == scenario.masked
    assert aec.state() in aec.state_space
    with raises(ValueError, match="mask must be one of 'info', 'observation', got 'obs'"):
        case.make(mask="obs")


def _beside(case: Case, vector: Any) -> Any:
    return zip(play_vector(case.make_vec(2), 4, 1), play_vector(vector, 4, 1), strict=True)


def keys_stand_for_actions(case: Case) -> None:
    """For `gymnasium.utils.play`."""
    env = case.make()
    space = env.action_space
    if isinstance(space, spaces.MultiDiscrete):
        with raises(ValueError, match="keys_to_action"):
            env.get_wrapper_attr("get_keys_to_action")()
        return
    keys = env.get_wrapper_attr("get_keys_to_action")()
    env.reset(seed=0)
    assert len(keys) == (space.n if isinstance(space, spaces.Discrete) else 10)
    for action in keys.values():
        assert action in space
    env.step(next(iter(keys.values())))


@strict
def everybody_is_always_present(case: Case) -> None:
    """With always_present=True nobody comes or goes, and what the batch does is the same."""
    env, batch = case.parallel_env(always_present=True), case.batch(1, seed=90)
    space, slots = batch.scenario.action_space, batch.scenario.num_agents
    parallel_api_test(case.parallel_env(always_present=True), num_cycles=20)
    observations, infos = env.reset(seed=90)
    assert env.agents == env.possible_agents
    assert len(env.agents) == slots
    script = Script(space, 90, 200)
    for t in range(batch.scenario.horizon):
        action = scripted(space, (script.u(t) + 0.37 * np.arange(slots)) % 1.0)
        present = batch.agent_ids()[0] >= 0
        outcome = batch.step(action[None])
        observations, rewards, terminations, truncations, infos = env.step(dict(zip(env.agents, action, strict=True)))
        seen, over = batch.observe()[0], (batch.agent_ids()[0] < 0).all()
        for i, agent in enumerate(env.possible_agents):
            own = observations[agent]
            assert same(own["observation"] if isinstance(own, dict) else own, seen[i])
            assert rewards[agent] == outcome.reward[0, i]
            assert terminations[agent] == over
            assert slots == 1 or infos[agent]["present"] == present[i]
        if over or outcome.truncated[0]:
            assert all(truncations[a] == outcome.truncated[0] for a in env.possible_agents)
            assert env.agents == []
            return
        assert env.agents == env.possible_agents
    raise AssertionError("the episode did not end")


@strict
def turns_in_parallel(case: Case) -> None:
    """The parallel form of turns: only the one whose turn it is counts, and gets what the AEC form gives."""
    parallel_api_test(case.parallel_env(), num_cycles=20)
    env, aec = case.parallel_env(), case.aec_env()
    observations, infos = env.reset(seed=4)
    aec.reset(seed=4)
    script = Script(env.action_space(env.agents[0]), 4, 200)
    for t in range(200):
        (agent,) = [a for a, info in infos.items() if info["turn"]]
        assert agent == aec.agent_selection
        assert same(observations[agent], aec.last()[0])
        mask = observations[agent]["action_mask"] if isinstance(observations[agent], dict) else None
        action = script(t, mask)
        observations, rewards, terminations, truncations, infos = env.step({agent: action})
        aec.step(action)
        assert rewards == aec.rewards
        assert {n: v for n, v in infos[agent].items() if n != "turn"} == aec.infos[agent]
        assert terminations == aec.terminations
        assert truncations == aec.truncations
        if not env.agents:
            with raises(ResetNeeded):
                env.step({})
            return
        if t == 0:
            with raises(ValueError, match="it is the turn of"):
                env.step({})
    raise AssertionError("the episode did not end")
