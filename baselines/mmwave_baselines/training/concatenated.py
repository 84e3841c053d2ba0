"""Environments with different keywords as one vector environment, so that one network learns in all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv


class ConcatenatedVecEnv(VecEnv):
    """Vector environments one after the other, each a `ScenarioVecEnv` or wrapped around one, in `venvs`.

    Observations are (num_envs, features), rewards and ends (num_envs,), where `num_envs` is the sum over `venvs`. All
    normalise observations by the bounds of the first, so that a number means the same everywhere; bounds may differ,
    as that of a count of agents does. Raises ValueError where actions or fields differ.
    """

    def __init__(self, venvs: Sequence[Any]):
        first = venvs[0].unwrapped
        for venv in venvs[1:]:
            other = venv.unwrapped
            if other.action_space != first.action_space or _named(other) != _named(first):
                raise ValueError("worlds that are trained in together need the same observations and actions.")
            other.normalisation = first.normalisation
        self.venvs = tuple(venvs)
        self.scenario, self.normalisation = first.scenario, first.normalisation
        self.render_mode: str | None = None
        self._ends = np.cumsum([venv.num_envs for venv in venvs])
        super().__init__(int(self._ends[-1]), first.observation_space, first.action_space)

    def reset(self) -> NDArray[np.float32]:
        return np.concatenate([venv.reset() for venv in self.venvs])

    def step_async(self, actions: NDArray[Any]) -> None:
        for venv, own in zip(self.venvs, np.split(np.asarray(actions), self._ends[:-1]), strict=True):
            venv.step_async(own)

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        observation, reward, done, infos = zip(*(venv.step_wait() for venv in self.venvs), strict=True)
        flat = [info for own in infos for info in own]
        return np.concatenate(observation), np.concatenate(reward), np.concatenate(done), flat

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next `reset` begins anew with this training seed."""
        return [s for venv in self.venvs for s in venv.seed(seed)]

    def recent_metrics(self) -> dict[str, float]:
        """As `ScenarioVecEnv.recent_metrics`, the mean over `venvs`; one in which nothing happened is left out."""
        metrics = [venv.unwrapped.recent_metrics() for venv in self.venvs]
        known = {name: [t[name] for t in metrics if not np.isnan(t[name])] for name in metrics[0]}
        return {name: float(np.mean(values)) if values else float("nan") for name, values in known.items()}

    # ------------------------------------------------------------------ SB3's remote access to single environments

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return self._chosen((v for venv in self.venvs for v in venv.get_attr(attr_name)), indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        for i in self._get_indices(indices):
            at = int(np.searchsorted(self._ends, i, side="right"))
            own = int(i - self._ends[at]) + self.venvs[at].num_envs
            self.venvs[at].set_attr(attr_name, value, own)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        every = (v for venv in self.venvs for v in venv.env_method(method_name, *method_args, **method_kwargs))
        return self._chosen(every, indices)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        return self._chosen((v for venv in self.venvs for v in venv.env_is_wrapped(wrapper_class)), indices)

    def _chosen(self, every: Iterable[Any], indices: Any) -> list[Any]:
        values = list(every)
        return values if indices is None else [values[i] for i in self._get_indices(indices)]


def _named(venv: Any) -> list[tuple[Any, ...]]:
    return [(f.name, f.size, f.unit, f.logarithmic, f.per) for f in venv.scenario.fields]


__all__ = ["ConcatenatedVecEnv"]
