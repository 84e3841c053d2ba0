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
    grants={
        "local": "Of the UE that decides: its candidates now, their loads, and its own coming interval, for its route "
        "is known. That is how long it lasts, how long each candidate stays one, and each one's mean efficiency.",
        "central": "The serving base station and the efficiency of every UE, now and as planned until its next epoch.",
        "trajectory": "The routes of all UEs and the buildings: all that is still to come.",
        "hindsight": "Nothing more: who knows all routes knows the episode.",
    },
    commands={"city": "commands:city"},
)
