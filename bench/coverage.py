"""How often the board's 95 % intervals hold the mean: python -m bench.coverage [--write docs/submitting.md]

Episodes are drawn from a law whose mean is known: a normal one, a skewed one (exponential), and a heavily skewed one
(log-normal, sigma 1). In worlds that episodes share, a map adds a skewed term to all of its episodes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.page import write_between
from mmwave_gym.benchmark.statistics import mean_interval

MARK = "<!-- python -m bench.coverage -->"
DRAWS = 2_000
LAWS: dict[str, tuple[Callable[..., NDArray[np.float64]], float]] = {
    "normal": (lambda rng, size: rng.normal(0.0, 1.0, size), 0.0),
    "exponential": (lambda rng, size: rng.exponential(1.0, size), 1.0),
    "log-normal": (lambda rng, size: rng.lognormal(0.0, 1.0, size), float(np.exp(0.5))),
}
"""How values are drawn, and their mean."""


def coverage(law: str, episodes: int, draws: int, seed: int = 0) -> float:
    """Share of intervals over so many independent episodes that hold the mean."""
    draw, mean = LAWS[law]
    values = draw(np.random.default_rng([seed, episodes]), (draws, 1, episodes))
    found = [mean_interval(one) for one in values]
    return float(np.mean([i.low <= mean <= i.high for i in found if i.low is not None and i.high is not None]))


def coverage_of_maps(maps: int, each: int, draws: int, clustered: bool, seed: int = 0) -> float:
    """The same where `each` episodes share a map, with intervals that resample maps (clustered) or episodes.

    Half of the variance is the map's, exponential; the rest is normal.
    """
    rng = np.random.default_rng([seed, maps, each])
    groups = np.repeat(np.arange(maps), each)
    inside = 0
    for _ in range(draws):
        values = rng.exponential(1.0, maps)[groups] + rng.normal(0.0, 1.0, maps * each)
        found = mean_interval(values[None], groups if clustered else None)
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= 1.0 <= found.high
    return inside / draws


def table(draws: int) -> str:
    """Both as Markdown, and one sentence that says what they mean."""
    counts = (8, 32, 64)
    plain = {law: [coverage(law, n, draws) for n in counts] for law in LAWS}
    maps = {
        how: [coverage_of_maps(n, 8, draws, clustered) for n in counts]
        for how, clustered in (("maps resampled", True), ("episodes resampled", False))
    }
    few, some, many = plain["log-normal"]
    lines = [
        f"The 95 % intervals hold the mean in {few:.0%} of {draws:,} simulated boards of 8 heavily skewed episodes, in "
        f"{some:.0%} of 32",
        f"and in {many:.0%} of 64. With 8 skewed maps of 8 episodes each it is {maps['maps resampled'][0]:.0%}, where "
        f"resampling episodes would give {maps['episodes resampled'][0]:.0%}.",
        "",
        "| values | " + " | ".join(f"{n} episodes" for n in counts) + " |",
        "|---|" + "---:|" * len(counts),
        *("| " + " | ".join((law, *(f"{share:.1%}" for share in shares))) + " |" for law, shares in plain.items()),
        "",
        "| 8 episodes on each map | " + " | ".join(f"{n} maps" for n in counts) + " |",
        "|---|" + "---:|" * len(counts),
        *("| " + " | ".join((how, *(f"{share:.1%}" for share in shares))) + " |" for how, shares in maps.items()),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    args = parser.parse_args()
    text = table(args.draws)
    print(text)
    if args.write:
        write_between(args.write, MARK, text)


if __name__ == "__main__":
    main()
