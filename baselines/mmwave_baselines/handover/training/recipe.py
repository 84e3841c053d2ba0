"""What the training scripts are told of this scenario."""

from mmwave_baselines.handover.training.presets import PRESETS
from mmwave_baselines.handover.training.shaping import potential
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(presets=PRESETS, potential=potential)
