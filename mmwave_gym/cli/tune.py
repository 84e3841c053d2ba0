"""`mmwave-gym tune`: choose the parameters of rules on the training split.

A tuning is an entry point of the group `mmwave_gym.tunings`: the scenario's name, and a function `f(words, run_all)` of
the words behind it and of what does its jobs, `mmwave_gym.benchmark.jobs.run_all` on the processes or the cluster that
the command line named.

    [project.entry-points."mmwave_gym.tunings"]
    relay = "their_package.tuning:main"
"""

from __future__ import annotations

import argparse

import typer

from mmwave_gym.cli.options import everywhere
from mmwave_gym.cli.train import function
from mmwave_gym.core import rooms

GROUP = "mmwave_gym.tunings"


def tune(context: typer.Context) -> None:
    """Tune the rules of a scenario: mmwave-gym tune handover [TASK …]; every tuning has its own --help."""
    words = context.args
    if not words or words[0] in ("--help", "-h"):
        known = ", ".join(sorted(rooms.points(GROUP, "tuning")))
        print(
            f"usage: mmwave-gym tune SCENARIO … [--jobs N] [--ray ADDRESS]\n\nscenarios: {known}\n\n"
            "  --jobs N            processes; default one a core\n"
            "  --ray ADDRESS       on a Ray cluster (auto, HOST:6379)"
        )
        return
    run = function(GROUP, "tuning", words[0])
    parser = argparse.ArgumentParser(prog="mmwave-gym tune", add_help=False, allow_abbrev=False)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--ray")
    where, rest = parser.parse_known_args(words[1:])
    run(rest, everywhere(where.jobs, where.ray))
