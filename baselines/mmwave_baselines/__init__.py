"""Baselines of mmwave-gym: for each paper its rules, learners, trained policies and exact optimum.

`mmwave_gym` finds them by the entry points of the group `mmwave_gym.agents` and names none of them.
"""
