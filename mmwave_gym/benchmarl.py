"""BenchMARL: `MmwaveTask("MmwaveCellSelection-v0", num_ues=3)` is a task of its experiments."""

from mmwave_gym.api.benchmarl import MmwaveTask

__all__ = ["MmwaveTask"]
