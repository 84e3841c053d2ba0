"""Verification catches every cheat known to us, and accuses nobody else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cheating_agents import PUBLIC, TASK

from mmwave_gym.agents.supervised import playing
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.evaluation import play_episodes
from mmwave_gym.benchmark.leaderboard import RowWriter, Run, pack, read_rows, row_path, summarise, unpack, write
from mmwave_gym.benchmark.leaderboard.verified import keep
from mmwave_gym.benchmark.runs import Job, about_task, header
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.benchmark.verification import Asked, Verdict, note, roles_of, verify
from mmwave_gym.benchmark.verification.hidden import FALSE_ALARMS, compare, hidden_keys
from mmwave_gym.cli import main

ABOUT = about_task(TASK, PUBLIC, golden=False)
CONTEXT = committed_runs([TASK.name])
CEILINGS = stored_ceilings([TASK])
ASKED = Asked(secret="only we know it", hidden=8)


def made(agent: str, trusted: bool = False, episodes: int = PUBLIC) -> Run:
    """Rows as a stranger makes them."""
    with playing(agent, TASK.scenario_name, TASK, trusted=trusted) as player:
        rows = play_episodes(player, TASK, range(episodes), TASK.keys)
        head = {"format": 1, **header(Job(TASK, agent, None, episodes), player, ABOUT)}
        return Run(json.loads(json.dumps(head)), tuple(rows))


@cache
def roles() -> Any:
    return roles_of(CONTEXT, CONTEXT, ASKED)[TASK.name]


def verified(run: Run, asked: Asked = ASKED) -> Verdict:
    return verify(run, asked, roles() if asked.secret else {})


def written(run: Run, rows: Path) -> Path:
    path = row_path(rows, *run.identity)
    with RowWriter.open(path, run.header) as writer:
        writer.append(run.episodes)
    return path


def ended(*words: Any) -> int:
    """The exit code of a command."""
    try:
        main([*map(str, words)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def honest() -> Run:
    return made("strongest")


def altered(run: Run) -> Run:
    """Rows edited by hand: one episode is better than it was."""
    last = {**run.episodes[-1], TASK.primary: run.episodes[-1][TASK.primary] * 1.02}
    return replace(run, episodes=(*run.episodes[:-1], last))


@pytest.mark.parametrize(
    ("agent", "trusted", "reason", "warning"),
    [
        ("Upgraded", True, "no attribute '_batch'", "is local and equals oracle, .* in 8 of 8 episodes"),
        ("Reader", True, "published score does not hold on 8 hidden episodes", "is local and equals oracle"),
        ("Forger", True, "no attribute '_batch'", "beats the hindsight-exact ceiling oracle in 8 of 8"),
        ("Crowd", False, "its rows depend on how many are played at once", ""),
    ],
)
def test_agents_that_cheat_are_caught(
    agent: str, trusted: bool, reason: str, warning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEARNT_BY_HEART", str(tmp_path / "actions.npz"))
    run = made(f"cheating_agents:{agent}", trusted)
    found = verified(run, ASKED if agent == "Reader" else Asked())
    assert found.status == "failed"
    assert reason in found.reason
    (board,) = summarise([*CONTEXT, run], ceilings=CEILINGS).tasks
    said = [text for text in board.warnings if f"{run.agent['name']} " in text]
    assert [text for text in said if re.search(warning, text)] if warning else not said


def test_rows_that_were_edited_or_left_out_are_caught(honest: Run) -> None:
    found = verified(altered(honest), Asked())
    assert (found.status, "1 of 8 rows do not repeat" in found.reason) == ("failed", True)
    elsewhere = [dict(row, rate_bps_hz=row["rate_bps_hz"] + 0.05) for row in honest.episodes]
    lie = replace(honest, header={**honest.header, "made_on": "another kind"}, episodes=tuple(elsewhere))
    assert "8 of 8 rows do not repeat" in verified(lie, Asked()).reason, "another processor excuses one row, not all"
    picked = replace(honest, episodes=honest.episodes[:2] + honest.episodes[3:])
    assert "episodes have no row, such as 2" in verified(picked, Asked()).reason
    crowned = replace(honest, header={**honest.header, "task": {**honest.task, "ceiling": "strongest"}})
    assert "task.ceiling is 'strongest' in the rows and 'oracle' now" in verified(crowned, Asked()).reason
    knowing = replace(honest, header={**honest.header, "agent": {**honest.agent, "access": "central"}})
    assert "the rows say access 'central', the agent says 'local'" in verified(knowing, Asked()).reason


def test_an_honest_stranger_passes() -> None:
    found = verified(made("foreign_agents:Patient"))
    assert found.status == "passed", found.reason
    assert found.hidden is not None
    assert found.hidden.measure == "score"


def test_hidden_keys_are_the_verifiers() -> None:
    seeds = {secret: hidden_keys(TASK, secret)([0])[0].seed for secret in ("a", "b")}
    assert len({*seeds.values(), TASK.keys([0])[0].seed}) == 3
    assert min(seeds.values()) > 2**128, "nobody tries them all"
    (first,) = hidden_keys(TASK, "a")([0])
    assert hidden_keys(TASK, "a")([3, 4]) == [first._replace(number=n) for n in (3, 4)]
    with pytest.raises(ValueError, match="must not be empty"):
        hidden_keys(TASK, "")


def samples(rng: np.random.Generator, count: int, gain: float = 0.5) -> dict[str, Sample]:
    """Floor, ceiling and an agent between them, in skewed worlds that all share."""
    world, luck = rng.exponential(size=count) * 10.0, rng.exponential(size=count)
    values = {"random": world, "agent": world + gain + luck - 1.0, "oracle": world + 1.0 + 2.0 * luck}
    return {name: Sample(np.arange(count), column[None]) for name, column in values.items()}


def test_a_result_that_holds_is_seldom_doubted_and_one_that_does_not_is_found() -> None:
    rng, task = np.random.default_rng(0), TASK.describe()
    alarms = [compare(task, samples(rng, 60), samples(rng, 12), "agent", 1).p < 0.05 for _ in range(50)]
    assert sum(alarms) <= 9, "binomial, 50 times 5 %: with 99.9 % probability at most 9"
    worse = compare(task, samples(rng, 60), samples(rng, 12, gain=-1.0), "agent", 10)
    assert not worse.holds
    assert worse.worse.low is not None
    assert worse.worse.low > 0.0
    assert worse.level == pytest.approx(FALSE_ALARMS / 10)


def test_the_mark_holds_for_the_rows_that_were_verified(honest: Run, tmp_path: Path) -> None:
    path = written(honest, tmp_path / "board" / "rows")
    assert ended("verify", path, "--rows", 4) == 0
    (run,) = read_rows(tmp_path / "board" / "rows")
    assert run.verified is not None
    assert (run.verified["rows"], run.verified["replayed"], run.verified["hidden"]) == (PUBLIC, 4, None)

    *tables, _ = write(summarise([run]), tmp_path / "board")
    (page,) = (tmp_path / "board" / "tasks").rglob("*.html")
    assert [("repeats" in told.read_text()) for told in (*tables, page)] == [True, True, True]
    pack([run], tmp_path / "packs")
    (packed,) = unpack(tmp_path / "packs")
    assert packed.verified == run.verified

    text = path.read_text()
    path.write_text(text.replace('"scored_steps": 150', '"scored_steps": 149', 1))
    assert path.read_text() != text
    assert read_rows(tmp_path / "board" / "rows")[0].verified is None
    physics = run.header["physics"]["code"]
    for was, now, holds in ((physics, "tidied", True), ('"access": "local"', '"access": "central"', False)):
        path.write_text(text.replace(was, now, 1))
        assert path.read_text() != text
        (again,) = read_rows(tmp_path / "board" / "rows")
        assert (again.verified is not None) == holds, "code may be tidied, a claim may not change"
    path.write_text(text)
    note([Verdict(run, "failed", "no longer")])
    assert read_rows(tmp_path / "board" / "rows")[0].verified is None


def test_a_weaker_verification_keeps_the_mark_of_a_stronger_one(honest: Run, tmp_path: Path) -> None:
    rows = tmp_path / "rows"
    path = written(honest, rows)
    (run,) = read_rows(rows)
    keep(path, {**(Verdict(run, "passed", "with a key").record() or {}), "hidden": 8})
    note([Verdict(read_rows(rows)[0], "passed", "without one")])
    kept = read_rows(rows)[0].verified
    assert kept is not None
    assert (kept["hidden"], kept["reason"]) == (8, "with a key")
    note([Verdict(read_rows(rows)[0], "failed", "no longer")])
    assert read_rows(rows)[0].verified is None


def test_the_command_tells_failed_from_bad_input(
    honest: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack([altered(honest)], tmp_path)
    assert ended("verify", tmp_path, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"passed": 0, "failed": 1, "not checked": 0}
    assert told["runs"][0]["agent"] == "strongest"
    for words, message in (
        ((tmp_path / "nothing",), "does not exist"),
        ((tmp_path, "--agent", "nobody"), "none of the 1 runs"),
        ((Path(__file__),), "is no"),
    ):
        assert ended("verify", *words) == 2
        assert message in capsys.readouterr().err


def test_last_bits_of_another_processor_are_no_alarm() -> None:
    (oracle,) = [run for run in CONTEXT if run.agent["name"] == "oracle"]
    ceiling = [run for run in CONTEXT if run.agent["name"] in ("random", "oracle")]
    twin = {**oracle.header, "agent": {**oracle.agent, "name": "elsewhere"}}
    for factor, alarms in ((1.0 + 1e-8, 0), (1.0 + 1e-4, 2)):  # the exact ceiling, the best known
        rows = tuple({**row, TASK.primary: row[TASK.primary] * factor} for row in oracle.episodes)
        (board,) = summarise([*ceiling, replace(oracle, header=twin, episodes=rows)], ceilings=CEILINGS).tasks
        assert len(board.warnings) == alarms, board.warnings


@pytest.mark.long
def test_any_number_of_processes_says_the_same(honest: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack([honest, altered(made("random"))], tmp_path)
    told = []
    for jobs in (1, 2):
        words = ("--rows", 4, "--key", "ours", "--hidden", 4, "--seed", "any", "--jobs", jobs, "--json", "--no-record")
        assert ended("verify", tmp_path, *words) in (0, 1)
        told.append(json.loads(capsys.readouterr().out))
    assert told[0] == told[1]
    assert {run["status"] for run in told[0]["runs"]} <= {"passed", "failed"}


def test_a_row_that_drifts_between_processors_counts_once(honest: Run) -> None:
    """Played alone and with others it drifts again, by the same amount: that says nothing of the sizes."""
    rows = [dict(row) for row in honest.episodes]
    rows[0]["rate_bps_hz"] += 0.2 * float(np.std([row["rate_bps_hz"] for row in rows]))
    elsewhere = replace(honest, header={**honest.header, "made_on": "another kind"}, episodes=tuple(rows))
    found = verified(elsewhere, Asked())
    assert found.status == "passed", found.reason
