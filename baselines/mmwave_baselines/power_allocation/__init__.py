"""Agents of MmwavePowerAllocation-v0: arXiv 1804.05757 and what bounds it."""
