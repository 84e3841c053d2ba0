"""Several trainings by one command: which words each gets, and how what was written far away comes home."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from mmwave_gym.cli.sweep import Sweep, Training, seeds_of


def test_seeds_are_written_as_ranges_and_lists():
    assert seeds_of("0-4") == (0, 1, 2, 3, 4)
    assert seeds_of("7,1-2") == (7, 1, 2)
    for bad in ("4-", "a", "1,1", "3-1", "-1"):
        with pytest.raises(ValueError, match="--seeds"):
            seeds_of(bad)


def test_each_training_gets_its_words_and_its_directory():
    words = ["--task", "t", "--seeds", "0-1", "--over", "gamma=0.9,0.99", "--out", "runs/x", "--jobs", "3"]
    sweep, rest = Sweep.taken_from(words)
    assert sweep == Sweep((0, 1), (("gamma", ("0.9", "0.99")),), 3, None)
    assert rest == ["--task", "t", "--out", "runs/x"]
    assert list(sweep.runs(rest)) == [
        (["--task", "t", "--seed", s, "--gamma", g], f"runs/x/s{s}-gamma={g}") for s in "01" for g in ("0.9", "0.99")
    ]


def test_one_training_keeps_all_its_words():
    words = ["--task", "t", "--seed", "3", "--out", "x", "--vary", "num_ues=[256,512]"]
    assert Sweep.taken_from(words) == (None, words)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--seeds", "0-1", "--seed", "3"], "exclude each other"),
        (["--seeds", "0-1", "--over", "gamma"], "--over (is written as|takes KEY=VALUE)"),
        (["--seeds", "0-1", "--over", "gamma=1,1"], "each value once"),
        (["--seeds", "0-1", "--over", "gamma=1,2"], "--over needs --out"),
        (["--seeds"], "expected one argument"),
        (["--seeds", "0", "--jobs", "-1"], "--jobs"),
    ],
)
def test_words_that_ask_for_nothing_possible(words, fault):
    def asked() -> object:
        sweep, rest = Sweep.taken_from(words)
        return sweep and list(sweep.runs(rest))

    with pytest.raises(ValueError, match=fault):
        asked()


@pytest.mark.parametrize("out", [None, "mine/s3"])
def test_what_was_written_far_away_comes_home(tmp_path, monkeypatch, out):
    monkeypatch.chdir(tmp_path)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        where = "out" if out else "runs/ppo-t-s3"
        printed = json.dumps(f"see {where}/").encode()
        for name, content in ((f"{where}/policy.npz", b"weights"), ("printed.json", printed)):
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    printed = Training("ppo", (), out, away=True).bring_home(archive.getvalue())
    home = Path(out or "runs/ppo-t-s3")
    assert (home / "policy.npz").read_bytes() == b"weights"
    assert printed == f"see {home}/"
    assert {path.name for path in tmp_path.iterdir()} == {home.parts[0]}, "nothing else is left"
