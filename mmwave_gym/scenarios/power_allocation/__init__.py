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
    grants={
        "local": "A base station knows the gains from and to it, its power and interference, and what others send it.",
        "central": "All gains, powers and places of the network.",
        "trajectory": "Nothing more: nobody moves within an episode.",
        "hindsight": "Base stations that leave or arrive later, where the task has any.",
    },
    policies="policy:policy_class",
    commands={"sites": "commands:sites"},
    documented={"observation": "local"},
)
