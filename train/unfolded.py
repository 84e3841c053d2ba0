"""An unfolded iteration of powers, trained through the channel: python -m train.unfolded MmwavePowerAllocation-v0"""

from train import main

if __name__ == "__main__":
    main("unfolded")
