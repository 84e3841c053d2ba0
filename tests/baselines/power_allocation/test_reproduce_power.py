"""The reproduction of arXiv 1804.05757: worlds are the protocol's, tables the environment's, verdicts follow both."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

pytest.importorskip("numba", reason="a learner of the reproduction takes minutes in plain Python")

from mmwave_baselines.power_allocation.optimisation import coordinate_ascent
from mmwave_baselines.power_allocation.q_learning import run as q_learning
from mmwave_baselines.power_allocation.reproduction import (
    claims as reproduce_claims,
    learning as learning,
    networks as networks,
)
from mmwave_baselines.power_allocation.reproduction.measures import CLAIMS, Measured, jackknife, jain
from mmwave_baselines.power_allocation.reproduction.paper import PAPER
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS as NAMES
from mmwave_baselines.power_allocation.reproduction.worlds import SETTINGS, Clusters
from mmwave_baselines.reproduction.verdicts import all_of, within
from mmwave_gym.benchmark.reproduction import VERDICTS, Results, load_reproduction
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.scenarios.power_allocation.config import ROWS_M

DOCS = Path(__file__).parents[3] / "docs" / "reproductions"
Capacities = Mapping[str, tuple[float, ...]]

# ---------------------------------------------------------------------- worlds


def test_a_run_keeps_its_places_and_draws_the_rest_anew():
    small, large = (Clusters(SETTINGS["authors"], n, range(4)) for n in (3, 5))
    assert np.array_equal(small.episodes.place_m, large.episodes.place_m[:, :3])
    assert {tuple(p) for p in large.episodes.place_m[0]} <= set(ROWS_M)
    assert not np.array_equal(large.episodes.place_m[0], large.episodes.place_m[1])
    apart = ~np.eye(3, dtype=bool)
    assert not (small.episodes.gain[:, apart] == large.episodes.gain[:, :3, :3][:, apart]).any()


def test_repaired_are_the_same_worlds_with_ones_own_interference():
    authors, repaired = (Clusters(SETTINGS[name], 4, range(3)) for name in ("authors", "repaired"))
    assert np.array_equal(authors.episodes.gain, repaired.episodes.gain)
    power_mw = authors.random_mw()
    assert np.array_equal(power_mw, repaired.random_mw())
    gain, own = repaired.episodes.gain, repaired.episodes.own_gain
    heard = np.einsum("nij,nj->ni", gain, power_mw)
    for clusters, interference in ((repaired, heard), (authors, np.cumsum(heard, axis=1))):
        sinr = power_mw * own / (interference + clusters.noise_mw)
        capacity, satisfied = clusters.play(power_mw)
        assert capacity == pytest.approx(np.log2(1.0 + sinr), rel=1e-9)
        assert np.array_equal(satisfied, sinr >= 2.83)


def test_the_text_shadows_interferers_only():
    text, authors = (Clusters(SETTINGS[name], 14, range(40)) for name in ("text", "authors"))
    own_db = 10.0 * np.log10(authors.episodes.own_gain)
    assert own_db.mean() == pytest.approx(-81.4, abs=0.5)
    assert own_db.std() == pytest.approx(8.7 / 10**0.5, rel=0.1)
    assert (10.0 * np.log10(text.episodes.own_gain)).min() > -81.5  # never farther than 10 m, never shadowed


def test_the_authors_optimum_is_in_their_own_physics():
    clusters = Clusters(SETTINGS["authors"], 6, range(5))
    best_mw = clusters.optimum_mw()
    assert np.array_equal(best_mw, coordinate_ascent(clusters.network(), 32, restarts=10))
    capacity, _ = clusters.play(best_mw)
    full, _ = clusters.play(np.full_like(best_mw, clusters.plays.power_mw[1]))
    assert (capacity.sum(axis=1) >= full.sum(axis=1) - 1e-9).all()
    level = np.log(best_mw / clusters.levels_mw[0]) / np.log(clusters.levels_mw[1] / clusters.levels_mw[0])
    assert level == pytest.approx(level.round(), abs=1e-6)
    for other in clusters.levels_mw[::7]:  # no single base station improves, as the environment counts
        for bs in range(6):
            changed = best_mw.copy()
            changed[:, bs] = other
            rate, satisfied = clusters.play(changed)
            assert ((rate.sum(axis=1) <= capacity.sum(axis=1) + 1e-9) | ~satisfied.all(axis=1)).all()


@pytest.mark.parametrize("setting", NAMES)
def test_rows_of_learners_are_what_the_environment_gives_for_what_they_learned(setting):
    clusters = Clusters(SETTINGS[setting], 3, range(3))
    rows = learning.learned(clusters, 2, 400, "eq6")
    assert [(r["run"], r["method"]) for r in rows] == [(0, "cdp-eq6"), (1, "cdp-eq6"), (0, "exp-eq6"), (1, "exp-eq6")]
    for row, reward in zip(rows[1::2], ("paper", "exponential"), strict=True):
        found = q_learning(
            clusters.episodes.gain[1],
            clusters.episodes.own_gain[1],
            clusters.noise_mw,
            clusters.levels_mw,
            rng=clusters.chance[1]["exploring"],
            rule="eq6",
            reward=reward,
            steps=400,
            authors=setting == "authors",
            stop=True,
        )
        assert row["capacity_bps_hz"] == pytest.approx(found.capacity_bps_hz, abs=1e-4)
        assert row["satisfied"] == (found.sinr >= 2.83).sum()
        assert row["steps"] == found.steps


def test_fixed_powers_keep_their_order():
    rows = learning.cluster_table("repaired", 2, quick=True)
    methods = {r["method"] for r in rows}
    sums = {m: np.array([sum(r["capacity_bps_hz"]) for r in rows if r["method"] == m][:4]) for m in methods}
    assert (sums["optimum"] >= sums["full"] - 1e-3).all()
    assert (sums["optimum"] >= sums["max-min"] - 1e-3).all()
    assert (sums["levels"] <= sums["optimum"] * 1.002).all()
    assert sums["minimum"].mean() < sums["full"].mean()
    assert {"cdp", "exp", "cdp-code", "exp-eq6"} <= methods
    assert len([r for r in rows if r["method"] == "cdp"]) == learning.RUNS[True]
    assert len([r for r in rows if r["method"] == "cdp-eq6"]) == learning.SHARING_RUNS[True]


def test_rewards_lie_on_the_ramp():
    rows = learning.reward_table()
    for row in rows:
        c = row["capacity_bps_hz"]
        line = np.log2(2.83)
        wanted = (c - abs(c - 2 * line)) / (2 * line) if row["learner"] == "cdp" else np.exp(-((c - 1.9373) ** 2))
        assert row["reward"] == pytest.approx(wanted, abs=1e-4)
    cdp = [r for r in rows if r["learner"] == "cdp"]
    assert len(cdp) > 100
    assert cdp[0]["reward"] < -0.9
    assert cdp[-1]["reward"] == 1.0


# ---------------------------------------------------------------------- networks


@pytest.mark.parametrize("density", networks.FIGURE_DENSITIES)
def test_maps_are_clusters_of_floc(density):
    rows = networks.map_table(density)
    place = np.array([(r["x_m"], r["y_m"]) for r in rows])
    head = np.array([r["head"] for r in rows])
    assert (head[head] == head).all()
    assert np.hypot(*(place - place[head]).T).max() <= 200.2  # rounded to 0.1 m
    first = networks.floc_table(density, quick=True)[0]
    assert sorted(first["sizes"]) == sorted(np.bincount(head)[np.unique(head)].tolist())
    assert first["farthest_m"] <= 200.0
    assert 0.0 < first["settled_s"] < 11.0


def test_a_departure_changes_only_what_is_near():
    rows = networks.healing_table(quick=True)
    assert {r["kind"] for r in rows} == {"departure", "arrival"}
    assert any(r["changed"] for r in rows)
    assert all((r["changed"] > 0) == (r["farthest_m"] > 0.0) for r in rows)
    assert max(r["farthest_m"] for r in rows) <= 300.0


def test_a_network_in_one_row():
    sinr = np.array([1.0, 3.0, 7.0, 7.0])
    row = networks._network_row(sinr, np.array([0, 0, 2, 3]), 2.83)
    assert row["capacity_bps_hz"] == pytest.approx((1 + 2 + 3 + 3) / 4)
    assert row["violations"] == 0.25
    assert row["jain"] == pytest.approx(9 / (2 * 5), abs=1e-4)  # the two that are alone do not count


# ---------------------------------------------------------------------- measures


def test_jackknife_of_a_mean_is_students_interval():
    values = np.random.default_rng(0).normal(size=(30, 1))
    found = jackknife(values, lambda mean: float(mean[0]))
    half = stats.t.isf(0.025, 29) * values.std(ddof=1) / 30**0.5
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half))
    assert jackknife(values[:1], lambda mean: float(mean[0])) == Interval(values[0, 0], None, None)


def test_rules_of_verdicts():
    assert [within(d, 3) for d in (2.9, -3.0, 3.1, -6.1)] == [*("reproduced", "reproduced", "partly", "not reproduced")]
    assert [all_of(h) for h in ([True, True], [True, False], [False])] == ["reproduced", "partly", "not reproduced"]
    assert jain(np.array([[1.0, 1.0], [1.0, 0.0]])) == pytest.approx([1.0, 0.5])


SIZES = learning.QUICK_SIZES
EQUAL: dict[str, tuple[float, ...]] = {
    "cdp": (6.0, 6.2),
    "exp": (5.0, 2.5),
    "full": (5.5, 5.6),
    "random": (1.0, 4.0),
    "optimum": (7.0, 6.8),
}
"""Capacities of members, repeated to the cluster's size: what the paper says of its learners."""


def _rows(setting: str, n: int, methods: Capacities, turns: bool) -> list[dict[str, Any]]:
    """Six runs that differ by a hundredth; members change places from run to run if `turns`."""
    rows = []
    for method, pattern in methods.items():
        for run in range(6):
            capacity = np.resize(np.array(pattern), n) * (1.0 + 0.01 * (run - 2.5))
            capacity = np.roll(capacity, run if turns else 0)
            satisfied = int((capacity >= np.log2(3.83)).sum())
            row = {"run": run, "method": method, "capacity_bps_hz": capacity.tolist(), "satisfied": satisfied}
            rows.append({**row, "power_dbm": 10.0, "steps": 41_000, "rests": method.startswith("cdp"),
                         "steady_rate_bps_hz": float(capacity.sum()), "steady_satisfied": 1.0})  # fmt: skip
    return rows


@lru_cache
def _of_the_environment() -> dict[str, Any]:
    maps = {f"map-{density}": networks.map_table(density) for density in networks.FIGURE_DENSITIES}
    return {"reward": learning.reward_table(), **maps}


def _results(changed: Capacities | None = None, lost: float = 0.01, turns: bool = False, settled_s: float = 9.0):
    """What a quick run would be that finds what the paper says; changed: capacities of methods."""
    base = {**EQUAL, **(changed or {})}
    shared = {f"{learner}{suffix}": base[learner] for learner in ("cdp", "exp") for suffix in ("-code", "-eq6")}
    fixed = dict.fromkeys(("minimum", "foschini-miljanic", "max-min", "wmmse", "levels"), base["full"])
    gamma = {f"{learner}-gamma0": base.get(f"{learner}-gamma0", base[learner]) for learner in ("cdp", "exp")}
    base = {name: base[name] for name in EQUAL}
    tables = dict(_of_the_environment())
    for density in networks.FIGURE_DENSITIES:
        sizes = {
            "num_bs": 120,
            "sizes": [2, 7, 14],
            "settled_s": settled_s,
            "messages": 30,
            "farthest_m": 199.0,
            "heads": 3,
        }
        tables[f"floc-{density}"] = [{"draw": d, **sizes} for d in range(3)]
    tables["scale"] = [{"side_m": s, "draw": 0, **sizes, "num_bs": s, "messages": s // 4} for s in (1000, 2000)]
    tables["healing"] = [
        {"trial": i, "kind": kind, "changed": 1, "farthest_m": 90.0, "num_bs": 480}
        for i, kind in enumerate(("departure", "arrival"))
    ]
    for setting in NAMES:
        more = {**fixed, **shared} if setting == "repaired" else shared if setting == "authors" else {}
        for n in SIZES:
            tables[f"cluster-{setting}-{n}"] = _rows(setting, n, {**base, **more}, turns)
    for n in SIZES:
        tables[f"variants-{n}"] = _rows("repaired", n, gamma, turns)
    for radius in learning.RADII_M:
        tables[f"radius-{radius:g}"] = _rows("text", 14, base, turns)
    for density in networks.NETWORK_DENSITIES:
        methods = [*base, *shared] if density == 120 else [*base]
        tables[f"network-{density}"] = [
            {"draw": d, "interference": scope, "method": a, "num_bs": 120, "violations": 0.0, "jain": 0.9,
             "capacity_bps_hz": (9.0 + 0.1 * d) * (1.0 - lost * (scope == "network"))}
            for d in range(3) for scope in networks.SCOPES for a in methods if a != "optimum"
        ]  # fmt: skip
    return Results([], tables, True)


def _verdicts(results: Results) -> dict[str, str]:
    return {claim.id: claim.verdict for claim in PAPER.claims(results)}


def test_what_the_paper_says_is_reproduced():
    found = _verdicts(_results({"exp": (5.0, 2.0, 2.0)}))
    assert {v for id_, v in found.items() if not id_.startswith("prototype")} == {"reproduced"}
    assert {v for id_, v in found.items() if id_.startswith("prototype")} == {"not reproduced"}  # made-up capacities


def test_verdicts_follow_the_rows():
    starving = _verdicts(_results({"exp": (9.0, 0.5)}))
    assert starving["qos-exp"] == "not reproduced"
    assert starving["qos-mean-exp"] == "not reproduced"
    assert starving["qos-cdp"] == starving["unfair-exp"] == starving["unfair-exp-repaired"] == "reproduced"
    behind = _verdicts(_results({"cdp": (4.0, 1.9)}))
    for id_ in ("sum-above", "qos-cdp", "close-together", "maximises"):
        assert behind[id_] == "not reproduced"
    assert behind["fair-cdp"] == "not reproduced"
    assert behind["qos-any-network"] == "partly"  # the tables of networks have no miss
    assert _verdicts(_results(lost=0.3))["clusters-apart"] == "not reproduced"
    assert _verdicts(_results(settled_s=12.0))["floc-time"] == "not reproduced"
    assert _verdicts(_results({"cdp": (7.0, 7.0)}))["axis-sum"] == "not reproduced"  # 98 bit/s/Hz
    assert _verdicts(_results({"full": (7.0, 6.79)}))["near-full"] == "not reproduced"
    same = {"cdp-gamma0": (6.0, 6.0), "exp-gamma0": (6.0, 6.1)}
    assert _verdicts(_results(same))["reward-makes-fair"] == "not reproduced"
    apart = {"cdp-gamma0": (6.0, 6.0), "exp-gamma0": (9.0, 1.0)}
    assert _verdicts(_results(apart))["reward-makes-fair"] == "reproduced"


def test_an_index_of_means_hides_who_starves_in_turn():
    starving = {"exp": (9.0, 0.5)}
    for turns, hidden in ((True, True), (False, False)):
        m = Measured(_results(starving, turns=turns))
        assert m.mean("authors", 8, "exp", "jain").mean == pytest.approx(0.555, abs=0.01)
        assert (m.jain_of_means("authors", 8, "exp").mean > 0.99) == hidden
    assert _verdicts(_results(starving, turns=True))["unfair-exp-authors"] == "not reproduced"
    assert _verdicts(_results(starving))["unfair-exp-authors"] == "reproduced"


def test_measures_by_hand():
    m = Measured(_results())
    assert m.sizes == SIZES
    assert m.mean("text", 2, "cdp").mean == pytest.approx(12.2)
    assert m.difference("text", 2, "cdp", "exp").mean == pytest.approx(4.7)
    assert m.share("text", 2, "full", "optimum").mean == pytest.approx(100 * 11.1 / 13.8)
    assert m.mean("repaired", 8, "random", "satisfied").mean == 0.5
    assert m.mean("repaired", 8, "random", "all").mean == 0.0
    assert m.lost(480, "cdp").mean == pytest.approx(1.0)
    assert [i.mean for i in m.members("authors", 2, "exp")] == pytest.approx([5.0, 2.5])


def test_distances_to_the_prototype_are_of_ours():
    entries = {c.id: c for c in PAPER.claims(_results())}
    theirs = CLAIMS["prototype-authors"]["prototype"]
    off = []
    for learner, pattern in (("cdp", EQUAL["cdp"]), ("exp", EQUAL["exp"])):
        off += [100 * (np.resize(pattern, n).sum() / theirs[learner][str(n)] - 1.0) for n in SIZES]
    assert entries["prototype-authors"].ours == pytest.approx(np.sqrt(np.mean(np.square(off))), rel=1e-3)


# ---------------------------------------------------------------------- page and plan


def test_page_and_figures_of_any_results(tmp_path):
    pytest.importorskip("matplotlib")
    results = _results()
    PAPER.figures(results, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    page = PAPER.page(results, PAPER.claims(results), "here")
    assert {f"{stem}.png" for stem in ("figure1", "figures2and3", "figures4and5", "figure6", "figure7")} <= names
    for name in names - {"points.csv"}:
        assert f"here/{name}" in page
    points = list(csv.DictReader((tmp_path / "points.csv").open()))
    sums = [p for p in points if (p["figure"], p["setting"], p["size"], p["method"]) == ("7", "text", "14", "cdp")]
    assert [float(p["mean"]) for p in sums] == pytest.approx([7 * 12.2])


def test_plan_has_all_sizes_once():
    paper = load_reproduction("power-allocation")
    full, quick = (list(paper.analyses(quick)) for quick in (False, True))
    assert set(quick) <= set(full)
    assert len(set(full)) == len(full)
    for setting in NAMES:
        assert {f"cluster-{setting}-{n}" for n in range(2, 15)} <= set(full)
    assert set(NAMES) == set(SETTINGS)
    assert paper.jobs(False) == []


def test_every_claim_is_judged_and_states_its_place():
    entries = CLAIMS
    assert list(entries) == list(reproduce_claims.JUDGES)
    for entry in entries.values():
        assert all(str(entry[key]) for key in ("claim", "where", "paper"))


def test_committed_page_is_of_these_claims():
    written = json.loads((DOCS / "power_allocation" / "claims.json").read_text())
    entries = CLAIMS
    assert [entry["id"] for entry in written] == list(entries)
    page = (DOCS / "power_allocation.md").read_text()
    for entry in written:
        assert entry["verdict"] in VERDICTS
        assert entry["claim"] == entries[entry["id"]]["claim"]
        assert all(part in page for part in re.split("; |: ", entry["reason"].replace("|", "\\|")))
    with (DOCS / "power_allocation" / "points.csv").open() as file:
        points = list(csv.DictReader(file))
    assert {int(p["size"]) for p in points} == set(learning.SIZES)
