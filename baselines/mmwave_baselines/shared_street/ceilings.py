"""What agents of shared streets can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from typing import Any

from mmwave_baselines.shared_street.bounds import BITS_OF_ROUNDING, fair_bound
from mmwave_gym.benchmark.bounds import Bound, of_agent
from mmwave_gym.benchmark.leaderboard.ceilings import BEST_KNOWN
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.scenario import EpisodeRng


def _fair(task: Task, episode: int) -> float:
    """The bound of one episode, rounded up."""
    scenario: Any = task.scenario()
    episodes = scenario.draw([EpisodeRng(task.keys([episode])[0])])
    return fair_bound(scenario, episodes, 0) + BITS_OF_ROUNDING


BOUNDS: tuple[Bound, ...] = (
    of_agent(
        "ascent",
        "Best responses of all UEs in turn, in hindsight: what is known to be possible, no bound.",
        kind=BEST_KNOWN,
    ),
    Bound(
        name="fair shares",
        level="hindsight",
        kind="proven bound",
        what="Every second's bandwidth shared by the best prices, handovers free and links split at will.",
        solve=_fair,
        cheap=True,
    ),
)
