"""Replays in a real browser: they load without an error, play, scrub, and fit a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.benchmark.side_by_side import recorded, replay_page
from mmwave_gym.benchmark.task import Task

CASES = {
    "handover": ("MmwaveHandover-v0", {"horizon": 200}, ("a3", "random")),
    "street": ("MmwaveStreet-v0", {"duration_s": 20.0}, ("a3", "strongest")),
    "association": ("MmwaveAssociation-v0", {"num_ues": 40, "duration_s": 30.0, "settle_s": 2.0}, ("msr", "random")),
    "cell_selection": ("MmwaveCellSelection-v0", {"num_ues": 3, "horizon": 60}, ("rate-stay", "random")),
    "power_allocation": ("MmwavePowerAllocation-v0", {"horizon": 40}, ("full-power", "random")),
}
PARTED = "document.getElementById('part').hidden === false"
INK = """canvas => {
  const c = canvas.getContext('2d'), d = c.getImageData(0, 0, canvas.width, canvas.height).data;
  let seen = 0;
  for (let i = 3; i < d.length; i += 4) { seen += d[i] > 0; }
  return seen;
}"""


@pytest.fixture(scope="module", params=[*CASES, "a stranger"])
def replay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, small_scenarios: Any) -> Path:
    if request.param == "a stranger":
        one = Task(env_id=small_scenarios.ROOMS[0].entries[0].id, name="shared_cells/small", episodes=1)
        recordings = [recorded(agent, one) for agent in (_Cell(0), _Cell(1))]
    else:
        env_id, kwargs, agents = CASES[request.param]
        one = Task(env_id=env_id, kwargs=kwargs, name=f"{request.param}/small", episodes=1)
        recordings = [recorded(agent, one) for agent in agents]
    path = tmp_path_factory.mktemp("replay") / "replay.html"
    path.write_text(replay_page(recordings)[0])
    return path


class _Cell:
    def __init__(self, cell: int):
        self.cell, self.label = cell, f"cell {cell}"

    def predict(self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: Any = True) -> Any:
        return np.full(len(observation), self.cell), state


def test_it_loads_plays_scrubs_and_obeys_the_keyboard(replay: Path, sized: Any) -> None:
    page = sized.go(replay.as_uri())
    page.wait_for_selector("body[data-ready]")

    def frame() -> int:
        return int(page.evaluate("Number(document.getElementById('scrub').value)"))

    assert page.locator(".panel").count() == 2
    assert sized.sideways() == 0
    assert frame() == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert frame() == 11
    page.keyboard.press("ArrowLeft")
    assert frame() == 10
    page.keyboard.press("p")
    assert page.evaluate(PARTED)
    page.keyboard.press("End")
    last = frame()
    assert str(page.evaluate("document.getElementById('scrub').max")) == str(last)
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    for _ in range(100):
        page.wait_for_timeout(20)
        if frame() > 1:
            break
    page.keyboard.press(" ")
    stopped = frame()
    page.wait_for_timeout(120)
    assert frame() == stopped
    box = page.locator("#line").bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 30)
    assert abs(frame() - last / 2) <= 0.03 * last + 1
    for canvas in page.query_selector_all("canvas"):
        assert canvas.evaluate(INK) > 200
    if (canvas := page.locator(".panel canvas").first).count():
        box = canvas.bounding_box()
        canvas.click(position={"x": 0.8 * box["width"], "y": 0.2 * box["height"]})  # watches another UE
    page.locator("summary").click()
    assert "frames" in page.locator("#notes").inner_text()
    assert sized.sideways() == 0
    assert sized.faults == []


def test_it_is_dark_where_that_is_wanted(replay: Path, dark: Any) -> None:
    page = dark.go(replay.as_uri())
    page.wait_for_selector("body[data-ready]")
    assert max(page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")) < 60
    assert dark.faults == []
