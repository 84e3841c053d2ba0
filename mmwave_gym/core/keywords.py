"""Keywords as people type them: KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def keywords(pairs: Sequence[str], flag: str = "") -> dict[str, Any]:
    """Keywords from KEY=VALUE; a value is JSON where it can be, else text; lists become tuples.

    Raises ValueError, which begins with `flag`, for a pair without a key or without "=".
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise ValueError(
                f"{flag + ' takes ' if flag else ''}KEY=VALUE{'' if flag else ' is needed'}, got {pair!r}."
            )
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        found[key] = tuple(value) if isinstance(value, list) else value
    return found
