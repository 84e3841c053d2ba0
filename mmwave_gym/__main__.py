"""`python -m mmwave_gym` is the command line."""

from mmwave_gym.cli import main

main()
