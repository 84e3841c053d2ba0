"""Pictures of cell selection: an episode, and what policies make a UE do in every state.

A state is the serving link and the two other links, whose order means nothing, and where the two other UEs are. The
colour is that of the link that the UE moves to, so that a pattern shows before a word is read.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from mmwave_baselines.cell_selection.mdp import Mdp, network_tables
from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.team import table
from mmwave_baselines.pictures import Album, Film
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.scenarios.cell_selection.picture import state_colour

FILM = Film(
    name="cell_selection",
    env_id="MmwaveCellSelection-v0",
    agent="team",
    task="cell_selection/n6-cost10",
    keywords={"num_ues": 6},
    seed=3,
    last_slot=60,
    slots_per_frame=1,
    still_slot=57,
    frame_ms=400,
)
NUM_UES, NUM_CELLS, HANDOVER_COST = 3, 3, 0.1
NAMES = ("LOS", "NLOS", "outage")
COLOURS = [tuple(v / 255 for v in state_colour(i, 3)) for i in range(3)]
STAY = (0.93, 0.93, 0.93)
INK, GREY = (0.13, 0.13, 0.13), (0.43, 0.43, 0.43)
LOADS = ((2, 0, 0), (1, 1, 0), (1, 0, 1), (0, 2, 0), (0, 1, 1), (0, 0, 2))  # others here, and at the two other cells
WHERE = ((0, 1, "both others are here"), (1, 3, "one is here"), (3, 6, "nobody else is here"))
PAIRS = tuple(itertools.combinations_with_replacement(range(3), 2))  # states of the two other links
PANELS = (6.0, 13.0)  # left edges
GAP = 0.7  # between serving states
LEFT, RIGHT, BOTTOM = -0.2, 19.4, -1.9


def draw(album: Album) -> None:
    """An episode, and the policies."""
    album.episode(FILM)
    policies(album.folder / "cell_selection_policy.png")


def destinations() -> tuple[np.ndarray, np.ndarray]:
    """State of the link moved to, -1 for staying, (18 links, 6 loads): of the paper's policy and of the team policy."""
    game = Game.of_constants(
        make_scenario("cell_selection", num_ues=NUM_UES, num_cells=NUM_CELLS, handover_cost=HANDOVER_COST).constants()
    )
    paper = network_tables(game, Mdp.frame, Mdp.reward, 0.9, 0)[0]  # of UE 0; the others' are the same
    best = table(game, memory=False).reshape(len(game.links), NUM_CELLS, len(game.loads), NUM_CELLS)
    made = np.empty((2, 3 * len(PAIRS), len(LOADS)), int)
    for row, (serving, pair) in enumerate(itertools.product(range(3), PAIRS)):
        links = np.array((serving, *pair))
        for column, loads in enumerate(LOADS):
            c, m = int(game.index_of_links(links)), int(game.index_of_loads(np.array(loads)))
            actions = [int(paper[c, 0, m])], np.flatnonzero(best[c, 0, m]).tolist()
            for policy, cells in enumerate(actions):
                (state,) = {-1 if cell == 0 else int(links[cell]) for cell in cells}  # equally good cells: equal links
                made[policy, row, column] = state
    return made[0], made[1]


def _row_y(row: int) -> float:
    return 18 + 2 * GAP - row - row // 6 * GAP - 0.5


def _links(ax: Axes, row: int) -> None:
    """The state of a row: its serving link with a UE in it, and the two other links."""
    serving, pair = row // 6, PAIRS[row % 6]
    y = _row_y(row)
    for x, state in ((3.1, serving), (4.25, pair[0]), (5.05, pair[1])):
        ax.add_patch(Rectangle((x - 0.36, y - 0.36), 0.72, 0.72, color=COLOURS[state], lw=0))
    ax.add_patch(Circle((3.1, y), 0.2, color=INK, lw=0))


def _loads(ax: Axes, x: float, y: float, loads: tuple[int, ...]) -> None:
    """Where the others are: dots in three cells, the left one is the UE's own."""
    for cell, load in enumerate(loads):
        left = x + (cell - 1) * 0.29
        ax.plot([left - 0.11, left + 0.11], [y, y], color=INK if cell == 0 else GREY, lw=2.2 if cell == 0 else 1)
        for i in range(load):
            ax.add_patch(Circle((left, y + 0.17 + 0.25 * i), 0.1, color=INK, lw=0))


def _panel(ax: Axes, left: float, title: str, under: str, values: np.ndarray, unlike: np.ndarray | None) -> None:
    top = _row_y(0) + 0.5
    ax.text(left, top + 2.7, title, weight="bold", size=12.5, color=INK)
    ax.text(left, top + 2.1, under, size=9.5, color=GREY)
    for first, last, words in WHERE:
        ax.text(left + (first + last) / 2, top + 1.2, words.replace(" is", "\nis").replace(" are", "\nare")
                if last - first < 3 else words, ha="center", va="center", size=8.5, color=GREY)  # fmt: skip
    for column, loads in enumerate(LOADS):
        _loads(ax, left + column + 0.5, top + 0.18, loads)
    for row, column in np.ndindex(values.shape):
        y, state = _row_y(row), int(values[row, column])
        tile = (left + column + 0.03, y - 0.47), 0.94, 0.94
        ax.add_patch(Rectangle(*tile, color=STAY if state < 0 else COLOURS[state], lw=0))
        if unlike is not None and unlike[row, column] != state:
            inset = (left + column + 0.09, y - 0.41), 0.82, 0.82
            ax.add_patch(Rectangle(*inset, fill=False, edgecolor=INK, lw=1.6))


def _legend(ax: Axes) -> None:
    y, x = -0.75, 2.74
    ax.text(0.1, y, "The UE", va="center", size=11, weight="bold", color=INK)
    entries = [("stays", STAY), *((f"moves to {n}", c) for n, c in zip(NAMES, COLOURS, strict=True))]
    for words, colour in entries:
        ax.add_patch(Rectangle((x, y - 0.32), 0.64, 0.64, color=colour, lw=0))
        ax.text(x + 0.85, y, words, va="center", size=9.5, color=INK)
        x += 1.5 + 0.175 * len(words)
    ax.add_patch(Rectangle((x + 0.04, y - 0.28), 0.56, 0.56, fill=False, edgecolor=INK, lw=1.6))
    ax.text(x + 0.85, y, "not as MDP", va="center", size=9.5, color=INK)
    law = make_scenario("cell_selection").constants()["transition"]
    why = "Why to a cell in outage? One in outage is in LOS a slot later in"
    why += f" {100 * law[2][0]:.0f} % of cases, one in NLOS in {100 * law[1][0]:.0f} %."
    ax.text(2.74, y - 0.85, why, va="center", size=9.5, color=GREY)


def policies(path: Path) -> None:
    """What a UE does in every state, by the paper's policy and by the team's."""
    paper, team = destinations()
    top = _row_y(0) + 0.5
    width, height = RIGHT - LEFT, top + 3.6 - BOTTOM
    with matplotlib.rc_context({"font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(9.5, 9.5 * height / width), dpi=110, facecolor="white")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(LEFT, RIGHT), ylim=(BOTTOM - 0.3, top + 3.6))
        ax.set_aspect("equal")
        ax.axis("off")
        world = f"{NUM_UES} UEs, {NUM_CELLS} cells, handover {100 * HANDOVER_COST:g} %"
        ax.text(0.1, top + 2.7, "What a UE does", weight="bold", size=15, color=INK)
        ax.text(0.1, top + 2.1, world, size=9.5, color=GREY)
        ax.text(3.1, top + 0.3, "serving\nlink", ha="center", va="center", size=8.5, color=GREY)
        ax.text(4.65, top + 0.3, "other\nlinks", ha="center", va="center", size=8.5, color=GREY)
        for state, name in enumerate(NAMES):
            y = (_row_y(6 * state) + _row_y(6 * state + 5)) / 2
            ax.text(0.1, y, f"served\nin {name}", va="center", size=12, weight="bold", color=COLOURS[state])
        for row in range(18):
            _links(ax, row)
        _panel(ax, PANELS[0], "MDP", "the paper's: each for itself", paper, None)
        _panel(ax, PANELS[1], "Team policy", "one for all UEs, learned for their sum", team, paper)
        _legend(ax)
        figure.savefig(path)
