"""Runs of `train.a3c` that are interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from mmwave_baselines.training import a3c as script
from mmwave_baselines.training.a3c import CHECKPOINT, A3cRun


def cut_run(args: Any, steps: int) -> None:
    """A run that is interrupted when it has made so many steps, and has kept them."""
    report = A3cRun.report

    def interrupted(run: A3cRun, scalars: Any) -> None:
        report(run, scalars)
        if run.steps == steps:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(A3cRun, "report", interrupted)
        with pytest.raises(KeyboardInterrupt):
            script.train(args, Console(quiet=True))
    with np.load(Path(args.out) / CHECKPOINT) as saved:
        assert saved["steps"] == steps
