"""Training scripts, run from a checkout: python -m train.ppo, train.dqn, train.a2c. See docs/training.md."""
