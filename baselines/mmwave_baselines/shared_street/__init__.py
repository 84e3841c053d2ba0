"""Agents of shared streets: rules, planners, and what is best in hindsight."""
