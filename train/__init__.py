"""Training scripts, run from a checkout: python -m train.ppo, train.dqn, train.a2c, train.sac. See docs/training.md."""
