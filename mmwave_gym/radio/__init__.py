"""Radio physics that no scenario owns: units, propagation laws by their names, random fields, interference."""
