"""What an agent may say of itself: its access level, and of which kind it is."""

from __future__ import annotations

ACCESS_LEVELS = ("local", "central", "trajectory", "hindsight")
"""What an agent may know, least first: its own observation; everything now; future positions too; everything."""
KINDS = ("rule", "paper", "learned", "planner", "other", "floor", "ceiling")
"""Kinds of agents. Which agent is a floor or a ceiling is for the task to say: the board believes no other claim."""
