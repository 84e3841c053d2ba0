"""Imitation and PPO where agents take turns: python -m train.turns --task association/blocked-512"""

from mmwave_baselines.association.training.turns import run

if __name__ == "__main__":
    run()
