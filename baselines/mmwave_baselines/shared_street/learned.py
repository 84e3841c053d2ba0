"""Networks over candidate cells that learned from regrets in hindsight or from rewards, with a radio map or without.

One small network scores every candidate of every UE. It sees `INPUTS` numbers of a candidate and, in its second layer,
the mean over the allowed candidates, so it plays any number of UEs and cells. It decides in the slots of commands, and
on a conditional handover where a prepared cell is the stronger one now (`deciding`). `mmwave-gym train regret` and
`mmwave-gym train shared_ppo` train it, see `training`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.shared_street.features import FEATURES, scaled
from mmwave_baselines.shipped import Shipped
from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.protocol import AgentError, RowRng, begun
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import View
from mmwave_gym.core.scenario import ObservationField, ObservationFields
from mmwave_gym.core.types import Float32Array
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.scenarios.shared_street.observation import LATER
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ
from mmwave_gym.scenarios.shared_street.state import CANDIDATES

INPUTS = FEATURES + 3 + 2 * len(LATER) + 2
"""The features of `scaled`, then RSRP of now, is it prepared, and is this a slot of commands; see `inputs` for more."""
LARGEST = 1e3
CALL = 64
"""Rows of a call of the network: always as many, so that a row's output does not depend on the other rows."""

FIELDS = ObservationFields(
    tuple(
        ObservationField(f"input_{i}", CANDIDATES, -LARGEST, LARGEST, "1", "see `inputs`", per="choice")
        for i in range(INPUTS)
    )
)
METADATA: dict[str, Any] = {
    "agent": "shared_street/regret",
    "action": {"kind": "discrete", "n": CANDIDATES},
    "output": "logits",
    "normalised": False,
    "frame_stack": 1,
}
"""What the .json says of every network of this kind: it reads `inputs`, not the observation."""


def inputs(fields: ObservationFields, observation: NDArray[Any]) -> Float32Array:
    """(rows, INPUTS * CANDIDATES): what the network sees of observations (rows, features), as `FIELDS` declare it.

    fields: those of the observation. Numbers without a unit, scaled to about -3 to 3. Absent candidates have zeros.

    After what `INPUTS` names come, against the serving cell: ln(efficiency / sharing + 0.01) by the map at its four
    times, the newest measurement and the RSRP of now; and whether the map knows the place at each of these times.
    """
    seen = fields.split(observation)
    x = np.zeros((len(observation), INPUTS, CANDIDATES), np.float32)
    x[:, :FEATURES] = np.moveaxis(scaled(fields, observation), 2, 1)
    there = seen["rsrp_0_dbm"] != 0.0  # nobody measures 0 dBm: there is no such candidate
    x[:, FEATURES] = np.where(there, (seen["now_dbm"] - NOISE_DBM) / 20.0, 0.0)
    x[:, FEATURES + 1] = seen["prepared"]
    x[:, FEATURES + 2] = np.where(there, seen["measures"], 0.0)
    sharing = np.maximum(seen["sharing"], 1.0)
    values = [np.log(seen[f"ahead_{text}_bps_hz"] / sharing + LEAST_BPS_HZ) for text in LATER]
    values += [seen["rsrp_0_dbm"] / 10.0, seen["now_dbm"] / 10.0]
    for i, value in enumerate(values, FEATURES + 3):
        x[:, i] = np.where(there, value - value[:, :1], 0.0)
    x[:, -len(LATER) :] = np.where(there[:, None], seen["known"][:, :, None], 0.0)
    return x.reshape(len(x), INPUTS * CANDIDATES)


def deciding(fields: ObservationFields, observation: NDArray[Any], mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(n,): the rows in which the network decides, of observations (rows, features) and masks (rows, choices).

    Those with another choice than to stay, in slots of conditional handovers only where one of them is stronger now.
    """
    seen = fields.split(observation)
    now_dbm = seen["now_dbm"]
    stronger = (mask[:, 1:] & (now_dbm[:, 1:] > now_dbm[:, :1])).any(axis=1)
    return np.flatnonzero(mask[:, 1:].any(axis=1) & ((seen["measures"][:, 0] > 0.0) | stronger))


class Scorer:
    """What a `SetNetwork` over `INPUTS` says whose second layer sees the mean, in a quarter of its time.

    Raises AgentError for another network.
    """

    def __init__(self, network: Any):
        layers: Any = getattr(network, "layers", ())
        if network.inputs != FIELDS.size or len(layers) != 3:
            raise AgentError(f"this policy needs a network of two layers that sees {INPUTS} numbers a candidate.")
        (first, self._first_bias), (second, self._second_bias), (last, self._last_bias) = layers
        hidden = len(self._first_bias)
        if first[:, INPUTS:].any() or second[:, 2 * hidden :].any():
            raise AgentError("this policy needs a network whose second layer sees the mean and nothing else in common.")
        parts = (first[:, :INPUTS], second[:, :hidden], second[:, hidden : 2 * hidden], last)
        self._first, self._own, self._common, self._last = (np.ascontiguousarray(part.T) for part in parts)

    def __call__(self, x: Float32Array, mask: NDArray[np.bool_]) -> Float32Array:
        """(rows, choices) from x (rows, INPUTS * CANDIDATES) and which choices are allowed (rows, choices)."""
        rows = len(x)
        seen = np.ascontiguousarray(x.reshape(rows, INPUTS, CANDIDATES).transpose(0, 2, 1)).reshape(-1, INPUTS)
        hidden = np.maximum(seen @ self._first + self._first_bias, 0.0).reshape(rows, CANDIDATES, -1)
        weight = (mask / mask.sum(axis=1, keepdims=True)).astype(np.float32)
        common = np.matmul(weight[:, None], hidden)[:, 0] @ self._common + self._second_bias
        own = (hidden.reshape(rows * CANDIDATES, -1) @ self._own).reshape(hidden.shape)
        hidden = np.maximum(own + common[:, None], 0.0)
        return (hidden.reshape(rows * CANDIDATES, -1) @ self._last + self._last_bias).reshape(rows, CANDIDATES)


class RegretPolicy(Policy):
    """Plays `MmwaveSharedStreet-v0` with any keywords."""

    @cached_property
    def scorer(self) -> Scorer:
        return Scorer(self.network)

    def begin(self, view: View, rng: RowRng) -> View:
        """The view is all it needs: it remembers nothing. Raises AgentError where the environment is another one."""
        if not {"rsrp_0_dbm", "now_dbm", "sharing", "t310_s"} <= {field.name for field in view.fields}:
            raise AgentError("this policy hands over in shared streets: it is for MmwaveSharedStreet-v0.")
        return view

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows,) for observations (rows, features): the candidate of the highest score that is allowed.

        episode_start: (rows,), not used: the policy remembers nothing.
        """
        view = begun(state, self)
        observation = np.asarray(observation)
        if observation.ndim == 1:
            action, state = self.predict(observation[None], state, episode_start, deterministic)
            return action[0], state
        mask = view.action_mask()
        action = np.zeros(len(observation), np.int64)
        rows = deciding(view.fields, observation, mask)
        if len(rows):
            action[rows] = np.where(mask[rows], self._scores(view, observation[rows], mask[rows]), -np.inf).argmax(1)
        return action, state

    def _scores(self, view: View, observation: NDArray[Any], mask: NDArray[np.bool_]) -> Float32Array:
        """(rows, choices), computed for `CALL` rows at a time; the last call is filled up with copies of row 0."""
        rows = len(observation)
        padding = np.zeros(-rows % CALL, np.intp)
        at = np.concatenate((np.arange(rows), padding)).reshape(-1, CALL)
        x = inputs(view.fields, observation)
        return np.concatenate([self.scorer(x[part], mask[part]) for part in at])[:rows]


def _map_or_not(task: Task) -> str:
    """Whose weights play a task: those of the main task, or where nobody sees the radio map those of the local one."""
    return "main" if task.kwargs.get("shared_map", True) else "local"


Regret = Shipped(
    __package__,
    "regret",
    "regret network",
    "`mmwave-gym train regret`: trained on shared_street/main, on shared_street/local where UEs see no radio map.",
    kind=RegretPolicy,
    trained_for=_map_or_not,
)


PpoRewards = Shipped(
    __package__,
    "ppo_rewards",
    "PPO on rewards",
    "`mmwave-gym train shared_ppo`: the same network, trained on shared_street/main from rewards alone.",
    kind=RegretPolicy,
    trained_for=_map_or_not,
)
