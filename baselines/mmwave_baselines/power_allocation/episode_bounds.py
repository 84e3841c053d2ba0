"""Proven bounds on what anybody can have of `qos_rate_bps_hz` in episodes of a task, whatever they know.

In every slot the metric is at most the bound of the network that is there (`bounds`), so its mean over scored slots is
at most the mean of these bounds, each weighed by how many scored slots its network lasts. With
`interference="cluster"` clusters do not disturb each other, and their bounds are added up.

Networks of more than `MOST_SEARCHED` base stations get the bound of the first nodes, or of the root alone, where
nothing is split, and the best known of `sca_with_swaps`. In the first episode of Melbourne the root is 4.4 % above the
best known, a hundred nodes are 3.4 % above it and a thousand 3.3 %: each of 125 users is a little loose, and a split
settles one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmwave_baselines.power_allocation.bounds import Certificate, certificate
from mmwave_baselines.power_allocation.optimisation import Large, Network
from mmwave_baselines.power_allocation.optimisation.sets import sca_over_sets
from mmwave_baselines.power_allocation.optimisation.swaps import sca_with_swaps
from mmwave_baselines.power_allocation.planners import MOST_SOLVED, networks
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.types import FloatArray

METRIC = "qos_rate_bps_hz"
MOST_SEARCHED = 24
"""Base stations up to which the whole search is made."""
FIRST_NODES = 100
"""Of an episode's networks of up to `MOST_SOLVED` base stations, some seconds; of larger ones the root is bounded."""
MOST_BS = 1500
"""Base stations of the largest network that is bounded: a Newton step takes a second there."""


@dataclass(frozen=True)
class EpisodeBound:
    """An episode's bound and the best known mean over scored slots, in bit/s/Hz; processor time in s."""

    episode: int
    upper: float
    lower: float
    nodes: int
    seconds: float


def episode_bound(
    task: Task, episode: int, most_nodes: int = 20_000, tolerance: float = 0.004, split: str = "test"
) -> EpisodeBound:
    """The bound of one episode of `task`, and what `sca_over_sets` or `sca_with_swaps` reach in each slot.

    most_nodes, tolerance: see `certificate`. Raises NotApplicable where the task ranks by another metric, far base
    stations disturb by their mean power, there are more than `MOST_BS`, or the authors' faulty interference counts.
    """
    scenario: Any = task.scenario()
    if task.primary != METRIC or scenario.config.authors:
        raise NotApplicable(f"the bound is on {METRIC} with real interference; {task.name} is not ranked by it.")
    batch = Batch(scenario, 1)
    batch.reset(task.keys([episode], split))
    scored = scenario.horizon - task.warmup_steps if task.scored_steps is None else task.scored_steps
    proven: list[tuple[Certificate, float]] = []
    lasting = list(_lasting(batch, task.warmup_steps, scored))
    for found, slots in lasting:
        for network in found:
            one = certificate(
                network,
                scenario.missed_bps_hz,
                _known(network, scenario.missed_bps_hz),
                first=task.kwargs.get("missed_bps_hz", 0.0) is None,
                most_nodes=min(most_nodes, _most_nodes(network, len(lasting))),
                tolerance=tolerance,
            )
            proven.append((one, slots / scored))
    return EpisodeBound(
        episode,
        upper=sum(one.upper * share for one, share in proven),
        lower=sum(one.lower * share for one, share in proven),
        nodes=sum(one.nodes for one, _ in proven),
        seconds=sum(one.seconds for one, _ in proven),
    )


def _lasting(batch: Batch, warmup: int, scored: int) -> Iterator[tuple[list[Network], int]]:
    """The independent networks of an episode, each N = 1, as long as they last, and how many scored slots that is."""
    view = View(batch, "hindsight")
    if not view.constants["changes"]:
        yield _singles(view), scored
        return
    action = np.broadcast_to(batch.scenario.action_space.sample(), (1, view.num_agents))
    phase, found, slots = -1, _singles(view), 0
    for slot in range(warmup + scored):
        now = int(view.look("phase")["phase"][0])
        if now != phase:
            if slots:
                yield found, slots
            phase, found, slots = now, _singles(view), 0
        slots += slot >= warmup
        batch.step(action)
    yield found, slots


def _singles(view: View) -> list[Network]:
    """The independent networks that are there now, each N = 1."""
    found: list[Network] = []
    for _, network in networks(view, np.array([0])):
        if isinstance(network, Large):
            found.append(dense(network))
        else:
            found += [network.take(slice(row, row + 1)) for row in range(len(network))]
    return found


def dense(large: Large) -> Network:
    """A large network as one of linear systems (N = 1).

    Raises NotApplicable where far base stations count by their mean power, or there are more than `MOST_BS`.
    """
    size = len(large.own_gain)
    if np.any(large.far_gain) or size > MOST_BS:
        raise NotApplicable(
            f"the bound is for up to {MOST_BS} base stations that all disturb each other one by one; this is a network "
            f"of {size}."
        )
    gain = large.gain if isinstance(large.gain, np.ndarray) else large.gain.toarray()
    return Network(
        gain=gain[None],
        own_gain=large.own_gain[None],
        noise_mw=large.noise_mw[None],
        qos_sinr=large.qos_sinr,
        power_mw=large.power_mw,
        present=np.ones((1, size), dtype=bool),
    )


def _most_nodes(network: Network, networks_there: int) -> int:
    """How many nodes of one of so many networks are bounded."""
    size = network.present.shape[1]
    if size <= MOST_SEARCHED:
        return sys.maxsize
    return max(FIRST_NODES // networks_there, 1) if size <= MOST_SOLVED else 1


def _known(network: Network, missed_bps_hz: float) -> FloatArray:
    """Good powers (A,) mW of one network."""
    if network.present.shape[1] <= MOST_SEARCHED:
        return sca_over_sets(network)[0]
    return sca_with_swaps(network, missed_bps_hz)
