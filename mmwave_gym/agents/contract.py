"""The contract of agents as a test that anybody can run, like scikit-learn's `check_estimator`.

```python
from mmwave_gym.agents import check_agent

check_agent(MyAgent(), "relay/four")     # returns, or raises an AgentError that says what is wrong
```

The agent plays a few steps, and all that it is shown is recorded. Then it is shown the same again: in another order, in
other batches, in two runs side by side, and in front of another world. Each time it has to do what it did at first.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.protocol import AgentError, learns, sees
from mmwave_gym.agents.recorded import Frame, Play, Recording, Replay
from mmwave_gym.core import rooms
from mmwave_gym.core.access import ACCESS_LEVELS, KINDS
from mmwave_gym.core.actions import one_number_each
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.checks import at_least, unknown
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey, Scenario

_CHECKS = {
    "metadata": "label is a text, kind is known, config is a dict of JSON values, access is a known level",
    "begin": "begin(view, rng) returns a state",
    "actions": "predict returns (actions, state); actions lie in the action space, with its shape and kind of number",
    "inputs": "predict and learn do not write to the arrays that they are given",
    "masks": "actions are allowed by the action mask",
    "learn": "learn(…) returns the state to go on with",
    "memory": "nothing on the agent itself changes while it plays: all memory is in the state",
    "seed": "the same worlds and the same rng give the same actions",
    "access": "what the agent may not see may be different, and its actions stay the same",
    "states": "two runs side by side, each with its own state, do not disturb each other",
    "order": "permuted environments give permuted actions",
    "batch": "an environment's actions do not depend on how many others are played with it, or in which blocks",
    "slots": "what a local agent does in one agent slot does not depend on what the others are shown",
    "start": "episode_start makes a row forget its last episode (not an agent with carries = True), and no other row",
}
_CLOSE = 1e-4  # share of the action range: networks round differently in batches of another size


def checks() -> dict[str, str]:
    """The names of the checks, in the order in which they are made, with what each one asks."""
    return dict(_CHECKS)


def check_agent(agent: Any, task: Any, *, num_envs: int = 4, steps: int = 24, seed: int = 0, **keywords: Any) -> None:
    """Check that an agent keeps the contract in a task. Returns None, or raises an AgentError.

    agent: whatever `load_agent` takes: an object, a class, a name, a file. task: a task or its name, the id of an
    environment with its `keywords`, or a Gymnasium environment of this package. num_envs: at least 3 worlds that
    are played side by side. steps: how many, at least 4. seed: of the worlds, where `task` is no task.

    The error names the check, what happened and what to do; `checks()` lists them. NotApplicable, also an AgentError:
    the agent has no business in this task. ValueError for an unknown task or bad numbers.
    """
    at_least("num_envs", num_envs, 3, integer=True)
    at_least("steps", steps, 4, integer=True)
    found, scenario = _world(task, keywords)
    player = load_agent(agent, scenario.name, found)
    test = _Test(player, scenario, found, num_envs, steps, seed)
    for run in (_metadata, _plays, _remembers_nothing, _is_repeatable, _keeps_its_access):
        run(test)
    for check, run in {"states": _states, "order": _order, "batch": _batch, "slots": _slots, "start": _start}.items():
        with test.during(check, "predict or learn"):
            run(test)


def _world(task: Any, keywords: dict[str, Any]) -> tuple[Any, Scenario[Any, Any]]:
    """The task, None without one, and the scenario."""
    if isinstance(task, str) and "/" in task:
        known = {t.name: t for t in rooms.room(task.partition("/")[0]).load("tasks") or ()}
        if task not in known:
            raise ValueError(unknown("task", task, known))
        task = known[task]
    if isinstance(task, str):
        return None, make_registered(task, **keywords)
    if keywords:
        raise ValueError(f"keywords go with the id of an environment, got {', '.join(keywords)} beside {task!r}.")
    if callable(getattr(task, "scenario", None)):
        return task, task.scenario()
    scenario = getattr(getattr(task, "unwrapped", None), "scenario", None)
    if not isinstance(scenario, Scenario):
        raise ValueError(f"a task, its name, the id of an environment or an environment is needed, got {task!r}.")
    return None, scenario


@dataclass
class _Test:
    """An agent, where it is tested, and its recorded play once there is one."""

    agent: Any
    scenario: Scenario[Any, Any]
    task: Any
    num_envs: int
    steps: int
    seed: int

    def __post_init__(self) -> None:
        self.recording: Recording = None  # type: ignore[assignment]

    def batch(self, first: int = 0) -> Batch:
        """Worlds from the training split of the task."""
        batch = batch_of(self.scenario, self.num_envs, draws_ahead=False)
        numbers = list(range(first, first + self.num_envs))
        batch.reset(self.task.keys(numbers, "train") if self.task else [EpisodeKey(self.seed + n) for n in numbers])
        return batch

    def record(self) -> Recording:
        carries = getattr(self.task, "carry", 1) > 1
        return Recording(self.agent, self.batch(), self.batch(1000), carries)

    def fail(self, check: str, happened: str, todo: str) -> AgentError:
        name = type(self.agent).__name__
        return AgentError(f"{name} fails the check {check!r} ({_CHECKS[check]}): {happened} {todo}")

    @contextmanager
    def during(self, check: str, what: str) -> Iterator[None]:
        """Errors of the agent become failures of a check; an AgentError says what is wrong already."""
        try:
            yield
        except AgentError:
            raise
        except Exception as error:
            raise self.fail(check, f"{what} raised {type(error).__name__}: {error}.", "Find out why.") from error

    def compare(self, check: str, replay: Replay, action: NDArray[Any], where: Any, todo: str) -> None:
        """Raise where actions differ from the recorded ones in the environments that `where` (num_envs,) marks."""
        before = replay.recorded()
        if action.shape == before.shape:
            same = np.abs(action - before) <= self._slack() if self._slack() is not None else action == before
            if same[where].all():
                return
        raise self.fail(
            check, f"at step {int(replay.view.at[-1])} it did {_text(action)} where it had done {_text(before)}.", todo
        )

    def _slack(self) -> Any:
        space = self.scenario.action_space
        return _CLOSE * (space.high - space.low) if isinstance(space, spaces.Box) else None


def _metadata(test: _Test) -> None:
    agent = test.agent
    if (access := sees(agent)) not in ACCESS_LEVELS:
        raise test.fail("metadata", f"access is {access!r}.", f"Let it be one of {', '.join(ACCESS_LEVELS)}.")
    if (kind := getattr(agent, "kind", "other")) not in KINDS:
        raise test.fail("metadata", f"kind is {kind!r}.", f"Let it be one of {', '.join(KINDS)}.")
    if not isinstance(label := getattr(agent, "label", ""), str):
        raise test.fail("metadata", f"label is {label!r}.", "Let it be a text.")
    config = getattr(agent, "config", {})
    try:
        json.dumps(dict(config), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise test.fail("metadata", f"config is {config!r}: {error}.", "Use texts, numbers, lists and dicts.") from None


def _plays(test: _Test) -> None:
    """Records the play: begin, actions, inputs, masks, learn."""
    with test.during("begin", "begin(view, rng)"):
        test.recording = recording = test.record()
    if recording.play.begins and recording.play.state is None:
        raise test.fail("begin", "begin returned None.", "Return the state, even if it holds the view alone.")
    _record(test, recording)


def _record(test: _Test, recording: Recording) -> None:
    for t in range(test.steps):
        frame = recording.show()
        with test.during("actions", "predict(observation, state, episode_start, deterministic)"):
            answer = recording.play.predict(frame.observation, frame.started)
        _check_inputs(test, recording.play)
        action = _valid_action(test, frame, answer)
        with test.during("learn", "learn(state, observation, action, reward, next_observation, done, info)"):
            recording.step(action)
        _check_inputs(test, recording.play)
        if learns(test.agent) and recording.play.state is None:
            raise test.fail("learn", f"learn returned None at step {t}.", "Return the state.")


def _check_inputs(test: _Test, play: Play) -> None:
    before, after = play.calls
    for name, array in before.arguments.items():
        if not np.array_equal(array, after.arguments[name], equal_nan=array.dtype.kind == "f"):
            raise test.fail("inputs", f"{before.method} wrote to {name!r}.", f"Work on a copy: {name}.copy().")


def _valid_action(test: _Test, frame: Frame, answer: Any) -> NDArray[Any]:
    """The actions (num_envs, num_agents, …) in an answer."""
    if not isinstance(answer, tuple) or len(answer) != 2:
        what = f"predict returned {type(answer).__name__}."
        raise test.fail("actions", what, "Return the pair (actions, state).")
    space: Any = test.scenario.action_space
    rows = frame.present.size
    action = one_number_each(space, np.asarray(answer[0]), (rows,))
    if action.shape != (rows, *(space.shape or ())):
        raise test.fail("actions", f"their shape is {action.shape}.", f"Let it be {(rows, *(space.shape or ()))}.")
    discrete = not isinstance(space, spaces.Box)
    if action.dtype.kind not in ("iu" if discrete else "iuf"):
        raise test.fail("actions", f"their dtype is {action.dtype}.", f"The space is {space}: return fitting numbers.")
    count = getattr(space, "n", getattr(space, "nvec", None))
    low, high = (0, count - 1) if count is not None else (space.low, space.high)
    if not ((action >= low) & (action <= high)).all():
        raise test.fail("actions", f"they go from {action.min()} to {action.max()}.", f"Keep them in {space}.")
    action = action.reshape(*frame.present.shape, *action.shape[1:]).astype(np.int64 if discrete else np.float64)
    if frame.mask is not None:
        allowed = np.take_along_axis(frame.mask, action[..., None], axis=-1)[..., 0] | ~frame.present
        if not allowed.all():
            copy, slot = np.argwhere(~allowed)[0]
            what = f"action {action[copy, slot]} is taken where {np.flatnonzero(frame.mask[copy, slot])} are allowed."
            raise test.fail("masks", what, "Ask view.action_mask() in each predict.")
    return action


def _remembers_nothing(test: _Test) -> None:
    before = _content(test.agent)
    replay = test.recording.again()
    with test.during("access", "another world behind the same view: the agent"):
        for t in range(test.steps):
            replay.step(t)
    after = _content(test.agent)
    if before != after:
        changed = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
        raise test.fail("memory", f"it changed {', '.join(changed)} on itself.", "Keep it in the state instead.")


def _content(agent: Any) -> dict[str, Any]:
    """The agent's attributes by name, with all that they hold, to be compared."""
    return {name: _plain(value, ()) for name, value in getattr(agent, "__dict__", {}).items()}


def _plain(value: Any, above: tuple[int, ...]) -> Any:
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype.str, value.shape, value.tobytes()
    if id(value) in above or (isinstance(value, type | Callable) and not hasattr(value, "__dict__")):
        return type(value).__name__
    inside = (*above, id(value))
    if isinstance(value, dict):
        return [(repr(k), _plain(v, inside)) for k, v in value.items()]
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [type(value).__name__, *(_plain(v, inside) for v in value)]
    if isinstance(value, np.random.Generator):
        return _plain(value.bit_generator.state, inside)
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return [type(value).__name__, _plain(vars(value), inside)]
    return repr(value)


def _is_repeatable(test: _Test) -> None:
    again = test.record()
    todo = "Draw from the rng of begin alone, and start all memory in begin."
    for t, frame in enumerate(test.recording.frames):
        shown = again.show()
        answer = again.play.predict(shown.observation, shown.started)
        action = _valid_action(test, shown, answer)
        if not np.array_equal(action, frame.action):
            what = f"at step {t} it did {_text(action)} where it had done {_text(frame.action)}."
            raise test.fail("seed", what, todo)
        again.step(action)


def _keeps_its_access(test: _Test) -> None:
    """Behind the replay's view stands another world."""
    level = sees(test.agent)
    todo = f"Use what view.look() and the observation tell at the level {level!r}, or declare a higher level."
    replay = test.recording.again()
    with test.during("access", "another world behind the same view: the agent"):
        for t in range(test.steps):
            test.compare("access", replay, replay.step(t), slice(None), todo)


def _states(test: _Test) -> None:
    one, other = test.recording.again(), test.recording.again()
    todo = "Keep the memory in the state: no module, class or cache may hold it."
    for t in range(test.steps):
        test.compare("states", one, one.step(t), slice(None), todo)
        if t:  # a step behind
            test.compare("states", other, other.step(t - 1), slice(None), todo)


def _order(test: _Test) -> None:
    replay = test.recording.again(np.roll(test.recording.envs, 1)[::-1])
    todo = "Let each row depend on its own observation, memory and rng alone."
    for t in range(test.steps):
        test.compare("order", replay, replay.step(t), slice(None), todo)


def _batch(test: _Test) -> None:
    last = test.num_envs - 1
    todo = "Let each row depend on itself alone: no mean over rows, no count of rows."
    for block in ([last], list(range(last))):
        replay = test.recording.again(block)
        for t in range(test.steps):
            test.compare("batch", replay, replay.step(t), slice(None), todo)


def _slots(test: _Test) -> None:
    """Each agent slot beside those of other environments; not tried where `reveal` grants a local agent anything."""
    if sees(test.agent) != "local" or test.scenario.num_agents == 1 or test.recording.frames[0].known:
        return
    replay = test.recording.mixed()
    todo = "Let each row depend on its own observation alone, or declare the access level 'central'."
    for t in range(test.steps):
        test.compare("slots", replay, replay.step(t), slice(None), todo)


def _start(test: _Test) -> None:
    """Half-way the first environment's episode begins anew; the others go on."""
    replay, half = test.recording.again(), test.steps // 2 | 1  # odd: no multiple of what an agent may count in
    first = test.recording.envs == 0
    checked = ~first if getattr(test.agent, "carries", False) else np.ones(test.num_envs, bool)
    todo = "Reset the rows that episode_start marks, no others; carries = True says that what is learnt outlives it."
    for t in range(test.steps):
        back = t >= half
        if t == half:
            replay.restart_chance(np.flatnonzero(first))
        at = np.where(first & back, t - half, t)
        action = replay.step(at, starts=first & (t == half), ends=first & (t == half - 1))
        if back:
            test.compare("start", replay, action, checked, todo)


def _text(action: NDArray[Any]) -> str:
    """Actions, shortly."""
    flat = np.asarray(action).ravel().tolist()
    return str(flat[:12])[:-1] + (", …]" if len(flat) > 12 else "]")
