"""What an agent says of itself, checked: other people's texts stand in rows and on pages."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core import untrusted
from mmwave_gym.core.access import ACCESS_LEVELS, KINDS
from mmwave_gym.core.files import plain

_MOST_TEXT, _MOST_JSON = 100, 2**16
_TEXTS = ("label", "kind", "weights_sha256", "access")
_RECORDS = ("config", "training")
_NAMES = (*_TEXTS, *_RECORDS, "carries")
_BLANK = " \u115f\u1160\u2800\u3164\uffa0"
"""Characters that count as printable and show nothing."""
_MOST_MARKS = 3
"""So many accents on one letter are a language's; more of them climb into the lines above."""


def facts(agent: Any) -> dict[str, Any]:
    """What an agent declares: label, kind, access, config, weights_sha256, training and carries, those that it has.

    Raises AgentError, which names the attribute, for anything but short texts, known levels and kinds, and JSON values.
    """
    declared = {name: getattr(agent, name, None) for name in _NAMES}
    for name in _RECORDS:
        record = declared[name]
        declared[name] = dict(record) if isinstance(record, Mapping) else record
    return checked({name: value for name, value in declared.items() if value is not None})


def checked(declared: Mapping[str, Any]) -> dict[str, Any]:
    """The known ones of `declared`, facts by name, or an AgentError. Records are made of plain JSON values."""
    if not isinstance(declared, Mapping):
        raise AgentError(f"an agent is described by names and values, got {_short(declared)}.")
    for name in _TEXTS:
        text = declared.get(name, "x")
        if not isinstance(text, str):
            raise AgentError(f"{name} must be a text, got {_short(text)}.")
        if not 1 <= len(text) <= _MOST_TEXT or not text.isprintable() or not _shows(text):
            raise AgentError(f"{name} must have 1 to {_MOST_TEXT} printable characters, got {_short(text)}.")
    if (access := declared.get("access", "local")) not in ACCESS_LEVELS:
        raise AgentError(f"access must be one of {', '.join(ACCESS_LEVELS)}, got {_short(access)}.")
    if (kind := declared.get("kind", "other")) not in KINDS:
        raise AgentError(f"kind must be one of {', '.join(KINDS)}, got {_short(kind)}.")
    if not isinstance(declared.get("carries", False), bool):
        raise AgentError(f"carries must be True or False, got {_short(declared['carries'])}.")
    records = {name: _record(name, declared[name]) for name in _RECORDS if name in declared}
    return {name: records.get(name, declared[name]) for name in _NAMES if name in declared}


def _record(name: str, value: Any) -> dict[str, Any]:
    """A record as plain JSON values."""
    if not isinstance(value, dict):
        raise AgentError(f"{name} must be a dict of JSON values, got {_short(value)}.")
    try:
        text = json.dumps(value, allow_nan=False, default=plain)
        untrusted.json_value(f"[[[[{text}]]]]")  # as deep as it will lie in a row: what is written can be read again
    except (TypeError, ValueError, RecursionError) as error:
        raise AgentError(f"{name} must be a dict of JSON values: {str(error).rstrip('.')}.") from None
    if len(text) > _MOST_JSON:
        raise AgentError(f"{name} must have at most {_MOST_JSON} characters as JSON, it has {len(text)}.")
    return dict(json.loads(text))


def _shows(text: str) -> bool:
    """Whether a name can be seen, and stays within its line."""
    marks = (len(list(run)) for is_mark, run in groupby(text, lambda c: unicodedata.combining(c) > 0) if is_mark)
    return bool(text.strip(_BLANK)) and max(marks, default=0) <= _MOST_MARKS


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MOST_TEXT else f"{shown[:_MOST_TEXT]}…"
