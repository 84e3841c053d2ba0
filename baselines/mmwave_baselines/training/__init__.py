"""Training with Stable-Baselines3: arguments, runs, rewards, imitation; `python -m train.ppo --help` tells more."""
