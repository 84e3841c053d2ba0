"""What the training scripts are told of this scenario."""

from mmwave_baselines.cell_selection.training.presets import PRESETS
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(presets=PRESETS)
