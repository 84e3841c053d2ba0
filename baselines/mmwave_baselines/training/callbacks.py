"""What happens beside learning: scalars of the network, evaluation on the training split, checkpoints, progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from stable_baselines3.common.callbacks import BaseCallback

from mmwave_baselines.training.curve import Curve
from mmwave_baselines.training.yardstick import Yardstick
from mmwave_gym.api.sb3 import ScenarioVecEnv
from mmwave_gym.core.files import replacing

METRICS_EVERY = 8192
"""Steps between records of the metrics, for algorithms whose rollouts are shorter."""


class Metrics(BaseCallback):
    """Writes rollout/<metric> for every metric of the scenario, and rollout/reward, as the agent meets them."""

    def __init__(self, venv: ScenarioVecEnv):
        super().__init__()
        self._venv = venv
        self._due = 0

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps < self._due:
            return
        self._due = self.num_timesteps + METRICS_EVERY
        for name, value in self._venv.recent_metrics().items():
            if not math.isnan(value):
                self.logger.record(f"rollout/{name}", value)
        if not hasattr(self.model, "rollout_buffer"):  # off-policy algorithms write by episodes, which may be rare
            self.logger.dump(self.num_timesteps)


NEVER = 2**62
"""Steps between evaluations, of a run that has none."""


class Scored(NamedTuple):
    """A network and how it played."""

    steps: int
    scores: dict[str, float]
    policy: dict[str, Any]  # its state_dict


class Evaluation(BaseCallback):
    """Plays the training split every so often: eval/reward, eval/reference_reward, eval/score, and every metric.

    keep: the metric by which the best network is kept in `best`; empty for none. curve: keeps the scores too.
    """

    def __init__(
        self,
        yardstick: Callable[[], Yardstick],
        agent: Callable[[Any], Any],
        every: int,
        keep: str = "",
        curve: Curve | None = None,
    ):
        super().__init__()
        self._make, self._agent, self._every, self._keep, self._curve = yardstick, agent, every, keep, curve
        self._due = every
        self.last: dict[str, float] = {}
        self.best: Scored | None = None

    def _on_training_start(self) -> None:
        self._due = (self.num_timesteps // self._every + 1) * self._every
        if self._curve is not None and self.num_timesteps == 0 and self._every < NEVER:
            self._curve.add(0, self._make().score(self._agent(self.model)))

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self.num_timesteps < self._due:
            return
        self._due += self._every
        self.last = self._make().score(self._agent(self.model))
        for name, value in self.last.items():
            self.logger.record(f"eval/{name}", value)
        if self._curve is not None:
            self._curve.add(self.num_timesteps, self.last)
        if self._keep and (self.best is None or self.last[self._keep] > self.best.scores[self._keep]):
            weights = {name: value.clone() for name, value in self.model.policy.state_dict().items()}
            self.best = Scored(self.num_timesteps, self.last, weights)


class EntropyDecay(BaseCallback):
    """Lets the weight of the entropy fall linearly to 0, so that the policy ends decided."""

    def __init__(self, weight: float):
        super().__init__()
        self._weight = weight

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        model: Any = self.model
        model.ent_coef = self._weight * model._current_progress_remaining


class Checkpoints(BaseCallback):
    """Saves the model so that a kill at any time leaves the last checkpoint whole."""

    def __init__(self, path: Path, every: int):
        super().__init__()
        self._path, self._every = path, every
        self._due = every

    def _on_training_start(self) -> None:
        self._due = self.num_timesteps + self._every

    def _on_step(self) -> bool:
        return True

    def _on_rollout_start(self) -> None:  # between an update and the next rollout, all is consistent
        if self.num_timesteps >= self._due:
            self._due = self.num_timesteps + self._every
            save_model(self.model, self._path)


def save_model(model: Any, path: Path) -> None:
    """Save a Stable-Baselines3 model at once or not at all."""
    with replacing(path, ".zip") as draft:  # SB3 appends .zip to other names
        model.save(draft)


class ProgressBar(BaseCallback):
    """A progress bar with the last score; without a terminal, a line every tenth."""

    def __init__(self, total: int, console: Console, scores: Callable[[], dict[str, float]]):
        super().__init__()
        self._total, self._console, self._scores = total, console, scores
        self._tenth = 0
        self._task: TaskID | None = None
        columns = (BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(TextColumn("{task.description}"), *columns, console=console)

    def _on_training_start(self) -> None:
        self._tenth = 10 * self.num_timesteps // self._total
        if self._console.is_terminal:
            self._bar.start()
            self._task = self._bar.add_task("training", total=self._total, completed=self.num_timesteps)

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=self.num_timesteps, description=f"training {self._said()}")
        elif (tenth := 10 * self.num_timesteps // self._total) > self._tenth:
            self._tenth = tenth
            self._console.print(f"{self.num_timesteps:,} of {self._total:,} steps {self._said()}", highlight=False)

    def _on_training_end(self) -> None:
        self.stop()

    def stop(self) -> None:
        self._bar.stop()

    def _said(self) -> str:
        scores = self._scores()
        shown = [f"{name} {scores[name]:.3f}" for name in ("reward", "reference_reward", "score") if name in scores]
        return ", ".join(shown)
