"""From what a user names to an agent that plays: a name, `package:Class`, `file.py:Class`, a file, or an object."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from mmwave_gym.agents.files import load_policy
from mmwave_gym.agents.protocol import AgentError, NotInstalled, UnknownAgent
from mmwave_gym.agents.registry import is_file, named
from mmwave_gym.agents.tuned import declares, tuned_for
from mmwave_gym.core.checks import nearest
from mmwave_gym.core.errors import error_text, missing_library


def load_agent(agent: Any, scenario: str | None = None, task: Any = None) -> Any:
    """The agent behind a name, a name with a training seed ("ppo@3"), "package.module:Class", "file.py:Class", a file
    or an object.

    A file is a policy saved by the training scripts (.npz beside its .json), a Stable-Baselines3 archive (.zip), or one
    of another library; `agents.formats` lists what reading each trusts. An archive holds pickles: load only what you
    trust. `task` is a `Task`; `scenario` completes short names.
    Raises AgentError.
    """
    if not isinstance(agent, str | Path):
        return _prepared(agent, task, None)
    text = str(agent)
    found = find(text, scenario)
    if is_file(text):
        return found
    seed = text.partition("@")[2]
    with _saying_what_lacks(text):
        return _prepared(found, task, int(seed) if seed else None)


def find(agent: str, scenario: str | None = None) -> Any:
    """What a text names, not yet made for a task: a class or factory, or the policy of a file.

    Raises AgentError, NotInstalled where a library of an extra is missing that it imports or names in `needs`.
    """
    with _saying_what_lacks(agent):
        found = _found(agent, scenario)
        for library in getattr(found, "needs", ()):
            if find_spec(library) is None:
                raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return found


@contextlib.contextmanager
def _saying_what_lacks(agent: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, NotInstalled) or (library := missing_library(error)) is None:
            raise
        raise NotInstalled(agent, library) from error


def _found(agent: str, scenario: str | None) -> Any:
    if is_file(agent):
        return load_policy(agent)
    name, _, seed = agent.partition("@")
    if seed and not seed.isdigit():
        raise AgentError(f"the training seed in {agent!r} must be a number, as in 'ppo@3'.")
    return named(name, scenario) if ":" not in name else _imported(name)


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        loaded = _of_file(module) if module.endswith(".py") else importlib.import_module(module)
    except (ImportError, ValueError) as error:  # ValueError: an empty name
        missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        raise (UnknownAgent if missing or not module else AgentError)(
            f"cannot import {module!r} for the agent {name!r}: {error_text(error)}."
        ) from error
    try:
        return getattr(loaded, attribute)
    except AttributeError:
        near = nearest(attribute, (found for found in vars(loaded) if not found.startswith("_")))
        raise UnknownAgent(f"the module {module!r} has no {attribute!r}.{near}") from None


def _of_file(path: str) -> ModuleType:
    """The module of a source file, under the file's name. AgentError where it is missing or that name is taken."""
    place = Path(path).resolve()
    known = sys.modules.get(place.stem)
    if known is not None and getattr(known, "__file__", None) == str(place):
        return known
    spec = spec_from_file_location(place.stem, place) if place.is_file() else None
    if spec is None or spec.loader is None:
        raise UnknownAgent(f"there is no file {path}.")
    if known is not None:
        raise AgentError(f"{path}: a module {place.stem!r} is loaded already. Give the file another name.")
    if (folder := str(place.parent)) not in sys.path:
        sys.path.append(folder)  # for what stands beside it
    made = sys.modules[place.stem] = module_from_spec(spec)
    try:
        spec.loader.exec_module(made)
    except BaseException:
        del sys.modules[place.stem]
        raise
    return made


def _prepared(found: Any, task: Any, training_seed: int | None) -> Any:
    if hasattr(found, "for_task") and (isinstance(found, type) or not hasattr(found, "predict")):
        made = found.for_task(task, training_seed)  # an agent that exists already is played as it is
    elif training_seed is not None:
        raise AgentError(f"{found!r} has no training seeds.")
    elif isinstance(found, type):
        try:
            made = tuned_for(found, task) if declares(found) else found()
        except TypeError as error:
            raise AgentError(f"cannot make a {found.__name__} without arguments: {error}.") from error
    else:
        made = found
    if not callable(getattr(made, "predict", None)):
        raise AgentError(
            f"an agent needs a method predict(observation, state, episode_start, deterministic); {made!r} has none."
        )
    return made
