"""The tasks of power allocation: what the suite measures, from which floor up."""

from __future__ import annotations

from functools import partial

from mmwave_gym.benchmark.task import Task

# Rates of UEs that are not satisfied do not count, and each of them has a price. In the tasks of fourteen stations it
# is more than giving a UE up can ever bring the others (proof: `PowerAllocationConfig.missed`), so that satisfied UEs
# count first. In networks, where nobody can satisfy all, it stays at 10 bit/s/Hz: giving one up can pay there.
# By satisfied rate alone "sca-selected" would lead, with 89 % of the UEs of hard-14 satisfied.
_power = partial(
    Task,
    env_id="MmwavePowerAllocation-v0",
    primary="qos_rate_bps_hz",
    reference="full-power",
    ceiling="sca",
    smallest_difference=0.2,
    episodes=64,
    suite="papers",
)
# Who has learned elsewhere, or computes, has 20 slots to settle; who learns in the very world has 5,000.
_settle_first = partial(_power, warmup_steps=20, scored_steps=80)
_FIRST = {"missed_bps_hz": None}
_HARD = {"ue_radius_m": 30.0, "reward": "difference"}
_CONTINUOUS = {"levels": None, "observation": "local"}

TASKS: tuple[Task, ...] = (
    _power(
        name="power_allocation/paper-14",
        kwargs={"horizon": 5100, **_FIRST},
        ceiling="sca-sets",
        warmup_steps=5000,
        scored_steps=100,
        smallest_difference=0.01,
        episodes=96,
        description="Fourteen base stations as in the paper, 32 levels: full power is nearly optimal, for the record.",
    ),
    _settle_first(
        name="power_allocation/hard-14",
        kwargs={**_HARD, **_FIRST, **_CONTINUOUS, "feasible": "only"},
        ceiling="sca-sets",
        episodes=512,
        description="UEs up to 30 m away, any power: full power leaves one UE of fourteen unsatisfied, all could be.",
    ),
    _power(
        name="power_allocation/hard-14-levels",
        kwargs={**_HARD, **_FIRST, "observation": "local", "feasible": "only", "horizon": 5100},
        ceiling="sca-sets",
        warmup_steps=5000,
        scored_steps=100,
        episodes=704,
        expensive=True,
        description="The same with 32 levels, and time to learn in the very world.",
    ),
    _settle_first(
        name="power_allocation/overfull-14",
        kwargs={**_HARD, **_FIRST, **_CONTINUOUS, "feasible": "not"},
        ceiling="sca-sets",
        suite="v1",
        why="somebody has to give way here, and learned agents differ from the rules in who does",
        episodes=640,
        description="Draws in which not all UEs can be satisfied: somebody has to give way.",
    ),
    _power(
        name="power_allocation/network-1000",
        kwargs={
            **_HARD,
            **_CONTINUOUS,
            "layout": "poisson",
            "scope": "network",
            "interference": "network",
            "side_m": 2887.0,
            "horizon": 50,
        },
        warmup_steps=20,
        scored_steps=30,
        smallest_difference=6.0,
        episodes=32,
        expensive=True,
        description="A thousand base stations that all disturb each other.",
    ),
    _power(
        name="power_allocation/changing",
        kwargs={
            **_HARD,
            **_CONTINUOUS,
            "layout": "poisson",
            "scope": "network",
            "interference": "network",
            "changes": 8,
            "horizon": 200,
        },
        warmup_steps=20,
        scored_steps=180,
        smallest_difference=0.7,
        episodes=160,
        description="120 base stations of which eight leave or arrive; clusters and powers have to heal.",
    ),
    _settle_first(
        name="power_allocation/melbourne",
        kwargs={**_HARD, **_CONTINUOUS, "layout": "sites:melbourne", "scope": "network", "interference": "network"},
        description="The 125 sites of one operator in Melbourne's centre, some twelve metres from the next.",
        needs_data=True,
        smallest_difference=0.8,
        episodes=48,
    ),
)
