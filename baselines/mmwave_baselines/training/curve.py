"""The learning curve of a run: how the agent scored on training episodes, by decisions.

It is kept in a file of the run's directory, so that `--resume` goes on with it, and in the saved policy's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmwave_gym.core.files import write

MOST_POINTS = 40
"""Of the saved curve: ours, what a small picture can show."""


class Curve:
    """Points (decisions, score) of a run, kept in `path`. metric: what is kept where there is no score.

    goes_on: begin with the points in `path`; ValueError or TypeError where it is damaged.
    """

    def __init__(self, path: Path, metric: str, goes_on: bool = False):
        self._path, self._metric = path, metric
        kept = json.loads(path.read_text("utf-8")) if goes_on and path.exists() else []
        self._points = [(int(at), str(name), float(value)) for at, name, value in kept]

    def add(self, decisions: int, scores: Mapping[str, float]) -> None:
        """Keep the score after so many decisions, else the primary metric; nothing where there is neither.

        Later points are dropped: a resumed run learns them again.
        """
        metric = "score" if "score" in scores else self._metric
        if metric not in scores:
            return
        before = [point for point in self._points if point[0] < decisions]
        self._points = [*before, (decisions, metric, float(f"{scores[metric]:.5g}"))]
        write(self._path, json.dumps(self._points) + "\n")

    def saved(self) -> dict[str, Any]:
        """The `curve` of a policy's metadata: metric, and at most 40 points (decisions, value); {} without points."""
        if not self._points:
            return {}
        metric, last = self._points[-1][1], len(self._points) - 1
        kept = sorted({round(i * last / (MOST_POINTS - 1)) for i in range(MOST_POINTS)})
        points = [self._points[i] for i in kept]
        return {"metric": metric, "points": [[at, value] for at, name, value in points if name == metric]}
