"""Tasks, evaluation, runs, statistics and the leaderboard."""
