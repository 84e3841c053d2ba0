"""What agents of relay selection can have at most."""

from mmwave_gym.benchmark.bounds import of_agent

BOUNDS = (of_agent("oracle", "The relay that will be best, in every slot."),)
