"""An LSTM of A3C with random weights, and a block of steps for it."""

from __future__ import annotations

import numpy as np

from mmwave_baselines.training.a3c_server import Server
from mmwave_baselines.training.lstm import Shape

SHAPE = Shape()


def server(seed=0, scale=1.0):
    """Random weights, larger than those that learning begins with, so that nothing is nearly linear."""
    fresh = Server.fresh(SHAPE, seed)
    for weight, _ in SHAPE.unpack(fresh.weights)[2:]:
        weight *= 10.0 * scale
    return fresh


def a_block(seed=0, slots=7, rows=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(slots, rows, SHAPE.inputs))
    memory = rng.normal(size=(2, rows, SHAPE.units))
    goes_on = rng.random((slots, rows)) < 0.8
    return rng, x, memory, goes_on
