"""`check_agent`: every shipped agent keeps the contract, and for each check there is an agent that fails just that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.agents import AgentError, NotApplicable, Rule, check_agent, checks
from mmwave_gym.benchmark.task import Task

POWERS: dict[str, Any] = {"num_bs": 5, "horizon": 60}
HARD = {**POWERS, "ue_radius_m": 30.0, "reward": "difference", "levels": None, "observation": "local"}
SHARED = {"num_cars": 4, "num_pedestrians": 2, "arm_m": 60.0, "isd_m": 60.0, "maps": (3, 4), "horizon": 40}
TASKS: dict[str, tuple[str | Task, ...]] = {
    "association": ("association/small",),
    "cell_selection": ("cell_selection/n3-cost10",),
    "handover": ("handover/a1-beta25", "handover/a3-beta25"),
    "power_allocation": (
        Task(env_id="MmwavePowerAllocation-v0", kwargs=POWERS, name="power_allocation/few-levels"),
        Task(env_id="MmwavePowerAllocation-v0", kwargs=HARD, name="power_allocation/few-hard"),
        "power_allocation/hard-14",
    ),
    "shared_street": (Task(env_id="MmwaveSharedStreet-v0", kwargs=SHARED, name="shared_street/small"),),
    "street": ("street/car-sparse", "street/car-sparse-v1", "street/car-sparse-conditional-v1"),
}
"""Small tasks of each scenario; an agent is checked in the first that it has any business in."""
ENV = "MmwaveHandover-v0"
SEVERAL = Task(env_id=ENV, kwargs={"num_ues": 3})
MASKED = Task(env_id="MmwaveAssociation-v0", kwargs={"num_ues": 6, "crossings": (2, 3), "duration_s": 30.0})


@pytest.mark.parametrize("name", [n for n in mmwave_gym.agents() if n.split("/")[0] in TASKS])
def test_shipped_agents_keep_the_contract(name: str) -> None:
    scenario, agent = name.split("/")
    for task in TASKS[scenario]:
        try:
            return check_agent(agent, task, num_envs=3)
        except NotApplicable:
            continue
    pytest.fail(f"{name} is not applicable to any task here: add a small one to TASKS.")


class Good(Rule):
    """The strongest cell, and every third decision of an episode the next one."""

    label = "good"

    @dataclass
    class Memory:
        age: Any  # (rows,)

    def remember(self, view):
        return self.Memory(np.zeros(view.num_rows, np.int64))

    def act(self, seen, rng):
        seen.memory.age = seen.memory.age + 1
        return (strongest(seen) + (seen.memory.age % 3 == 0)) % cells(seen)


def strongest(seen):
    return seen["rsrq_db"].argmax(axis=1)


def cells(seen):
    return seen["rsrq_db"].shape[1]


class BadConfig(Good):
    config: Any = {"since": object()}  # noqa: RUF012


class BeginsWithNothing(Good):
    def begin(self, view, rng=None):
        return None


class Fractions(Good):
    def act(self, seen, rng):
        return strongest(seen) + 0.5


class Scribbler(Good):
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        answer = super().predict(observation, state, episode_start, deterministic)
        observation[:] = 0.0
        return answer


class MaskBlind(Rule):
    def act(self, seen, rng):
        return np.full(len(seen), seen.allowed.shape[1] - 1)


class LearnsNothing(Good):
    def learn(self, state, observation, action, reward, next_observation, done, info):
        return None


class RemembersOnItself(Good):
    decisions = 0

    def act(self, seen, rng):
        self.decisions += 1
        return super().act(seen, rng)


class OwnDice(Rule):
    def act(self, seen, rng):
        return np.random.default_rng().integers(cells(seen), size=len(seen))


class Peeks(Rule):
    """It says that it is local and looks at the coming slot."""

    def act(self, seen, rng):
        episodes = seen.view._batch.episodes
        return episodes.efficiency_bps_hz[episodes.row[: len(seen)], 5, 0].argmax(axis=-1)


LAST: dict[str, Any] = {}


class RemembersInItsModule(Rule):
    def begin(self, view, rng=None):
        LAST.clear()
        return super().begin(view, rng)

    def act(self, seen, rng):
        before = LAST.get("cell", strongest(seen))
        LAST["cell"] = strongest(seen)
        return before


class FirstRowSpecial(Rule):
    def act(self, seen, rng):
        return np.where(np.arange(len(seen)) == 0, 0, strongest(seen))


class CountsRows(Rule):
    def act(self, seen, rng):
        return (strongest(seen) + len(seen)) % cells(seen)


class ListensToNeighbours(Rule):
    """It says that it is local and takes the cells that the others see."""

    def act(self, seen, rng):
        others = strongest(seen).reshape(-1, seen.view.num_agents)
        return np.repeat(others.sum(axis=1) % cells(seen), seen.view.num_agents)


class NeverForgets(Good):
    def restart(self, memory, view, rows):
        return memory


class ForgetsAll(Good):
    """One row's start is everybody's."""

    def restart(self, memory, view, rows):
        return self.remember(view)


BROKEN = {
    "metadata": BadConfig,
    "begin": BeginsWithNothing,
    "actions": Fractions,
    "inputs": Scribbler,
    "masks": MaskBlind,
    "learn": LearnsNothing,
    "memory": RemembersOnItself,
    "seed": OwnDice,
    "access": Peeks,
    "states": RemembersInItsModule,
    "order": FirstRowSpecial,
    "batch": CountsRows,
    "slots": ListensToNeighbours,
    "start": NeverForgets,
}


def test_a_good_agent_passes_wherever_it_plays() -> None:
    check_agent(Good(), ENV, horizon=100)
    check_agent(Good, Task(env_id=ENV, kwargs={"horizon": 10}), num_envs=3)  # episodes end on the way
    check_agent(Good, Task(env_id=ENV, kwargs={"horizon": 10}, episodes=6, carry=2))
    check_agent(Good(), gymnasium.make(ENV))
    check_agent("a3", "handover/a3-beta25")
    check_agent(Good(), SEVERAL)
    central = type("Central", (ListensToNeighbours,), {"access": "central"})
    check_agent(central(), SEVERAL)


def test_each_check_has_an_agent_that_fails_it() -> None:
    assert list(BROKEN) == list(checks())
    assert all(checks().values())


@pytest.mark.parametrize("check", BROKEN)
def test_a_broken_agent_fails_the_check_that_it_breaks(check: str) -> None:
    with pytest.raises(AgentError, match=rf"^{BROKEN[check].__name__} fails the check '{check}'"):
        check_agent(BROKEN[check](), {"masks": MASKED, "slots": SEVERAL}.get(check, Task(env_id=ENV)))


def raise_access(self, view, rng):
    view._access = "hindsight"
    return Rule.begin(self, view, rng)


def looks_ahead(self, seen, rng):
    return (next(iter(seen.look().values())).reshape(len(seen), -1).sum(axis=1) * 1e3).astype(int) % cells(seen)


@pytest.mark.parametrize(
    ("check", "attributes"),
    [
        ("metadata", {"access": "all"}),
        ("metadata", {"label": 3}),
        ("actions", {"act": lambda self, seen, rng: strongest(seen)[:, None]}),
        ("actions", {"act": lambda self, seen, rng: strongest(seen) + cells(seen)}),
        ("actions", {"act": lambda self, seen, rng: seen["no such field"]}),
        ("actions", {"predict": lambda self, *args, **keywords: 0}),
        ("begin", {"begin": lambda self, view: 0}),
        ("begin", {"begin": lambda self, view, rng: setattr(view, "access", "hindsight")}),
        ("access", {"begin": raise_access, "act": looks_ahead}),
        ("metadata", {"config": {"gain": float("nan")}}),
        ("start", {"restart": ForgetsAll.restart}),
    ],
)
def test_other_ways_to_break_a_check(check: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(AgentError, match=rf"fails the check '{check}'.*\.$"):
        check_agent(type("Broken", (Good,), attributes)(), Task(env_id=ENV))


def test_an_agent_that_carries_what_it_has_learnt_says_so() -> None:
    check_agent(type("Carries", (NeverForgets,), {"carries": True})(), Task(env_id=ENV))


def test_an_agent_without_begin_passes() -> None:
    class Bare:
        def predict(self, observation, state=None, episode_start=None, deterministic=True):
            return observation[:, :6].argmax(axis=1), state

    check_agent(Bare(), ENV)


def test_what_cannot_be_checked_is_said() -> None:
    with pytest.raises(ValueError, match="unknown task 'handover/no'"):
        check_agent(Good(), "handover/no")
    with pytest.raises(ValueError, match="keywords go with the id"):
        check_agent(Good(), "handover/a1-beta25", horizon=3)
    with pytest.raises(ValueError, match="is needed, got 5"):
        check_agent(Good(), 5)
    with pytest.raises(ValueError, match="num_envs must be at least 3"):
        check_agent(Good(), ENV, num_envs=2)
    with pytest.raises(NotApplicable, match="needs levels"):
        check_agent("cdpq", "power_allocation/hard-14")
