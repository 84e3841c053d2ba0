"""What the training scripts are told of this scenario."""

from mmwave_baselines.street.training.presets import PRESETS
from mmwave_baselines.street.training.shaping import StreetPotential
from mmwave_baselines.training.recipes import Recipe

RECIPE = Recipe(presets=PRESETS, potential=StreetPotential)
