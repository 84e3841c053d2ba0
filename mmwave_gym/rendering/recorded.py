"""What scenes have in common that keep a record of the running episode and draw all of it in one picture."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome

if TYPE_CHECKING:
    from mmwave_gym.rendering.canvas import Frame


class Record(Protocol):
    """The running episode of environment 0."""

    def __init__(self, batch: Batch) -> None: ...

    def restart(self) -> None:
        """An episode began."""

    def add(self, outcome: Outcome) -> None:
        """A step was made."""


R = TypeVar("R", bound=Record)


class RecordedScene(Generic[R]):
    """See `mmwave_gym.rendering.renderer.Scene`; a child names its record and its picture, and adds its text."""

    record_type: type[R]
    picture_type: str
    """"module:Class" beside this one; it loads pygame, so not before it is drawn."""

    def __init__(self, batch: Batch):
        self._batch = batch

    @cached_property
    def _record(self) -> R:
        return self.record_type(self._batch)  # with the first episode: before it there is nothing to look at

    @cached_property
    def _picture(self) -> Any:
        module, name = self.picture_type.split(":")
        room = type(self).__module__.rpartition(".")[0]
        return getattr(importlib.import_module(f"{room}.{module}"), name)(self._record)

    def record(self, outcome: Outcome | None) -> None:
        if outcome is None:
            self._record.restart()
        else:
            self._record.add(outcome)

    def picture(self) -> Frame:
        frame: Frame = self._picture.draw()
        return frame
