"""What a sweep varies where nobody says it: option -> values, as `mmwave-gym sweep` reads them.

Ranges are ours: a factor of about ten around what the presets of the scenarios have.
"""

from __future__ import annotations

PPO = {
    "learning-rate": "1e-4..1e-2,log",
    "gamma": "0.9,0.95,0.98,0.99,0.998",
    "gae-lambda": "0.8..1.0",
    "entropy": "1e-5..3e-2,log",
    "n-epochs": "1..8",
    "batch-size": "512,1024,2048,4096",
    "hidden": "16,32,64,128",
}
A2C = {
    "learning-rate": "1e-4..1e-2,log",
    "gamma": "0.9,0.95,0.98,0.99,0.998",
    "entropy": "1e-5..3e-2,log",
    "hidden": "16,32,64,128",
}
DQN = {"learning-rate": "1e-4..1e-2,log", "gamma": "0.9,0.95,0.98,0.99", "hidden": "16,32,64,128"}
SAC = {"learning-rate": "1e-4..1e-2,log", "gamma": "0.0,0.5,0.9,0.95,0.99", "hidden": "16,32,64,128"}
RECURRENT_PPO = {"learning-rate": "1e-4..1e-2,log", "gamma": "0.9,0.95,0.98,0.99", "entropy": "1e-5..3e-2,log"}
