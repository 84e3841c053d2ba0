"""Agents of handover in a street: 3GPP's rule in several forms, learned policies, and the best in hindsight."""
