"""Agents for UDN handover (Wang et al., arXiv 1801.02077).

* `rules`: random cell (the floor), stay, strongest cell, 3GPP event A3 with a pair tuned for each task
* `saturated`, `mean_rate`: two parameters, tuned for each task, for the paper's world and for real receivers
* `ucb`: the paper's bandit, with raw and with normalised reward; it learns while it plays
* `oracle`: Viterbi in hindsight, the exact ceiling of every episode
* `learned`: trained policies, one for each training seed
* `a3c`, `a3c_speed`: the paper's learner, simulated exactly, on `traces` of UEs; `a3c_kernel`: its network, compiled
* `mobility_clusters`: which UEs share a server; `a3_kernel`: event A3, whom learners imitate at first
* `a3c_agents`: a UE that fetches its cluster's weights, offline, online, and as in the paper

`tuned_rules.json` is written by `mmwave-gym tune` from training splits (docs/tuning.md).
"""
