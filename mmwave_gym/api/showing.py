"""How an API shows observations, masks and actions: one form for Gymnasium, its vectors and PettingZoo."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.core.checks import one_of
from mmwave_gym.core.scenario import Outcome, Scenario

MASKS = ("info", "observation")


def observation_box(scenario: Scenario[Any, Any], normalise: bool = False) -> spaces.Box:
    """The space of one agent's observation, in the units of its fields or normalised to [-1, 1]."""
    if normalise:
        return spaces.Box(-1.0, 1.0, (scenario.fields.size,), np.float32)
    return spaces.Box(scenario.fields.low, scenario.fields.high, dtype=np.float32)


def action_space_of(scenario: Scenario[Any, Any]) -> spaces.Space[Any]:
    """The space of one agent's action. A single number has shape (1,): many libraries cannot take shape ()."""
    space = scenario.action_space
    if isinstance(space, spaces.Box) and space.shape == ():
        return spaces.Box(space.low.reshape(1), space.high.reshape(1), dtype=space.dtype.type)
    return space


class Showing:
    """The form of what agents are shown.

    `mask`: "info" leaves the mask of allowed actions to the info, "observation" makes the observation
    {"observation", "action_mask"}; in scenarios without masks both are the plain array. `normalise`: observations are
    scaled to [-1, 1] by the bounds of their fields, as `make_sb3_vec_env` does. Raises ValueError for other values.
    """

    def __init__(self, scenario: Scenario[Any, Any], mask: str, normalise: bool):
        one_of("mask", mask, MASKS)
        if not isinstance(normalise, bool | np.bool_):
            raise ValueError(f"normalise must be True or False, got {normalise!r}.")
        self.mask_observed = scenario.masked and mask == "observation"
        self.mask_told = scenario.masked and mask == "info"
        self._normalisation = Normalisation(scenario.fields) if normalise else None
        self.space: spaces.Space[Any] = observation_box(scenario, bool(normalise))
        self.action_space = action_space_of(scenario)
        self.names = (*(m.name for m in (*scenario.metrics, *scenario.own)), "elapsed_s")
        if self.mask_observed:
            actions = spaces.flatdim(scenario.action_space)
            self.space = spaces.Dict({"observation": self.space, "action_mask": spaces.MultiBinary(actions)})

    def array(self, observed: NDArray[np.float32]) -> NDArray[np.float32]:
        """What agents are shown of it, without the mask. observed: (N, F) or (F,), in the units of the fields."""
        return observed if self._normalisation is None else self._normalisation(observed)

    def observation(self, observed: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> Any:
        """The observation, of the space or a batch of it.

        observed: (N, F) or (F,), in the units of the fields. mask: (N, actions) or (actions,), or None.
        """
        shown = self.array(observed)
        if not self.mask_observed or mask is None:
            return shown
        return {"observation": shown, "action_mask": mask.astype(np.int8)}

    def nothing(self) -> dict[str, float]:
        """The info of a reset: the same keys as a step's, all 0."""
        return dict.fromkeys(self.names, 0.0)


def numbers(outcome: Outcome) -> dict[str, NDArray[np.float64]]:
    """All that an outcome tells by name, (N, A) or (N,): the network's metrics, an agent's own, the time."""
    return {**outcome.metrics, **outcome.own, "elapsed_s": outcome.elapsed_s}
