"""Another library's network as an agent: it becomes a `Policy` when it meets its first environment.

Until then nobody knows which of the weights act, nor how many actions there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import (
    Policy,
    PolicyMemory,
    action_metadata,
    check_fits,
    config_of,
    field_metadata,
    outputs_of,
    training_of,
)
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.core.batch import View

FindNetwork = Callable[[int, int], Any]
"""Of the numbers of an observation and of outputs to the network that acts, callable as `Network` is. AgentError."""


class ForeignPolicy:
    """The agent of a network that another library trained, see `formats.described` for `described`.

    name: of the file, for errors. find: gives the network. Raises AgentError where the description is incomplete.
    """

    access = "local"
    kind = "learned"

    def __init__(self, name: str, find: FindNetwork, described: Mapping[str, Any], sha256: str):
        self._name, self._find, self._described = name, find, dict(described)
        self._policy: Policy | None = None
        library, algorithm = described.get("library"), str(described.get("algorithm", "policy"))
        usual = f"{algorithm} ({library})" if library else algorithm
        self.label = str(described.get("label") or usual)
        self.weights_sha256 = sha256
        self.config = {**config_of(described), **({"library": library} if library else {})}
        self.training = training_of(described)

    def begin(self, view: View, rng: RowRng) -> PolicyMemory:
        """Fresh memory for `view.num_rows` rows. Raises AgentError where the environment is another one."""
        if self._policy is None:
            self._policy = self._made_for(view)
        return self._policy.fresh(view, rng)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (rows, …) for observations (rows, features) in their units, and the new memory.

        episode_start: (rows,), see `Agent.predict`. Raises AgentError where `begin` was not called.
        """
        if self._policy is None or state is None:
            raise AgentError("begin(view, rng) must be called first: what is observed is unknown.")
        return self._policy.predict(observation, state, episode_start, deterministic)

    def policy_in(self, view: View) -> Policy:
        """The policy that it is in an environment. Raises AgentError where it does not fit."""
        return self._policy or self._made_for(view)

    def _made_for(self, view: View) -> Policy:
        described, here = self._described, action_metadata(view.action_space)
        if "fields" in described and "action" in described:
            check_fits({"env_id": "another environment", "kwargs": {}, **described}, view)
        inputs, outputs = view.fields.size * int(described.get("frame_stack", 1)), outputs_of(here)
        network = self._find(inputs, outputs)
        output = described.get("output") or getattr(network, "output", "") or _usual_output(view.action_space)
        metadata = {
            "env_id": "",
            "kwargs": {},
            "algorithm": "policy",
            "normalised": False,
            "frame_stack": 1,
            **described,
            "action": here,
            "fields": field_metadata(view.fields),
            "output": output,
        }
        if output == "action":
            return _Chosen(network, metadata)
        if output == "squashed" and not isinstance(view.action_space, spaces.Box):
            raise AgentError(f"{self._name}: a squashed output is of continuous actions, here they are {here}.")
        return Policy(network, metadata)


class _Chosen(Policy):
    """Of a network whose output is the action itself."""

    def _output(self, memory: PolicyMemory, episode_start: Any, mask: NDArray[np.bool_] | None) -> Any:
        """Actions (rows, …) of the memory's frames; mask (rows, actions) is for graphs that read one."""
        return self.network(memory.frames, mask)

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """As `Policy.predict`: actions (rows, …) for observations (rows, features); episode_start (rows,)."""
        memory = self._frames.remember(np.asarray(observation), state, episode_start)
        mask = None if memory.view is None else memory.view.action_mask()
        return self._output(memory, episode_start, mask), memory


def _usual_output(space: spaces.Space[Any]) -> str:
    return "mean" if isinstance(space, spaces.Box) else "logits"


def mlp(layers: Any, activation: str | None, name: str) -> Network:
    """A perceptron of layers (weight (out, in), bias (out,)), whose hidden ones have this activation. AgentError."""
    if activation is None and len(layers) > 1:
        raise AgentError(
            f"{name} does not say what is between its layers: write "
            '{"activation": "tanh"} or {"activation": "relu"} into the .json beside it.'
        )
    return Network(tuple(layers), activation or "tanh")


__all__ = ["FindNetwork", "ForeignPolicy", "mlp"]
