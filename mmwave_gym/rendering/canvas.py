"""What pictures are drawn with: text, anti-aliased shapes on off-screen surfaces. The only pygame here.

Shapes go to a `Layer`, twice as fine as the frame and averaged down; text, axis-aligned boxes and discs go to the
`Frame` itself. Nothing here touches a display, so pictures need none. Coordinates are in pixels of the frame.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would print a greeting

import numpy as np
import pygame
from numpy.typing import NDArray

from mmwave_gym.rendering.colours import INK, WHITE, Colour

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, width, height

FRAME_SIZE = (960, 720)
FINE = 2  # a layer's pixels per frame pixel and axis


def _font_file(bold: bool) -> str | None:
    """DejaVu Sans, which comes with matplotlib; None is pygame's own font, which has no regular weight."""
    matplotlib = importlib.util.find_spec("matplotlib")  # finds, does not import
    if matplotlib is None or matplotlib.origin is None:
        return None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / name
    return str(path) if path.is_file() else None


@cache
def _font(size: int, bold: bool) -> pygame.font.Font:
    if _font.cache_info().currsize == 0:
        pygame.font.init()
        # A font used after somebody's pygame.quit(), for instance another environment's, crashes Python.
        pygame.register_quit(_font.cache_clear)
    file = _font_file(bold)
    return pygame.font.Font(file, size if file else round(1.25 * size))  # pygame's own font is a small one


@cache
def _disc(radius: float, fill: Colour, edge: Colour | None, edge_width: float) -> pygame.Surface:
    """A smooth disc on a transparent square whose centre is its own."""
    fine, half = 4, math.ceil(radius) + 1
    big = pygame.Surface((2 * half * fine, 2 * half * fine), pygame.SRCALPHA)
    big.fill((*(edge or fill), 0))  # what the rim fades into must have its colour
    centre = (half * fine, half * fine)
    pygame.draw.circle(big, edge or fill, centre, radius * fine)
    if edge:
        pygame.draw.circle(big, fill, centre, (radius - edge_width) * fine)
    return pygame.transform.smoothscale(big, (2 * half, 2 * half))


class Layer:
    """A white drawing area of `size` frame pixels for smooth lines."""

    def __init__(self, size: tuple[int, int]):
        self.size = size
        self._surface = pygame.Surface((size[0] * FINE, size[1] * FINE), 0, 32)
        self.clear()

    def clear(self) -> None:
        self._surface.fill(WHITE)

    def copy_from(self, other: Layer) -> None:
        self._surface.blit(other._surface, (0, 0))

    def line(self, colour: Colour, start: Point, end: Point, width: float = 1.0) -> None:
        (x0, y0), (x1, y1) = start, end
        ends = (x0 * FINE, y0 * FINE), (x1 * FINE, y1 * FINE)
        pygame.draw.line(self._surface, colour, *ends, max(1, round(width * FINE)))

    def dashed(self, colour: Colour, start: Point, end: Point, width: float = 1.0, dash: float = 5.0) -> None:
        """A line of dashes and gaps of `dash` pixels."""
        (x0, y0), (x1, y1) = start, end
        length = math.hypot(x1 - x0, y1 - y0)
        for i in range(0, math.ceil(length / dash), 2):
            a, b = i * dash / length, min(1.0, (i + 1) * dash / length)
            here = (x0 + a * (x1 - x0), y0 + a * (y1 - y0)), (x0 + b * (x1 - x0), y0 + b * (y1 - y0))
            self.line(colour, *here, width)

    def polygon(self, colour: Colour, points: Sequence[Point]) -> None:
        pygame.draw.polygon(self._surface, colour, [(x * FINE, y * FINE) for x, y in points])

    def box(self, colour: Colour, box: Box, edge: float = 0.0) -> None:
        """A filled rectangle, or its outline `edge` pixels wide."""
        left, top, width, height = (round(v * FINE) for v in box)
        pygame.draw.rect(self._surface, colour, (left, top, width, height), max(1, round(edge * FINE)) if edge else 0)

    def disc(self, colour: Colour, at: Point, radius: float) -> None:
        pygame.draw.circle(self._surface, colour, (at[0] * FINE, at[1] * FINE), radius * FINE)

    def ring(self, colour: Colour, at: Point, radius: float, width: float = 1.5) -> None:
        """A white disc with an edge."""
        centre = at[0] * FINE, at[1] * FINE
        pygame.draw.circle(self._surface, colour, centre, radius * FINE)
        pygame.draw.circle(self._surface, WHITE, centre, (radius - width) * FINE)

    def cross(self, colour: Colour, at: Point, size: float = 4.0, width: float = 1.5) -> None:
        x, y = at
        self.line(colour, (x - size, y - size), (x + size, y + size), width)
        self.line(colour, (x - size, y + size), (x + size, y - size), width)

    def flush(self, target: pygame.Surface, at: tuple[int, int], left: int = 0, right: int = -1) -> None:
        """Average the columns left..right down into `target`, whose point `at` is this layer's origin."""
        right = self.size[0] if right < 0 else min(right, self.size[0])
        left = max(0, left)
        if right <= left:
            return
        height = self.size[1]
        part = self._surface.subsurface((left * FINE, 0, (right - left) * FINE, height * FINE))
        target.blit(pygame.transform.smoothscale(part, (right - left, height)), (at[0] + left, at[1]))


class Frame:
    """The picture itself."""

    def __init__(self) -> None:
        self.surface = pygame.Surface(FRAME_SIZE, 0, 32)  # what pygame blends fastest
        # Three bytes a pixel in the order of an array, so that one blit and one copy make it.
        self._packed = pygame.Surface(FRAME_SIZE, 0, 24, (0xFF, 0xFF00, 0xFF0000, 0))
        self._texts: dict[tuple[str, int, bool, Colour], pygame.Surface] = {}
        self.clear()

    def clear(self) -> None:
        self.surface.fill(WHITE)

    def array(self) -> NDArray[np.uint8]:
        """A copy, uint8 (height, width, 3)."""
        width, height = FRAME_SIZE
        self._packed.blit(self.surface, (0, 0))
        packed: Any = self._packed.get_buffer()
        rows = np.frombuffer(packed, np.uint8).reshape(height, -1)  # a row may be padded
        return rows[:, : 3 * width].reshape(height, width, 3).copy()

    def text(
        self,
        string: str,
        at: Point,
        size: int = 12,
        colour: Colour = INK,
        bold: bool = False,
        align: str = "left",
        room: float = math.inf,
        halo: bool = False,
    ) -> float:
        """Write `string`, vertically centred on `at`, and return its width.

        It gets smaller where it is wider than `room`; `halo` puts white around it.
        """
        if halo:
            for dx, dy in ((-2, 0), (2, 0), (0, -2), (0, 2), (-1, -1), (1, 1), (-1, 1), (1, -1)):
                self.text(string, (at[0] + dx, at[1] + dy), size, WHITE, bold, align, room)
        key = (string, size, bold, colour)
        if key not in self._texts:
            if len(self._texts) > 500:  # numbers change all the time
                self._texts.clear()
            self._texts[key] = _font(size, bold).render(string, True, colour)
        drawn = self._texts[key]
        if drawn.get_width() > room and size > 8:
            return self.text(string, at, size - 1, colour, bold, align, room)
        width, height = drawn.get_size()
        x = at[0] - {"left": 0.0, "centre": width / 2, "right": width}[align]
        self.surface.blit(drawn, (round(x), round(at[1] - height / 2)))
        return float(width)

    def box(self, colour: Colour, box: Box, edge: int = 0) -> None:
        pygame.draw.rect(self.surface, colour, [round(v) for v in box], edge)

    def disc(self, fill: Colour, at: Point, radius: float, edge: Colour | None = None, edge_width: float = 1.5) -> None:
        sprite = _disc(radius, fill, edge, edge_width)
        half = sprite.get_width() // 2
        self.surface.blit(sprite, (round(at[0]) - half, round(at[1]) - half))

    def badge(self, number: int, colour: Colour, at: Point, radius: float = 9.0, ring: bool = False) -> None:
        """A numbered disc; `ring` marks it."""
        if ring:
            self.disc(WHITE, at, radius + 5, INK, 2.0)
        self.disc(colour, at, radius, WHITE, 1.0)
        red, green, blue = colour
        dark = 0.299 * red + 0.587 * green + 0.114 * blue > 170  # white does not show on the lightest colours
        size = round(1.25 * radius) if number < 10 else round(1.05 * radius)
        self.text(str(number), (at[0] + 0.5, at[1]), size, INK if dark else WHITE, bold=True, align="centre")

    def paste(self, source: pygame.Surface, at: tuple[int, int]) -> None:
        self.surface.blit(source, at)
