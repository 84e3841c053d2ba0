"""MDP cell selection (Mezzavilla et al., arXiv 1507.00387): UEs whose links come and go share a few cells."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="cell_selection",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveCellSelection-v0",
            summary="UEs whose links flip between line of sight, none and outage share a few cells",
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
