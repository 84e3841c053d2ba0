"""How the training scripts train in this scenario, the object of its entry point in `mmwave_gym.training`."""

from mmwave_baselines.street.training.presets import PRESETS
from mmwave_baselines.street.training.shaping import StreetPotential
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(
    presets=PRESETS,
    potential=StreetPotential,
    a3c="mmwave_baselines.street.training.a3c:Street",
    tuning_episodes={"street/car-sparse-geometry-v1": 16, "street/car-unseen-geometry-v1": 16},
)
