"""Training with Stable-Baselines3: its vector environment over a batch, and networks taken out of it.

Stable-Baselines3 refuses Gymnasium's vector environments, and wrapping single ones would cost more than the physics.
`make_sb3_vec_env` needs the extra `mmwave-gym[train]`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from mmwave_gym.agents.networks import AnyNetwork, LstmNetwork, Network, SetNetwork
from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.policy import Normalisation
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.api.sb3_networks import SKIP_GAIN
from mmwave_gym.api.seeds import MAX_SEED
from mmwave_gym.api.showing import action_space_of, observation_box
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import View
from mmwave_gym.core.metrics import RunningCondenser
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.scenario import EpisodeKey, Outcome, Scenario

SEED_SPACING = 2**20
"""Environment i of training seed s plays the episodes of `reset(seed=s * SEED_SPACING + i)`: seeds share no world."""


class _NoInfo(dict[str, Any]):
    """The info of a step on which no episode ended: empty, shared by all environments and steps, so read-only."""

    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError(f"the info of a step without an end is shared and read-only; {key!r} cannot be set.")

    def update(self, *values: Any, **keywords: Any) -> None:
        raise TypeError("the info of a step without an end is shared and read-only.")

    setdefault = update

    def copy(self) -> dict[str, Any]:
        return {}

    def __reduce__(self) -> Any:
        return (dict, ())


_NO_INFO = _NoInfo()


def make_sb3_vec_env(
    id: str, n_envs: int = 1, seed: int | None = None, *, normalise: bool = True, first_episode: int = 0, **kwargs: Any
) -> ScenarioVecEnv:
    """A Stable-Baselines3 VecEnv of `n_envs` environment copies, stepped as one batch.

    id, kwargs: as for `gymnasium.make`. seed: the training seed, None draws one; environment i has the episodes of
    `reset(seed=seed * 2**20 + i)`, beginning with number `first_episode`.

    **Observations are scaled to [-1, 1]** by the declared bounds of their fields; `normalise=False` leaves them in
    their units. With several agents each agent slot of each environment is one environment to SB3, so that all share
    one network: `num_envs` is n_envs times the number of agent slots. An empty slot has zeros as observation and reward
    and counts in no statistics; its step is done when an agent takes it. An episode ends at its horizon, or when no
    agent is left.

    Raises ValueError or TypeError for a wrong id, keyword or number.
    """
    return ScenarioVecEnv(make_registered(id, **kwargs), n_envs, seed, normalise=normalise, first_episode=first_episode)


class ScenarioVecEnv(VecEnv):
    """See `make_sb3_vec_env`. At an episode's end `infos` hold "terminal_observation", "TimeLimit.truncated" and
    "episode": return "r", length "l", time "t" and the metrics of the scenario, condensed as each says (`Metric.per`).
    """

    def __init__(
        self,
        scenario: Scenario[Any, Any],
        n_envs: int,
        seed: int | None = None,
        *,
        normalise: bool = True,
        first_episode: int = 0,
    ):
        if not 1 <= n_envs <= SEED_SPACING:
            raise ValueError(f"n_envs must be between 1 and {SEED_SPACING}, got {n_envs}.")
        if first_episode < 0:
            raise ValueError(f"first_episode must be at least 0, got {first_episode}.")
        self.scenario = scenario
        self.batch = batch_of(scenario, n_envs)
        self.normalised = normalise
        self.normalisation = Normalisation(scenario.fields)
        self.render_mode: str | None = None
        self._n_envs, self._num_slots = n_envs, scenario.num_agents
        self._first_episode = first_episode
        self._attributes: dict[str, list[Any]] = {}
        box = observation_box(scenario, normalise)
        super().__init__(n_envs * self._num_slots, box, action_space_of(scenario))

        shape = (n_envs, self._num_slots)
        self._condenser = RunningCondenser(scenario.metrics, *shape)
        self._present = np.ones(shape, bool)
        self._actions: NDArray[Any] | None = None
        self.outcome: Outcome  # of the last step
        self._began = time.time()
        self._started = False
        self._new_seed: int | None = self._checked_seed(secrets.randbits(40) if seed is None else seed)

    # ------------------------------------------------------------------ what an algorithm calls

    def reset(self) -> NDArray[np.float32]:
        if self._new_seed is not None:
            first = self._new_seed * SEED_SPACING
            self.batch.reset([EpisodeKey(first + i, self._first_episode) for i in range(self._n_envs)])
            self._new_seed = None
        else:
            self.batch.restart(np.arange(self._n_envs), ended=False)
        self._started = True
        self._condenser.restart(np.arange(self._n_envs), ended=False)
        self._seat()
        self._reset_seeds()
        self._reset_options()
        return self._shown(self.batch.observe())

    def step_async(self, actions: NDArray[Any]) -> None:
        if not self._started:
            raise ResetNeeded("call reset() before step().")
        joint = checked_action(self.scenario.action_space, actions, (self.num_envs,))
        self._actions = joint.reshape(self._n_envs, self._num_slots, *joint.shape[1:])

    def step_wait(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        if self._actions is None:
            raise ResetNeeded("step_async() must come before step_wait().")
        self.outcome = outcome = self.batch.step(self._actions)
        self._actions = None
        was = self._present
        self._condenser.add(outcome, was if self._num_slots > 1 else None)
        observation = self.batch.observe()
        over, done = self._ends(outcome, was)
        infos: list[dict[str, Any]] = [_NO_INFO] * self.num_envs
        if done.any():
            final = self._shown(observation)
            self._tell(infos, final, outcome, was, done)
            ended = np.flatnonzero(over)
            if len(ended):
                self.batch.restart(ended)
                self._condenser.restart(ended)
                self._seat()
                observation = self.batch.observe()
        reward = outcome.reward.astype(np.float32).reshape(-1)
        return self._shown(observation), reward, done.reshape(-1), infos

    def action_masks(self) -> NDArray[np.bool_]:
        """(num_envs, actions): True for each allowed action; all True without masks.

        The parts of a MultiDiscrete action are side by side.
        """
        mask = self.batch.action_mask()
        if mask is None:
            return np.ones((self.num_envs, spaces.flatdim(self.action_space)), bool)
        return mask.reshape(self.num_envs, -1).copy()

    def close(self) -> None:
        """Nothing to close."""

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """The next `reset` begins anew with this training seed."""
        self._new_seed = self._checked_seed(secrets.randbits(40) if seed is None else seed)
        return [self._new_seed * SEED_SPACING + i // self._num_slots for i in range(self.num_envs)]

    # ------------------------------------------------------------------ for those who look at training

    def recent_metrics(self) -> dict[str, float]:
        """Mean reward a step and the metrics since this was last asked; NaN where nothing happened.

        See `Condenser` for what they mean: "all" is the mean over the episodes that ended since then.
        """
        return self._condenser.window()

    def view(self, access: str = "local") -> View:
        """What an agent of that access level may know of all environment copies; observations are in their units."""
        return View(self.batch, access)

    def raw_observation(self) -> NDArray[np.float32]:
        """The present observations in their units, (num_envs, features), what agents' `predict` reads."""
        return self.batch.observe().reshape(self.num_envs, -1)

    # ------------------------------------------------------------------ SB3's remote access to single environments

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        rows = list(self._get_indices(indices))
        if attr_name in self._attributes:
            return [self._attributes[attr_name][i] for i in rows]
        value = getattr(self, attr_name)
        return [value] * len(rows)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Keep a value for single environments. The physics is common to all of them and reads no such value."""
        if attr_name not in self._attributes:
            self._attributes[attr_name] = [getattr(self, attr_name, None)] * self.num_envs
        for i in self._get_indices(indices):
            self._attributes[attr_name][i] = value

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        rows = list(self._get_indices(indices))
        if method_name == "action_masks":
            masks = self.action_masks()
            return [masks[i] for i in rows]
        raise AttributeError(f"environments of a batch have the method action_masks only, not {method_name!r}.")

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        # SB3 asks for its Monitor to know whether `infos` tell true episode returns; ours do.
        return [wrapper_class is Monitor for _ in self._get_indices(indices)]

    # ------------------------------------------------------------------ inside

    def _checked_seed(self, seed: int) -> int:
        if not isinstance(seed, int | np.integer) or not 0 <= seed <= MAX_SEED // SEED_SPACING - 1:
            raise ValueError(f"seed must be an integer from 0 to {MAX_SEED // SEED_SPACING - 1}, got {seed!r}.")
        return int(seed)

    def _seat(self) -> None:
        if self._num_slots > 1:
            self._present = self.batch.agent_ids() >= 0

    def _shown(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the algorithm sees of (N, A, F): fresh, (num_envs, F), zeros where nobody sits."""
        shown = observation.reshape(self.num_envs, -1)
        if not self.normalised:
            return shown
        shown = self.normalisation(shown)
        if self._num_slots > 1 and not self._present.all():
            shown[~self._present.reshape(-1)] = 0.0
        return shown

    def _ends(self, outcome: Outcome, was: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Environments that are over, (N,), and agents whose steps end, (N, A); moves `_present` on."""
        if self._num_slots == 1:
            over = outcome.truncated | outcome.terminated[:, 0]
            return over, over[:, None]
        self._seat()
        over = outcome.truncated | ~self._present.any(axis=1)
        done = outcome.terminated | over[:, None] | (~was & self._present)
        return over, done

    def _tell(
        self,
        infos: list[dict[str, Any]],
        final: NDArray[np.float32],
        outcome: Outcome,
        was: NDArray[np.bool_],
        done: NDArray[np.bool_],
    ) -> None:
        now = round(time.time() - self._began, 6)
        for i in np.flatnonzero(done).tolist():
            infos[i] = {"terminal_observation": final[i].copy(), "TimeLimit.truncated": False}
        envs, slots = np.nonzero(done & was)
        steps, returns, condensed = self._condenser.agent_episodes(envs, slots)
        del condensed["reward"]  # a step; "r" is the sum
        truncated = ~outcome.terminated[envs, slots]
        rows = zip(returns.tolist(), steps.astype(int).tolist(), *(c.tolist() for c in condensed.values()), strict=True)
        for i, cut, (r, length, *means) in zip(envs * self._num_slots + slots, truncated.tolist(), rows, strict=True):
            infos[i]["TimeLimit.truncated"] = cut
            infos[i]["episode"] = {"r": r, "l": length, "t": now, **dict(zip(condensed, means, strict=True))}
        self._condenser.begin_agents(done)


def network_of(model: Any) -> tuple[AnyNetwork, str]:
    """The network that a Stable-Baselines3 model acts with, and what it gives out: "logits", "mean" or "q".

    PPO, A2C, MaskablePPO and SAC give their actor, DQN its Q-network; each a multi-layer perceptron, or a network over
    choices of `api.sb3_networks`. SAC's gives out "squashed": the hyperbolic tangent of its output is the action
    in the range [-1, 1]. RecurrentPPO gives its actor's LSTM. Raises AgentError for others.
    """
    policy = model.policy
    if hasattr(policy, "lstm_actor"):
        return _recurrent(policy), "logits"
    actor = getattr(policy, "actor", None)
    squashed = hasattr(actor, "latent_pi") and hasattr(actor, "log_std")  # SAC's
    if hasattr(policy, "q_net"):
        body, output = policy.q_net.q_net, "q"
    elif squashed:
        body, output = actor, "squashed"
    elif hasattr(policy, "mlp_extractor") and hasattr(policy, "action_net"):
        body, output = policy.mlp_extractor, "mean" if isinstance(policy.action_space, spaces.Box) else "logits"
    else:
        raise AgentError(f"{type(model).__name__} has no network that can be taken out; it can be saved as .zip only.")
    over_choices = hasattr(body if output == "q" else getattr(body, "actor", None), "columns")
    if over_choices:
        body = body if output == "q" else body.actor
        skip, modules = False, [*(m for layer in body.hidden for m in (layer, body.activation)), body.last]
    elif output == "q":
        skip = not isinstance(body, nn.Sequential)
        modules = [*(body.hidden if skip else body), *([body.last] if skip else [])]
    elif squashed:
        skip, modules = False, [*body.latent_pi, body.mu]
    else:
        skip = getattr(body, "skip", False)
        last = policy.action_net
        modules = [*body.policy_net, getattr(last, "linear", last)]
    linear = [m for m in modules if isinstance(m, nn.Linear)]
    others = {type(m) for m in modules if not isinstance(m, nn.Linear)}
    known = {nn.Tanh: "tanh", nn.ReLU: "relu"}
    if len(others) > 1 or not others <= set(known):
        raise AgentError(f"only networks of linear layers with tanh or ReLU can be saved, got {others}.")
    activation = known[next(iter(others))] if others else "tanh"
    layers: list[Any] = [(_array(m.weight), _array(m.bias)) for m in linear]
    seen: Any = getattr(actor if squashed else policy, "features_extractor", None)
    if over_choices:
        inputs, columns = int(policy.observation_space.shape[0]), body.columns.cpu().numpy()
        marks = None if body.marks is None else body.marks.cpu().numpy()
        if hasattr(seen, "scale"):
            _fold(layers, _array(seen.mean)[columns[0]], _array(seen.scale)[columns[0]], marks is not None)
        return SetNetwork(tuple(layers), columns, inputs, activation, marks), output
    if skip:
        layers[-1][0][:, -linear[0].in_features :] *= SKIP_GAIN  # a saved network sees its input as it is
    if hasattr(getattr(policy, "action_net", None), "unit"):
        layers[-1] = tuple(part * np.float32(policy.action_net.unit) for part in layers[-1])
    if hasattr(seen, "scale"):
        weight = layers[0][0] * _array(seen.scale)
        layers[0] = (weight, layers[0][1] - weight @ _array(seen.mean))
    log_std = _array(policy.log_std) if output == "mean" else None
    return Network(tuple(layers), activation, skip, log_std), output


def _fold(layers: list[Any], mean: NDArray[np.float32], scale: NDArray[np.float32], relative: bool) -> None:
    """Put the units of the features, alike for all choices, into the layers over choices that see them."""
    if relative:  # differences have no mean
        mean, scale = np.concatenate((mean, 0.0 * mean)), np.concatenate((scale, scale))
    weight = layers[0][0] * np.tile(scale, 3)
    layers[0] = (weight, layers[0][1] - weight @ np.tile(mean, 3))
    if relative:
        weight = layers[-1][0].copy()
        weight[:, -len(scale) :] *= scale
        layers[-1] = (weight, layers[-1][1] - weight[:, -len(scale) :] @ mean)


def _recurrent(policy: Any) -> LstmNetwork:
    """The actor of RecurrentPPO: what it sees is selected and scaled, then comes one LSTM layer, then the logits."""
    seen, lstm = policy.pi_features_extractor, policy.lstm_actor
    if not hasattr(seen, "columns") or lstm.num_layers > 1 or len(policy.mlp_extractor.policy_net):
        raise AgentError("only an LSTM layer between chosen inputs (`Selected`) and a linear actor can be saved.")
    scale = _array(seen.scale)
    encoder = np.zeros((len(scale), policy.observation_space.shape[0]), np.float32)
    encoder[np.arange(len(scale)), seen.columns.cpu().numpy()] = scale

    def gates(*parts: Any) -> NDArray[np.float32]:
        """torch stacks input, forget, cell, output; `lstm_step` forget, input, cell, output."""
        i, f, g, o = np.split(np.concatenate([_array(part) for part in parts], axis=1), 4)
        return np.concatenate((f, i, g, o))

    bias = (lstm.bias_ih_l0 + lstm.bias_hh_l0)[:, None]  # two that are always added
    layers = (
        (encoder, -_array(seen.mean) * scale),
        (gates(lstm.weight_ih_l0, lstm.weight_hh_l0), gates(bias)[:, 0]),
        (_array(policy.action_net.weight), _array(policy.action_net.bias)),
    )
    return LstmNetwork(layers)


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.array(tensor.detach().cpu().numpy(), np.float32)


__all__ = ["SEED_SPACING", "ScenarioVecEnv", "make_sb3_vec_env", "network_of"]
