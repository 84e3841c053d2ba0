"""A reproduction put together from parts: what it writes, and how its pages and verdicts speak."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmwave_baselines.reproduction.figures import error_bars, panels
from mmwave_baselines.reproduction.paper import Paper, Points
from mmwave_baselines.reproduction.verdicts import Found, PaperClaims, above, below, within
from mmwave_baselines.reproduction.words import counts, numbered, signed, with_interval
from mmwave_gym.benchmark import reproduction
from mmwave_gym.benchmark.reproduction import Results, reproduce
from mmwave_gym.benchmark.statistics import Interval

CLAIMS = PaperClaims({"peak": {"id": "peak", "claim": "the peak", "where": "Fig. 1", "paper": 3, "tolerance": 1}})


def _peak(results: Results) -> Found:
    peak = max(row["y"] for row in results.tables["curve"])
    return Found(peak, None, within(peak - CLAIMS.printed("peak"), CLAIMS.tolerance("peak")), "of three points")


def _curve(results: Results) -> object:
    figure, axes = panels(1, 1, 3.0, 2.0)
    rows = results.tables["curve"]
    error_bars(axes[0], [row["x"] for row in rows], [Interval(row["y"], row["y"] - 1.0, None) for row in rows])
    return figure


PAPER = Paper(
    title="Somebody, Something",
    budget_s=1.0,
    analyses=lambda quick: {"curve": lambda: [{"x": x, "y": x * x} for x in range(3)]},
    measured=lambda results: results,
    printed=CLAIMS,
    judges={"peak": _peak},
    pictures={"figure1": _curve},
    points=Points(
        ("x",), lambda results: ((row["x"], Interval(row["y"], None, None)) for row in results.tables["curve"])
    ),
    text=lambda results, claims, figures: f"{counts(claims)}\n![curve]({figures}/figure1.png)",
)


def test_a_paper_is_all_that_a_reproduction_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra [report]")
    monkeypatch.setattr(reproduction, "load_reproduction", lambda name: PAPER)
    (claim,) = reproduce("some-paper", tmp_path)
    assert (claim.ours, claim.verdict) == (4, "reproduced")
    assert json.loads((tmp_path / "claims.json").read_text())[0]["paper"] == 3
    assert "| claims of the paper | 1 | 0 | 0 | 0 |" in (tmp_path / "some_paper.md").read_text()
    assert (tmp_path / "some_paper" / "figure1.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "some_paper" / "points.csv").read_text() == "x,mean,low,high\n0,0,,\n1,1,,\n2,4,,\n"


def test_a_claim_that_nobody_judges_is_an_error() -> None:
    other = PaperClaims({**CLAIMS, "valley": {**CLAIMS["peak"], "id": "valley"}})
    results = Results([], {"curve": [{"x": 0, "y": 3.0}]}, True)
    with pytest.raises(KeyError, match="valley"):
        Paper(**{**vars(PAPER), "printed": other}).claims(results)


def test_numbers_are_written_with_their_intervals() -> None:
    assert with_interval(Interval(1.25, 1.0, 1.56), 2) == "1.25 (1.00 to 1.56)"
    assert with_interval(Interval(-0.01, -0.04, 0.04)) == "0.0 (0.0 to 0.0)"
    assert with_interval(Interval(2.0, None, None)) == "2.0"
    assert signed(Interval(0.5, -0.25, 1.25), 2) == "+0.50 (-0.25 to +1.25)"
    assert numbered(("a", "b")) == "1. a\n2. b\n"


def test_a_difference_is_above_or_below_where_its_whole_interval_is() -> None:
    one, none, unknown = Interval(1.0, 0.1, 2.0), Interval(0.5, -0.1, 1.0), Interval(1.0, None, None)
    assert [above(i) for i in (one, none, unknown)] == [True, False, False]
    assert [below(Interval(-i.mean, i.high and -i.high, i.low and -i.low)) for i in (one, none, unknown)] == [
        True,
        False,
        False,
    ]
