"""DQN: python -m train.dqn --task handover/a1-beta25"""

from mmwave_baselines.training.dqn import run

if __name__ == "__main__":
    run()
