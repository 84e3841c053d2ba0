"""MDP cell selection (Mezzavilla et al., arXiv 1507.00387): its algorithms, agents, and the optimum of its game."""
