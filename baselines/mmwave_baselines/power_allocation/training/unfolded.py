"""An unfolded power allocation, trained through the channel: python -m train.unfolded MmwavePowerAllocation-v0

All base stations run the same small network once a slot (`mmwave_baselines.power_allocation.unfolded`, which tells
what it sees and does). No reinforcement learning: SINRs are differentiable in the powers, so the loss is derived
through all slots of a rollout, as if each slot were a layer (K. Gregor, Y. LeCun, "Learning fast approximations of
sparse coding", ICML 2010).

1. Worlds are the environment's own: rows of 3, 6, 10 and 14 base stations, clusters of a Poisson process, and patches
   of a network that all disturb each other; most are drawn so that all UEs can be satisfied. `PARTS` has the shares.
2. A rollout has 12 to 24 slots, from full or from random powers, or from where the network itself has arrived after up
   to 90 slots; without those it drifts away from what it had reached. In a part of them a base station arrives or
   leaves on the way: it comes at full power and remembers nothing.
3. The loss of a slot is the mean over UEs of -C + `penalty` times what is missing to the required capacity; later
   slots weigh more. In part of the rollouts more is required, so that a margin can be asked for when it plays.
4. Where not all can be satisfied, the loss is what satisfied UEs get, with a soft edge: somebody has to give way.
"""

from __future__ import annotations

import itertools
import json
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from torch import nn

from mmwave_baselines.power_allocation import unfolded
from mmwave_baselines.power_allocation.unfolded import (
    FASTEST,
    FIELDS,
    HIDDEN,
    MARGIN,
    MEMORY,
    MOST,
    MOST_PRESSURE,
    NO_PRICE,
    PRESSURE_GAIN,
)
from mmwave_baselines.training.arguments import Command, command, option, parse
from mmwave_gym.agents.files import save_policy
from mmwave_gym.agents.networks import Network
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import replacing
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

STREAM, ORDER = "train.unfolded", 5
HELD = 2**20
"""Added to the seed of worlds that are not trained on."""
FULL_START = 0.6
"""Share of the rollouts that begin at full power, the others at random ones."""
WIDEST_MARGIN = 0.35
BEFORE = (10, 90)
"""Slots before a rollout that begins late; they are played, not differentiated."""
SLOTS = (12, 24)
SETTLED = 5
"""Slots from the start, or from a change, that do not count."""
EVAL_SLOTS = (20, 100)
EVAL_WORLDS = 200
WARM_UP = 50
EDGE_BPS_HZ = 0.2
"""Softness of the requirement where not all can be satisfied."""


class Part(NamedTuple):
    """A share of the training worlds: how often it is taken, how many are drawn, and keywords of the environment."""

    share: float
    worlds: int
    kwargs: Mapping[str, Any]


_HARD = {"ue_radius_m": 30.0, "levels": None}
_ROWS = {**_HARD, "layout": "rows"}
_POISSON = {**_HARD, "layout": "poisson"}
_PATCH = {**_POISSON, "scope": "network", "interference": "network", "side_m": 400.0}
PARTS = (
    Part(0.05, 500, {**_ROWS, "num_bs": 3, "feasible": "only"}),
    Part(0.10, 800, {**_ROWS, "num_bs": 6, "feasible": "only"}),
    Part(0.13, 1200, {**_ROWS, "num_bs": 10, "feasible": "only"}),
    Part(0.45, 2500, {**_ROWS, "num_bs": 14, "feasible": "only"}),
    Part(0.15, 1500, {**_POISSON, "cluster_bs": (2, 20), "feasible": "only"}),
    Part(0.06, 400, _PATCH),
    Part(0.06, 600, {**_ROWS, "num_bs": 14, "feasible": "not"}),
)


PARTS_CHOOSE = ("layout", "num_bs", "scope", "cluster_bs", "interference", "interference_range_m", "feasible", "levels")
PARTS_CHOOSE += ("changes", "side_m", "action", "authors", "reward", "observation", "horizon", "start", "ue_radius_m")
"""Keywords of a task that say nothing to the training worlds: `PARTS` does, or they are not about worlds."""


@dataclass(kw_only=True)
class Unfolded(Command):
    """An unfolded power allocation, trained by the gradient through the channel."""

    steps: int = option(3000, "gradient steps")
    together: int = option(1, "so many seeds side by side, from --seed on: less time than one after the other")
    batch_size: int = option(48, "worlds of a step, all of the same part")
    learning_rate: float = option(3e-3, "at the beginning; it falls to a fiftieth linearly")
    penalty: float = option(15.0, "weight of a missing bit/s/Hz in the loss")
    changes: float = option(0.25, "share of the rollouts in which somebody arrives or leaves")
    late: float = option(0.35, "share of the rollouts that begin late")
    margins: float = option(0.3, "share of the rollouts that ask for a greater margin")
    eval_every: int = option(500, "gradient steps between evaluations on other worlds")
    eval_episodes: int = option(EVAL_WORLDS, "worlds of an evaluation")
    worlds: float = option(1.0, "this many times the usual number of training worlds")

    def __post_init__(self) -> None:
        for name in ("steps", "together", "batch_size", "eval_every", "eval_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}.")
        for name in ("learning_rate", "worlds"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, got {getattr(self, name)}.")
        for name in ("changes", "late", "margins"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"--{name} must be between 0 and 1, got {getattr(self, name)}.")


class Channel(NamedTuple):
    """Worlds of one part as the network sees them; W worlds, n places. Gains are over the noise, 1 / mW."""

    gain: Any  # (W, n, n) float32: from base station j to UE i, without the own link; zeros for empty places
    log_own: Any  # (W, n) float32: ln of the own link's gain, 0 for empty places
    present: Any  # (W, n) float32: 1 or 0
    noise: Any  # (1, 1, 1) float32: 1, what is heard without interference
    free: Any  # (1, 1, 1) float32: what a mW costs where it disturbs nobody

    def take(self, at: Any) -> Channel:
        return self._replace(gain=self.gain[at], log_own=self.log_own[at], present=self.present[at])

    def count(self) -> int:
        return len(self.log_own)


def draw(kwargs: Mapping[str, Any], count: int, seed: int, part: int) -> Channel:
    """`count` worlds of the environment with these keywords; a seed and a part have worlds of their own."""
    scenario: Any = make_scenario("power_allocation", **kwargs)
    drawn = scenario.draw([EpisodeRng(EpisodeKey(seed, number, f"{STREAM}.{part}")) for number in range(count)])
    return channel(drawn.gain, drawn.own_gain, drawn.present[:, 0], scenario.noise_mw)


def channel(gain: Any, own_gain: Any, present: Any, noise_mw: float) -> Channel:
    """Worlds as tensors, without places that are empty in all; linear gains (W, A, A) and (W, A), present (W, A)."""
    used = int(np.flatnonzero(present.any(axis=0)).max()) + 1
    present, own = present[:, :used], own_gain[:, :used]
    gain = gain[:, :used, :used] * (present[:, :, None] & present[:, None, :]) / noise_mw
    log_own = np.log(np.where(present, own / noise_mw, 1.0))
    noise, free = np.ones((1, 1, 1)), np.full((1, 1, 1), NO_PRICE)
    return Channel(*(torch.as_tensor(a, dtype=torch.float32) for a in (gain, log_own, present, noise, free)))


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

    def __init__(self, power_mw: tuple[float, float], seeds: Sequence[int], hidden: int = HIDDEN):
        super().__init__()
        self.seeds = len(seeds)
        self.low, self.high = (math.log(p) for p in power_mw)
        scale, offset = unfolded.scaling(self.high)
        self.register_buffer("scale", torch.as_tensor(scale))
        self.register_buffer("offset", torch.as_tensor(offset))
        sizes = (FIELDS.size, hidden, hidden, 3 + MEMORY)
        made = []
        for seed in seeds:
            torch.manual_seed(seed)
            made.append([nn.Linear(m, n) for m, n in itertools.pairwise(sizes)])
            with torch.no_grad():
                made[-1][-1].weight *= 0.1
                made[-1][-1].bias *= 0.1
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
        """The slot in which these powers are transmitted."""
        log_heard = torch.baddbmm(c.noise, c.gain, log_mw.exp()[..., None])[..., 0].log()
        return Slot(log_mw, pressure, memory, log_mw + c.log_own - log_heard, log_heard)

    def first(self, log_mw: Any, c: Channel) -> Slot:
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
        slopes = [p.grad for p in self.parameters()]
        norm = sum(g.square().sum(dim=(1, 2), keepdim=True) for g in slopes).sqrt()  # type: ignore[union-attr]
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


class Learner:
    """Worlds, networks, their optimiser; seeds that are trained side by side share nothing but its order of parts."""

    def __init__(self, args: Unfolded, task: Task, console: Console):
        torch.set_num_threads(1)
        self.args = args
        self.seeds = range(args.seed, args.seed + args.together)
        own = {k: v for k, v in task.kwargs.items() if k not in PARTS_CHOOSE}
        scenario: Any = make_scenario("power_allocation", **{**_ROWS, **own})
        self.qos_sinr = scenario.config.qos_sinr
        self.cell = Cell(scenario.power_mw, self.seeds)
        self.order = np.random.default_rng(ORDER)
        self.rngs = [np.random.default_rng([seed, 1]) for seed in self.seeds]
        began = time.time()
        self.pools = []
        for i, part in enumerate(PARTS):
            count = max(math.ceil(args.worlds * part.worlds), 2)
            self.pools.append([draw({**part.kwargs, **own}, count, seed, i) for seed in self.seeds])
        held = [draw({**PARTS[3].kwargs, **own}, args.eval_episodes, HELD + seed, 3) for seed in self.seeds]
        self.held = together(held)
        told = sum(c.count() for pool in self.pools for c in pool)
        console.print(f"{told:,} worlds in {time.time() - began:.0f} s", highlight=False)
        self.optimiser = torch.optim.Adam(self.cell.parameters(), args.learning_rate)
        self.steps = 0

    def rollout(self, part: int) -> Rollout:
        """How a rollout begins, for as many worlds of each seed as a batch has."""
        order, size = self.order, self.args.batch_size
        slots = int(order.integers(SLOTS[0], SLOTS[1] + 1))
        wide, changing = order.random() < self.args.margins, order.random() < self.args.changes
        change = int(order.integers(SETTLED, slots - SETTLED)) if changing else slots
        earlier = int(order.integers(*BEFORE)) if order.random() < self.args.late else 0
        parts = [
            self._begin(rng, pool, size, wide, changing) for rng, pool in zip(self.rngs, self.pools[part], strict=True)
        ]
        before, after = (together([p[i] for p in parts]) for i in (0, 1))
        places = before.present.shape[1]
        log_mw, arrived = (torch.cat([_padded(p[i], places) for p in parts]) for i in (2, 3))
        return Rollout(log_mw, slots, earlier, change, before, after, arrived, torch.cat([p[4] for p in parts]))

    def _begin(self, rng: np.random.Generator, pool: Channel, size: int, wide: bool, changing: bool) -> Any:
        c = pool.take(torch.as_tensor(rng.integers(pool.count(), size=size)))
        shape = tuple(c.present.shape)
        random = self.cell.low + (self.cell.high - self.cell.low) * rng.random(shape)
        log_mw = np.where(rng.random((size, 1)) < FULL_START, self.cell.high, random)
        margin = np.maximum(MARGIN, rng.uniform(0.0, WIDEST_MARGIN, (size, 1)) if wide else 0.0)
        log_target = np.log(self.qos_sinr * (1.0 + np.broadcast_to(margin, (size, 1))))
        before, after, arrived = c, c, torch.zeros(shape)
        who = (torch.as_tensor(rng.random(shape)) * c.present).argmax(dim=1)
        comes = torch.as_tensor(rng.random((size, 1)) < 0.5).float()
        if changing:
            one = nn.functional.one_hot(who, shape[1]).float()
            one *= c.present.sum(dim=1, keepdim=True) > 1.0  # nobody leaves a world of one
            arrived = one * comes
            before, after = without_some(c, arrived), without_some(c, one * (1.0 - comes))
        first, target = (torch.as_tensor(a, dtype=torch.float32) for a in (log_mw, log_target))
        return before, after, first, arrived, target

    def update(self) -> tuple[int, list[float]]:
        """One gradient step; which part it was about, and each seed's loss."""
        args = self.args
        rate = min((self.steps + 1) / WARM_UP, 1.0) * (1.0 - 0.98 * self.steps / args.steps)
        self.optimiser.param_groups[0]["lr"] = args.learning_rate * rate
        part = int(self.order.choice(len(PARTS), p=[p.share for p in PARTS]))
        loss = loss_of(self.cell, self.rollout(part), args.penalty, PARTS[part].kwargs.get("feasible") != "not")
        self.optimiser.zero_grad()
        loss.sum().backward()
        self.cell.clip()
        self.optimiser.step()
        self.steps += 1
        return part, loss.detach().tolist()

    def evaluate(self) -> list[dict[str, float]]:
        """Each seed on worlds that it does not train on, after `EVAL_SLOTS` slots from full power."""
        c = self.held
        with torch.no_grad():
            s = self.cell.first(torch.full_like(c.log_own, self.cell.high), c)
            target = torch.full((c.count(), 1), math.log(self.qos_sinr * (1.0 + MARGIN)))
            told: dict[str, Any] = {}
            for slot in range(1, EVAL_SLOTS[-1] + 1):
                s = self.cell(s, c, target)
                if slot in EVAL_SLOTS:
                    got, satisfied = capacity(s) * c.present, (s.log_sinr >= math.log(self.qos_sinr)).float()
                    told |= {
                        f"eval/sum_rate_{slot}": got.sum(dim=1),
                        f"eval/satisfied_rate_{slot}": (got * satisfied).sum(dim=1),
                        f"eval/satisfied_{slot}": satisfied.mean(dim=1),
                    }
        means = {name: value.view(len(self.seeds), -1).mean(dim=1).tolist() for name, value in told.items()}
        return [{name: mean[i] for name, mean in means.items()} for i in range(len(self.seeds))]


def without_some(c: Channel, gone: Any) -> Channel:
    """The same worlds without the base stations where `gone` (W, n) is 1."""
    left = c.present * (1.0 - gone)
    return c._replace(gain=c.gain * left[:, :, None] * left[:, None, :], present=left)


def together(channels: Sequence[Channel]) -> Channel:
    """Worlds of several seeds as one batch, with as many places as the largest needs."""
    places = max(c.present.shape[1] for c in channels)
    joined = (torch.cat([_padded(getattr(c, name), places) for c in channels]) for name in Channel._fields[:3])
    return Channel(*joined, channels[0].noise, channels[0].free)


def _padded(values: Any, places: int) -> Any:
    """(W, n) or (W, n, n) with zeros up to so many places."""
    more = places - values.shape[1]
    return values if not more else nn.functional.pad(values, (0, more) * (values.dim() - 1))


def train(args: Unfolded, console: Console) -> list[Path]:
    """Train as `args` say and return the paths of the saved policies, one a seed. Raises ValueError."""
    from torch.utils.tensorboard import SummaryWriter

    task = args.target()
    if task.scenario_name != "power_allocation":
        raise ValueError(f"train.unfolded allocates powers, {task.name} is of {task.scenario_name}.")
    out = Path(args.out or Path("runs") / f"unfolded-{task.name.replace('/', '-')}-s{args.seed}")
    checkpoint = out / "checkpoint.pt"
    if checkpoint.exists() != args.resume:
        told = "nothing to resume" if args.resume else "a run already: --resume continues it, --out names another"
        raise ValueError(f"{out} holds {told}.")
    out.mkdir(parents=True, exist_ok=True)
    learner = Learner(args, task, console)
    if args.resume:
        _restore(learner, checkpoint)
    logs = [SummaryWriter(str(out / "tensorboard" / f"s{seed}")) for seed in learner.seeds]
    began, first = time.time(), learner.steps
    results: list[dict[str, float]] = []
    while learner.steps < args.steps:
        part, losses = learner.update()
        for log, loss in zip(logs, losses, strict=True):
            log.add_scalar(f"train/loss_{part}", loss, learner.steps)
        if learner.steps % args.eval_every and learner.steps < args.steps:
            continue
        results = learner.evaluate()
        each_ms = 1e3 * (time.time() - began) / (learner.steps - first)
        console.print(f"{learner.steps:,} of {args.steps:,} ({each_ms:.0f} ms each)", highlight=False)
        for seed, log, told in zip(learner.seeds, logs, results, strict=True):
            for name, value in told.items():
                log.add_scalar(name, value, learner.steps)
            said = ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in told.items())
            console.print(f"  seed {seed}: {said}", highlight=False, soft_wrap=True)
        _keep(learner, checkpoint)
    for log in logs:
        log.close()
    return _save(args, task, learner, results or learner.evaluate(), out)


def _keep(learner: Learner, checkpoint: Path) -> None:
    """Write the checkpoint at once or not at all."""
    state = {"cell": learner.cell.state_dict(), "optimiser": learner.optimiser.state_dict(), "steps": learner.steps}
    chance = [rng.bit_generator.state for rng in (learner.order, *learner.rngs)]
    with replacing(checkpoint) as draft:
        torch.save({**state, "chance": json.dumps(chance)}, draft)


def _restore(learner: Learner, checkpoint: Path) -> None:
    saved = torch.load(checkpoint, weights_only=True)
    learner.cell.load_state_dict(saved["cell"])
    learner.optimiser.load_state_dict(saved["optimiser"])
    learner.steps = saved["steps"]
    for rng, state in zip((learner.order, *learner.rngs), json.loads(saved["chance"]), strict=True):
        rng.bit_generator.state = state


def _save(args: Unfolded, task: Task, learner: Learner, results: list[dict[str, float]], out: Path) -> list[Path]:
    paths = []
    for i, seed in enumerate(learner.seeds):
        told = {name.partition("/")[2]: value for name, value in results[i].items()}
        card = {
            "algorithm": "UNFOLDED",
            "command": command(args, "train.unfolded"),
            "env_id": task.env_id,
            "kwargs": json.loads(json.dumps(dict(task.kwargs))),
            "training_worlds": [[p.share, p.worlds, dict(p.kwargs)] for p in PARTS],
            "seed": seed,
            "steps": learner.steps,
            "results": {"worlds": args.eval_episodes, **told},
            **unfolded.CARD,
        }
        name = "policy.npz" if len(learner.seeds) == 1 else f"policy-s{seed}.npz"
        paths.append(save_policy(out / name, learner.cell.network(i), FIELDS, card))
        where = args.task or "power_allocation/hard-14"
        print(shlex.join(["mmwave-gym", "evaluate", str(paths[-1]), "--task", where]))
    return paths


def run(argv: Sequence[str] | None = None) -> None:
    """Exit code 2 and one line for bad input, 130 when interrupted."""
    console = Console(stderr=True)
    try:
        train(parse(Unfolded, argv), console)
    except KeyboardInterrupt:
        console.print("interrupted; the same command with --resume continues from the last checkpoint.")
        sys.exit(130)
    except ValueError as error:
        console.print(f"train: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
