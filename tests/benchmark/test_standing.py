"""Where an agent stands: its rank, its differences in words, and how many more episodes would settle them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_rows import run, suite

from mmwave_gym.benchmark.leaderboard import Run
from mmwave_gym.benchmark.leaderboard.differences import Difference, of_primary, rough_episodes, what_settles, words
from mmwave_gym.benchmark.leaderboard.standing import Standing, stand
from mmwave_gym.benchmark.statistics import Sample, times_the_episodes

TASK = {"primary": "reward", "higher_is_better": True, "smallest_difference": 0.0}


def values(found: Run) -> np.ndarray:
    return np.array([row["reward"] for row in found.episodes])


def place(own: Any, others: list[Run], **changes: Any) -> Standing:
    found = stand([run("mine", own, **changes)], others, {})
    assert found is not None
    return found


def difference(own: Any, other: Any, smallest: float = 0.0) -> Difference:
    samples = [Sample(np.arange(np.shape(v)[-1]), np.atleast_2d(v)) for v in (own, other)]
    found = of_primary({**TASK, "smallest_difference": smallest}, *samples, "a3", "1/slot")
    assert found is not None
    return found


@pytest.fixture
def others() -> list[Run]:
    """Random, the rule a3, the better rule ucb, and a ceiling, on 40 worlds."""
    return suite(np.random.default_rng(5))


def test_worse_than_rule_and_leader_in_one_line_each(others: list[Run]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 40)
    found = place(values(others[1]) - 1.0 + noise, others)
    assert (found.entry.rank, found.ranked) == (3, 3)
    assert [(role, one.other) for role, one in found.against] == [("best rule and leader", "ucb")]
    gap = found.against[0][1]
    assert gap.value.mean == pytest.approx(values(found.entry.runs[0]).mean() - values(others[2]).mean())
    assert found.verdict.startswith("worse than the best rule and leader, ucb, by 1.")
    assert found.verdict.endswith("] 1/slot")
    assert found.undecided == []
    assert found.lines()[0] == "Rank 3 of 3 local agents among the committed rows."


def test_whoever_leads_is_told_apart_from_all_whom_it_is_compared_with(others: list[Run]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 40)
    best = place(values(others[2]) + 1.0 + noise, others)
    assert best.leads
    assert best.verdict.startswith("leads the local agents: better than the best rule and next, ucb, by ")
    near = place(values(others[2]) + 0.001 + noise - noise.mean(), others)
    assert (near.entry.rank, near.leads) == (1, False)
    assert near.verdict.startswith("has the best mean of the local agents: not told apart from ")
    assert "mmwave-gym compare mine ucb --task handover/a1 --episodes " in "".join(near.lines())


def test_an_agent_does_not_compete_with_its_own_committed_rows(others: list[Run]) -> None:
    found = stand([run("ucb", values(others[2]))], others, {})
    assert found is not None
    assert (found.entry.rank, found.ranked) == (1, 2)
    assert [one.other for _, one in found.against] == ["a3"]


def test_few_episodes_of_the_reference_choose_no_other_best_rule(others: list[Run]) -> None:
    early = values(others[2]) + np.where(np.arange(40) < 4, 1.0, -1.0)
    for own in ("a3", "mine"):
        found = stand([run(own, values(others[1])[:4])], [*others, run("early", early)], {})
        assert found is not None
        assert found.against[0][1].other == "ucb", own


def test_what_knows_the_episode_is_not_ranked_and_compared_with_the_best_rule(others: list[Run]) -> None:
    found = place(values(others[3]), others, access="hindsight")
    assert found.entry.rank is None
    assert found.lines()[0] == "Not ranked: hindsight agents are ceilings."
    assert [(role, one.other, one.verdict) for role, one in found.against] == [("best rule", "ucb", "better")]


def test_no_scored_episode_is_no_standing(others: list[Run]) -> None:
    empty = run("mine", [0.0])
    rows = ({**empty.episodes[0], "scored_steps": 0, "reward": None, "handovers_per_s": None},)
    assert stand([Run(empty.header, rows)], others, {}) is None


def test_more_episodes_are_those_that_bring_the_interval_off_zero() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1.0, 400)
    one = difference(noise - noise.mean() + 0.05, np.zeros(400))
    half = one.value.mean - one.value.low
    assert one.more == pytest.approx(400 * ((half / 0.05) ** 2 - 1), rel=0.01)
    assert rough_episodes(one) >= 400 + one.more
    assert what_settles(one).startswith(f"About {rough_episodes(one) - 400:,} more episodes would settle it")
    longer = np.resize(noise - noise.mean() + 0.05, rough_episodes(one))
    assert difference(longer, np.zeros(len(longer))).verdict == "better"


def test_a_difference_that_does_not_matter_is_settled_too() -> None:
    noise = np.random.default_rng(2).normal(0, 1.0, 400)
    centred = noise - noise.mean()
    unknown = difference(centred, np.zeros(400), smallest=0.05)
    half = unknown.value.high - unknown.value.mean
    assert unknown.more == pytest.approx(400 * ((half / 0.05) ** 2 - 1), rel=0.01)
    settled = difference(centred, np.zeros(400), smallest=0.2)
    assert (settled.verdict, settled.more) == ("tied", 0)
    assert words(settled).endswith("less than 0.2 does not matter")
    alike = difference(centred * 0.01 + 0.1, np.zeros(400), smallest=0.2)
    assert (alike.verdict, alike.more) == ("alike", 0)
    assert words(alike).endswith("is less than 0.2, the smallest difference that matters")


def test_training_seeds_may_be_what_lacks() -> None:
    seeds = np.array([[0.3], [-0.2], [0.0], [0.2], [-0.1]]) + np.zeros((5, 50))
    seeds += np.random.default_rng(3).normal(0, 0.01, (5, 50))
    one = difference(seeds, np.zeros(50))
    assert (one.verdict, one.more) == ("tied", None)
    assert what_settles(one) == "More episodes alone do not settle it: more training seeds are needed."
    assert times_the_episodes(seeds, np.zeros((1, 50)), 0.5) is None
    assert times_the_episodes(seeds[:1], np.zeros((1, 50)), 0.5) == pytest.approx(4.0)


def test_equal_play_and_single_episodes() -> None:
    same = np.arange(8.0)
    assert words(difference(same, same)) == "equal to a3 in every episode"
    assert difference(same, same).more == 0
    single = difference([1.0], [2.0])
    assert (single.verdict, single.more) == ("tied", None)
    assert what_settles(single) == "More than one episode is needed."


def test_groups_are_what_is_resampled() -> None:
    """Eight episodes on each of eight maps say as much as eight maps."""
    groups = np.repeat(np.arange(8), 8)
    by_map = np.random.default_rng(4).normal(0, 1, 8)[groups]
    own = Sample(np.arange(64), by_map[None] + 0.01, groups)
    other = Sample(np.arange(64), np.zeros((1, 64)), groups)
    apart = Sample(np.arange(64), by_map[None] + 0.01)
    alone = Sample(np.arange(64), np.zeros((1, 64)))
    mapped = of_primary(TASK, own, other, "a3", "")
    free = of_primary(TASK, apart, alone, "a3", "")
    assert mapped is not None
    assert free is not None
    assert mapped.value.high - mapped.value.low > 2 * (free.value.high - free.value.low)
    assert (mapped.more or 0) > 4 * (free.more or 0) > 0


def test_a_single_training_seed_is_named(others: list[Run]) -> None:
    noise = np.random.default_rng(1).normal(0, 0.2, 40)
    found = stand([run("ppo", values(others[2]) + 0.01 + noise - noise.mean(), 3)], others, {})
    assert found is not None
    assert "mmwave-gym compare ppo@3 ucb --task handover/a1 --episodes " in "".join(found.lines())
