"""What a row file may say: its header and its rows, checked when they are written and when they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.errors import InputError

FORMAT = 1
_REQUIRED = {
    "task": ("name", "hash", "env_id", "primary", "higher_is_better"),
    "agent": ("name", "training_seed", "access"),
}

_TEXTS = {"task": ("name", "hash", "env_id", "primary"), "agent": ("name",)}
_LONGEST = 4000  # characters of a name: ours
_LARGEST = 1e100  # of a metric: its square and the sum over all episodes are finite
_LARGEST_WHOLE = 2**53


class RowsError(InputError):
    """A row file or directory that cannot be used; the message says what is wrong and what to do."""


def check_header(header: Mapping[str, Any], path: Path) -> None:
    """Raise RowsError for a header that is none."""
    if header.get("format") != FORMAT:
        raise RowsError(
            f"{path}: the header's format must be {FORMAT}, got {header.get('format')!r}: "
            "the file is no row file or was written by another version of mmwave-gym."
        )
    for part, names in _REQUIRED.items():
        value = header.get(part)
        missing = [n for n in names if not isinstance(value, dict) or n not in value]
        if missing:
            raise RowsError(f"{path}: the header's {part} lacks {', '.join(missing)}.")
    for part, names in _TEXTS.items():
        for name in names:
            if not isinstance(text := header[part][name], str) or not text or len(text) > _LONGEST:
                raise RowsError(f"{path}: the header's {part}.{name} must be a text, got {str(text)[:50]!r}.")
    if not isinstance(version := header.get("package_version", ""), str):
        raise RowsError(f"{path}: the header's package_version must be a text, got {str(version)[:50]!r}.")
    if not isinstance(config := header["agent"].get("config", {}), dict | None):
        raise RowsError(f"{path}: the header's agent.config must be an object, got {str(config)[:50]!r}.")
    if not isinstance(training := header["agent"].get("training"), dict | None):
        raise RowsError(f"{path}: the header's agent.training must be an object, got {str(training)[:50]!r}.")
    if not isinstance(physics := header.get("physics"), dict | None):
        raise RowsError(f"{path}: the header's physics must be an object, got {str(physics)[:50]!r}.")
    _check_task(header["task"], path)
    seed = header["agent"]["training_seed"]
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or abs(seed) > _LARGEST_WHOLE):
        raise RowsError(f"{path}: the header's agent.training_seed must be a whole number, got {str(seed)[:50]!r}.")
    metrics = header.get("metrics")
    if not isinstance(metrics, dict) or header["task"]["primary"] not in metrics:
        raise RowsError(f"{path}: the header's metrics must name the primary {header['task']['primary']!r}.")
    if header["agent"]["access"] not in ACCESS_LEVELS:
        raise RowsError(f"{path}: access must be one of {', '.join(ACCESS_LEVELS)}, got {header['agent']['access']!r}.")


def _check_task(task: Mapping[str, Any], path: Path) -> None:
    """What the board computes with."""
    if not isinstance(up := task["higher_is_better"], bool):
        raise RowsError(f"{path}: the header's task.higher_is_better must be true or false, got {str(up)[:50]!r}.")
    for name, low in (("episodes", 0), ("carry", 1)):
        count = task.get(name)
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < low):
            raise RowsError(f"{path}: the header's task.{name} must be a whole number, got {str(count)[:50]!r}.")
    smallest = task.get("smallest_difference") or 0
    if isinstance(smallest, bool) or not isinstance(smallest, int | float) or not 0 <= smallest <= _LARGEST:
        shown = str(smallest)[:50]
        raise RowsError(f"{path}: the header's task.smallest_difference must be a number from 0 on, got {shown!r}.")
    groups = task.get("groups") or []
    if not isinstance(groups, list | tuple) or not all(type(one) is int and 0 <= one < 2**31 for one in groups):
        raise RowsError(f"{path}: the header's task.groups must be whole numbers from 0 on, got {str(groups)[:50]!r}.")


def check_episode(row: Mapping[str, Any], header: Mapping[str, Any], present: Iterable[int]) -> None:
    """Raise RowsError for a row that does not fit its header, or whose episode is among those present."""
    episode = row.get("episode")
    if isinstance(episode, bool) or not isinstance(episode, int) or not 0 <= episode <= _LARGEST_WHOLE:
        shown = str(episode)[:50]
        raise RowsError(f"an episode row needs an integer 'episode' from 0 to {_LARGEST_WHOLE:.0e}, got {shown!r}.")
    if episode in present:
        raise RowsError(f"episode {episode} is there twice.")
    steps = row.get("scored_steps", 0)
    if isinstance(steps, bool) or not isinstance(steps, int | float) or not 0 <= steps <= _LARGEST_WHOLE:
        raise RowsError(f"episode {episode}: scored_steps must be a number from 0 on, got {str(steps)[:50]!r}.")
    for name in header["metrics"]:
        value = row.get(name, "nothing")
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
        if not number and not (value is None and row.get("scored_steps") == 0):
            raise RowsError(
                f"episode {episode}: {name} must be a finite number up to {_LARGEST:.0e} (null only where "
                f"scored_steps is 0), got {str(value)[:50]!r}."
            )
