"""What texts share: lines of one width, a framed map with lines beside it, signs of cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

WIDTH = 79
_SIGNS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def text_of(lines: Iterable[str]) -> str:
    """The lines in ASCII, `WIDTH` wide: longer ones are cut, other characters become question marks."""
    return "\n".join(line.encode("ascii", "replace").decode()[:WIDTH].ljust(WIDTH) for line in lines)


def framed(grid: Iterable[Iterable[str]], columns: int) -> list[str]:
    """A map of `columns` signs a row, within a frame."""
    border = "+" + "-" * columns + "+"
    return [border, *("|" + "".join(row) + "|" for row in grid), border]


def side_by_side(left: Sequence[str], right: Sequence[str]) -> list[str]:
    """Lines of the left one, which is at least as long, each followed by that of the right one."""
    return [f"{a} {b}" for a, b in zip(left, [*right, *[""] * (len(left) - len(right))], strict=True)]


def cell_sign(cell: int) -> str:
    """A digit or a letter for a cell."""
    return _SIGNS[cell % len(_SIGNS)]
