"""The page of the reproduction of arXiv 1507.00387."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmwave_baselines.cell_selection.reproduction.claims import CELLS
from mmwave_baselines.cell_selection.reproduction.measures import (
    EFFICIENCY,
    HANDOVERS,
    NAMES,
    OUTAGE,
    RATES,
    Measured,
    exact_value,
    printed_gain,
)
from mmwave_baselines.cell_selection.reproduction.plan import (
    CORNERS,
    COSTS,
    DERIVED,
    FIGURE,
    NUM_UES,
    POSSIBLE,
    TABLE,
    Setting,
)
from mmwave_baselines.reproduction.words import counts, numbered, with_interval
from mmwave_gym.benchmark.reproduction import Claim, Results, claims_table, markdown_table, reasons

_OPEN = (
    "Rows and columns of matrix (14) are in the order LOS, NLOS, outage, not in that of eq. 1. There is a verdict on "
    "it below.",
    "The paper prints no rates. *Fitted* rates have one free number, the NLOS rate in units of the LOS rate, chosen "
    "by Table I. *Derived* rates (`shannon`) follow from the path loss of the channel model that the text cites.",
    "Eq. 9 adds the incoming UE to the load U_a, so U counts the *other* UEs here. If U summed to N (eq. 4), a UE "
    "that stays would count twice.",
    "In a slot all UEs see K(t) and the loads after t - 1, and decide at once. They earn the rate at K(t + 1), "
    "shared with the UEs that are there then. The MDP's own reward takes the loads of the slot before (footnote 1).",
    "Eq. 12 needs the other UEs' policies. *Same frame*: they are evaluated as if all UEs were at BS 1, where the "
    "deciding UE is. The other reading, each UE in its own frame, is judged beside it.",
    "The discount 0.9 and epsilon are ours. On a tie of values a UE stays. Initial policies are random and differ "
    "from UE to UE. Algorithm 1 stops when every UE in turn has kept its policy, or when a round repeats earlier "
    "policies (a cycle).",
    "Rate and Channel break ties at random, unless their name says otherwise. Upper Bound makes the joint choice "
    "with the best expected sum of the next slot. Average spectral efficiency is the sum over UEs. Handovers are "
    "those of all UEs in a slot.",
)


def page(m: Measured, claims: Sequence[Claim], figures: str) -> str:
    """All of it but how it was made."""
    results, others = m.results, [c for c in claims if c.id not in CELLS]
    rmse, interval, cells = m.rmse(TABLE)
    rates = Setting(*FIGURE).game().rate_bps_hz
    derived = Setting(*FIGURE, "shannon").game().rate_bps_hz
    law = ", ".join(f"{100 * p:.0f}" for p in _law(results))
    parts = [
        "# An MDP Model for Optimal Handover Decisions in mmWave Cellular Networks, reproduced\n",
        "M. Mezzavilla, S. Goyal, S. Panwar, S. Rangan, M. Zorzi, EuCNC 2016 "
        "([arXiv 1507.00387](https://arxiv.org/abs/1507.00387)).\n",
        counts(claims),
        f"Table I is met within {rmse:.1f} points ({interval[0]:.1f} to {interval[1]:.1f}, root mean "
        f"square over {cells} cells) with one fitted number: the NLOS rate is {rates[1] / rates[0]:.2f} of the LOS "
        f"rate. By the path loss it would be {derived[1] / derived[0]:.3f}.\n",
        "The gains rest on the printed matrix. In it a link in outage returns to line of sight far more often than "
        f"an NLOS link does. So the MDP waits at cells in outage, {_at_outage(results)}. With the matrix that the "
        "text describes, or one fitted to drive tests, the gains are smaller.\n",
        "## What the paper leaves open, and what we take\n",
        numbered(_OPEN),
        "## Verdicts\n",
        claims_table(others),
        "* Reproduced: within the tolerance, or true in every case.\n* Partly: up to twice the tolerance, or true in "
        "some cases.\n* Not comparable: the text gives nothing to compare with.\n",
        "### Why\n",
        reasons(others),
        "## Table I\n",
        "Gain of MDP over Channel in average sum spectral efficiency, in %. Our value has the 95 % interval over "
        "random starts and episodes; the paper's value is in brackets. Rates are fitted, loads are those of the last "
        "slot (footnote 1), all UEs decide in the same frame, and Channel breaks ties at random.\n",
        _gains(m, "fitted", "mdp"),
        f"![Gain over handover cost, a panel for each number of UEs]({figures}/table1.png)\n",
        "The same table with the derived rates (nothing fitted), and then with the expected next load in place of "
        "the last one:\n",
        *([_gains(m, "shannon", "mdp"), _gains(m, "shannon", "mdp-next")] if m.has(DERIVED[1], "mdp") else []),
        "## Figs. 1 and 2\n",
        f"![Spectral efficiency and handovers of every scheme]({figures}/figures1and2.png)\n",
        "Three UEs, three BSs, handover cost 10 %. The paper's figures have no numbers and its rates are not "
        "printed, so only the order can be compared. Left: fitted rates. Right: derived rates.\n",
        _schemes(m),
        "## Fig. 3\n",
        f"![State counts]({figures}/figure3.png)\n",
        "Number of states by eq. 21, with eq. 19 repaired and as printed, and the number of states that really "
        "differ.\n",
        _states(results),
        "## What is possible\n",
        f"![Policies and bounds for each number of UEs and cost]({figures}/possible.png)\n",
        "Sum spectral efficiency in bit/s/Hz, derived rates, played with 95 % intervals. Of the columns right of "
        "MDP, only the exhaustive search is in the paper.\n\n* *Team*: the best policy found that all UEs share and "
        "that sees what an MDP UE sees, without and with a slot of memory.\n* *Local bound*: proven for every policy "
        f"that sees what a UE sees, whatever it remembers, by one-step delayed sharing{_bound_note(results)}; N = 3 "
        "only.\n* *Optimum*: exact, for a controller that knows all channels, by relative value iteration.\n* "
        "*Bound*: proven for every controller that knows all channels.\n\nThe rate of a lone UE in line of sight is "
        f"{derived[0]:.2f} bit/s/Hz.\n",
        _possible(m),
        _exact_cost(results),
        "## Robustness\n",
        f"![Gains with other matrices and rates]({figures}/robustness.png)\n",
        "## Convergence of Algorithm 1\n",
        f"![Updates until convergence, and simultaneous updates]({figures}/convergence.png)\n",
        "One UE after the other, with fitted rates. Each number is the updates of a random start; a cycle's length "
        "is in rounds.\n",
        _one_by_one(m),
        "All UEs at once, from the same starts. The table has how many starts do not settle, after how many rounds "
        "policies repeat, how many entries of the policies change in the last round, and what the policies of the "
        "last two rounds earn.\n",
        _at_once(m),
        "## N policies\n",
        "Every UE keeps a policy of its own. The table has how many of the N policies differ at the end, the share "
        "of its slots in which a UE would act otherwise than another UE (weighted by its stationary law), and what "
        "each start earns.\n",
        _own_policies(m),
        "## Stationary law of the policies\n",
        "The table compares what a UE expects by its own model at the end of Algorithm 1 with what it meets when all "
        "play. In the model the others' channels are drawn anew in every slot (section III). Compared are the state "
        "of the link to the chosen BS, the share of slots in outage, and the handovers of all UEs in a slot. A link "
        f"has the state LOS, NLOS, outage in {law} % of slots. The model "
        "counts more handovers than the UEs make, because in it the others' choices do not persist from slot to "
        "slot.\n",
        _stationary(m),
        "## Policies for every number of UEs present\n",
        "In section V, BSs disseminate policies for UEs that come and go. The `mdp` agents play the policy for the "
        f"number of UEs that they see. Three BSs, cost {100 * FIGURE[1]:.0f} %.\n",
        _present(results),
        "## Scale of value iteration\n",
        f"![States, time and memory]({figures}/scaling.png)\n",
        "What the solution of one UE costs on one core: the others' law, and value iteration to 1e-6 with a factored "
        "transition kernel.\n",
        _scaling(results),
    ]
    return "\n".join(parts)


def _gains(m: Measured, rates: str, agent: str) -> str:
    rows = []
    for n in NUM_UES:
        cells = [f"{n} UEs"]
        for cost in COSTS:
            setting = Setting(n, cost, rates)
            ours = with_interval(m.gain(setting, agent)) if m.has(setting, agent) else "not run"
            cells.append(f"{ours} [{printed_gain(n, cost)}]")
        rows.append(cells)
    return markdown_table(("", *(f"{100 * cost:.0f} % cost" for cost in COSTS)), rows)


def _schemes(m: Measured) -> str:
    settings = [Setting(*FIGURE, rates) for rates in ("fitted", "shannon")]
    rows = [
        [name, *(with_interval(m.mean(s, agent, k), 2) for s in settings for k in (EFFICIENCY, HANDOVERS))]
        for agent, name in NAMES.items()
        if m.has(settings[0], agent)
    ]
    columns = [f"{k}, {RATES[s.rates]} rates" for s in settings for k in ("bit/s/Hz", "handovers a slot")]
    return markdown_table(("scheme", *columns), rows)


def _percent(cost: float) -> str:
    return f"{100 * cost:.0f} %"


def _at_outage(results: Results) -> str:
    """How often it does, where costs are least and largest."""
    shares = [100 * r["chosen"][-1] for r in results.tables["policies"]]
    return (
        f"in {min(shares):.0f} to {max(shares):.0f} % of its slots, though {100 * _law(results)[-1]:.0f} % of links are"
    )


def _law(results: Results) -> list[float]:
    return next(row["law"] for row in results.tables["matrix"] if row["name"] == "printed")


def _bound_note(results: Results) -> str:
    with_cost = any(r["what"] == "local" and r["handover_cost"] > 0.0 for r in results.tables["exact"])
    return "" if with_cost else ", computed without handover cost, which bounds every cost"


def _possible(m: Measured) -> str:
    agents = ("mdp", "mdp-next", "team", "team-memory", "myopic")
    lines = []
    for setting in (s for s in POSSIBLE if m.has(s, "team")):
        n, cost = setting.num_ues, setting.handover_cost
        rule = max(("rate-stay", "channel-stay"), key=lambda a: m.mean(setting, a).mean)
        played = [
            with_interval(m.mean(setting, agent), 2) if m.has(setting, agent) else "" for agent in (rule, *agents)
        ]
        exact = [exact_value(m.results, what, n, cost) for what in ("local", "optimum", "bound")]
        local, optimum, bound = ("" if value is None else f"{value:.2f}" for value in exact)
        lines.append([str(n), _percent(cost), *played[:5], local, played[5], optimum, bound])
    heads = (
        "best rule",
        "MDP",
        "MDP, next load",
        "team",
        "team, memory",
        "local bound",
        "exhaustive",
        "optimum",
        "bound",
    )
    return markdown_table(("N", "cost", *heads), lines)


def _exact_cost(results: Results) -> str:
    """What the optima and bounds cost to find."""
    names = {
        "optimum": "optimum",
        "bound": "joint bound",
        "local": "local bound",
        "team": "team policy by its gradient",
    }
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for r in results.tables["exact"]:
        if r["what"] in names:
            found.setdefault((r["what"], r["num_ues"]), []).append(r)
    lines = [
        [names[what], str(n), f"{max(r['cpu_s'] for r in rows):.0f}", f"{max(r['peak_mb'] for r in rows)}"]
        for (what, n), rows in found.items()
        if max(r["cpu_s"] for r in rows) >= 1.0
    ]
    return (
        "The team's policies come from `python -m mmwave_baselines.cell_selection.solve_team`, optima and bounds "
        "from `solve_exact` beside it. Their results are shipped. This table has what took a second or more, at the "
        "largest handover cost:\n\n" + markdown_table(("what", "N", "processor time, s", "peak memory, MB"), lines)
    )


def _one_by_one(m: Measured) -> str:
    ended = m.configs()
    lines = []
    for n in NUM_UES:
        cells = [f"{n} UEs"]
        for cost in COSTS:
            configs = [c for s, c in ended if (s.num_ues, s.handover_cost) == (n, cost)]
            cells.append(", ".join(_how(c) for c in configs))
        lines.append(cells)
    return markdown_table(("updates", *(f"{_percent(cost)} cost" for cost in COSTS)), lines)


def _how(config: dict[str, object]) -> str:
    if config["converged"]:
        return str(config["updates"])
    return f"cycle of {config['cycle_rounds']}" if config["cycle_rounds"] else f"{config['updates']}, not settled"


def _cells_of(rows: Sequence[dict[str, Any]]) -> list[tuple[Setting, list[dict[str, Any]]]]:
    found: dict[Setting, list[dict[str, Any]]] = {}
    for r in rows:
        found.setdefault(Setting(r["num_ues"], r["handover_cost"]), []).append(r)
    return list(found.items())


def _at_once(m: Measured) -> str:
    lines = []
    for setting, rows in _cells_of(m.results.tables["simultaneous"]):
        lost = [r for r in rows if not r["converged"]]
        periods = sorted({r["cycle_rounds"] for r in lost if r["cycle_rounds"]})
        changed = [100 * r["changed_share"][-1] for r in lost]
        earned = next((r["alternating_bps_hz"] for r in lost if r["alternating_bps_hz"]), None)
        lines.append(
            [
                *(str(setting.num_ues), _percent(setting.handover_cost), f"{len(lost)} of {len(rows)}"),
                ", ".join(map(str, periods)) if periods else "",
                f"{min(changed):.1f} to {max(changed):.1f}" if changed else "",
                " and ".join(f"{v:.2f}" for v in earned) if earned else "",
                f"{m.mean(setting, 'mdp').mean:.2f}",
            ]
        )
    heads = ("oscillate", "period, rounds", "entries changed, %", "last two rounds, bit/s/Hz", "one by one, bit/s/Hz")
    return markdown_table(("N", "cost", *heads), lines)


def _own_policies(m: Measured) -> str:
    lines = []
    for setting, rows in _cells_of(m.results.tables["policies"]):
        means = m.values(setting, "mdp").mean(axis=1)
        lines.append(
            [
                *(str(setting.num_ues), _percent(setting.handover_cost), ", ".join(str(r["distinct"]) for r in rows)),
                ", ".join(f"{100 * r['differing_share']:.1f}" for r in rows),
                ", ".join(f"{mean:.2f}" for mean in means),
            ]
        )
    heads = ("different policies, each start", "states where two UEs differ, %", "bit/s/Hz, each start")
    return markdown_table(("N", "cost", *heads), lines)


def _stationary(m: Measured) -> str:
    lines = []
    for setting, rows in _cells_of(m.results.tables["policies"]):
        if (setting.num_ues, setting.handover_cost) not in CORNERS:
            continue
        chosen = [100 * sum(r["chosen"][k] for r in rows) / len(rows) for k in range(len(rows[0]["chosen"]))]
        own = [sum(r[name] for r in rows) / len(rows) for name in ("outage", "handovers")]
        played = [m.mean(setting, "mdp", metric).mean for metric in (OUTAGE, HANDOVERS)]
        lines.append(
            [
                *(str(setting.num_ues), _percent(setting.handover_cost)),
                *(f"{c:.0f} %" for c in chosen),
                f"{100 * own[0]:.1f} %, {100 * played[0]:.1f} %",
                f"{own[1]:.2f}, {played[1]:.2f}",
            ]
        )
    heads = ("chosen in LOS", "in NLOS", "in outage", "outage: model, played", "handovers a slot: model, played")
    return markdown_table(("N", "cost", *heads), lines)


def _present(results: Results) -> str:
    lines = [
        [
            *(str(r["num_ues"]), f"{r['states']:,}", str(r["updates"]), "yes" if r["converged"] else "no"),
            *(f"{r['solve_s']:.2g}", f"{r['kilobytes']:.2g}"),
        ]
        for r in results.tables["present"]
    ]
    return markdown_table(("UEs present", "states", "updates", "settled", "processor time, s", "policies, kB"), lines)


def _states(results: Results) -> str:
    rows = {(r["num_cells"], r["num_ues"]): r for r in results.tables["states"]}
    counts = range(1, 11)
    lines = [[f"L = {c}, eq. 21", *(f"{rows[c, n]['repaired']:,}" for n in counts)] for c in (2, 3, 4, 5)]
    lines.append(["L = 5, eq. 19 as printed", *(f"{rows[5, n]['printed']:,}" for n in counts)])
    lines += [[f"L = {c}, distinct", *(f"{rows[c, n]['orbits']:,}" for n in counts)] for c in (2, 3, 4, 5)]
    return markdown_table(("N", *map(str, counts)), lines)


def _scaling(results: Results) -> str:
    lines = [
        [
            *(str(r["num_cells"]), str(r["num_ues"]), f"{r['states']:,}", str(r["sweeps"])),
            *(f"{r['law_s'] + r['solve_s']:.2g}", f"{r['peak_mb']:.3g}"),
        ]
        for r in results.tables["scaling"]
    ]
    return markdown_table(("L", "N", "states", "sweeps", "processor time, s", "peak memory, MB"), lines)
