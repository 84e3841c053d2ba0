"""How training in cell selection differs from the scripts' defaults: by script, then for all (\"\") or one task."""

from __future__ import annotations

from mmwave_baselines.training.recipes import Presets

_TEAM = {"network": "set", "train_set": ("reward=team",), "stay_logit": 0.0, "horizon": 1000, "frame_stack": 1}
_SPARINGLY = {"eval_every": 1_000_000, "checkpoint_every": 1_000_000}  # a million decisions take a quarter of a minute
_FOUR, _SIX = {"n_envs": 288}, {"n_envs": 192}  # as many UEs in all as with three UEs an environment
_DEARER = {"gamma": 0.8}  # a handover pays back over more slots

PRESETS: Presets = {
    "ppo": {
        "": {
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
        "cell_selection/n3-cost30": {**_DEARER},
        "cell_selection/n4-cost10": {**_FOUR},
        "cell_selection/n6-cost10": {**_SIX, "steps": 3_000_000},
        "cell_selection/n6-cost30": {**_SIX, **_DEARER},
    },
    "dqn": {
        "": {
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
}
