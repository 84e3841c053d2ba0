"""Where a board's pages lie, by the names of tasks and agents: the same name has the same address on every board."""

from __future__ import annotations

import hashlib
import re

LONGEST = 60


def slug(name: str) -> str:
    """A name as a file's name and as part of an address.

    Plain names in small letters stay as they are. Any other keeps its letters and digits, and ends with a digest, so
    that two names never share an address, also where a file system ignores case.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".")
    if plain and plain == name == name.lower() and len(name) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}~{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:8]}"


def task_page(task: str, suffix: str = ".html") -> str:
    """``tasks/<scenario>/<name>.html``, relative to the board's folder."""
    scenario, _, rest = task.partition("/")
    return f"tasks/{slug(scenario)}/{slug(rest)}{suffix}"


def agent_page(scenario: str, agent: str) -> str:
    """``agents/<scenario>/<agent>.html``, relative to the board's folder."""
    return f"agents/{slug(scenario)}/{slug(agent)}.html"
