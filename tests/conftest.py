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
