"""How one trains in shared streets."""
