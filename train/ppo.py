"""PPO: python -m train.ppo --task handover/a1-beta25"""

from mmwave_baselines.training.ppo import run

if __name__ == "__main__":
    run()
