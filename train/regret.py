"""A network over candidates from regrets in hindsight: python -m train.regret --task shared_street/main"""

from train import main

if __name__ == "__main__":
    main("regret")
