"""Trajectory-known association (Ning et al., arXiv 2201.05983): UEs on known routes choose base stations."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="association",
    package=__name__,
    entries=(
        Entry(
            id="MmwaveAssociation-v0",
            summary="UEs on known routes choose a base station whenever the ones in reach and in sight change",
            history=("v0: first version",),
        ),
    ),
    scenario="game:Association",
    config="config:AssociationConfig",
    tasks="tasks:TASKS",
    scene="scene:AssociationScene",
    commands={"city": "commands:city"},
)
