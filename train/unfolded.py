"""An unfolded iteration of powers, trained through the channel: python -m train.unfolded MmwavePowerAllocation-v0"""

from mmwave_baselines.power_allocation.training.unfolded import run

if __name__ == "__main__":
    run()
