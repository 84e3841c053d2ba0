"""The two layers of Wang et al. (arXiv 1801.02077): python -m train.a3c MmwaveHandover-v0 --mode stable

UEs of the paper's areas are observed and clustered by how they move; those of the cluster in which the task's area
is share a parameter server, begin by imitation of event A3, and learn by A3C with an LSTM.

* `--simulate` (default) plays asynchrony in a fixed order: the same command gives the same weights.
* `--async --workers N`: processes that share the parameters and update them without locks (`a3c_workers`).

`mmwave_baselines.handover.a3c` has the modes and the learner. In the streets of `MmwaveStreet-v0` the next observation
depends on the actions, so the environment itself is played (`street.training.a3c`), in stable mode only. All UEs of a
street share one server; nothing is clustered.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from mmwave_baselines.handover.training import a3c_workers
from mmwave_baselines.handover.training.a3c_paper import PaperWorlds, simulate
from mmwave_baselines.handover.training.a3c_run import A3c, A3cRun
from mmwave_baselines.street.training.a3c import Street, learn as learn_street
from mmwave_baselines.training.run import main
from mmwave_gym.benchmark.task import Task


def paper_worlds(args: A3c, task: Task) -> PaperWorlds:
    return PaperWorlds(task, args.seed, args.encoder, args.units)


def street(args: A3c, task: Task) -> Street:
    return Street(task, args.encoder, args.units)


def train(args: A3c, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    if args.target().scenario_name == "street":
        return _trained(A3cRun(args, console, street), learn_street)
    return _trained(A3cRun(args, console, paper_worlds), simulate if args.simulate else a3c_workers.learn)


def _trained(run: A3cRun[Any], learn: Any) -> Path:
    run.tell(f"{len(run.cluster.members)} UEs share the server: {run.cluster.found}")
    try:
        learn(run)
    finally:
        run.keep()
    return run.finish()


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it; --async is --no-simulate."""
    words = ["--no-simulate" if w == "--async" else w for w in (sys.argv[1:] if argv is None else argv)]
    main(A3c, train, words)
