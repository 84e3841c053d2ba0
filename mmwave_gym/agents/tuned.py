"""Parameters that an agent declares, so that `mmwave-gym tune` can choose them for a task.

```python
class Patient(Rule):
    tunable: ClassVar = {"hysteresis_db": Range(0.0, 10.0, "dB"), "wait": Count(0, 8)}

    def __init__(self, *, hysteresis_db: float = 3.0, wait: int = 0): ...
```

`tunable` says by keyword of the constructor what a search may choose: a `Range`, a `Count`, a `Flag`, `Words`, or
`Many` of one length, all from `mmwave_gym.core.ranges`. Where that depends on the task, it is a class method of the
task.

What was found stands in the file `tuned_rules.json` beside the class's module: by class, then by task, `parameters`,
the `task_hash` of the task at that time, and `tuned_by`, which says what was tried. Whoever loads the class for that
task gets it with these parameters. For another task it has its defaults. Its `config` says which.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core.ranges import Allowed, Count, Flag, Many, Range, Words

FILE = "tuned_rules.json"
BUDGET = 60
"""Settings that a tuning tries, where nothing else is asked for: that of every shipped rule."""
EPISODES = 64
"""Training episodes that each of them plays."""
SEARCHED = (Range, Count, Flag, Words)
"""What a single value may be, for a search."""
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def declares(agent: Any) -> bool:
    """Is this a class that declares parameters?"""
    return isinstance(agent, type) and hasattr(agent, "tunable")


def parameters(kind: Any, task: Any) -> dict[str, Allowed]:
    """What a search may choose for a task, by keyword of the class `kind`.

    Raises AgentError where the class declares nothing, no keyword of its constructor, or what cannot be searched.
    """
    name = getattr(kind, "__name__", type(kind).__name__)
    if not declares(kind):
        raise AgentError(
            f"{name} declares no parameters: give the class `tunable`, such as "
            'tunable = {"hysteresis_db": Range(0.0, 10.0, "dB")} with a Range of mmwave_gym.core.ranges.'
        )
    declared = kind.tunable(task) if callable(kind.tunable) else kind.tunable
    if not isinstance(declared, Mapping) or not declared:
        raise AgentError(f"{name}.tunable must say what each parameter may be, got {declared!r}.")
    takes = _keywords(kind)
    for keyword, allowed in declared.items():
        if takes.get(keyword, inspect.Parameter.empty) is inspect.Parameter.empty:
            raise AgentError(f"{name}.tunable names {keyword!r}: the constructor must take it, with a default.")
        if not isinstance(allowed, SEARCHED) and not (isinstance(allowed, Many) and allowed.least == allowed.most > 0):
            raise AgentError(
                f"{name}.tunable[{keyword!r}] must be a Range, Count, Flag, Words, or Many of one length, "
                f"got {allowed!r}."
            )
    return dict(declared)


def defaults(kind: Any, names: Mapping[str, Allowed]) -> dict[str, Any]:
    """The defaults of these keywords of a class, those that a search may choose too."""
    takes = _keywords(kind)
    given = {name: takes[name] for name in names}
    return {name: value for name, value in given.items() if _holds(names[name], name, value)}


def earlier(kind: Any, task: Any, names: Mapping[str, Allowed]) -> dict[str, dict[str, Any]]:
    """What was tuned for a class before, by task, the task's own first: those settings that a search may choose here.

    A parameter that can be one word only, such as the task of a fit, is that of this task.
    """
    path = _place(kind)
    held = stored(path).get(kind.__name__, {}) if path is not None else {}
    only = {name: a.words[0] for name, a in names.items() if isinstance(a, Words) and len(a.words) == 1}
    first = {**defaults(kind, names), **only}
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(held, key=lambda name: (name != task.name, name)):
        settings = {**first, **held[name]["parameters"], **only}
        fits = settings.keys() <= names.keys() and all(_holds(names[n], n, value) for n, value in settings.items())
        if fits and settings != first and settings not in found.values():
            found[name] = settings
    return found


def _keywords(kind: Any) -> dict[str, Any]:
    """The defaults of a constructor's keywords, those that it passes on to the classes above it included."""
    found: dict[str, Any] = {}
    for above in kind.__mro__:
        if "__init__" not in vars(above):
            continue
        takes = inspect.signature(above.__init__).parameters.values()
        found = {each.name: each.default for each in takes if each.kind in _BY_NAME} | found
        if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in takes):
            break
    return found


def _holds(allowed: Allowed, name: str, value: Any) -> bool:
    try:
        allowed.check(name, value)
    except ValueError:
        return False
    return True


def file_of(kind: Any) -> Path:
    """Where the parameters of a class are stored. AgentError for a class that stands in no file."""
    path = _place(kind)
    if path is None:
        raise AgentError(f"{kind.__name__} stands in no file: there is no place for what is tuned.")
    return path


def _place(kind: Any) -> Path | None:
    try:
        return Path(inspect.getfile(kind)).with_name(FILE)
    except (OSError, TypeError):
        return None


def stored(path: Path) -> dict[str, dict[str, Any]]:
    """What a file of tuned parameters holds, by class; nothing where there is no file. AgentError for a broken one."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise AgentError(f"{path} cannot be read: {error}. Mend it, or delete it and tune again.") from error
    if not isinstance(found, dict) or not all(isinstance(tasks, dict) for tasks in found.values()):
        raise AgentError(f"{path} must hold an object of objects, by class and task: delete it and tune again.")
    return found


def tuned_for(kind: Any, task: Any) -> Any:
    """The agent of a class that declares parameters, with those that were tuned for a task, else with its defaults.

    task: a `Task`, or None. `config` tells `tuned_on`, None for defaults, and `tuned_by`. AgentError for a broken file.
    """
    entry = None
    if task is not None and (path := _place(kind)) is not None:
        entry = stored(path).get(kind.__name__, {}).get(task.name)
        if entry is not None and entry.get("task_hash") != task.hash:
            entry = None  # tuned for another world of that name
    if entry is None:
        made, on, by = kind(), None, None
    else:
        made, by = kind(**entry["parameters"]), entry["tuned_by"]
        on = f"the training split of {task.name}, task hash {task.hash}"
    made.config = {**getattr(made, "config", {}), "tuned_on": on, "tuned_by": by}
    return made
