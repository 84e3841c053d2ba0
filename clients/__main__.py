"""Run every library on every environment and write the table: `make clients`, or `python -m clients minari skrl`.

Each library has an environment of its own below `--folder`, with the versions of `clients/pins/<library>.txt`. Its
probe runs there, and so do its examples, briefly; what they save is then evaluated here, without the library. The table
goes into `docs/clients.md`; rows of libraries that were not run stay as they are. `--quick` writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from clients.probing import FORMS

ROOT = Path(__file__).parents[1]
PINS, PAGE = ROOT / "clients" / "pins", ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- table: make clients -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Library:
    """A library: its name on PyPI, its page, and how its example is run briefly."""

    package: str
    page: str
    example: tuple[str, ...] = ()
    saves: str = ""
    """The name of what the example saves."""
    task: str = "handover/a3-beta25"
    """In which that is evaluated."""


LIBRARIES = {
    "minari": Library("minari", "https://minari.farama.org"),
    "jax": Library("jax", "https://docs.jax.dev", ("jax_wrappers.py",)),
    "skrl": Library("skrl", "https://skrl.readthedocs.io", ("skrl_ppo.py", "--decisions", "4096"), "actor.pt"),
    "tianshou": Library("tianshou", "https://tianshou.org", ("tianshou_dqn.py", "--decisions", "500"), "dqn.pt"),
    "torchrl": Library(
        "torchrl", "https://docs.pytorch.org/rl", ("torchrl_ppo.py", "--decisions", "4096"), "actor.pt"
    ),
    "benchmarl": Library(
        "benchmarl", "https://benchmarl.readthedocs.io",
        ("benchmarl_mappo.py", "--decisions", "1152", "--frames", "384"), "actor.pt", "cell_selection/n3-cost10",
    ),
    "agilerl": Library("agilerl", "https://docs.agilerl.com"),
    "rllib": Library(
        "ray", "https://docs.ray.io", ("rllib_ppo.py", "--decisions", "512", "--batch", "256"), "checkpoint"
    ),
}  # fmt: skip
QUICK = ("minari", "jax")
"""The two smallest, without torch."""
FAULTS: dict[tuple[str, str, str], tuple[str, str]] = {}
"""(library, case, form) -> why a cell cannot be green, and where the library's people say so."""


def made(name: str, folder: Path) -> Path:
    """The Python of a library's environment, made where it is missing or its pins have changed.

    This package is installed into it again where its `pyproject.toml` has changed, which says what scenarios there are.
    """
    place = folder / name
    python = place / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pins, project = (PINS / f"{name}.txt").read_text(), (ROOT / "pyproject.toml").read_text()
    if not (stamp := place / "pins.txt").exists() or stamp.read_text() != pins:
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        subprocess.run([*pip, "--requirement", str(PINS / f"{name}.txt")], check=True)
        stamp.write_text(pins)
    if not (installed := place / "pyproject.toml").exists() or installed.read_text() != project:
        subprocess.run([*pip, "--no-deps", "--editable", str(ROOT)], check=True)
        installed.write_text(project)
    return python


def probed(name: str, python: Path) -> list[dict[str, str]]:
    """What a probe tells of each case and form. Raises RuntimeError where it does not run at all."""
    done = _run(python, "-m", "clients.probing", name)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"case"')]
    if done.returncode or not lines:
        raise RuntimeError(f"the probe of {name} did not run: {done.stderr.strip()[-500:]}")
    return lines


def exemplified(name: str, python: Path) -> str:
    """What is wrong with the example of a library, or with what it saves; "" for nothing, or where there is none."""
    library = LIBRARIES[name]
    if not library.example:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        place = str(Path(folder) / library.saves)
        saving = ["--save", place] if library.saves else []
        done = _run(python, str(ROOT / "examples" / library.example[0]), *library.example[1:], *saving)
        if saving and not done.returncode:
            words = ["evaluate", place, "--task", library.task, "--episodes", "2"]
            done = _run(Path(sys.executable), "-m", "mmwave_gym.cli", *words)
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def _run(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    around = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    return subprocess.run([str(python), *words], env=around, capture_output=True, text=True, check=False, cwd=ROOT)


def version(name: str) -> str:
    """The pinned version of a library."""
    pins = dict(line.split("==") for line in (PINS / f"{name}.txt").read_text().split() if "==" in line)
    return {key.lower(): value for key, value in pins.items()}[LIBRARIES[name].package]


def cell(name: str, form: str, told: list[dict[str, str]]) -> str:
    """A cell of the table: how many of the environments play the same episode as without the library."""
    cells = [line for line in told if line["form"] == form]
    if not cells:
        return "–"
    green = sum(bool(line["ok"]) for line in cells)
    notes = []
    for line in (line for line in cells if not line["ok"]):
        reason, link = FAULTS.get((name, line["case"], form), (line["error"].replace("|", "/"), ""))
        notes.append(f"{line['case']}: " + (f"[{reason}]({link})" if link else reason))
    return "<br>".join([f"{green} of {len(cells)}", *notes])


HEAD = """| library | single | native batch | parallel | AEC | its agents | example |
|---|---|---|---|---|---|---|
"""


def row(name: str, told: list[dict[str, str]], wrong: str) -> str:
    """Markdown: the row of a library, a cell for each form. wrong: what is wrong with its example."""
    library = LIBRARIES[name]
    example = library.example[0] if library.example else ""
    ran = f"[`{example}`](../examples/{example})" if example else "–"
    ran += f"<br>{wrong}" if wrong else ""
    cells = " | ".join(cell(name, form, told) for form in FORMS)
    return f"| [{name}]({library.page}) {version(name)} | {cells} | {ran} |\n"


def page(text: str, rows: dict[str, str]) -> str:
    """A page's text with these rows in its table, and those that it has of other libraries."""
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    kept = inside.partition(HEAD)[2].splitlines(keepends=True)
    found = {line.partition("](")[0].removeprefix("| ["): line for line in kept} | rows
    return f"{before}{BEGIN}\n{HEAD}{''.join(found[name] for name in LIBRARIES if name in found)}{END}{after}"


def ours(told: dict[str, list[dict[str, str]]], examples: dict[str, str]) -> list[str]:
    """What is red and not known to be the library's."""
    red = [
        f"{name}, {line['case']}, {line['form']}: {line['error']}"
        for name, of in told.items()
        for line in of
        if not line["ok"] and (name, line["case"], line["form"]) not in FAULTS
    ]
    return red + [f"{name}, example: {error}" for name, error in examples.items() if error]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="*", metavar="LIBRARY", help=", ".join(LIBRARIES))
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "clients", help="where environments are made")
    parser.add_argument("--quick", action="store_true", help=f"only {' and '.join(QUICK)}")
    given = parser.parse_args(words)
    if unknown := set(given.libraries) - set(LIBRARIES):
        parser.error(f"unknown library {sorted(unknown)[0]!r}; known are {', '.join(LIBRARIES)}.")
    chosen = given.libraries or (QUICK if given.quick else tuple(LIBRARIES))
    told, examples, rows = {}, {}, {}
    for name in chosen:
        python = made(name, given.folder.resolve())
        told[name], examples[name] = probed(name, python), exemplified(name, python)
        green = sum(bool(line["ok"]) for line in told[name])
        print(f"{name} {version(name)}: {green} of {len(told[name])}", examples[name], flush=True)
        rows[name] = row(name, told[name], examples[name])
        if not given.quick:
            PAGE.write_text(page(PAGE.read_text(), {name: rows[name]}))
    print(HEAD, *rows.values(), sep="", end="")
    red = ours(told, examples)
    print(*(f"red: {line}" for line in red), sep="\n")
    return bool(red)


if __name__ == "__main__":
    sys.exit(main())
