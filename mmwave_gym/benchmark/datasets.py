"""Minari data sets of agents' play, and the tasks that they came from. Needs `pip install 'mmwave-gym[minari]'`.

An episode of a data set is the life of one agent: in environments of several, everybody's data lie side by side.
`recover_environment()` gives the environment, `task_of` the task, whose rows are then those of the data set's metadata.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium
import minari
from minari.data_collector import EpisodeBuffer

from mmwave_gym.agents.facts import facts
from mmwave_gym.agents.registry import agents, training_seeds
from mmwave_gym.agents.supervised import playing
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.recording import SPLIT, Life, lives
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import plain
from mmwave_gym.version import __version__

KEY = "mmwave_gym"
"""Of the metadata that are ours, a JSON text."""
AT_ONCE = 256
"""Lives that are in memory before they are written: ours."""
_TASK_FIELDS = (
    "name", "version", "warmup_steps", "scored_steps", "primary", "higher_is_better", "floor", "ceiling",
    "reference", "episodes",
)  # fmt: skip


def export(
    agent: str,
    task: Task,
    episodes: int,
    name: str,
    *,
    replace: bool = False,
    on_episodes: Callable[[int], None] = lambda count: None,
    **supervision: Any,
) -> Any:
    """Play an agent on training episodes of a task and keep them as the Minari data set `name`, which is returned.

    replace: write over a data set of this name. on_episodes: called with how many episodes are done. supervision: of an
    agent that is not shipped, see `supervised.playing`. Raises ValueError for a name that Minari does not take or that
    is taken, AgentError for an agent that cannot be used.
    """
    free(name, replace)
    with playing(agent, task.scenario_name, task, **supervision) as player:
        about = facts(player)
        rows = evaluate(player, task, episodes=episodes, split=SPLIT)
        told = {
            "agent": agent,
            "label": about.get("label", agent),
            "access": about.get("access", "local"),
            "task": {key: value for key, value in task.describe().items() if key in _TASK_FIELDS},
            "task_hash": task.hash,
            "split": SPLIT,
            "rows": rows,
            "package_version": __version__,
        }
        found = lives(player, task, episodes, on_episodes)
        if name in minari.list_local_datasets():
            minari.delete_dataset(name)
        return _written(name, task, found, told)


def free(name: str, replace: bool = False) -> None:
    """ValueError where a data set cannot have this name. replace: it may have that of another one."""
    try:
        minari.dataset.minari_dataset.parse_dataset_id(name)
    except (ValueError, TypeError):
        raise ValueError(
            f"a data set's name is (namespace/)name-v0, a version at its end, got {name!r}: try {name.rstrip('/')}-v0."
        ) from None
    if name in minari.list_local_datasets() and not replace:
        raise ValueError(f"there is a data set {name} already: --replace writes over it, or choose another name.")


def _written(name: str, task: Task, found: Iterable[Life], told: Mapping[str, Any]) -> Any:
    env = gymnasium.make(task.env_id, **_made_with(task))
    data, waiting, ids = None, [], []
    for life in found:
        waiting.append(_buffer(life))
        ids.append({"task_episode": life.episode, "slot": life.slot})
        if len(waiting) >= AT_ONCE:
            data, waiting = _more(data, waiting, name, env, told), []
    data = _more(data, waiting, name, env, told)
    data.storage.update_episode_metadata(ids, range(len(ids)))
    return data


def _more(data: Any, waiting: list[EpisodeBuffer], name: str, env: Any, told: Mapping[str, Any]) -> Any:
    """The data set with these episodes too, made where it is None."""
    if data is not None:
        if waiting:
            data.update_dataset_from_buffer(waiting)
        return data
    task = told["task"]["name"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`(code_permalink|author|author_email)` is set to None")
        data = minari.create_dataset_from_buffers(
            name,
            waiting,
            env=env,
            eval_env=env,
            algorithm_name=told["label"],
            description=f"{told['label']} in {task}, {len(told['rows'])} training episodes of mmwave-gym.",
            requirements=[f"mmwave-gym=={__version__}"],
        )
    data.storage.update_metadata({KEY: json.dumps(told, default=plain)})
    return data


def _buffer(life: Life) -> EpisodeBuffer:
    held: dict[str, Any] = {
        "observations": life.observations,
        "actions": life.actions,
        "rewards": life.rewards.tolist(),
        "terminations": life.terminations.tolist(),
        "truncations": life.truncations.tolist(),
        "infos": life.infos,
    }
    return EpisodeBuffer(**held)


def _made_with(task: Task) -> dict[str, Any]:
    """A task's keywords as values of JSON, as Minari keeps them."""
    kept: dict[str, Any] = json.loads(json.dumps(dict(task.kwargs), default=plain))
    return kept


def told_of(data: Any) -> dict[str, Any]:
    """What `export` wrote into a data set: agent, label, access, task, task_hash, split, rows, package_version.

    Raises ValueError for a data set that was not made here.
    """
    text = data.storage.metadata.get(KEY)
    if text is None:
        raise ValueError(f"{data.id} was not made by mmwave-gym export: it does not say from which task it is.")
    found: dict[str, Any] = json.loads(text)
    return found


def task_of(data: Any) -> Task:
    """The task of a data set, in the environment that `data.recover_environment()` gives.

    An agent has the same rows in it as in the task that the data set was made in. Raises ValueError as `told_of`, and
    where this version's task is another one.
    """
    told, spec = told_of(data), data.recover_environment().spec
    own = {key: value for key, value in spec.kwargs.items() if key != "scenario"}
    usual = gymnasium.spec(spec.id).kwargs
    kwargs = {key: _tuples(value) for key, value in own.items() if key not in usual or value != usual[key]}
    task = Task(env_id=spec.id, kwargs=kwargs, **told["task"])
    if task.hash != told["task_hash"]:
        raise ValueError(f"{data.id} was made in another {task.name}: its rows do not compare with today's.")
    return task


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples, which tasks have."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


@dataclasses.dataclass(frozen=True)
class Play:
    """One of the data sets that `sets` proposes."""

    role: str
    """ "random", "rule", "learned" or "oracle"."""
    agent: str
    task: Task

    @property
    def name(self) -> str:
        scenario, _, task = self.task.name.partition("/")
        return f"mmwave/{scenario}/{task}-{self.role}-v0"


def sets(tasks: Iterable[Task]) -> list[Play]:
    """For every environment id the data sets of random, rule, learned and oracle play in one of its tasks.

    tasks: of the suite. Chosen is the task with the most of the four, among those the one with the fewest decisions.
    Tasks that are expensive, or whose measured data are missing, are left out.
    """
    chosen: dict[str, list[Play]] = {}
    for task in tasks:
        if task.expensive or task.missing_data:
            continue
        here, before = roles(task), chosen.get(task.env_id, [])
        if len(here) > len(before) or (len(here) == len(before) and here and _size(task) < _size(before[0].task)):
            chosen[task.env_id] = here
    return [play for plays in chosen.values() for play in plays]


def _size(task: Task) -> int:
    scenario = task.scenario()
    return int(scenario.horizon * scenario.num_agents)


def roles(task: Task) -> list[Play]:
    """The plays of a task: its floor, its reference, an agent trained for it, its ceiling, those that there are."""
    trained = [name for name in agents(task.scenario_name) if training_seeds(name, task.scenario_name, task) != (None,)]
    learned = "ppo" if "ppo" in trained else next(iter(trained), None)
    known = {"random": task.floor, "rule": task.reference, "learned": learned, "oracle": task.ceiling}
    names = Counter(known.values())
    return [Play(role, name, task) for role, name in known.items() if name and names[name] == 1]


__all__ = ["Play", "export", "free", "roles", "sets", "task_of", "told_of"]
