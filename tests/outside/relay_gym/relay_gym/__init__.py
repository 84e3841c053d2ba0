"""A scenario of mmwave-gym in a package of its own: a source reaches its destination through one of several relays."""

import mmwave_gym  # noqa: F401  (registers this package's environments too: gymnasium.make("relay_gym:Relay-v0"))
