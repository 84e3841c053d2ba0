"""A2C: python -m train.a2c --task handover/a1-beta25"""

from train import main

if __name__ == "__main__":
    main("a2c")
