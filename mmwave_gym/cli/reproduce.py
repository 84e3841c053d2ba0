"""`mmwave-gym reproduce`: a paper's tables, figures and claims again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mmwave_gym.benchmark.reproduction import load_reproduction, reproduce as run
from mmwave_gym.cli.options import Jobs, Nodes, Ray, everywhere
from mmwave_gym.cli.output import err, out, print_table, progress
from mmwave_gym.core.errors import require


def reproduce(
    paper: Annotated[str, typer.Argument(help="which paper; an unknown name lists them")],
    out_dir: Annotated[Path, typer.Option("--out", help="where everything goes; an interrupted run resumes")],
    quick: Annotated[bool, typer.Option("--quick", help="short runs, in under a minute: to see that it works")] = False,
    jobs: Jobs = 0,
    ray: Ray = None,
) -> None:
    """Regenerate a paper's tables and figures and judge its claims: rows, figures, Markdown and claims.json."""
    found = load_reproduction(paper)  # fail before the first file
    require("figures", "matplotlib")
    if not quick:
        minutes = found.budget_s / 60
        err.print(f"{found.title}: about {minutes:.0f} minutes on two idle cores.", highlight=False, soft_wrap=True)
    with progress() as shown:
        bar, nodes = shown.add_task("planning", total=None), Nodes()
        claims = run(
            paper,
            out_dir,
            quick=quick,
            where=everywhere(jobs, ray),
            on_plan=lambda total: shown.update(bar, total=total),
            on_done=lambda what, end: shown.update(bar, advance=1, description=nodes.description(what, end)),
        )
    rows = [(c.id, _short(c.paper), _short(c.ours), c.verdict) for c in claims]
    print_table(found.title, ("claim", "paper", "ours", "verdict"), rows)
    out.print(str(out_dir / f"{paper.replace('-', '_')}.md"), highlight=False, soft_wrap=True)


def _short(value: float | str) -> str:
    text = value if isinstance(value, str) else f"{value:.4g}"
    return text if len(text) <= 60 else f"{text[:59]}…"
