"""SAC: python -m train.sac MmwavePowerAllocation-v0"""

from mmwave_baselines.training.sac import run

if __name__ == "__main__":
    run()
