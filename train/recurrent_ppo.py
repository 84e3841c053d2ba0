"""PPO with an LSTM: python -m train.recurrent_ppo --task street/car-sparse"""

from mmwave_baselines.training.recurrent_ppo import run

if __name__ == "__main__":
    run()
