"""The best that anybody could do who sees all channels: the optimum of the joint game, by relative value iteration.

State: who sits where and all N channel vectors; average reward. The value of a seating is the value of its shape (how
many UEs share a BS) with UEs and BSs renamed, so only one seating a shape is iterated: p(N, at most L) of them, each an
array of C^N. The next value of all L^N seatings follows by transposing those.

The chain's gain lies between the smallest and the largest change of a sweep (Odoni 1969), at every sweep: the interval
returned is a bound for every policy, learned ones included, up to rounding (float32: about 1e-6 of the rate).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.core.types import Float64Array, Int64Array

LARGEST_STATES = 80_000_000  # 5 UEs at 3 BSs: 72 M values of 4 bytes, some minutes a sweep


class Renaming(NamedTuple):
    """How a seating follows from that of its shape: seat[u] = cell[shape_seat[ue[u]]]."""

    shape: int
    ue: tuple[int, ...]
    cell: tuple[int, ...]


@dataclass(frozen=True)
class Seatings:
    """All ways to seat N UEs at L BSs, and their shapes."""

    num_ues: int
    num_cells: int

    @cached_property
    def all(self) -> Int64Array:
        """(L^N, N), lexicographic."""
        return np.array(list(itertools.product(range(self.num_cells), repeat=self.num_ues)))

    @cached_property
    def users(self) -> Int64Array:
        """(L^N, N): how many share the BS of each UE."""
        return (self.all[:, :, None] == self.all[:, None, :]).sum(axis=2)

    @cached_property
    def shapes(self) -> Int64Array:
        """(shapes, N): seatings whose UEs are ordered by the size of their group."""
        found = {self._shape(row) for row in self.all.tolist()}
        return np.array(sorted(found))

    def _groups(self, seating: list[int]) -> list[int]:
        """BSs, the fullest first."""
        return sorted(range(self.num_cells), key=lambda cell: (-seating.count(cell), cell))

    def _shape(self, seating: list[int]) -> tuple[int, ...]:
        sizes = [seating.count(cell) for cell in self._groups(seating)]
        return tuple(i for i, size in enumerate(sizes) for _ in range(size))

    @cached_property
    def renamings(self) -> list[Renaming]:
        """One for each row of `all`."""
        index = {tuple(row): i for i, row in enumerate(self.shapes.tolist())}
        made = []
        for seating in self.all.tolist():
            cell = self._groups(seating)
            order = sorted(range(self.num_ues), key=lambda u: (cell.index(seating[u]), u))
            place = tuple(order.index(u) for u in range(self.num_ues))
            made.append(Renaming(index[self._shape(seating)], place, tuple(cell)))
        return made

    def index(self, seating: Int64Array) -> Int64Array:
        """Seatings (…, N) as indices (…) of `all`."""
        return seating @ (self.num_cells ** np.arange(self.num_ues - 1, -1, -1))


@lru_cache(maxsize=16)
def seatings_of(num_ues: int, num_cells: int) -> Seatings:
    """The seatings, made once."""
    return Seatings(num_ues, num_cells)


@dataclass(frozen=True)
class JointSolution:
    """The optimal sum rate a slot lies in [low, high], bit/s/Hz; `choice` (shapes, C, …, C): index of the seating."""

    low_bps_hz: float
    high_bps_hz: float
    sweeps: int
    choice: NDArray[np.int16]


class JointGame:
    """Tables of the joint game; `values` below are arrays (shapes, C, …, C) with one C axis a UE."""

    def __init__(self, game: Game, dtype: type = np.float32):
        self.game, self.dtype = game, dtype
        self.seatings = seatings_of(game.num_ues, game.num_cells)
        self.size = (len(self.seatings.shapes), *(len(game.links),) * game.num_ues)
        if np.prod(self.size, dtype=float) > LARGEST_STATES:
            raise NotApplicable(
                f"the joint game of {game.num_ues} UEs at {game.num_cells} BSs has "
                f"{np.prod(self.size, dtype=float):.1e} states even up to symmetry, "
                f"more than {LARGEST_STATES:.0e}: use the proven bound."
            )
        self._step: NDArray[Any] = np.array(game.mix(np.eye(len(game.links))), dtype)

    @property
    def states(self) -> int:
        return int(np.prod(self.size))

    @cached_property
    def _renamed(self) -> dict[tuple[int, ...], Int64Array]:
        """Index of each channel vector when BS j is called what cell[j] was."""
        orders = itertools.permutations(range(self.game.num_cells))
        return {order: self.game.index_of_links(self.game.links[:, order]) for order in orders}

    def next_value(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """E[`values` at the next channels | channels now], both (shapes, C, …, C) in bit/s/Hz."""
        c = len(self.game.links)
        after = values
        for _ in range(self.game.num_ues):  # mixes the first UE's axis and moves it to the end
            mixed = self._step @ after.reshape(len(values), c, -1)
            after = np.ascontiguousarray(mixed.swapaxes(1, 2))
        return after.reshape(self.size)

    def of_seating(self, values: NDArray[np.float32], seating: int) -> NDArray[np.float32]:
        """Values (C, …, C) in bit/s/Hz of one seating of `seatings.all`, from values (shapes, C, …, C)."""
        renaming = self.seatings.renamings[seating]
        turned = values[renaming.shape].transpose(renaming.ue)
        names = self._renamed[renaming.cell]
        if np.array_equal(names, np.arange(len(names))):
            return turned
        return turned[np.ix_(*(names,) * self.game.num_ues)]

    def rewards(self, seating: int, before: Int64Array) -> list[Float64Array]:
        """Expected next rate of each UE by its channels, N arrays (C,), for moving from `before` (N,) to a seating."""
        now, users = self.seatings.all[seating], self.seatings.users[seating]
        kept = np.where(now == before, 1.0, 1.0 - self.game.handover_cost)
        rate = self.game.expected_rate_bps_hz[self.game.links]
        return [(kept[u] / users[u] * rate[:, now[u]]).astype(self.dtype) for u in range(self.game.num_ues)]

    def sweep(self, values: NDArray[np.float32], choice: NDArray[np.int16] | None = None) -> NDArray[np.float32]:
        """The best expected sum of a slot's rate and `values` after it, (shapes, C, …, C) in bit/s/Hz.

        values (shapes, C, …, C), bit/s/Hz. choice (shapes, C, …, C), or None: receives the index of the best seating.
        """
        after = self.next_value(values)
        best: NDArray[Any] = np.full(self.size, -np.inf, self.dtype)
        half = self.game.num_ues // 2
        c = len(self.game.links)
        for seating in range(len(self.seatings.all)):
            then = np.ascontiguousarray(self.of_seating(after, seating)).reshape(c**half, -1)
            for i, before in enumerate(self.seatings.shapes):
                terms = self.rewards(seating, before)
                first, last = _outer_sum(terms[:half]), _outer_sum(terms[half:])
                top = best[i].reshape(then.shape)
                mark = None if choice is None else choice[i].reshape(then.shape)
                for row in range(len(then)):  # a row at a time stays in the cache
                    total = then[row] + (first[row] + last)
                    if mark is not None:
                        mark[row][total > top[row]] = seating
                    np.maximum(top[row], total, out=top[row])
        return best


def _outer_sum(terms: list[Float64Array]) -> NDArray[Any]:
    """All sums of one entry each, flat; 0 for none."""
    total: NDArray[Any] = np.zeros(1, terms[0].dtype if terms else np.float32)
    for term in terms:
        total = (total[:, None] + term).ravel()
    return total


def solve_joint(
    game: Game, tolerance: float = 1e-5, report: Callable[[int, float, float], None] | None = None
) -> JointSolution:
    """Relative value iteration until the interval is narrower than `tolerance` times the best rate.

    report: called after each sweep with its number and the interval so far. Raises NotApplicable where the state is
    too large.
    """
    joint = JointGame(game)
    scale = float(np.max(game.rate_bps_hz)) or 1.0
    values: NDArray[Any] = np.zeros(joint.size, joint.dtype)
    sweep = 0
    while True:
        new = joint.sweep(values)
        change = new - values
        low, high = float(change.min()), float(change.max())
        values = new - new.flat[0]
        sweep += 1
        if report:
            report(sweep, low, high)
        if high - low < tolerance * scale:
            break
    choice = np.zeros(joint.size, np.int16)
    joint.sweep(values, choice)
    return JointSolution(low, high, sweep, choice)


@lru_cache(maxsize=8)
def solved_joint(game: Game) -> JointSolution:
    """`solve_joint`, remembered."""
    return solve_joint(game)
