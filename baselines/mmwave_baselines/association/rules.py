"""Rules of one line each: the paper's SBH and RBH (Ning et al., arXiv 2201.05983, section IV), and better ones.

The network brings the sum over base stations of the mean efficiency of their UEs. A link of efficiency m that joins n
UEs of mean S therefore adds (m - S) / (n + 1), which may be less than nothing: `Msr` maximises that. It opens every
free base station, where one weak UE later halves each strong pass. `Price` charges for that, and `Cover` keeps the base
stations of fixed roles free for strong links. Neither is in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from mmwave_baselines.association.reading import Reading, read, with_cells_now
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Float64Array, Int64Array


class ByScore(Rule):
    """The allowed candidate with the highest score; ties go to the strongest."""

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now = read(seen)
        return now.best(self.score(seen, now))

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        """Scores that candidates are compared by, (rows, candidate)."""
        raise NotImplementedError


class RandomCandidate(Rule):
    """A candidate at random: the floor."""

    kind = "floor"
    label = "random candidate"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return rng.choice(seen.allowed)


class Sbh(ByScore):
    """SBH, SNR-based handover: the strongest candidate."""

    kind = "paper"
    label = "SBH (strongest)"

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return now.efficiency


class Rbh(ByScore):
    """RBH, rate-based handover: the candidate that gives this UE the highest rate now."""

    kind = "paper"
    label = "RBH (own rate)"

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return now.efficiency / (now.load + 1.0)


class RbhNetwork(ByScore):
    """The other reading of the paper's "instant transmission rate": the candidate with the highest sum rate now."""

    access = "central"
    kind = "paper"
    label = "RBH (network's rate)"

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return with_cells_now(seen).gain(now.efficiency)


class Msr(ByScore):
    """Myopic sum rate: the candidate with which the network gains most over the UE's coming interval."""

    label = "MSR (myopic sum rate)"

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return now.gain(now.mean)


class Price(ByScore):
    """MSR that pays for crowding: what a later strong pass through the cell will lose by one more sharer.

    A pass of mean efficiency kappa adds about kappa / (n + 1) to a cell of n UEs, and kappa / (n + 2) after this UE has
    joined; the difference is charged. kappa_bps_hz: at least 0, ValueError otherwise; of 0.3 to 10, 3 earned most.
    """

    label = "PRICE"

    def __init__(self, kappa_bps_hz: float = 3.0):
        at_least("kappa_bps_hz", kappa_bps_hz, 0.0)
        self._kappa = float(kappa_bps_hz)
        self.config = {"kappa_bps_hz": self._kappa}

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        return now.gain(now.mean) - self._kappa / ((now.load + 1.0) * (now.load + 2.0))


@dataclass
class CoverMemory:
    free: NDArray[np.bool_]  # (base station,): those of the map, the same in every row


class Cover(ByScore):
    """COVER: one end of each road, or both, serves weak links, so that the other can be kept for strong ones.

    Who serves weak links is a smallest vertex cover of the graph of base stations that share a road; the rest are free
    and take only links of a mean efficiency of at least `threshold_bps_hz` (at least 0, ValueError otherwise), unless
    there is no other candidate. Among the candidates left MSR decides. It needs the map and the candidates' names.
    """

    access = "central"
    label = "COVER"

    def __init__(self, threshold_bps_hz: float = 2.0):
        at_least("threshold_bps_hz", threshold_bps_hz, 0.0)
        self._threshold = float(threshold_bps_hz)
        self.config = {"threshold_bps_hz": self._threshold}

    def remember(self, view: View) -> CoverMemory:
        return CoverMemory(free=~vertex_cover(len(view.constants["bs_m"]), view.constants["roads"]))

    def restart(self, memory: CoverMemory, view: View, rows: NDArray[np.bool_]) -> CoverMemory:
        return memory

    def score(self, seen: Seen, now: Reading) -> Float64Array:
        free = seen.memory.free[seen.look("offered")["offered"]]  # rank -1 is not allowed anyway
        kept = free & (now.mean < self._threshold)
        last_resort = 1e6 * kept  # beyond every efficiency: among those only, it changes nothing
        return now.gain(now.mean) - last_resort


def vertex_cover(num_nodes: int, edges: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
    """A smallest set of nodes that touches every edge, as marks (node,).

    Exact, by an integer programme: minimise the number of marked nodes, at least one marked on every edge. Of several
    smallest covers one is preferred by tiny weights, together below one node, so that the answer is always the same.
    """
    if not len(edges):
        return np.zeros(num_nodes, bool)
    ends = np.asarray(edges, np.intp)
    golden = np.arange(1, num_nodes + 1) * 0.6180339887498949 % 1.0
    edge = np.repeat(np.arange(len(ends)), 2)
    touches = coo_array((np.ones(2 * len(ends)), (edge, ends.ravel())), shape=(len(ends), num_nodes)).tocsr()
    found = milp(
        c=1.0 + golden / (2.0 * num_nodes),
        integrality=np.ones(num_nodes, np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(touches, lb=1.0),
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise RuntimeError(f"no vertex cover of {num_nodes} base stations and {len(ends)} roads: {found.message}")
    return found.x > 0.5
