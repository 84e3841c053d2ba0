"""Keywords as people type them: KEY=VALUE."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def pair(text: str, flag: str = "") -> tuple[str, str]:
    """KEY and VALUE of KEY=VALUE. Raises ValueError, which begins with `flag`, without a key or without "="."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise ValueError(f"{flag + ' takes ' if flag else ''}KEY=VALUE{'' if flag else ' is needed'}, got {text!r}.")
    return key, value


def keywords(pairs: Sequence[str], flag: str = "") -> dict[str, Any]:
    """Keywords from KEY=VALUE; a value is JSON where it can be, else text; lists become tuples. Raises as `pair`."""
    found: dict[str, Any] = {}
    for key, text in (pair(given, flag) for given in pairs):
        try:
            value = json.loads(text)
        except json.JSONDecodeError:
            value = text
        found[key] = tuple(value) if isinstance(value, list) else value
    return found
