"""A3C with an LSTM, in two layers, as in arXiv 1801.02077: python -m train.a3c MmwaveHandover-v0 --mode stable"""

from mmwave_baselines.handover.training.a3c import run

if __name__ == "__main__":
    run()
