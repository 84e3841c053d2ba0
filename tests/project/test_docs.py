"""The README's snippets run, and the generated pages are those of the code."""

import importlib.util
import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mmwave_gym.core import rooms

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet(code: str) -> None:
    if "sb3" in code:
        pytest.importorskip("stable_baselines3", reason="the train extra is not installed")
    exec(compile(code, "README.md", "exec"), {})


def test_every_scenario_has_pictures_small_enough_for_a_page() -> None:
    images = sorted((ROOT / "docs" / "images").iterdir())
    drawn = {point.name for point in entry_points(group="mmwave_gym.pictures")}
    assert drawn >= {name for name, room in rooms.rooms().items() if room.package.startswith("mmwave_gym.")}
    wanted = {f"{name}.{kind}" for name in drawn for kind in ("gif", "png")} | {"cell_selection_policy.png"}
    assert wanted <= {path.name for path in images}
    assert all(path.stat().st_size < 800_000 for path in images)


def test_readme_has_the_three_uses() -> None:
    assert len(SNIPPETS) >= 3


def test_pages_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_pages", ROOT / "docs" / "make_pages.py")
    assert spec
    assert spec.loader
    make_pages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_pages)
    for room in rooms.rooms().values():
        written = (ROOT / "docs" / "environments" / f"{room.name}.md").read_text()
        assert written == make_pages.page(room, room.entries[0]), "run `make docs`"


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{path.name} links to {target}"
