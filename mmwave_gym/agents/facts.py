"""What an agent says of itself, checked: other people's texts stand in rows and on pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core.access import ACCESS_LEVELS

_MOST_TEXT, _MOST_JSON = 100, 2**16
_TEXTS = ("label", "kind", "weights_sha256", "access")
_NAMES = (*_TEXTS, "config", "carries")


def facts(agent: Any) -> dict[str, Any]:
    """What an agent declares: label, kind, access, config, weights_sha256 and carries, those that it has.

    Raises AgentError, which names the attribute, for anything but short texts, known access levels and JSON values.
    """
    told = {name: getattr(agent, name, None) for name in _NAMES}
    config = told["config"]
    if config is not None and not isinstance(config, Mapping):
        raise AgentError(f"config must be a dict of JSON values, got {_short(config)}.")
    if config is not None:
        told["config"] = dict(config)
    return checked({name: value for name, value in told.items() if value is not None})


def checked(told: Mapping[str, Any]) -> dict[str, Any]:
    """The known ones of `told`, facts by name, or an AgentError. The config is made of plain JSON values."""
    if not isinstance(told, Mapping):
        raise AgentError(f"an agent is described by names and values, got {_short(told)}.")
    for name in _TEXTS:
        text = told.get(name, "x")
        if not isinstance(text, str):
            raise AgentError(f"{name} must be a text, got {_short(text)}.")
        if not 1 <= len(text) <= _MOST_TEXT or not text.isprintable():
            raise AgentError(f"{name} must have 1 to {_MOST_TEXT} printable characters, got {_short(text)}.")
    if (access := told.get("access", "local")) not in ACCESS_LEVELS:
        raise AgentError(f"access must be one of {', '.join(ACCESS_LEVELS)}, got {_short(access)}.")
    if not isinstance(told.get("carries", False), bool):
        raise AgentError(f"carries must be True or False, got {_short(told['carries'])}.")
    try:
        text = json.dumps(told.get("config", {}), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise AgentError(f"config must be a dict of JSON values: {error}.") from None
    if len(text) > _MOST_JSON:
        raise AgentError(f"config must have at most {_MOST_JSON} characters as JSON, it has {len(text)}.")
    config = json.loads(text)
    if not isinstance(config, dict):
        raise AgentError(f"config must be a dict of JSON values, got {_short(config)}.")
    return {name: config if name == "config" else told[name] for name in _NAMES if name in told}


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _MOST_TEXT else f"{shown[:_MOST_TEXT]}…"
