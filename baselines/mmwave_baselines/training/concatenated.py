"""Copies of one environment with different keywords as one vector environment, so that one network learns in all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv


class PartsVecEnv(VecEnv):
    """Vector environments side by side, each a `ScenarioVecEnv` or wrapped around one.

    All normalise observations by the bounds of the first, so that a number means the same everywhere; bounds may
    differ between parts, as that of a count of agents does. Raises ValueError where actions or fields differ.
    """

    def __init__(self, parts: Sequence[Any]):
        first = parts[0].unwrapped
        for part in parts[1:]:
            other = part.unwrapped
            if other.action_space != first.action_space or _named(other) != _named(first):
                raise ValueError("copies of different worlds need the same observations and actions to train together.")
            other.normalisation = first.normalisation
        self.parts = tuple(parts)
        self.scenario, self.normalisation = first.scenario, first.normalisation
        self.render_mode: str | None = None
        self._ends = np.cumsum([part.num_envs for part in parts])
        super().__init__(int(self._ends[-1]), first.observation_space, first.action_space)

    def reset(self) -> NDArray[np.float32]:
        return np.concatenate([part.reset() for part in self.parts])

    def step_async(self, actions: NDArray[Any]) -> None:
        for part, own in zip(self.parts, np.split(np.asarray(actions), self._ends[:-1]), strict=True):
            part.step_async(own)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        observation, reward, done, infos = zip(*(part.step_wait() for part in self.parts), strict=True)
        told = [info for part in infos for info in part]
        return np.concatenate(observation), np.concatenate(reward), np.concatenate(done), told

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next `reset` begins anew with this training seed."""
        return [s for part in self.parts for s in part.seed(seed)]

    def recent_metrics(self) -> dict[str, float]:
        """As `ScenarioVecEnv.recent_metrics`, the mean over parts; a part in which nothing happened is left out."""
        parts = [part.unwrapped.recent_metrics() for part in self.parts]
        known = {name: [p[name] for p in parts if not np.isnan(p[name])] for name in parts[0]}
        return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}

    # ------------------------------------------------------------------ SB3's remote access to single environments

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return self._chosen((v for part in self.parts for v in part.get_attr(attr_name)), indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        for i in self._get_indices(indices):
            part = int(np.searchsorted(self._ends, i, side="right"))
            own = int(i - self._ends[part]) + self.parts[part].num_envs
            self.parts[part].set_attr(attr_name, value, own)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        every = (v for part in self.parts for v in part.env_method(method_name, *method_args, **method_kwargs))
        return self._chosen(every, indices)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return self._chosen((v for part in self.parts for v in part.env_is_wrapped(wrapper_class)), indices)

    def _chosen(self, every: Iterable[Any], indices: Any) -> list[Any]:
        values = list(every)
        return values if indices is None else [values[i] for i in self._get_indices(indices)]


def _named(venv: Any) -> list[tuple[Any, ...]]:
    return [(f.name, f.size, f.unit, f.logarithmic) for f in venv.scenario.fields]


__all__ = ["PartsVecEnv"]
