"""BenchMARL: `MmwaveTask("MmwaveCellSelection-v0", num_ues=3)`; needs `pip install 'mmwave-gym[benchmarl]'`."""

from mmwave_gym.core.errors import needs

try:
    from mmwave_gym.api.benchmarl import MmwaveTask
except ImportError as error:
    raise needs(__name__, "benchmarl", error) from error

__all__ = ["MmwaveTask"]
