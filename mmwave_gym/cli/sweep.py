"""Several trainings of one algorithm: their words, and a training as a job for any machine."""

from __future__ import annotations

import argparse
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mmwave_gym.benchmark.jobs import Keep
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.keywords import pair


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"mmwave-gym train: {message}.")


@dataclass(frozen=True)
class Sweep:
    """Which trainings, and where."""

    seeds: tuple[int, ...]
    varied: tuple[tuple[str, tuple[str, ...]], ...]
    """Options without their hyphens, each with its values."""
    jobs: int
    ray: str | None

    @staticmethod
    def taken_from(words: Sequence[str]) -> tuple[Sweep | None, list[str]]:
        """The sweep that the words ask for, None for one training, and the other words. ValueError for bad ones."""
        parser = _Parser(add_help=False, allow_abbrev=False)
        parser.add_argument("--seeds", default="")
        parser.add_argument("--over", action="append", default=[])
        parser.add_argument("--jobs", type=int, default=0)
        parser.add_argument("--ray")
        given, rest = parser.parse_known_args(list(words))
        if not (given.seeds or given.over or given.jobs or given.ray):
            return None, rest
        at_least("--jobs", given.jobs, 0, integer=True)
        if given.seeds and any(re.match(r"--seed(=|$)", word) for word in rest):
            raise ValueError("--seed and --seeds exclude each other.")
        return Sweep(seeds_of(given.seeds), tuple(map(_values, given.over)), given.jobs, given.ray), rest

    def runs(self, words: Sequence[str]) -> Iterator[tuple[list[str], str | None]]:
        """The words of each training but `--out`, and its directory: below that of `--out`, None for the default."""
        if self.varied and _out_of(words)[1] is None:
            raise ValueError("--over needs --out: the default directories are one for each seed.")
        rest, out = _out_of(words)
        settings = [[(key, value) for value in values] for key, values in self.varied]
        seeds = [[("seed", str(seed))] for seed in self.seeds] or [[]]
        for seed, *chosen in itertools.product(seeds, *settings):
            more = [str(word) for key, value in (*seed, *chosen) for word in (f"--{key}", value)]
            name = "-".join([f"s{value}" for _, value in seed] + [f"{key}={value}" for key, value in chosen])
            yield [*rest, *more], None if out is None else str(Path(out) / name)


def seeds_of(text: str) -> tuple[int, ...]:
    """0-4,7 as numbers. ValueError where it is none such, or a seed is there twice."""
    seeds: list[int] = []
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not found:
            raise ValueError(f"--seeds is written as 0-4 or 0,3,7, got {text!r}.")
        seeds += range(int(found[1]), int(found[2] or found[1]) + 1)
    if len(set(seeds)) < len(seeds) or (text and not seeds):
        raise ValueError(f"--seeds must name each seed once, got {text!r}.")
    return tuple(seeds)


def _values(text: str) -> tuple[str, tuple[str, ...]]:
    key, values = pair(text, "--over")
    found = tuple(values.split(","))
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", key) or not all(found) or len(set(found)) < len(found):
        raise ValueError(f"--over is written as learning-rate=1e-3,3e-4, each value once, got {text!r}.")
    return key.replace("_", "-"), found


def _out_of(words: Sequence[str]) -> tuple[list[str], str | None]:
    parser = _Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--out")
    given, rest = parser.parse_known_args(list(words))
    return rest, given.out


@dataclass(frozen=True)
class Training:
    """One training as a job. It runs as a program of its own, with the words that anyone would type."""

    algorithm: str
    words: tuple[str, ...]
    out: str | None
    """Its directory; None for the algorithm's own choice below the present one."""
    away: bool
    """It is done where our disk is not: what it writes comes back as an archive."""

    @property
    def label(self) -> str:
        return " ".join((self.algorithm, *self.words))

    def work(self, keep: Keep) -> bytes:
        if not self.away:
            return json.dumps(self._train(Path.cwd(), self.out)).encode()
        with tempfile.TemporaryDirectory() as place:
            printed = self._train(Path(place), None if self.out is None else "out")
            (Path(place) / "printed.json").write_text(json.dumps(printed))
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w:gz") as tar:
                tar.add(place, arcname=".")
            return archive.getvalue()

    def _train(self, place: Path, out: str | None) -> str:
        where = [] if out is None else ["--out", out]
        # The program ends with this process: it may be far from whoever could end it.
        start = (
            "import sys; from mmwave_gym.core.processes import end_with_parent; end_with_parent(int(sys.argv.pop(1))); "
            "from mmwave_gym.cli import main; sys.argv[0] = 'mmwave-gym'; main()"
        )
        command = [sys.executable, "-c", start, str(os.getpid()), "train", self.algorithm, *self.words, *where]
        ran = subprocess.run(command, cwd=place, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if ran.returncode:
            last = (ran.stderr.strip() or ran.stdout.strip() or "it said nothing").splitlines()[-1]
            raise ValueError(f"mmwave-gym train {self.label} ended with code {ran.returncode}: {last}")
        return ran.stdout

    def bring_home(self, result: bytes) -> str:
        """Put what was written away from here where it belongs, and return what the training printed."""
        if not self.away:
            return str(json.loads(result))
        with tempfile.TemporaryDirectory(dir=".", prefix=".train-") as place:
            with tarfile.open(fileobj=io.BytesIO(result), mode="r:gz") as tar:
                tar.extractall(place, filter="data")
            printed = str(json.loads((Path(place) / "printed.json").read_text()))
            source, target = (Path(place) / "out", Path(self.out)) if self.out else (Path(place) / "runs", Path("runs"))
            for path in filter(Path.is_file, source.rglob("*")):
                home = target / path.relative_to(source)
                home.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, home)
        return printed.replace("out/", f"{self.out}/") if self.out else printed
