"""Names of suites of tasks, and the order in which a reader sees them."""

from __future__ import annotations

DEFAULT, RECORD = "v1", "papers"
"""The suite that tells agents apart, and that of tasks which are kept for the record."""
OWN = "own"
"""The suite of a task that names none."""


def suite_order(name: str) -> tuple[int, str]:
    """A key that sorts suites: the default one first, those of other packages by name, the record last."""
    return ({DEFAULT: 0, RECORD: 2}.get(name, 1), name)
