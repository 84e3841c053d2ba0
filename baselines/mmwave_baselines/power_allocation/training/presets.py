"""How training in power allocation differs from the scripts' defaults: by script, then for all (\"\") or one task."""

from __future__ import annotations

from mmwave_baselines.training.recipes import Presets

_SPARINGLY = {"eval_every": 1_000_000, "checkpoint_every": 1_000_000}  # a million decisions take a quarter of a minute
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

PRESETS: Presets = {
    "ppo": {
        "": {
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
        }
    },
    "sac": {
        "": {
            **_POWERS,
            "vary": ("num_bs=[14,10,6]", 'start=["max","random","max"]'),
            "n_envs": 4,
            "gamma": 0.5,
            "eval_every": 100_000,
        }
    },
}
