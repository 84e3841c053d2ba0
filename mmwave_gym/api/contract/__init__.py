"""The contract that every scenario keeps, as checks that anybody can run: `check_scenario("relay")`."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

from mmwave_gym.api.contract import gymnasium, pettingzoo, physics, views
from mmwave_gym.api.contract.cases import Case
from mmwave_gym.core import ranges, rooms
from mmwave_gym.core.scenario import Scenario

Check = Callable[[Case], None]

ALWAYS: tuple[Check, ...] = (
    physics.scenario_declares_what_it_gives,
    physics.values_stay_in_bounds_over_whole_episodes,
    physics.forbidden_and_meaningless_actions_do_no_harm,
    physics.reveal_grants_more_at_every_level_and_lends_nothing,
    physics.the_world_does_not_depend_on_actions,
    physics.batch_of_7_is_the_head_of_a_batch_of_300,
    gymnasium.same_seed_same_episodes_and_other_seed_others,
    gymnasium.unseeded_resets_go_on_with_the_next_episode,
    gymnasium.vector_rows_are_single_environments,
    gymnasium.native_vector_env_says_what_gymnasium_s_own_says,
    gymnasium.next_step_mode_ignores_the_action_of_a_copy_that_restarts,
    gymnasium.gymnasium_checker,
    gymnasium.every_declared_render_mode_works,
    gymnasium.sb3_checker,
    gymnasium.rewards_and_flags_are_python_s_own,
    gymnasium.masks,
    gymnasium.after_the_end_a_reset_is_needed,
    gymnasium.what_was_returned_is_the_caller_s,
    gymnasium.what_a_vector_env_returned_is_the_caller_s,
    gymnasium.environments_can_be_copied_and_sent,
    pettingzoo.aec_api,
    pettingzoo.aec_seeds,
    pettingzoo.rendering,
    pettingzoo.seed_over_whole_episodes_one_after_the_other,
    pettingzoo.spaces_are_the_same_objects_at_every_call,
    pettingzoo.masks_are_flat_int8,
    views.a_reset_tells_what_a_step_tells,
    views.who_has_ended_waits_where_autoreset_is_disabled,
    views.masks_and_scales_are_other_forms_of_the_same,
    views.keys_stand_for_actions,
)
TOGETHER: tuple[Check, ...] = (
    physics.agents_come_and_go_by_the_rules,
    pettingzoo.parallel_api,
    pettingzoo.parallel_seeds,
    pettingzoo.state,
    pettingzoo.parallel_env_is_the_batch_s_row,
    pettingzoo.one_agent_view_is_one_agent_of_the_parallel_env,
    pettingzoo.what_was_returned_is_the_caller_s,
    views.everybody_is_always_present,
)
"""For scenarios whose agents act at once."""
TURNS: tuple[Check, ...] = (
    pettingzoo.state_of_turns,
    pettingzoo.turns_are_the_single_environment_s_steps,
    views.turns_in_parallel,
)
"""For scenarios in which each step is the decision of one agent."""


def checks_of(case: Case) -> tuple[Check, ...]:
    """The checks that a case must pass."""
    return (*ALWAYS, *(TURNS if case.make_scenario().turn_based else TOGETHER))


def _asked(name: str) -> list[str]:
    """What a scenario is kindly asked for."""
    room, asked = rooms.room(name), []
    if missing := ranges.undeclared(room.load("config")):
        asked.append(
            f"{name}: please declare what may be given and what it costs, Annotated[…, Range(low, high, unit)] of "
            f"mmwave_gym.core.ranges, for {', '.join(missing)}: the docs page shows it and drawn configurations test it"
        )
    if room.load("scenario").memory is Scenario.memory:
        asked.append(
            f"{name}: please give memory(), the bytes of an environment: worlds that fit no memory are then refused"
        )
    return asked


def check_scenario(name: str, **keywords: Any) -> list[str]:
    """Check that every environment of an installed scenario keeps the contract. Returns what was skipped, with reasons.

    What is no fault but would help is among it: keywords without a range (`core.ranges`), no sum of memory.

    `keywords` go to the scenario: make the world small and its episodes short, tens of steps, or checking takes long.
    Raises AssertionError, which names the check and the environment, ValueError for an unknown scenario, RuntimeError
    under `python -O`, which leaves out assertions.
    """
    if not __debug__:
        raise RuntimeError("check_scenario needs assertions: run Python without -O.")
    skipped = _asked(name)
    for entry in rooms.room(name).entries:
        case = Case(entry.id, entry.id, name, {**entry.overrides, **keywords})
        for check in checks_of(case):
            what = f"{check.__module__.rpartition('.')[2]}.{check.__name__}"
            try:
                check(case)
            except unittest.SkipTest as reason:
                skipped.append(f"{entry.id}: {what}: {reason}")
            except Exception as error:
                raise AssertionError(f"{entry.id} fails {what}: {error or type(error).__name__}") from error
    return skipped
