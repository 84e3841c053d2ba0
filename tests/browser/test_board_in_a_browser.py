"""The board in a real browser: loads without an error, sorts, filters, compares, and fits a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_rows import header, run

from mmwave_gym.benchmark.leaderboard import Run, summarise, write
from mmwave_gym.benchmark.leaderboard.cards import Card

SCENARIOS = {"handover": 5, "street": 13, "association": 4, "cell_selection": 5, "power_allocation": 1}
PHONE = 844


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with as many tasks in suite v1 as ours, and names as long as ours."""
    rng, runs = np.random.default_rng(0), []
    for suite, tail in (("v1", "conditional-v1"), ("papers", "kept")):
        for scenario, count in SCENARIOS.items():
            for i in range(count if suite == "v1" else 1):
                runs += _task(rng, f"{scenario}/car-sparse-{i}-{tail}", suite)
    where = tmp_path_factory.mktemp("board")
    write(summarise(runs), where, {("handover", "a3"): Card(("Takes the strongest cell.",), "rules:A3")})
    return where


def _task(rng: np.random.Generator, name: str, suite: str) -> list[Run]:
    world, about = rng.normal(20, 5, 12), {"task": name}
    runs = [run("random", world - 10 + rng.normal(0, 1, 12), **about), run("oracle", world + 3, **about)]
    runs += [run(f"rule-{i}", world - 0.2 * i + rng.normal(0, 0.2, 12), **about) for i in range(4)]
    runs += [run("a3", world - 0.4 + rng.normal(0, 0.1, 12), **about)]
    for k, agent in enumerate(("recurrent-ppo-rewards", "ppo", "dqn", "a2c")):
        runs += [run(agent, world + 0.6 - 0.2 * k + rng.normal(0, 0.2, 12), seed=s, **about) for s in range(2)]
    runs += [Run(header("broken", task=name), (), failed="ran out of luck " * 8)]
    for one in runs:
        one.header["task"] |= {"suite": suite, "grants": {"local": "what it hears"}}
    return runs


def address(folder: Path, name: str) -> str:
    return (folder / name).as_uri()


TASK = "tasks/handover/car-sparse-0-conditional-v1.html"
EVERY = (
    "index.html",
    "reading.html",
    "overall/v1/street.html",
    TASK,
    "agents/handover/a3.html",
    "agents/street/recurrent-ppo-rewards.html",
    "agents/handover/broken.html",
)


def test_pages_load_without_errors_and_do_not_scroll_sideways(folder: Path, sized: Any) -> None:
    for name in EVERY:
        page = sized.go(address(folder, name))
        for summary in page.query_selector_all("details > summary"):
            summary.evaluate("s => { s.parentNode.open = true; }")
        page.mouse.wheel(0, 9000)
        page.wait_for_timeout(50)
        assert sized.sideways() == 0, name
        assert sized.faults == [], name


def test_the_index_fits_three_screens_of_a_phone_and_is_small(folder: Path, phone: Any) -> None:
    page = phone.go(address(folder, "index.html"))
    assert page.evaluate("document.documentElement.scrollHeight") <= 3 * PHONE
    assert (folder / "index.html").stat().st_size < 150_000
    assert page.locator("section.suite li").count() == sum(SCENARIOS.values()) + len(SCENARIOS)
    assert page.locator("details.fold li").first.is_visible() is False
    page.locator("details.fold summary").first.click()
    page.locator("details.fold li a").first.click()
    assert "/tasks/" in page.url
    assert phone.faults == []


def test_the_difference_to_the_best_rule_is_seen_on_a_phone(folder: Path, phone: Any) -> None:
    page = phone.go(address(folder, TASK))
    cells = page.locator(".ranking tbody tr[data-access=local] td:nth-child(3)")
    for i in range(3):
        box = cells.nth(i).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_a_table_sorts_within_access_levels(folder: Path, sized: Any) -> None:
    page = sized.go(address(folder, TASK))
    head = page.locator(".ranking thead th", has_text="Less best rule")
    body = page.locator(".ranking tbody").first

    def shown() -> list[float]:
        keys = body.locator("tr[data-access] td:nth-child(3)").evaluate_all("cs => cs.map(c => c.dataset.sort)")
        return [float(key) for key in keys if key]

    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert shown() == sorted(shown(), reverse=True)
    head.locator("button").click()
    assert shown() == sorted(shown())
    assert len(shown()) == 9
    assert sized.faults == []


def test_filters_are_kept_in_the_address(folder: Path, sized: Any) -> None:
    page = sized.go(address(folder, TASK))
    page.locator(".filters span", has_text="learned").first.click()
    assert page.url.endswith("?kind=learned")
    rows = page.locator(".ranking tr[data-access]:visible")
    assert rows.count() == 4
    assert page.locator(".plot:visible li:visible").count() == 4
    assert page.locator(".filters output").inner_text() == "4 of 12 agents"
    page.reload()
    assert rows.count() == 4, "a link shows the same"
    page.locator(".filters button").click()
    page.wait_for_timeout(50)
    assert rows.count() == 12
    assert "?" not in page.url
    page = sized.go(address(folder, TASK) + "?access=bound&kind=nothing-such")
    assert rows.count() == 2
    assert sized.faults == []


def test_any_two_agents_are_compared_in_every_metric(folder: Path, sized: Any) -> None:
    page = sized.go(address(folder, TASK) + "?a=ppo&b=random")
    page.locator("#compare").scroll_into_view_if_needed()
    rows = page.locator(".pair tr")
    rows.nth(2).wait_for()
    assert rows.count() == 3, "a head and two metrics"
    said = rows.nth(1).inner_text()
    assert "better" in said
    page.locator("#compare select[name=a]").select_option("random")
    page.locator("#compare select[name=b]").select_option("ppo")
    turned = rows.nth(1).inner_text()
    assert "worse" in turned
    mean = float(rows.nth(1).locator("td").nth(3).inner_text().split("[")[0].replace("−", "-").replace("+", ""))
    assert -12.0 < mean < -8.0
    assert page.url.endswith("?a=random&b=ppo")
    assert "--agents random,ppo " in page.locator("#compare code").last.inner_text()
    page.locator("#compare select[name=b]").select_option("random")
    assert "the same agent" in rows.nth(1).inner_text()
    assert sized.faults == []


def test_the_plots_switch_and_the_page_is_dark_where_that_is_wanted(folder: Path, dark: Any) -> None:
    page = dark.go(address(folder, TASK))
    assert page.locator(".view:visible .caption").inner_text().startswith("paired difference")
    page.locator(".switch label", has_text="Score").click()
    assert page.locator(".view:visible .caption").inner_text().startswith("score")
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert max(red, green, blue) < 60
    assert dark.faults == []
