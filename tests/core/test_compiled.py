"""Compiled chance: the streams of `EpisodeRng`, bit for bit, and when it is used."""

from __future__ import annotations

import math
import zlib

import numpy as np
import pytest

from mmwave_gym.core import compiled
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, cause_word

KEYS = [
    EpisodeKey(seed, number, stream)
    for seed in (0, 7, 2**32 - 1, 2**32, 2**63 - 1, 2**130 + 5)
    for number in (0, 3, 2**32 + 1)
    for stream in ("", "test")
]


def by_spawn_key(key: EpisodeKey, cause: str) -> np.random.Generator:
    """The generator of a cause as NumPy's documentation makes it."""
    stream = (zlib.crc32(key.stream.encode()),) if key.stream else ()
    words = (*stream, key.number, zlib.crc32(cause.encode()))
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key.seed, spawn_key=words)))


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_words_of_a_key_stand_for_its_spawn_key(key: EpisodeKey) -> None:
    ours, numpys = EpisodeRng(key)["fading"], by_spawn_key(key, "fading")
    assert ours.random(4).tolist() == numpys.random(4).tolist()
    assert ours.spawn(1)[0].random() == numpys.spawn(1)[0].random()


def test_compiled_streams_are_those_of_keys() -> None:
    pytest.importorskip("numba")
    from mmwave_gym.core.chance_kernel import rekey

    words, counts = compiled.keys_of([EpisodeRng(key) for key in KEYS])
    assert len(set(counts.tolist())) > 1, "keys of several lengths"
    for key, some, count in zip(KEYS, words, counts, strict=True):
        rekey(some[:count], np.uint32(cause_word("fading")), compiled.STREAM.state)
        ours, numpys = compiled.STREAM.generator, by_spawn_key(key, "fading")
        assert ours.integers(10) == numpys.integers(10), "half a number of the last key would be left over"
        assert ours.standard_exponential(50).tolist() == numpys.standard_exponential(50).tolist(), key


class OtherRng(EpisodeRng):
    """Chance of another kind, which compiled code knows nothing of."""


def test_compiled_code_is_used_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    monkeypatch.setattr(compiled, "_lost_s", 0.0)
    monkeypatch.delenv("MMWAVE_NUMBA", raising=False)
    few, rest = ([EpisodeRng(EpisodeKey(0))] * n for n in (1, math.ceil(compiled.PAYS_AFTER_S / compiled.A_DRAW_S)))
    assert not compiled.wanted(few)
    assert compiled.wanted(rest)
    assert compiled.wanted(few), "once loaded it stays"
    assert compiled.pays(0.0), "for other work, too"
    assert not compiled.wanted([OtherRng(EpisodeKey(0))])
    monkeypatch.setenv("MMWAVE_NUMBA", "0")
    assert not compiled.wanted(rest)
    monkeypatch.setattr(compiled, "_lost_s", 0.0)
    monkeypatch.setenv("MMWAVE_NUMBA", "1")
    assert compiled.wanted(few)
