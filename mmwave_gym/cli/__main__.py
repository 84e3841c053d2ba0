"""`python -m mmwave_gym.cli`."""

from mmwave_gym.cli import main

main()
