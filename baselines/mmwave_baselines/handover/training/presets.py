"""How training in UDN handover differs from the scripts' defaults: by script, then for all (\"\") or one task."""

from __future__ import annotations

from mmwave_baselines.training.recipes import Presets

PRESETS: Presets = {
    "ppo": {
        "handover/chicago-walk-regions": {
            "train_set": ("channel=mssn:V-R10/2071667#south",),  # the task's tests are in the north
            "steps": 49_152,
            "network": "set",  # other cells are the strongest there
            "rule": "1,0,4",  # A3 as it is best in the south
            "sharpness": 10.0,  # with 3 one seed handed over too rarely: 2 logits less for staying were better
            "frame_stack": 6,
            "hidden": 16,
            "batch_size": 512,
            "n_epochs": 3,
            "horizon": 600,
            "gamma": 0.95,
            "gae_lambda": 0.9,
        }
    }
}
