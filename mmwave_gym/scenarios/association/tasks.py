"""The tasks of association: what the suite measures, from which floor up."""

from __future__ import annotations

from functools import partial

from mmwave_gym.benchmark.task import Task

# Twenty seconds of epochs come before the scored ones: free cells and crowded ones settle slowly.
_association = partial(
    Task,
    env_id="MmwaveAssociation-v0",
    primary="network_rate_mbps",
    reference="msr",
    ceiling="cover",
    episodes=32,
    suite="v1",
)
_paper_streets = partial(
    _association,
    suite="papers",
    description="Buses in a grid of streets with 64 base stations, as in the paper.",
    smallest_difference=1.0,
)
_blocked_streets = partial(
    _association, description="The same streets with large buildings: line of sight matters.", ceiling="roles"
)

TASKS: tuple[Task, ...] = (
    _association(
        name="association/small",
        kwargs={"geometry": "blocked", "num_ues": 8, "crossings": (2, 3), "duration_s": 60.0},
        description="Eight UEs among six base stations and large buildings: few enough for the optimum.",
        ceiling="optimum",
        smallest_difference=0.1,
        episodes=192,
    ),
    _paper_streets(name="association/paper-512", kwargs={"num_ues": 512, "duration_s": 60.0}, warmup_steps=1423),
    _paper_streets(
        name="association/paper-2048", kwargs={"num_ues": 2048, "duration_s": 40.0}, warmup_steps=5690, expensive=True
    ),
    _blocked_streets(
        name="association/blocked-512",
        kwargs={"geometry": "blocked", "num_ues": 512, "duration_s": 50.0},
        warmup_steps=3700,
        smallest_difference=4.0,
        episodes=64,
        why="the best rule leaves much to win, and no learned agent has won any of it yet",
    ),
    _blocked_streets(
        name="association/blocked-2048",
        kwargs={"geometry": "blocked", "num_ues": 2048, "duration_s": 32.0},
        warmup_steps=14800,
        smallest_difference=10.0,
        episodes=80,
        expensive=True,
    ),
    _association(
        name="association/blocked-256-fair",
        kwargs={"geometry": "blocked", "num_ues": 256, "duration_s": 50.0},
        primary="mean_log_rate",
        smallest_difference=0.01,
        ceiling=None,
        episodes=64,
        description="The blocked streets, scored by proportional fairness: what the weakest get counts.",
    ),
    _association(
        name="association/helsinki",
        kwargs={"city": "gtfs:helsinki"},
        description="A morning's trams and buses in central Helsinki, sight by the footprints of its buildings.",
        ceiling="rollout-long",
        smallest_difference=35.0,
        needs_data=True,
        suite="papers",
        why="its timetables are not in the package, and the default suite is for everybody",
        episodes=96,
    ),
)
