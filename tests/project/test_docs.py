"""The README's snippets run, and the generated pages are those of the code."""

import json
import pkgutil
import re
from collections import Counter
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from mmwave_gym.benchmark.page import page
from mmwave_gym.benchmark.reproduction import KINDS
from mmwave_gym.core import rooms

ROOT = Path(__file__).parents[2]
OURS = [room for room in rooms.rooms().values() if room.package.startswith("mmwave_gym.")]
"""Without those of packages that happen to be installed here."""
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("code", SNIPPETS, ids=range(len(SNIPPETS)))
def test_readme_snippet(code: str) -> None:
    if "sb3" in code:
        pytest.importorskip("stable_baselines3", reason="the train extra is not installed")
    exec(compile(code, "README.md", "exec"), {})


def test_every_scenario_has_pictures_small_enough_for_a_page() -> None:
    images = sorted((ROOT / "docs" / "images").iterdir())
    drawn = {point.name for point in entry_points(group="mmwave_gym.pictures")}
    assert drawn >= {room.name for room in OURS}
    wanted = {f"{name}.{kind}" for name in drawn for kind in ("gif", "png")} | {"cell_selection_policy.png"}
    assert wanted <= {path.name for path in images}
    assert all(path.stat().st_size < 800_000 for path in images)


def test_readme_has_the_three_uses() -> None:
    assert len(SNIPPETS) >= 3


@pytest.mark.parametrize("room", OURS, ids=lambda room: room.name)
def test_pages_are_up_to_date(room: rooms.Room) -> None:
    folder = ROOT / "docs" / "environments"
    assert (folder / f"{room.name}.md").read_text() == page(room.entries[0].id, folder), "run `make docs`"


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "reproductions").glob("[!i]*.md")), ids=lambda p: p.stem)
def test_pages_of_papers_count_their_claims_by_kind(path: Path) -> None:
    """What a page says of how many claims have which verdict is what its claims.json holds, each kind apart."""
    claims = json.loads((path.parent / path.stem / "claims.json").read_text())
    wanted = Counter((KINDS[claim["kind"]], claim["verdict"]) for claim in claims)
    table = re.search(r"^\| whose \|(.*)\|\n\| ---.*\n((?:\| .*\n)+)", path.read_text(), re.MULTILINE)
    assert table, "a page begins with its claims by whose they are"
    verdicts = [cell.strip() for cell in table[1].split("|")]
    said: Counter[tuple[str, str]] = Counter()
    for line in table[2].splitlines():
        whose, *numbers = (cell.strip() for cell in line.strip("| ").split("|"))
        kind = next((called for called in KINDS.values() if whose.endswith(called)), "")
        kind = kind or whose.replace("numbers of Table I", KINDS["paper"])
        found = {(kind, verdict): int(n) for verdict, n in zip(verdicts, numbers, strict=True)}
        said.update({key: number for key, number in found.items() if number})
    assert said == wanted


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=lambda p: p.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if "://" not in target and not target.startswith("generated/"):  # Sphinx makes the reference
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")) + sorted(ROOT.rglob("scenarios/*/guide.md"))


def test_paths_and_modules_that_pages_name_exist() -> None:
    """`folder/file.py`, `folder/` and `mmwave_gym.module.name` in the prose of every page."""
    missing = []
    for path in PAGES:
        for word in re.findall(r"`([^`\s]+)`", path.read_text()):
            if re.fullmatch(r"(mmwave_gym|baselines|mmwave_baselines|train|tests|docs|examples)/[\w/]+(\.\w+|/)", word):
                if not any((folder / word).exists() for folder in (ROOT, ROOT / "baselines")):
                    missing.append(f"{path.name}: {word}")
            elif re.fullmatch(r"mmwave_(gym|baselines)(\.\w+)+", word) and not _found(word):
                missing.append(f"{path.name}: {word}")
    assert missing == []
    assert not _found("mmwave_gym.nowhere")
    assert not _found("mmwave_gym.core.rooms.nothing")


def _found(name: str) -> bool:
    """Is this a module, or what a module holds, or a group of entry points?"""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return bool(entry_points(group=name))
    return True


def test_no_file_holds_what_is_left_of_a_merge() -> None:
    files = [
        p for p in (*ROOT.glob("*.*"), *(ROOT / "docs").rglob("*"), *(ROOT / "mmwave_gym").rglob("*")) if p.is_file()
    ]
    texts = [p for p in files if p.suffix in {".md", ".html", ".j2", ".toml", ".txt", ".py", ".csv"}]
    assert len(texts) > 100
    assert [str(p) for p in texts if re.search(r"^(<{7}|>{7}) ", p.read_text("utf-8"), re.MULTILINE)] == []
