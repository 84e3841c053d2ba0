"""Committed rows: packed without loss, shown only while they hold, and played again in every run of the tests."""

from __future__ import annotations

import datetime
import importlib
import lzma
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.committed import committed_runs, plan
from mmwave_gym.benchmark.golden import golden_sums
from mmwave_gym.benchmark.leaderboard import RowsError, Run, pack, read_rows, unpack
from mmwave_gym.benchmark.leaderboard.keys import differing, same_physics
from mmwave_gym.benchmark.replay import replay, sample
from mmwave_gym.benchmark.runs import Job, described, run as play
from mmwave_gym.benchmark.source_digest import digest
from mmwave_gym.cli import main
from mmwave_gym.scenarios.cell_selection import game

TASK = suite.task("cell_selection/n3-cost10")
JOB = Job(TASK, "rate", None, 6)
DRAWN_BY = os.environ.get("MMWAVE_REPLAY") or datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
MOST_S = 1.5
"""Processor time in seconds that a committed row may take to be played here."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that was played just now, as committed."""
    rows = tmp_path_factory.mktemp("rows")
    play(JOB, rows)
    (run,) = read_rows(rows)
    return replace(run, committed=True)


def stale(run: Run, tmp_path: Path, job: Job = JOB) -> str:
    """Why a board would not show this run, empty if it would."""
    found = plan([job], tmp_path / "none", [run], playable=lambda job: False)
    return found.shown[0].stale


def changed(run: Run, part: str, **values: Any) -> Run:
    return replace(run, header={**run.header, part: {**run.header[part], **values}})


def test_a_pack_holds_all_of_its_runs(made: Run, tmp_path: Path) -> None:
    failed = replace(changed(made, "agent", name="broken"), episodes=(), failed="no idea")
    assert len(pack([made, failed], tmp_path)) == 2
    broken, back = unpack(tmp_path)
    assert (back.header, back.episodes, back.processor_s) == (made.header, made.episodes, made.processor_s)
    assert back.committed
    assert broken.failed == "no idea"
    assert pack([failed, made], tmp_path) == [], "the same runs are not written again"
    moved = changed(made, "physics", code="other")
    assert [p.name for p in pack([moved, failed], tmp_path)] == ["n3-cost10.runs.xz"], "the rows did not change"


def test_a_damaged_pack_is_refused(made: Run, tmp_path: Path) -> None:
    runs, rows = sorted(pack([made], tmp_path), key=lambda path: "rows" in path.name)
    whole = rows.read_bytes()
    for bad in (b"", whole[:-20], b"no xz at all", lzma.compress(lzma.decompress(whole) + b"{}\n")):
        rows.write_bytes(bad)
        with pytest.raises(RowsError, match=r"fetch it again|one of them is damaged"):
            unpack(tmp_path)
    rows.write_bytes(whole)
    runs.write_bytes(lzma.compress(b"[1]\n"))
    with pytest.raises(RowsError, match="is no pack of rows"):
        unpack(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"[" * 100_000, "levels deep"),
        (b'{"rows": true, "header": {}}', "is no pack of rows"),
        (b'{"rows": 1, "processor_s": "x", "header": {}}', "is no pack of rows"),
        (b'{"rows": 1, "processor_s": NaN, "header": {}}', "NaN is no number"),
    ],
)
def test_a_pack_from_elsewhere(made: Run, tmp_path: Path, line: bytes, said: str) -> None:
    runs, _ = sorted(pack([made], tmp_path), key=lambda path: "rows" in path.name)
    runs.write_bytes(lzma.compress(line + b"\n"))
    with pytest.raises(RowsError, match=said) as caught:
        unpack(tmp_path)
    assert str(caught.value).startswith(str(runs))


def test_a_pipe_is_no_pack(made: Run, tmp_path: Path) -> None:
    _, rows = sorted(pack([made], tmp_path), key=lambda path: "rows" in path.name)
    rows.unlink()
    os.mkfifo(rows)
    with pytest.raises(RowsError, match=r"rows\.xz: it is no regular file, but a pipe: fetch it again"):
        unpack(tmp_path)


@pytest.mark.parametrize(
    ("part", "values", "said"),
    [
        ("task", {"hash": "other"}, "task.hash"),
        ("agent", {"config": {"cost": 1}}, "agent.config"),
        ("agent", {"weights_sha256": "other"}, "agent.weights_sha256"),
        ("agent", {"code": "other"}, "agent.code"),
        ("physics", {"code": "other", "sums": {"reward": 1.0}}, "physics.code"),
    ],
)
def test_a_run_of_another_key_is_not_shown(
    made: Run, tmp_path: Path, part: str, values: dict[str, Any], said: str
) -> None:
    assert stale(made, tmp_path) == ""
    assert stale(changed(made, part, **values), tmp_path).startswith(said)


def test_the_last_bits_of_a_solved_configuration_are_no_setting() -> None:
    def head(value: float) -> dict[str, Any]:
        return {"agent": {"config": {"optimum_bps_hz": [value, 3.0], "sweeps": 19}}}

    assert differing(head(10.145517349), head(10.145515442)) is None
    assert differing(head(10.1455), head(10.1457)) is not None


def test_the_last_bits_of_a_computed_constant_make_no_other_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of processors compute rates that differ in the last place; committed rows hold on all of them."""
    task = suite.task("cell_selection/n3-cost10")
    kind, told = type(task.scenario()), dict(task.scenario().constants())
    los, nlos, outage = told["rate_bps_hz"]

    def hash_with(rate: float) -> str:
        monkeypatch.setattr(kind, "constants", lambda self: {**told, "rate_bps_hz": (los, rate, outage)})
        return str(described(task, 8)["hash"])

    assert hash_with(math.nextafter(nlos, 9.0)) == hash_with(nlos) == hash_with(math.nextafter(nlos, 0.0))
    assert hash_with(nlos * (1.0 + 1e-6)) != hash_with(nlos)


def test_code_that_changed_and_numbers_that_did_not(made: Run, tmp_path: Path) -> None:
    """Golden sums decide where the code of the physics is another."""
    assert stale(changed(made, "physics", code="another digest"), tmp_path) == ""


def test_an_agent_s_new_code_that_decides_alike_keeps_its_rows(made: Run, tmp_path: Path) -> None:
    def shown(run: Run) -> Run:
        return plan([JOB], tmp_path / "none", [run], playable=lambda job: False, recheck=2).shown[0]

    older = changed(made, "agent", code="another digest")
    kept = shown(older)
    assert (kept.stale, kept.agent["code"], kept.episodes) == ("", made.agent["code"], made.episodes)
    assert kept.header["created"] == made.header["created"]
    assert shown(made).header == made.header
    other = replace(older, episodes=tuple({**row, "reward": row["reward"] + 1e-9} for row in older.episodes))
    assert shown(other).stale.startswith("agent.code")
    assert shown(changed(older, "agent", config={"cost": 1})).stale.startswith("agent.config")


def test_physics_that_changed_is_noticed(made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of one part in ten thousand of the reward, of a metric, of the observation."""
    other = changed(made, "physics", code="another digest")
    step, observe = game.CellSelection.step, game.CellSelection.observe

    def richer(self: Any, *given: Any) -> Any:
        outcome = step(self, *given)
        outcome.reward *= 1.0001
        return outcome

    monkeypatch.setattr(game.CellSelection, "step", richer)
    assert stale(other, tmp_path).startswith("physics.code")
    monkeypatch.setattr(game.CellSelection, "step", step)
    monkeypatch.setattr(game.CellSelection, "observe", lambda *given: observe(*given) * 1.0001)
    assert stale(other, tmp_path).startswith("physics.code")


def test_golden_sums_allow_the_last_bits_only() -> None:
    sums = golden_sums(TASK)
    near = {name: value * (1.0 + 1e-9) for name, value in sums.items()}
    far = {**sums, "reward": sums["reward"] * 1.0001}
    assert same_physics({"physics": {"sums": sums}}, {"physics": {"sums": near}})
    assert not same_physics({"physics": {"sums": sums}}, {"physics": {"sums": far}})


RULE = '''
"""A rule."""
from rule_part{n} import LIMIT

class Rule:
    """Says something."""
    label: str = "rule"
    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        return (observation[:, 0] > LIMIT).astype(int), state
'''


def test_what_code_means_is_digested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and layout do not count; a number does, in a module that is imported too."""
    monkeypatch.syspath_prepend(tmp_path)
    texts = [
        RULE,
        RULE.replace("Says something.", "Says something else.").replace("return", "# why\n        return"),
        RULE.replace("> LIMIT", ">= LIMIT"),
    ]
    for n, text in enumerate(texts):
        (tmp_path / f"rule_whole{n}.py").write_text(text.replace("_part{n}", "_part"))
    (tmp_path / "rule_part.py").write_text("LIMIT = 0.5\n")
    importlib.invalidate_caches()
    same, worded, other = (digest(frozenset({f"rule_whole{n}"})) for n in range(3))
    assert same is not None
    assert same == worded != other
    assert digest(frozenset({"rule_nowhere"})) is None


def test_of_a_run_only_what_is_missing_is_played(made: Run, tmp_path: Path) -> None:
    more = replace(JOB, episodes=9)
    found = plan([more], tmp_path, [made])
    assert found.play == [more]
    play(more, tmp_path)
    (extended,) = read_rows(tmp_path)
    assert extended.episodes[:6] == made.episodes
    assert len(extended.episodes) == 9
    fewer = plan([replace(JOB, episodes=2)], tmp_path / "none", [made])
    assert not fewer.play
    assert [row["episode"] for row in fewer.shown[0].episodes] == [0, 1]


def test_rows_of_fewer_episodes_are_shown_as_they_are_unless_more_are_asked_for(made: Run, tmp_path: Path) -> None:
    more = plan([replace(JOB, episodes=9)], tmp_path, [made], extend=False)
    assert more.play == []
    assert [len(run.episodes) for run in more.shown] == [len(made.episodes)]
    assert not more.shown[0].stale
    assert plan([replace(JOB, episodes=9)], tmp_path / "own", [made]).play


def board(*words: Any) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([str(word) for word in words])


def test_a_board_plays_what_is_new_and_shows_the_rest(
    made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    pack([made], tmp_path / "packs")
    words = ["leaderboard", "--task", TASK.name, "--episodes", "4", "--jobs", "1", "--committed", tmp_path / "packs"]
    board(*words, "--out", tmp_path / "board", "--agent", "rate", "--agent", "stay")
    assert [path.stem for path in (tmp_path / "board" / "rows").rglob("*.jsonl")] == ["stay"]
    assert "Runs shown by their committed rows: 1.\nRuns played here: 1.\n" in capsys.readouterr().err
    assert "(committed)" in (tmp_path / "board" / "leaderboard.md").read_text()
    board(*words, "--out", tmp_path / "all", "--agent", "rate", "--replay")
    assert [path.stem for path in (tmp_path / "all" / "rows").rglob("*.jsonl")] == ["rate"]


def test_who_skips_a_task_is_not_counted_as_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    words = ["leaderboard", "--task", TASK.name, "--episodes", "2", "--jobs", "1", "--out", tmp_path, "--agent", "stay"]
    board(*words, "--replay", "--also", "foreign_agents:Elsewhere")
    said = capsys.readouterr().err
    assert "Runs played here: 1. Skipped by their agents: 1.\n" in said
    page = (tmp_path / "tasks" / "cell_selection" / "n3-cost10.html").read_text()
    assert "not made for cell_selection/n3-cost10" in page


def test_a_row_that_was_altered_does_not_repeat(made: Run) -> None:
    assert replay(made, [0, 3]).passed
    row = dict(made.episodes[3])
    row["reward"] += 1e-15
    bits = replace(made, episodes=(*made.episodes[:3], row))
    assert not replay(bits, [3]).passed, "to the last digit on the same kind of processor"
    assert replay(replace(bits, header={**made.header, "made_on": "another"}), [3]).passed
    row = {**row, "reward": row["reward"] * 2 + 1}
    lie = replace(made, header={**made.header, "made_on": "another"}, episodes=(*made.episodes[:3], row))
    assert not replay(lie, [3]).passed


def test_ten_committed_rows_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    """Other ones each day; MMWAVE_REPLAY=TEXT draws those of that text again."""
    runs = [run for run in committed_runs() if not suite.task(run.task["name"]).missing_data]
    drawn = sample(runs, 10, DRAWN_BY, MOST_S)
    assert len(drawn) == 10
    found = [replay(run, [episode]) for run, episode in drawn]
    with capsys.disabled():
        print(f"\nMMWAVE_REPLAY={DRAWN_BY}: " + "; ".join(one.sentence() for one in found))
    assert not [one.sentence() for one in found if not one.passed]


def test_shipped_rows_say_how_their_agents_were_trained() -> None:
    runs = committed_runs()
    learned = [run for run in runs if run.agent["kind"] == "learned"]
    assert learned
    for run in learned:
        told = run.agent["training"]
        assert told["trained_on"]
        assert told["teacher"] is not None
        assert told["oracle_regrets"] in (True, False)


def test_a_board_of_one_agent_leaves_the_packed_rows_of_others(tmp_path: Path, made: Run) -> None:
    packs, other = tmp_path / "packs", replace(made, header={**made.header, "agent": {**made.agent, "name": "channel"}})
    pack([made, other], packs)
    board("leaderboard", "--task", TASK.name, "--agent", "rate", "--replay", "--episodes", "2", "--jobs", "1",
          "--out", tmp_path / "board", "--pack", packs)  # fmt: skip
    found = {run.agent["name"]: len(run.episodes) for run in unpack(packs)}
    assert found["channel"] == len(made.episodes)
    assert found["rate"] == 2
    assert set(found) == {"channel", "rate"}, "the reference only measures the score, in two episodes"
    board("leaderboard", "--task", "cell_selection/n3-cost30", "--agent", "random", "--episodes", "2", "--jobs", "1",
          "--out", tmp_path / "board", "--pack", packs)  # fmt: skip
    assert {run.agent["name"] for run in unpack(packs, [TASK.name])} >= {"channel", "rate"}, "of a task played before"


def test_as_committed_checks_and_plays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("plan", "play_all", "suite_jobs"):
        monkeypatch.setattr(sys.modules["mmwave_gym.cli.leaderboard"], name, None)
    board("leaderboard", "--task", TASK.name, "--as-committed", "--out", tmp_path)
    assert "PPO" in (tmp_path / "tasks" / "cell_selection" / "n3-cost10.html").read_text()
    assert "layers of" in (tmp_path / "agents" / "cell_selection" / "ppo.html").read_text(), "the card of a network"
    assert not any((tmp_path / "rows").iterdir())
