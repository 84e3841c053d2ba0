"""MDP cell selection (Mezzavilla et al., arXiv 1507.00387): UEs whose links come and go share a few cells."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="cell_selection",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveCellSelection-v0",
            summary="UEs share a few cells; links switch between line of sight, non-line-of-sight and outage",
            history=("v0: first version",),
            others="channel",
        ),
    ),
    scenario="game:CellSelection",
    config="config:CellSelectionConfig",
    tasks="tasks:TASKS",
    scene="scene:CellSelectionScene",
    table="table:tabular_model",
    commands={"transition": "commands:transition"},
)
