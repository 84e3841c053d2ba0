"""What mmwave-gym must know of this scenario."""

from mmwave_gym.core.rooms import Entry, Room

ROOM = Room(
    name="relay",
    package="relay_gym",
    entries=(
        Entry(
            id="Relay-v0",
            summary="a source reaches its destination through one of several relays",
            history=("v0: first version",),
        ),
    ),
    scenario="game:Relay",
    config="game:RelayConfig",
    tasks="tasks:TASKS",
)
