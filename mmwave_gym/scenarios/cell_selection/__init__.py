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
    grants={
        "local": "A UE sees its own links' states and how many UEs each cell serves; the model is known.",
        "central": "The link states and the serving cells of all UEs in this slot.",
        "trajectory": "Nothing more: the links of this model have no places.",
        "hindsight": "The link states of all UEs in every slot.",
    },
    table="table:tabular_model",
    commands={"transition": "commands:transition"},
)
