"""Row files survive a kill, and refuse rows of another key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_rows import header, page_html, rows, save

from mmwave_gym.benchmark.leaderboard import RowsError, RowWriter, read_rows, row_path, summarise, write


def test_rows_come_back_as_written(tmp_path):
    path = save(tmp_path, "ppo", [1.5, 2.25], seed=3, task="handover/a1-beta25")
    assert path == tmp_path / "handover" / "a1-beta25" / "ppo@3.jsonl"
    (read,) = read_rows(tmp_path)
    assert [row["reward"] for row in read.episodes] == [1.5, 2.25]
    assert read.agent["training_seed"] == 3
    assert read.failed is None


def test_resume_after_truncation_at_every_byte_of_the_last_line(tmp_path):
    path = save(tmp_path, "a3", [1, 2, 3])
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for cut in range(last, len(whole) + 1):
        path.write_bytes(whole[:cut])
        complete = cut >= len(whole) - 1  # without its newline the line is still whole
        expected = {0, 1, 2} if complete else {0, 1}
        assert {row["episode"] for row in read_rows(tmp_path)[0].episodes} == expected
        with RowWriter.open(path, header()) as writer:
            assert writer.done == expected
            writer.append(row for row in rows([1, 2, 3]) if row["episode"] not in writer.done)
        assert path.read_bytes() == whole


def test_resume_after_truncation_at_every_byte_of_the_header(tmp_path):
    path = save(tmp_path, "a3", [])
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        assert len(read_rows(tmp_path)) == (cut >= len(whole) - 1)
        RowWriter.open(path, header()).close()
        assert path.read_bytes() == whole


def test_a_file_that_is_no_row_file_is_left_alone(tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text("my notes")
    with pytest.raises(RowsError, match="not a row file"):
        RowWriter.open(path, header())
    assert path.read_text() == "my notes"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hash": "other"}, "task.hash is 'abc' there and 'other' now"),
        ({"config": {"hysteresis_db": 3.0}}, "agent.config"),
        ({"weights_sha256": "ff"}, "agent.weights_sha256"),
        ({"package_version": "0.2.0"}, "package_version"),
    ],
)
def test_another_key_is_refused_and_nothing_lost(tmp_path, changes, message):
    path = save(tmp_path, "a3", [1, 2])
    before = path.read_bytes()
    with pytest.raises(RowsError, match=message) as caught:
        RowWriter.open(path, header(**changes))
    assert "Delete the file or choose another --out" in str(caught.value)
    assert path.read_bytes() == before


def test_same_key_with_another_date_and_more_episodes_extends(tmp_path):
    path = save(tmp_path, "a3", [1, 2])
    later = header(created="2027-01-01T00:00:00Z", command="more", episodes=300)
    with RowWriter.open(path, later) as writer:
        assert writer.done == {0, 1}
        writer.append(rows([3], start=2))
    (read,) = read_rows(tmp_path)
    assert len(read.episodes) == 3
    assert read.header["command"] == "more"
    assert read.created == "2026-11-22T02:30:00Z"  # as old as the oldest row


@pytest.mark.parametrize(
    ("before", "after", "wanted"), [("x, y", "x, z", "x, y; x, z"), ("x", "x", "x"), ("", "x", "not recorded; x")]
)
def test_rows_of_several_kinds_of_processors_say_so(tmp_path, before, after, wanted):
    """On none of them does such a run repeat to the last digit."""
    path = save(tmp_path, "a3", range(4), made_on=before)
    for episodes in (8, 9):  # opened twice: no kind is named twice
        with RowWriter.open(path, header(made_on=after, episodes=episodes)):
            pass
    (read,) = read_rows(tmp_path)
    assert read.header["made_on"] == wanted


def test_former_failure_is_dropped_and_its_episodes_kept(tmp_path):
    path = save(tmp_path, "a3", [1, 2])
    with RowWriter.open(path, header()) as writer:
        writer.fail("out of memory")
        with pytest.raises(RowsError, match="failed"):
            writer.append(rows([3], start=2))
    assert read_rows(tmp_path)[0].failed == "out of memory"
    with RowWriter.open(path, header()) as writer:
        assert writer.done == {0, 1}
    assert read_rows(tmp_path)[0].failed is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"reward": float("nan")}, "JSON"),
        ({"reward": float("inf")}, "JSON"),
        ({"reward": None}, "finite number"),
        ({"episode": 0}, "twice"),
        ({"episode": -1}, "integer 'episode' from 0"),
        ({"episode": 10**30}, "integer 'episode' from 0"),
        ({"reward": 1e308}, "finite number up to"),
        ({"scored_steps": "x"}, "scored_steps must be a number from 0 on, got 'x'"),
        ({"scored_steps": -5}, "scored_steps must be a number from 0 on, got '-5'"),
    ],
)
def test_a_bad_row_is_refused_with_the_whole_batch(tmp_path, row, message):
    path = save(tmp_path, "a3", [1])
    before = path.read_bytes()
    good, bad = rows([2, 3], start=1)
    with RowWriter.open(path, header()) as writer, pytest.raises(RowsError, match=message):
        writer.append([good, {**bad, **row}])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("task", {"higher_is_better": "no"}, "task.higher_is_better must be true or false, got 'no'"),
        ("package_version", {"a": 1}, "package_version must be a text"),
    ],
)
def test_a_header_of_other_kinds_is_refused(tmp_path, part, value, message):
    path = save(tmp_path, "a3", [1])
    line, _, rest = path.read_text().partition("\n")
    head = json.loads(line)
    head[part] = {**head[part], **value} if part == "task" else value
    path.write_text(json.dumps(head) + "\n" + rest)
    with pytest.raises(RowsError, match=message):
        read_rows(tmp_path)


def test_a_pipe_for_the_time_of_a_run_is_passed_over(tmp_path):
    path = save(tmp_path, "a3", [1])
    os.mkfifo(path.with_suffix(".seconds"))
    assert read_rows(tmp_path)[0].processor_s is None


def test_numpy_scalars_can_be_written(tmp_path):
    path = tmp_path / "a3.jsonl"
    with RowWriter.open(path, header()) as writer:
        writer.append([{**rows([1])[0], "reward": np.float32(0.5), "scored_steps": np.int64(20)}])
    assert read_rows(tmp_path)[0].episodes[0]["reward"] == 0.5


def test_two_writers_of_one_file_are_noticed(tmp_path):
    pytest.importorskip("fcntl")
    path = save(tmp_path, "a3", [1])
    with RowWriter.open(path, header()), pytest.raises(RowsError, match="another process"):
        RowWriter.open(path, header())
    RowWriter.open(path, header()).close()


def test_unwritable_places_are_clear_errors(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RowsError, match="choose another --out"):
        RowWriter.open(tmp_path / "file" / "a3.jsonl", header())
    with pytest.raises(RowsError, match="choose another --out"):
        write(summarise([]), tmp_path / "file")
    with pytest.raises(RowsError, match="not a directory"):
        read_rows(tmp_path / "nowhere")


def test_a_full_disk_loses_no_row_and_leaves_no_half_one(tmp_path):
    resource = pytest.importorskip("resource")
    path = save(tmp_path, "a3", [1, 2])
    size = path.stat().st_size
    script = f"""
import json, resource, signal, sys
from mmwave_gym.benchmark.leaderboard import RowWriter, RowsError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
head, more = json.load(sys.stdin)
writer = RowWriter.open({str(path)!r}, head)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 50},) * 2)
try:
    writer.append(more)
except RowsError as error:
    sys.exit("cannot be written" not in str(error))
sys.exit(2)
"""
    assert resource
    data = json.dumps([header(), rows([3, 4], start=2)])
    subprocess.run([sys.executable, "-c", script], input=data, text=True, check=True, cwd=Path(__file__).parents[2])
    assert path.stat().st_size == size
    assert len(read_rows(tmp_path)[0].episodes) == 2


def test_agents_named_by_path_or_class_stay_inside_the_directory(tmp_path):
    for agent in ("../../etc/x", "package.module:Agent", "ppo@3", ".."):
        path = row_path(tmp_path, "handover/a1", agent)
        assert path.resolve().parent == (tmp_path / "handover" / "a1").resolve()
    assert row_path(tmp_path, "t", "ppo@3") != row_path(tmp_path, "t", "ppo", 3)
    with pytest.raises(RowsError):
        row_path(tmp_path, "../up", "a3")


def test_damage_in_the_middle_is_named_by_file_and_line(tmp_path):
    path = save(tmp_path, "a3", [1, 2, 3])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], b"{broken\n", *lines[3:]]))
    with pytest.raises(RowsError, match=r"a3\.jsonl, line 3: it is not JSON"):
        read_rows(tmp_path)
    path.write_bytes(b"".join([*lines, lines[1]]))
    with pytest.raises(RowsError, match="line 5: episode 0 is there twice"):
        read_rows(tmp_path)


def test_committed_rows_only_stand_in(tmp_path):
    fresh, kept = tmp_path / "fresh", tmp_path / "kept"
    save(fresh, "a3", [1])
    save(kept, "a3", [9])
    save(kept, "ppo", [2], seed=0)
    with RowWriter.open(row_path(fresh, "handover/a1", "ppo", 0), header("ppo", 0)) as writer:
        writer.skip("needs FULL=1")
    found = {
        (r.agent["name"], r.committed, r.skipped)
        for r in read_rows(fresh, committed=[replace(run, committed=True) for run in read_rows(kept)])
    }
    assert found == {("a3", False, None), ("ppo", False, "needs FULL=1"), ("ppo", True, None)}
    board = summarise(read_rows(fresh, committed=[replace(run, committed=True) for run in read_rows(kept)])).tasks[0]
    entry = board.entry("ppo")
    assert entry is not None
    assert entry.committed
    assert not board.entry("a3").committed
    assert "needs FULL=1" in page_html(
        summarise(read_rows(fresh, committed=[replace(run, committed=True) for run in read_rows(kept)]))
    )


def test_a_run_that_never_played_is_replaced_by_another_of_its_name(tmp_path):
    path = tmp_path / "a3.jsonl"
    with RowWriter.open(path, header(weights_sha256=None)) as writer:
        writer.skip("no weights")
    with RowWriter.open(path, header(weights_sha256="ab" * 32)) as writer:
        writer.append(rows([1.0]))
    (read,) = read_rows(tmp_path)
    assert read.skipped is None
    assert read.header["agent"]["weights_sha256"] == "ab" * 32
