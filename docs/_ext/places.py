"""Places that links name and the site has elsewhere: the board, files of the repository, pages beside this folder."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError

ROOT = Path(__file__).parents[2]


def read(app: Any, docname: str, source: list[str]) -> None:
    """A page as the site has it: pages beside this folder are taken in, links lead to places of the site."""
    if docname in ("contributing", "changelog"):
        source[0] = (ROOT / f"{docname.upper()}.md").read_text("utf-8")
        if docname == "contributing":
            _, _, tree = (ROOT / "README.md").read_text("utf-8").partition("## Where things are")
            source[0] += f"\n## Where things are{tree.partition('## ')[0]}"
        source[0] = source[0].replace("](README.md#where-things-are)", "](#where-things-are)").replace("](docs/", "](")
    up = "../" * docname.count("/")
    text = re.sub(r"\]\(((?:\.\./)*leaderboard)/leaderboard\.md", r"](\1/index.html", source[0])
    source[0] = re.sub(r"\]\((?:\.\./)+CONTRIBUTING\.md", f"]({up}contributing.md", text)


def places(app: Any, doctree: Any) -> None:
    """Links to the board are plain addresses."""
    docname = app.env.docname
    up = "../" * docname.count("/")
    for node in list(doctree.findall(addnodes.download_reference)):
        target = (Path(app.srcdir) / docname).parent.joinpath(node["reftarget"].lstrip("/")).resolve()
        if node["reftarget"].startswith("/"):
            target = Path(app.srcdir).joinpath(node["reftarget"].lstrip("/")).resolve()
        address = _address(target, Path(app.srcdir))
        if address is not None:
            link = nodes.reference("", "", *node.children, refuri=f"{up}{address}", internal=True)
            node.replace_self(link)


def _address(target: Path, docs: Path) -> str | None:
    if target.is_relative_to(docs / "leaderboard"):
        return target.relative_to(docs).as_posix()
    return None


def short_forms(app: Any, doctree: Any) -> None:
    """The line of short forms under a title is small."""
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("Short forms: "):
            paragraph["classes"].append("short-forms")


def copy_board(app: Any, error: Exception | None) -> None:
    """The board's pages, which `make site` puts beside its tables."""
    if error is None and app.builder.format == "html":
        shutil.copytree(Path(app.srcdir) / "leaderboard", Path(app.outdir) / "leaderboard", dirs_exist_ok=True)


def check_links(app: Any, error: Exception | None) -> None:
    """Every link and picture of every page leads to a file, and to a place in it. Raises ExtensionError."""
    if error is not None or app.builder.format != "html":
        return
    site, dead = Path(app.outdir).resolve(), []
    elsewhere = site / "leaderboard", site / "_downloads"  # the board has tests of its own; Sphinx keeps a copy of it
    for page in sorted(p for p in site.rglob("*.html") if not any(p.is_relative_to(folder) for folder in elsewhere)):
        text = page.read_text("utf-8")
        for target in dict.fromkeys(re.findall(r'(?:href|src)="([^"]+)"', text)):
            if re.match(r"[a-z]+:|//", target) or "_static/" in target:
                continue
            path, _, anchor = target.partition("#")
            path = unquote(path.partition("?")[0])
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and file.suffix == ".html" and unquote(anchor) not in _places(file)):
                dead.append(f"{page.relative_to(site)}: {target}")
    if dead:
        raise ExtensionError("links that lead nowhere:\n" + "\n".join(dead))


@cache
def _places(page: Path) -> frozenset[str]:
    """What links may name behind a #."""
    return frozenset(re.findall(r'\bid="([^"]+)"', page.read_text("utf-8"))) | {""}


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", read)
    app.connect("doctree-read", places)
    app.connect("doctree-read", short_forms)
    app.connect("build-finished", copy_board)
    app.connect("build-finished", check_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
