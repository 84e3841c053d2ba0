"""Fixtures for all tests, and no window on anybody's screen."""

import os

import gymnasium
import hypothesis
import pettingzoo
import pytest

# How fast an example runs says something about the machine's load, nothing about the code.
hypothesis.settings.register_profile("any load", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any load")

pytest_plugins = ["sampling"]

os.environ["SDL_VIDEODRIVER"] = "dummy"
os.environ.setdefault("MPLBACKEND", "Agg")


@pytest.fixture(scope="module")
def small_scenarios():
    """The three small scenarios are registered while a module's tests run, and unknown to all other tests."""
    import small_scenarios as module

    from mmwave_gym.core import rooms

    module.register()
    yield module
    for room in module.ROOMS:
        del rooms._added[room.name]
        for registry in (gymnasium.registry, pettingzoo.aec_registry, pettingzoo.parallel_registry):
            registry.pop(room.entries[0].id, None)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their length: archives hold the time of day, and test workers must agree on names."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


OPEN = {
    "issue 16: suites are judged again when learned agents of all v1 tasks are there": (
        "test_our_tasks_are_in_the_suite_that_their_committed_rows_ask_for",
        "test_shipped_rows_say_how_their_agents_were_trained",
    ),
    "issue 16: to be tuned again under the proven price of unsatisfied users": (
        "test_what_was_tuned_holds_for_the_tasks_of_today[power_allocation/foschini-miljanic-feedback]",
        "test_what_was_tuned_holds_for_the_tasks_of_today[power_allocation/linear]",
    ),
    "issue 17: stored ceilings were computed for another state and are to be computed again": (
        "test_cheap_ceilings_are_computed_again_as_they_are_stored",
        "test_sqa_is_expensive_where_it_takes_minutes",
    ),
}
"""Tests that fail today, each with the open issue that has to mend it. Empty this before the issue is resolved."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for reason, names in OPEN.items():
        for item in items:
            if item.name.startswith(names):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))
