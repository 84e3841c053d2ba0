"""Actions at the boundary: shapes, types and ranges, with errors that say what is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

PLAIN_INTEGERS = (int, np.int64)


def one_number_each(space: spaces.Space[Any], action: NDArray[Any], leading: tuple[int, ...]) -> NDArray[Any]:
    """Actions (*leading, *parts) of the space. For a Box of one number (*leading,) and (*leading, 1) are the same.

    Libraries differ in which of the two they give. Actions of any other shape are returned as they are.
    """
    one = isinstance(space, spaces.Box) and space.shape in ((), (1,))
    fits = one and action.shape in (leading, (*leading, 1))
    return action.reshape((*leading, *(space.shape or ()))) if fits else action


def checked_action(space: spaces.Space[Any], action: Any, leading: tuple[int, ...]) -> NDArray[Any]:
    """`action` as an array (*leading, *parts) inside the space, int64 or float64.

    Raises ValueError for a wrong shape or a value out of range, TypeError for what is no number of the space's kind.
    """
    if not leading and type(action) in PLAIN_INTEGERS and isinstance(space, spaces.Discrete) and 0 <= action < space.n:
        return np.array(action)  # the usual step of a single environment; the checks below would be a fifth of it
    shape = (*leading, *(space.shape or ()))
    try:
        array = np.asarray(action)
    except ValueError:
        raise ValueError(f"the action must have shape {shape}, got {action!r}.") from None
    if array.shape != shape:
        array = one_number_each(space, array, leading)
    if array.shape != shape:
        raise ValueError(f"the action must have shape {shape}, got {array.shape}: {action!r}.")
    if isinstance(space, spaces.Box):
        if array.dtype.kind not in "fiu":
            raise TypeError(f"the action must be numbers, got dtype {array.dtype}: {action!r}.")
        if not ((array >= space.low) & (array <= space.high)).all():
            raise ValueError(f"the action must be in [{space.low.min():g}, {space.high.max():g}], got {action!r}.")
        return array.astype(np.float64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"the action must be of an integer type, got dtype {array.dtype}: {action!r}.")
    count = space.n if isinstance(space, spaces.Discrete) else space.nvec  # type: ignore[attr-defined]
    if np.count_nonzero((array < 0) | (array >= count)):  # `.any()` takes several times as long
        last = np.subtract(count, 1).tolist()
        raise ValueError(f"the action must be an integer from 0 to {last}, got {action!r}.")
    return array.astype(np.int64, copy=False)
