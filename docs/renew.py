"""Renews what pages take from the board: numbers they quote, their lines of short forms, and the picture of learning.

`make docs` and `make site` run it. With --check nothing is written: exit code 1 names the pages that are out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mmwave_gym.benchmark.quoting import Source, filled, source_of
from mmwave_gym.benchmark.standing import picture
from mmwave_gym.benchmark.words import explained
from mmwave_gym.core import files

DOCS = Path(__file__).parent
STANDING = DOCS / "images" / "learning.svg"
SUITE = "v1"


def pages() -> list[Path]:
    """All hand-written pages, and the generated ones."""
    return [
        *sorted(DOCS.parent.glob("*.md")),
        *sorted(p for p in DOCS.rglob("*.md") if p.parent != DOCS / "leaderboard"),
    ]


def renewed() -> dict[Path, str]:
    """What each page should be, and the picture."""
    texts = {page: explained(filled(page.read_text("utf-8"), lambda page=page: source_of(page))) for page in pages()}  # type: ignore[misc]
    return {**texts, STANDING: picture(Source(DOCS).rows.values(), SUITE)}


if __name__ == "__main__":
    old = [path for path, text in renewed().items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        print(
            "\n".join(f"{path} is out of date: run `python docs/renew.py`" for path in old) or "all pages are current"
        )
        sys.exit(bool(old))
    for path, text in renewed().items():
        if path in old:
            files.write(path, text)
            print(path)
