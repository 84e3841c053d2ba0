"""Somebody else's package: a class with `predict` is all that mmwave-gym asks for.

cd examples; mmwave-gym evaluate their_package:Agent --task handover/a1-beta25
"""

import numpy as np

SERVING = slice(6, 12)  # one-hot, after the RSRQ of six cells
MARGIN_DB = 8.0


class Agent:
    """Hands over only to a cell that is much stronger."""

    label = "eight decibels"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        rsrq_db, serving = observation[:, :6], observation[:, SERVING].argmax(axis=1)
        rows = np.arange(len(observation))
        best = rsrq_db.argmax(axis=1)
        return np.where(rsrq_db[rows, best] > rsrq_db[rows, serving] + MARGIN_DB, best, serving), state
