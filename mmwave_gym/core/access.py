"""Access levels: what an agent may know."""

from __future__ import annotations

ACCESS_LEVELS = ("local", "central", "trajectory", "hindsight")
"""What an agent may know, least first: its own observation; everything now; future positions too; everything."""
