"""What agents of streets can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmwave_baselines.street.causal import SLACK, price_of_the_way
from mmwave_gym.benchmark.bounds import Bound, of_agent
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task


def _causal(task: Task, episode: int) -> float:
    return price_of_the_way(task, episode)


def _less(task: Task, episodes: Sequence[int], prices: Sequence[Any]) -> list[float]:
    """The optimum in hindsight, less what knowing the way is worth."""
    rows = evaluate("oracle", task, episodes=len(episodes))
    return [row[task.primary] - price + SLACK for row, price in zip(rows, prices, strict=True)]


def _turns(task: Task) -> bool:
    """Whether cars come to a crossing of the 3GPP street."""
    drives = task.kwargs.get("users", "car") == "car" and task.kwargs.get("street", "crossing") == "crossing"
    return drives and "channel" not in task.kwargs


BOUNDS: tuple[Bound, ...] = (
    of_agent("oracle", "The best series of handovers of the drawn episode, in hindsight.", cheap=True),
    Bound(
        name="causal",
        level="central",
        kind="proven bound",
        what="The optimum of who knows the map, its place and its speed, and not which way it will take.",
        solve=_causal,
        combine=_less,
        per_episode=False,
        applies=_turns,
    ),
)
