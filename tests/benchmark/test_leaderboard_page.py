"""The pages: the same bytes for the same rows, nothing hidden, nobody else's text unescaped, no link into nothing."""

from __future__ import annotations

import csv
import html.parser
import io
import math
import os
import re

import numpy as np
import pytest
from made_rows import METRICS, header, page_html, run, suite

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard import Run, summarise, write
from mmwave_gym.benchmark.leaderboard.addresses import agent_page, slug, task_page
from mmwave_gym.benchmark.leaderboard.cards import Card
from mmwave_gym.benchmark.leaderboard.curves import curves
from mmwave_gym.benchmark.leaderboard.digits import number
from mmwave_gym.benchmark.leaderboard.pairs import pairs
from mmwave_gym.benchmark.leaderboard.site import pages
from mmwave_gym.benchmark.leaderboard.tables import markdown


class Elements(html.parser.HTMLParser):
    """Collects start tags and attributes, and checks that tags nest."""

    VOID = frozenset({"meta", "input", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):  # of SVG
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def files(folder):
    """Every file below a folder, by its path in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_rows_same_bytes_in_any_order(tmp_path):
    runs = suite(np.random.default_rng(14))
    write(summarise(runs), tmp_path / "one")
    write(summarise(runs[::-1]), tmp_path / "two")
    first = files(tmp_path / "one")
    assert first == files(tmp_path / "two")
    assert set(first) >= {"index.html", "leaderboard.csv", "leaderboard.md", "assets/board.js", "assets/board.css"}
    assert {"tasks/handover/a1.html", "tasks/handover/a1.csv", "tasks/handover/a1.js"} <= set(first)
    assert {f"agents/handover/{name}.html" for name in ("a3", "oracle", "random", "ucb")} <= set(first)


def test_other_peoples_text_is_escaped_everywhere():
    evil = "<script>alert(1)</script>"
    runs = suite(np.random.default_rng(15))
    runs.append(run("x" + evil, [1.0] * 40, label=evil, command=evil, kind='"><img src=x>'))
    runs.append(Run(header("bad"), (), failed=evil + "|[click](javascript:x)"))
    for r in runs:
        r.header["task"]["description"] = evil
    board = summarise(runs)
    learned = curves([{"curve": {"metric": evil, "points": [[10, 0.1], [20, 0.5]]}}])
    assert learned is not None
    made = pages(board, {("handover", "ucb"): Card((evil,), evil, (evil,), ((evil, evil),), ((evil, learned),))})
    for name, page in made.items():
        if name.endswith(".html"):
            assert "<script>alert" not in page
            found = Elements(page).found
            assert [(tag, a.get("src", "").endswith("assets/board.js")) for tag, a in found if tag == "script"] == [
                ("script", True)
            ]
            assert "img" not in [tag for tag, _ in found]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made["tasks/handover/a1.html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made["agents/handover/ucb.html"]
    text = markdown(board)
    assert "<script" not in text
    assert r"\|\[click\]" in text


def test_learning_curves_share_their_decisions_and_show_the_band_of_seeds():
    def points(*of):
        return {"curve": {"metric": "score", "points": [list(point) for point in of]}}

    seeds = [points((10, 0.0), (30, 0.4)), points((0, 0.5), (20, 0.1), (40, 0.3))]
    found = curves(seeds)
    assert found.decisions.tolist() == [10, 20, 30]
    np.testing.assert_allclose(found.values, [[0.0, 0.2, 0.4], [0.3, 0.1, 0.2]])
    np.testing.assert_allclose(found.band, [[0.0, 0.1, 0.2], [0.3, 0.2, 0.4]])
    page = pages(summarise(suite(np.random.default_rng(15))), {("handover", "ucb"): Card(learned=(("h/a1", found),))})
    assert page["agents/handover/ucb.html"].count('<path class="band"') == 1
    assert "Line: mean; band: lowest to highest of 2 seeds." in page["agents/handover/ucb.html"]
    for bad in (
        {},
        points((1, 0.0)),
        points((2, 0.0), (1, 0.0)),
        points((1, "x"), (2, 0)),
        points((1, math.nan), (2, 0)),
    ):
        assert curves([*seeds, bad]) is None


def test_names_have_addresses_of_their_own_and_none_leaves_the_folder():
    names = [
        "a3",
        "A3",
        "../../etc/passwd",
        "..",
        "",
        "my_package:MyAgent",
        "my_package/MyAgent",
        "a" * 300,
        "\ud800",
        "a b",
    ]
    found = [slug(name) for name in names]
    assert len({f.lower() for f in found}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*", f) and len(f) < 100 for f in found)
    assert slug("a3-beta25-v1") == "a3-beta25-v1"
    assert task_page("handover/a1-beta25") == "tasks/handover/a1-beta25.html"
    assert agent_page("handover", "ucb") == "agents/handover/ucb.html"
    assert task_page("own/a/b").count("/") == 2


def test_every_link_leads_somewhere():
    runs = suite(np.random.default_rng(15)) + suite(np.random.default_rng(16))
    for r in runs[4:]:
        r.header["task"] |= {"name": "handover/odd name/é", "hash": "def", "suite": "papers"}
    runs.append(run("my_package:MyAgent", [1.0] * 40))
    made = pages(summarise(runs))
    made |= {"leaderboard.csv": "", "leaderboard.md": ""}
    ids = {
        name: {a["id"] for _, a in Elements(text).found if "id" in a} for name, text in made.items() if "html" in name
    }
    for name in ids:
        for tag, attributes in Elements(made[name]).found:
            if (link := attributes.get("href") or attributes.get("src") or attributes.get("data-pairs")) is None:
                continue
            assert "//" not in link, "nothing is loaded from elsewhere"
            place, _, fragment = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(name), place)) if place else name
            assert target in made, (name, tag, link)
            assert not fragment or fragment in ids[target], (name, link)
    assert sum(name.startswith("overall/") for name in made) == 0


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
    assert len(badges) == 1, "on the page of its task"


def test_pages_are_well_formed_sortable_and_self_contained():
    made = pages(summarise(suite(np.random.default_rng(18))))
    for name, page in made.items():
        if name.endswith(".html"):
            elements = Elements(page)
            assert elements.open == []
            assert not re.search(r"(https?:)?//[\w.-]+\.\w", page)
            for tag, attributes in elements.found:
                assert tag not in ("img", "iframe")
                assert not any(key.startswith("on") or key == "style" for key in attributes)
    found = Elements(made["tasks/handover/a1.html"]).found
    sortable = [a for tag, a in found if tag == "th" and a.get("aria-sort") == "none"]
    assert len(sortable) >= 9
    assert sum("data-sort" in a for tag, a in found if tag == "td") >= 4 * 8
    assert any(tag == "time" and a["datetime"] == "2026-11-22T02:30:00Z" for tag, a in found)
    assert sum(a.get("class") == "interval" for _, a in found) >= 4
    assert "mmwave-gym evaluate ucb --task handover/a1" in made["agents/handover/ucb.html"]
    assert "mmwave-gym replay handover/a1 --agents ucb,a3,oracle" in made["tasks/handover/a1.html"]
    assert "@software{mmwave_gym" in made["tasks/handover/a1.html"]


def test_every_row_has_what_the_filters_ask_for():
    page = pages(summarise(suite(np.random.default_rng(4))))["tasks/handover/a1.html"]
    found = Elements(page).found
    offered = {(a["name"], a["value"]) for tag, a in found if tag == "input" and a["type"] == "checkbox"}
    rows = [a for tag, a in found if tag == "tr" and "data-access" in a]
    told = {
        (name, value) for row in rows for name in ("access", "kind", "class") for value in row[f"data-{name}"].split()
    }
    assert len(rows) == 8, "four agents in two tables"
    assert offered <= told
    assert {("access", "local"), ("access", "bound"), ("class", "rule"), ("class", "bound")} <= offered


def test_a_command_to_paste_quotes_names_for_the_shell():
    runs = suite(np.random.default_rng(4))
    runs.append(run("x; touch pwned '", [25.0] * 40))
    page = pages(summarise(runs))[agent_page("handover", "x; touch pwned '")]
    assert "--agents 'x; touch pwned '&#34;'&#34;'" in page.replace("&#39;", "'")
    assert "--agents x;" not in page


def test_pairs_are_the_paired_differences_of_every_metric():
    runs = suite(np.random.default_rng(3))
    runs[1] = Run(runs[1].header, runs[1].episodes[:30])  # fewer episodes: compared on those that both have
    runs += [run("ppo", np.random.default_rng(s).normal(20, 1, 40), seed=s) for s in range(3)]
    (board,) = summarise(runs).tasks
    told = pairs(board)
    names = [name for name, _ in told["agents"]]
    assert [name for name, _ in told["metrics"]] == ["reward", "handovers_per_s"]
    index = {pair: i for i, pair in enumerate((a, b) for i, a in enumerate(names) for b in names[i + 1 :])}
    assert len(told["values"][0]) == len(index) == 10
    for other in ("random", "oracle", "ppo", "ucb"):
        a, b = sorted(("a3", other), key=names.index)
        mean, low, high, apart = told["values"][0][index[a, b]]
        difference = board.entry(other).difference
        sign = 1.0 if b == "a3" else -1.0
        half = (difference.high - difference.low) / 2
        assert sign * mean == pytest.approx(difference.mean, abs=0.01 * half)
        assert sorted((sign * low, sign * high)) == pytest.approx([difference.low, difference.high], abs=0.2 * half)
        assert bool(apart) == difference.excludes_zero
    assert told["values"][1][0][:3] == [0.0, 0.0, 0.0]


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
    assert "assets/board.css" in files(tmp_path)


@pytest.mark.parametrize(
    ("value", "ends", "text"),
    [
        (26.1043, (26.05, 26.16), "26.104"),
        (-0.5, (-1.5, 0.5), "−0.5"),
        (1234567.0, (1230000.0, 1239000.0), "1,234,600"),
        (0.0, None, "0"),
        (0.9, None, "0.9"),
        (3.2e9, (3.1e9, 3.3e9), "3.20e9"),
        (2e-14, (-3e-14, 6e-14), "0"),
        (1.0000000001, (0.9999999999, 1.0000000002), "1"),
        (3e-9, None, "3e−9"),
    ],
)
def test_the_interval_decides_the_digits(value, ends, text):
    assert number(value, statistics.Interval(value, *ends) if ends else None) == text
