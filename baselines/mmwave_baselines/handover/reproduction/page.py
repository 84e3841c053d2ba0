"""The page of the reproduction of arXiv 1801.02077."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmwave_baselines.handover.reproduction.claims import STARTS
from mmwave_baselines.handover.reproduction.clusters import CONVENTIONS
from mmwave_baselines.handover.reproduction.measures import (
    A3C_MODES,
    NAMES,
    Measured,
    log_error,
    needed,
    printed,
    total_ues,
)
from mmwave_baselines.handover.reproduction.plan import BETAS, TRADEOFF_WORLDS, WORLDS
from mmwave_baselines.handover.reproduction.runs import AREA, ARRIVALS, HYSTERESES_DB, SPEED_SEEDS, WAITS
from mmwave_baselines.reproduction.measures import difference, mean
from mmwave_baselines.reproduction.words import counts, numbered, signed, with_interval
from mmwave_gym.benchmark.reproduction import Claim, claims_table, markdown_table, reasons

_WINDOWS = {"first": "first 2 s", "last": "last 2 s", "whole": "121 s"}
_SPEEDS = {"delayed": "pushes in turn", "fresh": "without delay", "averaged": "averaged", "paper": "paper mode"}


def page(m: Measured, claims: Sequence[Claim], figures: str) -> str:
    """All of it but how it was made."""
    quick = m.results.quick
    worlds = WORLDS[quick]
    parts = [
        "# Handover control via asynchronous multi-user deep reinforcement learning, reproduced\n",
        "Z. Wang, L. Li, Y. Xu, H. Tian, S. Cui, IEEE IoT Journal 5(6), 2018 "
        "([arXiv 1801.02077](https://arxiv.org/abs/1801.02077)).\n",
        counts(claims),
        f"{_summary(m)}\n",
        "## What the paper leaves open, and what we take\n",
        numbered(_open(worlds)),
        "## Verdicts\n",
        claims_table(claims),
        "* Reproduced: within the tolerance (4 % for Table I), or the whole 95 % interval of a difference lies on "
        "the claimed side in every case. Differences are paired by world.\n* Partly: up to twice the tolerance, or "
        "on the claimed side in some cases.\n* Not shown: the paper is silent, and the claim is ours.\n\nA3C is "
        "judged in both modes.\n",
        "### Why\n",
        reasons(claims),
        "## Table I: the index of clusterings\n",
        f"![The index under ten conventions over the paper's]({figures}/table1.png)\n",
        _table1(m),
        "Means over runs with 95 % intervals. The last column is the root mean square of the logarithm of ours over "
        "the paper's. We fitted slot and weight of the first row to this table, out of some 550 combinations. So "
        "that row is a fit and no prediction. Other rows come near it: Table I does not tell the slot. All other "
        "runs use slots of 50 ms; a block of 20 slots is a second.\n",
        "## Fig. 8: handovers against throughput\n",
        f"![Handovers against throughput for five betas]({figures}/figure8.png)\n",
        f"New UEs over 121 s, means over the first {TRADEOFF_WORLDS[quick]} worlds. Numbers at points are beta. The "
        "two panels have different axes, and throughput does not begin at 0.\n",
        _figure8(m),
        "## Fig. 9: what the critic says, and what is earned\n",
        f"![Value, return and reward against learning time]({figures}/figure9.png)\n",
        f"{worlds} runs; bands are 95 %. Value and return have the unit of what the agent learns from: the reward in "
        "paper mode, (reward - 22) * 0.1 in stable mode. The paper shows the upper row only. The return is the "
        "reward that followed, discounted by the same 0.9; after the end it goes on as in the last block. Means are "
        f"over the server's UEs in {AREA}, as in the paper, even where other UEs learn with them.\n",
        _figure9(m),
        "## Fig. 10: a UE that arrives\n",
        f"![Throughput less the oracle's, and handovers]({figures}/figure10.png)\n",
        f"{worlds * ARRIVALS} runs: {ARRIVALS} new UEs in each of {worlds} worlds, with the networks of Fig. 9, at "
        "beta 25. The paper compares A3C's first 2 s with UCB's 121 s. The tables show all methods in three windows. "
        "In the window of the last 2 s a UE arrives at the place that it has reached by then; UCB has learned for "
        "119 s before.\n",
        *(_figure10(m, window) for window in ("first", "whole", "last")),
        "## Learning speed against the number of UEs\n",
        f"![Blocks to the target, reward at the end and delays against UEs]({figures}/ues.png)\n",
        f"Training starts from random weights in one room, with {SPEED_SEEDS[quick]} runs a setting. Every 10 blocks "
        "it is tested on four new UEs, with sampled actions. The target lies half-way from the first weights' reward "
        "to that of A3 with 3 dB and 3 slots. *Pushes in turn*, *without delay* and *averaged* learn from centred "
        "rewards at rate 0.001.\n",
        _ues(m),
        f"`{figures}/points.csv` has the points of all figures with their intervals (Fig. 9: every tenth second).\n",
    ]
    return "\n".join(parts)


def _open(worlds: int) -> tuple[str, ...]:
    return (
        "The paper does not say much of what follows. We take slots of 50 ms, gamma 0.9 and rates in bit/s/Hz. Each "
        "cell has a fixed shadowing map, correlated over 6 m. UEs begin in the centre. The imitated pairs of event "
        "A3 go from (0, 0) to (4, 4) in dB and slots. Agents observe fading. The whole list stands in `a3c.py`, in "
        "`mobility_clusters.py` and on the page of the environment.",
        "We correct these errata. The output gate has its own weights. The update ascends. The gradient of the "
        "entropy is added. Eta stands for both the step size and the weight of the entropy; both are .01. The "
        "discount of the value after n steps is gamma^n.",
        "*Paper* mode: UEs push their gradients in turn, rewards are raw, the rate is .01. *Stable* mode is ours: "
        "one averaged update a block, the critic's head learns first, rewards are centred and scaled, the rate is "
        ".001. Both modes are simulated exactly, in a fixed order.",
        f"A run is a world: three rooms with six cells and four UEs each. Fig. 9 has {worlds} worlds. The paper picks "
        "one of 100 networks at random for each of 500 tests. Here every network is tested on five new UEs of its "
        "own rooms. Intervals are over worlds.",
        "UCB's bonus fits rewards of about 1, and the paper does not say how rewards are scaled. So UCB plays twice: "
        "with the raw reward, and with the reward divided by 30 bit/s/Hz. On a tie it stays.",
        "A3 is tuned on the UEs from which A3C learns. For each beta it gets the best of "
        f"{len(HYSTERESES_DB) * len(WAITS)} pairs (0 to {HYSTERESES_DB[-1]:.0f} dB, 0 to {WAITS[-1]} slots), the same "
        "for all worlds. We widened this grid once: with 8 dB as its largest value, the best pair of beta 10 lay on "
        "the edge and lacked 0.501 %. A3, never handing over and the oracle (Viterbi in hindsight) are not in the "
        "paper.",
    )


def _summary(m: Measured) -> str:
    oracle, a3, paper, stable, ucb = (
        m.mean(a, "reward").mean for a in ("oracle", "a3", "a3c-paper", "a3c-stable", "ucb")
    )
    return (
        f"Reward over 121 s at beta 25, in bit/s/Hz: best in hindsight {oracle:.2f}, **tuned A3 {a3:.2f} (the paper "
        f"does not compare with it)**, A3C in its stable mode {stable:.2f}, UCB {ucb:.2f}, A3C as in the paper "
        f"{paper:.2f}."
    )


def _table1(m: Measured) -> str:
    sizes = list(total_ues())
    rows = [["**the paper**", "100", *(f"{printed(n, h):.2f}" for n in sizes for h in (2, 3)), "", ""]]
    for name, convention in CONVENTIONS.items():
        runs = "/".join(str(len(m.clusters(name, n, "index2"))) for n in sizes)
        cells = [with_interval(m.index(name, n, h), 1) for n in sizes for h in (2, 3)]
        best = sum(m.index(name, n, 2).mean > m.index(name, n, 3).mean for n in sizes)
        rows.append([convention.title, runs, *cells, f"{best} of 3", f"{log_error(m, name):.3f}"])
    heads = ("convention", "runs", *(f"{n}, H={h}" for n in sizes for h in (2, 3)), "two win", "error")
    return markdown_table(heads, rows)


def _figure8(m: Measured) -> str:
    rows = []
    for method in ("oracle", "a3", "a3-room", "imitation", "a3c-stable", "a3c-paper", "stay"):
        for beta in BETAS:
            rate, handovers, reward = (m.at_beta(method, k, beta) for k in ("throughput", "handovers", "reward"))
            lacks = difference(reward, m.at_beta("oracle", "reward", beta))
            pair = f" ({m.pairs[beta][0]:.0f} dB, {m.pairs[beta][1]} slots)" if method == "a3" else ""
            rows.append(
                [
                    NAMES[method] + pair,
                    f"{beta:.0f}",
                    with_interval(mean(handovers), 4),
                    with_interval(mean(rate), 2),
                    f"{reward.mean():.2f}",
                    signed(lacks),
                ]
            )
    heads = ("method", "beta", "handovers a slot", "throughput, bit/s/Hz", "reward", "reward less the oracle's, paired")
    return markdown_table(heads, rows)


def _figure9(m: Measured) -> str:
    rows = []
    for mode in A3C_MODES:
        for start, title in STARTS.items():
            method = f"a3c-{mode}{start}"
            first, last = (m.curve(method, "value")[:, i] for i in (0, -1))
            rows.append(
                [
                    f"{mode}: {title}",
                    f"{np.mean([row['ues'] for row in m.curve_rows(method)]):.1f}",
                    with_interval(mean(first), 2),
                    with_interval(mean(last), 2),
                    with_interval(mean(m.curve(method, "discounted_return")[:, -1]), 2),
                    with_interval(mean(m.curve(method, "reward").mean(axis=1)), 2),
                    with_interval(m.mean(method, "reward"), 2),
                ]
            )
    heads = (
        "mode: start",
        "UEs",
        "value, first second",
        "value, last",
        "return, last",
        "reward while learning, bit/s/Hz",
        "reward of new UEs, 121 s",
    )
    return markdown_table(heads, rows)


def _figure10(m: Measured, window: str) -> str:
    rows = []
    for method, name in NAMES.items():
        rows.append(
            [
                name,
                with_interval(m.mean(method, "throughput", window), 2),
                with_interval(m.mean(method, "handovers", window), 4),
                with_interval(m.mean(method, "reward", window), 2),
                "" if method == "a3" else signed(m.apart(method, "a3", "reward", window)),
            ]
        )
    heads = ("method", "throughput, bit/s/Hz", "handovers a slot", "reward", "reward less tuned A3's, paired")
    return f"The {_WINDOWS[window]}:\n\n" + markdown_table(heads, rows)


def _ues(m: Measured) -> str:
    rows = []
    for name, title in _SPEEDS.items():
        some = m.speed(name)
        for n in sorted({row["ues"] for row in some}):
            own = [row for row in some if row["ues"] == n]
            blocks = ", ".join("–" if row["blocks_to_target"] is None else str(row["blocks_to_target"]) for row in own)
            median = needed(some, n)
            lacks = mean(np.array([row["final_reward"] - row["a3_reward"] for row in own]))
            rows.append(
                [
                    title,
                    str(n),
                    blocks,
                    f"{median:.0f}" if np.isfinite(median) else "–",
                    f"{own[0]['mean_delay']:.1f}",
                    f"{own[0]['bound_ues']:.0f}",
                    signed(lacks, 2),
                ]
            )
    heads = (
        "updates",
        "UEs",
        "blocks to the target, each run (–: never)",
        "median",
        "mean delay, updates",
        "square root of the updates",
        "reward at the end less A3's",
    )
    return markdown_table(heads, rows)
