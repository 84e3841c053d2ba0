"""What differs from a script's defaults for a scenario or a task: the one place of tuned arguments.

`train.arguments.parse` takes them as defaults, so that whatever the command line says comes first. Keys: the script,
then a scenario's name or a task's; a task's entries come before its scenario's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_TEAM = {"network": "set", "train_set": ("reward=team",), "stay_logit": 0.0, "horizon": 1000, "frame_stack": 1}
_SPARINGLY = {"eval_every": 1_000_000, "checkpoint_every": 1_000_000}  # a million decisions take a quarter of a minute
_SIX = {"n_envs": 192}  # as many UEs in all as with three UEs a copy
_STROLL = {"gamma": 0.98, "gae_lambda": 0.95, "entropy": 0.001}  # a decision every 400 ms
_DEARER = {"gamma": 0.8}  # a handover pays back over more slots
_POWERS = {
    "set": ("ue_radius_m=30.0", "levels=null", "observation=local", "reward=difference", "feasible=only"),
    "train_set": ("action=change", "penalty=10.0", "levels=null", "observation=local", "reward=difference"),
    "see": "power_dbm,interference_dbm,margin_db,balance_db,pressure",
    "network": "plain",
    "hidden": 64,
    "frame_stack": 1,
    "horizon": 20,
    "reward_scale": 0.1,
}

PRESETS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "ppo": {
        "association": {
            "vary": ("num_ues=[256,512,1024]",),  # one policy for any density
            "train_set": ("duration_s=50.0",),
            "n_envs": 2,
            "n_steps": 10_240,  # 27 s of the densest world: on a road a UE decides every 13 s, and twice is needed
            "steps": 307_200,
            "network": "set",
            "hidden": 48,
            "frame_stack": 1,
            "imitate": "price",
            "imitate_updates": 800,
            "horizon": 8000,
            "learning_rate": 3e-4,  # it begins good, and higher rates spoil that
            "gae_lambda": 0.9,
            "entropy": 0.005,
            "reward_scale": 0.2,
            "eval_every": 61_440,
            "eval_episodes": 2,
            "keep_best": True,
        },
        "handover/chicago-walk-regions": {
            "train_set": ("channel=mssn:V-R10/2071667#south",),  # the task's tests are in the north
            "steps": 49_152,
            "network": "set",  # other cells are the strongest there
            "rule": "1,0,4",  # A3 as it is best in the south
            "sharpness": 10.0,  # with 3 one seed handed over too rarely: 2 logits less for staying were better
            "frame_stack": 6,
            "hidden": 16,
            "batch_size": 512,
            "n_epochs": 3,
            "horizon": 600,
            "gamma": 0.95,
            "gae_lambda": 0.9,
        },
        "street": {
            "steps": 2_000_000,
            "n_envs": 256,  # solving one copy in hindsight costs nearly what ten cost
            "n_steps": 16,
            "batch_size": 2048,
            "n_epochs": 3,
            "network": "plain",  # standardised inputs: with a linear path beside them the same decisions bring less
            "hidden": 128,
            "frame_stack": 1,  # the observation holds eight measurements
            "imitate": "a3",  # from random weights 1.5 M decisions ended below A3
            "imitate_updates": 500,
            "learning_rate": 5e-4,
            "gamma": 0.95,
            "gae_lambda": 0.9,
            "entropy": 0.003,
        },
        "street/car-sparse-80ms": {"steps": 1_000_000},  # they are there for what the interruption costs
        "street/car-sparse-480ms": {"steps": 1_000_000},
        "street/car-unseen": {
            "train_set": (f"maps={json.dumps(list(range(1001, 1129)), separators=(',', ':'))}",),  # none of the task's
            "steps": 800_000,
            "network": "relative",
            "hidden": 48,
            "imitate_updates": 250,
        },
        "street/walk-sparse": {**_STROLL},
        "street/walk-dense": {**_STROLL},
        "cell_selection": {
            **_TEAM,
            **_SPARINGLY,
            "steps": 1_500_000,
            "n_envs": 384,
            "n_steps": 16,
            "batch_size": 2048,
            # The team's reward is so noisy that fresh samples teach more than a second pass over old ones.
            "n_epochs": 1,
            "learning_rate": 5e-3,
            "gamma": 0.6,  # links forget within a few slots
            "gae_lambda": 0.8,
            "entropy": 0.003,
        },
        "power_allocation": {
            **_POWERS,
            "vary": ("num_bs=[14,14,10,6]", 'start=["max","random","random","max"]'),
            "n_envs": 24,
            "n_steps": 20,
            "steps": 4_012_800,  # 190 rollouts
            "batch_size": 5280,  # a quarter of a rollout
            "n_epochs": 3,
            "gamma": 0.5,
            "gae_lambda": 0.9,
            "deviation": 2.2,
            **_SPARINGLY,
        },
        "cell_selection/n3-cost30": {**_DEARER},
        "cell_selection/n6-cost10": {**_SIX, "steps": 3_000_000},
        "cell_selection/n6-cost30": {**_SIX, **_DEARER},
    },
    "recurrent_ppo": {
        "street": {
            "see": "rsrp_0_dbm,serving,age_s,served_s,t310_s,sinr_db",  # of eight measurements the newest
            "imitate": "a3",
            "imitate_updates": 300,
        }
    },
    "a3c": {
        "street": {
            "steps": 1_000_000,
            "ues": 64,
            "cluster": False,
            "encoder": 64,
            "units": 64,
            "imitate_epochs": 4,
            "imitate_episodes": 256,
            "learning_rate": 1e-3,
            "gamma": 0.9,
            "entropy": 0.003,
            "warmup": 50,
            "offset": 5.5,  # of plain rewards: what A3 receives in 100 ms
            "sampled": False,
            "regret": True,
        }
    },
    "dqn": {
        "cell_selection": {
            **_TEAM,
            **_SPARINGLY,
            "steps": 600_000,
            "buffer": 200_000,
            "batch_size": 2048,
            "gradient_steps": 2,
            "learning_rate": 2e-3,
            "explore": 0.05,
            "gamma": 0.6,
        },
        "cell_selection/n3-cost30": {**_DEARER},
        "cell_selection/n6-cost30": {**_DEARER},
    },
    "sac": {
        "power_allocation": {
            **_POWERS,
            "vary": ("num_bs=[14,10,6]", 'start=["max","random","max"]'),
            "n_envs": 4,
            "gamma": 0.5,
            "eval_every": 100_000,
        }
    },
}


def preset(script: str, scenario: str, task: str) -> dict[str, Any]:
    """The arguments that a script begins with for a task of a scenario; both may be unknown or empty."""
    found = PRESETS.get(script, {})
    return {**found.get(scenario, {}), **found.get(task, {})}
