"""PPO with an LSTM: python -m train.recurrent_ppo --task street/car-sparse"""

from train import main

if __name__ == "__main__":
    main("recurrent_ppo")
