"""A mutation fuzz over every reader of what others made: `python -m fuzzing --cases 100000` in the folder tests."""
