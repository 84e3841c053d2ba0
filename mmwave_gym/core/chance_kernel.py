"""The chance of `EpisodeRng` in compiled code, without a generator for every cause.

A key is a few words of 32 bits (`EpisodeRng.words`). NumPy's SeedSequence mixes them into a pool of four words and
expands these to the state of SFC64, which then runs twelve times. `rekey` does the same arithmetic (M. E. O'Neill's
seed_seq_fe, fixed by NumPy's policy on streams). The draws themselves are those of numba's NumPy generators.

A trap: numba's cache of a scenario's kernel does not see changes of this file. Whoever changes it empties the cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, uint32, uint64

POOL = 4


@njit(inline="always")
def _hashed(value: Any, multiplier: Any, factor: Any) -> Any:
    """A word mixed with the running multiplier, and the next multiplier."""
    value = uint32(value ^ multiplier)
    multiplier = uint32(multiplier * factor)
    value = uint32(value * multiplier)
    return uint32(value ^ (value >> uint32(16))), multiplier


@njit(inline="always")
def _mixed(x: Any, y: Any) -> Any:
    value = uint32(uint32(uint32(0xCA01F9DD) * x) - uint32(uint32(0x4973F715) * y))
    return uint32(value ^ (value >> uint32(16)))


@njit(cache=True)
def rekey(words: Any, cause: Any, state: Any) -> None:
    """Start a stream: `state` (5,) becomes that of SFC64 for the key `words` (n,) and the number of a cause.

    The fifth number says that no half of a number of 64 bits is left over.

    None of them has a unit; `words` are those of `EpisodeRng.words`, whose last one is set here.
    """
    words[-1] = cause
    pool = np.empty(POOL, np.uint32)
    multiplier, factor = uint32(0x43B0D7E5), uint32(0x931E8875)
    for i in range(POOL):
        pool[i], multiplier = _hashed(words[i], multiplier, factor)
    for i in range(POOL):
        for j in range(POOL):
            if i != j:
                value, multiplier = _hashed(pool[i], multiplier, factor)
                pool[j] = _mixed(pool[j], value)
    for i in range(POOL, len(words)):
        for j in range(POOL):
            value, multiplier = _hashed(words[i], multiplier, factor)
            pool[j] = _mixed(pool[j], value)
    multiplier, factor = uint32(0x8B51F9DD), uint32(0x58F38DED)
    for i in range(3):
        low, multiplier = _hashed(pool[(2 * i) % POOL], multiplier, factor)
        high, multiplier = _hashed(pool[(2 * i + 1) % POOL], multiplier, factor)
        state[i] = uint64(low) | (uint64(high) << uint64(32))
    state[3], state[4] = uint64(1), uint64(0)
    for _ in range(12):
        new = state[0] + state[1] + state[3]
        state[3] += uint64(1)
        state[0] = state[1] ^ (state[1] >> uint64(11))
        state[1] = state[2] + (state[2] << uint64(3))
        state[2] = ((state[2] << uint64(24)) | (state[2] >> uint64(40))) + new
