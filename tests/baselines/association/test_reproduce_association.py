"""The reproduction of arXiv 2201.05983: verdicts follow the numbers, worlds of the search are what they should be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_baselines.association.reproduction import claims as reproduce_claims, search as search, series as series
from mmwave_baselines.association.reproduction.measures import CLAIMS, Measured, inverse, printed
from mmwave_baselines.association.reproduction.paper import PAPER
from mmwave_baselines.association.reproduction.plan import BESIDE, FIVE, NUM_UES, Setting, search_task
from mmwave_baselines.reproduction.verdicts import all_of, within
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.reproduction import VERDICTS, Results, load_reproduction
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.benchmark.task import Task

DOCS = Path(__file__).parents[3] / "docs" / "reproductions"


def _rows(rate: float, time_s: float) -> list[dict[str, Any]]:
    """Three worlds that differ by a thousandth."""
    return [
        {
            "episode": i,
            "network_rate_mbps": 10.0 * rate * (1.0 + 0.001 * (i - 1)),
            "handovers_per_ue_s": 1.0 / time_s,
            "p5_rate_mbps": 1.0,
            "jain_index": 0.9,
        }
        for i in range(3)
    ]


def _results(changed: Mapping[tuple[int, str], tuple[float, float]] | None = None, quick: bool = False) -> Results:
    """What a run would be that finds what the paper prints; changed: rates and times at a density."""
    by_task = {Setting(n).task(quick).name: n for n in NUM_UES}
    runs = []
    for job in PAPER.jobs(quick):
        n = by_task.get(job.task.name, 512)
        column = "rbh" if job.agent == "rbh-network" else job.agent.split("-")[0]
        column = column if column in FIVE else "lbh" if "Lbh" in job.agent else "sbh"
        rate, time_s = printed("rate", n, column), printed("time", n, column)
        if job.task.name in by_task:
            rate, time_s = (changed or {}).get((n, job.agent), (rate, time_s))
        header = {"task": {"name": job.task.name}, "agent": {"name": job.agent, "training_seed": None}}
        runs.append(Run(header, tuple(_rows(rate, time_s))))
    tables: dict[str, Any] = {"cost": [_cost(case) for case in series.CASES]}
    for n in NUM_UES:
        tables[f"figure2-{n}"] = [
            {"num_ues": n, "agent": a, "rate_10mbps": [printed("rate", n, a if a in FIVE else "sbh")] * 100}
            for a in series.SHOWN
        ]
    return Results(runs, tables, quick)


def _cost(case: dict[str, Any]) -> dict[str, Any]:
    """A machine with steps of 50 ns."""
    n, iterations = case["num_ues"], case.get("iterations", 100)
    depth = case.get("depth_epochs", n // 2)
    epoch_ms, gap_ms = 5e-5 * iterations * depth, 2e5 / n
    row = {"geometry": case.get("geometry", "paper"), "case": case, "num_ues": n, "iterations": iterations}
    row |= {"depth_epochs": depth, "steps": iterations * depth, "step_ns": 50.0, "epoch_ms": epoch_ms, "gap_ms": gap_ms}
    return row | {"busy": epoch_ms / gap_ms, "late": 0.05, "behind_s": 0.0}


def _verdicts(results: Results) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in PAPER.claims(results)}


def test_the_papers_own_numbers_are_reproduced():
    found = _verdicts(_results())
    poor = {id_: verdict for id_, verdict in found.items() if verdict != "reproduced"}
    assert poor == {"time-speed": "not comparable", "np-hard": "not comparable"}


def test_verdicts_follow_the_rows():
    behind = {(n, "sqa"): (70.0, 10.0) for n in NUM_UES}
    found = _verdicts(_results(behind))
    for id_ in ("sqa-best", "sqa-gain-512", "rate-512-sqa", "time-2048-sqa", "handovers-limited", "future-gain"):
        assert found[id_] == "not reproduced"
    assert found["rate-512-rbh"] == found["rbh-high"] == found["lbh-above-sbh"] == "reproduced"
    everybody = {(n, a): (80.0, 14.4) for n in NUM_UES for a in (*FIVE, *BESIDE)}
    found = _verdicts(_results(everybody))
    for id_ in ("rbh-high", "rbh-most-handovers", "lbh-fewest-handovers", "lbh-above-sbh", "gain-shrinks"):
        assert found[id_] == "not reproduced"
    one = _verdicts(_results({(2048, "sqa"): (84.1, 14.5)}))
    assert one["sqa-best"] == "partly"


def test_verdicts_of_the_search_follow_its_rows():
    results = _results()
    found = Measured(results).found()
    assert len(found) == len(search.WORLDS)
    assert found[0].rms == pytest.approx(0.0, abs=1e-9)
    assert "sqa" in found[0].columns
    for run in results.runs:
        if "search" in run.task["name"] and run.agent["name"] in ("sqa", "sqa-best"):
            for row in run.episodes:
                row["handovers_per_ue_s"] *= 2.0  # type: ignore[index]
    claim = next(c for c in PAPER.claims(results) if c.id == "one-geometry")
    assert claim.verdict == "not reproduced"
    assert "50 % off" in claim.reason


def test_rules_of_verdicts():
    assert [within(d, 3) for d in (2.9, -3.0, 3.1, -6.1)] == [*("reproduced", "reproduced", "partly", "not reproduced")]
    assert [all_of(h) for h in ([True, True], [True, False], [False])] == ["reproduced", "partly", "not reproduced"]
    assert inverse(Interval(0.1, 0.05, 0.2)) == Interval(10.0, 5.0, 20.0)


def test_every_claim_is_judged_and_states_its_place():
    cells = [id_ for id_ in CLAIMS if id_ in reproduce_claims.CELLS]
    assert len(cells) == 2 * len(NUM_UES) * len(FIVE)
    assert set(CLAIMS) == set(reproduce_claims.JUDGES)
    for entry in CLAIMS.values():
        assert all(entry[key] for key in ("claim", "where", "paper"))


def test_plans_have_all_of_table_1_and_nothing_twice():
    plan = load_reproduction("association")
    for quick in (True, False):
        jobs = plan.jobs(quick)
        runs = [(job.task.name, job.agent) for job in jobs]
        assert len(set(runs)) == len(runs)
    tasks = {Setting(n).task(False).name for n in NUM_UES}
    assert {(task, agent) for task in tasks for agent in (*FIVE, *BESIDE)} <= set(runs)


def test_page_and_figures_come_from_results(tmp_path):
    results = _results()
    claims = PAPER.claims(results)
    PAPER.figures(results, tmp_path)
    page = PAPER.page(results, claims, "x")
    images = re.findall(r"!\[.+?\]\(x/(.+?)\)", page)
    assert len(images) == 4
    assert min((tmp_path / image).stat().st_size for image in images) > 5_000
    assert "96.3" in page


def test_the_snr_of_a_world_makes_sbh_earn_what_is_wanted():
    for world in (search.World(0.75), search.World(0.75, sbh_rate=512.0)):
        task = search_task(world, False)
        row = evaluate("sbh", task, episodes=1)[0]
        assert row["network_rate_mbps"] / 10.0 == pytest.approx(world.sbh_rate, rel=0.04)
        assert 1.0 / row["handovers_per_ue_s"] == pytest.approx(14.4, abs=0.3)


def test_second_by_second_adds_up_to_the_rate_of_the_row():
    kwargs = {"num_ues": 100, "crossings": (4, 4), "duration_s": 40.0}
    task = Task(env_id="MmwaveAssociation-v0", name="association/few", kwargs=kwargs, episodes=1)
    rates = series.second_by_second(task, ("sbh", "msr"), 40)
    for agent, rate in zip(("sbh", "msr"), rates, strict=True):
        assert rate.shape == (40,)
        assert rate[1:].min() > 0.0
        row = evaluate(agent, task)[0]
        assert rate.mean() == pytest.approx(row["network_rate_mbps"], rel=0.01)
    assert np.any(rates[0] != rates[1])


def test_committed_page_is_of_these_claims():
    written = json.loads((DOCS / "association" / "claims.json").read_text())
    entries = CLAIMS
    assert [entry["id"] for entry in written] == list(entries)
    page = (DOCS / "association.md").read_text()
    for entry in written:
        assert entry["claim"] == entries[entry["id"]]["claim"]
        assert entry["paper"] == entries[entry["id"]]["paper"]
        assert entry["verdict"] in VERDICTS
        reason = re.split("; |: ", entry["reason"].replace("|", "\\|"))  # the page lists its parts
        assert entry["id"] in reproduce_claims.CELLS or all(part in page for part in reason)
    for image in re.findall(r"!\[.+?\]\((.+?)\)", page):
        assert (DOCS / image).exists()
