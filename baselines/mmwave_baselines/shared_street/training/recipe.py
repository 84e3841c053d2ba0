"""How the training scripts train in this scenario, the object of its entry point in `mmwave_gym.training`."""

from mmwave_baselines.shared_street.training.presets import PRESETS
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(presets=PRESETS, tuning_episodes={"shared_street/main": 16})
