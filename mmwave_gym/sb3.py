"""Stable-Baselines3: `make_sb3_vec_env(id, n_envs=…, seed=…, **keywords)`; needs `pip install 'mmwave-gym[train]'`."""

from mmwave_gym.core.errors import needs

try:
    from mmwave_gym.api.sb3 import SEED_SPACING, ScenarioVecEnv, make_sb3_vec_env, network_of
except ImportError as error:
    raise needs(__name__, "train", error) from error

__all__ = ["SEED_SPACING", "ScenarioVecEnv", "make_sb3_vec_env", "network_of"]
