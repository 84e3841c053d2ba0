"""Handover in a street at 28 GHz by 3GPP: a UE passes small cells on lamp posts; a handover takes time and may fail."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="street",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveStreet-v0",
            summary="a UE passes 28 GHz cells on lamp posts; a handover takes time and may fail",
            history=("v0: first version",),
        ),
    ),
    scenario="compiled_game:CompiledStreet",
    config="config:StreetConfig",
    tasks="tasks:TASKS",
    scene="scene:StreetScene",
)
