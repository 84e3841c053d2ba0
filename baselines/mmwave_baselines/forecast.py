"""Least-squares references: a linear forecast of each cell's rate, and a handover where it gains enough.

The forecast is fitted on a task's training split by `mmwave-gym train least-squares --task TASK`, which writes
`least_squares/<task>.npz` beside the agent's module: a matrix for each window that is forecast. `mmwave-gym tune`
then chooses the window and the margin.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, RuleState, Seen
from mmwave_gym.agents.tuned import tuned_for
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.ranges import Allowed, Range, Words
from mmwave_gym.core.types import Float64Array

Answers = Callable[[Seen, Float64Array, str], tuple[Float64Array, Float64Array]]

FOLDER = "least_squares"
RIDGE = 1e-3
"""Penalty on standardised weights, of the mean square of the features; ours."""


def place(kind: type, task_name: str) -> Path:
    """Where the matrices of an agent class for a task are."""
    return Path(inspect.getfile(kind)).with_name(FOLDER) / f"{task_name.partition('/')[2]}.npz"


@lru_cache(maxsize=32)
def matrices(path: Path) -> dict[str, Float64Array]:
    """By window: weights (features + 1, outputs), the last row is the constant."""
    with np.load(path, allow_pickle=False) as held:
        return {name: held[name].astype(np.float64) for name in held.files}


class LeastSquares(Rule, ABC):
    """Base: what is linear in `features` forecasts the mean rate of each cell over a window.

    fitted_on: the task whose training split the forecast was fitted on. window: of the forecast, one of `windows`.
    margin_bps_hz: what the best cell's forecast must gain. ValueError for what is out of range.
    """

    windows: ClassVar[tuple[str, ...]]
    """In seconds."""
    teacher: ClassVar[str]
    """The agent that drives when the first data are seen."""
    label = "least squares"

    def __init__(self, *, fitted_on: str = "", window: str = "", margin_bps_hz: float = 1.0):
        at_least("margin_bps_hz", margin_bps_hz, -1e6)
        window = window or self.windows[0]
        if window not in self.windows:
            raise ValueError(f"window must be one of {', '.join(self.windows)}, got {window!r}.")
        self.config = {"fitted_on": fitted_on, "window": window, "margin_bps_hz": float(margin_bps_hz)}

    @classmethod
    def tunable(cls, task: Any) -> dict[str, Allowed]:
        """What a search may choose; the fit is that of the task."""
        return {
            "fitted_on": Words(task.name),
            "window": Words(*cls.windows),
            "margin_bps_hz": Range(0.0, 4.0, "bit/s/Hz"),
        }

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Self:
        """The agent as it was fitted and tuned for a task. NotApplicable where it was not; AgentError for a seed."""
        if training_seed is not None:
            raise AgentError(f"least-squares has no training seeds, got {training_seed}.")
        made: Self = tuned_for(cls, task)
        if task is not None:
            made.weights()
        return made

    def begin(self, view: View, rng: RowRng | None = None) -> RuleState:
        self.weights()
        return super().begin(view, rng)

    def weights(self) -> Float64Array:
        """(features + 1, outputs). NotApplicable where nothing was fitted."""
        name = self.config["fitted_on"]
        path = place(type(self), name)
        if not name or not path.exists():
            raise NotApplicable(
                f"{self.label} was fitted for no task of this name and world{f', {name}' if name else ''}: "
                "mmwave-gym train least-squares --task TASK, then mmwave-gym tune least-squares --task TASK."
            )
        return matrices(path)[self.config["window"]]

    def forecast(self, features: Float64Array) -> Float64Array:
        """Of features (rows, …, features), in their units: rates or gains in bit/s/Hz, (rows, …, outputs)."""
        weights = self.weights()
        return features @ weights[:-1] + weights[-1]

    @abstractmethod
    def features(self, seen: Seen) -> Float64Array:
        """What the forecast is linear in, (rows, …, features); called once at every decision."""

    @classmethod
    @abstractmethod
    def answers(cls, view: View) -> Answers:
        """For the fit: a function of what is seen, its features (rows, …, features) and a window, into equations.

        They are features (n, features) and what the forecast should have been now, (n, outputs), rows first. view: of
        access "hindsight".
        """


class Ridge:
    """Least squares with a penalty on weights of standardised features, fitted in one pass.

    Add features (n, features) and targets (n, outputs), in any units; `solved` gives (features + 1, outputs).
    """

    def __init__(self, num_features: int, num_outputs: int):
        size = num_features + 1
        self._square, self._cross = np.zeros((size, size)), np.zeros((size, num_outputs))

    def add(self, features: NDArray[Any], targets: NDArray[Any]) -> None:
        """features (n, features) and targets (n, outputs), in any units."""
        x = np.concatenate((features, np.ones((len(features), 1))), axis=1, dtype=np.float64)
        self._square += x.T @ x
        self._cross += x.T @ targets

    def solved(self) -> Float64Array:
        """Weights (features + 1, outputs); the last row is the constant."""
        count = self._square[-1, -1]
        mean = self._square[-1, :-1] / count
        covariance = self._square[:-1, :-1] / count - np.outer(mean, mean)
        scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        scale = np.where(scale > 1e-9, scale, np.inf)  # what never changes has no weight
        with_target = self._cross[:-1] / count - np.outer(mean, self._cross[-1] / count)
        normal = covariance / np.outer(scale, scale) + RIDGE * np.eye(len(scale))
        weights = np.linalg.solve(normal, with_target / scale[:, None]) / scale[:, None]
        return np.concatenate((weights, (self._cross[-1] / count - mean @ weights)[None]))
