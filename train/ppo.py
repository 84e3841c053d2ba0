"""PPO: python -m train.ppo --task handover/a1-beta25"""

from train import main

if __name__ == "__main__":
    main("ppo")
