"""What agents of UDN handover can have at most, see `mmwave-gym bound`."""

from __future__ import annotations

from mmwave_baselines.handover.causal import applies, causal
from mmwave_gym.benchmark.bounds import Bound, of_agent
from mmwave_gym.benchmark.task import Task


def _causal(task: Task, episode: int) -> float:
    return causal(task, episode).causal


BOUNDS: tuple[Bound, ...] = (
    of_agent("oracle", "Viterbi over the drawn episode: the best series of cells in hindsight.", cheap=True),
    Bound(
        name="causal",
        level="central",
        kind="proven bound",
        what="Viterbi with a penalty on knowing the next slot, of zero mean for who does not.",
        solve=_causal,
        per_episode=False,
        applies=applies,
        cheap=True,
    ),
)
