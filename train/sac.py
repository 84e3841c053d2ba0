"""SAC: python -m train.sac MmwavePowerAllocation-v0"""

from train import main

if __name__ == "__main__":
    main("sac")
