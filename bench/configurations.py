"""Whether keywords that are accepted work: `python -m bench.configurations [--count N] [--scenario NAME …]`.

Hypothesis draws configurations over the ranges that the keywords declare. Each is refused with ValueError or TypeError,
or played: no NaN, no infinity, nothing outside its space, and a row of the vector environment is the single one, bit
for bit. Large worlds are made, or refused by their sum, and not played (`MOST_MIB`, `MOST_SHARED_MIB` of maps). Each
kind of fault is shown once; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed as seeded, settings, strategies as st

from bench.watched import Fault, Watched
from mmwave_gym.api.contract.cases import Case, play, play_vector, same
from mmwave_gym.core import ranges, rooms
from mmwave_gym.core.memory import check_fits

MOST_MIB, MOST_SHARED_MIB = 32.0, 100.0
STEPS, ROW_STEPS, NUM_ENVS = 24, 8, 3
SLOW_S = 30.0
"""A drawn world that takes more processor time is counted as slow and left. Others may keep the processor busy."""


class _SlowError(BaseException):
    """Not an error of the environment."""


def values(allowed: ranges.Allowed, default: Any) -> st.SearchStrategy[Any]:
    """What a declaration allows. Costly numbers are drawn small, except for one in eight."""
    match allowed:
        case ranges.Range():
            return _numbers(allowed, default)
        case ranges.Many():
            each = _numbers(allowed.each, None)
            lists = st.lists(each, min_size=allowed.least, max_size=min(allowed.most, allowed.least + 4))
            return lists.map(lambda held: tuple(sorted(held) if allowed.ordered else held))
        case ranges.Words():
            return st.sampled_from(allowed.words)
        case ranges.Probabilities():
            weights = st.lists(st.integers(0, 9), min_size=allowed.count, max_size=allowed.count).filter(any)
            return weights.map(lambda w: tuple(x / sum(w) for x in w))
        case ranges.Flag():
            return st.booleans()
        case ranges.Either():
            return st.one_of(values(allowed.words, None), values(allowed.other, None))
        case ranges.Said():
            return st.sampled_from(allowed.examples) if allowed.examples else st.just(default)
    raise TypeError(f"no configurations can be drawn from {allowed!r}.")


def _numbers(allowed: ranges.Range, default: Any) -> st.SearchStrategy[Any]:
    whole = isinstance(allowed, ranges.Count)
    low, high = allowed.low, allowed.high
    number: Any = round if whole else float

    def between(most: float) -> st.SearchStrategy[Any]:
        """Numbers of every order of magnitude."""
        first = low if low > 0 else min(1.0, most) * (1.0 if whole else 1e-9)
        scaled = st.floats(0.0, 1.0).map(lambda u: min(max(number(first * (most / first) ** u), low), most))
        flat = st.integers(int(low), int(most)) if whole else st.floats(low, most)
        return flat if low < 0 or most <= first else st.one_of(scaled, flat)

    full = st.one_of(between(high), st.sampled_from((low, high)))
    if not allowed.cost:
        return full
    usual = default if isinstance(default, int | float) and default > low else max(8 * low, 8)
    few = between(min(high, 2 * usual))
    return st.integers(0, 7).flatmap(lambda i: full if i == 7 else few)


def configurations(config: type) -> st.SearchStrategy[dict[str, Any]]:
    """Keywords of a scenario: any of them, each within what it declares."""
    optional = {}
    for field in dataclasses.fields(config):
        allowed, may_be_none = ranges.declared(config)[field.name]
        if allowed is None:
            continue
        drawn = values(allowed, field.default)
        optional[field.name] = st.one_of(st.none(), drawn) if may_be_none else drawn
    return st.fixed_dictionaries({}, optional=optional)


def outcome_of(scenario: str, env_id: str, keywords: dict[str, Any], seed: int = 0) -> str:
    """Make and play one configuration: "played", "large" or "slow", perhaps "after refusals". Anything else is raised.

    Of what is refused the keyword that the error names is left out, else the first, until the rest is a world: so both
    the refusal and what is left of it are tried. Of a large world the costly keywords are left out, one after another,
    until the rest can be played. Where the defaults are large, too, they get their least value instead.
    """
    keywords, refused = dict(keywords), 0
    config = rooms.room(scenario).load("config")
    costly = list(ranges.costly(config))
    least = {k: a.low for k in costly if isinstance(a := ranges.declared(config)[k][0], ranges.Range)}
    while True:
        try:
            what = _played(Case("drawn", env_id, scenario, keywords), seed)
            if what == "large" and (dear := [name for name in costly if name in keywords]):
                del keywords[dear[0]]
                continue
            if what == "large" and least:
                name, value = least.popitem()
                keywords[name] = value
                costly.remove(name)
                continue
            return f"{what} after refusals" if refused else what
        except (ValueError, TypeError) as error:
            if not keywords:
                raise Fault(f"the defaults are refused: {error}") from error
            named = [k for k in keywords if str(error).startswith(k)]
            del keywords[(named or [k for k in keywords if k in str(error)] or list(keywords))[0]]
            refused += 1


def _played(case: Case, seed: int) -> str:
    try:
        with _within(SLOW_S):
            scenario = case.make_scenario()
            memory = scenario.memory()
            check_fits(case.scenario, memory, NUM_ENVS, getattr(scenario, "config", None))
            shared = memory.shared if memory else 0.0
            if memory and max(memory.total(NUM_ENVS) - shared, shared * MOST_MIB / MOST_SHARED_MIB) > MOST_MIB * 2**20:
                return "large"
            watched = Watched(scenario, NUM_ENVS, seed)
            for _ in range(STEPS):
                watched.step()
            rows = play_vector(case.make_vec(NUM_ENVS), seed, ROW_STEPS)
            for i in (0, NUM_ENVS - 1):
                alone = play(case.make(), seed + i, ROW_STEPS)
                if not same(rows[i][: len(alone)], alone[: len(rows[i])]):
                    raise Fault(f"row {i} of the vector environment is not the single environment")
    except _SlowError:
        return "slow"
    return "played"


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def late(*_: Any) -> None:
        raise _SlowError

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


def draw(scenario: str, count: int, seed: int, show: bool = False) -> tuple[Counter[str], dict[str, dict[str, Any]]]:
    """Draw `count` configurations of a scenario: how many had which outcome, and the first one of each fault."""
    room, seen = rooms.room(scenario), Counter[str]()
    faults: dict[str, dict[str, Any]] = {}
    began = time.monotonic()

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate,),
    )
    @given(keywords=configurations(room.load("config")))
    def one(keywords: dict[str, Any]) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)
                what = outcome_of(scenario, room.entries[0].id, keywords, seed)
        except Exception as error:  # all faults are wanted, not the first one
            what, fault = "fault", f"{type(error).__name__}: {error}"
            if faults.setdefault(fault, keywords) is keywords and show:
                print(f"{scenario}: {fault} with {keywords}", flush=True)
        seen[what] += 1
        if show and sum(seen.values()) % 100 == 0:
            said = ", ".join(f"{n} {word}" for word, n in sorted(seen.items()))
            print(f"{scenario}: {said}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    one()
    return seen, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="configurations in all; default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others")
    parser.add_argument(
        "--scenario", nargs="+", metavar="NAME", choices=list(rooms.rooms()), help="some scenarios only"
    )
    arguments = parser.parse_args()
    names, total = arguments.scenario or list(rooms.rooms()), Counter[str]()
    for name in names:
        seen, _ = draw(name, -(-arguments.count // len(names)), arguments.seed, show=True)
        total += seen
        print(f"{name}: {dict(seen)}", flush=True)
    print(f"{sum(total.values())} configurations: {dict(total)}")
    return 1 if total["fault"] else 0


if __name__ == "__main__":
    sys.exit(main())
