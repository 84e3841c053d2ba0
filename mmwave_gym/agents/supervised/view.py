"""The view of an agent in a process of its own: it asks the evaluation, and there is no batch behind it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.supervised.wire import Message
from mmwave_gym.core.batch import View

_FORM = ("fields", "action_space", "num_envs", "num_agents", "horizon")


def form_of(view: View) -> dict[str, Any]:
    """What a view says of the task's form, for `RemoteView`."""
    return {"access": view.access, "constants": dict(view.constants), **{name: getattr(view, name) for name in _FORM}}


class RemoteView(View):
    """As `View`, of a batch in another process.

    form: what `form_of` gave there. ask: sends a question, returns the answer; it works while the agent is called.
    """

    def __init__(self, number: int, form: dict[str, Any], ask: Callable[[dict[str, Any]], Message]):
        self._access = form["access"]
        self.constants = form["constants"]
        for name in _FORM:
            setattr(self, name, form[name])
        self._number, self._ask = number, ask
        self._unmasked = False
        self._mask: NDArray[np.bool_] | None = None
        self.asks_for_mask = False
        """Was the mask asked for? Then it comes along with every later observation, which saves a question."""

    def renew(self, mask: NDArray[Any] | None) -> None:
        """A new call begins; `mask` (num_rows, actions) came along with it, or None did."""
        self._mask = mask

    def look(self, *names: str) -> dict[str, NDArray[Any]]:
        """As `View.look`: read-only arrays (num_envs, …) by name, in their own units.

        Raises KeyError for a name that is not granted.
        """
        answer = self._ask({"ask": "look", "view": self._number, "names": list(names)})
        seen: dict[str, NDArray[Any]] = {**answer.arrays, **(pickle.loads(answer.pickled) if answer.pickled else {})}
        for array in seen.values():
            array.flags.writeable = False
        return {name: seen[name] for name in answer.head["names"]}

    def action_mask(self) -> NDArray[np.bool_] | None:
        """As `View.action_mask`: (num_rows, actions), or None where all actions are always allowed."""
        if self._unmasked:
            return None
        if self._mask is None:
            self._mask = self._ask({"ask": "mask", "view": self._number}).arrays.get("mask")
            self._unmasked = self._mask is None
            self.asks_for_mask = not self._unmasked
        return None if self._mask is None else self._mask.copy()
