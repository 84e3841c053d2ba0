"""The world of the handover paper as A3C plays it: clusters of UEs, their traces, and simulated asynchrony."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwave_baselines.handover import a3c
from mmwave_baselines.handover.a3c_agents import as_network, mode_metadata
from mmwave_baselines.handover.mobility_clusters import MobilityClusters, observe
from mmwave_baselines.handover.traces import AREAS, Traces, draw_traces, joined, price_of
from mmwave_baselines.training.a3c import MOST_DELAY, A3c, A3cRun, Cluster
from mmwave_baselines.training.a3c_server import BLOCK, Server
from mmwave_baselines.training.lstm import Shape
from mmwave_gym.agents.networks import LstmNetwork
from mmwave_gym.benchmark.task import Task

ERA_BLOCKS = 60
"""Blocks for which worlds are drawn at once; a checkpoint is between two eras."""
STREAM = "train.a3c"


class PaperWorlds:
    """Draws what the UEs meet, era by era; each UE is in rooms of its own, as the task's episodes are."""

    def __init__(self, task: Task, seed: int, encoder: int, units: int):
        self._kwargs = {k: v for k, v in task.kwargs.items() if k != "horizon"}
        self._seed = seed
        scenario: Any = task.scenario()
        self.scenario = scenario
        self.price = price_of(scenario.constants())
        self.shape: Shape = Shape.of(int(scenario.action_space.n))._replace(encoder=encoder, units=units)

    def cluster(self, args: A3c) -> Cluster:
        """Observe and cluster the UEs; the members of the cluster in which the task's area is."""
        home = self.scenario.config.mobility
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
        return Cluster(
            members, {"clustered": True, "calinski_harabasz": index, "clusters": clusters.count, "ues": counts}
        )

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

    def network(self, server: Server) -> LstmNetwork:
        """The weights as a saved policy has them."""
        return as_network(server)

    def metadata(self, args: A3c, server: Server) -> dict[str, Any]:
        """What a UE needs that goes on learning where it plays."""
        return {"online": mode_metadata(args.online_settings(), server)}


def simulate(run: A3cRun[Any]) -> None:
    """Learn until `--steps`, asynchrony played in a fixed order."""
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
        run.report(
            {
                "rollout/reward": curve["reward"],
                "rollout/throughput_bps_hz": curve["throughput_bps_hz"],
                "rollout/handovers_per_s": curve["handovers"] / run.worlds.scenario.config.step_s,
                "train/value": curve["value"],
                "train/discounted_return": curve["discounted_return"],
            }
        )
        if era % 10 == 9:
            run.report_delays()
            run.keep()
