"""A2C: python -m train.a2c --task handover/a1-beta25"""

from mmwave_baselines.training.a2c import run

if __name__ == "__main__":
    run()
