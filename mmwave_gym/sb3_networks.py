"""Networks for Stable-Baselines3 whose last layer sees the input too, and which may begin by preferring to stay.

Choosing among cells is nearly linear in their levels in dB, so a linear path beside the hidden layers learns fast
and the hidden layers refine it. Both are ours. Archives saved with these classes need mmwave-gym to be read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import MlpExtractor
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


def last_layer(model: Any) -> nn.Linear:
    """The layer of a model from which its actions come, whose last inputs are the observation's newest frame."""
    policy = model.policy
    return policy.q_net.q_net.last if hasattr(policy, "q_net") else policy.action_net


__all__ = ["SKIP_GAIN", "MaskableSkipPolicy", "SkipDqnPolicy", "SkipPolicy", "last_layer"]
