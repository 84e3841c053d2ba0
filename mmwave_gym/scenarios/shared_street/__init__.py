"""Handover where many share: a crossing of cars and pedestrians, conditional handover and a radio map that all feed."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="shared_street",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveSharedStreet-v0",
            summary="cars and pedestrians share 28 GHz cells at a crossing and feed one radio map",
            history=("v0: first version",),
            others="cho-a3",
        ),
    ),
    scenario="compiled_game:CompiledSharedStreet",
    config="config:SharedStreetConfig",
    tasks="tasks:TASKS",
    scene="scene:SharedStreetScene",
    grants={
        "local": "What the UE measures and reports, its cell's SINR, the broadcast loads, and look-ups in the radio "
        "map that all feed.",
        "central": "The power and the SINR of every cell at every UE now, and who is served by whom.",
        "trajectory": "The next 1.2 s of the UE's links, where all will be, and which map it is.",
        "hindsight": "The links of all UEs in every slot, and when each wants data.",
    },
)
