"""How fast mmwave-gym is: `python -m bench`."""
