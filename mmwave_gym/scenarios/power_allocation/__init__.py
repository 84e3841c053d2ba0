"""Dense-BS power allocation (arXiv 1804.05757): base stations choose their powers and disturb each other."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="power_allocation",
    package=__name__,
    entries=(
        Entry(
            id="MmwavePowerAllocation-v0",
            summary="base stations choose their powers, each for its one UE, and disturb each other",
            history=("v0: first version",),
            others="full-power",
        ),
    ),
    scenario="game:PowerAllocation",
    config="config:PowerAllocationConfig",
    tasks="tasks:TASKS",
    scene="scene:PowerAllocationScene",
    policies="policy:policy_class",
    commands={"sites": "commands:sites"},
    documented={"observation": "local"},
)
