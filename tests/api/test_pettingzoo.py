"""What PettingZoo is promised beside the contract (tests/core/test_contract.py)."""

from __future__ import annotations

import pettingzoo
import pytest
from contract import SMALL_CASES
from gymnasium import spaces
from pettingzoo.test import max_cycles_test

from mmwave_gym import cell_selection_v0, handover_v0, handover_v1, power_allocation_v0, street_v0, street_v1
from mmwave_gym.api import pettingzoo as multiagent

pytestmark = [pytest.mark.usefixtures("small_scenarios"), pytest.mark.filterwarnings("error")]


def test_max_cycles_are_the_horizon() -> None:
    for module in (handover_v0, handover_v1, cell_selection_v0, power_allocation_v0):
        max_cycles_test(module)
    for module in (street_v0, street_v1):  # steps are longer where a handover takes time
        assert module.parallel_env(max_cycles=4).scenario.horizon == 4
    with pytest.raises(ValueError, match="max_cycles and horizon are the same in handover: give one of both"):
        handover_v0.parallel_env(max_cycles=3, horizon=4)


def test_thousands_of_agents_take_turns() -> None:
    env = multiagent.raw_env("ring_road", num_ues=2000, duration_s=10.0)
    env.reset(seed=0)
    for _ in env.agent_iter(50):
        env.step(0)
    assert len(env.agents) == 2000


def test_unknown_options_are_ignored_and_closing_twice_is_safe() -> None:
    for case in SMALL_CASES:
        env = case.aec_env()
        env.reset(seed=1, options={"colour": "blue"})
        env.close()
        env.close()


def test_the_wrong_api_for_a_scenario_names_the_right_one() -> None:
    with pytest.raises(ValueError, match=r"ring_road one agent decides at a time: use parallel_env\(\) or env\(\)"):
        multiagent.ScenarioParallelEnv("ring_road")
    with pytest.raises(ValueError, match=r"all agents act at once: use parallel_env\(\) or env\(\)"):
        multiagent.ScenarioTurnEnv("handover")


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo has a registry from 1.27 on")
def test_pettingzoo_s_registry_knows_the_ids() -> None:
    aec = pettingzoo.make("aec", "MmwaveHandover-v0", num_ues=3, horizon=5)
    assert aec.possible_agents == ["ue_0", "ue_1", "ue_2"]
    parallel = pettingzoo.make("parallel", "MmwaveHandover-v0", num_ues=3, horizon=5)
    assert set(parallel.reset(seed=1)[0]) == {"ue_0", "ue_1", "ue_2"}
    assert isinstance(pettingzoo.make("aec", "RingRoad-v0").unwrapped, multiagent.ScenarioTurnEnv)
    in_turn = pettingzoo.make("parallel", "RingRoad-v0")
    observations, infos = in_turn.reset(seed=1)
    assert set(observations) == set(in_turn.possible_agents)
    assert sum(info["turn"] for info in infos.values()) == 1.0


def test_observation_spaces_with_masks_are_dicts() -> None:
    env = multiagent.raw_env("ring_road")
    space = env.observation_space("ue_0")
    assert isinstance(space, spaces.Dict)
    assert set(space) == {"observation", "action_mask"}
