"""How the training scripts train in this scenario, the object of its entry point in `mmwave_gym.training`."""

from mmwave_baselines.association.training.presets import PRESETS
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(
    presets=PRESETS,
    credit="credit_mbit",
    tuning_episodes={"association/blocked-256-fair": 16, "association/blocked-512": 16, "association/blocked-2048": 4},
)
