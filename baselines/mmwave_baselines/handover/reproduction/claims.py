"""The verdicts on arXiv 1801.02077: each claim of `claims.json` judged from tables.

A difference "holds" where its whole 95 % interval, paired by world, is on the claimed side of 0. A3C is judged in both
modes: a claim that holds in one of them is "partly".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mmwave_baselines.handover.a3c_speed import speed_up
from mmwave_baselines.handover.reproduction.clusters import PAPER_RUNS
from mmwave_baselines.handover.reproduction.measures import (
    A3C_MODES,
    CLAIMS,
    NAMES,
    TESTED,
    Measured,
    needed,
    printed,
    total_ues,
)
from mmwave_baselines.handover.reproduction.plan import BETAS
from mmwave_baselines.reproduction.measures import difference, mean
from mmwave_baselines.reproduction.verdicts import Found, above, all_of, below, ends, within
from mmwave_baselines.reproduction.words import signed
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.types import Float64Array

BANDITS = ("ucb", "ucb-30")


def _cases(found: dict[str, Interval], holds: Callable[[Interval], bool], first: str, digits: int = 3) -> Found:
    """All cases one by one; `first` is the one whose number stands in the column."""
    verdicts = [holds(value) for value in found.values()]
    reason = "; ".join(f"{name} {signed(value, digits)}" for name, value in found.items())
    return Found(found[first].mean, ends(found[first]), all_of(verdicts), f"{sum(verdicts)} of {len(found)}: {reason}")


# ---------------------------------------------------------------------- Table I


def _index(ues: int, clusters: int) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        value = m.index("preset", ues, clusters)
        off = 100.0 * (value.mean / printed(ues, clusters) - 1.0)
        values = m.clusters("preset", ues, f"index{clusters}")
        verdict = within(off, CLAIMS.tolerance(f"table1-{ues}-{clusters}"))
        reason = f"{off:+.1f} %, {len(values)} runs, slot and tau fitted to this table"
        if len(values) > PAPER_RUNS:
            first = mean(values[:PAPER_RUNS])
            reason += (
                f". The first {PAPER_RUNS}, as many as the paper's, had {first.mean:.2f} ({first.low:.2f} to "
                f"{first.high:.2f}), {100.0 * (first.mean / printed(ues, clusters) - 1.0):+.1f} %: a run differs by "
                f"{values.std(ddof=1):.1f}, and the paper's mean, too, is that uncertain"
            )
        return Found(f"{value.mean:.2f}", ends(value), verdict, reason)

    return found


def _two(m: Measured) -> Found:
    gaps = {n: difference(*(m.clusters("preset", n, f"index{h}") for h in (2, 3))) for n in total_ues()}
    shares = []
    for n in total_ues():
        two, three = (m.clusters("preset", n, f"index{h}") for h in (2, 3))
        shares.append(f"in {100 * (two > three).mean():.0f} % of runs with {n} UEs")
    mean_two, mean_three = (m.index("global", 12, h).mean for h in (2, 3))
    holds = [above(gap) for gap in gaps.values()]
    reason = (
        f"{', '.join(shares)}. With places counted across areas three would win ({mean_three:.0f} against "
        f"{mean_two:.0f} with 12 UEs), so the paper's places must be local"
    )
    return Found(f"at {sum(holds)} of {len(holds)} sizes", None, all_of(holds), reason)


def _areas(m: Measured) -> Found:
    share = {n: mean(100.0 * m.clusters("preset", n, "accuracy")) for n in total_ues()}
    exact = 100.0 * (m.clusters("preset", 12, "accuracy") == 1.0).mean()
    reason = f"exactly so in {exact:.0f} % of runs; " + ", ".join(
        f"{v.mean:.1f} % of {n} UEs" for n, v in share.items()
    )
    return Found(share[12].mean, ends(share[12]), within(100.0 - share[12].mean, CLAIMS.tolerance("areas")), reason)


# ---------------------------------------------------------------------- Fig. 8


def _ends_apart(m: Measured, method: str, metric: str) -> Interval:
    return difference(*(m.at_beta(method, metric, beta) for beta in (BETAS[0], BETAS[-1])))


def _falls(m: Measured, method: str, metric: str) -> bool:
    """Does it fall from each beta to the next, and surely from the first to the last?"""
    steps = [m.at_beta(method, metric, beta).mean() for beta in BETAS]
    return bool(np.all(np.diff(steps) < 0.0)) and above(_ends_apart(m, method, metric))


def _tradeoff(metric: str) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        methods = [f"a3c-{mode}" for mode in A3C_MODES]
        gaps = {method: _ends_apart(m, method, metric) for method in methods}
        holds = [above(gaps[method]) for method in methods]
        digits = 4 if metric == "handovers" else 3
        reasons = [
            f"{NAMES[method]} {signed(gaps[method], digits)}, {'' if _falls(m, method, metric) else 'not '}falling at "
            f"every step ({', '.join(f'{m.at_beta(method, metric, b).mean():.{digits}f}' for b in BETAS)})"
            for method in methods
        ]
        return Found(gaps[methods[0]].mean, ends(gaps[methods[0]]), all_of(holds), "; ".join(reasons))

    return found


def _oracle(m: Measured) -> Found:
    parts = {metric: _ends_apart(m, "oracle", metric) for metric in ("handovers", "throughput")}
    holds = [_falls(m, "oracle", metric) for metric in parts]
    levels = {metric: [float(m.at_beta("oracle", metric, b).mean()) for b in BETAS] for metric in parts}
    reason = "; ".join(f"{metric} {', '.join(f'{v:.4g}' for v in levels[metric])}" for metric in parts)
    return Found(f"{signed(parts['handovers'], 4)} handovers", None, all_of(holds), f"from beta 5 to 25: {reason}")


# ---------------------------------------------------------------------- Fig. 9


def final_value(m: Measured, method: str) -> Float64Array:
    """(world,): the critic's value in the last block."""
    return m.curve(method, "value")[:, -1]


def _supervised(measure: Callable[[Measured, str], Float64Array], digits: int) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        gaps = {
            f"{mode}, {name}": difference(
                measure(m, f"a3c-{mode}{alone}"), measure(m, f"a3c-{mode}-unsupervised{alone}")
            )
            for mode in A3C_MODES
            for alone, name in (("", "clustering"), ("-alone", "no clustering"))
        }
        return _cases(gaps, above, "paper, clustering", digits)

    return found


def _clustering(measure: Callable[[Measured, str], Float64Array], digits: int) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        gaps = {
            f"{mode}, {name}": difference(measure(m, f"a3c-{mode}{start}"), measure(m, f"a3c-{mode}{start}-alone"))
            for mode in A3C_MODES
            for start, name in (("", "imitation"), ("-unsupervised", "random start"))
        }
        return _cases(gaps, above, "paper, imitation", digits)

    return found


def _learned_reward(m: Measured, method: str) -> Float64Array:
    """(world,): of new UEs over 121 s."""
    return m.values(method, "reward")


def _fall(m: Measured, method: str) -> Float64Array:
    """(world,): how far the value falls below that of the first block."""
    value = m.curve(method, "value")
    return np.asarray(value[:, 0] - value.min(axis=1))


def _decay(m: Measured) -> Found:
    gaps, reasons = {}, []
    for mode in A3C_MODES:
        random, imitated = (_fall(m, f"a3c-{mode}{start}") for start in ("-unsupervised", ""))
        gaps[mode] = difference(random, imitated)
        reasons.append(
            f"{mode} mode falls by {random.mean():.3f} from a random start and by {imitated.mean():.3f} from "
            f"imitation, difference {signed(gaps[mode])}"
        )
    return Found(
        gaps["paper"].mean, ends(gaps["paper"]), all_of([above(gap) for gap in gaps.values()]), "; ".join(reasons)
    )


def _true(m: Measured) -> Found:
    shares, reasons = {}, []
    for mode in A3C_MODES:
        method = f"a3c-{mode}"
        value, follows = (m.curve(method, part)[:, -1] for part in ("value", "discounted_return"))
        shares[mode] = 100.0 * value.mean() / follows.mean()
        means = f"{mode} mode: value {value.mean():.2f}, return {follows.mean():.2f}"
        orders = []
        for part in ("value", "discounted_return"):
            ends_ = {s: m.curve(f"a3c-{mode}{s}", part)[:, -1].mean() for s in STARTS}
            orders.append(sorted(ends_, key=lambda s: -ends_[s]))
        order = "that" if orders[0] == orders[1] else "not that"
        reasons.append(f"{means}, the order of the four by value is {order} by return")
    limit = CLAIMS.tolerance("value-true")
    holds = [abs(share - 100.0) <= limit for share in shares.values()]
    return Found(shares["paper"], None, all_of(holds), f"{'; '.join(reasons)}. True is within {limit:.0f} % (ours)")


STARTS = {
    "": "imitation, clustering",
    "-alone": "imitation, no clustering",
    "-unsupervised": "random start, clustering",
    "-unsupervised-alone": "random start, no clustering",
}

# ---------------------------------------------------------------------- Fig. 10


def _against_ucb(metric: str, window: str, holds: Callable[[Interval], bool]) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        digits = 4 if metric == "handovers" else 2
        verdicts, reasons, gaps = [], [], {}
        for bandit in BANDITS:
            for mode in A3C_MODES:
                some = {a: m.apart(a, bandit, metric, window, "whole") for a in TESTED[mode]}
                here = [holds(gap) for gap in some.values()]
                verdicts += here
                gaps[bandit, mode] = some[f"a3c-{mode}"]
                reasons.append(
                    f"{mode} mode against {NAMES[bandit]} {sum(here)} of {len(here)} variants, "
                    f"{signed(gaps[bandit, mode], digits)} with clustering offline"
                )
        first = gaps["ucb", "paper"]
        return Found(first.mean, ends(first), all_of(verdicts), "; ".join(reasons))

    return found


def _clustering_tested(metric: str, holds: Callable[[Interval], bool]) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        gaps = {
            f"{mode}, {name}": m.apart(f"a3c-{mode}{online}", f"a3c-{mode}-alone{online}", metric, "first")
            for mode in A3C_MODES
            for online, name in (("", "offline"), ("-online", "online"))
        }
        return _cases(gaps, holds, "paper, offline", 4 if metric == "handovers" else 3)

    return found


def _percent(one: Float64Array, other: Float64Array) -> Interval:
    """How much more one is than the other, in % of the other's mean; paired."""
    gap, base = difference(one, other), float(other.mean()) / 100.0
    low, high = (None if v is None else v / base for v in (gap.low, gap.high))
    return Interval(gap.mean / base, low, high)


def _ucb_3gpp(m: Measured) -> Found:
    a3 = m.values("a3", "reward")
    gains = {bandit: _percent(m.values(bandit, "reward"), a3) for bandit in BANDITS}
    reason = "; ".join(
        f"{NAMES[b]} {signed(gains[b], 1)} %, {m.mean(b, 'handovers').mean:.4f} handovers a slot" for b in BANDITS
    )
    best = max(gains.values(), key=lambda gain: gain.mean)
    verdict = within(best.mean - CLAIMS.printed("ucb-3gpp"), CLAIMS.tolerance("ucb-3gpp"))
    return Found(best.mean, ends(best), verdict, f"{reason}; A3 {m.mean('a3', 'handovers').mean:.4f}")


def _a3_oracle(m: Measured) -> Found:
    lacks = {b: _percent(*(m.at_beta(a, "reward", b) for a in ("oracle", "a3"))) for b in BETAS}
    worst = max(lacks, key=lambda beta: lacks[beta].mean)
    limit = CLAIMS.tolerance("a3-oracle")
    pairs = "; ".join(
        f"beta {b:.0f}: {lacks[b].mean:.2f} % with {m.pairs[b][0]:.0f} dB, {m.pairs[b][1]} slots" for b in BETAS
    )
    holds = [lack.mean <= limit for lack in lacks.values()]
    rooms = {b: _percent(*(m.at_beta(a, "reward", b) for a in ("oracle", "a3-room"))).mean for b in BETAS}
    reason = (
        f"{pairs}. The pair is tuned on the UEs from which A3C learns, one for all worlds; with a pair of its own in "
        f"every room, as A3C has its own weights there, {', '.join(f'{lack:.2f}' for lack in rooms.values())} %"
    )
    return Found(lacks[worst].mean, ends(lacks[worst]), all_of(holds), reason)


def _over(other: str, window: str) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        methods: Sequence[str] = [a for mode in A3C_MODES for a in TESTED[mode]]
        gaps = {NAMES[a].removeprefix("A3C, "): m.apart(a, other, "reward", window) for a in methods}
        return _cases(gaps, above, "paper")

    return found


# ---------------------------------------------------------------------- number of UEs


def _faster(m: Measured) -> Found:
    rows = m.speed("delayed")
    holds, gains, reasons = [], [], []
    for name, title in (("delayed", "in turn"), ("averaged", "averaged"), ("paper", "paper mode")):
        gain = speed_up(m.speed(name))
        most = max(gain)
        blocks = [needed(m.speed(name), n) for n in gain]
        holds.append(blocks[-1] < blocks[0])
        alone = np.isfinite(blocks).sum() == 1 and gain[most] is not None  # nobody to compare with
        gains.append(f"only {most} UEs get there" if alone else gain[most])
        told_blocks = ", ".join(map(_blocks, blocks))
        reasons.append(f"{title}: median blocks {told_blocks} with {', '.join(map(str, gain))} UEs")
    reason = f"{'; '.join(reasons)}; {len({r['seed'] for r in rows})} runs each, tested every 10 blocks"
    return Found("none" if gains[0] is None else gains[0], None, all_of(holds), reason)


def _blocks(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "–"


def _bound(m: Measured) -> Found:
    late, fresh = m.speed("delayed"), m.speed("fresh")
    counts = sorted({row["ues"] for row in late})
    ratios = {n: needed(late, n) / needed(fresh, n) for n in counts if np.isfinite(needed(fresh, n))}
    most = counts[-1]
    row = next(r for r in late if r["ues"] == most)
    reason = (
        f"blocks with delay over without: {', '.join(f'{n} UEs {ratio:.2f}' for n, ratio in ratios.items())}. Mean "
        f"delay of {most} UEs {row['mean_delay']:.1f} updates; the bound's constant is unknown, square root of t is "
        f"{row['bound_ues']:.0f} at the end. Kept is up to 1.5 times the blocks (ours)"
    )
    ratio = ratios.get(most, float("inf"))
    return Found(ratio if np.isfinite(ratio) else "never", None, all_of([r <= 1.5 for r in ratios.values()]), reason)


JUDGES: dict[str, Callable[[Measured], Found]] = {
    **{f"table1-{n}-{h}": _index(n, h) for n in total_ues() for h in (2, 3)},
    "two-clusters": _two,
    "areas": _areas,
    "beta-handovers": _tradeoff("handovers"),
    "beta-throughput": _tradeoff("throughput"),
    "beta-oracle": _oracle,
    "supervised-value": _supervised(final_value, 2),
    "supervised-policy": _supervised(_learned_reward, 2),
    "clustering-value": _clustering(final_value, 2),
    "clustering-policy": _clustering(_learned_reward, 2),
    "value-decay": _decay,
    "value-true": _true,
    "ucb-throughput": _against_ucb("throughput", "first", above),
    "ucb-throughput-fair": _against_ucb("throughput", "whole", above),
    "ucb-handovers": _against_ucb("handovers", "first", below),
    "clustering-throughput": _clustering_tested("throughput", above),
    "clustering-handovers": _clustering_tested("handovers", below),
    "ucb-3gpp": _ucb_3gpp,
    "a3-oracle": _a3_oracle,
    "a3c-a3": _over("a3", "whole"),
    "a3c-stay": _over("stay", "first"),
    "ues-faster": _faster,
    "ues-bound": _bound,
}
