"""Agents for UDN handover (Wang et al., arXiv 1801.02077).

* `rules`: random cell (the floor), stay, strongest cell, 3GPP event A3 with a pair tuned for each task
* `ucb`: the paper's bandit, with raw and with normalised reward; it learns while it plays
* `oracle`: Viterbi in hindsight, the exact ceiling of every episode
* `learned`: trained policies, one for each training seed

`tuned_a3.json` is written by `python -m train.tune_a3` from the training split.
"""
