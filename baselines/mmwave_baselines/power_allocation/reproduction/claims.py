"""The verdicts on arXiv 1804.05757: each claim of `claims.json` judged from tables.

A verdict is a function of numbers: `within` for values, `all_of` for statements about several sizes or settings.
"Above" means that the whole 95 % interval of the difference, paired by run, is above 0. Judges of the reward and of
clusters stand in `claims_clusters`, those of our prototype's numbers in `claims_prototype`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmwave_baselines.power_allocation.q_learning import EXPLORING
from mmwave_baselines.power_allocation.reproduction import claims_clusters, claims_prototype
from mmwave_baselines.power_allocation.reproduction.learning import RADII_M, STEADY, STEPS
from mmwave_baselines.power_allocation.reproduction.measures import CLAIMS, LINES, NAMES, TITLES, Measured
from mmwave_baselines.power_allocation.reproduction.networks import NETWORK_DENSITIES, SCOPES
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.verdicts import Found, above, all_of, ends
from mmwave_gym.benchmark.statistics import Interval


def _at(holds: list[bool]) -> str:
    return f"{sum(holds)} of {len(holds)}"


# ---------------------------------------------------------------------- quality of service


def _all_satisfied(learner: str) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        holds, details = [], []
        for setting in SETTINGS:
            shares = {n: m.values(setting, n, learner, "satisfied") for n in m.sizes}
            here = [bool(share.min() == 1.0) for share in shares.values()]
            holds.append(all(here))
            last = m.sizes[-1]
            runs = m.mean(setting, last, learner, "all").mean
            members = 100.0 * np.mean([share.mean() for share in shares.values()])
            details.append(
                f"{TITLES[setting]}: {_at(here)} sizes, {members:.1f} % of members, at {last} members "
                f"{100 * shares[last].mean():.1f} %, {100 * runs:.0f} % of runs with everybody"
            )
        whole = np.concatenate([m.values("authors", n, learner, "satisfied") for n in m.sizes])
        share = mean(100.0 * whole)
        return Found(f"{share.mean:.1f} % of members", ends(share), all_of(holds), "; ".join(details))

    return found


def _means_satisfied(learner: str) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        least = {s: min(float(m.capacity(s, n, learner).mean(axis=0).min()) for n in m.sizes) for s in SETTINGS}
        strict = LINES["log2(1 + q)"]
        details = ", ".join(f"{TITLES[s]} {v:.2f}" for s, v in least.items())
        worst = min(float(m.capacity("authors", n, learner).min()) for n in m.sizes)
        reason = (
            f"least mean in bit/s/Hz: {details}. The line that stands for SINR 2.83 is {strict:.2f}: "
            f"{'also below all means' if least['authors'] > strict else 'not below all means'}. A mean over runs hides "
            f"who misses it: the least capacity of a member in a run is {worst:.2f}"
        )
        return Found(least["authors"], None, all_of([v > LINES["log2 q"] for v in least.values()]), reason)

    return found


def _any_network(m: Measured) -> Found:
    holds, details = [], []
    for density in NETWORK_DENSITIES:
        for scope in SCOPES:
            missed, full = (100.0 * m.network(density, scope, a, "violations") for a in ("cdp", "full"))
            holds.append(bool(missed.max() == 0.0))
            details.append(
                f"{density} a square kilometre, interference of the {scope}: {missed.mean():.2f} % miss it "
                f"(full power {full.mean():.2f} %)"
            )
    for radius_m in RADII_M:
        setting, n = f"radius-{radius_m:g}", m.sizes[-1]
        shares = {a: 100.0 * (1.0 - m.mean(setting, n, a, "satisfied").mean) for a in ("cdp", "full", "optimum")}
        holds.append(shares["cdp"] == 0.0)
        details.append(
            f"UEs up to {radius_m:.0f} m away: {shares['cdp']:.1f} % (full power {shares['full']:.1f} %, "
            f"optimum {shares['optimum']:.1f} %)"
        )
    inside = [bool(m.values(s, n, "cdp", "satisfied").min() == 1.0) for s in SETTINGS for n in m.sizes]
    holds.append(all(inside))
    reason = f"the paper's clusters: {_at(inside)} sizes and settings without a miss. {'; '.join(details)}"
    return Found(f"holds in {_at(holds)} cases", None, all_of(holds), reason)


# ---------------------------------------------------------------------- fairness


def _deviation(m: Measured, setting: str, num_bs: int, method: str) -> np.ndarray:
    capacity = m.capacity(setting, num_bs, method)
    return np.asarray(capacity.std(axis=1) / capacity.mean(axis=1))


def _close(m: Measured) -> Found:
    last, holds, details = m.sizes[-1], [], []
    for setting in SETTINGS:
        here = []
        for n in m.sizes:
            apart = _deviation(m, setting, n, "exp") - _deviation(m, setting, n, "cdp")
            here.append(above(mean(apart)))
        holds.append(all(here))
        cdp, exp, full = (float(_deviation(m, setting, last, a).mean()) for a in ("cdp", "exp", "full"))
        means = f"CDP-Q {cdp:.2f}, EXP-Q {exp:.2f}, full power {full:.2f}"
        details.append(f"{TITLES[setting]}: less at {_at(here)} sizes, {means}")
    ours = " and ".join(f"{_deviation(m, 'authors', last, a).mean():.2f}" for a in ("cdp", "exp"))
    return Found(ours, None, all_of(holds), "; ".join(details))


def _fair(m: Measured) -> Found:
    indices = {(s, n): m.mean(s, n, "cdp", "jain") for s in SETTINGS for n in m.sizes}
    least = CLAIMS.tolerance("fair-cdp")
    worst = min(indices, key=lambda key: indices[key].mean)
    details = []
    for setting in SETTINGS:
        some = [indices[setting, n].mean for n in m.sizes]
        full = [m.mean(setting, n, "full", "jain").mean for n in m.sizes]
        details.append(
            f"{TITLES[setting]} {min(some):.3f} to {max(some):.3f} (full power {min(full):.3f} to {max(full):.3f})"
        )
    holds = [all(indices[s, n].mean >= least for n in m.sizes) for s in SETTINGS]
    reason = f"{'; '.join(details)}. Fair is from {least} on (ours)"
    return Found(indices[worst].mean, ends(indices[worst]), all_of(holds), reason)


def _unfair(m: Measured) -> Found:
    last, limit = m.sizes[-1], CLAIMS.tolerance("unfair-exp")
    indices = {s: m.mean(s, last, "exp", "jain") for s in SETTINGS}
    below = [above(m.difference(s, last, "cdp", "exp", "jain")) and indices[s].mean < limit for s in SETTINGS]
    details = []
    for setting in SETTINGS:
        small, cdp = m.mean(setting, m.sizes[0], "exp", "jain").mean, m.mean(setting, last, "cdp", "jain").mean
        details.append(
            f"{TITLES[setting]} {indices[setting].mean:.2f} (CDP-Q {cdp:.2f}; EXP-Q with two members {small:.2f})"
        )
    reason = f"{'; '.join(details)}. Unfair is below {limit} (ours)"
    return Found(indices["authors"].mean, ends(indices["authors"]), all_of(below), reason)


def _unfair_means(setting: str) -> Callable[[Measured], Found]:
    def found(m: Measured) -> Found:
        limit = CLAIMS.tolerance(f"unfair-exp-{setting}")
        large = m.sizes[-3:]
        indices = {n: m.jain_of_means(setting, n, "exp") for n in large}
        cdp = {n: m.jain_of_means(setting, n, "cdp").mean for n in large}
        # below the limit for certain: the whole interval is
        holds = [i.high is not None and i.high < limit for i in indices.values()]
        details = ", ".join(f"{n}: {i.mean:.3f} (CDP-Q {cdp[n]:.3f})" for n, i in indices.items())
        last = indices[large[-1]]
        reason = f"by size {details}. Unfair is below {limit} (ours)"
        return Found(last.mean, ends(last), all_of(holds), reason)

    return found


def _axis_jain(m: Measured) -> Found:
    limit = CLAIMS.printed("axis-jain")
    indices = {(a, n): m.jain_of_means("authors", n, a) for a in ("cdp", "exp") for n in m.sizes}
    worst = min(indices, key=lambda key: indices[key].mean)
    others = {
        s: min(m.jain_of_means(s, n, a).mean for a in ("cdp", "exp") for n in m.sizes) for s in SETTINGS[1:]
    }  # fmt: skip
    per_run = min(m.mean("authors", n, "exp", "jain").mean for n in m.sizes)
    details = ", ".join(f"{TITLES[s]} {v:.3f}" for s, v in others.items())
    reason = (
        f"{NAMES[worst[0]]} with {worst[1]} members. Elsewhere the lowest is {details}, for which no axis would begin "
        f"at 0.8; indices of single runs, {per_run:.2f} at the lowest, would not fit it"
    )
    verdict = all_of([i.mean >= limit for i in indices.values()])
    return Found(indices[worst].mean, ends(indices[worst]), verdict, reason)


# ---------------------------------------------------------------------- sum capacity


def _sum_above(m: Measured) -> Found:
    holds, details = [], []
    for setting in SETTINGS:
        gaps = {n: m.difference(setting, n, "cdp", "exp") for n in m.sizes}
        here = [above(gap) for gap in gaps.values()]
        holds.append(all(here))
        least = min(gaps, key=lambda n: gaps[n].mean)
        details.append(f"{TITLES[setting]}: {_at(here)}, least at {least} members ({gaps[least].mean:+.1f} bit/s/Hz)")
    last = m.sizes[-1]
    by_code, repaired = (
        {a: f"{m.mean(s, last, a).mean:.0f}" for a in ("exp", "random")} for s in ("authors", "repaired")
    )
    reason = (
        f"{'; '.join(details)}. At {last} members random power has {by_code['random']} by the authors' code and "
        f"{repaired['random']} repaired, EXP-Q {by_code['exp']} and {repaired['exp']}"
    )
    first = m.difference("authors", last, "cdp", "exp")
    ours = f"{first.mean:+.1f} bit/s/Hz at {last} members by the authors' code"
    return Found(ours, ends(first), all_of(holds), reason)


def _axis_sum(m: Measured) -> Found:
    limit = CLAIMS.printed("axis-sum")
    peaks = {s: max((m.mean(s, n, a) for a in ("cdp", "exp") for n in m.sizes), key=lambda i: i.mean) for s in SETTINGS}
    beyond = {s: [n for n in m.sizes if m.mean(s, n, "cdp").mean > limit] for s in SETTINGS[1:]}
    details = ", ".join(
        f"{TITLES[s]} {peaks[s].mean:.0f}, above {limit:.0f} from {min(some)} members on"
        if some else f"{TITLES[s]} {peaks[s].mean:.0f}"
        for s, some in beyond.items()
    )  # fmt: skip
    fits = peaks["authors"].mean <= limit
    verdict = "not reproduced" if not fits else all_of([fits, peaks["authors"].mean > 0.8 * limit])
    reason = f"it would hold no curve without the fault: {details}. So the published figure very likely has it"
    if verdict != "reproduced" or not all(beyond.values()):
        reason = details
    return Found(peaks["authors"].mean, ends(peaks["authors"]), verdict, reason)


def _maximises(m: Measured) -> Found:
    holds, details, last = [], [], m.sizes[-1]
    for setting in SETTINGS:
        here = [above(m.difference(setting, n, "cdp", "full")) for n in m.sizes]
        holds.append(all(here))
        cdp, full = (m.share(setting, last, a, "optimum").mean for a in ("cdp", "full"))
        details.append(
            f"{TITLES[setting]}: above at {_at(here)} sizes, {cdp:.0f} % of the optimum, full power {full:.0f} %"
        )
    share = m.share("repaired", last, "cdp", "full")
    ours = f"{share.mean:.1f} % of full power at {last} members, repaired"
    return Found(ours, ends(share), all_of(holds), "; ".join(details))


def _near_full(m: Measured) -> Found:
    last, limit = m.sizes[-1], CLAIMS.tolerance("near-full")
    shares = {s: m.share(s, last, "full", "optimum") for s in SETTINGS}
    missed = {s: 100.0 * (1.0 - m.mean(s, last, "full", "satisfied").mean) for s in SETTINGS}
    details = "; ".join(f"{TITLES[s]} {shares[s].mean:.1f} %, {missed[s]:.2f} % of UEs miss the QoS" for s in SETTINGS)
    hard = f"radius-{RADII_M[0]:g}"
    share, short = m.share(hard, last, "full", "optimum").mean, 1.0 - m.mean(hard, last, "full", "satisfied").mean
    reason = (
        f"{details}. With UEs up to {RADII_M[0]:.0f} m away {share:.0f} %, and {100 * short:.0f} % miss it. There is "
        f"something to allocate below {limit:.0f} %, or where more than 1 % miss the QoS (ours)"
    )
    holds = [shares[s].mean < limit or missed[s] > 1.0 for s in SETTINGS]
    return Found(shares["repaired"].mean, ends(shares["repaired"]), all_of(holds), reason)


def _reward_makes_fair(m: Measured) -> Found:
    last, limit = m.sizes[-1], CLAIMS.tolerance("reward-makes-fair")
    without = m.difference("repaired", last, "cdp-gamma0", "exp-gamma0", "jain")
    with_it = m.difference("repaired", last, "cdp", "exp", "jain")
    details = []
    for method in ("cdp", "cdp-gamma0", "exp", "exp-gamma0"):
        rate, index = (m.mean("repaired", last, method, what).mean for what in ("sum", "jain"))
        details.append(f"{NAMES[method]} {rate:.0f} bit/s/Hz, index {index:.3f}")
    reason = (
        f"with the paper's gamma of 0.9 it is {with_it.mean:+.3f}: {'; '.join(details)}. A state never changes, so "
        f"there is nothing to look ahead to. Fairer is by more than {limit} (ours)"
    )
    verdict = "reproduced" if above(without) and without.mean > limit else "not reproduced"
    return Found(without.mean, ends(without), verdict, reason)


def _independent(m: Measured) -> Found:
    last = m.sizes[-1]
    share = m.share("repaired", last, "cdp", "cdp-eq6")
    details = []
    for setting in ("authors", "repaired"):
        rates = ", ".join(f"{NAMES[a]} {m.mean(setting, last, a).mean:.0f}" for a in SHARING if m.has(setting, last, a))
        details.append(f"{TITLES[setting]}: {rates} bit/s/Hz")
    gap = {a: m.difference("repaired", last, f"cdp{a}", f"exp{a}", "jain").mean for a in ("", "-code", "-eq6")}
    reason = (
        f"{'; '.join(details)}. CDP-Q's index less EXP-Q's is {gap['']:+.2f} with independent tables, "
        f"{gap['-code']:+.2f} with those of the ring and {gap['-eq6']:+.2f} with all: there all members "
        f"take one power. Good is from {CLAIMS.tolerance('independent'):.0f} % on (ours)"
    )
    verdict = "reproduced" if share.mean >= CLAIMS.tolerance("independent") else "partly"
    return Found(share.mean, ends(share), verdict, reason)


SHARING = ("cdp", "cdp-code", "cdp-eq6", "exp", "exp-code", "exp-eq6", "full")


def _oscillates(m: Measured) -> Found:
    moving: dict[str, Interval] = {}
    stopped: dict[str, float] = {}  # while they explored
    for learner in ("cdp", "exp", "exp-gamma0"):
        played = [n for n in m.sizes if m.has("repaired", n, learner)]
        rests = np.concatenate([m.values("repaired", n, learner, "rests") for n in played])
        steps_played = np.concatenate([m.values("repaired", n, learner, "steps") for n in played])
        settled = steps_played >= EXPLORING * STEPS[m.results.quick] + STEADY
        stopped[learner] = 100.0 * (1.0 - settled.mean())
        moving[learner] = mean(100.0 * (1.0 - rests[settled]))
    steps = {a: np.mean([m.values("repaired", n, a, "steps").mean() for n in m.sizes]) for a in ("cdp", "exp")}
    details = ", ".join(f"{NAMES[a]} {i.mean:.0f} %" for a, i in moving.items())
    reason = (
        f"repaired, all sizes: {details}. The authors' stop ends CDP-Q after {steps['cdp']:.0f} steps in the mean, "
        f"EXP-Q after {steps['exp']:.0f}: its figures show one step of what goes on. {stopped['cdp']:.0f} % of CDP-Q's "
        "runs are stopped before exploration has ended for as long, and are not counted; they may show an exploration"
    )
    text = ", ".join(f"{NAMES[a]} {moving[a].mean:.0f}" for a in ("cdp", "exp"))
    return Found(text, None, all_of([any(moving[a].mean > 0.0 for a in ("cdp", "exp"))]), reason)


JUDGES: dict[str, Callable[[Measured], Found]] = {
    **claims_clusters.JUDGES,
    "qos-cdp": _all_satisfied("cdp"),
    "qos-exp": _all_satisfied("exp"),
    "qos-mean-cdp": _means_satisfied("cdp"),
    "qos-mean-exp": _means_satisfied("exp"),
    "qos-any-network": _any_network,
    "close-together": _close,
    "fair-cdp": _fair,
    "unfair-exp": _unfair,
    "unfair-exp-authors": _unfair_means("authors"),
    "unfair-exp-repaired": _unfair_means("repaired"),
    "axis-jain": _axis_jain,
    "sum-above": _sum_above,
    "axis-sum": _axis_sum,
    "maximises": _maximises,
    "near-full": _near_full,
    "reward-makes-fair": _reward_makes_fair,
    "independent": _independent,
    "oscillates": _oscillates,
    **claims_prototype.JUDGES,
}
"""A judge for every claim."""
