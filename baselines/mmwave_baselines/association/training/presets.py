"""How training in association differs from the scripts' defaults: by script, then for all (\"\") or one task."""

from __future__ import annotations

from mmwave_baselines.training.recipes import Presets

PRESETS: Presets = {
    "ppo": {
        "": {
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
        }
    }
}
