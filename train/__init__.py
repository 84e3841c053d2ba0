"""Training scripts of a checkout: `python -m train.ppo` is `mmwave-gym train ppo`. See docs/training.md."""
