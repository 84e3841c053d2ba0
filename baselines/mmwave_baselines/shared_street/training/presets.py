"""How training in shared streets differs from the scripts' defaults: by script, then for all (\"\") or one task.

All UEs of all environments train one network.
"""

from __future__ import annotations

from mmwave_baselines.training.recipes import Presets

PRESETS: Presets = {
    "ppo": {
        "": {
            "network": "set",
            "frame_stack": 1,
            "train_set": ("horizon=800",),
            "n_envs": 8,
            "n_steps": 64,
            "batch_size": 4096,
            "n_epochs": 3,
            "learning_rate": 2e-3,
            "gamma": 0.987,  # a slot; 0.95 in the 0.4 s between two measurements
            "gae_lambda": 0.9,
            "entropy": 0.01,
            "eval_every": 10_000_000,
            "checkpoint_every": 10_000_000,
        }
    }
}
