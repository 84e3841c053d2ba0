"""Rules whose parameters were tuned task by task, on training splits alone.

A scenario's file `tuned_rules.json` holds them: by rule, then by the task's name, `parameters` (keywords of the rule),
`task_hash` of the task at that time, and `tuned_by`, which says what was tried. `mmwave_baselines.training.search`
writes it.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import Any, ClassVar, Self

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.rule import Rule

FILE = "tuned_rules.json"


@lru_cache(maxsize=8)
def tuned(package: str) -> dict[str, dict[str, dict[str, Any]]]:
    """What the file of a scenario's package holds."""
    stored: dict[str, Any] = json.loads(files(package).joinpath(FILE).read_text("utf-8"))
    return stored


class Tuned(Rule):
    """Base of rules with keywords: `for_task` makes one with the parameters tuned for a task, else with its defaults.

    `config` tells the parameters, and what they were tuned on, None for defaults.
    """

    name: ClassVar[str]
    """The rule in the file."""

    @classmethod
    def space(cls, task: Any) -> dict[str, Any]:
        """What a search may choose from, by parameter.

        A pair (lowest, highest) of numbers, a set of choices, or a list of pairs for a parameter of several numbers.
        """
        raise NotImplementedError(f"{cls.name} does not say what its parameters may be.")

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Self:
        """The rule for a task; AgentError for a training seed."""
        if training_seed is not None:
            raise AgentError(f"{cls.name} is a rule and has no training seeds, got {training_seed}.")
        package = cls.__module__.rpartition(".")[0]
        found = None if task is None else tuned(package)[cls.name].get(task.name)
        if found is None:
            made, on, by = cls(), None, None
        else:
            made, by = cls(**found["parameters"]), found["tuned_by"]
            on = f"the training split of {task.name}, task hash {found['task_hash']}"
        made.config = {**made.config, "tuned_on": on, "tuned_by": by}
        return made
