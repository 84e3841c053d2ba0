"""The page: the same bytes for the same rows, nothing hidden, nobody else's text unescaped."""

from __future__ import annotations

import csv
import html.parser
import io
import os
import re

import numpy as np
import pytest
from made_rows import METRICS, header, run, suite

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard import Run, summarise, write
from mmwave_gym.benchmark.leaderboard.digits import number
from mmwave_gym.benchmark.leaderboard.page import html as page_html
from mmwave_gym.benchmark.leaderboard.tables import markdown


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


def test_every_row_has_classes_that_the_filter_offers():
    page = page_html(summarise(suite(np.random.default_rng(4))))
    offered = set(re.findall(r'<option value="([a-z-]+)">', page))
    rows = re.findall(r'<tr[^>]* data-classes="([^"]*)"', page)
    assert len(rows) == 4
    assert all(row and set(row.split()) <= offered for row in rows)
    assert {"rule", "bound"} <= {name for row in rows for name in row.split()}


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
