"""How the training scripts train in this scenario, the object of its entry point in `mmwave_gym.training`."""

from mmwave_baselines.handover.training.presets import PRESETS
from mmwave_baselines.handover.training.shaping import potential
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(presets=PRESETS, potential=potential, a3c="mmwave_baselines.handover.training.a3c:Handover")
