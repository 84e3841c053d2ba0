"""A3C with an LSTM, in two layers, as in arXiv 1801.02077: python -m train.a3c MmwaveHandover-v0 --mode stable"""

from train import main

if __name__ == "__main__":
    main("a3c")
