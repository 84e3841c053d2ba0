"""Whether compiled code draws and steps: the numbers are the same to the bit, only the time differs.

Where numba is missing or does not load, or does not pay, or a keyword is not covered, the NumPy code does it. The
variable MMWAVE_NUMBA says otherwise: 0 never compiles, 1 compiles from the first episode.
"""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng

PAYS_AFTER_S = 0.1
"""Seconds that a process loses by NumPy's code before it loads numba, which takes a few times as long (ours: who has
played so much plays on)."""
A_DRAW_S = 0.25e-3
"""What NumPy loses in drawing an episode."""
MOST_SUMMED = 128
"""NumPy sums more numbers in a row than these by halves, and compiled code knows no such sums."""

_lost_s = 0.0


class KeyedStream(threading.local):
    """A generator, and the array in which it keeps its state: compiled code gives it the state of a key.

    A thread has one of its own. numba draws from it by NumPy's own functions.
    """

    def __init__(self) -> None:
        bits = np.random.SFC64(0)
        self.generator = np.random.Generator(bits)
        self.state: NDArray[np.uint64] = np.ctypeslib.as_array(
            (ctypes.c_uint64 * 5).from_address(bits.ctypes.state_address)
        )

    def works(self) -> bool:
        """Is the array really the generator's state? NumPy does not promise how it keeps it."""
        bits: Any = self.generator.bit_generator
        new = np.array((3, 1, 4, 1), np.uint64)
        self.state[:] = *new, 1 + (5 << 32)
        found = bits.state
        self.state[4] = 0
        kept = (found["state"]["state"] == new).all() and (found["has_uint32"], found["uinteger"]) == (1, 5)
        return bool(kept) and not bits.state["has_uint32"]


STREAM = KeyedStream()


def wanted(rngs: Sequence[EpisodeRng]) -> bool:
    """Should compiled code draw these episodes? It knows the chance of plain `EpisodeRng`s only."""
    return pays(A_DRAW_S * len(rngs)) and all(type(rng) is EpisodeRng for rng in rngs)


def pays(lost_s: float) -> bool:
    """Should compiled code do some work, in which NumPy's loses so many seconds?"""
    global _lost_s
    choice = os.environ.get("MMWAVE_NUMBA", "")
    if choice == "0" or not _possible():
        return False
    _lost_s += lost_s
    return (choice == "1" or _lost_s > PAYS_AFTER_S) and _loads()


class Turns:
    """Whether a scenario's steps are compiled: `pays` is asked when episodes have started, and until it says so.

    To ask at every step would be 6 % of a step of one environment.
    """

    def __init__(self) -> None:
        self.compiled = False  # was the last step?
        self._asked = False

    def again(self) -> None:
        """An episode starts: the next step asks."""
        self._asked = False

    def pay(self, lost_s: float) -> bool:
        """Should compiled code make this step, in which NumPy's loses so many seconds?"""
        if not (self._asked and self.compiled):
            self.compiled, self._asked = pays(lost_s), True
        return self.compiled


@cache
def kernel(module: str) -> Any:
    """The module of compiled functions of that name, loaded by its first use: numba takes half a second."""
    return import_module(module)


def keys_of(rngs: Sequence[EpisodeRng]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The words of keys (n, most), for `chance_kernel.rekey`, and how many each has (n,)."""
    words = [rng.words() for rng in rngs]
    counts = np.array([len(some) for some in words])
    table = np.zeros((len(words), counts.max()), np.uint32)
    for row, some in zip(table, words, strict=True):
        row[: len(some)] = some
    return table, counts


@cache
def _possible() -> bool:
    return find_spec("numba") is not None and KeyedStream().works()


@cache
def _loads() -> bool:
    """Does numba load and compile here? Where it cannot, a warning says why."""
    try:
        if import_module("numba").config.DISABLE_JIT:  # its functions are then Python's, slower than NumPy's
            return False
        kernel("mmwave_gym.core.chance_kernel")
    except Exception as error:  # made for another NumPy, a library missing, no folder to cache in
        warnings.warn(
            f"numba cannot be used ({type(error).__name__}: {error}): NumPy does the work, with the same numbers but "
            "slower. Install a numba that fits NumPy, set NUMBA_CACHE_DIR to a folder that can be written, or set "
            "MMWAVE_NUMBA=0.",
            RuntimeWarning,
            stacklevel=3,
        )
        return False
    return True
