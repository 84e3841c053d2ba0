"""Rendering of every scenario in the modes "rgb_array", "human" and "ansi".

`make_renderer(batch, mode)` gives the object that the environment classes tell of every reset and step. A scenario
whose room names a scene is drawn by it; any other gets the plain `GenericScene`, so that a new scenario
renders from its first day. A scene reads the batch's environment 0 and knows two forms, a picture and a text; this file
turns them into the three modes. Pictures need pygame, texts need nothing.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Protocol

from gymnasium.error import DependencyNotInstalled

from mmwave_gym.core import rooms
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.joint import JointScenario
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.rendering.generic import GenericScene

if TYPE_CHECKING:
    from mmwave_gym.rendering.canvas import Frame

SLOWEST_FPS = 10.0  # a window plays in real time, but never slower than `render_fps`
SHORTEST_S = 0.02  # a step that is shorter cannot be seen in real time, and is shown in slow motion
SLOW_MOTION_S = 0.2  # a frame


class Scene(Protocol):
    """What environment 0 of a batch looks like. `record` is cheap; drawing waits for `picture` or `text`.

    `centralised = True` says that it can draw the centralised view (control="all"), too. Otherwise `GenericScene` does.
    """

    def __init__(self, batch: Batch) -> None: ...

    def record(self, outcome: Outcome | None) -> None:
        """A step was made, or an episode began where `outcome` is None."""

    def picture(self) -> Frame:
        """The present as a picture of constant size; the scene may draw into the same one next time."""

    def text(self) -> str:
        """The present as lines of constant number and width."""


class Renderer:
    """One environment's rendering in one mode."""

    def __init__(self, batch: Batch, mode: str):
        self._mode = mode
        if mode != "ansi":
            _need_pygame()
        room = rooms.rooms().get(batch.scenario.name)
        scene: type[Scene] = (room and room.load("scene")) or GenericScene
        if isinstance(batch.scenario, JointScenario) and not getattr(scene, "centralised", False):
            scene = GenericScene
        self._scene = scene(batch)
        self._window = _Window(f"mmwave-gym: {batch.scenario.name}") if mode == "human" else None
        self._stale = True

    def record(self, outcome: Outcome | None) -> None:
        """Take note of a step, or of a new episode where `outcome` is None. In mode "human" the window follows."""
        self._scene.record(outcome)
        self._stale = True
        if self._window is not None:
            self._show(0.0 if outcome is None else float(outcome.elapsed_s[0]))

    def frame(self) -> Any:
        """uint8 (height, width, 3) in mode "rgb_array", str in "ansi", None in "human"."""
        if self._mode == "ansi":
            return self._scene.text()
        if self._mode == "rgb_array":
            return self._scene.picture().array()
        self._show(0.0)
        return None

    def close(self) -> None:
        """Close the window, if there is one. A second call does nothing."""
        if self._window is not None:
            self._window.close()

    def _show(self, elapsed_s: float) -> None:
        assert self._window is not None
        if self._window.open:
            self._window.show(self._scene.picture() if self._stale else None, elapsed_s)
            self._stale = False


class _Window:
    """A desktop window. Once its user or its owner has closed it, it stays closed."""

    def __init__(self, title: str):
        self._title = title
        self._shown_at = 0.0
        self._used = False
        self.open = True

    def show(self, frame: Frame | None, elapsed_s: float) -> None:
        """Put `frame` on the screen, `elapsed_s` after the one before; without a frame only answer the desktop."""
        from mmwave_gym.rendering.canvas import pygame

        if frame is not None:
            surface = frame.surface
            pygame.display.init()
            screen = pygame.display.get_surface()
            if screen is None or screen.get_size() != surface.get_size():
                screen = pygame.display.set_mode(surface.get_size())
            pygame.display.set_caption(self._title)
            self._used = True
            screen.blit(surface, (0, 0))
            self._wait(elapsed_s)
            pygame.display.flip()
        if pygame.display.get_init() and any(event.type == pygame.QUIT for event in pygame.event.get()):
            self.close()

    def close(self) -> None:
        if self._used:
            from mmwave_gym.rendering.canvas import pygame

            pygame.display.quit()
        self.open = self._used = False

    def _wait(self, elapsed_s: float) -> None:
        from mmwave_gym.rendering.canvas import pygame

        if pygame.display.get_driver() != "dummy":  # nobody watches that one
            slow = 0.0 < elapsed_s < SHORTEST_S
            due_s = self._shown_at + (SLOW_MOTION_S if slow else min(elapsed_s, 1.0 / SLOWEST_FPS))
            time.sleep(max(0.0, due_s - time.perf_counter()))
        self._shown_at = time.perf_counter()


def _need_pygame() -> None:
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # it would print a greeting
    try:
        import pygame  # noqa: F401
    except ImportError as error:
        raise DependencyNotInstalled(
            "drawing needs pygame, which is not installed: pip install 'mmwave-gym[render]'. "
            "render_mode='ansi' works without it."
        ) from error


def make_renderer(batch: Batch, mode: str) -> Renderer:
    """The renderer of environment 0 of `batch` for a mode of `RENDER_MODES`.

    Raises gymnasium.error.DependencyNotInstalled where a picture is asked for and pygame is missing.
    """
    return Renderer(batch, mode)
