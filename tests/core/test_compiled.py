"""Compiled chance: the streams of `EpisodeRng`, bit for bit, and when it is used."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core import compiled
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
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


def test_steps_ask_once_an_episode_and_until_they_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = iter([False, True, False, True]), []

    def pays(lost_s: float) -> bool:
        asked.append(lost_s)
        return next(answers)

    monkeypatch.setattr(compiled, "pays", pays)
    turns = compiled.Turns()
    assert [turns.pay(s) for s in (1.0, 2.0, 3.0)] == [False, True, True]
    assert turns.compiled
    turns.again()
    assert turns.compiled, "an observation before the next step is made as the last one was"
    assert [turns.pay(s) for s in (4.0, 5.0, 6.0)] == [False, True, True]
    assert asked == [1.0, 2.0, 4.0, 5.0]


NO_CACHE = "import numba.core.caching as c\nfor k in c.CacheImpl._locator_classes: k.from_function = lambda *_: None"
UNUSABLE = {
    "made for another NumPy": ("import sys; sys.path.insert(0, sys.argv[1])", True),
    "nowhere to cache": (NO_CACHE, True),
    "told not to compile": ("import os; os.environ['NUMBA_DISABLE_JIT'] = '1'", False),
}
PLAY = """
import gymnasium, numpy
for keywords in ({}, {"street": "crossing", "duration_s": 4.0}):
    envs = gymnasium.make_vec("mmwave_gym:MmwaveHandover-v0", num_envs=2, **keywords)
    envs.reset(seed=1)
    print(sum(envs.step(numpy.array([t % 2, 1]))[1].sum() for t in range(20)).hex())
"""


def played(before: str, choice: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What a process of its own prints that plays after the statements `before`."""
    environ = {**os.environ, "MMWAVE_NUMBA": choice}
    command = [sys.executable, "-c", f"{before}\n{PLAY}", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120)


@pytest.fixture(scope="module")
def by_numpy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return played("", "0", tmp_path_factory.mktemp("numpy")).stdout


@pytest.mark.parametrize("why", UNUSABLE)
def test_numpy_plays_where_numba_cannot_be_used(why: str, by_numpy: str, tmp_path: Path) -> None:
    """Else a process would end in the midst of an episode, when it has played so long that compiling pays."""
    pytest.importorskip("numba")
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.2 or less.')")
    before, warns = UNUSABLE[why]
    ours = played(before, "1", tmp_path)
    assert (ours.returncode, ours.stdout) == (0, by_numpy), ours.stderr
    assert ours.stderr.count("numba cannot be used") == warns, ours.stderr


@pytest.mark.parametrize("name", ["handover", "street"])
@pytest.mark.parametrize(("action", "says"), [(999, "action space"), (-1, "action space"), (0, "over")])
def test_compiled_steps_stay_within_their_arrays(
    name: str, action: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else they would read and write memory of others, where NumPy raises IndexError."""
    pytest.importorskip("numba")
    monkeypatch.setenv("MMWAVE_NUMBA", "1")
    batch = Batch(make_scenario(name, horizon=4), 1)
    batch.reset([EpisodeKey(0)])
    before: dict[str, Any] = {}

    def steps(count: int) -> None:
        for _ in range(count):
            before.update({what: value.copy() for what, value in vars(batch.state).items()})
            batch.step(np.array([[action]]))

    with pytest.raises(IndexError, match=says):
        steps(40 if says == "over" else 1)
    for what, value in vars(batch.state).items():
        np.testing.assert_array_equal(value, before[what], err_msg=what)
