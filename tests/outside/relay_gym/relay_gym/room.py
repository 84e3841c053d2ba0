"""What mmwave-gym must know of this scenario."""

from mmwave_gym.core.rooms import Entry, Room

summary = "a source reaches its destination through one of several relays"
entry = Entry(id="Relay-v0", summary=summary, history=("v0: first version",))
parts = {"scenario": "game:Relay", "config": "game:RelayConfig", "tasks": "tasks:TASKS"}

ROOM = Room(name="relay", package="relay_gym", entries=(entry,), **parts)
