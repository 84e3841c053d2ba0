"""Networks for Stable-Baselines3: with a linear path beside the hidden layers, or the same weights for every choice.

Choosing among cells is nearly linear in their levels in dB, so a linear path beside the hidden layers (`Skip…`) learns
fast and the hidden layers refine it; ours. `Plain…` has no such path and sees chosen inputs in units of their spread.
Where choices differ only in what is seen of them, a network over choices (`Set…`,
`mmwave_gym.agents.networks.SetNetwork`) need not learn the same thing for each. Archives saved with these classes
need mmwave-gym to be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor, MlpExtractor
from stable_baselines3.dqn.policies import DQNPolicy, QNetwork
from torch import nn

SKIP_GAIN = 10.0
"""The linear path sees its input magnified, so that a decibel, 0.04 of the normalised range, weighs soon enough."""


class SkipExtractor(MlpExtractor):
    """Hidden layers whose output is joined by their input."""

    skip = True

    def __init__(self, feature_dim: int, *args: Any, **kwargs: Any):
        super().__init__(feature_dim, *args, **kwargs)
        self.latent_dim_pi += feature_dim
        self.latent_dim_vf += feature_dim

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.policy_net(features), SKIP_GAIN * features), dim=1)

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.value_net(features), features), dim=1)


class SkipPolicy(ActorCriticPolicy):
    """For PPO and A2C."""

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = SkipExtractor(self.features_dim, self.net_arch, self.activation_fn, self.device)


class MaskableSkipPolicy(MaskableActorCriticPolicy):
    """For MaskablePPO."""

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = SkipExtractor(self.features_dim, self.net_arch, self.activation_fn, self.device)


class SkipMlp(nn.Module):
    """Hidden layers, then one that sees them and the input."""

    def __init__(self, inputs: int, outputs: int, hidden: list[int], activation: type[nn.Module]):
        super().__init__()
        widths = [inputs, *hidden]
        self.hidden = nn.Sequential(*(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), activation())))
        self.last = nn.Linear(widths[-1] + inputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat((self.hidden(x), SKIP_GAIN * x), dim=1))


class SkipQNetwork(QNetwork):
    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        outputs = int(self.action_space.n)
        self.q_net = SkipMlp(self.features_dim, outputs, self.net_arch, self.activation_fn)  # type: ignore[assignment]


class SkipDqnPolicy(DQNPolicy):
    """For DQN."""

    def make_q_net(self) -> QNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return SkipQNetwork(**arguments).to(self.device)


class Standardised(BaseFeaturesExtractor):
    """The inputs less their `mean`, times `scale`; a scale of 0 hides an input."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, observation_space: Any, mean: Sequence[float], scale: Sequence[float]):
        super().__init__(observation_space, len(mean))
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return (observations.flatten(1) - self.mean) * self.scale


class Selected(Standardised):
    """Only those of the inputs whose scale is not 0: an LSTM need not multiply the others by its weights."""

    columns: torch.Tensor

    def __init__(self, observation_space: Any, mean: Sequence[float], scale: Sequence[float]):
        kept = [i for i, factor in enumerate(scale) if factor]
        super().__init__(observation_space, [mean[i] for i in kept], [scale[i] for i in kept])
        self.register_buffer("columns", torch.tensor(kept))

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        return super().forward(observations.flatten(1)[:, self.columns])


class InUnits(nn.Module):
    """A linear layer whose outputs are in multiples of `unit`."""

    def __init__(self, linear: nn.Linear, unit: float):
        super().__init__()
        self.linear, self.unit = linear, unit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.unit * self.linear(x)


class PlainPolicy(ActorCriticPolicy):
    """For PPO and A2C: a perceptron; outputs for continuous actions are in units of the initial standard deviation."""

    def _build(self, lr_schedule: Any) -> None:
        super()._build(lr_schedule)
        if hasattr(self, "log_std"):
            self.action_net = InUnits(self.action_net, math.exp(self.log_std_init))  # type: ignore[arg-type]


class SetMlp(nn.Module):
    """As `networks.SetNetwork`: (rows, inputs) to one number for each choice, (rows, choices)."""

    def __init__(
        self,
        columns: Sequence[Sequence[int]],
        hidden: Sequence[int],
        activation: type[nn.Module],
        marks: Sequence[int] | None = None,
    ):
        super().__init__()
        self.columns: torch.Tensor
        self.register_buffer("columns", torch.as_tensor(columns))
        self.marks: torch.Tensor | None
        self.register_buffer("marks", None if marks is None else torch.as_tensor(marks))
        widths = [len(columns[0]) * (1 if marks is None else 2), *hidden]
        self.hidden = nn.ModuleList(nn.Linear(3 * a, b) for a, b in pairwise(widths))
        self.activation = activation()
        self.last = nn.Linear(widths[-1] + (0 if marks is None else widths[0]), 1)

    def begin_linear(self, parts: Sequence[tuple[int, float]]) -> None:
        """Begin as a sum over inputs: for each (column of the first choice, weight), its weight times that input.

        The first unit of every layer carries it, scaled so that two layers of tanh take a seventh off the largest sum.
        """
        own = self.columns[0].tolist()
        most = sum(abs(value) for _, value in parts)
        layer: Any
        with torch.no_grad():
            for i, layer in enumerate(self.hidden):
                layer.weight[0], layer.bias[0] = 0.0, 0.0
                for column, value in parts if i == 0 else ():
                    layer.weight[0, own.index(column)] += 0.5 * value / most
                if i > 0:
                    layer.weight[0, 0] = 1.0
            self.last.weight[0, 0] = 2.0 * most

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        hidden = x.T[self.columns].transpose(1, 2).contiguous()  # (choices, rows, features): pools the fastest
        choices, rows, _ = hidden.shape
        if self.marks is not None:
            marked = hidden[x[:, self.marks].argmax(dim=1), torch.arange(rows)]
            hidden = torch.cat((hidden, hidden - marked), dim=2)
        features = hidden
        layer: Any
        for layer in self.hidden:
            own, mean, largest = layer.weight.chunk(3, dim=1)
            if mask is None:
                seen, most = hidden.mean(dim=0), hidden.amax(dim=0)
            else:
                allowed = mask.T[..., None]
                seen = hidden.where(allowed, 0.0).sum(dim=0) / mask.sum(dim=1, keepdim=True)
                most = hidden.where(allowed, -torch.inf).amax(dim=0)
            common = layer.bias + seen @ mean.T + most @ largest.T
            hidden = self.activation((hidden.flatten(0, 1) @ own.T).view(choices, rows, -1) + common)
        if self.marks is not None:
            hidden = torch.cat((hidden, features), dim=2)
        return self.last(hidden).squeeze(-1).T


class SetExtractor(nn.Module):
    """An actor over the choices and a critic that is a multi-layer perceptron.

    The critic is not kept, so it need not know that choices may come in any order, and costs a quarter this way.
    """

    def __init__(
        self,
        inputs: int,
        columns: Sequence[Sequence[int]],
        hidden: Sequence[int],
        activation: type[nn.Module],
        marks: Sequence[int] | None = None,
    ):
        super().__init__()
        self.actor = SetMlp(columns, hidden, activation, marks)
        widths = [inputs, *hidden]
        self.critic = nn.Sequential(*(m for a, b in pairwise(widths) for m in (nn.Linear(a, b), activation())))
        self.latent_dim_pi, self.latent_dim_vf = len(columns), widths[-1]
        self.mask: torch.Tensor | None = None  # which choices are allowed in the rows to come

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.forward_actor(features), self.forward_critic(features)

    def forward_actor(self, features: torch.Tensor) -> torch.Tensor:
        return self.actor(features, self.mask)

    def forward_critic(self, features: torch.Tensor) -> torch.Tensor:
        return self.critic(features)


class _OverChoices:
    """Puts a `SetExtractor` into an actor-critic policy of SB3; `columns` and `marks` are those of `networks`."""

    def __init__(self, *args: Any, columns: Sequence[Sequence[int]], marks: Sequence[int] | None = None, **kwargs: Any):
        self.columns, self.marks = columns, marks
        super().__init__(*args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        own = {"columns": self.columns, "marks": self.marks}
        return {**super()._get_constructor_parameters(), **own}  # type: ignore[misc]

    def _build_mlp_extractor(self: Any) -> None:
        shape = self.features_dim, self.columns, self.net_arch, self.activation_fn
        self.mlp_extractor = SetExtractor(*shape, self.marks)

    def _build(self: Any, lr_schedule: Any) -> None:
        super()._build(lr_schedule)  # type: ignore[misc]
        self.action_net = nn.Identity()  # the extractor's outputs are the logits
        with torch.no_grad():
            self.mlp_extractor.actor.last.weight.mul_(0.01)  # begin undecided, as SB3 does
        self.optimizer = self.optimizer_class(self.parameters(), lr=lr_schedule(1), **self.optimizer_kwargs)


class SetPolicy(_OverChoices, ActorCriticPolicy):  # type: ignore[misc]
    """For PPO and A2C."""


class MaskableSetPolicy(_OverChoices, MaskableActorCriticPolicy):  # type: ignore[misc]
    """For MaskablePPO: choices that are not allowed are left out of what the actor pools."""

    def forward(self, obs: Any, deterministic: bool = False, action_masks: Any = None) -> Any:
        self._allow(action_masks)
        return super().forward(obs, deterministic, action_masks)

    def evaluate_actions(self, obs: Any, actions: Any, action_masks: Any = None) -> Any:
        self._allow(action_masks)
        return super().evaluate_actions(obs, actions, action_masks)

    def get_distribution(self, obs: Any, action_masks: Any = None) -> Any:
        self._allow(action_masks)
        return super().get_distribution(obs, action_masks)

    def _allow(self, masks: Any) -> None:
        shape = (-1, len(self.columns))
        self.mlp_extractor.mask = None if masks is None else torch.as_tensor(masks).reshape(shape).bool()


class SetQNetwork(QNetwork):
    def __init__(self, *args: Any, columns: Sequence[Sequence[int]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.q_net = SetMlp(columns, self.net_arch, self.activation_fn)  # type: ignore[assignment]


class SetDqnPolicy(DQNPolicy):
    """For DQN."""

    def __init__(self, *args: Any, columns: Sequence[Sequence[int]], **kwargs: Any):
        self.columns = columns
        super().__init__(*args, **kwargs)

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "columns": self.columns}

    def make_q_net(self) -> QNetwork:
        arguments = self._update_features_extractor(self.net_args, features_extractor=None)
        return SetQNetwork(**arguments, columns=self.columns).to(self.device)


def last_layer(model: Any) -> nn.Linear:
    """The layer of a model from which its actions come, whose last inputs are the observation's newest frame."""
    policy = model.policy
    return policy.q_net.q_net.last if hasattr(policy, "q_net") else policy.action_net


__all__ = [
    "SKIP_GAIN", "InUnits", "MaskableSetPolicy", "MaskableSkipPolicy", "PlainPolicy", "Selected", "SetDqnPolicy",
    "SetMlp", "SetPolicy", "SkipDqnPolicy", "SkipPolicy", "Standardised", "last_layer",
]  # fmt: skip
