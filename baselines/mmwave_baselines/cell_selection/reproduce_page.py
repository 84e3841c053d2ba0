"""The page of the reproduction of arXiv 1507.00387."""

from __future__ import annotations

from collections.abc import Sequence

from mmwave_baselines.cell_selection.reproduce import COSTS, DERIVED, FIGURE, NUM_UES, TABLE, Setting
from mmwave_baselines.cell_selection.reproduce_measures import EFFICIENCY, HANDOVERS, NAMES, Measured, printed_gain
from mmwave_gym.leaderboard.statistics import Interval
from mmwave_gym.reproduction import VERDICTS, Claim, Results, claims_table, markdown_table


def page(results: Results, claims: Sequence[Claim], figures: str) -> str:
    """All of it but how it was made."""
    m = Measured(results)
    others = [c for c in claims if not _is_cell(c)]
    counts = ", ".join(f"{sum(c.verdict == v for c in claims)} {v}" for v in VERDICTS)
    rmse, interval, cells = m.rmse(TABLE)
    rates = Setting(*FIGURE).game().rate_bps_hz
    derived = Setting(*FIGURE, "shannon").game().rate_bps_hz
    parts = [
        "# An MDP Model for Optimal Handover Decisions in mmWave Cellular Networks, reproduced\n",
        "M. Mezzavilla, S. Goyal, S. Panwar, S. Rangan, M. Zorzi, EuCNC 2016 "
        "([arXiv 1507.00387](https://arxiv.org/abs/1507.00387)).\n",
        f"{len(claims)} claims: {counts}. Table I is met within {rmse:.1f} points ({interval[0]:.1f} to "
        f"{interval[1]:.1f}, root mean square over {cells} cells) with one fitted number, the rate without line of "
        f"sight: {rates[1] / rates[0]:.2f} of that with it; {derived[1] / derived[0]:.3f} follows from the path "
        "loss.\n",
        "What the gains rest on is the printed matrix: it lets a link in outage return to line of sight far more "
        "often than one without line of sight does, so the MDP waits at cells in outage. With the matrix that the "
        "text describes, or one from drive tests, less remains.\n",
        "## Verdicts\n",
        claims_table(others),
        "Reproduced means within the tolerance, or true in every case; partly, up to twice the tolerance, or true in "
        "some. Not comparable: the text gives nothing to compare with.\n",
        "## Table I\n",
        "Gain of MDP over Channel in average sum spectral efficiency, in %: ours with the 95 % interval over random "
        "starts and episodes, and the paper's in brackets. Fitted rates, the loads of the last slot (footnote 1), all "
        "UEs in the frame of the one that asks, Channel with random ties.\n",
        _gains(m, "fitted", "mdp"),
        f"![Gain over handover cost, a panel for each number of UEs]({figures}/table1.png)\n",
        "The same with the derived rates (nothing fitted), and with the expected next load in place of the last:\n",
        *([_gains(m, "shannon", "mdp"), _gains(m, "shannon", "mdp-next")] if m.has(DERIVED[1], "mdp") else []),
        "## Figs. 1 and 2\n",
        f"![Spectral efficiency and handovers of every scheme]({figures}/figures1and2.png)\n",
        "Three UEs, three BSs, handover cost 10 %. The paper's figures are pictures without numbers, and its rates are "
        "not printed, so only the order can be compared. Left fitted rates, right derived ones.\n",
        _schemes(m),
        "## Fig. 3\n",
        f"![State counts]({figures}/figure3.png)\n",
        "Eq. 21 with eq. 19 repaired and as printed, and the states that really differ.\n",
        _states(results),
        "## Robustness\n",
        f"![Gains with other matrices and rates]({figures}/robustness.png)\n",
        "## Convergence of Algorithm 1\n",
        f"![Updates until convergence, and simultaneous updates]({figures}/convergence.png)\n",
        "## Scale of value iteration\n",
        f"![States, time and memory]({figures}/scaling.png)\n",
        "One UE's solution (the others' law and value iteration to 1e-6) with the kernel kept factored, on one core.\n",
        _scaling(results),
    ]
    return "\n".join(parts)


def _is_cell(claim: Claim) -> bool:
    return claim.id.startswith("table1-n") and claim.id[8].isdigit()


def _with_interval(value: Interval, digits: int = 1) -> str:
    if value.low is None or value.high is None:
        return f"{value.mean:.{digits}f}"
    return f"{value.mean:.{digits}f} ({value.low:.{digits}f} to {value.high:.{digits}f})"


def _gains(m: Measured, rates: str, agent: str) -> str:
    rows = []
    for n in NUM_UES:
        cells = [f"{n} UEs"]
        for cost in COSTS:
            setting = Setting(n, cost, rates)
            ours = _with_interval(m.gain(setting, agent)) if m.has(setting, agent) else "not run"
            cells.append(f"{ours} [{printed_gain(n, cost)['paper']}]")
        rows.append(cells)
    return markdown_table(("", *(f"{100 * cost:.0f} % cost" for cost in COSTS)), rows)


def _schemes(m: Measured) -> str:
    settings = [Setting(*FIGURE, rates) for rates in ("fitted", "shannon")]
    rows = [
        [name, *(_with_interval(m.mean(s, agent, k), 2) for s in settings for k in (EFFICIENCY, HANDOVERS))]
        for agent, name in NAMES.items()
        if m.has(settings[0], agent)
    ]
    columns = [f"{k}, {s.rates} rates" for s in settings for k in ("bit/s/Hz", "handovers a slot")]
    return markdown_table(("scheme", *columns), rows)


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
