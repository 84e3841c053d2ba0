"""What agents of cell selection can have at most, see `mmwave-gym bound`.

All are means over slots of a long run. An episode has T slots, and the potential w of the proofs (`bounds.py`,
`team_bound.py`) telescopes over them: with channels that are stationary from the first slot,

    E sum_t r_t <= T B + E sum_u ( w(K_1, p_1) - w(K_{T+1}, b_T) ) <= T B + N (max w - min w),

so N (max w - min w) / T is added to the proven bounds. The optimum is that of the long run.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from mmwave_baselines.cell_selection.bounds import joint_bound
from mmwave_baselines.cell_selection.joint_value import solve_joint
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.team_bound import DelayedSharing, pasts_up_to_names
from mmwave_gym.benchmark.bounds import Bound
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.types import Float64Array

MOST_UES = 4
"""Of the optimum, which is solved within half a minute."""
PASTS = 6
"""In one piece of the local bound, about a second."""
SHARE, LIFT = {0.1: 0.6, 0.3: 0.65}, {0.1: 1.45, 0.3: 1.3}
"""By handover cost: P w as a share of what a handover costs in each state of the link, and by how much the share of
the state in the middle is larger. The best of some that were tried on 40 pasts; any values that rise prove a bound."""
ROUNDING = 1e-5
"""Relative, outward: the joint game is iterated in float32."""


def _game(task: Task) -> Game:
    return Game.of_constants(task.scenario().constants())


def _whole(task: Task, episodes: Sequence[int]) -> list[str]:
    return ["game"]


def _alike(task: Task, episodes: Sequence[int], found: Sequence[float]) -> list[float]:
    """One value for every episode."""
    return [found[0]] * len(episodes)


def _optimum(task: Task, piece: Any) -> float:
    return solve_joint(_game(task)).high_bps_hz * (1.0 + ROUNDING)


def _joint(task: Task, piece: Any) -> float:
    game = _game(task)
    found = joint_bound(game)
    return found.sum_rate_bps_hz * (1.0 + ROUNDING) + _ends(task, game, found.potential)


def _ends(task: Task, game: Game, potential: Float64Array) -> float:
    """What the potential, of any shape, may leave at the two ends of an episode, in bit/s/Hz a slot."""
    return game.num_ues * float(np.ptp(potential)) / task.scenario().horizon


@lru_cache(maxsize=2)
def _team(game: Game) -> tuple[DelayedSharing, dict[tuple[int, ...], float]]:
    rate = game.expected_rate_bps_hz - game.expected_rate_bps_hz.min()
    lifted = np.minimum(rate * np.where(rate < rate.max(), LIFT.get(game.handover_cost, 1.0), 1.0), rate.max())
    ahead = SHARE.get(game.handover_cost, 0.5) * game.handover_cost * lifted
    return DelayedSharing(game, np.linalg.solve(game.matrix, ahead)), pasts_up_to_names(game)


def _pasts(task: Task, episodes: Sequence[int]) -> list[list[int]]:
    """The first and the last but one past of each piece."""
    count = len(pasts_up_to_names(_game(task)))
    return [[first, min(first + PASTS, count)] for first in range(0, count, PASTS)]


def _best(task: Task, piece: Sequence[int]) -> list[float]:
    team, pasts = _team(_game(task))
    return [team.best(past) for past in list(pasts)[slice(*piece)]]


def _local(task: Task, episodes: Sequence[int], found: Sequence[Sequence[float]]) -> list[float]:
    game = _game(task)
    team, pasts = _team(game)
    mean = float(np.dot(list(pasts.values()), [value for piece in found for value in piece]))
    return [mean * (1.0 + ROUNDING) + _ends(task, game, team.potential)] * len(episodes)


BOUNDS: tuple[Bound, ...] = (
    Bound(
        name="optimum",
        level="central",
        kind="expectation-exact",
        what="The optimum of the joint game by relative value iteration, when all channels are seen.",
        solve=_optimum,
        pieces=_whole,
        combine=_alike,
        per_episode=False,
        applies=lambda task: int(task.kwargs["num_ues"]) <= MOST_UES,
        agent="optimum",
        cheap=True,
        rounding=ROUNDING,
    ),
    Bound(
        name="potential",
        level="central",
        kind="proven bound",
        what="Handovers priced by a potential whose increments average to zero, then one slot at a time.",
        solve=_joint,
        pieces=_whole,
        combine=_alike,
        per_episode=False,
        applies=lambda task: int(task.kwargs["num_ues"]) > MOST_UES,
    ),
    Bound(
        name="delayed sharing",
        level="local",
        kind="proven bound",
        what="Every UE also knows all that anybody knew one slot ago; the team problem of a slot is solved exactly.",
        solve=_best,
        pieces=_pasts,
        combine=_local,
        per_episode=False,
        applies=lambda task: int(task.kwargs["num_ues"]) == 3,
    ),
)
