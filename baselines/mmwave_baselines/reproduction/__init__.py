"""What all reproductions share: the paper as one value, its claims and verdicts, measures, words and figures."""
