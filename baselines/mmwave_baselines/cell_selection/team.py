"""Agents with the best local policy found for the team: every UE uses it and sees only its own links and the loads.

`Team` knows the present slot, `TeamMemory` also its own cell and the loads of one slot before. Their tables come from
`python -m mmwave_baselines.cell_selection.solve_team`; in a game without a table they are NotApplicable.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.cell_selection.model import Game
from mmwave_baselines.cell_selection.reading import game_of_task, needs_present_load, read
from mmwave_baselines.cell_selection.team_rollouts import Observations
from mmwave_gym.agents.protocol import AgentError, NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Int64Array

TABLES = Path(__file__).parent


def table_key(game: Game, memory: bool) -> str:
    """The name of a game's table: two games share it only if they are the same."""
    rates = np.array(game.rate_bps_hz)
    shape = np.r_[np.ravel(game.transition), rates / rates.max()].round(6)  # the unit of rates changes no policy
    world = hashlib.sha256(shape.tobytes()).hexdigest()[:8]
    return f"{game.num_ues}x{game.num_cells}-{game.handover_cost:g}-{world}-{'memory' if memory else 'now'}"


@lru_cache(maxsize=32)
def table(game: Game, memory: bool, folder: Path = TABLES) -> NDArray[np.bool_]:
    """Which actions are best for every observation, (count, L). Raises NotApplicable without a table."""
    key = table_key(game, memory)
    path = folder / "team.npz"
    with np.load(path, allow_pickle=False) as stored:
        if key not in stored:
            options = f"--ues {game.num_ues} --costs {game.handover_cost:g}{' --memory' if memory else ''}"
            raise NotApplicable(
                f"no team policy is stored for this game ({key}); for a cost of the default world: "
                f"python -m mmwave_baselines.cell_selection.solve_team {options}"
            )
        bits = stored[key]
    return np.unpackbits(bits[:, None], axis=1)[:, : game.num_cells].astype(bool)


@dataclass
class TeamState:
    """What each row remembers of the slot before."""

    observations: Observations
    best: NDArray[np.bool_]  # (observations, cells)
    cell_before: Int64Array  # (rows,)
    loads_before: Int64Array  # (rows,)


class Team(Rule):
    """The best shared policy of the present slot."""

    kind = "planner"
    label = "local team policy"
    memory: ClassVar[bool] = False

    def __init__(self, folder: str | Path | None = None) -> None:
        self._folder = TABLES if folder is None else Path(folder)
        self.config: dict[str, Any] = {"memory_slots": int(self.memory)}

    @classmethod
    def for_task(cls, task: Any = None, training_seed: int | None = None) -> Team:
        """The agent of a task. Raises NotApplicable where there is no table."""
        if training_seed is not None:
            raise AgentError(f"{cls.label} has no training seeds, got {training_seed}.")
        made = cls()
        game = game_of_task(task)
        if game is not None:
            best = table(game, cls.memory, made._folder)
            made.config["table"] = table_key(game, cls.memory)
            made.weights_sha256 = hashlib.sha256(best.tobytes()).hexdigest()
        return made

    weights_sha256: str | None = None

    def remember(self, view: View) -> TeamState:
        needs_present_load(view, self.label)
        game = Game.of_constants(view.constants)
        zeros = np.zeros(view.num_rows, np.int64)
        return TeamState(Observations(game, self.memory), table(game, self.memory, self._folder), zeros, zeros.copy())

    def restart(self, memory: TeamState, view: View, rows: NDArray[np.bool_]) -> TeamState:
        return memory  # `act` asks whether a row has started

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        now, memory = read(seen.parts), seen.memory
        game = memory.observations.game
        loads = game.index_of_loads(now.others)
        # Before the first slot nothing has changed, as in the chains that the tables were learned on.
        cell_before = np.where(seen.started, now.serving, memory.cell_before)
        loads_before = np.where(seen.started, loads, memory.loads_before)
        links = game.index_of_links(now.channel)
        number = memory.observations.index(links, now.serving, loads, cell_before, loads_before)
        memory.cell_before, memory.loads_before = now.serving, loads
        return rng.choice(memory.best[number])


class TeamMemory(Team):
    """The best shared policy that also remembers one slot."""

    label = "local team policy, one slot of memory"
    memory = True
