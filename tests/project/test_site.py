"""The site's own code: docstrings become reStructuredText, links lead to places of the site, all names are there."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import mmwave_gym

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def extension(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    return importlib.import_module(name)


def test_the_reference_has_a_page_for_every_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make site` also fails where a public name of a module is not in the reference."""
    pages = extension("modules", monkeypatch).pages()
    named = set(re.findall(r"automodule:: (\S+)", "\n".join(pages.values())))
    found = {m.name for m in pkgutil.walk_packages(mmwave_gym.__path__, "mmwave_gym.") if "._" not in m.name}
    assert len(found) > 150
    assert {name for name in found - named if ".templates" not in name} == set()
    assert {"mmwave_gym", "mmwave_gym.sb3", "mmwave_gym.rllib", "mmwave_baselines.street.oracle"} <= named


def test_the_public_names_of_the_package_are_in_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = extension("modules", monkeypatch)
    documented = set(modules.public_names())
    for name in mmwave_gym.__all__:
        value = getattr(mmwave_gym, name)
        if name == "__version__" or isinstance(value, ModuleType):
            continue
        assert f"{value.__module__}.{value.__qualname__}" in documented, name
    front = (DOCS / "api" / "index.md").read_text("utf-8")
    assert [name for name in mmwave_gym.__all__ if name not in ("__version__", "register") and name not in front] == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Loss of `a_b` in dB.", "Loss of \\ ``a_b``\\  in dB."),
        ("a * b_ and |x|", "a \\* b\\_ and \\|x\\|"),
        ("**Proof.** By 2 * 3.", "**Proof.** By 2 \\* 3."),
        ("Text:\n\n    V = max(a, b_)", "Text:\n\n::\n\n    V = max(a, b_)\n"),
        ("First:\n1. one\n2. two", "First:\n\n1. one\n2. two"),
        ("* one\n  more\n* two", "* one\n  more\n* two"),
        ("```python\nx = 1\n```\nEnd.", "::\n\n    x = 1\n\nEnd."),
    ],
)
def test_docstrings_become_restructuredtext(text: str, wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    assert "\n".join(extension("docstrings", monkeypatch).rst(text.split("\n"))) == wanted


def test_pages_of_the_repository_are_taken_in_and_links_lead_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sphinx")
    places = extension("places", monkeypatch)
    source = ["[board](../leaderboard/leaderboard.md#a) [how](../../CONTRIBUTING.md)"]
    places.read(None, "start/rl", source)
    assert source == ["[board](../leaderboard/index.html#a) [how](../contributing.md)"]
    places.read(None, "contributing", source)
    assert "# Contributing" in source[0]
    assert "## Where things are" in source[0]
    assert "](docs/" not in source[0]


@pytest.mark.parametrize("page", sorted((DOCS / "notebooks").glob("[!i]*.md")), ids=lambda p: p.stem)
def test_notebooks_are_notebooks_without_outputs(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.startswith("---\nfile_format: mystnb\n")
    cells = re.findall(r"```\{code-cell\}\n(.*?)```", text, re.DOTALL)
    assert len(cells) >= 4
    compile("\n".join(cells), page.name, "exec")
    assert max(len(line) for cell in cells for line in cell.splitlines()) <= 120


def test_every_page_is_in_a_menu() -> None:
    listed = set()
    for index in DOCS.rglob("*.md"):
        for menu in re.findall(r"```\{toctree\}\n(.*?)```", index.read_text("utf-8"), re.DOTALL):
            names = [line for line in menu.splitlines() if line and not line.startswith(":")]
            listed |= {(index.parent / f"{name}.md").resolve() for name in names}
    pages = {p.resolve() for p in DOCS.rglob("*.md") if p.parent.name not in ("leaderboard", "generated")}
    assert {p.name for p in pages - listed} == {"index.md"}
    assert [p for p in listed if not p.exists() and p.stem != "*"] == []


def test_the_four_papers_are_cited() -> None:
    told, page = ((ROOT / "CITATION.cff").read_text("utf-8"), (DOCS / "citing.md").read_text("utf-8"))
    for arxiv in ("1801.02077", "1507.00387", "2201.05983", "1804.05757"):
        assert arxiv in told
        assert arxiv in page
    assert f"version: {mmwave_gym.__version__}" in told
    assert f"version = {{{mmwave_gym.__version__}}}" in page
