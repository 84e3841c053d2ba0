"""The same episodes drawn by NumPy and by compiled code."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng

KEYS = [EpisodeKey(seed, number, stream) for seed in (0, 7, 2**63 - 1) for number in (0, 3) for stream in ("", "test")]


def drawn(scenario: Any, keys: list[EpisodeKey], compiled: bool, patch: pytest.MonkeyPatch) -> Any:
    """Episodes drawn by one of both."""
    patch.setenv("MMWAVE_NUMBA", "1" if compiled else "0")
    return scenario.draw([EpisodeRng(key) for key in keys])


def differing(name: str, keywords: dict[str, Any], patch: pytest.MonkeyPatch) -> list[str]:
    """Which arrays of the drawn episodes differ, in a bit or in their type: all keys at once, and the last alone."""
    scenario = make_scenario(name, **keywords)
    found = []
    for keys in (KEYS, KEYS[-1:]):
        ours, numpys = (drawn(scenario, keys, compiled, patch) for compiled in (True, False))
        for field in dataclasses.fields(numpys):
            a, b = getattr(ours, field.name), getattr(numpys, field.name)
            if a.dtype != b.dtype or a.shape != b.shape or a.tobytes() != b.tobytes():
                found.append(field.name)
    return found
