"""Pages of the docs that a command writes parts of."""

from __future__ import annotations

from pathlib import Path


def write_between(page: Path, mark: str, text: str) -> None:
    """Replace what stands between two marks of a page. ValueError: the page does not have the mark twice."""
    parts = page.read_text(encoding="utf-8").split(mark)
    if len(parts) != 3:
        raise ValueError(f"{page} must have the mark {mark} twice, got it {len(parts) - 1} times.")
    page.write_text(f"{parts[0]}{mark}\n{text.strip()}\n{mark}{parts[2]}", encoding="utf-8")
