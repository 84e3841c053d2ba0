"""No number about a result is typed: pages quote the board and the claims, and what they quote is what is there."""

from __future__ import annotations

import csv
import importlib
import json
import re
from pathlib import Path

import pytest

from mmwave_gym.benchmark.quoting import QUOTE, QuoteError, Source, filled, source_of
from mmwave_gym.benchmark.reproduction import Claim, claims_table, reasons
from mmwave_gym.benchmark.standing import picture, standings
from mmwave_gym.cli import main

ROOT = Path(__file__).parents[2]
GUIDES = sorted(ROOT.glob("mmwave_gym/scenarios/*/guide.md"))
FROM_CODE = ("environments", "agents", "reproductions", "leaderboard", "generated")
"""Folders of pages that code writes; other tests compare them with it."""
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted(p for p in (ROOT / "docs").rglob("*.md") if p.parent.name not in FROM_CODE or p.name == "index.md"),
]
QUOTING = [page for page in PAGES if QUOTE.search(page.read_text())]
GENERATED = re.compile(r"(<!-- python -m [^>]*-->).*?\1", re.DOTALL)
"""What another command writes, between its marks."""
TYPED = re.compile(
    r"[0-9.]+ ?%? ?\[[+−-]?[0-9.]+, ?[+−-]?[0-9.]+\]"  # 5.4 [5.3, 5.5]
    r"|[0-9] ?± ?[0-9]"
    r"|[+−][0-9.]+ ?%"
    r"|[0-9.]+ ?% (?:above|below|more|less|of (?:the )?(?:headroom|optimum|oracle|bound)|satisfied)"
)
"""What a typed result looks like."""


def typed_in(text: str) -> list[str]:
    """Numbers that look like results outside of quotes and of what commands write."""
    return [found.group() for found in TYPED.finditer(GENERATED.sub("", QUOTE.sub("", text)))]


@pytest.mark.parametrize("page", [*PAGES, *GUIDES], ids=lambda p: str(p.relative_to(ROOT)))
def test_no_result_is_typed(page: Path) -> None:
    text = page.read_text()
    assert typed_in(text) == [], "quote the board (mmwave_gym.benchmark.quoting) or leave the number out"


def test_what_a_typed_result_looks_like() -> None:
    for text in (
        "PPO has 5.4 [5.3, 5.5]", "it is 0.31 ± 0.22 below", "gains +7.5 %", "is 1.2 % above A3",
        "81 % of the headroom", "98.9 % satisfied", "−0.02 [−0.20, +0.16]",
    ):  # fmt: skip
        assert typed_in(text), text
    for text in ("a 95 % interval", "num_ues=[256,512]", "tolerance 1e-9", "<!-- = a/b c mean -->5 [4, 6]<!-- . -->"):
        assert not typed_in(text), text


@pytest.mark.parametrize("page", QUOTING, ids=lambda p: p.name)
def test_quotes_are_those_of_the_board(page: Path) -> None:
    text = page.read_text()
    assert filled(text, lambda: source_of(page)) == text, f"run `mmwave-gym page {page.relative_to(ROOT)}`"


def test_what_docs_renew_writes_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, lines of short forms, and the picture of learning: of every page, the README and generated ones too."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    renew = importlib.import_module("renew")
    texts = renew.renewed()
    assert len(texts) > 50
    assert [p.name for p, text in texts.items() if p.read_text("utf-8") != text] == [], "run `python docs/renew.py`"


def test_the_readme_and_the_start_page_say_what_is_on_the_board() -> None:
    for page in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        assert "<!-- summary v1 -->" in page.read_text("utf-8"), page


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "reproductions").glob("[!i]*.md")), ids=lambda p: p.stem)
def test_verdicts_and_reasons_are_those_of_the_claims(page: Path) -> None:
    """All but what clocks said, which stands beside the claims. A paper's own table has another form."""
    text = page.read_text("utf-8")
    claims = [Claim(**claim) for claim in json.loads((page.with_suffix("") / "claims.json").read_text("utf-8"))]
    there = [claim for claim in claims if f" | {claim.claim.replace('|', chr(92) + '|')} | " in text]
    assert len(there) > 20
    assert claims_table(there) in text
    lines = text.splitlines()
    told = reasons(there).splitlines()
    assert len(told) > 20
    assert [line for line in told if not any(other.startswith(line) for other in lines)] == []


def test_the_page_on_training_quotes() -> None:
    assert ROOT / "docs" / "training.md" in QUOTING
    assert len(QUOTE.findall((ROOT / "docs" / "training.md").read_text())) > 20


@pytest.mark.parametrize("guide", GUIDES, ids=lambda p: p.parent.name)
def test_guides_hold_no_copy_of_what_they_quote(guide: Path) -> None:
    """Their pages have the numbers; in the source one would be out of date unseen."""
    assert [inside for *_, inside in QUOTE.findall(guide.read_text()) if inside.strip()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "leaderboard").mkdir()
    (tmp_path / "leaderboard" / "leaderboard.csv").write_text(
        "task,agent,verdict,best_rule,gain_verdict,mean,mean_low,mean_high,difference,difference_low,difference_high,"
        "gain,gain_low,gain_high,mean_outage\n"
        "r/a,a3,reference,a3,,5.0,4.88,5.12,,,,,,,0.25\n"
        "r/a,ppo,better,a3,better,5.5,5.38,5.62,0.5,0.45,0.55,0.5,0.45,0.55,0.125\n"
        "r/b,a3,reference,a3,,1000.0,990.0,1010.0,,,,,,,\n"
    )
    (tmp_path / "reproductions" / "a-paper").mkdir(parents=True)
    (tmp_path / "reproductions" / "a-paper" / "claims.json").write_text(
        '[{"id": "x", "ours": 2.0, "paper": 3, "verdict": "partly", "interval": [1.5, 2.5]}]'
    )
    return tmp_path


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ("r/a a3 mean", "5.00 [4.88, 5.12]"),
        ("r/a ppo difference", "+0.500 [+0.450, +0.550]"),
        ("r/a ppo difference %", "+10.0 % [+9.0, +11.0]"),
        ("r/a ppo gain %", "+10.0 % [+9.0, +11.0]"),
        ("r/a ppo gain_verdict", "better"),
        ("r/a ppo mean_outage", "0.125"),
        ("r/a a3 gain", "–"),
        ("claim a-paper x ours", "2.00 [1.50, 2.50]"),
        ("claim a-paper x paper", "3"),
        ("claim a-paper x verdict", "partly"),
    ],
)
def test_a_quote_is_the_number_that_it_names(folder: Path, names: str, text: str) -> None:
    assert (
        filled(f"a <!-- = {names} -->old<!-- . --> b", lambda: Source(folder))
        == f"a <!-- = {names} -->{text}<!-- . --> b"
    )


def test_a_table_has_a_line_for_each_task_and_a_dash_where_nobody_played(folder: Path) -> None:
    made = filled("<!-- board r/a r/b | a3 mean | ppo difference % -->\n<!-- . -->", lambda: Source(folder))
    assert made.splitlines()[1:-1] == [
        "| task | `a3` | `ppo` less the reference |",
        "|---|---:|---:|",
        "| `a` | 5.00 [4.88, 5.12] | +10.0 % [+9.0, +11.0] |",
        "| `b` | 1,000 [990, 1,010] | – |",
    ]


def test_a_summary_counts_where_learning_is_better(tmp_path: Path) -> None:
    rows = [
        {"suite": "v1", "task": f"r/{task}", "agent": agent, "group": "local", "kind": kind, "rank": rank, "gain": gain,
         "gain_low": low, "gain_high": high, "headroom": "2", "best_rule": "a3", "gain_verdict": verdict}
        for task, agent, kind, rank, gain, low, high, verdict in (
            ("a", "a3", "rule", "2", "", "", "", ""), ("a", "ppo", "learned", "1", "1", "0.5", "1.5", "better"),
            ("a", "dqn", "learned", "3", "-1", "-2", "-0.5", "worse"), ("b", "a3", "rule", "1", "", "", "", ""),
        )
    ]  # fmt: skip
    better, none = standings(rows, "v1")
    assert (better.task, better.agent, better.share) == ("r/a", "ppo", (50.0, 25.0, 75.0))
    assert none.agent == ""
    assert standings(rows, "papers") == []
    assert "r/a: ppo less a3 +50 % [+25, +75], better" in picture(rows, "v1")
    assert "1 of 2 tasks of v1 have no learned agent yet" in picture(rows, "v1")
    (tmp_path / "leaderboard").mkdir()
    with (tmp_path / "leaderboard" / "leaderboard.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0], "mean"])
        table.writeheader()
        table.writerows({**row, "mean": "1"} for row in rows)
    made = filled("<!-- summary v1 -->\n<!-- . -->", lambda: Source(tmp_path))
    assert made.splitlines()[3] == "| r | 2 | 3 | 1 | 0 | 0 | 1 |"
    with pytest.raises(QuoteError, match="no suite 'v2'"):
        filled("<!-- summary v2 --><!-- . -->", lambda: Source(tmp_path))


def test_ceilings_are_told_with_the_best_agent_of_each_level(tmp_path: Path) -> None:
    rows = [
        {"task": task, "suite": "v1", "agent": agent, "access": access, "score": score, "mean": "5", "unit": "Mbit/s",
         "left": left, "left_low": "0.25", "left_high": "1.5", "ceiling": ceiling, "ceiling_kind": kind,
         "ceiling_mean": "7"}
        for task, agent, access, score, left, ceiling, kind in (
            ("r/a", "sum", "central", "0.9", "0.5", "bound", "proven bound"),
            ("r/a", "a3", "local", "0.5", "2", "team", "expectation-exact"),
            ("r/a", "ppo", "local", "0.75", "1", "team", "expectation-exact"),
            ("r/a", "oracle", "hindsight", "1", "0", "bound", "proven bound"),
            ("r/b", "a3", "local", "", "", "", ""),
        )
    ]  # fmt: skip
    (tmp_path / "leaderboard").mkdir()
    with (tmp_path / "leaderboard" / "leaderboard.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    made = filled("<!-- ceilings v1 -->\n<!-- . -->", lambda: Source(tmp_path))
    assert made.splitlines()[3:-1] == [
        "| `r/a` | local | `ppo` | 1.00 [0.25, 1.50] | team | expectation-exact | 7 Mbit/s |",
        "| `r/a` | central | `sum` | 0.50 [0.25, 1.50] | bound | proven bound | 7 Mbit/s |",
    ]
    with pytest.raises(QuoteError, match="no scores of a suite 'v2'"):
        filled("<!-- ceilings v2 --><!-- . -->", lambda: Source(tmp_path))


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ("= r/c a3 mean", "no row of a3 on r/c"),
        ("= r/a a3 speed", "no column 'speed'"),
        ("= r/a a3", "names a task, an agent and a column"),
        ("= claim a-paper y ours", "no claim 'y'"),
        ("= claim a-paper x theirs", "no 'theirs' to quote"),
        ("board r/c | a3 mean", "none of the rows of r/c"),
        ("board r/a", "a table names tasks"),
    ],
)
def test_a_quote_of_what_is_not_there_says_so(folder: Path, names: str, fault: str) -> None:
    with pytest.raises(QuoteError, match=fault):
        filled(f"<!-- {names} --><!-- . -->", lambda: Source(folder))


def test_the_command_renews_a_page(folder: Path) -> None:
    page = folder / "own.md"
    page.write_text("PPO has <!-- = r/a ppo mean --><!-- . -->.")
    with pytest.raises(SystemExit) as stopped:
        main(["page", str(page)])
    assert not stopped.value.code
    assert page.read_text() == "PPO has <!-- = r/a ppo mean -->5.50 [5.38, 5.62]<!-- . -->."


def test_a_page_without_a_board_above_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuoteError, match="below no folder with"):
        source_of(tmp_path / "page.md")
