"""How agents of this scenario are trained: presets, shaping of rewards, tuning, algorithms that only it has."""
