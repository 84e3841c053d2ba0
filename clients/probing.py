"""What a probe of a library runs on, and what it must give: the same episode as without the library, to the last bit.

A probe is a file of `clients/probes/` that runs in an environment which holds its library. It has a function for each
form in which the library takes environments: `single`, `batch`, `parallel`, `aec`. Each plays `STEPS` scripted steps
of a `Case` through the library and returns its trace: observations and rewards in order.

`agent(case, folder)` makes a policy of the library for a case, saves it as its users do, and returns the path and what
the policy itself does: a function of observations (rows, features) in [-1, 1] to actions. `evaluate` must do the same.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents import RowRng, View, load_agent
from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey

FORMS = ("single", "batch", "parallel", "aec", "agent")
STEPS, SEED, NUM_ENVS = 30, 7, 4

Trace = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Case:
    """An id with keywords for the one-agent view and for all agents."""

    name: str
    env_id: str
    module: str
    one: dict[str, Any] = field(default_factory=dict)
    all: dict[str, Any] = field(default_factory=dict)

    def make(self, **more: Any) -> Any:
        return gymnasium.make(self.env_id, **self.one, **more)

    def make_vec(self, **more: Any) -> Any:
        return gymnasium.make_vec(self.env_id, num_envs=NUM_ENVS, **self.one, **more)

    def parallel_env(self, **more: Any) -> Any:
        return importlib.import_module(f"mmwave_gym.{self.module}").parallel_env(**self.all, **more)

    def aec_env(self, **more: Any) -> Any:
        return importlib.import_module(f"mmwave_gym.{self.module}").env(**self.all, **more)


WALK = {"num_ues": 3, "boundary": "stay"}
CROSSING = {"num_ues": 6}
WALKERS = {"num_cars": 0, "num_pedestrians": 6}
"""Who walks is still there after STEPS."""
CONTINUOUS = {"levels": None}
CASES = (
    Case("MmwaveHandover-v0", "MmwaveHandover-v0", "handover_v0", {}, WALK),
    Case("MmwaveHandover-v1", "MmwaveHandover-v1", "handover_v1", {}, WALK),
    Case("MmwaveStreet-v0", "MmwaveStreet-v0", "street_v0"),
    Case("MmwaveStreet-v1", "MmwaveStreet-v1", "street_v1"),
    Case("MmwaveSharedStreet-v0", "MmwaveSharedStreet-v0", "shared_street_v0", WALKERS, WALKERS),
    Case("MmwaveAssociation-v0", "MmwaveAssociation-v0", "association_v0", CROSSING, CROSSING),
    Case("MmwaveCellSelection-v0", "MmwaveCellSelection-v0", "cell_selection_v0"),
    Case("MmwavePowerAllocation-v0", "MmwavePowerAllocation-v0", "power_allocation_v0"),
    Case(
        "MmwavePowerAllocation-v0, levels=None",
        "MmwavePowerAllocation-v0",
        "power_allocation_v0",
        CONTINUOUS,
        CONTINUOUS,
    ),
)


def script(space: Any, count: int = 1) -> Iterator[list[Any]]:
    """For each step the actions of `count` agents or environments: int64, or float32 of the space's shape."""
    rng = np.random.default_rng(SEED)
    while True:
        u = rng.random(count)
        if hasattr(space, "n"):
            yield [np.int64(x * space.n) for x in u]
        else:
            yield [(space.low + np.float32(x) * (space.high - space.low)).astype(np.float32) for x in u]


def flat(*values: Any) -> NDArray[np.float32]:
    """All numbers of observations and rewards side by side; of a dictionary the observation, not the mask."""
    parts = [v["observation"] if isinstance(v, dict) else v for v in values]
    return np.concatenate([np.asarray(p, np.float32).ravel() for p in parts])


def single(case: Case) -> Trace:
    env = case.make()
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, (action,) in zip(range(STEPS), script(env.action_space), strict=False):
        observation, reward, *_ = env.step(action)
        trace.append(flat(observation, reward))
    return trace


def batch(case: Case) -> Trace:
    env = case.make_vec()
    trace = [flat(env.reset(seed=SEED)[0])]
    for _, actions in zip(range(STEPS), script(env.single_action_space, NUM_ENVS), strict=False):
        observation, reward, *_ = env.step(np.array(actions))
        trace.append(flat(observation, reward))
    return trace


def parallel(case: Case) -> Trace:
    env = case.parallel_env(always_present=True)
    names = env.possible_agents
    observations = env.reset(seed=SEED)[0]
    trace = [flat(*(observations[a] for a in names))]
    for _, actions in zip(range(STEPS), script(env.action_space(names[0]), len(names)), strict=False):
        observations, rewards, *_ = env.step(dict(zip(names, actions, strict=True)))
        trace.append(flat(*(observations[a] for a in names), [rewards[a] for a in names]))
    return trace


def aec(case: Case) -> Trace:
    env = case.aec_env()
    env.reset(seed=SEED)
    trace = []
    for _, (action,) in zip(range(STEPS), script(env.action_space(env.possible_agents[0])), strict=False):
        trace.append(flat(*env.last()[:2]))
        env.step(action)
    return trace


PLAIN: dict[str, Callable[[Case], Trace]] = {"single": single, "batch": batch, "parallel": parallel, "aec": aec}


def acts_alike(case: Case, path: Path, own: Callable[[NDArray[np.float32]], Any]) -> bool:
    """Whether the agent in a file does in a case what its library's policy does."""
    scenario = make_registered(case.env_id, **case.one)
    batch = batch_of(scenario, NUM_ENVS)
    batch.reset([EpisodeKey(SEED + i) for i in range(NUM_ENVS)])
    agent = load_agent(str(path), scenario.name)
    rows = NUM_ENVS * scenario.num_agents
    state = agent.begin(View(batch, "local"), RowRng.from_seed(0, rows))
    normalise = Normalisation(scenario.fields)
    for _, actions in zip(range(5), script(scenario.action_space, rows), strict=False):
        seen = batch.observe().reshape(rows, -1)
        done, state = agent.predict(seen, state, np.zeros(rows, bool))
        wanted = np.asarray(own(normalise(seen))).reshape(rows, -1)
        if not np.allclose(np.asarray(done).reshape(rows, -1), wanted, rtol=1e-4, atol=1e-3):
            return False
        batch.step(np.array(actions).reshape(NUM_ENVS, scenario.num_agents, *(scenario.action_space.shape or ())))
    return True


def same(probe: Any, form: str, case: Case) -> bool:
    """Whether a form of a probe gives what it must."""
    through = getattr(probe, form)
    if form == "agent":
        with tempfile.TemporaryDirectory() as folder:
            return acts_alike(case, *through(case, Path(folder)))
    trace, plain = through(case), PLAIN[form](case)
    return len(trace) == len(plain) and all(map(np.array_equal, trace, plain))


def tell(**told: Any) -> None:
    print(json.dumps(told), flush=True)


WRONG = ("another episode than without it", "other actions than the library's policy")


def can_act(probe: Any, case: Case) -> bool:
    """Whether a probe's policy is for the actions of a case; masks are for the trained agents of the examples."""
    scenario = make_registered(case.env_id, **case.one)
    kind = "discrete" if hasattr(scenario.action_space, "n") else "continuous"
    return not scenario.masked and kind in getattr(probe, "ACTS", ("discrete", "continuous"))


def run(probe: Any) -> None:
    """Print a line of JSON for each case and each form of a probe: what became of it."""
    for case in CASES:
        for form in FORMS:
            if not hasattr(probe, form) or (form == "agent" and not can_act(probe, case)):
                continue
            try:
                found = same(probe, form, case)
                tell(case=case.name, form=form, ok=found, error="" if found else WRONG[form == "agent"])
            except Exception as error:
                last = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{last.filename.rpartition('site-packages/')[2]}:{last.lineno}"
                text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
                tell(case=case.name, form=form, ok=False, error=text, where=where)


if __name__ == "__main__":
    run(importlib.import_module(f"clients.probes.{sys.argv[1]}"))
