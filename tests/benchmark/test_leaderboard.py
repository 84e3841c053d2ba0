"""The leaderboard: ranks, ties, ceilings and bounds, and what it warns of."""

from __future__ import annotations

import csv
import io
import json
import lzma
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_rows import ceiling, header, page_html, run, suite

from mmwave_gym.benchmark.leaderboard import RowsError, Run, read_ceilings, read_rows, summarise, write_ceilings
from mmwave_gym.benchmark.leaderboard.sentences import headline, limits
from mmwave_gym.benchmark.leaderboard.tables import markdown, table


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


def test_what_another_kind_of_processor_changes_parts_no_equal_agents():
    """Rows made elsewhere differ in the last digits, always to one side; a change ten times as large counts."""
    runs = suite(np.random.default_rng(6))
    reference = np.array([row["reward"] for row in runs[1].episodes])
    tiny = np.abs(reference).mean() * np.linspace(1e-7, 2e-7, reference.size)
    runs += [run("copy", reference - tiny), run("other", reference - 100 * tiny)]
    board = summarise(runs).tasks[0]
    found = {name: board.entry(name) for name in ("copy", "other")}
    assert (found["copy"].verdict, found["copy"].tied) == ("tied", True)
    assert (found["other"].verdict, found["other"].tied) == ("worse", False)


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
    exact = [ceiling([row["reward"] for row in runs[3].episodes])]
    episodes = [dict(row) for row in runs[2].episodes]
    episodes[4]["reward"] = runs[3].episodes[4]["reward"] * (1 + 1e-12)
    runs[2] = Run(runs[2].header, tuple(episodes))
    assert summarise(runs, ceilings=exact).tasks[0].warnings == ()  # rounding is no contradiction
    episodes[4]["reward"] += 0.5
    board = summarise(runs, ceilings=exact)
    assert "ucb beats the hindsight-exact ceiling oracle in 1 of 40 episodes" in board.tasks[0].warnings[0]
    assert "beats the hindsight-exact ceiling" in page_html(board)


def test_a_best_known_ceiling_may_be_beaten_and_the_page_says_by_how_much():
    runs = suite(np.random.default_rng(9))
    best = np.array([row["reward"] for row in runs[3].episodes])
    kept = [ceiling(best, name="best known", kind="best known")]
    assert summarise(runs, ceilings=kept).tasks[0].warnings == ()
    noise = np.random.default_rng(0).normal(0, 0.3, best.size)
    noise -= noise.mean()
    more = [run("better", best + 1.0 + noise), run("luck", best - 0.01 + noise)]
    board = summarise([*runs, *more], ceilings=kept)
    beaten, luck = board.tasks[0].warnings
    by = re.search(r"better beats what was best known, best known, in 40 of 40 .*, in the mean by ([0-9.]+) \[", beaten)
    assert by is not None
    assert float(by[1]) == pytest.approx(1.0, abs=0.01)
    episodes = int((noise > 0.01).sum())
    assert f"luck beats what was best known, best known, in {episodes} of 40 episodes" in luck
    assert "in the mean" not in luck
    assert "beats what was best known" in page_html(board)
    # The scale moves with it: the best known is the maximum over all of them, and nobody is above it.
    (now,) = board.tasks[0].ceilings
    np.testing.assert_allclose(now.sample.values[0], np.maximum(best + 1.0 + noise, best))
    assert now.agents[0] == "better"
    assert max(e.score.mean for e in board.tasks[0].entries) <= 1.0


def test_a_local_agent_that_equals_hindsight_is_a_warning():
    runs = suite(np.random.default_rng(9))
    best = [row["reward"] for row in runs[3].episodes]
    half = best[:20] + [value - 1.0 for value in best[20:]]
    assert summarise([*runs, run("lucky", half)]).tasks[0].warnings == ()
    (told,) = summarise([*runs, run("knowing", best[:21] + half[21:])]).tasks[0].warnings
    assert "knowing is local and equals oracle, which knows the whole episode, in 21 of 40 episodes" in told
    assert not summarise([*runs, run("knowing", best, access="hindsight")]).tasks[0].warnings


def test_a_missing_floor_says_why_there_is_no_score():
    runs = [r for r in suite(np.random.default_rng(10)) if r.agent["name"] != "random"]
    board = summarise(runs)
    assert board.tasks[0].entry("ucb").score is None
    assert "random, is missing (there are no rows of it)" in page_html(board)
    runs.append(Run(header("random"), (), failed="no licence"))
    assert "random failed: no licence" in markdown(summarise(runs))
    assert summarise(runs).tasks[0].entry("ucb").rank == 1


def test_no_ceiling_but_the_rows_scores_by_the_best_known_and_one_below_the_floor_says_so():
    runs = [r for r in suite(np.random.default_rng(10)) if r.agent["name"] != "oracle"]
    board = summarise(runs).tasks[0]
    (known,) = board.ceilings
    assert (known.kind, known.level) == ("best known", "hindsight")
    assert 0.9 < board.entry("ucb").score.mean <= 1.0
    low = ceiling(np.full(40, -1e3), name="wrong", level="local", kind="proven bound", per_episode=False)
    entry = summarise(runs, ceilings=[low]).tasks[0].entry("ucb")
    assert entry.score is None
    assert "No score: the ceiling, wrong, is no better than the floor." in entry.notes


def test_rows_of_another_task_version_are_not_mixed_in():
    runs = suite(np.random.default_rng(11))
    runs.append(run("old", [1e6] * 40, hash="stale", created="2020-01-01T00:00:00Z"))
    board = summarise(runs).tasks[0]
    assert board.entry("old") is None
    assert any("old is left out" in text for text in board.warnings)
    runs += [replace(run("net", [1.0] * 40, training_seed=seed), stale="its code changed") for seed in (1, 0)]
    (said,) = [text for text in summarise(runs).tasks[0].warnings if "net" in text]
    assert said.startswith("net@0, @1 is left out: its committed rows no longer hold, its code changed.")


def test_overall_table_gives_a_mean_only_over_every_task_and_says_why_a_cell_is_empty():
    runs = suite(np.random.default_rng(12))
    for r in suite(np.random.default_rng(13)):
        if r.agent["name"] != "ucb":
            runs.append(Run(header(r.agent["name"], task="handover/a2"), r.episodes))
    (overall,) = summarise(runs).overall
    assert [row.entry.agent for row in overall.rows if row.whole] == ["a3", "oracle", "random"]
    assert overall.rows[0].mean == pytest.approx(np.mean(overall.rows[0].scores))
    (ucb,) = (row for row in overall.rows if not row.whole)
    assert (ucb.mean, ucb.iqm, ucb.scores[1], ucb.empty) == (None, None, None, ("", "not played here"))


def test_the_leaderboard_imports_no_agent_and_nothing_heavy():
    script = (
        "import sys, mmwave_gym.benchmark.leaderboard as l; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('torch', 'jinja2', 'matplotlib', 'mmwave_baselines')"
        " or m.startswith('mmwave_gym.scenarios') and m.count('.') > 2]; sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_a_ceiling_bounds_only_agents_that_know_no_more():
    world = np.random.default_rng(3).normal(20, 5, 40)
    told = {"name": "optimum", "level": "central", "kind": "expectation-exact", "per_episode": False}
    exact = [ceiling(world, **told, agents=("optimum",))]

    def warnings(access: str) -> tuple[str, ...]:
        runs = [
            run("random", world - 10),
            run("optimum", world, access="central"),
            run("other", world + 1, access=access),
        ]
        return tuple(summarise(runs, ceilings=exact).tasks[0].warnings)

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
    exact = [ceiling([row["reward"] for row in known[1].episodes])]
    board = summarise([*known, run("stranger:Agent", rng.normal(20, 1, 40), kind=claim, access=access)], ceilings=exact)
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
        {"task.episodes": "all"},
        {"task.carry": 0},
        {"task.smallest_difference": -1.0},
        {"task.groups": [0, 1.5]},
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


def _bounded(world, local=18.0):
    """Floor, two local rules and the central optimum, with what is proven of both levels."""
    runs = [
        run("random", world - 10),
        run("a3", world - 4),
        run("optimum", world, access="central"),
        run("other", world - 1),
    ]
    told = {"kind": "proven bound", "per_episode": False, "agents": ()}
    proven = [
        ceiling(np.full(40, local), name="sharing", level="local", **told),
        ceiling(np.full(40, 30.0), name="potential", level="central", **told),
    ]
    return runs, proven


def test_a_proven_bound_is_shown_and_guarded_by_access_level():
    world = np.random.default_rng(3).normal(20, 1, 40)
    runs, proven = _bounded(world)
    board = summarise(runs, ceilings=proven).tasks[0]
    (beaten,) = [w for w in board.warnings if "ceiling" in w]
    assert beaten.startswith("other beats the ceiling sharing (proven bound) in the mean, by ")
    assert beaten.endswith("one of them is wrong.")
    rule, headroom = board.rules["local"]
    assert rule == "other"  # kind "rule", like a3, and better
    assert headroom is not None
    assert headroom.mean == pytest.approx(18.0 - (world - 1).mean())
    assert board.rules["central"][1].mean == pytest.approx(30.0 - world.mean())
    assert limits(summarise([run("random", world)]).tasks[0]) == ""


def test_each_level_is_scored_against_its_own_ceiling_and_the_page_says_what_is_left():
    world = np.random.default_rng(3).normal(20, 1, 40)
    runs, proven = _bounded(world, local=20.0)
    board = summarise(runs, ceilings=proven)
    (task,) = board.tasks
    floor = (world - 10).mean()
    assert task.entry("other").score.mean == pytest.approx(((world - 1).mean() - floor) / (20.0 - floor))
    assert task.entry("optimum").score.mean == pytest.approx((world.mean() - floor) / (30.0 - floor))
    assert [task.ceiling(level).name for level in ("local", "central", "trajectory")] == [
        "sharing",
        "potential",
        "best known",
    ]
    assert not [w for w in task.warnings if "ceiling" in w]
    said = dict(headline(task))
    assert re.search(r"\. At most 1\.\d+ 1/slot \[.*\] left for local agents \(proven\)", said["OTHER"])
    assert re.search(r"\. At most 10\.\d+ 1/slot \[.*\] left for central agents \(proven\)", said["OPTIMUM"])
    page, text = page_html(board), markdown(board).replace("\\", "")
    for form in (page, text):
        assert "left for local agents (proven)" in form
        assert "sharing: 20 1/slot, proven bound" in form
    assert 'class="level ceiling"' in page
    assert "local: proven bound" in page
    (line,) = [line for line in csv.DictReader(io.StringIO(table(board))) if line["agent"] == "other"]
    assert (line["ceiling"], line["ceiling_kind"], float(line["ceiling_mean"])) == ("sharing", "proven bound", 20.0)
    assert float(line["left"]) == pytest.approx(20.0 - (world - 1).mean())


def test_a_stale_ceiling_is_not_shown_and_the_page_says_so():
    world = np.random.default_rng(3).normal(20, 1, 40)
    runs, (local, central) = _bounded(world)
    board = summarise(runs, ceilings=[replace(local, stale="it is of another task"), central])
    assert board.tasks[0].ceiling("local").name == "potential"
    assert "The ceiling sharing (proven bound) is not shown: it is of another task." in board.tasks[0].warnings
    assert "is not shown: it is of another task" in page_html(board)
    assert "sharing: 18" not in page_html(board)


def test_where_less_is_better_the_highest_proven_ceiling_counts_and_the_best_known_is_the_least():
    world = np.random.default_rng(3).normal(20, 1, 40)
    down = {"higher_is_better": False}
    runs = [run("random", world + 10, **down), run("a3", world, **down), run("ucb", world[::-1], **down)]
    proven = [
        ceiling(np.full(40, low), name=f"at least {low}", level="local", kind="proven bound", per_episode=False)
        for low in (3.0, 5.0)
    ]
    board = summarise(runs, ceilings=proven).tasks[0]
    assert board.ceiling("local").name == "at least 5.0"
    known = board.ceiling("central")
    np.testing.assert_array_equal(known.sample.values[0], np.minimum(world, world[::-1]))
    left = world.mean() - 5.0
    said = re.search(r"\. At most ([0-9.]+) 1/slot \[([0-9.]+), ([0-9.]+)\] left", headline(board)[0][1])
    low, mean, high = (float(said[i]) for i in (2, 1, 3))
    assert mean == pytest.approx(left, abs=0.01)
    assert low < mean < high


def test_ceilings_are_kept_beside_the_rows_and_read_as_they_were_written(tmp_path):
    first = ceiling(np.random.default_rng(0).normal(20, 1, 40))
    other = ceiling(np.full(40, 1 / 3), name="sharing", level="local", kind="proven bound", per_episode=False)
    (path,) = write_ceilings([first], tmp_path)
    assert path == tmp_path / "handover" / "a1.ceilings.xz"
    write_ceilings([other, replace(first, command="again")], tmp_path)
    read = {c.name: c for c in read_ceilings(path)}
    assert read.keys() == {"oracle", "sharing"}
    assert read["oracle"].command == "again"
    for one in (first, other):
        kept = read[one.name]
        np.testing.assert_array_equal(kept.sample.values, one.sample.values)
        assert (kept.level, kept.kind, kept.per_episode) == (one.level, one.kind, one.per_episode)
        assert kept.made_for == one.made_for


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"format": 2}, "format must be 1"),
        ({"level": "root"}, "level must be one of local"),
        ({"kind": "certain"}, "kind must be one of"),
        ({"name": 5}, "name must be a text"),
        ({"values": {}}, "finite numbers by episode"),
        ({"values": {"0": float("nan")}}, "a1.ceilings.xz"),
        ({"values": {"0": 1e200}}, "finite numbers by episode"),
        ({"values": {"-1": 1.0}}, "finite numbers by episode"),
        ({"agents": "oracle"}, "must name its agents"),
    ],
)
def test_ceilings_that_nobody_can_use_are_refused(told, says, tmp_path):
    (path,) = write_ceilings([ceiling([1.0, 2.0])], tmp_path)
    line = json.loads(lzma.decompress(path.read_bytes()))
    path.write_bytes(lzma.compress(json.dumps({**line, **told}).encode()))
    with pytest.raises(RowsError, match=says):
        read_ceilings(path)


def _learners(rng, shift, **changes):
    """Floor, a3, a better rule of local access, one of central access, five seeds that learned, and the ceiling."""
    world = rng.normal(20, 5, 40)
    runs = [
        run("random", world - 10, **changes),
        run("a3", world, **changes),
        run("best", world + 1, **changes),
        run("boss", world + 2, access="central", **changes),
        run("oracle", world + 5, **changes),
    ]
    noise = rng.normal(0, 0.1, (5, 40))
    return runs + [run("ppo", world + 1 + shift + noise[s], s, **changes) for s in range(5)]


@pytest.mark.parametrize(
    ("shift", "smallest", "verdict", "says"),
    [
        (0.5, 0.0, "better", "leads the local agents"),
        (0.5, 0.6, "alike", "has the best mean of the local agents"),
        (0.0, 0.0, "tied", None),
        (-0.5, 0.0, "worse", None),
    ],
)
def test_a_learned_agent_leads_only_where_it_is_told_apart_from_the_best_rule(shift, smallest, verdict, says):
    runs = _learners(np.random.default_rng(4), shift)
    for one in runs:
        one.header["task"]["smallest_difference"] = smallest
    board = summarise(runs).tasks[0]
    ppo = board.entry("ppo")
    assert ppo.verdict == "better"  # than a3, the reference, which says little
    assert (ppo.best_rule, ppo.gain_verdict, ppo.leads) == ("best", verdict, verdict == "better")
    assert ppo.gain.mean == pytest.approx(shift, abs=0.05)
    assert ppo.headroom.mean == pytest.approx(4.0)
    assert ppo.share == pytest.approx(shift / 4.0, abs=0.02)
    assert ppo.share_of_reference == pytest.approx((1.0 + shift) / 5.0, abs=0.02)
    assert f"learned agents take: PPO {ppo.share_of_reference:.0%}." in limits(board)
    assert (board.entry("best").gain, board.entry("a3").gain.mean) == (None, pytest.approx(-1.0))
    assert {level: rule for level, (rule, _) in board.rules.items()} == {"local": "best", "central": "boss"}
    assert board.entry("oracle").best_rule == board.entry("random").best_rule == ""
    if says is not None:
        assert dict(headline(board))["PPO"].startswith(says)
    (line,) = [line for line in csv.DictReader(io.StringIO(table(summarise(runs)))) if line["agent"] == "ppo"]
    assert float(line["gain"]) == pytest.approx(ppo.gain.mean)
    assert (line["best_rule"], line["gain_verdict"]) == ("best", verdict)
    assert float(line["headroom_share"]) == pytest.approx(ppo.share)
    assert f"{verdict} " in markdown(summarise(runs))
    assert f'<span class="verdict {verdict}">' in page_html(summarise(runs))


def test_episodes_that_share_a_map_are_resampled_together():
    rng = np.random.default_rng(9)
    maps = np.repeat(np.arange(8), 5)
    world = rng.normal(20, 5, 40)
    gains = rng.normal(0.3, 0.8, 8)[maps] + rng.normal(0, 0.1, 40)
    runs = [run("random", world - 9), run("a3", world), run("ucb", world + gains), run("oracle", world + 5)]
    alone = summarise(runs).tasks[0].entry("ucb")
    for one in runs:
        one.header["task"]["groups"] = maps.tolist()
    shared = summarise(runs).tasks[0].entry("ucb")
    assert shared.difference.mean == alone.difference.mean
    for wide, narrow in ((shared.difference, alone.difference), (shared.score, alone.score)):
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_the_best_rule_knows_no_more_and_is_not_chosen_by_easy_episodes():
    runs = _learners(np.random.default_rng(8), 0.5, higher_is_better=True)
    easy = np.array([row["reward"] for row in runs[1].episodes])
    first = np.sort(np.argsort(-easy)[:8])
    lucky = run("lucky", easy[first] - 1)
    for row, episode in zip(lucky.episodes, first.tolist(), strict=True):
        row["episode"] = episode
    board = summarise([*runs, lucky, run("twin", easy + 3, access="central", kind="other")]).tasks[0]
    assert board.entry("lucky").mean.mean > board.entry("best").mean.mean
    assert board.entry("ppo").best_rule == "best"
    assert board.entry("twin").best_rule == "boss"
    assert dict(headline(board))["TWIN"].startswith("leads the central agents")


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
