"""Saved policies of power allocation that say how many dB a power changes, and play whatever form powers have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.protocol import AgentError, RowRng, begun
from mmwave_gym.core.batch import View

PRESSED = 1e-3
"""A UE with more pressure than this has missed its requirement lately: its base station rounds up."""
DOWN_ALL_THE_SAME = 0.2
"""Such a base station rounds down where it wants at most this share of a step between levels more; ours, both."""


@dataclass
class _Playing:
    memory: Any
    view: View


class ChangePolicy(Policy):
    """A policy trained with `action="change"` of `MmwavePowerAllocation-v0`, for any of its clusters and networks.

    The change is added to the observed power of the last slot. Bounds of the observation are those of its training,
    so that numbers mean to it what they meant there.
    """

    def begin(self, view: View, rng: RowRng) -> _Playing:
        """Fresh memory. Raises AgentError where base stations observe other fields, or do not choose powers."""
        here, there = ([(f[0], f[1]) for f in fields] for fields in (view.fields, self.metadata["fields"]))
        if here != there or "change_db" not in view.constants:
            raise AgentError(
                f"this policy was trained on {self.metadata['env_id']} with observation='local' and reads "
                f"{', '.join(n for n, _ in there)}; here an observation has {', '.join(n for n, _ in here)}."
            )
        return _Playing(self.fresh(view, rng), view)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        playing: _Playing = begun(state, self)
        constants = playing.view.constants
        if constants["levels"] is None and constants["action"] == "change":
            change_db, playing = self.changes(observation, playing, episode_start, deterministic)
            return np.clip(change_db, -constants["change_db"], constants["change_db"]), playing
        wanted_dbm, playing = self.wanted_dbm(observation, playing, episode_start, deterministic)
        if constants["levels"] is None:
            return wanted_dbm, playing
        low_dbm, high_dbm = constants["power_dbm"]
        position = (wanted_dbm - low_dbm) / (high_dbm - low_dbm) * (constants["levels"] - 1)
        pressure = playing.view.fields.split(np.asarray(observation))["pressure"][:, 0]
        return to_level(position, pressure > PRESSED), playing

    def changes(
        self, observation: NDArray[Any], playing: _Playing, episode_start: Any, deterministic: bool
    ) -> tuple[NDArray[Any], _Playing]:
        """(rows,): changes of power in dB, the network's outputs for observations (rows, features); and the memory.

        episode_start (rows,).
        """
        change_db, playing.memory = super().predict(observation, playing.memory, episode_start, deterministic)
        return change_db, playing

    def wanted_dbm(
        self, observation: NDArray[Any], playing: _Playing, episode_start: Any, deterministic: bool = True
    ) -> tuple[NDArray[np.float64], _Playing]:
        """(rows,): allowed powers in dBm, the observed ones plus the network's changes; and the memory.

        observation: (rows, features), in units. episode_start (rows,).
        """
        change_db, playing = self.changes(observation, playing, episode_start, deterministic)
        before_dbm = playing.view.fields.split(np.asarray(observation))["power_dbm"][:, 0].astype(np.float64)
        return np.clip(before_dbm + change_db, *playing.view.constants["power_dbm"]), playing


def to_level(position: NDArray[Any], pressed: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(rows,): the power level for each position between levels.

    position: (rows,), counted in steps between levels from the lowest. pressed: (rows,), base stations whose UE missed
    its requirement; they take the next level up for most positions, the others the nearest.
    """
    return np.where(pressed, np.ceil(position - DOWN_ALL_THE_SAME), np.rint(position)).astype(np.int64)


def policy_class(metadata: Mapping[str, Any]) -> type[Policy] | None:
    """`ChangePolicy` for a network that was trained to say how many dB a power changes, None for others."""
    trained = {**metadata["kwargs"], **metadata.get("training_kwargs", {})}
    return ChangePolicy if trained.get("action") == "change" else None


__all__ = ["ChangePolicy", "policy_class", "to_level"]
