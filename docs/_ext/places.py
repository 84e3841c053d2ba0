"""Places that links name and the site has elsewhere: the board, files of the repository, pages beside this folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes

ROOT = Path(__file__).parents[2]
PAGES = {"CONTRIBUTING.md": "contributing", "CHANGELOG.md": "changelog", "README.md": "index"}
BOARD = "leaderboard/"


def places(app: Any, doctree: Any) -> None:
    """Links to the board are plain addresses, links to pages beside this folder lead to their copies on the site."""
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
        page = target.relative_to(docs).as_posix()
        return f"{BOARD}index.html" if page == f"{BOARD}leaderboard.md" else page
    if target.parent == ROOT and target.name in PAGES:
        return f"{PAGES[target.name]}.html"
    return None


def short_forms(app: Any, doctree: Any) -> None:
    """The line of short forms under a title is small."""
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("Short forms: "):
            paragraph["classes"].append("short-forms")


def copy_board(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        shutil.copytree(Path(app.srcdir) / "leaderboard", Path(app.outdir) / "leaderboard", dirs_exist_ok=True)


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-read", places)
    app.connect("doctree-read", short_forms)
    app.connect("build-finished", copy_board)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
