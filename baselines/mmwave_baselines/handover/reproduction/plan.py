"""Worlds and penalties of the reproduction of arXiv 1801.02077."""

from __future__ import annotations

WORLDS = {False: 100, True: 4}
CHUNK = 10  # worlds of a table, so that an interrupted run loses few
EDITION = 2  # raise it when the rows of worlds change: it is in their tables' names, so a resumed run keeps no old ones
BETAS = (5.0, 10.0, 15.0, 20.0, 25.0)
TRADEOFF_WORLDS = {False: 50, True: 4}
"""In the first so many worlds everything is done at every beta, for Fig. 8."""


def chunks(quick: bool) -> dict[str, range]:
    """The tables of worlds, and which worlds are in each."""
    count = WORLDS[quick]
    return {f"worlds-{EDITION}-{i // CHUNK}": range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)}
