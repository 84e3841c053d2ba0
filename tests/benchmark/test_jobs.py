"""Jobs in processes of this machine: what a death costs, what an error does, and that finished parts stay."""

import os
import sys
from dataclasses import replace
from functools import partial

import pytest
from deeds import Deed, Raising

from bench.kills import Board
from mmwave_gym.benchmark.jobs import Call, JobLost, call_all, run_all
from mmwave_gym.benchmark.leaderboard import read_rows
from mmwave_gym.benchmark.playing import play_all
from mmwave_gym.benchmark.runs import Job, jobs_of
from mmwave_gym.benchmark.task import Task

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills of POSIX")
TASK = Task(env_id="MmwaveCellSelection-v0", name="cell_selection/small", kwargs={"horizon": 5}, episodes=6)


def test_a_job_whose_worker_dies_is_done_again_and_knows_its_parts(tmp_path):
    deeds = [Deed("a", tmp_path), Deed("killer", tmp_path, 2), Deed("b", tmp_path), Deed("c", tmp_path, 1, 7)]
    parts: dict[str, list[str]] = {deed.label: [] for deed in deeds}
    found = {}
    run_all(
        deeds,
        workers=2,
        prepared=lambda job: replace(job, known=tuple(parts[job.label])),
        on_part=lambda job, part: parts[job.label].append(part.decode()),
        on_done=lambda job, done: found.update({job.label: done.result}),
    )
    assert found == {"a": b"a ", "b": b"b ", "killer": b"killer part 1 part 2", "c": b"c part 1"}


def test_a_job_that_always_kills_is_given_up_and_the_others_go_on(tmp_path):
    deeds = [Deed("killer", tmp_path, 99), Deed("leaver", tmp_path, 99, 0), *(Deed(f"{i}", tmp_path) for i in range(4))]
    lost, done = {}, []
    run_all(
        deeds,
        workers=2,
        on_done=lambda job, end: done.append(job.label),
        on_lost=lambda job, reason: lost.update({job.label: reason}),
    )
    assert sorted(done) == ["0", "1", "2", "3"]
    assert lost == {
        "killer": "killed, perhaps out of memory (its process ended by SIGKILL), 3 times",
        "leaver": "its process ended with code 0, 3 times",
    }
    assert (tmp_path / "killer").read_text() == "..."
    with pytest.raises(JobLost, match="killer was given up: killed, perhaps out of memory"):
        run_all([replace(deeds[0], label="killer"), Deed("x", tmp_path)], workers=2)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [(ValueError("no such thing"), ValueError, "no such thing"), (SystemExit(0), RuntimeError, "SystemExit: 0")],
)
def test_an_error_of_a_job_is_raised_here_with_where_it_was(error, kind, text):
    with pytest.raises(kind, match=text) as found:
        run_all([Raising("a", error), Raising("b", error)], workers=2)
    assert "in work" in found.value.__notes__[0]


def test_calls_come_back_in_order_wherever_they_were_made():
    calls = [Call(str(n), pow, (n, 2)) for n in range(5)]
    assert call_all(calls, partial(run_all, workers=2)) == call_all(calls) == [0, 1, 4, 9, 16]


def test_words_that_say_where_are_checked():
    with pytest.raises(ValueError, match="executor must be 'local' or 'ray', got 'cloud'"):
        run_all([], executor="cloud")
    with pytest.raises(ValueError, match="workers"):
        run_all([], workers=-1)


KILLER = """
import os, signal
import numpy as np
class Killer:
    access = "local"
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_kills_its_process_is_a_failed_row_and_other_rows_are_as_ever(tmp_path, monkeypatch):
    (tmp_path / "killing_agent.py").write_text(KILLER)
    monkeypatch.syspath_prepend(tmp_path)
    honest = [job for agent in ("random", "stay", "load") for job in jobs_of(TASK, agent)]
    play_all(honest, tmp_path / "serial")
    done = []
    runs = [*honest, Job(TASK, "killing_agent:Killer", None, 6, trusted=True)]
    play_all(runs, tmp_path / "pool", partial(run_all, workers=2), lambda job, end: done.append(job.agent))
    assert sorted(done) == sorted(job.agent for job in runs)
    rows = {run.agent["name"]: run for run in read_rows(tmp_path / "pool")}
    assert "killed" in rows.pop("killing_agent:Killer").failed
    assert {n: r.episodes for n, r in rows.items()} == {
        r.agent["name"]: r.episodes for r in read_rows(tmp_path / "serial")
    }


def test_an_agent_that_cannot_be_made_or_described_is_a_failed_row(tmp_path, monkeypatch):
    (tmp_path / "odd_agents.py").write_text(
        "class Broken:\n    def __init__(self):\n        raise RuntimeError('no licence')\n"
        "class Bytes:\n    label = b'x'\n    def predict(self, o, state=None, **rest):\n        return None, None\n"
        "class Odd(Bytes):\n    label = 'odd'\n    config = {'a': float('nan')}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = [f"odd_agents:{name}" for name in ("Broken", "Bytes", "Odd")]
    play_all([Job(TASK, name, None, 2) for name in names], tmp_path / "rows")
    failed = {run.agent["name"]: run.failed for run in read_rows(tmp_path / "rows")}
    assert "no licence" in failed[names[0]]
    assert failed.keys() == set(names)
    assert all(failed.values())


def test_damaged_rows_name_the_agent(tmp_path):
    job = Job(TASK, "stay", None, 2)
    play_all([job], tmp_path)
    path = next(tmp_path.rglob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'{"episode": 0', b'{"episode": x') + b"{}\n")
    with pytest.raises(ValueError, match=r"stay in cell_selection/small: .*line 2: it is not JSON"):
        play_all([job], tmp_path)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds workers in /proc")
def test_a_board_that_is_killed_leaves_no_process_and_ends_with_the_same_rows(tmp_path):
    """A sample of `python -m bench.kills`: killed, resumed and killed again, then a worker killed."""
    board = Board(tmp_path, episodes=128, agents=("random", "channel"))
    assert len(board.rows) == 2
    assert board.survives(("SIGKILL", "SIGTERM", "worker"), board.begun) == []
