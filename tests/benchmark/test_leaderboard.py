"""The leaderboard: row files that survive a kill, intervals that cover, a page that hides nothing."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard import RowsError, RowWriter, Run, read_rows, row_path, summarise, write
from mmwave_gym.benchmark.leaderboard.page import html as page_html
from mmwave_gym.benchmark.leaderboard.tables import limits, markdown, number, table

METRICS = {"reward": "1/slot", "handovers_per_s": "1/s"}


def header(agent: str = "a3", seed: int | None = None, task: str = "handover/a1", **changes: Any) -> dict[str, Any]:
    """A header; keys of the task or of the agent can be changed by name."""
    task_part = {
        "name": task, "version": 1, "hash": "abc", "description": "One UE among small cells.",
        "env_id": "MmwaveHandover-v0", "kwargs": {"beta": 25.0}, "warmup_steps": 10, "scored_steps": 20,
        "episodes": 8, "primary": "reward", "higher_is_better": True, "floor": "random", "ceiling": "oracle",
        "ceiling_kind": "hindsight-exact", "reference": "a3",
    }  # fmt: skip
    access = "hindsight" if agent == "oracle" else "local"
    agent_part = {
        "name": agent, "training_seed": seed, "access": access, "label": agent.upper(),
        "kind": "rule" if seed is None else "learned", "config": {"hysteresis_db": 2.0}, "weights_sha256": None,
    }  # fmt: skip
    result = {
        "format": 1, "task": task_part, "package_version": "0.1.0", "agent": agent_part, "metrics": METRICS,
        "command": f"mmwave-gym evaluate {agent} --task {task}", "created": "2026-11-22T02:30:00Z",
    }  # fmt: skip
    for key, value in changes.items():
        part = task_part if key in task_part else agent_part if key in agent_part else result
        part[key] = value
    return result


def rows(values: Any, start: int = 0) -> list[dict[str, Any]]:
    fixed = {"interactions": 30, "scored_steps": 20, "warmup_reward": 0.0, "handovers_per_s": 0.5}
    return [{"episode": e, **fixed, "reward": v} for e, v in enumerate(map(float, values), start)]


def run(agent: str, values: Any, seed: int | None = None, **changes: Any) -> Run:
    return Run(header(agent, seed, **changes), tuple(rows(values)))


def save(directory: Path, agent: str, values: Any, seed: int | None = None, **changes: Any) -> Path:
    head = header(agent, seed, **changes)
    path = row_path(directory, head["task"]["name"], agent, seed)
    with RowWriter.open(path, head) as writer:
        writer.append(rows(values))
    return path


def suite(rng: np.random.Generator, episodes: int = 40) -> list[Run]:
    """Floor, reference, a better agent and the ceiling on worlds that differ a lot and are shared."""
    world = rng.normal(20, 5, episodes)
    noise = rng.normal(0, 0.2, (3, episodes))
    return [
        run("random", world - 10 + noise[0]),
        run("a3", world + noise[1]),
        run("ucb", world + 0.5 + noise[2]),
        run("oracle", world + 3),
    ]


# --- row files


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
    ],
)
def test_a_bad_row_is_refused_with_the_whole_batch(tmp_path, row, message):
    path = save(tmp_path, "a3", [1])
    before = path.read_bytes()
    good, bad = rows([2, 3], start=1)
    with RowWriter.open(path, header()) as writer, pytest.raises(RowsError, match=message):
        writer.append([good, {**bad, **row}])
    assert path.read_bytes() == before


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


# --- statistics


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (5, 1.0)])
def test_intervals_cover(seeds, spread):
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        values = rng.normal(0, 1, (seeds, 60)) + rng.normal(0, spread, (seeds, 1)) + rng.normal(0, 0.5, 60)
        interval = statistics.mean_interval(values)
        hits += interval.low <= 0 <= interval.high
    assert 0.90 <= hits / 300 <= 0.99


def test_hierarchical_interval_is_wider_when_seeds_differ():
    rng = np.random.default_rng(1)
    values = rng.normal(0, 1, (5, 100)) + np.array([[-2], [-1], [0], [1], [2]])
    nested = statistics.mean_interval(values)
    pooled = statistics.mean_interval(values.reshape(1, -1))
    assert nested.mean == pytest.approx(pooled.mean)
    assert nested.high - nested.low > 4 * (pooled.high - pooled.low)


def test_paired_difference_is_far_tighter_than_unpaired():
    rng = np.random.default_rng(2)
    world = rng.normal(0, 10, 100)
    ours, theirs = (np.atleast_2d(world + rng.normal(shift, 0.1, 100)) for shift in (0.2, 0.0))
    paired = statistics.difference_interval(ours, theirs)
    plain = statistics.mean_interval(ours)
    assert paired.mean == pytest.approx(ours.mean() - theirs.mean())
    assert (paired.high - paired.low) * 30 < plain.high - plain.low
    assert paired.excludes_zero


def test_interval_of_one_episode_has_no_ends_and_of_constants_no_width():
    assert statistics.mean_interval(np.array([[3.0]])) == statistics.Interval(3.0, None, None)
    constant = statistics.mean_interval(np.full((1, 10), 0.1))
    assert constant.low == constant.high == constant.mean


def test_floor_scores_0_and_ceiling_1_and_lower_can_be_better():
    rng = np.random.default_rng(3)
    for sign in (1.0, -1.0):
        floor = sign * rng.normal(0, 3, (1, 50))
        ceiling = floor + sign * rng.uniform(1, 5, (1, 50))
        middle = (floor + ceiling) / 2
        scores = [statistics.score_interval(x, floor, ceiling) for x in (floor, middle, ceiling)]
        assert [s.mean for s in scores] == pytest.approx([0, 0.5, 1])
        assert scores[0].low == scores[0].high == pytest.approx(0)
        assert scores[2].low == pytest.approx(1)


def test_score_uses_task_means_not_ratios_per_episode():
    floor, ceiling = np.array([[0.0, 0.0]]), np.array([[1.0, 9.0]])
    agent = np.array([[1.0, 0.0]])  # the ratios' mean would be 0.5
    assert statistics.score_interval(agent, floor, ceiling).mean == pytest.approx(0.1)


def test_iqm_agrees_with_scipy_on_the_board():
    runs = suite(np.random.default_rng(4))
    values = {r.agent["name"]: np.array([row["reward"] for row in r.episodes]) for r in runs}
    scores = (values["ucb"] - values["random"]) / (values["oracle"].mean() - values["random"].mean())
    entry = summarise(runs).tasks[0].entry("ucb")
    assert entry.iqm == pytest.approx(stats.trim_mean(scores, 0.25))
    assert entry.score.mean == pytest.approx(scores.mean())
    assert entry.score.low < scores.mean() < entry.score.high


# --- the board


def test_ranks_verdicts_and_bounds():
    board = summarise(suite(np.random.default_rng(5))).tasks[0]
    found = {e.agent: (e.rank, e.tied, e.verdict, e.group) for e in board.entries}
    assert found["ucb"] == (1, False, "better", "local")
    assert found["a3"] == (2, False, "reference", "local")
    assert found["random"] == (None, False, "worse", "bound")
    assert found["oracle"] == (None, False, "better", "bound")
    assert board.warnings == ()


def test_indistinguishable_agents_are_tied_and_levels_ranked_apart():
    rng = np.random.default_rng(6)
    runs = suite(rng)
    reference = np.array([row["reward"] for row in runs[1].episodes])
    runs += [run("twin", reference + np.tile([0.2, -0.21], 20)), run("boss", reference + 1, access="central")]
    entries = {e.agent: e for e in summarise(runs).tasks[0].entries}
    second, third = sorted((entries["a3"], entries["twin"]), key=lambda e: e.rank)
    assert (second.rank, second.tied, third.rank, third.tied) == (2, False, 3, True)
    assert entries["boss"].rank == 1


def test_lower_is_better_turns_the_ranking_around():
    runs = [
        run(name, 10.0 + shift + np.arange(8) % 3, higher_is_better=False)
        for name, shift in [("random", 5), ("a3", 0), ("ucb", -1), ("oracle", -3)]
    ]
    board = summarise(runs).tasks[0]
    assert board.entry("ucb").rank == 1
    assert board.entry("ucb").verdict == "better"
    assert board.entry("ucb").score.mean == pytest.approx(6 / 8)


def test_unequal_episodes_do_not_buy_a_rank():
    world = np.array([50.0, 50.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    runs = [run("random", world - 5), run("a3", world), run("oracle", world + 5), run("lucky", world[:2] - 1)]
    board = summarise(runs).tasks[0]
    assert board.entry("lucky").mean.mean > board.entry("a3").mean.mean
    assert board.entry("lucky").rank == 2
    assert any("different numbers of episodes" in text for text in board.warnings)


def test_all_training_seeds_count_and_a_failed_one_is_said():
    rng = np.random.default_rng(7)
    runs = suite(rng)
    base = np.array([row["reward"] for row in runs[1].episodes])
    runs += [run("ppo", base + k, seed=k) for k in (0, 1, 2)]
    runs.append(Run(header("ppo", 3), (), failed="diverged"))
    entry = summarise(runs).tasks[0].entry("ppo")
    assert entry.seeds == 3
    assert entry.difference.mean == pytest.approx(1.0)  # the mean seed, not the best
    assert entry.difference.low < 0
    assert any("ppo@3 failed: diverged" in note for note in entry.notes)
    assert any("5 are the rule" in note for note in entry.notes)


def test_episodes_without_scored_steps_are_left_out_and_counted():
    runs = suite(np.random.default_rng(8))
    plain = summarise(runs).tasks[0].entry("ucb")
    empty = {"episode": 99, "scored_steps": 0, "reward": None, "handovers_per_s": None}
    runs[2] = Run(runs[2].header, (*runs[2].episodes, empty))
    entry = summarise(runs).tasks[0].entry("ucb")
    assert entry.left_out == 1
    assert entry.mean == plain.mean
    assert "1 left out" in page_html(summarise(runs))


def test_beating_an_exact_ceiling_is_a_warning():
    runs = suite(np.random.default_rng(9))
    episodes = [dict(row) for row in runs[2].episodes]
    episodes[4]["reward"] = runs[3].episodes[4]["reward"] * (1 + 1e-12)
    runs[2] = Run(runs[2].header, tuple(episodes))
    assert summarise(runs).tasks[0].warnings == ()  # rounding is no contradiction
    episodes[4]["reward"] += 0.5
    board = summarise(runs)
    assert "ucb beats the hindsight-exact ceiling oracle in 1 of 40 episodes" in board.tasks[0].warnings[0]
    assert "beats the hindsight-exact ceiling" in page_html(board)


def test_a_best_known_ceiling_may_be_beaten_and_the_page_says_by_how_much():
    kind = {"ceiling_kind": "best known"}
    runs = [Run(header(r.agent["name"], **kind), r.episodes) for r in suite(np.random.default_rng(9))]
    assert summarise(runs).tasks[0].warnings == ()
    best = np.array([row["reward"] for row in runs[3].episodes])
    noise = np.random.default_rng(0).normal(0, 0.3, best.size)
    noise -= noise.mean()
    board = summarise([*runs, run("better", best + 1.0 + noise, **kind), run("luck", best + 0.01 + noise, **kind)])
    beaten, above = board.tasks[0].warnings
    by = re.search(r"better beats the ceiling oracle \(best known\) in the mean, by ([0-9.]+) \[", beaten)
    assert by is not None
    assert float(by[1]) == pytest.approx(1.0, abs=0.01)
    assert above.startswith("luck has a score above 1, ")
    assert "not told apart from the ceiling oracle" in above
    assert "beats the ceiling oracle" in page_html(board)


def test_a_local_agent_that_equals_hindsight_is_a_warning():
    runs = suite(np.random.default_rng(9))
    best = [row["reward"] for row in runs[3].episodes]
    half = best[:20] + [value - 1.0 for value in best[20:]]
    assert summarise([*runs, run("lucky", half)]).tasks[0].warnings == ()
    (told,) = summarise([*runs, run("knowing", best[:21] + half[21:])]).tasks[0].warnings
    assert "knowing is local and equals oracle, which knows the whole episode, in 21 of 40 episodes" in told
    assert not summarise([*runs, run("knowing", best, access="hindsight")]).tasks[0].warnings


@pytest.mark.parametrize("gone", ["random", "oracle"])
def test_missing_floor_or_ceiling_says_why_there_is_no_score(gone):
    runs = [r for r in suite(np.random.default_rng(10)) if r.agent["name"] != gone]
    board = summarise(runs)
    assert board.tasks[0].entry("ucb").score is None
    assert f"{gone}, is missing (there are no rows of it)" in page_html(board)
    runs.append(Run(header(gone), (), failed="no licence"))
    assert f"{gone} failed: no licence" in markdown(summarise(runs))
    assert summarise(runs).tasks[0].entry("ucb").rank == 1


def test_rows_of_another_task_version_are_not_mixed_in():
    runs = suite(np.random.default_rng(11))
    runs.append(run("old", [1e6] * 40, hash="stale", created="2020-01-01T00:00:00Z"))
    board = summarise(runs).tasks[0]
    assert board.entry("old") is None
    assert any("old is left out" in text for text in board.warnings)


def test_overall_table_takes_only_agents_with_every_task():
    runs = suite(np.random.default_rng(12))
    for r in suite(np.random.default_rng(13)):
        if r.agent["name"] != "ucb":
            runs.append(Run(header(r.agent["name"], task="handover/a2"), r.episodes))
    (overall,) = summarise(runs).overall
    assert [row.entry.agent for row in overall.rows] == ["a3", "oracle", "random"]
    assert overall.missing == {"ucb": ("handover/a2",)}
    assert overall.rows[0].mean == pytest.approx(np.mean(overall.rows[0].scores))


# --- the page


class Elements(html.parser.HTMLParser):
    """Collects start tags and attributes, and checks that tags nest."""

    VOID = frozenset({"meta", "input", "br", "line", "rect", "circle", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_same_rows_same_bytes_in_any_order(tmp_path):
    runs = suite(np.random.default_rng(14))
    first = [p.read_bytes() for p in write(summarise(runs), tmp_path / "one")]
    second = [p.read_bytes() for p in write(summarise(runs[::-1]), tmp_path / "two")]
    assert first == second
    assert sorted(os.listdir(tmp_path / "one")) == ["index.html", "leaderboard.csv", "leaderboard.md"]


def test_other_peoples_text_is_escaped_everywhere():
    evil = "<script>alert(1)</script>"
    runs = suite(np.random.default_rng(15))
    runs.append(run("x" + evil, [1.0] * 40, label=evil, command=evil, kind='"><img src=x>'))
    runs.append(Run(header("bad"), (), failed=evil + "|[click](javascript:x)"))
    for r in runs:
        r.header["task"]["description"] = evil
    board = summarise(runs)
    page = page_html(board)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    found = Elements(page).found
    assert [tag for tag, _ in found].count("script") == 1
    assert "img" not in [tag for tag, _ in found]
    text = markdown(board)
    assert "<script" not in text
    assert r"\|\[click\]" in text


def test_csv_holds_the_numbers_and_no_formula(tmp_path):
    runs = suite(np.random.default_rng(16))
    runs.append(run("evil", [1.0] * 40, label="=cmd()"))
    paths = write(summarise(runs), tmp_path)
    table = {line["agent"]: line for line in csv.DictReader(io.StringIO(paths[1].read_text()))}
    entry = summarise(runs).tasks[0].entry("ucb")
    assert float(table["ucb"]["mean"]) == pytest.approx(entry.mean.mean)
    assert float(table["ucb"]["difference_low"]) == pytest.approx(entry.difference.low)
    assert float(table["ucb"]["mean_handovers_per_s"]) == 0.5
    assert table["evil"]["label"] == "'=cmd()"


def test_failed_skipped_and_committed_runs_are_visible():
    runs = suite(np.random.default_rng(17))
    runs[2] = Run(runs[2].header, runs[2].episodes, committed=True)
    runs += [Run(header("f"), (), failed="ran out of luck"), Run(header("s"), (), skipped="needs MMWAVE_DATA")]
    board = summarise(runs)
    for text in (page_html(board), markdown(board)):
        assert "f failed: ran out of luck" in text.replace("\\", "")
        assert "needs MMWAVE_DATA" in text.replace("\\", "")
        assert "committed" in text
    badges = [a for tag, a in Elements(page_html(board)).found if a.get("class") == "badge committed"]
    assert len(badges) == 1


def test_page_is_well_formed_sortable_and_self_contained():
    page = page_html(summarise(suite(np.random.default_rng(18))))
    elements = Elements(page)
    assert elements.open == []
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", page)
    for tag, attributes in elements.found:
        assert tag not in ("link", "img", "iframe")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    sortable = [a for tag, a in elements.found if tag == "th" and a.get("aria-sort") == "none"]
    assert len(sortable) >= 9
    assert sum("data-sort" in a for tag, a in elements.found if tag == "td") >= 4 * 8
    assert sum(a.get("class") == "copy" for _, a in elements.found) == 4
    assert any(tag == "time" and a["datetime"] == "2026-11-22T02:30:00Z" for tag, a in elements.found)
    assert "mmwave-gym evaluate ucb --task handover/a1" in page
    assert sum(a.get("class") == "interval" for _, a in elements.found) >= 4


def test_the_only_script_that_may_run_is_the_pages_own():
    import base64
    import hashlib

    page = page_html(summarise(suite(np.random.default_rng(19))))
    script = re.search(r"<script>(.*)</script>", page, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_a_run_that_failed_before_it_knew_its_metrics_hides_no_unit():
    runs = suite(np.random.default_rng(20))
    runs.append(Run(header("a-first", metrics={"reward": ""}), (), failed="early"))
    board = summarise(runs).tasks[0]
    assert dict(board.units) == METRICS
    lonely = summarise(runs[-1:])
    assert "reward ()" not in page_html(lonely) + markdown(lonely)


def test_an_empty_board_is_a_page_that_says_so(tmp_path):
    paths = write(summarise([]), tmp_path)
    assert "No rows yet" in paths[2].read_text()


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (26.1043, (26.05, 26.16), "26.104"),
        (-0.5, (-1.5, 0.5), "−0.5"),
        (1234567.0, (1230000.0, 1239000.0), "1,234,600"),
        (0.0, None, "0"),
        (0.9, None, "0.9"),
        (3.2e9, (3.1e9, 3.3e9), "3.20e9"),
    ],
)
def test_the_interval_decides_the_digits(value, ends, text):
    assert number(value, statistics.Interval(value, *ends) if ends else None) == text


def test_the_leaderboard_imports_no_agent_and_nothing_heavy():
    script = (
        "import sys, mmwave_gym.benchmark.leaderboard as l; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('torch', 'jinja2', 'matplotlib', 'mmwave_baselines')"
        " or m.startswith('mmwave_gym.scenarios') and m.count('.') > 2]; sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_a_ceiling_bounds_only_agents_that_know_no_more():
    world = np.random.default_rng(3).normal(20, 5, 40)
    changes = {"ceiling": "optimum", "ceiling_kind": "expectation-exact"}

    def warnings(access: str) -> tuple[str, ...]:
        runs = [
            run("random", world - 10, **changes),
            run("optimum", world, access="central", **changes),
            run("other", world + 1, access=access, **changes),
        ]
        return tuple(summarise(runs).tasks[0].warnings)

    assert any("other beats the ceiling optimum" in w for w in warnings("central"))
    assert not any("beats" in w for w in warnings("hindsight"))


@pytest.mark.parametrize(
    ("claim", "access", "shown"),
    [
        ("ceiling", "local", "other"),
        ("floor", "local", "other"),
        ("ceiling", "hindsight", "bound"),
        ("best", "local", "other"),
    ],
)
def test_only_a_task_makes_an_agent_its_floor_or_ceiling(claim, access, shown):
    rng = np.random.default_rng(5)
    known = [
        replace(r, header=header(r.agent["name"], kind=k))
        for r, k in zip(suite(rng)[::3], ("floor", "ceiling"), strict=True)
    ]
    board = summarise([*known, run("stranger:Agent", rng.normal(20, 1, 40), kind=claim, access=access)])
    assert {e.agent: e.kind for e in board.tasks[0].entries} == {
        "random": "floor",
        "oracle": "ceiling",
        "stranger:Agent": shown,
    }
    (line,) = [line for line in table(board).splitlines() if ",stranger:Agent," in line]
    assert claim not in line.split(",")


@pytest.mark.parametrize("claim", [{"ceiling": "stranger:Agent"}, {"higher_is_better": False}, {"reference": "random"}])
def test_what_a_task_is_is_not_for_rows_to_say(claim):
    """The newest rows would make their agent the ceiling of the task."""
    known = [replace(one, committed=True) for one in suite(np.random.default_rng(5))]
    values = np.random.default_rng(6).normal(20, 1, 40)
    boards = [
        summarise([*known, run("stranger:Agent", values, created="2030-01-01T00:00:00Z", **told)], told_by).tasks[0]
        for told, told_by in (({}, {}), (claim, {}), (claim, {known[0].task["name"]: known[0].task}))
    ]
    for board in boards[1:]:
        assert board.entries[0].score == boards[0].entries[0].score
        assert [(e.agent, e.rank, e.roles) for e in board.entries] == [
            (e.agent, e.rank, e.roles) for e in boards[0].entries
        ]
        (name,) = claim
        assert f"The rows of stranger:Agent tell another {name} of this task" in board.warnings[0]


def test_copies_of_one_training_are_said_to_be_so():
    values = np.random.default_rng(7).normal(2, 1, 40)
    board = summarise([run("ppo", values + (seed == 4), seed, kind="learned") for seed in range(5)])
    (entry,) = board.tasks[0].entries
    assert "Its 5 training seeds play in 2 different ways: the others are copies." in entry.notes


@pytest.mark.parametrize(
    "told",
    [
        {"agent.training": "yes"},
        {"physics": 5},
        {"task.bounds": {"root": 1.0}},
        {"task.episodes": "all"},
        {"task.carry": 0},
    ],
)
def test_headers_that_no_board_can_read_are_refused(told, tmp_path):
    head = header("a3")
    ((place, value),) = told.items()
    part, _, name = place.rpartition(".")
    (head[part] if part else head)[name] = value
    path = tmp_path / "odd.jsonl"
    path.write_text(json.dumps(head) + "\n")
    with pytest.raises(RowsError, match=f"the header's {place} must be"):
        read_rows(tmp_path)


def test_a_proven_bound_is_shown_and_guarded_by_access_level():
    world = np.random.default_rng(3).normal(20, 1, 40)
    changes = {"ceiling": "optimum", "ceiling_kind": "expectation-exact"}
    runs = [
        run("random", world - 10, **changes),
        run("a3", world - 4, **changes),
        run("optimum", world, access="central", **changes),
        run("other", world - 1, **changes),
    ]
    for one in runs:
        one.header["task"]["bounds"] = {"local": 18.0, "central": 30.0}
    board = summarise(runs).tasks[0]
    assert [w for w in board.warnings if "bound" in w] == [
        "other beats the proven bound 18 of local agents: one is wrong."
    ]
    assert board.best_rule == "other"  # kind "rule", like a3, and better
    assert board.headroom is not None
    assert board.headroom.mean == pytest.approx(1.0)
    text = limits(board)
    assert "the best local rule (other): 1" in text
    assert "no local agent has more than 18" in text
    assert text in markdown(summarise(runs)).replace("\\", "")
    assert "no central agent has more than 30" in page_html(summarise(runs))
    assert limits(summarise([run("random", world)]).tasks[0]) == ""


@pytest.mark.parametrize("ended", ["skipped", "failed"])
def test_weights_that_come_later_replace_the_row_that_said_there_are_none(ended):
    rng = np.random.default_rng(19)
    old = Run(header("ppo", label="ppo", kind="other", created="2020-01-01T00:00:00Z"), (), **{ended: "no weights"})
    seeds = [run("ppo", rng.normal(2, 1, 40), seed, label="PPO", kind="learned") for seed in range(5)]
    (entry,) = (e for e in summarise([*suite(rng), old, *seeds]).tasks[0].entries if e.agent == "ppo")
    assert (entry.status, entry.label, entry.kind, entry.seeds) == ("scored", "PPO", "learned", 5)
    assert entry.runs == tuple(seeds)
    assert not entry.notes
    later = Run({**old.header, "created": "2099-01-01T00:00:00Z"}, (), **{ended: "weights are gone"})
    (entry,) = (e for e in summarise([*suite(rng), later, *seeds]).tasks[0].entries if e.agent == "ppo")
    assert (entry.label, entry.seeds) == ("PPO", 5)
    assert "weights are gone" in entry.notes[0]


def test_a_run_that_never_played_is_replaced_by_another_of_its_name(tmp_path):
    path = tmp_path / "a3.jsonl"
    with RowWriter.open(path, header(weights_sha256=None)) as writer:
        writer.skip("no weights")
    with RowWriter.open(path, header(weights_sha256="ab" * 32)) as writer:
        writer.append(rows([1.0]))
    (read,) = read_rows(tmp_path)
    assert read.skipped is None
    assert read.header["agent"]["weights_sha256"] == "ab" * 32
