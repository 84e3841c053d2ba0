"""The leaderboard: a pure function from per-episode rows to Markdown, CSV and a folder of pages.

It imports no agent and no scenario, and trains nothing::

    runs = read_rows("runs/rows", committed=unpack("baselines/mmwave_baselines/rows"))
    write(summarise(runs), "runs/leaderboard")

`RowWriter` is the other end: what an evaluation writes its rows with.
"""

from mmwave_gym.benchmark.leaderboard.board import summarise
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling, read_ceilings, write_ceilings
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard, Overall, TaskBoard
from mmwave_gym.benchmark.leaderboard.packs import pack, unpack
from mmwave_gym.benchmark.leaderboard.rows import RowsError, RowWriter, Run, read_rows, row_path
from mmwave_gym.benchmark.leaderboard.site import PAGES, write
from mmwave_gym.benchmark.statistics import Interval

__all__ = [
    "PAGES",
    "Ceiling",
    "Entry",
    "Interval",
    "Leaderboard",
    "Overall",
    "RowWriter",
    "RowsError",
    "Run",
    "TaskBoard",
    "pack",
    "read_ceilings",
    "read_rows",
    "row_path",
    "summarise",
    "unpack",
    "write",
    "write_ceilings",
]
