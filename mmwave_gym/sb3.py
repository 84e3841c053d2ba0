"""Stable-Baselines3: `make_sb3_vec_env(id, n_envs=…, seed=…, **keywords)`; needs `pip install 'mmwave-gym[train]'`."""

from mmwave_gym.api.sb3 import SEED_SPACING, ScenarioVecEnv, make_sb3_vec_env, network_of

__all__ = ["SEED_SPACING", "ScenarioVecEnv", "make_sb3_vec_env", "network_of"]
