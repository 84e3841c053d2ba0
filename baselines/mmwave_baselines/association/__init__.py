"""Trajectory-known association (Ning et al., arXiv 2201.05983): its methods, and rules that it does not have."""
