"""The verdicts on what arXiv 1507.00387 says without playing: Algorithm 1, the printed matrix, counts of states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mmwave_baselines.cell_selection.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.cell_selection.reproduction.plan import NUM_UES
from mmwave_baselines.reproduction.verdicts import Found, all_of, within


def _converges(m: Measured) -> Found:
    ended = m.configs()
    cycles = sum(bool(config["cycle_rounds"]) for _, config in ended)
    settled = [bool(config["converged"]) for _, config in ended]
    updates = [config["updates"] for _, config in ended if config["converged"]]
    lost = sorted({f"N={s.num_ues} {100 * s.handover_cost:.0f} %" for s, c in ended if not c["converged"]})
    reason = f"{min(updates)} to {max(updates)} updates; {cycles} cycles" + (f" ({', '.join(lost)})" if lost else "")
    return Found(f"{sum(settled)} of {len(settled)} starts", None, all_of(settled), reason)


def _simultaneous(m: Measured) -> Found:
    rows = m.results.tables["simultaneous"]
    lost = {n: [not r["converged"] for r in rows if r["num_ues"] == n] for n in sorted({r["num_ues"] for r in rows})}
    text = ", ".join(f"N={n}: {sum(some)} of {len(some)} starts" for n, some in lost.items())
    every = [one for some in lost.values() for one in some]
    cycles = sorted({r["cycle_rounds"] for r in rows if r["cycle_rounds"]})
    alternating = [abs(np.diff(r["alternating_bps_hz"])[0]) for r in rows if r["alternating_bps_hz"]]
    reason = text + (f"; policies repeat every {' or '.join(map(str, cycles))} rounds" if cycles else "")
    reason += f"; what they earn then jumps by up to {max(alternating):.2f} bit/s/Hz a round" if alternating else ""
    return Found(f"{sum(every)} of {len(every)} oscillate", None, all_of(every), reason)


def _impossible(m: Measured) -> Found:
    solved = [r for r in m.results.tables["exact"] if r["what"] == "optimum"]
    counts = {r["num_ues"] for r in solved}
    last = max(solved, key=lambda r: (r["num_ues"], r["cpu_s"]))
    bounded = sorted({r["num_ues"] for r in m.results.tables["exact"] if r["what"] == "bound"} - counts)
    reason = (
        f"N = {last['num_ues']} takes {last['cpu_s']:.0f} s of processor time and {last['peak_mb']} MB, for UEs and "
        f"BSs can be renamed; for N = {' and '.join(map(str, bounded))} there is a proven bound"
    )
    holds = [n not in counts for n in NUM_UES]
    return Found(
        f"solved exactly for N = {' and '.join(str(n) for n in NUM_UES if n in counts)}", None, all_of(holds), reason
    )


def _offline(m: Measured) -> Found:
    rows = m.results.tables["present"]
    seconds, kilobytes = (sum(r[name] for r in rows) for name in ("solve_s", "kilobytes"))
    settled = [r["converged"] for r in rows]
    reason = (
        f"Algorithm 1 for each of them, policies of {kilobytes:.0f} kB in all; it settles for "
        f"{sum(settled)} of {len(settled)}. The agents use them: each row plays the policies of the number it sees"
    )
    times = f"{seconds:.1f} s of processor time for all of them"
    return Found(f"N = {rows[0]['num_ues']} to {rows[-1]['num_ues']}", None, all_of(settled), reason, times)


def _run_time(m: Measured) -> Found:
    rows = [r for r in m.results.tables["scaling"] if r["num_cells"] == 3]
    last, before = rows[-1], rows[-2]

    def power(work: Callable[[dict[str, Any]], float]) -> float:
        return float(np.log(work(last) / work(before)) / np.log(last["num_ues"] / before["num_ues"]))

    counted = power(lambda r: r["states"] ** 2 * (r["sweeps"] + 1))
    most = 2 * (3 - 1) + 2  # of (N^(L-1))^2 transitions; two more for the number of sweeps
    largest = max(m.results.tables["scaling"], key=lambda r: r["states"])
    reason = (
        f"from N = {before['num_ues']} to {last['num_ues']} (L = 3) the transitions in all sweeps are at most N^"
        f"{counted:.1f} as many; states are K^L C(N + L - 2, L - 1), a polynomial in N, exponential in L only. "
        f"L = {largest['num_cells']}, N = {largest['num_ues']}: {largest['states']:,} states"
    )
    times = (
        f"processor time grows as N^{power(lambda r: r['law_s'] + r['solve_s']):.1f}, and the largest takes "
        f"{largest['solve_s'] + largest['law_s']:.0f} s"
    )
    return Found(f"N^{counted:.1f}", None, "not reproduced" if counted < most else "reproduced", reason, times)


def _matrices(m: Measured) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in m.results.tables["matrix"]}


def _row_order(m: Measured) -> Found:
    tables = _matrices(m)
    law, wanted = np.array(tables["printed"]["law"]), np.array(tables["disc"]["law"])
    ours, theirs = (float(np.abs(order - wanted).max()) for order in (law, law[::-1]))
    verdict = "not reproduced" if ours < theirs else "reproduced"
    reason = (
        f"its stationary law misses the disc's by at most {ours:.3f} in the order (LOS, NLOS, outage) and {theirs:.3f} "
        "in that of eq. 1; its diagonal, too, has the order of T_avg"
    )
    return Found("LOS, NLOS, out", None, verdict, reason)


def _stationary(m: Measured) -> Found:
    tables = _matrices(m)
    law, wanted = tables["printed"]["law"], tables["disc"]["law"]
    worst = float(np.abs(np.array(law) - wanted).max())
    texts = [", ".join(f"{p:.4f}" for p in one) for one in (law, wanted)]
    verdict = within(worst, CLAIMS.tolerance("stationary"))
    return Found(
        f"off by at most {worst:.4f}", None, verdict, f"(14): {texts[0]}; disc: {texts[1]} (LOS, NLOS, outage)"
    )


def _sojourns(m: Measured) -> Found:
    tables, slots = _matrices(m), np.array(CLAIMS["sojourns"]["slots"])
    printed, recipe = (np.array(tables[name]["sojourn_slots"]) for name in ("printed", "recipe"))
    ratio = float((slots / printed).max())
    verdict = "reproduced" if ratio < 1.25 else "partly" if ratio < 1.5 else "not reproduced"
    shown, could = (", ".join(f"{s:.2g}" for s in one) for one in (printed, recipe))
    reason = f"up to {ratio:.1f} times too short; the quadratic programme itself reaches {could}"
    return Found(f"{shown} slots", None, verdict, reason)


def _states(m: Measured, cells: Sequence[int]) -> list[dict[str, Any]]:
    return [row for row in m.results.tables["states"] if row["num_cells"] in cells]


def _formula(cells: Sequence[int]) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        rows = _states(m, cells)
        right = [row["loads_printed"] == row["loads_true"] for row in rows]
        wrong = [r for r, ok in zip(rows, right, strict=True) if not ok][:3]
        text = ", ".join(
            f"C_{r['num_cells']}({r['num_ues']}) = {r['loads_printed']}, not {r['loads_true']}" for r in wrong
        )
        count = f"right in {sum(right)} of {len(right)} cases"
        return Found(count, None, "reproduced" if all(right) else "not reproduced", text or "by enumeration to N = 15")

    return found


def _eq20(m: Measured) -> Found:
    rows = {(r["num_cells"], r["num_ues"]): r["loads_true"] for r in m.results.tables["states"]}
    reason = (
        f"with the UE itself at BS 1 only N - 1 others are shared out: {rows[3, 2]} at L = 3, N = 3, where eq. 20 "
        f"counts {rows[3, 3]} with U_1 = 0 among them"
    )
    return Found("C_L(N - 1)", None, "not reproduced", reason)


def _eq21(m: Measured) -> Found:
    row = next(r for r in _states(m, (3,)) if r["num_ues"] == 3)
    same = row["orbits"] == row["repaired"]
    reason = "eq. 21 orders loads only; exchanging (K, U) of BSs together merges more (L = 3, N = 3)"
    return Found(f"{row['orbits']} of {row['repaired']}", None, "reproduced" if same else "not reproduced", reason)


def _figure3(m: Measured) -> Found:
    last = {r["num_cells"]: r["repaired"] for r in m.results.tables["states"] if r["num_ues"] == 10}
    text = ", ".join(f"L={cells}: {count}" for cells, count in last.items())
    return Found(f"at N = 10, {text}", None, "not comparable", "no numbers to compare with")


JUDGES: dict[str, Callable[[Measured], Found]] = {
    "converges": _converges,
    "simultaneous": _simultaneous,
    "impossible": _impossible,
    "row-order": _row_order,
    "stationary": _stationary,
    "sojourns": _sojourns,
    "eq16-18": _formula((2, 3, 4)),
    "eq19": _formula((5,)),
    "eq20": _eq20,
    "eq21": _eq21,
    "figure3-values": _figure3,
    "run-time": _run_time,
    "offline": _offline,
}
