"""The page of the reproduction of arXiv 2201.05983."""

from __future__ import annotations

from collections.abc import Sequence

from mmwave_baselines.association.reproduction import search
from mmwave_baselines.association.reproduction.claims import CELLS
from mmwave_baselines.association.reproduction.measures import JAIN, NAMES, P5, Column, Measured, SearchResult, printed
from mmwave_baselines.association.reproduction.plan import BESIDE, FIVE, SETTLE_S, Setting
from mmwave_baselines.reproduction.words import counts, numbered, with_interval
from mmwave_gym.benchmark.reproduction import Claim, Results, claims_table, markdown_table, reasons

_OPEN = (
    "The surviving text has neither formulas nor parameter values. Road length, area, coverage radius, powers, path "
    "loss exponent, speed, learning rate, discount and the rank's hyper-parameter are ours. We chose some of them "
    "after seeing Table I. That SQA comes near its column shows that the column can be reached, not that these are "
    "the authors' values.",
    "A rate is the sum over the network in units of 10 Mbit/s, as the table's head says. A rate of 77.6 is a mean "
    "efficiency of 1.21 bit/s/Hz in each of 64 cells of 10 MHz. The time between handovers is the time that all UEs "
    "spend together, divided by their handovers.",
    "The streets have 8 x 8 crossings, roads of 200 m, a range of 150 m and a speed of 50 km/h. Then every UE hands "
    "over once a road, whoever decides. Free is only the moment, and with it the base station of a weak link.",
    "RBH maximises the UE's own rate at the instant; *network's rate* is the other reading of \"instant transmission "
    'rate". LBH is the dynamic programme to which its learning converges on a known route, with a price of 1 bit/Hz '
    "for a handover. SMART is rebuilt from one sentence and an abstract.",
    "SQA has alpha 0.1, gamma 1 and beta 10. Its *best setting*, gamma 0.9 and beta 3, is ours. Both sample 100 "
    "series of half as many epochs as there are UEs, as printed.",
    "MSR (myopic sum rate), rollout, PRICE and COVER are not in the paper.",
)


def page(m: Measured, claims: Sequence[Claim], figures: str) -> str:
    """All of it but how it was made."""
    cells, others = ([c for c in claims if (c.id in CELLS) is wanted] for wanted in (True, False))
    parts = [
        "# Sequence Q-Learning Algorithm for Optimal Mobility-Aware User Association, reproduced\n",
        "W. Ning, Z. Xu, J. Wu, T. Tong, ICC 2022 ([arXiv 2201.05983](https://arxiv.org/abs/2201.05983)).\n",
        counts(others, cells, "Table I"),
        f"{_summary(m)}\n",
        "## What the paper leaves open, and what we take\n",
        numbered(_OPEN),
        "## Verdicts\n",
        claims_table(others),
        "* Reproduced: within the tolerance, or true at every density.\n* Partly: up to twice the tolerance, or true "
        "at some densities.\n* Not comparable: the paper has nothing to compare with.\n\nNumbers of Table I are "
        "reproduced within 5 % of a rate and 0.5 s of a time. These tolerances are ours: the paper prints single "
        "numbers without error bars, and columns that should be smooth jump by as much.\n",
        "### Why\n",
        reasons(others),
        "## Table I\n",
        f"![Rate and time between handovers, a panel for each method]({figures}/table1.png)\n",
        "Our value with the 95 % interval over worlds, and the paper's value in brackets. Every method plays the "
        f"same worlds; the first {SETTLE_S:.0f} s are dropped. The last two columns are fairness: the 5th percentile "
        "of the UEs' mean rates over the scored seconds, in Mbit/s, and Jain's index. A sum rate does not show it: "
        "the sum grows when weak links crowd into few cells.\n",
        *(_density(m, n) for n in m.densities),
        "## Fig. 2\n",
        f"![The network's rate over time, a panel for each density]({figures}/figure2.png)\n",
        "The network's rate in each second of one world, as a running mean over five seconds. All UEs begin with "
        f"their strongest base station. The first {SETTLE_S:.0f} s, left of the dashed line, are therefore not scored "
        "elsewhere.\n",
        _leads(m),
        "## What SQA's planning costs\n",
        f"![Planning time against series, their length and UEs]({figures}/cost.png)\n",
        "Processor time of a decision between several candidates (other decisions need none). The code is compiled "
        "by numba and runs on one core shared with other work. *Late*: share of decisions whose planning takes "
        "longer than the time since the epoch before. *Behind*: how late the last decision of 40 s would come.\n",
        _cost(m.results),
        "## Is there a world that yields all five columns?\n",
        _search_text(m),
        f"![Columns of Table I in each world of the search]({figures}/search.png)\n",
        "Rate and time of each column at 512 UEs; hollow diamonds are the paper's. Lengths are in roads. *Distance* "
        "is the root mean square over rates and times, in %. In each world the SNR is the one at which SBH earns the "
        "printed rate. (*High SNR* has 8 bit/s/Hz a cell, the reading in which Table I's rates are those of a base "
        "station.) Rates are scaled so that SBH's is the printed one. Some columns have several readings: RBH by the "
        "own or the network's rate, LBH with a price of 1 or 20 bit/Hz, SQA in two settings. The nearest one stands "
        f"here. Each is one world of {search.SCORED_S:.0f} scored seconds.\n",
        _search(m),
    ]
    return "\n".join(parts)


def _summary(m: Measured) -> str:
    first, last = m.densities[0], m.densities[-1]
    gains = [m.gain(n, "sqa") for n in (first, last)]
    msr = [m.gain(n, "msr") for n in (first, last)]
    paper = [100.0 * (printed("rate", n, "sqa") / printed("rate", n, "sbh") - 1.0) for n in (first, last)]
    return (
        f"SQA gains {gains[0].mean:.0f} % over SNR-based handover at {first} UEs and {gains[1].mean:.0f} % at {last} "
        f"(paper: {paper[0]:.0f} and {paper[1]:.0f} %). A rule of one line that adds each link where it helps the sum "
        f"rate most gains {msr[0].mean:.0f} and {msr[1].mean:.0f} %."
    )


def _density(m: Measured, num_ues: int) -> str:
    task = Setting(num_ues).task(m.results.quick)
    rows = []
    for agent in (*FIVE, *BESIDE):
        rate, time_s = with_interval(m.mean(num_ues, agent)), with_interval(m.time(num_ues, agent), 2)
        if agent in FIVE:
            rate += f" [{printed('rate', num_ues, agent):.2f}]"
            time_s += f" [{printed('time', num_ues, agent):.2f}]"
        gain = "" if agent == "sbh" else with_interval(m.gain(num_ues, agent))
        p5, jain = (with_interval(m.mean(num_ues, agent, metric), 2) for metric in (P5, JAIN))
        rows.append([NAMES[agent] + ("" if agent in FIVE else " *"), rate, gain, time_s, p5, jain])
    heads = ("rate, 10 Mbit/s", "gain over SBH, %", "time between handovers, s", "5th percentile, Mbit/s", "Jain")
    seconds = task.kwargs["duration_s"] - SETTLE_S
    return (
        f"### {num_ues} UEs\n\n{m.worlds(num_ues)} worlds, {seconds:.0f} scored seconds each; * is not a column of the "
        "paper.\n\n" + markdown_table(("method", *heads), rows)
    )


def _leads(m: Measured) -> str:
    """Share of scored seconds in which each of the five leads."""
    rows = []
    for n in m.densities:
        shares = [m.leads(n, agent, [other for other in FIVE if other != agent]) for agent in FIVE]
        rows.append([str(n), *(f"{share:.0%}" for share in shares)])
    heads = ("seconds led: UEs", *(NAMES[agent] for agent in FIVE))
    return markdown_table(heads, rows)


def _cost(results: Results) -> str:
    rows = [
        [
            *(str(r["num_ues"]), r["geometry"], str(r["iterations"]), str(r["depth_epochs"]), f"{r['step_ns']:.0f}"),
            *(f"{r['epoch_ms']:.2g}", f"{r['gap_ms']:.2g}", "yes" if r["busy"] < 1.0 else "no"),
            *(f"{r['late']:.0%}", f"{r['behind_s']:.2g}"),
        ]
        for r in results.tables["cost"]
    ]
    heads = ("UEs", "world", "series", "length, epochs", "a step, ns", "planning a decision, ms", "time there is, ms")
    return markdown_table((*heads, "keeps up", "late", "behind, s"), rows)


def _search_text(m: Measured) -> str:
    found = m.found()
    complete = [r for r in found if "sqa" in r.columns]
    good = [r for r in complete if r.worst <= 5.0]
    best = complete[0]
    verdict = (
        f"{len(good)} of them meet all ten numbers within 5 %."
        if good
        else f"None meets all ten numbers within 5 %; the nearest misses one by {best.worst:.0f} %."
    )
    return (
        f"{len(found)} worlds were tried, {len(complete)} of them with SQA. {verdict} With a range below a road's "
        "length every UE hands over once a road, whoever decides. In the paper SBH, SMART and SQA do so; RBH and LBH "
        "do not. With a longer range LBH can skip a base station and RBH can add one. But then every method that "
        "maximises the sum rate hands over more often, too. The search did not vary turns within a road, differing "
        "speeds, clustered UEs or interference. It had one range, not two thresholds (one to leave, one to enter).\n"
    )


def _search(m: Measured) -> str:
    rows = []
    for result in m.found():
        world = result.world
        cells = [_column(result, agent) for agent in FIVE]
        rows.append(
            [
                *(f"{world.radius:g}", f"{world.sides[0]:g} to {world.sides[1]:g}", f"{world.exponent:g}"),
                *(f"{world.keywords()['snr_1m_db']:.1f}", *cells),
                f"{result.msr[0] * printed('rate', search.NUM_UES, 'sbh'):.1f} / {result.msr[1]:.1f}",
                f"{result.rms:.1f}" + ("" if "sqa" in result.columns else " (8 numbers)"),
            ]
        )
    paper = [f"{printed('rate', 512, a):.1f} / {printed('time', 512, a):.1f}" for a in FIVE]
    rows.append(["paper", "", "", "", *paper, "", ""])
    heads = ("range", "sides", "exponent", "SNR at 1 m, dB", *(NAMES[a] for a in FIVE), "MSR", "distance, %")
    return markdown_table(heads, rows)


def _column(result: SearchResult, agent: str) -> str:
    column: Column | None = result.columns.get(agent)
    if column is None:
        return "not run"
    reading = {"rbh-network": " (network)", "sqa-best": " (best)"}.get(column.agent, "")
    reading = " (c = 20)" if column.agent.endswith("Lbh20") else reading
    return f"{column.rate:.1f} / {column.time_s:.1f}{reading}"
