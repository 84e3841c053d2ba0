"""How a task's numbers are cited."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmwave_gym.benchmark.leaderboard.entries import TaskBoard


def bibtex(task: TaskBoard, shared: Mapping[str, Any]) -> str:
    """A BibTeX entry of the software with the task, its version and its hash in the note."""
    version = ", ".join(shared["versions"])
    year = f"  year = {{{shared['newest'][:4]}}},\n" if shared["newest"] else ""
    note = f"Task {task.name}, version {task.task.get('version', '?')}, hash {task.task['hash']}"
    return (
        "@software{mmwave_gym,\n"
        "  title = {mmwave-gym: environments, baselines and a leaderboard for mobility and resource control in mmWave "
        "networks},\n"
        "  author = {{The mmwave-gym developers}},\n"
        f"{year}  version = {{{_escaped(version)}}},\n  note = {{{_escaped(note)}}}\n}}\n"
    )


def _escaped(text: str) -> str:
    """Text for a BibTeX field: braces would end it, and LaTeX reads an underscore as an index."""
    return text.replace("{", "(").replace("}", ")").replace("_", r"\_")
