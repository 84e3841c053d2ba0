"""The two layers of Wang et al. (arXiv 1801.02077): python -m train.a3c MmwaveHandover-v0 --mode stable

UEs of the paper's areas are observed and clustered by how they move; those of the cluster in which the task's area
is share a parameter server, begin by imitation of event A3, and learn by A3C with an LSTM.

* `--simulate` (default) plays asynchrony in a fixed order: the same command gives the same weights.
* `--async --workers N`: processes that share the parameters and update them without locks (Mnih et al. 2016, section
  4). Between a worker's fetch and its push others push: `train/gradient_delay` is the histogram of how many. No two
  such runs are the same, and an update may overwrite a part of another one, as in Hogwild (Niu et al. 2011).

`mmwave_baselines.handover.a3c` has the modes and the learner. In the streets of `MmwaveStreet-v0` what follows depends
on the actions, so the environment itself is played: `train.a3c_street` says how, stable mode only. All UEs of a street
share one server there; nothing is clustered.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from mmwave_baselines.handover import a3c
from mmwave_baselines.handover.a3c import BLOCK, ENTROPY, MODES, STABLE, Mode, Server
from mmwave_baselines.handover.lstm import ENCODER, UNITS, Shape
from mmwave_baselines.handover.mobility_clusters import MobilityClusters, observe
from mmwave_baselines.handover.traces import AREAS, Traces, draw_traces, joined, price_of
from mmwave_baselines.street.training.a3c import Street, learn as learn_street
from mmwave_baselines.training.arguments import Command, command, option, parse
from mmwave_gym.agents.files import save_policy
from mmwave_gym.agents.policy import action_card
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import replacing, write

ERA_BLOCKS = 60
"""Blocks for which worlds are drawn at once; a checkpoint is between two eras."""
STREAM = "train.a3c"
REGRET_SCALE = 0.2  # ours, as in train.ppo
MOST_DELAY = 256  # of the histogram: the last place counts all above
MAY_CHANGE = ("resume", "out", "eval_every", "eval_episodes")
CHECKPOINT = "checkpoint.npz"


@dataclass(kw_only=True)
class A3c(Command):
    """Asynchronous advantage actor-critic (Mnih et al. 2016) with an LSTM, over clusters of UEs that move alike."""

    steps: int = option(4_000_000, "decisions to train on, of all UEs")
    mode: str = option("stable", "stable, or paper: Algorithm 2 with its errata corrected")
    ues: int = option(32, "UEs that are observed in each area, and learn if they are in the cluster; in a street all")
    cluster: bool = option(True, "cluster the UEs of all areas; otherwise those of the task's area learn alone")
    encoder: int = option(ENCODER, "width of the network's encoding")
    units: int = option(UNITS, "units of its LSTM")
    imitate: bool = option(True, "begin by imitation of event A3 at five pairs of settings; in a street the tuned one")
    imitate_epochs: int = option(10, "passes over the imitated episodes")
    imitate_episodes: int = option(5, "episodes of 1000 slots that are imitated; in a street whole ones")
    learning_rate: float = option(0.0, "of RMSProp; 0 for the mode's")
    final_rate: float = option(0.05, "the rate falls linearly to this share of it (paper mode: 1)")
    gamma: float = option(0.0, "discount a slot; 0 for the mode's")
    entropy: float = option(ENTROPY, "weight of the entropy")
    warmup: int = option(STABLE.warmup, "stable mode: blocks at first in which only the critic's head learns")
    offset: float = option(26.0, "stable mode: what is taken off rewards, bit/s/Hz, about their mean")
    online_rate: float = option(1e-5, "step size of UEs that go on learning with what was trained (stable mode)")
    sampled: bool = option(True, "the saved policy draws its actions, as the paper's does; otherwise the likeliest")
    regret: bool = option(False, "learn from regrets in hindsight instead of rewards, in training only")
    simulate: bool = option(True, "play asynchrony in a fixed order; --async is --no-simulate")
    workers: int = option(2, "processes of --async")

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"--mode must be one of {', '.join(MODES)}, got {self.mode!r}.")
        counts = ("steps", "ues", "encoder", "units", "workers")
        for name in (*counts, "eval_episodes", "imitate_epochs", "imitate_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}.")
        for name in ("seed", "eval_every", "warmup", "entropy"):
            if getattr(self, name) < 0:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 0, got {getattr(self, name)}.")
        if self.learning_rate < 0.0 or not 0.0 <= self.gamma <= 1.0 or not 0.0 < self.final_rate <= 1.0:
            raise ValueError("--learning-rate must be at least 0, --gamma in [0, 1], --final-rate in (0, 1].")
        if self.cluster and self.ues * len(AREAS) < 4:
            raise ValueError(f"--ues must be at least 2 to be clustered, got {self.ues}.")

    def settings(self) -> Mode:
        """The mode with what the command line changes."""
        given = {"learning_rate": self.learning_rate, "gamma": self.gamma}
        changed: dict[str, Any] = {name: value for name, value in given.items() if value} | {"entropy": self.entropy}
        if self.mode != "paper":
            changed["final_rate"] = self.final_rate
            changed["offset"] = self.offset
            changed["warmup"] = self.warmup
        if self.regret:
            changed |= {"offset": 0.0, "scale": REGRET_SCALE}  # regrets are centred by themselves
        return a3c.with_settings(self.mode, regret=self.regret, **changed)

    def online_settings(self) -> Mode:
        """How a UE goes on learning by itself: from rewards, for nobody tells it regrets."""
        if self.mode == "paper":
            return self.settings()
        plain = dataclasses.replace(self, regret=False).settings()
        return a3c.with_settings(plain, learning_rate=self.online_rate, final_rate=1.0)


class Cluster(NamedTuple):
    """Who shares the server: (area, number) of each UE, and how it was found."""

    members: list[tuple[Any, int]]
    found: dict[str, Any]


def cluster_of(args: A3c, task: Task) -> Cluster:
    """Observe and cluster the UEs; the members of the cluster in which the task's area is. Streets: all of them."""
    if is_street(task):
        return Cluster([("street", i) for i in range(args.ues)], {"clustered": False})
    home = task.scenario().config.mobility  # type: ignore[attr-defined]
    areas = list(AREAS) if home in AREAS else [*AREAS, home]
    if not args.cluster:
        return Cluster([(home, i) for i in range(args.ues)], {"clustered": False})
    who = [(area, i) for area in areas for i in range(args.ues)]
    walks = np.concatenate([observe(area, args.ues, seed=args.seed) for area in areas])
    clusters = MobilityClusters.fit(walks, seed=args.seed, most=len(areas))
    own = clusters.of_group([area == home for area, _ in who])
    members = [m for m, label in zip(who, clusters.labels, strict=True) if label == own]
    counts = {str(area): sum(a == area for a, _ in members) for area in areas}
    index = {str(h): round(value, 2) for h, value in clusters.index.items()}
    return Cluster(members, {"clustered": True, "calinski_harabasz": index, "clusters": clusters.count, "ues": counts})


class Worlds:
    """Draws what the UEs meet, era by era; each UE is in rooms of its own, as the task's episodes are."""

    def __init__(self, task: Task, seed: int, encoder: int, units: int):
        self._kwargs = {k: v for k, v in task.kwargs.items() if k != "horizon"}
        self._seed = seed
        scenario: Any = task.scenario()
        self.scenario = scenario
        self.price = price_of(scenario.constants())
        self.shape = Shape.of(int(scenario.action_space.n))._replace(encoder=encoder, units=units)

    def traces(self, members: Sequence[tuple[Any, int]], era: int, slots: int, purpose: str = "") -> Traces:
        """Traces of these UEs in this era; nobody else draws them, whatever the number of workers."""
        parts = []
        for area in dict.fromkeys(area for area, _ in members):
            numbers = [era * len(members) * 4 + i for a, i in members if a == area]
            stream = f"{STREAM} {area} {purpose}"
            parts.append(draw_traces({**self._kwargs, "mobility": area}, numbers, slots, self._seed, stream))
        return joined(parts)

    def imitate(self, args: A3c, server: Server, members: Sequence[tuple[Any, int]]) -> tuple[Server, float]:
        """The start of the paper, in the areas of the members; the server, and the share of slots that agreed."""
        shown = [members[i % len(members)][0] for i in range(args.imitate_episodes)]
        traces = self.traces([(area, i) for i, area in enumerate(shown)], 0, 1000, "imitation")
        return a3c.imitate(server, traces, epochs=args.imitate_epochs)

    def network(self, server: Server) -> Any:
        """The weights as a saved policy has them."""
        from mmwave_baselines.handover.a3c_agents import as_network

        return as_network(server)


def is_street(task: Task) -> bool:
    return task.scenario().name == "street"


def check(args: A3c, task: Task) -> None:
    """ValueError where the task is neither the paper's world nor a street, or a street is asked for other modes."""
    scenario = task.scenario()
    if scenario.name == "street":
        if args.mode != "stable" or not args.simulate:
            asked = "--async" if not args.simulate else f"--mode {args.mode}"
            raise ValueError(
                f"{asked} is for the paper's world: in a street all UEs play side by side, in stable mode, and the "
                "server takes one step along the mean of their gradients."
            )
        return
    if scenario.name != "handover":
        raise ValueError(f"train.a3c plays handover only, {task.name} is of {scenario.name}.")
    if [f.name for f in scenario.fields] != ["rsrq_db", "serving"] or scenario.masked:
        raise ValueError(f"train.a3c needs RSRQ and the serving cell alone, as in the paper's world, not {task.name}.")


# ---------------------------------------------------------------------------- a run


class Run:
    """A directory, what is learned in it, and its scalars."""

    def __init__(self, args: A3c, console: Console):
        from torch.utils.tensorboard import SummaryWriter

        self.args, self.console = args, console
        self.task = args.target()
        check(args, self.task)
        name = f"a3c{'' if args.mode == 'stable' else '-' + args.mode}-{self.task.name.replace('/', '-')}-s{args.seed}"
        self.out = Path(args.out or Path("runs") / name)
        sizes = args.encoder, args.units
        self.worlds: Any = Street(self.task, *sizes) if is_street(self.task) else Worlds(self.task, args.seed, *sizes)
        self.mode = args.settings()
        self._open()
        self.cluster = cluster_of(args, self.task)
        self.steps, self.due = 0, args.eval_every
        self.eras = np.zeros(args.workers, np.int64)
        self.delays = np.zeros(MOST_DELAY, np.int64)
        if args.resume:
            with np.load(self.out / CHECKPOINT, allow_pickle=False) as saved:
                self.server = Server(self.worlds.shape, saved["weights"], saved["mean_square"])
                self.steps, self.eras, self.delays = int(saved["steps"]), saved["eras"], saved["delays"]
            self.due = (self.steps // max(args.eval_every, 1) + 1) * args.eval_every
        else:
            self.server = self._begin()
        self.log = SummaryWriter(str(self.out / "tensorboard"))

    def _open(self) -> None:
        given = json.loads(json.dumps(dataclasses.asdict(self.args)))
        saved = self.out / "arguments.json"
        there = (self.out / CHECKPOINT).exists() and saved.exists()
        if there != self.args.resume:
            told = (
                "nothing to resume" if self.args.resume else "a run already: --resume continues it, --out names another"
            )
            raise ValueError(f"{self.out} holds {told}.")
        if there:
            before = json.loads(saved.read_text(encoding="utf-8"))
            if changed := [k for k in given if k not in MAY_CHANGE and given[k] != before.get(k)]:
                told = ", ".join(f"--{k.replace('_', '-')} was {before.get(k)!r}, is {given[k]!r}" for k in changed)
                raise ValueError(f"the run in {self.out} had other arguments: {told}.")
            return
        self.out.mkdir(parents=True, exist_ok=True)
        write(saved, json.dumps(given, indent=1) + "\n")

    def _begin(self) -> Server:
        server = Server.fresh(self.worlds.shape, self.args.seed)
        if not self.args.imitate:
            return server
        server, right = self.worlds.imitate(self.args, server, self.cluster.members)
        episodes = self.args.imitate_episodes
        self.console.print(f"imitated A3: {right:.1%} of {episodes} episodes' decisions alike", highlight=False)
        return server

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of each UE so far, and in all."""
        a_block = BLOCK * len(self.cluster.members)
        return self.steps // a_block, max(-(-self.args.steps // a_block), 1)

    def save(self) -> None:
        """Write the checkpoint at once or not at all."""
        with replacing(self.out / CHECKPOINT) as draft, draft.open("wb") as file:
            np.savez(
                file, weights=self.server.weights, mean_square=self.server.mean_square, steps=self.steps,
                eras=self.eras, delays=self.delays,
            )  # fmt: skip

    def record(self, scalars: dict[str, float]) -> None:
        """Write scalars, and an evaluation on the training split if it is time."""
        for name, value in scalars.items():
            self.log.add_scalar(name, value, self.steps)
        if self.args.eval_every and self.steps >= self.due and self.steps < self.args.steps:
            self.due += self.args.eval_every
            self.evaluate()

    def record_delays(self) -> None:
        """The histogram of how many updates of others came between the fetch and the push of a gradient."""
        counts = self.delays
        if not counts.sum():
            return
        delay = np.arange(len(counts))
        self.log.add_scalar("train/gradient_delay_mean", float((counts * delay).sum() / counts.sum()), self.steps)
        self.log.add_scalar("train/delayed_share", float(counts[1:].sum() / counts.sum()), self.steps)
        self.log.add_histogram_raw(
            "train/gradient_delay", 0, int(delay[counts > 0].max()), int(counts.sum()), float((counts * delay).sum()),
            float((counts * delay**2).sum()), (delay + 0.5).tolist(), counts.tolist(), self.steps,
        )  # fmt: skip

    def evaluate(self) -> dict[str, float]:
        """Score the weights on the task's training split."""
        from mmwave_baselines.training.callbacks import Yardstick

        if not hasattr(self, "_yardstick"):
            self._yardstick = Yardstick(self.task, self.args.eval_episodes)
        scores = self._yardstick.score(policy_of(self))
        for name, value in scores.items():
            self.log.add_scalar(f"eval/{name}", value, self.steps)
        told = ", ".join(f"{k} {v:.4f}" for k, v in scores.items() if "reward" in k or k == "score")
        self.console.print(f"{self.steps:,} of {self.args.steps:,}: {told}", highlight=False)
        return scores

    def finish(self) -> Path:
        """Save the agent and say how to evaluate it."""
        scores = {"split": "train", "episodes": self.args.eval_episodes, **self.evaluate()}
        self.record_delays()
        self.log.close()
        path = save_policy(
            self.out / "policy.npz",
            self.worlds.network(self.server),
            self.worlds.scenario.fields,
            {**card_of(self), "results": scores},
        )
        where = ["--task", self.args.task] if self.args.task else ["--env", self.task.env_id]
        settings = [w for pair in self.args.set for w in ("--set", pair)]
        print(shlex.join(["mmwave-gym", "evaluate", str(path), *where, *settings]))
        return path


def card_of(run: Run) -> dict[str, Any]:
    """What a saved policy says of itself."""
    from mmwave_baselines.handover.a3c_agents import mode_card

    # Who learns on where it plays is a UE of the paper's world; streets have frozen weights only.
    paper = {} if is_street(run.task) else {"online": mode_card(run.args.online_settings(), run.server)}
    return {
        "algorithm": "A3C" if run.args.mode == "stable" else "A3C as in the paper",
        "command": command(run.args, "train.a3c"),
        "env_id": run.task.env_id,
        "kwargs": json.loads(json.dumps(dict(run.task.kwargs))),
        "seed": run.args.seed,
        "steps": run.steps,
        "action": action_card(run.worlds.scenario.action_space),
        "output": "logits",
        "normalised": False,
        "frame_stack": 1,
        "cluster": run.cluster.found,
        "sampled": run.args.sampled or run.args.mode == "paper",
        **paper,
    }


def policy_of(run: Run) -> Any:
    """The agent that the weights are now: the very one that will be saved."""
    from mmwave_gym.agents.policy import Policy, field_card

    card = {**card_of(run), "fields": field_card(run.worlds.scenario.fields)}
    return Policy(run.worlds.network(run.server), card)


def train(args: A3c, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises ValueError."""
    run = Run(args, console)
    console.print(
        f"{len(run.cluster.members)} UEs share the server: {run.cluster.found}", highlight=False, markup=False
    )
    try:
        if is_street(run.task):
            learn_street(run)
        else:
            (_simulate if args.simulate else _asynchronous)(run)
    finally:
        run.save()
    return run.finish()


def _simulate(run: Run) -> None:
    members = run.cluster.members
    while run.steps < run.args.steps:
        done, total = run.blocks
        era, count = int(run.eras[0]), min(ERA_BLOCKS, total - done)
        traces = run.worlds.traces(members, era, count * BLOCK)
        rng = np.random.default_rng([run.args.seed, era])
        learned = a3c.learn(run.server, traces, run.mode, run.worlds.price, rng, blocks=(done, total))
        run.server = learned.server
        run.steps += traces.efficiency.shape[0] * traces.slots
        run.eras[:] += 1
        run.delays[: len(learned.delays)] += learned.delays[:MOST_DELAY]
        curve = {name: float(values.mean()) for name, values in learned.curve._asdict().items()}
        run.record(
            {
                "rollout/reward": curve["reward"],
                "rollout/throughput_bps_hz": curve["throughput_bps_hz"],
                "rollout/handovers_per_s": curve["handovers"] / run.worlds.scenario.config.step_s,
                "train/value": curve["value"],
                "train/discounted_return": curve["discounted_return"],
            }
        )
        if era % 10 == 9:
            run.record_delays()
            run.save()


# ---------------------------------------------------------------------------- asynchrony for real


class Shared(NamedTuple):
    """Memory that all workers see. The server's arrays are written by all of them, without locks; the rest by one."""

    weights: Any  # (size,)
    mean_square: Any  # (size,)
    pushes: Any  # (workers,): by each
    steps: Any  # (workers,)
    eras: Any  # (workers,)
    delays: Any  # (workers, MOST_DELAY)
    sums: Any  # (workers, 4): of V, reward, rate and handovers since the begin


def _asynchronous(run: Run) -> None:
    import torch
    from torch import multiprocessing

    args = run.args
    if len(run.cluster.members) < args.workers:
        raise ValueError(f"--workers must be at most the {len(run.cluster.members)} UEs, got {args.workers}.")
    workers = args.workers
    sizes: dict[str, tuple[int, ...]] = {"delays": (workers, MOST_DELAY), "sums": (workers, 4)}
    shared = Shared(
        *(torch.from_numpy(a.copy()).share_memory_() for a in (run.server.weights, run.server.mean_square)),
        *(
            torch.zeros(sizes.get(n, (workers,)), dtype=torch.float64 if n == "sums" else torch.int64).share_memory_()
            for n in Shared._fields[2:]
        ),
    )
    view = Shared(*(tensor.numpy() for tensor in shared))
    view.eras[:], view.delays[0] = run.eras, run.delays
    begun, before = run.steps, np.zeros(6)
    job = (args, run.task, run.cluster.members, begun, shared)
    context = multiprocessing.spawn(_work, job, nprocs=workers, join=False)
    saved = time.monotonic()
    try:
        while True:
            over = context.join(timeout=1.0)  # raises what a worker has raised
            run.server = Server(run.server.shape, view.weights.copy(), view.mean_square.copy())
            run.steps, run.eras, run.delays = begun + int(view.steps.sum()), view.eras.copy(), view.delays.sum(axis=0)
            now = np.array([*view.sums.sum(axis=0), view.steps.sum(), view.pushes.sum()], float)
            if now[4] > before[4]:
                run.record(_scalars(run, now - before))
                run.record_delays()
                before = now
            if over:
                return
            if time.monotonic() - saved > 30.0:
                run.save()
                saved = time.monotonic()
    finally:
        for process in context.processes:
            process.terminate()


def _scalars(run: Run, since: Any) -> dict[str, float]:
    value, reward, rate, handovers = since[:4] / since[4]
    return {
        "rollout/reward": float(reward),
        "rollout/throughput_bps_hz": float(rate),
        "rollout/handovers_per_s": float(handovers / run.worlds.scenario.config.step_s),
        "train/value": float(value),
    }


def _work(rank: int, args: A3c, task: Task, members: list[tuple[Any, int]], begun: int, shared: Shared) -> None:
    """A worker: its share of the UEs, each of which fetches, plays a block and pushes, until all have done enough."""
    import torch

    from mmwave_baselines.handover import a3c_kernel

    torch.set_num_threads(1)
    server = Shared(*(tensor.numpy() for tensor in shared))
    worlds = Worlds(task, args.seed, args.encoder, args.units)
    mode, own = args.settings(), members[rank :: args.workers]
    shape, price = worlds.shape, worlds.price
    reward_of, sizes = (*price, mode.offset, mode.scale), tuple(shape)
    fetched, gradient, mean = (np.zeros(shape.size) for _ in range(3))
    others = np.arange(args.workers) != rank

    def fetch() -> int:
        """Copy the weights, while others may be writing them; how often others have pushed."""
        seen = int(server.pushes[others].sum())
        fetched[:] = server.weights
        return seen

    def push(direction: Any, seen: int, played: int) -> None:
        done = begun + int(server.steps.sum())
        rate = mode.learning_rate * (1.0 + (mode.final_rate - 1.0) * min(done / args.steps, 1.0))
        warming = done < mode.warmup * BLOCK * len(members)
        late = int(server.pushes[others].sum()) - seen
        first = shape.critic.start if warming else 0
        a3c_kernel.push(server.weights, server.mean_square, direction, first, rate, mode.decay, mode.epsilon)
        server.pushes[rank] += 1
        server.delays[rank, min(late, MOST_DELAY - 1)] += 1
        server.steps[rank] += played

    while True:
        era = int(server.eras[rank])
        traces = worlds.traces(own, era, ERA_BLOCKS * BLOCK, f"worker {rank} of {args.workers}")
        potential = a3c.potential(traces, mode, price)
        uniform = np.random.default_rng([args.seed, era, rank]).random(traces.efficiency.shape[:2])
        told = np.zeros((*traces.efficiency.shape[:2], 5))
        hidden, cell = np.zeros((len(own), shape.units)), np.zeros((len(own), shape.units))
        serving = np.zeros(len(own), np.int64)
        for b in range(ERA_BLOCKS):
            mean[:] = 0.0
            seen = fetch()
            for i in range(len(own)):
                if not mode.averaged and i:
                    seen = fetch()
                serving[i] = a3c_kernel.block(
                    fetched, sizes, traces.rsrq_db[i], traces.efficiency[i], traces.begins[i],
                    potential[i] if len(potential) else np.zeros((0, 0)), uniform[i], b * BLOCK, BLOCK, hidden[i],
                    cell[i], serving[i], reward_of, mode.gamma, mode.entropy, False, gradient, told[i],
                )  # fmt: skip
                if mode.averaged:
                    mean += gradient
                else:
                    push(gradient, seen, BLOCK)
            if mode.averaged:
                push(mean / len(own), seen, BLOCK * len(own))
            value, rate, handover = (told[:, b * BLOCK : (b + 1) * BLOCK, i].sum() for i in (0, 2, 3))
            server.sums[rank] += (value, rate - price[0] * handover, rate, handover)
            if begun + int(server.steps.sum()) >= args.steps:
                return
        server.eras[rank] += 1


def run(argv: Sequence[str] | None = None) -> None:
    """Exit code 2 and one line for bad input, 130 when interrupted (the checkpoint is saved)."""
    console = Console(stderr=True)
    words = ["--no-simulate" if w == "--async" else w for w in (sys.argv[1:] if argv is None else argv)]
    try:
        train(parse(A3c, words), console)
    except KeyboardInterrupt:
        console.print("interrupted; the same command with --resume continues.")
        sys.exit(130)
    except ImportError as error:
        console.print(f"train: this needs {error.name}: pip install 'mmwave-gym[train,baselines]'.", markup=False)
        sys.exit(2)
    except (ValueError, TypeError, OSError) as error:
        console.print(f"train: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)
