"""The doors of other libraries: Gymnasium, PettingZoo, Stable-Baselines3."""
