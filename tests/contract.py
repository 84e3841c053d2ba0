"""What the contract tests run on: every registered environment and the small scenarios.

A new row of the registration table is tested by being there. `CASES` adds keywords worth trying beside defaults.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from mmwave_gym.api.contract.cases import Case
from mmwave_gym.core import registration

SHORT = 25  # slots: several episodes fit into a test

SMALL_WORLDS: dict[str, dict[str, Any]] = {
    "street": {"duration_s": 3.0, "arm_m": 60.0, "isd_m": 50.0},
    "shared_street": {"num_cars": 4, "num_pedestrians": 2, "arm_m": 60.0, "isd_m": 60.0},
    "association": {"num_ues": 4, "crossings": (3, 3), "duration_s": 29.0, "settle_s": 5.0},
}
"""Keywords that make a world of the scenario small where a short horizon does not."""


def _of_table() -> list[Case]:
    """One case for each row of the table, with short episodes where the scenario lets us choose."""
    cases = []
    for entry in registration.entries():
        room = registration.room_of(entry.id)
        config = room.load("config")
        keywords = dict(entry.overrides)
        if "horizon" in {f.name for f in dataclasses.fields(config)}:
            keywords["horizon"] = SHORT
        keywords |= SMALL_WORLDS.get(room.name, {})
        cases.append(Case(entry.id, entry.id, room.name, keywords))
    return cases


def _case(name: str, env_id: str, scenario: str, **keywords: Any) -> Case:
    return Case(name, env_id, scenario, keywords)


CASES: tuple[Case, ...] = (
    *_of_table(),
    _case("handover-leaving", "MmwaveHandover-v0", "handover", horizon=30, speed_mps=(5.0, 60.0), start="uniform"),
    _case(
        "handover-ues",
        "MmwaveHandover-v0",
        "handover",
        num_ues=3,
        horizon=SHORT,
        speed_mps=(3.0, 60.0),
        shadowing="independent",
        fading="averaged",
    ),
    _case(
        "handover-walls",
        "MmwaveHandover-v0",
        "handover",
        boundary="stay",
        shadowing="static",
        fading="none",
        interruption_s=0.05,
        horizon=SHORT,
        speed_drawn_per="slot",
        mobility=(0.4, 0.3, 0.2, 0.1),
        layout_seed=3,
    ),
    _case(
        "handover-interrupted",  # decisions that fall into an interruption, and a UE that leaves during one
        "MmwaveHandover-v1",
        "handover",
        receiver="real",
        num_ues=2,
        interruption_s=0.12,
        horizon=SHORT,
        speed_mps=(3.0, 60.0),
    ),
    _case(
        "association-blocked",
        "MmwaveAssociation-v0",
        "association",
        **{**SMALL_WORLDS["association"], "geometry": "blocked", "reward": "marginal", "max_candidates": 3},
    ),
    _case(
        "association-city",
        "MmwaveAssociation-v0",
        "association",
        city=str(Path(__file__).parent / "data" / "small_city.npz"),  # that of city_worlds.py
        num_ues=4,
        duration_s=20.0,
        settle_s=5.0,
    ),
    _case(
        "handover-channel",
        "MmwaveHandover-v0",
        "handover",
        channel=str(Path(__file__).parent / "data" / "three_places.csv"),
        num_ues=3,
        horizon=SHORT,
        speed_mps=(3.0, 30.0),
    ),
    _case(
        "street-weak",  # lost commands, failed accesses and T310 within seconds
        "MmwaveStreet-v0",
        "street",
        street="canyon",
        users="pedestrian",
        maps=(3, 4),
        duration_s=4.0,
        arm_m=60.0,
        isd_m=60.0,
        link_budget_db=95.0,
        t310_s=0.3,
        interruption_s=0.08,
        measurement_s=0.2,
    ),
    _case(
        "shared-street-queues",  # what interferes and who is active depend on what agents do; cars turn in a grid
        "MmwaveSharedStreet-v0",
        "shared_street",
        num_cars=5,
        num_pedestrians=2,
        blocks=(2, 1),
        turning=0.5,
        arm_m=60.0,
        isd_m=60.0,
        maps=(3, 4),
        horizon=SHORT,
        interference="load",
        demand="queue",
        file_period_s=0.5,
    ),
    _case(
        "shared-street-weak",  # lost commands, failed accesses and T310 within seconds; UEs that leave
        "MmwaveSharedStreet-v0",
        "shared_street",
        num_cars=5,
        num_pedestrians=3,
        arm_m=40.0,
        isd_m=40.0,
        maps=(3, 4),
        horizon=40,
        car_mps=(20.0, 40.0),
        lights=False,
        walk_mps=(1.0, 5.0),
        link_budget_db=95.0,
        t310_s=0.3,
        load_period_s=0.3,
        reward="difference",
        reporting_share=0.5,
    ),
    _case(
        "street-conditional",
        "MmwaveStreet-v1",
        "street",
        lost_command="stays",
        handover="conditional",
        **SMALL_WORLDS["street"],
        link_budget_db=105.0,
    ),
    _case(
        "power-cluster",
        "MmwavePowerAllocation-v0",
        "power_allocation",
        layout="poisson",
        cluster_bs=(3, 9),
        levels=None,
        observation="local",
        start="random",
        reward="difference",
        ue_radius_m=30.0,
        horizon=SHORT,
    ),
    _case(
        "power-network",
        "MmwavePowerAllocation-v0",
        "power_allocation",
        layout="poisson",
        scope="network",
        side_m=300.0,
        levels=None,
        action="change",
        reward="team",
        observation="local",
        changes=6,
        horizon=SHORT,
    ),
    _case(
        "power-far",
        "MmwavePowerAllocation-v0",
        "power_allocation",
        layout="poisson",
        scope="network",
        side_m=400.0,
        interference="network",
        interference_range_m=150.0,
        observation="local",
        reward="difference",
        changes=3,
        horizon=SHORT,
    ),
    _case(
        "power-rows-changing",
        "MmwavePowerAllocation-v0",
        "power_allocation",
        num_bs=5,
        changes=4,
        feasible="only",
        reward="exponential",
        horizon=SHORT,
    ),
    _case("coupled", "SharedCells-v0", "shared_cells"),
    _case("coupled-pairs", "SharedCells-v0", "shared_cells", power_levels=2, num_ues=3),
    _case("coupled-alone", "SharedCells-v0", "shared_cells", num_ues=1),
    _case("events", "RingRoad-v0", "ring_road"),
    _case("crowd", "Crowd-v0", "crowd"),
    _case("crowd-of-8", "Crowd-v0", "crowd", num_places=8),
)
SMALL_CASES = tuple(case for case in CASES if case.name != "crowd")
PARALLEL_CASES = tuple(c for c in CASES if c.scenario not in ("ring_road", "association"))
