"""How `mmwave-gym train` begins here: what differs from the scripts' defaults."""

from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(
    presets={
        "ppo": {
            "": {
                "steps": 600_000,
                "n_envs": 64,
                "batch_size": 512,
                "network": "relative",  # every relay alike
                "hidden": 8,
                "frame_stack": 1,
                "gamma": 0.9,  # a choice matters until the channel has changed
                "reward_scale": 1.0,
                "imitate": "max-min",
                "imitate_updates": 500,
                "eval_every": 0,
            }
        }
    }
)
