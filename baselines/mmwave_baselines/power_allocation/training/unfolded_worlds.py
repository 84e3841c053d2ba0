"""The worlds that unfolded power allocation is trained on, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from mmwave_baselines.power_allocation.unfolded import NO_PRICE
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

STREAM = "train.unfolded"


class Part(NamedTuple):
    """A share of the training worlds: how often it is taken, how many are drawn, and keywords of the environment."""

    share: float
    worlds: int
    kwargs: Mapping[str, Any]


_HARD = {"ue_radius_m": 30.0, "levels": None}
ROWS = {**_HARD, "layout": "rows"}
_POISSON = {**_HARD, "layout": "poisson"}
_PATCH = {**_POISSON, "scope": "network", "interference": "network", "side_m": 400.0}
PARTS = (
    Part(0.05, 500, {**ROWS, "num_bs": 3, "feasible": "only"}),
    Part(0.10, 800, {**ROWS, "num_bs": 6, "feasible": "only"}),
    Part(0.13, 1200, {**ROWS, "num_bs": 10, "feasible": "only"}),
    Part(0.45, 2500, {**ROWS, "num_bs": 14, "feasible": "only"}),
    Part(0.15, 1500, {**_POISSON, "cluster_bs": (2, 20), "feasible": "only"}),
    Part(0.06, 400, _PATCH),
    Part(0.06, 600, {**ROWS, "num_bs": 14, "feasible": "not"}),
)


PARTS_CHOOSE = (
    *("layout", "num_bs", "scope", "cluster_bs", "interference", "interference_range_m", "feasible", "levels"),
    *("changes", "side_m", "action", "authors", "reward", "observation", "horizon", "start", "ue_radius_m"),
)
"""Keywords of a task that say nothing to the training worlds: `PARTS` does, or they are not about worlds."""


class Channel(NamedTuple):
    """Worlds of one part as the network sees them; W worlds, n agent slots. Gains are over the noise, 1 / mW."""

    gain: Any  # (W, n, n) float32: from base station j to UE i, without the own link; zeros for empty slots
    log_own: Any  # (W, n) float32: ln of the own link's gain, 0 for empty slots
    present: Any  # (W, n) float32: 1 or 0
    noise: Any  # (1, 1, 1) float32: 1, what is heard without interference
    free: Any  # (1, 1, 1) float32: what a mW costs where it disturbs nobody

    def take(self, at: Any) -> Channel:
        return self._replace(gain=self.gain[at], log_own=self.log_own[at], present=self.present[at])

    @property
    def worlds(self) -> int:
        """W."""
        return len(self.log_own)


def draw(kwargs: Mapping[str, Any], count: int, seed: int, part: int) -> Channel:
    """`count` worlds of the environment with these keywords; a seed and a part have worlds of their own."""
    scenario: Any = make_scenario("power_allocation", **kwargs)
    drawn = scenario.draw([EpisodeRng(EpisodeKey(seed, number, f"{STREAM}.{part}")) for number in range(count)])
    return channel(drawn.gain, drawn.own_gain, drawn.present[:, 0], scenario.noise_mw)


def channel(gain: Any, own_gain: Any, present: Any, noise_mw: float) -> Channel:
    """Worlds as tensors, without agent slots that all leave empty; linear gains (W, A, A), (W, A); present (W, A)."""
    used = int(np.flatnonzero(present.any(axis=0)).max()) + 1
    present, own = present[:, :used], own_gain[:, :used]
    gain = gain[:, :used, :used] * (present[:, :, None] & present[:, None, :]) / noise_mw
    log_own = np.log(np.where(present, own / noise_mw, 1.0))
    noise, free = np.ones((1, 1, 1)), np.full((1, 1, 1), NO_PRICE)
    return Channel(*_float32(gain, log_own, present, noise, free))


def _float32(*arrays: Any) -> list[Any]:
    return [torch.as_tensor(a, dtype=torch.float32) for a in arrays]


def without_some(c: Channel, gone: Any) -> Channel:
    """The same worlds without the base stations where `gone` (W, n) is 1."""
    left = c.present * (1.0 - gone)
    return c._replace(gain=c.gain * left[:, :, None] * left[:, None, :], present=left)


def together(channels: Sequence[Channel]) -> Channel:
    """Worlds of several seeds as one batch, with as many agent slots as the largest needs."""
    slots = max(c.present.shape[1] for c in channels)
    gain, log_own, present = (
        torch.cat([padded(getattr(c, name), slots) for c in channels]) for name in ("gain", "log_own", "present")
    )
    return Channel(gain, log_own, present, channels[0].noise, channels[0].free)


def padded(values: Any, slots: int) -> Any:
    """(W, n) or (W, n, n) with zeros up to so many agent slots."""
    more = slots - values.shape[1]
    return values if not more else nn.functional.pad(values, (0, more) * (values.dim() - 1))
