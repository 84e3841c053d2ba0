"""Colours of pictures, by name and by number. No drawing library is needed for them."""

from __future__ import annotations

from functools import cache, lru_cache

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)
INK: Colour = (34, 34, 34)
GREY: Colour = (110, 110, 110)
LINE: Colour = (190, 190, 190)
FAINT: Colour = (232, 232, 232)
ALARM: Colour = (250, 217, 208)  # outage, behind curves
# Okabe and Ito's colours that stand out on white, told apart with any colour vision; black and yellow are left out.
OKABE_ITO: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (204, 121, 167),
    (86, 180, 233),
)


@lru_cache(maxsize=4096)
def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """`colour` with that share of `other` mixed in."""
    r, g, b = (round(x + (y - x) * share) for x, y in zip(colour, other, strict=True))
    return r, g, b


@cache
def series_colour(index: int) -> Colour:
    """The colour of cell or curve `index`: six, then the same ones darker and lighter in turn."""
    colour = OKABE_ITO[index % len(OKABE_ITO)]
    shade = index // len(OKABE_ITO) % 3
    return (colour, blend(colour, INK, 0.45), blend(colour, WHITE, 0.35))[shade]
