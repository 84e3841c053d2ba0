"""Sweeps over everything: CI plays a sample of their cases, other ones each time, and `make nightly` plays all.

    @pytest.mark.sample                            # each value of each parameter in at least one case
    @pytest.mark.sample(by=lambda name: (…, …))    # each value of each part of the tuple in at least one case

Mark a parametrised test. `by` takes the test's parameters by their names. Cases that are not drawn are marked `long`,
which -m "not long" leaves out; without it all are played. pytest's header says the seed of the draw, --sample-seed
repeats it.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

SWEEPS = pytest.StashKey[tuple[int, int]]()
T = TypeVar("T")
By = Callable[..., Sequence[Hashable]]


def sample(strata: Mapping[T, Sequence[Hashable]], rng: random.Random) -> set[T]:
    """Cases such that each value at each position of their strata is in at least one of them.

    strata: of each case, tuples of one length. The cases come in random order, and one is drawn where it has a value
    that none before it had.
    """
    drawn: set[T] = set()
    met: set[tuple[int, Hashable]] = set()
    for case in rng.sample(list(strata), len(strata)):
        values = set(enumerate(strata[case]))
        if values - met:
            drawn.add(case)
            met |= values
    return drawn


def mark_undrawn(items: Sequence[pytest.Item], seed: int) -> tuple[int, int]:
    """Mark what is not drawn as `long`; return how many cases the sweeps have, and how many of them are drawn."""
    sweeps: dict[str, list[Any]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sample"):
            sweeps[item.nodeid.partition("[")[0]].append(item)
    played = 0
    for name, cases in sweeps.items():
        strata = {case: _strata(case) for case in cases}
        drawn = sample(strata, random.Random(f"{seed} {name}"))
        played += len(drawn)
        for case in cases:
            if case not in drawn:
                case.add_marker(pytest.mark.long)
    return sum(map(len, sweeps.values())), played


def _strata(case: Any) -> Sequence[Hashable]:
    by: By | None = case.get_closest_marker("sample").kwargs.get("by")
    params = case.callspec.params
    return by(**params) if by else tuple(v if isinstance(v, Hashable) else repr(v) for v in params.values())


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
    config.stash[SWEEPS] = found = mark_undrawn(items, config.option.sample_seed)
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
