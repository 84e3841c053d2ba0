"""`mmwave-gym train`: train an agent with an installed algorithm.

An algorithm is an entry point of the group `mmwave_gym.algorithms`: its name, and a function of the words behind it.

    [project.entry-points."mmwave_gym.algorithms"]
    reinforce = "their_package.reinforce:run"

With `--seeds 0-4` it is several trainings, one a seed, side by side on this machine or on a Ray cluster.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import typer

from mmwave_gym.benchmark.jobs import Done
from mmwave_gym.cli.options import Nodes, everywhere, ray_is_there
from mmwave_gym.cli.output import out, progress
from mmwave_gym.cli.sweep import Sweep, Training
from mmwave_gym.core import rooms
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import extra_of

GROUP = "mmwave_gym.algorithms"
SWEEP = """several trainings side by side:
  --seeds 0-4,7       one for each training seed; with --out DIR, seed 3 is in DIR/s3
  --over KEY=A,B      and one for each value of an option; may be repeated (DIR/s3-KEY=A)
  --jobs N            so many at once; default one a core
  --ray ADDRESS       on a Ray cluster (auto, HOST:6379); what they write comes back"""
FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every word behind the algorithm is the algorithm's, `--help` too."""


def train(context: typer.Context) -> None:
    """Train an agent: mmwave-gym train ppo --task TASK; every algorithm has its own --help."""
    words = context.args
    if not words or words[0] in ("--help", "-h"):
        known = ", ".join(sorted(rooms.points(GROUP, "algorithm")))
        print(f"usage: mmwave-gym train ALGORITHM …\n\nalgorithms: {known}\n\n{SWEEP}")
        return
    sweep, rest = Sweep.taken_from(words[1:])
    if "--help" in rest:
        try:
            run_algorithm(words[0], ["--help"])
        finally:  # it ends with SystemExit
            print(f"\n{SWEEP}")
    elif sweep is None:
        run_algorithm(words[0], rest)
    else:
        train_all(words[0], rest, sweep)


def run_algorithm(name: str, words: Sequence[str]) -> None:
    """Run an algorithm, loaded only now, with the words behind its name.

    Raises ValueError for an unknown name and for one that cannot be loaded, ImportError that names the extras where
    an optional library is missing.
    """
    with _saying_what_lacks():
        function(GROUP, "algorithm", name)(list(words))


def load_algorithm(name: str) -> None:
    """Load an algorithm before any work; errors as of `run_algorithm`."""
    with _saying_what_lacks():
        function(GROUP, "algorithm", name)


@contextlib.contextmanager
def _saying_what_lacks() -> Iterator[None]:
    """ImportError that names the extras where an optional library is missing."""
    try:
        yield
    except ImportError as error:
        if (extra := extra_of(error)) is None:
            raise
        extras = ",".join(dict.fromkeys(("train", extra)))
        raise ImportError(
            f"training needs {error.name}: pip install 'mmwave-gym[{extras}]'.", name=error.name
        ) from error


def function(group: str, what: str, name: str) -> Callable[..., Any]:
    """The function that an entry point of a group names, "-" for "_" allowed. ValueError where there is none."""
    known = rooms.points(group, what)
    found = known.get(name) or known.get(name.replace("-", "_"))
    if found is None:
        raise ValueError(unknown(what, name, sorted(known)))
    try:
        loaded: Callable[..., Any] = found.load()
        if not callable(loaded):
            raise TypeError(f"a function of words is needed, got {type(loaded).__name__}")
    except ImportError:
        raise
    except rooms.BROKEN as error:
        raise ValueError(f"the {what} {found.name!r} ({found.value}) cannot be loaded: {rooms.why(error)}.") from error
    return loaded


def train_all(name: str, words: Sequence[str], sweep: Sweep) -> None:
    """Train once for each seed and setting, and print what each printed at its end."""
    load_algorithm(name)
    ray_is_there(sweep.ray)
    trainings = [Training(name, tuple(rest), where, sweep.ray is not None) for rest, where in sweep.runs(words)]
    with progress() as shown:
        bar, nodes = shown.add_task(f"training {name}", total=len(trainings)), Nodes()

        def done(job: Any, end: Done) -> None:
            for line in job.bring_home(end.result).splitlines():
                out.print(line, markup=False, highlight=False, soft_wrap=True)
            shown.update(bar, advance=1, description=nodes.description(job.label, end))

        everywhere(sweep.jobs, sweep.ray)(trainings, on_done=done)
