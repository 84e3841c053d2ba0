"""Turn-taking PPO after behaviour cloning: python -m train.turns --task association/blocked-512"""

from train import main

if __name__ == "__main__":
    main("turns")
