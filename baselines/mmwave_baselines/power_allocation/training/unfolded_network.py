"""One slot of unfolded power allocation in torch, and the loss of a rollout through it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from mmwave_baselines.power_allocation import unfolded
from mmwave_baselines.power_allocation.training.unfolded_worlds import Channel
from mmwave_baselines.power_allocation.unfolded import (
    FASTEST,
    FIELDS,
    HIDDEN,
    MEMORY,
    MOST,
    MOST_PRESSURE,
    PRESSURE_GAIN,
)
from mmwave_gym.agents.networks import Network

SLOTS = (12, 24)
"""Slots of a rollout, least and most."""
SETTLED = 5
"""Slots from the start, or from a change, that do not count."""
EDGE_BPS_HZ = 0.2
"""Softness of the requirement where not all can be satisfied."""


class Slot(NamedTuple):
    """What all base stations remember, and what their UEs measured in the last slot; (W, n) each."""

    log_mw: Any
    pressure: Any
    memory: Any  # (W, n, MEMORY)
    log_sinr: Any
    log_heard: Any  # ln of interference and noise over the noise


class Cell(nn.Module):
    """One slot of all base stations of many worlds: `mmwave_baselines.power_allocation.unfolded`, differentiable.

    It holds one network for each of `seeds`, which shares the worlds of a batch equally with the others, in order.
    """

    scale: torch.Tensor
    offset: torch.Tensor

    def __init__(self, power_mw: tuple[float, float], seeds: Sequence[int], hidden: int = HIDDEN):
        super().__init__()
        self.seeds = len(seeds)
        self.low, self.high = (math.log(p) for p in power_mw)
        scale, offset = unfolded.scaling(self.high)
        self.register_buffer("scale", torch.as_tensor(scale))
        self.register_buffer("offset", torch.as_tensor(offset))
        sizes = (FIELDS.size, hidden, hidden, 3 + MEMORY)
        made: list[list[nn.Linear]] = []
        for seed in seeds:
            torch.manual_seed(seed)
            made.append([nn.Linear(m, n) for m, n in itertools.pairwise(sizes)])
            with torch.no_grad():
                made[-1][-1].weight.mul_(0.1)
                made[-1][-1].bias.mul_(0.1)
        layers = list(zip(*made, strict=True))
        self.weights = nn.ParameterList([torch.stack([one.weight.detach().T for one in layer]) for layer in layers])
        self.biases = nn.ParameterList([torch.stack([one.bias.detach()[None] for one in layer]) for layer in layers])

    def layers(self, x: Any) -> Any:
        """(W, n, inputs) to (W, n, outputs), each seed's worlds by its network."""
        y = x.view(self.seeds, -1, x.shape[-1])
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = torch.baddbmm(bias, y.tanh() if i else y, weight)
        return y.view(*x.shape[:-1], -1)

    def measured(self, log_mw: Any, pressure: Any, memory: Any, c: Channel) -> Slot:
        """The slot in which these powers, log_mw (W, N), are transmitted."""
        log_heard = torch.baddbmm(c.noise, c.gain, log_mw.exp()[..., None])[..., 0].log()
        return Slot(log_mw, pressure, memory, log_mw + c.log_own - log_heard, log_heard)

    def first(self, log_mw: Any, c: Channel) -> Slot:
        """The first slot, in which the powers log_mw (W, N) are transmitted."""
        return self.measured(log_mw, torch.zeros_like(log_mw), torch.zeros(*log_mw.shape, MEMORY), c)

    def forward(self, s: Slot, c: Channel, log_target: Any) -> Slot:
        """log_target (W, 1): ln of the SINR that is aimed at."""
        active = s.log_sinr.sigmoid()
        worth = active + s.pressure
        asked = worth * (-s.log_heard).exp()
        price = torch.baddbmm(c.free, asked[:, None, :], c.gain)[:, 0]
        balance = (worth / price).log().clamp(self.low, self.high)
        short = (log_target - s.log_sinr).clamp(-2.0 * MOST, 2.0 * MOST)
        gap = balance - s.log_mw
        own = torch.stack((s.log_mw, short, s.log_heard, gap, s.pressure.log1p(), active), dim=-1)
        seen = torch.addcmul(self.offset, own, self.scale).clamp(-MOST, MOST)
        out = self.layers(torch.cat((seen, s.memory), dim=-1))
        towards, change, speed, kept = out.split((1, 1, 1, MEMORY), dim=-1)
        log_mw = torch.addcmul(s.log_mw, towards[..., 0].sigmoid(), gap) + change[..., 0]
        rate = PRESSURE_GAIN * speed[..., 0].clamp(-FASTEST, FASTEST).exp()
        pressure = torch.addcmul(s.pressure, rate, short.clamp(-MOST, MOST)).clamp(0.0, MOST_PRESSURE)
        memory = (s.memory + kept).tanh()
        return self.measured(log_mw.clamp(self.low, self.high), pressure, memory, c)

    def network(self, at: int) -> Network:
        """That of the seed number `at`."""
        both = zip(self.weights, self.biases, strict=True)
        return Network(tuple((w[at].detach().numpy().T.copy(), b[at, 0].detach().numpy().copy()) for w, b in both))

    def clip(self, most: float = 1.0) -> None:
        """Shorten each seed's gradient to a norm of `most`."""
        slopes: list[Any] = [p.grad for p in self.parameters()]
        squares: Any = sum(g.square().sum(dim=(1, 2), keepdim=True) for g in slopes)
        norm = squares.sqrt()
        for g in slopes:
            g *= (most / (norm + 1e-6)).clamp(max=1.0)


def capacity(s: Slot) -> Any:
    """(W, n) bit/s/Hz."""
    return nn.functional.softplus(s.log_sinr) / math.log(2.0)


class Rollout(NamedTuple):
    """Drawn beginnings: powers, who comes or goes and when, what is aimed at."""

    log_mw: Any  # (W, n)
    slots: int
    earlier: int  # slots that are played before those
    change: int  # the slot before which `after` begins; `slots` for none
    before: Channel
    after: Channel
    arrived: Any  # (W, n): 1 for who has just come
    log_target: Any  # (W, 1)


def loss_of(cell: Cell, r: Rollout, penalty: float, all_can: bool) -> Any:
    """Each seed's loss of a rollout, (seeds,), as the module's text says."""
    s, c = cell.first(r.log_mw, r.before), r.before
    required = torch.log1p(r.log_target.exp()) / math.log(2.0)
    total, weights, since = torch.zeros(()), 0.0, min(r.earlier, SLOTS[1])
    with torch.no_grad():
        for _ in range(r.earlier):
            s = cell(s, c, r.log_target)
    for slot in range(r.slots):
        if slot == r.change:
            c, since = r.after, 0
            stays = 1.0 - r.arrived
            log_mw = torch.where(r.arrived > 0, torch.as_tensor(cell.high), s.log_mw)
            s = cell.measured(log_mw, s.pressure * stays, s.memory * stays[..., None], c)
        s = cell(s, c, r.log_target)
        since += 1
        if since <= SETTLED:
            continue
        got = capacity(s)
        if all_can:
            lost = penalty * (required + 0.02 - got).clamp(min=0.0) - got
        else:
            lost = -got * ((got - required) / EDGE_BPS_HZ).sigmoid()
        total = total + since * (lost * c.present).sum(dim=1) / c.present.sum(dim=1)
        weights += since
    return total.view(cell.seeds, -1).mean(dim=1) / weights
