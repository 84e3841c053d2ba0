"""The evaluation's side of a supervised agent: an agent itself, that asks the one in its process."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import time
import weakref
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents import protocol
from mmwave_gym.agents.facts import checked
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.agents.registry import is_file
from mmwave_gym.agents.supervised.children import Child
from mmwave_gym.agents.supervised.limits import USUAL, Limits
from mmwave_gym.agents.supervised.view import form_of
from mmwave_gym.agents.supervised.wire import (
    Flood,
    Garbage,
    Gone,
    Late,
    Message,
    is_raw,
    packed,
    printable,
    received_names,
)
from mmwave_gym.core import rooms
from mmwave_gym.core.batch import View
from mmwave_gym.core.errors import EXTRAS

_ERRORS = {kind.__name__: kind for kind in (AgentError, protocol.NotApplicable, protocol.UnknownAgent)}
_MOST_REASON = 2000  # characters


class Remembered:
    """The state of a supervised agent. It lies in the agent's process; here it is a number."""

    def __init__(self, number: int, view: View | None):
        self.number, self.view = number, view
        self.wants_mask = False


class _Process:
    """An agent's process and one call after the other, each within the limits. What ends it raises AgentError."""

    def __init__(self, agent: str, limits: Limits):
        self._agent, self._limits = agent, limits
        self._child = Child(limits)
        self._calls, self._spent_s, self._over = 0, 0.0, ""
        self.memories: weakref.WeakValueDictionary[int, Remembered] = weakref.WeakValueDictionary()
        self.forgotten: list[int] = []

    def call(
        self, do: str, head: dict[str, Any], arrays: dict[str, NDArray[Any]] | None = None, pickled: bytes = b""
    ) -> Message:
        """What the agent answers. arrays: of any shape, (...,), in whatever units they have.

        Raises AgentError with the reason where it fails, and for every call after that.
        """
        if self._over:
            raise AgentError(self._over)
        self._calls += 1
        forget, self.forgotten[:] = list(self.forgotten), []
        message = packed({"call": self._calls, "do": do, "forget": forget, **head}, arrays or {}, pickled)
        begun = time.monotonic()
        left_s = self._limits.total_s - self._spent_s
        deadline = begun + min(self._limits.step_s, left_s)
        try:
            answer, answering_s = self._exchange(message, deadline)
        except Late:
            self._fail(self._late(do, left_s))
        except Flood:
            self._fail(f"it printed more than {self._limits.output_mib:g} MiB, the limit of its output.", tail=True)
        except Garbage as error:
            self._fail(f"{do}: its process sent what is no answer: {error}.")
        except Gone:
            self._fail_gone(do)
        except BaseException:  # such as Ctrl-C: the line is in the midst of a message
            self.end()
            raise
        self._spent_s += time.monotonic() - begun - answering_s
        if "error" in answer.head:
            self._fail_told(do, answer.head)
        return answer

    def _exchange(self, message: list[Any], deadline: float) -> tuple[Message, float]:
        """The answer to a call, and for how long the evaluation answered the agent's questions meanwhile."""
        line, answering_s = self._child.line, 0.0
        line.send(message, deadline)
        while True:
            said = line.receive(deadline + answering_s)
            if said.head.get("call") != self._calls:
                raise Garbage("it answers a call that was not made")
            if "ask" not in said.head:
                return said, answering_s
            begun = time.monotonic()
            answer = self._answer(said.head)
            answering_s += time.monotonic() - begun
            line.send(answer, deadline + answering_s)

    def _answer(self, question: dict[str, Any]) -> list[Any]:
        """What the agent's access level grants now of what it asks for."""
        number = question.get("view")
        memory = self.memories.get(number) if isinstance(number, int) else None
        if memory is None or memory.view is None:
            return packed({"error": "the episodes of this view are over."}, {})
        if question["ask"] == "mask":
            mask = memory.view.action_mask()
            return packed({}, {} if mask is None else {"mask": mask})
        if question["ask"] != "look":
            raise Garbage("it asks for what nobody gives")
        try:
            seen = memory.view.look(*received_names(question.get("names")))
        except KeyError as error:
            return packed({"missing": str(error.args[0])}, {})
        other = {name: array for name, array in seen.items() if not is_raw(array)}  # such as sparse matrices
        raw = {name: array for name, array in seen.items() if name not in other}
        return packed({"names": list(seen)}, raw, pickle.dumps(other) if other else b"")

    def _late(self, do: str, left_s: float) -> str:
        if left_s < self._limits.step_s:
            return f"it took {self._limits.total_s:g} s in all, the limit of a run (--limit-s)."
        return f"{do} took {self._limits.step_s:g} s, the limit of one call (--limit-step-s)."

    def _fail_gone(self, do: str) -> NoReturn:
        """The connection is closed: why?"""
        with contextlib.suppress(Flood):
            self._child.line.drain()
        end = self._child.own_end(1.0)
        if end is not None:
            reason = f"its process ended itself with exit code {end.code} in {do}"
            if end.code is not None and end.code < 0:
                reason = f"its process was ended by {_signal(-end.code)} in {do}"
                reason += ", perhaps for want of memory" if -end.code == signal.SIGKILL else ""
        else:
            end = self._child.end()
            did = "killed the process that watches it" if end.code is None else "closed its connection"
            reason = f"it {did} in {do}"
        limits = {
            "processes": f"it started more than {self._limits.processes} processes, the limit.",
            "memory": f"it used more than {self._limits.memory_gib:g} GiB of memory, the limit (--limit-memory-gib).",
        }
        self._fail(limits.get(end.why, f"{reason}."), tail=True)

    def _fail_told(self, do: str, head: dict[str, Any]) -> NoReturn:
        """The agent's process itself says what is wrong. It may decline before it plays, and not when it has begun."""
        text = head.get("text")
        kind = AgentError if do in ("predict", "learn") else _ERRORS.get(str(head["error"]), AgentError)
        reason = printable(text if isinstance(text, str) else "unknown")[:_MOST_REASON]
        if reason.startswith(("MemoryError", "numpy._core._exceptions._ArrayMemoryError", "_ArrayMemoryError")):
            reason += f" (the limit is {self._limits.memory_gib:g} GiB of memory, --limit-memory-gib)"
        self._over = reason
        self.end()
        library = head.get("library")
        if do in ("load", "describe") and library in list(EXTRAS) and find_spec(library) is None:
            raise protocol.NotInstalled(self._agent, library)
        raise kind(reason)

    def _fail(self, reason: str, tail: bool = False) -> NoReturn:
        self.end()
        if tail and (end := self._child.line.tail):
            reason += f" The end of its output: {end}"
        self._over = reason
        raise AgentError(reason) from None

    def end(self) -> None:
        """End the process and all that it has started."""
        self._over = self._over or "this agent was closed."
        self._child.end()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _settings(agent: str, scenario: str | None, task: Any) -> bytes:
    """What an agent's process needs to find the agent as this one would."""
    named = pickle.dumps({"agent": agent, "scenario": scenario, "task": task})
    here = {"environ": dict(os.environ), "folder": os.getcwd(), "rooms": rooms.added()}
    return pickle.dumps({**here, "task": named, "installed": ":" not in agent and not is_file(agent)})


class Supervised:
    """An agent in a process of its own: it sees observations, masks, and what its access level grants, and no batch.

    It has the attributes and methods of the agent. Whatever ends the agent, or a limit that it meets, is an AgentError
    with the reason. `close()` ends the process; so does the garbage collector.
    """

    def __init__(self, agent: str | Path, scenario: str | None = None, task: Any = None, limits: Limits = USUAL):
        self._process = process = _Process(str(agent), limits)
        weakref.finalize(self, process.end)
        reply = process.call("load", {}, pickled=_settings(str(agent), scenario, task)).head
        try:
            facts = checked(reply.get("facts", {}))
        except AgentError:
            process.end()
            raise
        for name, value in facts.items():
            setattr(self, name, value)
        if reply.get("begins") is True:
            self.begin = self._begin
        if reply.get("learns") is True:
            self.learn = self._learn
        self._states = 0

    def _remembered(self, view: View | None) -> Remembered:
        """A new state: the agent's process forgets its own when this one is let go."""
        self._states += 1
        memory = Remembered(self._states, view)
        self._process.memories[self._states] = memory
        weakref.finalize(memory, self._process.forgotten.append, self._states)
        return memory

    def _begin(self, view: View, rng: RowRng) -> Remembered:
        """As `Agent.begin`: the draws of `rng` are made in the agent's process."""
        memory = self._remembered(view)
        answer = self._process.call("begin", {"state": memory.number}, pickled=pickle.dumps((form_of(view), rng)))
        memory.wants_mask = answer.head.get("mask") is True
        return memory

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Remembered]:
        """As `Agent.predict`: actions (rows, …) for observations (rows, features). episode_start: (rows,)."""
        memory: Remembered = state if state is not None else self._remembered(None)
        started = np.zeros(len(observation), bool) if episode_start is None else np.asarray(episode_start, bool)
        given: dict[str, NDArray[Any]] = {"observation": np.asarray(observation), "episode_start": started}
        if memory.wants_mask and memory.view is not None and (mask := memory.view.action_mask()) is not None:
            given["mask"] = mask
        answer = self._process.call("predict", {"state": memory.number}, given)
        memory.wants_mask = answer.head.get("mask") is True
        action = answer.arrays.get("action")
        if action is None:
            raise AgentError("predict: its process sent an answer without actions.")
        return action, memory

    def _learn(
        self,
        state: Any,
        observation: NDArray[Any],
        action: NDArray[Any],
        reward: NDArray[Any],
        next_observation: NDArray[Any],
        done: NDArray[np.bool_],
        info: dict[str, NDArray[Any]],
    ) -> Remembered:
        """As `Agent.learn`: arrays (rows, …)."""
        memory: Remembered = state
        given = {"observation": observation, "action": action, "reward": reward}
        more = {"next_observation": next_observation, "done": done, "elapsed_s": info["elapsed_s"]}
        self._process.call("learn", {"state": memory.number}, {**given, **more})
        return memory

    def close(self) -> None:
        """End the agent's process. Safe to call twice."""
        self._process.end()

    def __enter__(self) -> Supervised:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def runs_of(
    agent: str, scenario: str, task: Any, costs: bool, limits: Limits = USUAL
) -> tuple[tuple[int | None, ...], bool]:
    """The training seeds of an agent that is not shipped, (None,) without, and with `costs` whether it is expensive.

    To know what it costs it is made. Raises UnknownAgent where the text names no agent, AgentError where its code
    fails, NotInstalled where it lacks a library.
    """
    process = _Process(agent, limits)
    try:
        reply = process.call("describe", {"costs": costs}, pickled=_settings(agent, scenario, task)).head
    finally:
        process.end()
    seeds, costly = reply.get("seeds"), reply.get("expensive")
    if not isinstance(seeds, list) or len(seeds) > 1000 or not all(s is None or type(s) is int for s in seeds):
        raise AgentError(f"the training seeds of {agent!r} must be a list of integers.")
    return tuple(seeds) or (None,), costly is True
