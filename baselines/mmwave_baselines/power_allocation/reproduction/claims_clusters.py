"""The verdicts on arXiv 1804.05757's reward, its clusters by FLOC, and what clusters do to each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmwave_baselines.power_allocation.reproduction.measures import CLAIMS, LINES, NAMES, Measured
from mmwave_baselines.power_allocation.reproduction.networks import FIGURE_DENSITIES, NETWORK_DENSITIES
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.verdicts import Found, all_of, ends, within


def _ramp(m: Measured) -> Found:
    rows = [r for r in m.results.tables["reward"] if r["learner"] == "cdp"]
    capacity, gained = (np.array([r[name] for r in rows]) for name in ("capacity_bps_hz", "reward"))
    line = LINES["log2 q"]
    off = float(np.abs(gained - np.minimum(capacity / line - 1.0, 1.0)).max())
    peak = max((r for r in m.results.tables["reward"] if r["learner"] == "exp"), key=lambda r: r["reward"])
    reason = (
        f"0 at {line:.2f} bit/s/Hz, the maximum from {2 * line:.2f} on; EXP-Q's reward peaks at "
        f"{peak['capacity_bps_hz']:.2f} and falls beyond"
    )
    return Found(off, None, within(off, CLAIMS.tolerance("reward-ramp")), reason)


def _sizes(m: Measured) -> Found:
    shares = {}
    for density in FIGURE_DENSITIES:
        rows = m.results.tables[f"floc-{density}"]
        inside = [np.mean([2 <= size <= 14 for size in row["sizes"]]) for row in rows]
        shares[density] = mean(100.0 * np.array(inside))
    first = FIGURE_DENSITIES[0]
    details = []
    for density in FIGURE_DENSITIES:
        some = m.cluster_sizes(density)
        details.append(
            f"at {density} a square kilometre {shares[density].mean:.0f} %: {some.mean():.1f} in the mean, "
            f"{np.quantile(some, 0.05):.0f} to {np.quantile(some, 0.95):.0f} (5 to 95 %), largest {some.max()}, "
            f"{100 * (some == 1).mean():.1f} % alone"
        )
    most = CLAIMS.tolerance("floc-sizes")
    reason = f"{'; '.join(details)}. Reproduced is up to {most:.0f} % outside at {first} (ours)"
    return Found(shares[first].mean, ends(shares[first]), within(100.0 - shares[first].mean, most), reason)


def _time(m: Measured) -> Found:
    latest = {density: m.floc(density, "settled_s") for density in FIGURE_DENSITIES}
    late = max(float(t.max()) for t in latest.values())
    means = ", ".join(f"{t.mean():.1f} s in the mean of {len(t)} draws at {d}" for d, t in latest.items())
    large = m.results.tables["scale"]
    most = max(large, key=lambda r: r["num_bs"])
    limit = CLAIMS.tolerance("floc-time")
    reason = (
        f"{means}. It is the idle timer of 10 s and the last messages' delay: {most['settled_s']:.2f} s for "
        f"{most['num_bs']} base stations"
    )
    return Found(f"{late:.2f}", None, all_of([bool(t.max() < limit) for t in latest.values()]), reason)


def _local(m: Measured) -> Found:
    rows = m.results.tables["healing"]
    far = max(r["farthest_m"] for r in rows)
    details = []
    for kind in ("departure", "arrival"):
        some = [r for r in rows if r["kind"] == kind]
        changed = [r["changed"] for r in some]
        details.append(
            f"{kind}s change {np.mean(changed):.2f} heads in the mean, {max(changed)} at most, up to "
            f"{max(r['farthest_m'] for r in some):.0f} m away"
        )
    bound = CLAIMS.tolerance("floc-local")
    reason = f"{len(rows)} trials among {rows[0]['num_bs']} base stations: {'; '.join(details)}"
    return Found(far, None, all_of([r["farthest_m"] <= bound for r in rows]), reason)


def _scales(m: Measured) -> Found:
    rows = m.results.tables["scale"]
    sides = sorted({r["side_m"] for r in rows})
    by_side = {s: [r["messages"] / r["num_bs"] for r in rows if r["side_m"] == s] for s in sides}
    counts = {s: np.mean([r["num_bs"] for r in rows if r["side_m"] == s]) for s in sides}
    ratio = float(np.mean(by_side[sides[-1]]) / np.mean(by_side[sides[0]]))
    shares = ", ".join(f"{np.mean(by_side[s]):.3f} for {counts[s]:.0f}" for s in sides)
    return Found(ratio, None, within(ratio - 1.0, CLAIMS.tolerance("floc-scales")), f"broadcasts and answers: {shares}")


def _apart(m: Measured) -> Found:
    lost = {(d, a): m.lost(d, a) for d in NETWORK_DENSITIES for a in m.network_methods(d)}
    details = "; ".join(
        f"at {d} a square kilometre " + ", ".join(f"{NAMES[a]} {lost[d, a].mean:.0f} %" for a in m.network_methods(d))
        for d in NETWORK_DENSITIES
    )
    first = lost[NETWORK_DENSITIES[0], "cdp"]
    limit = CLAIMS.tolerance("clusters-apart")
    holds = [lost[d, a].mean <= limit for d in NETWORK_DENSITIES for a in ("cdp", "exp", "full")]
    return Found(first.mean, ends(first), all_of(holds), f"{details}. Negligible is up to {limit:.0f} % (ours)")


JUDGES: dict[str, Callable[[Measured], Found]] = {
    "reward-ramp": _ramp,
    "floc-sizes": _sizes,
    "floc-time": _time,
    "floc-local": _local,
    "floc-scales": _scales,
    "clusters-apart": _apart,
}
