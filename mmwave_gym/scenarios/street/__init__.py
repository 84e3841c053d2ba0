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
        Entry(
            id="MmwaveStreet-v1",
            summary="the same street, where a lost command leaves the UE on its cell instead of failing the link",
            overrides={"lost_command": "stays"},
            history=(
                "v1: below `out_db` report and command are lost, and the UE stays on its cell; T310 runs on through "
                "preparation and the lost command. In v0 a lost command failed the link at once, which took 0.36 s "
                "where T310 takes up to 1.3 s: commanding in outage paid.",
            ),
        ),
    ),
    scenario="compiled_game:CompiledStreet",
    config="config:StreetConfig",
    tasks="tasks:TASKS",
    scene="scene:StreetScene",
    documented={"handover": "conditional"},
    grants={
        "local": "What the UE measures, late and filtered as in 3GPP, of all cells; the SINR of the serving cell.",
        "central": "The power and the SINR of every cell at this tick, undelayed.",
        "trajectory": "Where the UE will be at every tick, and which map it is.",
        "hindsight": "The power and the SINR of every cell at every tick.",
    },
)
