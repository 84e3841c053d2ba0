"""Agents that know all gains: they compute powers when an episode begins or base stations change, and keep them.

* `FoschiniMiljanic`: the least powers that satisfy all.
* `MaxMin`: the largest least SINR.
* `Wmmse`: the largest sum rate, whoever pays for it.
* `Sca`: the largest sum rate with everybody satisfied who can be, problem (5) of the paper.
* `Selected`: the largest rate of satisfied users, whoever they are.
* `LevelAscent`: the same as `Sca` on levels alone, without it.

Networks of more than `MOST_SOLVED` base stations, and those whose far base stations count by their mean power, are
left to the iterations of `optimisation.large`. With `interference="cluster"` every cluster is a network of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.acting import actions
from mmwave_baselines.power_allocation.optimisation import Large, Network
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import FloatArray, IndexArray

MOST_SOLVED = 200
"""Base stations of the largest network for which linear systems are solved."""
MOST_RESTARTED = 50
"""Base stations of the largest network in which `Sca` has several starts."""


@dataclass
class Plan:
    """What was computed, and for what: powers (N, A) mW, the phase (N,) and the gains of own links (N, A)."""

    power_mw: FloatArray
    phase: NDArray[np.int64]
    own_gain: FloatArray


class Planner(Rule, ABC):
    """An agent that computes powers of whole networks."""

    access = "central"

    def remember(self, view: View) -> Plan:
        if view.constants["authors"]:
            raise NotApplicable(f"{self.label} is computed for real interference, not for that of authors=True.")
        shape = (view.num_envs, view.num_agents)
        return Plan(np.zeros(shape), np.full(view.num_envs, -1), np.zeros(shape))

    def restart(self, memory: Plan, view: View, rows: NDArray[np.bool_]) -> Plan:
        return memory  # no two worlds have the same own links, so that an episode's start need not be told

    def act(self, seen: Seen, rng: RowRng) -> NDArray[Any]:
        plan, now = seen.memory, seen.look("phase", "own_gain")
        new = (now["phase"] != plan.phase) | (now["own_gain"] != plan.own_gain).any(axis=1)
        if new.any():
            plan.power_mw[new] = 0.0
            for at, network in networks(seen.view, np.flatnonzero(new)):
                plan.power_mw[at] = self.powers(network, seen.constants["levels"])
            plan.phase, plan.own_gain = now["phase"], now["own_gain"]
        return actions(seen.view, plan.power_mw)

    @abstractmethod
    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        """Powers in mW, (N, A) of networks or (A,) of a large one. Without care for levels the nearest is taken."""


def networks(view: View, envs: IndexArray) -> Iterator[tuple[tuple[IndexArray, IndexArray], Network | Large]]:
    """Independent networks of some environment copies, and where each stands in arrays (num_envs, A).

    envs (n,): the indices of those environments. Networks of one size come together, all of them present, so that
    nothing is padded and the powers of one environment do not depend on the others.
    """
    constants = view.constants
    seen = view.look("gain", "own_gain", "far_gain", "present", "head")
    common: dict[str, Any] = {name: constants[name] for name in ("qos_sinr", "power_mw")}
    apart = constants["is_sparse"] and constants["interference"] == "cluster"
    by_size: dict[int, list[tuple[int, IndexArray]]] = defaultdict(list)
    for env in envs.tolist():
        head = np.where(seen["present"][env], seen["head"][env] if apart else 0, -1)
        for group in np.unique(head[head >= 0]):
            at = np.flatnonzero(head == group)
            if len(at) <= MOST_SOLVED and (apart or not constants["is_sparse"]):
                by_size[len(at)].append((env, at))
            else:
                yield (
                    (np.array(env), at),
                    Large(
                        gain=_among(seen["gain"][env], at),
                        own_gain=seen["own_gain"][env, at],
                        noise_mw=np.full(len(at), constants["noise_mw"]),
                        far_gain=seen["far_gain"][env, at],
                        **common,
                    ),
                )
    for found in by_size.values():
        rows, slot = np.array([[env] for env, _ in found]), np.stack([at for _, at in found])
        gain = [_among(seen["gain"][env], at) for env, at in found]
        yield (
            (rows, slot),
            Network(
                gain=np.stack([g if isinstance(g, np.ndarray) else g.toarray() for g in gain]),
                own_gain=seen["own_gain"][rows, slot],
                noise_mw=np.full(slot.shape, constants["noise_mw"]),
                present=np.ones(slot.shape, dtype=bool),
                **common,
            ),
        )


def _among(gain: Any, at: IndexArray) -> Any:
    return gain[at][:, at]


class FoschiniMiljanic(Planner):
    """The least powers that satisfy all; who cannot be is at Pmax."""

    label = "Foschini-Miljanic"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if isinstance(network, Large):
            return opt.foschini_miljanic_large(network)
        return opt.foschini_miljanic(network) if levels is None else opt.least_levels(network, levels)


class MaxMin(Planner):
    """Powers at which the worst SINR is as large as can be."""

    label = "max-min SINR"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        return opt.max_min_large(network) if isinstance(network, Large) else opt.max_min_sinr(network)[0]


class Wmmse(Planner):
    """The largest sum rate that weighted MMSE finds, without requirements."""

    label = "WMMSE (no QoS)"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        return opt.wmmse_large(network) if isinstance(network, Large) else opt.wmmse(network)


class Sca(Planner):
    """The largest sum rate found with everybody satisfied who can be."""

    kind = "ceiling"
    label = "SCA (sum rate with QoS)"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if isinstance(network, Large):
            known = (network.gain, network.own_gain, network.noise_mw, network.qos_sinr, network.power_mw)
            return opt.penalty_optimum(*known, far_gain=network.far_gain)
        power = opt.sca(network, 1 if network.present.shape[1] > MOST_RESTARTED else None)
        if levels is None:
            return power
        return opt.coordinate_ascent(network, levels, starts=(power,), chosen=opt.admitted(network))


class LevelAscent(Planner):
    """The best of thirty climbs on the levels, one base station at a time."""

    label = "ascent on levels"

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if isinstance(network, Large) or levels is None:
            raise NotApplicable(f"{self.label} is for levels, on networks of at most {MOST_SOLVED} base stations.")
        return opt.coordinate_ascent(network, levels, chosen=opt.admitted(network))


class Selected(Planner):
    """The largest rate of satisfied users found, which leaves some users out for the others; dear on networks."""

    label = "SCA, users selected"
    expensive = False

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Selected:
        """The same everywhere, marked as expensive on networks, where an episode takes many seconds."""
        made = cls()
        made.expensive = task is not None and task.kwargs.get("scope") == "network"
        return made

    def powers(self, network: Network | Large, levels: int | None) -> FloatArray:
        if isinstance(network, Large):
            return opt.selected_large(network)
        power = opt.selected(network)
        if levels is None:
            return power
        starts = (power, opt.coordinate_ascent(network, levels, starts=(power,), chosen=opt.admitted(network)))
        return opt.coordinate_ascent(network, levels, starts=starts, worth=opt.served)
