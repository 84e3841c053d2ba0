"""What all reproductions share: verdicts on claims, and figures in one style."""
