"""Central agents: the paper's "upper bound", the optimum of the joint game, and a genie (arXiv 1507.00387, section IV).

* `Myopic`: in every slot the seating with the best expected sum of the coming slot. "Centralized exhaustive search" is
  all the paper says of its bound. It ignores what a seating costs later, so above 10 % handover cost it is no bound.
* `Optimum`: the policy of `joint_value.py`: nobody does better in the mean.
* `Genie`: myopic, but knows the channels of the coming slot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.joint_value import JointGame, Seatings, seatings_of, solved_joint
from mmwave_baselines.cell_selection.loads import one_more
from mmwave_baselines.cell_selection.model import Game, compositions
from mmwave_baselines.cell_selection.reading import game_of_task, needs_present_load
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Float64Array, Int64Array

_MOST_PLAYED = 5_000_000  # states, a minute or so: 4 UEs at 3 BSs have 2 M
_SAME = 1e-12  # relative, far below the preference for staying; ours
_MOST_SEATINGS = 5000  # beyond, counting loads is faster than listing seatings


def best_seating(gain: Float64Array) -> Int64Array:
    """The seatings, cells (num_envs, N), that maximise sum_u gain[u, cell_u] / (UEs at cell_u).

    gain (num_envs, N, L), bit/s/Hz: what a UE would get alone at each cell.
    """
    num_envs, num_ues, num_cells = gain.shape
    if num_cells**num_ues > _MOST_SEATINGS:
        return np.stack([_by_loads(one) for one in gain]) if num_envs else np.empty((0, num_ues), np.int64)
    seatings = seatings_of(num_ues, num_cells)
    return seatings.all[_first_best(seating_values(gain, seatings))]


def _first_best(worth: Float64Array) -> Int64Array:
    """The first column of each row (rows, columns) among those that are equally good.

    UEs alike make seatings that are worth the same, and the last bits of a worth are the processor's.
    """
    best = worth.max(axis=1, keepdims=True)
    return (worth >= best - _SAME * np.abs(best)).argmax(axis=1)


def seating_values(gain: Float64Array, seatings: Seatings) -> Float64Array:
    """Worth (num_envs, L^N) of every seating, in the unit of `gain`.

    gain (num_envs, N, L): what each UE would get alone at each cell.
    """
    total = np.zeros((len(gain), len(seatings.all)))
    for ue in range(seatings.num_ues):
        total += gain[:, ue, seatings.all[:, ue]] / seatings.users[:, ue]
    return total


def _by_loads(gain: Float64Array) -> Int64Array:
    """`best_seating` of one environment, gain (N, L) to cells (N,), in time N L M^2.

    UE by UE, for every final load at once.
    """
    num_ues, num_cells = gain.shape
    final = compositions(num_ues, num_cells)
    share = 1.0 / np.maximum(final, 1)
    worth = np.zeros((len(final), 1))
    came: list[NDArray[np.int8]] = []
    for ue in range(num_ues):
        step = one_more(ue, num_cells)
        grown = np.full((len(final), len(compositions(ue + 1, num_cells))), -np.inf)
        via = np.zeros(grown.shape, np.int8)
        for cell in range(num_cells):
            offered = worth + gain[ue, cell] * share[:, cell, None]
            better = offered > grown[:, step[cell]]
            grown[:, step[cell]] = np.where(better, offered, grown[:, step[cell]])
            via[:, step[cell]] = np.where(better, cell, via[:, step[cell]])
        worth = grown
        came.append(via)
    at = int(np.argmax(np.diagonal(worth)))  # loads reached are those that were assumed
    best, load = np.empty(num_ues, np.int64), final[at].copy()
    for ue in range(num_ues - 1, -1, -1):
        index = int(np.flatnonzero((compositions(ue + 1, num_cells) == load).all(axis=1))[0])
        best[ue] = came[ue][at, index]
        load[best[ue]] -= 1
    return best


def handover_gain(game: Game, rate_bps_hz: Float64Array, serving: Int64Array) -> Float64Array:
    """What each UE alone would get at each cell after the handover cost, (num_envs, N, L), bit/s/Hz.

    rate_bps_hz (num_envs, N, L): expected rates. serving (num_envs, N): serving cells. Ties favour staying.
    """
    stays = serving[..., None] == np.arange(game.num_cells)
    tie = 1e-9 * max(game.rate_bps_hz)
    return rate_bps_hz * np.where(stays, 1.0, 1.0 - game.handover_cost) + tie * stays


class Myopic(Rule):
    """The best seating of every slot by exhaustive search, whatever comes after."""

    access = "central"
    kind = "paper"
    label = "centralised exhaustive search"

    def remember(self, view: View) -> Game:
        needs_present_load(view, self.label)
        return Game.of_constants(view.constants)

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        return self.seat(seen.memory, seen.look()).ravel()

    def seat(self, game: Game, known: dict[str, NDArray[Any]]) -> Int64Array:
        """Cells (num_envs, N) of the best seating.

        known: indices `channel` (num_envs, N, L), `serving` (num_envs, N).
        """
        rate = game.expected_rate_bps_hz[known["channel"]]
        return best_seating(handover_gain(game, rate, known["serving"]))


def value_of_search(game: Game, tolerance: float = 1e-6) -> tuple[float, float]:
    """What `Myopic` earns a slot in the mean lies between these, bit/s/Hz: its chain, exactly, for 2 or 3 UEs.

    As in `joint_value.py`, the gain lies between the smallest and the largest change of a sweep. Raises NotApplicable.
    """
    seatings = seatings_of(game.num_ues, game.num_cells)
    c, n = len(game.links), game.num_ues
    if len(seatings.all) * c**n > _MOST_PLAYED:
        raise NotApplicable(f"the search's chain has {len(seatings.all) * c**n:.1e} states.")
    channel = np.stack(np.unravel_index(np.arange(c**n), (c,) * n), axis=1)  # every joint channel, (C^N, N)
    rate = game.expected_rate_bps_hz[game.links][channel]
    choice = np.empty((len(seatings.all), c**n), np.int64)
    reward = np.empty(choice.shape)
    for i, before in enumerate(seatings.all):
        worth = seating_values(handover_gain(game, rate, np.broadcast_to(before, channel.shape)), seatings)
        choice[i], reward[i] = _first_best(worth), worth.max(axis=1)
    step, value = game.mix(np.eye(c)), np.zeros_like(reward)
    while True:
        after = value
        for _ in range(n):  # mixes the first UE's channels and moves them to the end
            mixed = step @ after.reshape(len(after), c, -1)
            after = np.ascontiguousarray(mixed.swapaxes(1, 2)).reshape(value.shape)
        new = reward + np.take_along_axis(after, choice, axis=0)
        change = new - value
        value = new - new.flat[0]
        if np.ptp(change) < tolerance * max(game.rate_bps_hz):
            return float(change.min()), float(change.max())


class Genie(Myopic):
    """The best seating of every slot for the channels that it will really meet."""

    access = "hindsight"
    kind = "ceiling"
    label = "genie (next channels known)"

    def seat(self, game: Game, known: dict[str, NDArray[Any]]) -> Int64Array:
        envs = np.arange(len(known["slot"]))
        last = known["channels"].shape[1] - 1
        coming = known["channels"][envs, np.minimum(known["slot"] + 1, last)]
        return best_seating(handover_gain(game, np.array(game.rate_bps_hz)[coming], known["serving"]))


class Optimum(Myopic):
    """The optimal policy of the joint game with all channels known: expectation-exact.

    Solving takes half a second for 3 UEs and half a minute for 4, once a process and when it is first needed; larger
    games are NotApplicable (`bounds.py` has a bound).
    """

    kind = "ceiling"
    label = "centralised optimum"

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Optimum:
        """The agent of a task. Raises NotApplicable where the state is too large."""
        game = game_of_task(task)
        if game is not None and (states := JointGame(game).states) > _MOST_PLAYED:
            raise NotApplicable(f"the optimum of {states} states takes hours: see solve_exact and its bound.")
        return cls()

    def seat(self, game: Game, known: dict[str, NDArray[Any]]) -> Int64Array:
        return policy_tables(game).seat(known["channel"], known["serving"])


class _Policy:
    """The optimum's table, asked for any seating."""

    def __init__(self, game: Game):
        self._game = game
        self._joint = JointGame(game)
        self._choice = solved_joint(game).choice
        renamings = self._joint.seatings.renamings
        self._shape = np.array([r.shape for r in renamings])
        self._place = np.array([r.ue for r in renamings])
        self._cell = np.array([r.cell for r in renamings])

    def seat(self, channel: Int64Array, serving: Int64Array) -> Int64Array:
        """Cells (num_envs, N) for channels (num_envs, N, L) and serving cells (num_envs, N)."""
        seatings = self._joint.seatings
        index = seatings.index(serving)
        place, cell = self._place[index], self._cell[index]
        renamed = np.take_along_axis(channel.astype(np.int64), cell[:, None, :], axis=2)
        links = np.empty_like(place)
        np.put_along_axis(links, place, self._game.index_of_links(renamed), axis=1)
        chosen = seatings.all[self._choice[(self._shape[index], *links.T)]]
        return np.take_along_axis(cell, np.take_along_axis(chosen, place, axis=1), axis=1)


@lru_cache(maxsize=8)
def policy_tables(game: Game) -> _Policy:
    return _Policy(game)
