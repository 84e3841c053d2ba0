"""The reproduction of one paper, as the value that an entry point of the group `mmwave_gym.reproductions` names.

    [project.entry-points."mmwave_gym.reproductions"]
    their-paper = "their_package.reproduction.paper:PAPER"

A `Paper` puts the parts of a reproduction together: what is played, what is computed, and functions of what was
measured: judges of claims, the page, figures and their points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mmwave_baselines.reproduction.figures import write_points
from mmwave_baselines.reproduction.verdicts import Found, PaperClaims, judged
from mmwave_gym.benchmark.reproduction import Claim, Results, Table
from mmwave_gym.benchmark.runs import Job

if TYPE_CHECKING:
    from matplotlib.figure import Figure

M = TypeVar("M")


@dataclass(frozen=True)
class Points(Generic[M]):
    """What a figure's points are, and the points: values of `columns`, last an `Interval`."""

    columns: Sequence[str]
    of: Callable[[M], Iterable[tuple[Any, ...]]]


@dataclass(frozen=True, kw_only=True)
class Paper(Generic[M]):
    """What `mmwave_gym.benchmark.reproduction.Reproduction` asks for."""

    title: str
    budget_s: float
    """Of a full run on two idle cores."""
    analyses: Callable[[bool], Mapping[str, Callable[[], Table]]]
    """`f(quick)`: what is computed, by the table's name."""
    jobs: Callable[[bool], list[Job]] = lambda quick: []
    """`f(quick)`: what is played."""
    measured: Callable[[Results], M]
    """What judges, figures and the page take their numbers from."""
    printed: PaperClaims
    judges: Mapping[str, Callable[[M], Found]]
    """Who judges a claim, by its id."""
    pictures: Mapping[str, Callable[[M], Figure]]
    """Figures by the names of their files."""
    points: Points[M] | None = None
    """What is written to `points.csv` beside the figures."""
    text: Callable[[M, Sequence[Claim], str], str]
    """`f(measured, claims, folder of figures)`: the page but how it was made."""

    def claims(self, results: Results) -> list[Claim]:
        return judged(self.printed, self.judges, self.measured(results))

    def figures(self, results: Results, directory: Path) -> None:
        measured = self.measured(results)
        for name, picture in self.pictures.items():
            picture(measured).savefig(directory / f"{name}.png", dpi=110, bbox_inches="tight")
        if self.points:
            write_points(directory / "points.csv", self.points.columns, self.points.of(measured))

    def page(self, results: Results, claims: Sequence[Claim], figures: str) -> str:
        return self.text(self.measured(results), claims, figures)
