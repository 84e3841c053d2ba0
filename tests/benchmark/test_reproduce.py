"""Reproductions: what is written, that an interrupted one resumes, and that verdicts follow the numbers."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmwave_baselines.cell_selection.reproduction import claims as reproduce_claims, policies as reproduce_policies
from mmwave_baselines.cell_selection.reproduction.measures import CLAIMS, exact_value
from mmwave_baselines.cell_selection.reproduction.paper import PAPER
from mmwave_baselines.reproduction.verdicts import all_of, within
from mmwave_gym.benchmark import reproduction
from mmwave_gym.benchmark.leaderboard import read_rows
from mmwave_gym.benchmark.reproduction import VERDICTS, Claim, Results, load_reproduction, reproduce, reproductions
from mmwave_gym.benchmark.runs import Job
from mmwave_gym.benchmark.task import Task

SMALL = Task(env_id="MmwaveCellSelection-v0", name="cell_selection/small", kwargs={"horizon": 5}, episodes=3)


class Small:
    """A reproduction of nothing: one run and one table."""

    title, budget_s = "Small", 1.0
    agent = "channel"

    def jobs(self, quick: bool) -> list[Job]:
        return [Job(SMALL, self.agent, None, 3)]

    def analyses(self, quick: bool) -> dict[str, Any]:
        return {"table": lambda: [{"x": 1}]}

    def claims(self, results: Results) -> list[Claim]:
        mean = float(results.values(SMALL.name, self.agent, "reward").mean())
        return [
            Claim(id="a", claim="b | c", where="d", paper=1, ours=mean, interval=None, verdict="partly", reason="e")
        ]

    def figures(self, results: Results, directory: Path) -> None:
        (directory / "x.png").write_bytes(b"")

    def page(self, results: Results, claims: Any, figures: str) -> str:
        return reproduction.claims_table(claims)


class Missing(Small):
    agent = "no-such-agent"


def test_small_writes_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduction, "load_reproduction", lambda name: Small())
    plans: list[int] = []
    first = reproduce("my-paper", tmp_path, on_plan=plans.append)
    again = reproduce("my-paper", tmp_path, on_plan=plans.append)
    assert plans == [2, 0]
    assert first == again
    assert "b \\| c" in (tmp_path / "my_paper.md").read_text()
    assert json.loads((tmp_path / "claims.json").read_text())[0]["verdict"] == "partly"
    next((tmp_path / "rows").rglob("*.jsonl")).unlink()
    assert reproduce("my-paper", tmp_path, on_plan=plans.append) == first
    assert plans[-1] == 1


def test_failed_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(reproduction, "load_reproduction", lambda name: Missing())
    with pytest.raises(ValueError, match="no-such-agent did not play cell_selection/small"):
        reproduce("my-paper", tmp_path)


def test_unknown_paper(tmp_path):
    command = [sys.executable, "-m", "mmwave_gym.cli", "reproduce", "no-paper", "--out", str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    known = "association, cell-selection, handover, power-allocation"
    assert done.stderr.strip() == f"mmwave-gym: unknown paper 'no-paper'. Known are {known}."
    assert not (tmp_path / "x").exists()
    with pytest.raises(ValueError, match=f"Did you mean 'handover'. Known are {known}"):
        load_reproduction("hand-over")


def test_entry_points_load():
    assert "cell-selection" in reproductions()
    for name in reproductions():
        assert load_reproduction(name).title


def test_a_page_tells_the_time_of_an_uninterrupted_run_only(tmp_path):
    path = tmp_path / "took.json"
    assert "interrupted" in reproduction._time_taken(path, 3, 9, (60.0, 9.0))
    assert re.search(r"1\.5 minutes on \d+ cores", reproduction._time_taken(path, 9, 9, (90.0, 120.0)))
    assert "1.5 minutes on" in reproduction._time_taken(path, 0, 9, (5.0, 5.0))  # drawn again
    assert "interrupted" in reproduction._time_taken(path, 2, 9, (30.0, 9.0))


def test_tables_of_policies_show_what_the_page_says():
    simultaneous = {r["num_ues"]: r for r in reproduce_policies.simultaneous_table(quick=True)}
    assert simultaneous[3]["converged"]
    assert simultaneous[3]["changed_share"][-1] == 0.0
    assert simultaneous[3]["alternating_bps_hz"] is None
    assert simultaneous[6]["cycle_rounds"] == 2
    assert simultaneous[6]["changed_share"][-1] > 0.0
    one, other = simultaneous[6]["alternating_bps_hz"]
    assert abs(one - other) > 0.1
    for row in reproduce_policies.policies_table(quick=True):
        assert 1 <= row["distinct"] <= row["num_ues"]
        assert (row["distinct"] == 1) == (row["differing_share"] == 0.0)
        assert sum(row["chosen"]) == pytest.approx(1.0)
        assert sum(row["serving"]) == pytest.approx(1.0)
        assert row["chosen"][2] > 0.25  # it waits at cells in outage
    assert [row["states"] for row in reproduce_policies.present_table()] == [27, 81, 162, 270, 405, 567]


def test_bounds_shown_are_the_least_that_is_proven():
    rows = reproduce_policies.exact_table()
    results = Results([], {"exact": rows}, False)
    for n in (3, 4, 5, 6):
        bounds = [exact_value(results, "bound", n, cost) for cost in (0.1, 0.3)]
        assert bounds[0] > bounds[1]
        if n <= 4:
            assert all(exact_value(results, "optimum", n, c) < b for c, b in zip((0.1, 0.3), bounds, strict=True))
    assert exact_value(results, "local", 3, 0.1) < exact_value(results, "optimum", 3, 0.1)
    assert exact_value(results, "local", 6, 0.1) is None


def test_verdict_words():
    with pytest.raises(ValueError, match="verdict"):
        Claim(id="a", claim="", where="", paper=1, ours=1, interval=None, verdict="perhaps", reason="")


def test_verdicts_of_numbers():
    assert [within(d, 3) for d in (2.9, -3.0, 3.1, -6.1)] == [*("reproduced", "reproduced", "partly", "not reproduced")]
    assert [all_of(h) for h in ([True, True], [True, False], [False])] == ["reproduced", "partly", "not reproduced"]


def test_every_claim_is_judged_and_states_its_place():
    for id_, entry in CLAIMS.items():
        cell = re.fullmatch(r"table1-n\d-oh\d+", id_)
        assert id_ in (reproduce_claims.CELLS if cell else reproduce_claims.JUDGES)
        assert all(entry[key] for key in ("claim", "where", "paper"))
    assert len(CLAIMS) == len(reproduce_claims.JUDGES)
    assert len(reproduce_claims.CELLS) == 16


def test_committed_page_is_of_these_claims():
    docs = Path(__file__).parents[2] / "docs" / "reproductions"
    written = json.loads((docs / "cell_selection" / "claims.json").read_text())
    entries = CLAIMS
    assert [entry["id"] for entry in written] == list(entries)
    page = (docs / "cell_selection.md").read_text()
    for entry in written:
        assert entry["claim"] == entries[entry["id"]]["claim"]
        reason = entry["reason"].replace("|", "\\|").split("; ")
        assert re.match(r"table1-n\d", entry["id"]) or all(part in page for part in reason)


def test_full_plan_has_all_of_table_1_and_nothing_twice():
    jobs = PAPER.jobs(quick=False)
    runs = [(job.task.name, job.spec) for job in jobs]
    assert len(set(runs)) == len(runs)
    assert sum(job.agent == "mdp" and "fitted-printed" in job.task.name for job in jobs) == 16 * 4


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A quick reproduction: 20 s on one core."""
    directory = tmp_path_factory.mktemp("reproduction")
    return directory, reproduce("cell-selection", directory, quick=True)


@pytest.fixture(scope="module")
def results(quick):
    directory, _ = quick
    tables = {
        p.stem.removesuffix("-quick"): json.loads(p.read_text())["rows"] for p in (directory / "tables").iterdir()
    }
    return Results(read_rows(directory / "rows"), tables, True)


@pytest.mark.long
def test_quick_writes_everything(quick):
    directory, _ = quick
    written = json.loads((directory / "claims.json").read_text())
    assert [entry["id"] for entry in written] == list(CLAIMS)
    for entry in written:
        assert set(entry) == {"id", "claim", "where", "paper", "ours", "interval", "verdict", "reason", "kind"}
        assert entry["verdict"] in VERDICTS
        assert entry["reason"]
        assert entry["interval"] is None or entry["interval"][0] <= entry["interval"][1]
        assert entry["paper"] == CLAIMS[entry["id"]]["paper"]
    page = (directory / "cell_selection.md").read_text()
    images = re.findall(r"!\[.+?\]\((.+?)\)", page)
    assert len(images) == 7
    sizes = [(directory / image).stat().st_size for image in images]
    assert min(sizes) > 5_000
    assert sum(sizes) < 1_000_000


@pytest.mark.long
def test_quick_resumes(quick):
    directory, claims = quick
    plans: list[int] = []
    assert reproduce("cell-selection", directory, quick=True, on_plan=plans.append) == claims
    assert plans == [0]


@pytest.mark.long
def test_verdicts_follow_the_rows(results):
    before = {claim.id: claim.verdict for claim in PAPER.claims(results)}
    assert before["order"] == before["load-worst"] == before["above-mdp"] == "reproduced"
    poor = _changed(results, "mdp", 0.3)
    after = {claim.id: claim.verdict for claim in PAPER.claims(poor)}
    assert after["order"] == "not reproduced"
    assert after["beats-channel"] == after["table1-rmse"] == after["table1-n3-oh10"] == "not reproduced"
    assert after["gap"] == "not reproduced"
    assert after["above-mdp"] == "reproduced"
    assert {claim.id: claim.verdict for claim in PAPER.claims(_changed(results, "load", 9.0))}[
        "load-worst"
    ] == "not reproduced"


@pytest.mark.long
def test_verdicts_follow_the_tables(results):
    rows = [{**row, "loads_printed": row["loads_true"]} for row in results.tables["states"]]
    fixed = Results(results.runs, {**results.tables, "states": rows}, True)
    verdicts = {claim.id: claim.verdict for claim in PAPER.claims(fixed)}
    assert verdicts["eq19"] == "reproduced"
    assert {claim.id: claim.verdict for claim in PAPER.claims(results)}["eq19"] == "not reproduced"


def _changed(results: Results, agent: str, factor: float) -> Results:
    """The same with an agent's spectral efficiency multiplied."""
    name = "spectral_efficiency_bps_hz"
    runs = [
        dataclasses.replace(run, episodes=tuple({**row, name: factor * row[name]} for row in run.episodes))
        if run.agent["name"] == agent
        else run
        for run in results.runs
    ]
    return Results(runs, results.tables, True)


@pytest.mark.long
def test_claims_of_a_resumed_reproduction_are_byte_for_byte_those_of_an_uninterrupted_one(quick, tmp_path):
    """Analyses that clocks measure are made again: their times stand beside the claims."""
    directory, _ = quick
    again = tmp_path / "again"
    shutil.copytree(directory, again)
    for name in ("scaling", "present"):
        (again / "tables" / f"{name}-quick.json").unlink()
    for path in sorted((again / "rows").rglob("*.jsonl"))[:3]:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: len(lines) // 2]) + b'{"epis')
    reproduce("cell-selection", again, quick=True)
    assert (again / "claims.json").read_bytes() == (directory / "claims.json").read_bytes()
    times = json.loads((again / "times.json").read_text())
    assert set(times) == {"run-time", "offline"}
    assert times["run-time"] in (again / "cell_selection.md").read_text()


@pytest.mark.long
def test_no_claim_depends_on_a_clock(results):
    def judged(factor: float) -> list[Claim]:
        clocks = ("law_s", "solve_s", "sweep_s")
        tables = {
            what: [{k: v * factor if k in clocks else v for k, v in row.items()} for row in rows]
            for what, rows in results.tables.items()
        }
        return PAPER.claims(Results(results.runs, tables, True))

    once, slower = judged(1.0), judged(37.0)
    assert [c.id for c, d in zip(once, slower, strict=True) if c != d] == ["run-time", "offline"]
    assert [dataclasses.replace(c, times="") for c in once] == [dataclasses.replace(c, times="") for c in slower]
