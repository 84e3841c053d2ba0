"""`python -m bench.shared_learning` on made rows: differences, shares and the gap by hand."""

from __future__ import annotations

import pytest

from bench import shared_learning
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.suite import task as find_task


def run(task: str, agent: str, utility: float, seed: int | None = None) -> Run:
    """Rows of 96 episodes, all with the same score."""
    header = {"task": {"name": task}, "agent": {"name": agent, "training_seed": seed}}
    return Run(header, tuple({"episode": e, "utility": utility} for e in range(96)))


def rows() -> shared_learning.Rows:
    main, seen = shared_learning.MAIN, shared_learning.SEEN
    made = [
        run(main, "a3", -0.1),
        run(main, "ascent", 0.1),
        run(main, "greedy-cho", -0.02),
        run(seen, "greedy-cho", 0.0),
    ]
    made += [run(main, "regret", utility, seed) for seed, utility in enumerate((0.04, 0.06))]
    return shared_learning.Rows([*made, run(seen, "regret", 0.09, 0), run(seen, "regret", 0.09, 1)])


def test_numbers_are_what_the_rows_say() -> None:
    found = rows()
    assert found.share(shared_learning.MAIN, "regret").mean == pytest.approx((0.05 + 0.1) / 0.2)
    less = found.less(shared_learning.MAIN, "regret", "greedy-cho")
    assert less.mean == pytest.approx(0.07)
    assert less.low is not None
    assert less.low < 0.07, "two training seeds differ"
    assert found.gap().mean == pytest.approx(0.09 - 0.07)


def test_what_is_missed_and_what_is_not_measured_is_said() -> None:
    text = shared_learning.report(rows())
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert lines["share of A3 to ascent, network with map, main"].endswith("| met |")
    assert lines["gain over greedy + CHO, seen maps less unseen maps"].endswith("| MISSED |")
    assert "not measured: no committed rows of map-planner" in lines["network with map less map planner + CHO, main"]
    maps = len(set(find_task(shared_learning.MAIN).groups))
    assert maps > 64
    assert f"main: 2 training seeds, 96 episodes on {maps} maps" in text
