"""What the trainers of shared streets have in common: the network in torch, the agent that draws, an evaluation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mmwave_baselines.shared_street.features import records
from mmwave_baselines.shared_street.learned import FIELDS, INPUTS, METADATA, RegretPolicy, deciding, inputs
from mmwave_baselines.training.run import Run
from mmwave_gym.agents.networks import SetNetwork, choice_columns
from mmwave_gym.agents.policy import field_metadata
from mmwave_gym.core.batch import Batch
from mmwave_gym.scenarios.shared_street.state import CANDIDATES

SEED_SPACING = 2**20
CLIP = 1.0
"""The greatest norm of a gradient."""


class Scores(nn.Module):
    """What `SetNetwork` is for NumPy: two hidden layers, the second with the mean over the allowed candidates."""

    def __init__(self, hidden: int, seed: int):
        super().__init__()
        self.first, self.own = nn.Linear(INPUTS, hidden), nn.Linear(hidden, hidden)
        self.common, self.last = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, 1)
        chance = torch.Generator().manual_seed(seed)
        deviations = ((self.first, 2.0 / INPUTS), (self.own, 1.0 / hidden), (self.common, 1.0 / hidden))
        for layer, variance in (*deviations, (self.last, 0.01)):
            nn.init.normal_(layer.weight, std=variance**0.5, generator=chance)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(rows, choices) from x (rows, INPUTS * choices) and which choices are allowed (rows, choices)."""
        hidden = torch.relu(self.first(x.view(len(x), INPUTS, CANDIDATES).transpose(1, 2)))
        weight = (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(1)
        mean = self.common(torch.bmm(weight, hidden))
        return self.last(torch.relu(self.own(hidden) + mean)).squeeze(2)

    def network(self) -> SetNetwork:
        """The same for NumPy; what `SetNetwork` sees besides has zeros for weights."""
        hidden = self.own.out_features
        w = {name: p.detach().numpy().copy() for name, p in self.named_parameters()}
        first = np.concatenate((w["first.weight"], np.zeros((hidden, 2 * INPUTS), np.float32)), axis=1)
        second = np.concatenate((w["own.weight"], w["common.weight"], np.zeros((hidden, hidden), np.float32)), axis=1)
        layers = ((first, w["first.bias"]), (second, w["own.bias"]), (w["last.weight"], w["last.bias"]))
        return SetNetwork(layers, choice_columns(FIELDS, CANDIDATES), FIELDS.size, "relu")


def described() -> dict[str, Any]:
    """Metadata of a network that is not saved."""
    return {**METADATA, "fields": field_metadata(FIELDS), "env_id": "", "kwargs": {}, "algorithm": "REGRET"}


class Decided(NamedTuple):
    """What was decided in a slot, (n, …)."""

    row: NDArray[np.intp]  # (n,): which UE of which environment, environments first
    x: NDArray[np.float32]  # (n, inputs), see `learned.inputs`
    mask: NDArray[np.bool_]  # (n, choices): which choices were allowed
    scores: NDArray[np.float32]  # (n, choices)
    action: NDArray[np.int64]  # (n,)


class Drawing(RegretPolicy):
    """Draws from the softmax of the scores, all rows from one generator, and keeps what it decided on in every slot."""

    def __init__(self, scores: Scores, rng: np.random.Generator):
        super().__init__(scores.network(), described())
        self.scores, self.rng = scores, rng
        self.kept: list[Decided] = []

    def decided(self) -> tuple[NDArray[np.intp], Decided]:
        """(n,): the slots of all that was decided, counted by calls of `predict`; and all of it."""
        slot = np.repeat(np.arange(len(self.kept)), [len(kept.row) for kept in self.kept])
        return slot, Decided(*(np.concatenate(part) for part in zip(*self.kept, strict=True)))

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        """Drawn actions (rows,) of observations (rows, features), which are kept; episode_start: (rows,), not used."""
        action, allowed = np.zeros(len(observation), np.int64), state.action_mask()
        rows = deciding(state.fields, observation, allowed)
        x, mask = inputs(state.fields, observation[rows]), allowed[rows]
        with torch.no_grad():
            scores = self.scores(torch.as_tensor(x), torch.as_tensor(mask)).numpy()
        if len(rows):
            action[rows] = np.where(mask, scores + self.rng.gumbel(size=scores.shape), -np.inf).argmax(axis=1)
        self.kept.append(Decided(rows, x, mask, scores, action[rows]))
        return action, state


def evaluated(run: Run[Any], scores: Scores, steps: int, decisions: int) -> dict[str, float]:
    """The score on episodes of the task's training split, whose chance nobody trains on; greedily."""
    world, count = run.task.for_training(), run.args.eval_episodes
    batch = Batch(world.scenario(), count, draws_ahead=False)
    batch.reset(world.keys(list(range(count)), "train"))
    agent = RegretPolicy(scores.network(), described())
    found = float(np.mean([trace.utility for trace in records(batch, agent)]))
    run.record({"eval/utility": found}, steps)
    run.curve.add(decisions, {"utility": found})
    run.tell(f"{steps}: utility {found:.4f} in {count} training episodes")
    return {"episodes": count, "utility": found}
