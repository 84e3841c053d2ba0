"""Fixtures for all tests, and no window on anybody's screen."""

import os

import gymnasium
import pettingzoo
import pytest

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
