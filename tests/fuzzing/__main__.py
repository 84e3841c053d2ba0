"""Read damaged files until one is not refused as it should be: `python -m fuzzing --cases 100000 [--seed 1]`.

A reader may read a damaged file, or raise its own error (an InputError) that begins with the file's name. Anything else
is a failure, as are 5 s of processor time or more than 1 GiB of memory for one file. Exit code 1 with the first few.

`--keep FOLDER` keeps the files that failed and `done.json`, the count of each reader's cases: the same command
continues from there after a stop. `--progress N` says so every N cases.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fuzzing.readers import Reader, readers
from mmwave_gym.core.errors import InputError

MOST_S = 5.0
MOST_BYTES = 2**30


def cases(reader: Reader, count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged files: every column in turn, then by chance."""
    rng = random.Random(f"{seed} {reader.name}")
    systematic = list(reader.each(reader.sample))
    rng.shuffle(systematic)
    yield from systematic[:count]
    for _ in range(max(count - len(systematic), 0)):
        data = reader.sample
        for _ in range(rng.choice((1, 1, 2))):
            try:
                data = rng.choice(reader.mutations)(data, rng)
            except Exception:  # damage that cannot be done to what is damaged already
                break
        yield data


def tried(reader: Reader, data: bytes, folder: Path) -> str:
    """What is wrong with how a damaged file is read, or an empty text."""
    path = folder / reader.file
    path.write_bytes(data)
    for name, content in reader.beside.items():
        (folder / name).write_bytes(content)
    began = time.process_time()
    try:
        reader.read(path)
    except InputError as error:
        if not str(error).startswith(str(folder)):
            return f"the error does not begin with the file: {error}"
        if "\n" in str(error) or "Traceback" in str(error):
            return f"the error has more than one line: {error}"
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error}"
    took = time.process_time() - began
    return f"it took {took:.1f} s" if took > MOST_S else ""


class Log:
    """What was tried, in a folder that a later run continues from; without a folder, for this run only."""

    def __init__(self, folder: Path | None, run: str) -> None:
        self._folder, self._run = folder, run
        self.done: dict[str, dict[str, Any]] = {}
        if folder is not None and (folder / "done.json").exists():
            saved = json.loads((folder / "done.json").read_text())
            if saved["run"] != run:
                raise SystemExit(f"{folder} is of {saved['run']}, and this run is of {run}: take another folder.")
            self.done = saved["readers"]

    def save(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"run": self._run, "readers": self.done}, indent=1)
            (self._folder / "done.json").write_text(text + "\n")

    def keep(self, name: str, data: bytes) -> None:
        if self._folder is not None:
            self.save()
            (self._folder / name.replace(" ", "_")).write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name holds this")
    parser.add_argument("--keep", type=Path, help="a folder for files that failed, and to continue from after a stop")
    parser.add_argument("--progress", type=int, default=0, metavar="N", help="say and save how far it is every N cases")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        found = [one for one in readers(folder) if asked.only in one.name]
        for path in folder.iterdir():
            path.unlink()
        for one in found:  # every sample is read, and every library is loaded before memory is limited
            if wrong := tried_right(one, folder):
                sys.stderr.write(f"{one.name}: the right file is refused: {wrong}\n")
                return 1
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_BYTES, resource.RLIM_INFINITY))
        total, wrong_in_all = sum(one.share for one in found), 0
        log = Log(asked.keep, f"seed {asked.seed}, {asked.cases} cases")
        for one in found:
            count = max(round(asked.cases * one.share / total), 1)
            done = log.done.setdefault(one.name, {"cases": 0, "kinds": {}})
            kinds: dict[str, int] = done["kinds"]
            began = time.process_time()
            for data in itertools.islice(cases(one, count, asked.seed), done["cases"], None):
                if wrong := tried(one, data, folder).replace(place, ""):
                    kinds[wrong] = kinds.get(wrong, 0) + 1
                    log.keep(f"{one.name}-{done['cases']}-{one.file}", data)
                for path in folder.iterdir():
                    path.unlink()
                done["cases"] += 1
                if asked.progress and done["cases"] % asked.progress == 0:
                    log.save()
                    sys.stdout.write(f"  {one.name}: {done['cases']} of {count}, {sum(kinds.values())} wrong\n")
                    sys.stdout.flush()
            log.save()
            wrong_in_all += sum(kinds.values())
            sys.stdout.write(
                f"{one.name}: {count} cases, {time.process_time() - began:.1f} s, {sum(kinds.values())} wrong\n"
            )
            for text, times in itertools.islice(kinds.items(), 8):
                sys.stdout.write(f"    {times} x {text[:400]}\n")
            sys.stdout.flush()
        sys.stdout.write(f"{sum(one['cases'] for one in log.done.values())} cases, {wrong_in_all} wrong\n")
    return 1 if wrong_in_all else 0


def tried_right(reader: Reader, folder: Path) -> str:
    """Why a right file is refused, or an empty text."""
    path = folder / reader.file
    path.write_bytes(reader.sample)
    for name, content in reader.beside.items():
        (folder / name).write_bytes(content)
    try:
        reader.read(path)
    except InputError as error:
        return str(error) if "cells; a channel needs" not in str(error) and "1 cell;" not in str(error) else ""
    finally:
        for left in folder.iterdir():
            left.unlink()
    return ""


if __name__ == "__main__":
    sys.exit(main())
