"""The page of the reproduction of arXiv 1804.05757."""

from __future__ import annotations

from collections.abc import Sequence

from mmwave_baselines.power_allocation.reproduction.learning import FEWER_RUNS, RADII_M, RUNS, SHARING_RUNS
from mmwave_baselines.power_allocation.reproduction.measures import LINES, NAMES, TITLES, Measured
from mmwave_baselines.power_allocation.reproduction.networks import NETWORK_DENSITIES, SCOPES
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS, VARIANT_SIZES
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.words import counts, numbered, with_interval
from mmwave_gym.benchmark.reproduction import Claim, claims_table, markdown_table, reasons
from mmwave_gym.benchmark.statistics import Interval

_OPEN = (
    "The surviving text has no formulas, no figures and few parameter values. We take them from the authors' public "
    "code of the same weeks: formulas, 32 power levels, alpha 0.5, gamma 0.9, epsilon 0.1 for the first 80 % of "
    "50,000 steps, the early stop, the required SINR of 2.83, the axes of figures and the protocol.",
    "The authors' protocol has sixteen places in five rows. Each of 100 runs puts them in a random order, and a "
    "cluster of n takes the first n places. Shadowing is drawn anew for each n. The protocol has no Poisson process "
    "and no FLOC.",
    "There are three settings. *The authors' code*: shadowing is the mean of ten draws (2.75 dB are left of 8.7) and "
    "is on own links, too; the UE is 10 m north of its base station; UE i is charged with the interference of UEs 1 "
    "to i, a fault in all versions of the code. *The same worlds, repaired*: each UE has its own interference. *As "
    "the text says*: shadowing of 8.7 dB on interferers only, and UEs anywhere within 10 m.",
    "We leave out another fault of the code everywhere: its loop never credits the greatest power with a reward.",
    "Eq. 6, the rule of choice, is lost. We try three readings. *Independent*: each base station uses its own table, "
    "for which the text argues. *Tables of the ring*: it adds the others' rows of its own ring, as the code does. "
    "*All tables*: it adds everybody's row, so that all choose the same level.",
    "EXP-Q's reward is exp(-(C - log2(1 + q))^2), the last one that the authors added to their code before the paper.",
    "A learner's result is the capacity in its very last step, as in the code.",
    "The optimum is the best known: successive convex approximation with QoS. With the authors' fault a base station "
    "disturbs its own UE; there the optimum is coordinate ascent on the 32 levels from eleven starts. Optimum, full "
    "power and random power are not in the paper.",
)


def page(m: Measured, claims: Sequence[Claim], figures: str) -> str:
    """All of it but how it was made."""
    quick = m.results.quick
    shorter = "; 2,000 here" if quick else ""
    parts = [
        "# Self-organizing mmWave networks: a power allocation scheme based on machine learning, reproduced\n",
        "R. Amiri, H. Mehrpouyan, GSMM 2018 ([arXiv 1804.05757](https://arxiv.org/abs/1804.05757)).\n",
        counts(claims),
        f"{_summary(m)}\n",
        "## What the paper leaves open, and what we take\n",
        numbered(_OPEN),
        "## Verdicts\n",
        claims_table(claims),
        "* Reproduced: within the tolerance, or true at every size in every setting.\n* Partly: up to twice the "
        "tolerance, or true at every size in some settings.\n\nIntervals are 95 %, over runs. Where the text gives "
        "no number, the bound is ours and is named below. The prototype is an earlier implementation of ours; it "
        "shares no code with this one.\n",
        "### Why\n",
        reasons(claims),
        "## Fig. 1: the reward\n",
        f"![Rewards against capacity]({figures}/figure1.png)\n",
        "The environment's rewards for random powers. CDP-Q's reward is flat from twice log2 q on. Nothing is left "
        "to win there, and of levels that earned the same the lowest is taken.\n",
        "## Figs. 2 and 3: clusters\n",
        f"![Clusters at two densities]({figures}/figures2and3.png)\n",
        "One draw with 120 and one with 148 base stations a square kilometre (the counts in the paper's captions are "
        "lost). Lines join members to their cluster heads, which are filled.\n",
        f"![Sizes of clusters, time to settle, messages]({figures}/clusters.png)\n",
        _floc(m),
        "## Figs. 4 and 5: members' capacities\n",
        f"![Members' capacities against cluster size]({figures}/figures4and5.png)\n",
        f"A point is a member's mean over {RUNS[quick]} runs ({FEWER_RUNS[quick]} in the setting *as the text says*), "
        "as in the paper. Members of different runs stand at different places, so this mean says little about "
        "anyone. A cross is the least capacity of any member in any run. A UE is satisfied from "
        f"{LINES['log2(1 + q)']:.2f} bit/s/Hz on; the paper's line is {LINES['log2 q']:.2f}.\n",
        _satisfied(m),
        "## Fig. 6: fairness\n",
        f"![Jain's index against cluster size]({figures}/figure6.png)\n",
        "Above is the authors' index, that of the members' mean capacities. Places are shuffled from run to run, so "
        "a mean evens out who had more and who had less. Below is the index of each run.\n",
        *(_fairness(m, setting) for setting in SETTINGS),
        "## Fig. 7: sum capacity\n",
        f"![Sum capacity against cluster size]({figures}/figure7.png)\n",
        *(_sums(m, setting) for setting in SETTINGS),
        _full(m),
        "## The three readings of eq. 6\n",
        f"![Sum capacity, fairness and satisfied members for three readings]({figures}/readings.png)\n",
        f"{SHARING_RUNS[quick]} runs a size for learners that share tables.\n",
        _readings(m),
        "## Without bootstrapping\n",
        "A base station's state never changes. So this is a bandit problem, and a discount has nothing to look ahead "
        f"to. The table has repaired worlds, independent tables and {FEWER_RUNS[quick]} runs with gamma 0. A run is "
        "at rest if powers stay the same for the last 500 steps; they do not in a run that the authors' stop ends "
        "early.\n",
        _variants(m),
        "## Whole networks\n",
        f"![Capacity and missed QoS with and without interference of other clusters]({figures}/networks.png)\n",
        "Poisson networks of a square kilometre, clustered by FLOC, in the setting *as the text says*. Interference "
        "comes from the own cluster only, or from the whole network. Learners play fewer steps than above (20,000 at "
        f"120 base stations a square kilometre, 6,000 at 480{shorter}). Jain's index is the mean over clusters of two "
        "or more.\n",
        *(_network(m, density) for density in NETWORK_DENSITIES),
        "## Against the prototype\n",
        "The verdicts above have the distances in % to the prototype's numbers. Our own numbers, with intervals:\n",
        _optima(m),
        f"`{figures}/points.csv` has every point of Figs. 4 to 7 with its interval.\n",
    ]
    return "\n".join(parts)


def _percent(value: Interval) -> Interval:
    low, high = (None if end is None else 100.0 * min(end, 1.0) for end in (value.low, value.high))
    return Interval(100.0 * value.mean, low, high)


def _summary(m: Measured) -> str:
    last = m.sizes[-1]
    cdp, exp = (m.share("repaired", last, a, "optimum").mean for a in ("cdp", "exp"))
    full = m.share("repaired", last, "full", "optimum")
    met = {a: m.mean("repaired", last, a, "satisfied").mean for a in ("cdp", "exp", "full")}
    return (
        f"In clusters of {last} with the fault repaired, CDP-Q reaches {cdp:.0f} % of the optimal sum capacity and "
        f"satisfies {100 * met['cdp']:.1f} % of UEs. EXP-Q reaches {exp:.0f} % and satisfies {100 * met['exp']:.0f} "
        f"%. **Full power, which learns nothing, reaches {with_interval(full)} % and satisfies "
        f"{100 * met['full']:.1f} "
        f"%**{': in this regime there is almost nothing to allocate' if full.mean >= 95.0 else ''}."
    )


def _floc(m: Measured) -> str:
    rows = []
    for row in sorted(m.results.tables["scale"], key=lambda r: (r["side_m"], r["draw"])):
        rows.append(
            [
                *(f"{row['side_m'] / 1000:g}", str(row["num_bs"]), str(row["heads"])),
                *(
                    f"{row['num_bs'] / row['heads']:.1f}",
                    f"{row['settled_s']:.2f}",
                    f"{row['messages'] / row['num_bs']:.3f}",
                ),
            ]
        )
    heads = ("side, km", "base stations", "clusters", "mean size", "settled after, s", "messages a base station")
    return markdown_table(heads, rows)


def _satisfied(m: Measured) -> str:
    rows = []
    for setting in SETTINGS:
        for method in ("cdp", "exp", "random", "full", "optimum"):
            cells = []
            for n in _shown(m):
                members, everybody = (_percent(m.mean(setting, n, method, what)) for what in ("satisfied", "all"))
                cells.append(f"{members.mean:.1f} / {everybody.mean:.0f}")
            rows.append([TITLES[setting], NAMES[method], *cells])
    heads = ("setting", "satisfied members / runs with everybody satisfied, %", *(f"n = {n}" for n in _shown(m)))
    return markdown_table(heads, rows)


def _shown(m: Measured) -> tuple[int, ...]:
    return tuple(n for n in m.sizes if n % 2 == 0)


def _fairness(m: Measured, setting: str) -> str:
    rows = []
    for n in m.sizes:
        cells = [with_interval(m.jain_of_means(setting, n, a), 3) for a in ("cdp", "exp")]
        cells += [with_interval(m.mean(setting, n, a, "jain"), 3) for a in ("cdp", "exp", "full", "optimum")]
        rows.append([str(n), *cells])
    heads = ("n", "CDP-Q, of means", "EXP-Q, of means", "CDP-Q", "EXP-Q", "full power", "optimum")
    return f"Jain's index, {TITLES[setting]}:\n\n" + markdown_table(heads, rows)


def _sums(m: Measured, setting: str) -> str:
    methods = ("cdp", "exp", "full", "random", "optimum")
    rows = []
    for n in m.sizes:
        gap = m.difference(setting, n, "cdp", "exp")
        cells = [with_interval(m.mean(setting, n, a)) for a in methods]
        rows.append([str(n), *cells, with_interval(gap)])
    heads = ("n", *(NAMES[a] for a in methods), "CDP-Q less EXP-Q, paired")
    return f"Sum capacity in bit/s/Hz, {TITLES[setting]}:\n\n" + markdown_table(heads, rows)


def _full(m: Measured) -> str:
    """Everybody's share of the optimum, and where there is something to gain."""
    rows = []
    cases = [(TITLES[s], s, n) for s in SETTINGS for n in _shown(m)]
    cases += [(f"as the text says, UEs up to {r:.0f} m away", f"radius-{r:g}", m.sizes[-1]) for r in RADII_M]
    for title, setting, n in cases:
        cells = [
            f"{with_interval(m.share(setting, n, a, 'optimum'))} / {100 * m.mean(setting, n, a, 'satisfied').mean:.1f}"
            for a in ("full", "cdp", "exp", "random")
        ]
        rows.append([title, str(n), *cells, f"{100 * m.mean(setting, n, 'optimum', 'satisfied').mean:.1f}"])
    heads = ("setting", "n", *(NAMES[a] for a in ("full", "cdp", "exp", "random")), "optimum satisfies, %")
    return (
        "Share of the optimum's sum capacity in %, and satisfied UEs in %, in the paper's worlds and with UEs farther "
        "away:\n\n" + markdown_table(heads, rows)
    )


def _readings(m: Measured) -> str:
    rows = []
    for setting in m.of_settings("cdp-eq6"):
        for n in (k for k in m.sizes if m.has(setting, k, "cdp-eq6")):
            for suffix, reading in (("", "independent"), ("-code", "tables of the ring"), ("-eq6", "all tables")):
                cells = []
                for learner in ("cdp", "exp"):
                    rate, index, met = (
                        m.mean(setting, n, learner + suffix, what).mean for what in ("sum", "jain", "satisfied")
                    )
                    cells.append(f"{rate:.1f} / {index:.3f} / {100 * met:.1f}")
                gap = with_interval(m.difference(setting, n, f"cdp{suffix}", f"exp{suffix}"))
                rows.append([TITLES[setting], str(n), reading, *cells, gap])
    heads = ("setting", "n", "reading", "CDP-Q: sum / Jain / satisfied, %", "EXP-Q", "sum, CDP-Q less EXP-Q")
    return markdown_table(heads, rows)


def _variants(m: Measured) -> str:
    rows = []
    for n in VARIANT_SIZES:
        for method in ("cdp", "cdp-gamma0", "exp", "exp-gamma0", "full"):
            rate, index = (
                with_interval(m.mean("repaired", n, method, what), d) for what, d in (("sum", 1), ("jain", 3))
            )
            met = f"{100 * m.mean('repaired', n, method, 'satisfied').mean:.1f}"
            rests = "" if method == "full" else f"{100 * m.mean('repaired', n, method, 'rests').mean:.0f}"
            late = "" if method == "full" else f"{m.mean('repaired', n, method, 'steady_rate_bps_hz').mean:.1f}"
            rows.append([str(n), NAMES[method], rate, index, met, late, rests])
    heads = (
        "n",
        "method",
        "sum, bit/s/Hz",
        "Jain",
        "satisfied, %",
        "sum, mean of the last 500 steps",
        "runs at rest, %",
    )
    return markdown_table(heads, rows)


def _network(m: Measured, density: int) -> str:
    rows = []
    for method in m.network_methods(density):
        cells = []
        for scope in SCOPES:
            rate, index, missed = (
                mean(m.network(density, scope, method, what)) for what in ("capacity_bps_hz", "jain", "violations")
            )
            cells.append(f"{with_interval(rate, 2)} / {index.mean:.3f} / {100 * missed.mean:.1f}")
        rows.append([NAMES[method], *cells, with_interval(m.lost(density, method))])
    heads = ("method", "own cluster only: bit/s/Hz / Jain / QoS missed, %", "whole network", "lost, %")
    draws = len(m.network(density, "network", "full", "jain"))
    return f"{density} base stations per km², {draws} draws:\n\n" + markdown_table(heads, rows)


def _optima(m: Measured) -> str:
    methods = ("random", "minimum", "foschini-miljanic", "full", "max-min", "wmmse", "optimum", "levels")
    rows = []
    for n in (2, 3, 4, 8, 14):
        if n in m.sizes:
            rows.append(
                [
                    str(n),
                    *(
                        f"{with_interval(m.mean('repaired', n, a))} / {m.mean('repaired', n, a, 'jain').mean:.3f}"
                        for a in methods
                    ),
                ]
            )
    return markdown_table(("n: sum / Jain", *(NAMES[a] for a in methods)), rows)
