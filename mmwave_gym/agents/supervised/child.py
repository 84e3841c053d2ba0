"""The process in which a supervised agent lives: it loads the agent and answers one call after the other."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pickle
import socket
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mmwave_gym.agents import registry
from mmwave_gym.agents.facts import facts
from mmwave_gym.agents.loading import find, load_agent
from mmwave_gym.agents.protocol import AgentError, NotApplicable, NotInstalled, UnknownAgent, as_array, learns
from mmwave_gym.agents.supervised.view import RemoteView
from mmwave_gym.agents.supervised.wire import AgentLine, Gone, Message, is_raw, packed
from mmwave_gym.core import rooms

_MOST_REASON = 2000  # characters
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
"""One thread, as the evaluation plays its own agents: sums do not depend on the machine's cores."""


def serve(connection: socket.socket) -> NoReturn:
    """Answer until the evaluation ends, then end this process. Never returns, whatever the agent does."""
    try:
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "replace", line_buffering=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "replace", line_buffering=True)
        _Child(AgentLine(connection)).run()
    except (Gone, OSError):
        os._exit(0)
    finally:
        os._exit(1)


class _Child:
    """The agent, and its states by number: a state never leaves this process."""

    def __init__(self, line: AgentLine):
        self._line = line
        self._pid = os.getpid()
        self._call = -1
        self._agent: Any = None
        self._states: dict[int, Any] = {}
        self._views: dict[int, RemoteView] = {}
        self._limit = contextlib.ExitStack()

    def run(self) -> None:
        """One call after the other. Raises Gone at the end."""
        works: dict[str, Callable[[Message], tuple[dict[str, Any], dict[str, NDArray[Any]]]]] = {
            "load": self._load,
            "describe": self._describe,
            "begin": self._begin,
            "predict": self._predict,
            "learn": self._learn,
        }
        while True:
            message = self._receive()
            self._call = message.head["call"]
            for number in message.head.get("forget", ()):
                self._states.pop(number, None)
                self._views.pop(number, None)
            try:
                answer, arrays = works[message.head["do"]](message)
                parts = packed({"call": self._call, **answer}, arrays)
            except BaseException as error:  # whatever it is, it is the agent's and becomes a reason
                library = error.library if isinstance(error, NotInstalled) else None
                failure = {"error": _kind(error), "text": _error_text(error)[:_MOST_REASON], "library": library}
                parts = packed({"call": self._call, **failure}, {})
            self._send(parts)

    def _receive(self) -> Message:
        self._still_itself()
        return self._line.receive()

    def _send(self, parts: list[Any]) -> None:
        self._still_itself()
        self._line.send(parts)

    def _still_itself(self) -> None:
        """A twin that the agent has forked ends here: it must not answer a second time."""
        if os.getpid() != self._pid:
            os._exit(0)

    def _ask(self, question: dict[str, Any]) -> Message:
        self._send(packed({"call": self._call, **question}, {}))
        answer = self._receive()
        if "missing" in answer.head:
            raise KeyError(answer.head["missing"])
        if "error" in answer.head:
            raise RuntimeError(answer.head["error"])
        return answer

    def _settle(self, message: Message) -> dict[str, Any]:
        """Be where the evaluation is: its folder, environment variables, modules and rooms."""
        settings: dict[str, Any] = pickle.loads(message.pickled)
        os.environ.clear()
        os.environ.update({**settings["environ"], **THREADS})
        os.chdir(settings["folder"])
        importlib.invalidate_caches()
        for room in settings["rooms"]:
            rooms.add(room)
        settings.update(pickle.loads(settings["task"]))
        return settings

    def _load(self, message: Message) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        settings = self._settle(message)
        self._agent = load_agent(settings["agent"], settings["scenario"], settings["task"])
        # After its imports, so that the limit holds for the libraries that came with them.
        self._limit.enter_context(threadpool_limits(limits=1))
        can = {"begins": hasattr(self._agent, "begin"), "learns": learns(self._agent)}
        return {"facts": facts(self._agent), **can}, {}

    def _describe(self, message: Message) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The training seeds of an installed agent, and whether it is expensive; UnknownAgent where there is none.

        Who asks for costs has the agent made, so that what its `__init__` lacks is known, too.
        """
        settings = self._settle(message)
        agent, scenario, task = settings["agent"], settings["scenario"], settings["task"]
        if not settings["installed"]:
            if message.head["costs"]:
                load_agent(agent, scenario, task)
            else:
                find(agent, scenario)
            return {"seeds": [None], "expensive": False}, {}
        seeds = list(registry.training_seeds(agent, scenario, task))
        costly = (
            bool(getattr(load_agent(agent, scenario, task), "expensive", False)) if message.head["costs"] else False
        )
        return {"seeds": seeds, "expensive": costly}, {}

    def _begin(self, message: Message) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        number = message.head["state"]
        form, rng = pickle.loads(message.pickled)
        view = self._views[number] = RemoteView(number, form, self._ask)
        self._states[number] = self._agent.begin(view, rng)
        return {"mask": view.asks_for_mask}, {}

    def _predict(self, message: Message) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        number, given = message.head["state"], message.arrays
        view = self._renewed(number, given.get("mask"))
        answer = self._agent.predict(
            given["observation"],
            state=self._states.get(number),
            episode_start=given["episode_start"],
            deterministic=True,
        )
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise AgentError(f"predict must return (action, state), got {type(answer).__name__}.")
        action, self._states[number] = as_array(answer[0]), answer[1]
        if not is_raw(action):
            raise AgentError(f"predict must return numbers, got dtype {action.dtype}.")
        return {"mask": view is not None and view.asks_for_mask}, {"action": action}

    def _learn(self, message: Message) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        number, given = message.head["state"], message.arrays
        self._renewed(number, None)
        info = {"elapsed_s": given.pop("elapsed_s")}
        self._states[number] = self._agent.learn(self._states.get(number), **given, info=info)
        return {}, {}

    def _renewed(self, number: int, mask: NDArray[Any] | None) -> RemoteView | None:
        """The view of a state, as it is in this call; the others know nothing of this call's mask."""
        for view in self._views.values():
            view.renew(None)
        found = self._views.get(number)
        if found is not None:
            found.renew(mask)
        return found


def _kind(error: BaseException) -> str:
    known = (UnknownAgent, NotApplicable, AgentError)
    return next((kind.__name__ for kind in known if isinstance(error, kind)), "other")


def _error_text(error: BaseException) -> str:
    """An error as text. Its own text may fail, too."""
    name = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        text = ""
    if isinstance(error, AgentError):
        return text or name
    return (f"{name}: {text}" if text else name) + _place(error)


def _place(error: BaseException) -> str:
    """ " (my_agent.py, line 12)": the last line of the agent's own code that an error came through; "" where none did.

    Code of this package does not count, and that of libraries only where nothing else was there.
    """
    ours = str(Path(registry.__file__).parents[1])
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    frames = [(file, line) for file, line in frames if not file.startswith((ours, "<"))]
    own = [(file, line) for file, line in frames if not file.startswith(_LIBRARIES)] or frames
    return f" ({Path(own[-1][0]).name}, line {own[-1][1]})" if own else ""
