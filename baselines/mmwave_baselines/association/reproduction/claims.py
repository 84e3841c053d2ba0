"""The verdicts on arXiv 2201.05983: each claim of `claims.json` judged from rows and tables.

A verdict is a function of numbers: `within` for printed values, `all_of` for statements about several densities.
"Above" means that the whole 95 % interval of the difference, paired by world, is above 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmwave_baselines.association.reproduction.measures import CLAIMS, HANDOVERS, NAMES, Measured, printed
from mmwave_baselines.association.reproduction.plan import FIVE, NUM_UES
from mmwave_baselines.reproduction.verdicts import Found, above, all_of, ends, within

OTHERS = tuple(agent for agent in FIVE if agent != "sqa")
STEP_NS = 60.0
"""Of exploration, on one core (ours): about the middle of the 34 to 97 ns that a full reproduction measured on one AMD
EPYC. A clock does not judge, so that a claim is the same on every machine; the reason says for which times it holds."""


def _cell(what: str, num_ues: int, agent: str) -> Callable[[Measured], Found]:
    id_ = f"{what}-{num_ues}-{agent}"

    def found(m: Measured) -> Found:
        if num_ues not in m.densities:
            return Found("not run", None, "not comparable", "only a full run plays this density")
        value = m.mean(num_ues, agent) if what == "rate" else m.time(num_ues, agent)
        if what == "rate":
            off = value.mean / CLAIMS.printed(id_) - 1.0
            reason = f"{100 * off:+.1f} %"
            if agent == "rbh":
                reason += f"; read as the network's rate {m.mean(num_ues, 'rbh-network').mean:.1f}"
        else:
            off = value.mean - CLAIMS.printed(id_)
            reason = f"{off:+.2f} s"
        return Found(value.mean, ends(value), within(off, CLAIMS.tolerance(id_)), reason)

    return found


def _at(m: Measured, holds: Sequence[bool]) -> str:
    return f"at {sum(holds)} of {len(m.densities)} densities"


def _listed(m: Measured, values: Callable[[int], float], form: str) -> str:
    return ", ".join(f"{values(n):{form}}" for n in m.densities).replace("-0.0", "+0.0")


def _rates(m: Measured) -> Found:
    off = {(n, a): 100.0 * (m.mean(n, a).mean / printed("rate", n, a) - 1.0) for n in m.densities for a in FIVE}
    rms = float(np.sqrt(np.mean([v**2 for v in off.values()])))
    n, agent = max(off, key=lambda key: abs(off[key]))
    by_agent = {a: float(np.sqrt(np.mean([off[n, a] ** 2 for n in m.densities]))) for a in FIVE}
    text = ", ".join(f"{NAMES[a]} {v:.1f}" for a, v in by_agent.items())
    reason = f"{text}; furthest is {NAMES[agent]} at {n} UEs, {off[n, agent]:+.1f} %"
    return Found(rms, None, within(rms, CLAIMS["table1-rates"]["tolerance"]), reason)


def _times(m: Measured) -> Found:
    off = {(n, a): m.time(n, a).mean - printed("time", n, a) for n in m.densities for a in FIVE}
    rms = float(np.sqrt(np.mean([v**2 for v in off.values()])))
    by_agent = {a: float(np.mean([off[n, a] for n in m.densities])) for a in FIVE}
    text = ", ".join(f"{NAMES[a]} {v:+.1f}" for a, v in by_agent.items())
    reason = f"{text} s in the mean. With a range below a road's length everybody hands over once a road"
    return Found(rms, None, within(rms, CLAIMS["table1-times"]["tolerance"]), reason)


def _sqa_best(m: Measured) -> Found:
    lost = {n: [a for a in OTHERS if not above(m.difference(n, "sqa", a))] for n in m.densities}
    holds = [not some for some in lost.values()]
    details = "; ".join(f"{n}: not above {', '.join(NAMES[a] for a in some)}" for n, some in lost.items() if some)
    best = [not [a for a in OTHERS if not above(m.difference(n, "sqa-best", a))] for n in m.densities]
    reason = (details or "above each of the others") + f". In its best setting (ours) it leads {_at(m, best)}"
    beaten = [a for n in m.densities for a in OTHERS if a not in lost[n]]
    verdict = "partly" if beaten and not any(holds) else all_of(holds)
    return Found(_at(m, holds), None, verdict, reason)


def _gain(id_: str, num_ues: int) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        if num_ues not in m.densities:
            return Found("not run", None, "not comparable", "only a full run plays this density")
        entry, gain = CLAIMS[id_], m.gain(num_ues, "sqa")
        best, msr = (m.gain(num_ues, agent).mean for agent in ("sqa-best", "msr"))
        reason = (
            f"{gain.mean - entry['paper']:+.1f} points; SQA's best setting {best:+.1f} %, the myopic rule {msr:+.1f} %"
        )
        return Found(gain.mean, ends(gain), within(gain.mean - entry["paper"], entry["tolerance"]), reason)

    return found


def _lead(m: Measured) -> Found:
    num_ues, entry = m.densities[0], CLAIMS["sqa-lead-512"]
    rates = m.rates(num_ues, OTHERS)
    second = max(rates, key=lambda agent: rates[agent])
    lead = m.gain(num_ues, "sqa", second)
    reason = f"the best of the others is {NAMES[second]} with {rates[second]:.1f}; in the paper it is RBH"
    return Found(lead.mean, ends(lead), within(lead.mean - entry["paper"], entry["tolerance"]), reason)


def _shrinks(m: Measured) -> Found:
    gains = [m.gain(n, "sqa").mean for n in m.densities]
    best, msr = ([m.gain(n, agent).mean for n in m.densities] for agent in ("sqa-best", "msr"))
    holds = [bool(b < a) for a, b in pairwise(gains)]
    texts = [", ".join(f"{g:+.1f}" for g in some) for some in (gains, best, msr)]
    reason = (
        f"but it comes from the learning, not from the network: in its best setting SQA gains {texts[1]} %, the myopic "
        f"rule {texts[2]} %"
    )
    return Found(f"{texts[0]} %", None, all_of(holds), reason)


def _spread(m: Measured) -> Found:
    rates = [m.rates(n, FIVE) for n in m.densities]
    spreads = [max(r.values()) - min(r.values()) for r in rates]
    holds = [bool(b < a) for a, b in pairwise(spreads)]
    reason = "best: " + ", ".join(NAMES[max(r, key=lambda a: r[a])] for r in rates)
    return Found(", ".join(f"{s:.1f}" for s in spreads), None, all_of(holds), reason)


def _future(m: Measured) -> Found:
    """SQA against a rule that knows its own next interval and nothing of the others' future."""
    ahead = {a: [above(m.difference(n, a, "msr")) for n in m.densities] for a in ("sqa", "sqa-best", "rollout")}
    gains = {a: _listed(m, lambda n, a=a: m.gain(n, a, "msr").mean, "+.1f") for a in ahead}  # type: ignore[misc]
    network = _listed(m, lambda n: m.gain(n, "rbh-network").mean, "+.1f")
    reason = (
        f"the myopic rule, one line that knows the UE's own next interval only, is the measure: SQA is {gains['sqa']} "
        f"% from it, in its best setting {gains['sqa-best']} %, a rollout that looks as far ahead {gains['rollout']} "
        f"%. Choosing by the network's rate at this instant, with no future at all, gains {network} % over SBH: what "
        "counts is the network's rate as the aim"
    )
    return Found(f"above the myopic rule {_at(m, ahead['sqa'])}", None, all_of(ahead["sqa"]), reason)


def _close(m: Measured) -> Found:
    entry, n = CLAIMS["rl-close"], m.densities[-1]
    rates = m.rates(n, ("sqa", "lbh", "smart"))
    spread = 100.0 * (max(rates.values()) / min(rates.values()) - 1.0)
    text = ", ".join(f"{NAMES[a]} {r:.1f}" for a, r in rates.items())
    return Found(spread, None, within(spread - entry["paper"], entry["tolerance"]), f"at {n} UEs {text}")


def _rbh_high(m: Measured) -> Found:
    holds = [above(m.difference(n, "rbh", "sbh")) for n in m.densities]
    network = [above(m.difference(n, "rbh-network", "sbh")) for n in m.densities]
    paper = ", ".join(f"{100 * (printed('rate', n, 'rbh') / printed('rate', n, 'sbh') - 1):+.1f}" for n in m.densities)
    gains = [_listed(m, lambda n, a=a: m.gain(n, a).mean, "+.1f") for a in ("rbh", "rbh-network")]  # type: ignore[misc]
    reason = (
        f"printed gains over SBH {paper} %; ours {gains[0]} %. Read as the network's rate, gains are {gains[1]} % and "
        f"it is above {_at(m, network)}"
    )
    verdict = "partly" if any(network) and not all(holds) else all_of(holds)
    return Found(_at(m, holds), None, verdict, reason)


def _extreme(agent: str, sign: float) -> Callable[[Measured], Found]:
    """Does an agent hand over most (sign 1) or least (-1) often of the five?"""

    def found(m: Measured) -> Found:
        holds = [all(_oftener(m, n, agent, other, sign) for other in FIVE if other != agent) for n in m.densities]
        text = "; ".join(f"{NAMES[a]} " + _listed(m, lambda n, a=a: m.time(n, a).mean, ".1f") for a in FIVE)  # type: ignore[misc]
        return Found(_at(m, holds), None, all_of(holds), f"times between handovers in s: {text}")

    return found


def _oftener(m: Measured, num_ues: int, agent: str, other: str, sign: float) -> bool:
    difference = m.difference(num_ues, agent, other, HANDOVERS)
    return difference.excludes_zero and sign * difference.mean > 0.0


def _lbh_low(m: Measured) -> Found:
    low = m.densities[:2]
    holds = {n: [above(m.difference(n, a, "lbh")) for a in ("rbh", "smart", "sqa")] for n in low}
    text = "; ".join(f"{n}: " + ", ".join(f"{NAMES[a]} {r:.1f}" for a, r in m.rates(n, FIVE).items()) for n in low)
    return Found(
        " and ".join(f"below {sum(h)} of 3 at {n}" for n, h in holds.items()), None,
        all_of([h for some in holds.values() for h in some]), text,
    )  # fmt: skip


def _lbh_above(m: Measured) -> Found:
    holds = [above(m.difference(n, "lbh", "sbh")) for n in m.densities]
    gains = _listed(m, lambda n: m.gain(n, "lbh").mean, "+.1f")
    return Found(_at(m, holds), None, all_of(holds), f"gains over SBH {gains} %")


def _independent(m: Measured) -> Found:
    spreads = {a: float(np.ptp([m.time(n, a).mean for n in m.densities])) for a in FIVE}
    worst = max(spreads, key=lambda agent: spreads[agent])
    text = ", ".join(f"{NAMES[a]} {s:.2f}" for a, s in spreads.items())
    verdict = within(spreads[worst], CLAIMS["time-independent"]["tolerance"])
    return Found(spreads[worst], None, verdict, f"{text} s; printed times spread by up to 0.76 s (RBH)")


def _speed(m: Measured) -> Found:
    times = _listed(m, lambda n: m.time(n, "sbh").mean, ".2f")
    reason = (
        "the speed and the road's length are lost; their quotient was chosen by this number, 200 m at 50 km/h is 14.4 s"
    )
    return Found(f"{times} s", None, "not comparable", reason)


def _limited(m: Measured) -> Found:
    apart = [m.time(n, "sqa").mean - m.time(n, "sbh").mean for n in m.densities]
    worst = max(apart, key=abs)
    verdict = within(worst, CLAIMS["handovers-limited"]["tolerance"])
    reason = f"by density {', '.join(f'{a:+.2f}' for a in apart)} s"
    return Found(worst, None, verdict, reason)


def _leads_low(m: Measured) -> Found:
    n = m.densities[0]
    share = m.leads(n, "sqa", OTHERS)
    others = {a: m.leads(n, "sqa", (a,)) for a in OTHERS}
    text = ", ".join(f"{NAMES[a]} {s:.0%}" for a, s in others.items())
    verdict = "reproduced" if share > 0.75 else "partly" if share > 0.5 else "not reproduced"
    return Found(f"{share:.0%}", None, verdict, f"one world; against each alone: {text}")


def _leads_most(m: Measured) -> Found:
    shares = {n: m.leads(n, "sqa", OTHERS) for n in m.densities[1:]}
    text = ", ".join(f"{n} UEs {share:.0%}" for n, share in shares.items())
    without = [a for a in OTHERS if a != "smart"]
    alone = ", ".join(f"{m.leads(n, 'sqa', without):.0%}" for n in shares)
    return Found(text, None, all_of([s > 0.5 for s in shares.values()]), f"without SMART among the others {alone}")


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _polynomial(m: Measured) -> Found:
    cost = m.results.tables["cost"]
    per_iteration = [r for r in cost if "iterations" in r["case"]]
    per_epoch = [r for r in cost if "depth_epochs" in r["case"]]
    by_ues = [r for r in cost if set(r["case"]) == {"num_ues"}]
    first = [r for r in by_ues if r["num_ues"] == 512]

    def powers(what: str) -> dict[str, float]:
        deep = per_epoch + first
        return {
            "iterations": _slope([r["iterations"] for r in per_iteration], [r[what] for r in per_iteration]),
            "depth": _slope([r["depth_epochs"] for r in deep], [r[what] for r in deep]),
        }

    counted, clocked = (", ".join(f"{w}^{p:.2f}" for w, p in powers(k).items()) for k in ("steps", "epoch_ms"))
    times = f"{clocked}; a step takes {min(r['step_ns'] for r in cost):.0f} to {max(r['step_ns'] for r in cost):.0f} ns"
    if len(by_ues) > 1:
        power = _slope([r["num_ues"] for r in by_ues], [r["busy"] for r in by_ues])
        times += f"; work for a second of the network grows as UEs^{power:.1f}, epochs and depth both with the UEs"
    holds = [power < 1.5 for power in powers("steps").values()]
    return Found(counted, None, all_of(holds), "steps of exploration, counted", times)


def _real_time(m: Measured) -> Found:
    rows = [r for r in m.results.tables["cost"] if set(r["case"]) <= {"num_ues", "geometry"}]
    paper = [r for r in rows if r["geometry"] == "paper"]

    def share(row: Mapping[str, Any]) -> float:
        return row["steps"] * STEP_NS * 1e-6 / row["gap_ms"]

    def in_words(row: Mapping[str, Any], what: str) -> str:
        return f"{row['num_ues']} UEs{'' if row['geometry'] == 'paper' else ', blocked'}: {what}"

    ours = (
        f"on one core planning keeps up at {sum(share(r) < 1.0 for r in paper)} of {len(paper)} densities; it takes "
        f"less than a tenth of the time at {sum(share(r) < 0.1 for r in paper)}"
    )
    limits = [0.1 * STEP_NS / share(r) for r in paper]
    least = max((x for x in limits if x <= STEP_NS), default=0.0)
    most = min((x for x in limits if x > STEP_NS), default=np.inf)
    reason = f"at {STEP_NS:g} ns a step (ours; the same from {least:.0f} to {most:.0f} ns): " + "; ".join(
        in_words(r, f"{r['steps']:,} steps every {r['gap_ms']:.2g} ms, {share(r):.0%} of the time") for r in rows
    )
    times = "; ".join(in_words(r, f"{r['epoch_ms']:.2g} ms of planning, {r['late']:.0%} late") for r in rows)
    return Found(ours, None, all_of([share(r) < 0.1 for r in paper]), reason, times)


def _hard(m: Measured) -> Found:
    return Found("not measured", None, "not comparable", "a proof, and nothing to measure")


def _one_geometry(m: Measured) -> Found:
    found = m.found()
    complete = [r for r in found if "sqa" in r.columns]
    best = complete[0]
    verdict = within(best.worst, CLAIMS["one-geometry"]["tolerance"])
    text = ", ".join(f"{NAMES[c]} {col.rate:.1f}/{col.time_s:.1f} s" for c, col in best.columns.items())
    reason = (
        f"nearest of {len(found)} worlds ({len(complete)} with SQA): range {best.world.radius:g} roads, sides "
        f"{best.world.sides[0]:g} to {best.world.sides[1]:g}, exponent {best.world.exponent:g}: {text}; its worst "
        f"number is {best.worst:.0f} % off"
    )
    return Found(best.rms, None, verdict, reason)


CELLS: dict[str, Callable[[Measured], Found]] = {
    f"{what}-{n}-{agent}": _cell(what, n, agent) for what in ("rate", "time") for n in NUM_UES for agent in FIVE
}
"""The judges of the numbers of Table I."""
JUDGES: dict[str, Callable[[Measured], Found]] = {
    **CELLS,
    "table1-rates": _rates,
    "table1-times": _times,
    "sqa-best": _sqa_best,
    "sqa-gain-512": _gain("sqa-gain-512", 512),
    "sqa-gain-2048": _gain("sqa-gain-2048", 2048),
    "sqa-lead-512": _lead,
    "gain-shrinks": _shrinks,
    "spread-shrinks": _spread,
    "future-gain": _future,
    "rl-close": _close,
    "rbh-high": _rbh_high,
    "rbh-most-handovers": _extreme("rbh", 1.0),
    "lbh-fewest-handovers": _extreme("lbh", -1.0),
    "lbh-rate-low": _lbh_low,
    "lbh-above-sbh": _lbh_above,
    "time-independent": _independent,
    "time-speed": _speed,
    "handovers-limited": _limited,
    "figure2-low": _leads_low,
    "figure2-most": _leads_most,
    "polynomial": _polynomial,
    "real-time": _real_time,
    "np-hard": _hard,
    "one-geometry": _one_geometry,
}
"""A judge for every claim."""
