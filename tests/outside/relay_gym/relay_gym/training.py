"""How `mmwave-gym train` begins here: what differs from the scripts' defaults."""

from mmwave_baselines.training.recipes import Recipe

# Every relay alike; a choice matters until the channel has changed.
PPO = {"steps": 600_000, "n_envs": 64, "batch_size": 512, "network": "relative", "hidden": 8, "frame_stack": 1}
PPO |= {"gamma": 0.9, "reward_scale": 1.0, "imitate": "max-min", "imitate_updates": 500, "eval_every": 0}

RECIPE = Recipe(presets={"ppo": {"": PPO}})
