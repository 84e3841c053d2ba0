"""Golden sums: when they move, numbers of published boards move, and the id needs a new version and a line of history.

The tolerance is for other processors' last bits, not for other physics.
"""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import mmwave_gym  # noqa: F401 registers the environments
from mmwave_gym.core.registration import entries

GOLDEN = {
    "MmwaveHandover-v0": (31774.812519, -178873.227858),
    "MmwaveHandover-v1": (-241.462998, -178951.483832),
    "MmwaveCellSelection-v0": (3023.363846, 9648.000000),
    "MmwaveAssociation-v0": (16100.923359, 74481.313222),
    "MmwavePowerAllocation-v0": (0.996325, 1608.000000),  # its observations are one-hot
    "MmwaveSharedStreet-v0": (-1386.284575, -1445836.393484),
    "MmwaveStreet-v0": (5648.458470, -5657453.834529),
    "MmwaveStreet-v1": (5388.904826, -5663572.434667),
}
CONDITIONAL = (5813.798383, -6352190.264734)
GEOMETRY = (5344.953835, -5110361.553801)
NETWORK = (-4053.557799, -750740.018163)
OPTIONS = (-1053.449793, -1626990.852244)
CITY = (-854.382580, -1986470.243144)
STEPS = 200


def sums(env_id: str, **keywords: Any) -> tuple[float, float]:
    """Sums of rewards and of observations over `STEPS` steps of 8 copies that take turns among the actions."""
    envs = gym.make_vec(env_id, num_envs=8, **keywords)
    observation, _ = envs.reset(seed=7)
    reward_sum, observation_sum = 0.0, float(observation.sum(dtype=np.float64))
    for step in range(STEPS):
        actions = (np.arange(8) + step // 5) % envs.single_action_space.n
        observation, reward, *_ = envs.step(actions)
        reward_sum += float(reward.sum())
        observation_sum += float(observation.sum(dtype=np.float64))
    return reward_sum, observation_sum


@pytest.mark.parametrize("env_id", [entry.id for entry in entries() if entry.id.startswith("Mmwave")])
def test_numbers_have_not_moved(env_id: str) -> None:
    assert sums(env_id) == pytest.approx(GOLDEN[env_id], rel=1e-5)


def test_numbers_of_a_network_that_changes_have_not_moved() -> None:
    """Every part of power allocation: far interference, healing, the rich observation, the difference reward."""
    network = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 150.0}
    rich = {"observation": "local", "reward": "difference", "ue_radius_m": 30.0, "changes": 9, "side_m": 400.0}
    assert sums("MmwavePowerAllocation-v0", **network, **rich) == pytest.approx(NETWORK, rel=1e-5)


def test_numbers_of_geometric_sight_have_not_moved() -> None:
    assert sums("MmwaveStreet-v1", sight="geometry") == pytest.approx(GEOMETRY, rel=1e-5)


def test_numbers_of_conditional_handover_have_not_moved() -> None:
    assert sums("MmwaveStreet-v1", handover="conditional") == pytest.approx(CONDITIONAL, rel=1e-5)


def test_numbers_of_shared_streets_with_options_have_not_moved() -> None:
    """A grid of blocks where cars turn, files with deadlines, and interference that follows load; a traced city."""
    grid = {"blocks": (3, 2), "arm_m": 90.0, "isd_m": 90.0, "turning": 0.4, "interference": "load", "demand": "queue"}
    assert sums("MmwaveSharedStreet-v0", **grid) == pytest.approx(OPTIONS, rel=1e-5)
    assert sums("MmwaveSharedStreet-v0", maps="munich") == pytest.approx(CITY, rel=1e-5)
