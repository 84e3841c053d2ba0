"""Fixtures for all tests, and no window on anybody's screen."""

import os
import random
from typing import Any

import gymnasium
import hypothesis
import pettingzoo
import pytest
import sampling

# How fast an example runs says something about the machine's load, nothing about the code.
hypothesis.settings.register_profile("any load", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any load")

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


SWEEPS = pytest.StashKey[tuple[int, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sample-seed", type=int, help="of the sweeps' sample (tests/sampling.py); a new one by default")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.sample_seed is None:
        drawn = random.SystemRandom().randrange(10**6)
        config.option.sample_seed = getattr(config, "workerinput", {}).get("sample_seed", drawn)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All workers draw the same."""
    node.workerinput["sample_seed"] = node.config.option.sample_seed


def pytest_report_header(config: pytest.Config) -> str:
    return f"sweeps: --sample-seed {config.option.sample_seed} draws the same cases again"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    config.stash[SWEEPS] = found = sampling.mark_undrawn(items, config.option.sample_seed)
    if hasattr(config, "workeroutput"):
        config.workeroutput["sweeps"] = found


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    node.config.stash[SWEEPS] = node.workeroutput.get("sweeps", (0, 0))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    cases, drawn = config.stash.get(SWEEPS, (0, 0))
    if cases:
        terminalreporter.write_line(
            f"sweeps: {drawn:,} of {cases:,} cases are in the sample of seed {config.option.sample_seed}; "
            f'-m "not long" leaves out {cases - drawn:,}, make nightly plays all'
        )
