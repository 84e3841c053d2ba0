"""The tasks of cell selection: what the suite measures, from which floor up."""

from __future__ import annotations

from functools import partial

from mmwave_gym.benchmark.task import Task

_cell_selection = partial(
    Task,
    env_id="MmwaveCellSelection-v0",
    primary="spectral_efficiency_bps_hz",
    reference="rate-stay",
    smallest_difference=0.04,
    episodes=128,
    suite="v1",
)

TASKS: tuple[Task, ...] = (
    _cell_selection(
        name="cell_selection/n3-cost10",
        kwargs={"num_ues": 3, "handover_cost": 0.1},
        description="Three UEs share three cells; a handover costs a tenth of a slot.",
        why="the smallest game: what each access level can have is exact or proven, beside learned agents that differ",
        ceiling="optimum",
    ),
    _cell_selection(
        name="cell_selection/n3-cost30",
        kwargs={"num_ues": 3, "handover_cost": 0.3},
        description="The same with a handover that costs three tenths of a slot.",
        why="the smallest game with dearer handovers: its ceilings are exact, and memory tells learned agents apart",
        ceiling="optimum",
    ),
    _cell_selection(
        name="cell_selection/n4-cost10",
        kwargs={"num_ues": 4, "handover_cost": 0.1},
        description="Four UEs share three cells, so two of them must share one; the optimum is still exact.",
        ceiling="optimum",
    ),
    _cell_selection(
        name="cell_selection/n6-cost10",
        kwargs={"num_ues": 6, "handover_cost": 0.1},
        description="Six UEs share three cells; who moves to an empty cell is not alone in the idea.",
        ceiling="myopic",
    ),
    _cell_selection(
        name="cell_selection/n6-cost30",
        kwargs={"num_ues": 6, "handover_cost": 0.3},
        description="The same with a handover that costs three tenths of a slot.",
        ceiling="myopic",
    ),
)
