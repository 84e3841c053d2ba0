"""What other people's libraries stumbled over, each cause by itself. `make clients` runs the libraries themselves."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest
from gymnasium.utils.play import play
from gymnasium.vector import AutoresetMode

from mmwave_gym import (
    association_v0,
    cell_selection_v0,
    handover_v0,
    handover_v1,
    power_allocation_v0,
    street_v0,
    street_v1,
)
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.registration import entries, make_scenario

IDS = [entry.id for entry in entries() if entry.id.startswith("Mmwave")]
MODULES = (handover_v0, handover_v1, street_v0, street_v1, association_v0, cell_selection_v0, power_allocation_v0)
SMALL: dict[str, dict[str, Any]] = {"MmwaveAssociation-v0": {"num_ues": 4}}
CONTINUOUS = "MmwavePowerAllocation-v0"


@pytest.mark.parametrize("env_id", IDS)
def test_torchrl_tries_frameskip_and_goes_on_by_the_text_of_the_error(env_id: str) -> None:
    for make in (gym.make, gym.make_vec, lambda i, **k: pettingzoo.make("parallel", i, **k)):
        with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
            make(env_id, frameskip=1)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_torchrl_asks_a_vector_for_its_autoreset_mode(mode: AutoresetMode) -> None:
    assert gym.make_vec("MmwaveHandover-v0", num_envs=2, autoreset_mode=mode).autoreset_mode is mode  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", ["power", "change"])
def test_a_single_continuous_number_has_shape_1_and_is_taken_in_any_form(action: str) -> None:
    env = gym.make(CONTINUOUS, levels=None, action=action)
    assert env.action_space.shape == (1,)
    answers = []
    for form in (3.0, np.float32(3.0), np.array(3.0), np.array([3.0], np.float32), [3.0]):
        env.reset(seed=1)
        answers.append(env.step(form)[1:])
    assert all(answer == answers[0] for answer in answers)
    vector = gym.make_vec(CONTINUOUS, num_envs=3, levels=None, action=action)
    assert vector.action_space.shape == (3, 1)
    rewards = []
    for actions in (np.full(3, 3.0), np.full((3, 1), 3.0, np.float32)):
        vector.reset(seed=1)
        rewards.append(vector.step(actions)[1])
    assert np.array_equal(*rewards)
    assert rewards[0][0] == answers[0][0]
    with pytest.raises(ValueError, match=r"must have shape \(3,\), got \(1, 3\)"):
        vector.step(np.zeros((1, 3)))
    together = power_allocation_v0.parallel_env(levels=None, action=action)
    assert together.action_space("bs_0").shape == (1,)


@pytest.mark.parametrize("env_id", IDS)
def test_minari_wants_the_same_infos_at_reset(env_id: str) -> None:
    env = gym.make(env_id, **SMALL.get(env_id, {}))
    _, first = env.reset(seed=0)
    following = env.step(env.action_space.sample())[4]
    assert {n: type(v) for n, v in first.items()} == {n: type(v) for n, v in following.items()}
    assert all(value == 0.0 for name, value in first.items() if name != "action_mask")


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__.rpartition(".")[2])
def test_skrl_asks_for_all_spaces_at_once(module: Any) -> None:
    for make in (module.parallel_env, module.env):
        env = make()
        assert env.observation_spaces.keys() == env.action_spaces.keys() == set(env.possible_agents)
        agent = env.possible_agents[0]
        assert env.observation_spaces[agent] is env.observation_space(agent)
        assert env.action_spaces[agent] is env.action_space(agent)


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo has a registry from 1.27 on")
@pytest.mark.parametrize("env_id", IDS)
def test_every_registered_form_can_be_made(env_id: str) -> None:
    for api in ("parallel", "aec"):
        env = pettingzoo.make(api, env_id, **SMALL.get(env_id, {}))
        env.reset(seed=0)
        assert env.agents


def test_a_base_station_is_told_its_own_capacity_beside_the_network_s() -> None:
    env = power_allocation_v0.parallel_env(num_bs=6)
    env.reset(seed=3)
    infos = env.step(dict.fromkeys(env.agents, 20))[4]
    own = [info["capacity_bps_hz"] for info in infos.values()]
    assert len(set(own)) == 6
    assert all(info["sum_rate_bps_hz"] == pytest.approx(sum(own)) for info in infos.values())
    single = gym.make(CONTINUOUS, num_bs=6, others="full-power")
    single.reset(seed=3)
    whole = single.unwrapped.batch.state  # type: ignore[attr-defined]
    assert single.step(20)[4]["capacity_bps_hz"] == whole.capacity_bps_hz[0, 0]


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_s_play_finds_keys(env_id: str) -> None:
    pygame = pytest.importorskip("pygame", reason="the extra mmwave-gym[render] is not installed")
    env = gym.make(env_id, render_mode="rgb_array", **SMALL.get(env_id, {}))
    played: list[Any] = []

    def watch(before: Any, after: Any, action: Any, *answers: Any) -> None:
        played.append(action)
        last = len(played) > 2
        pygame.event.post(
            pygame.event.Event(pygame.QUIT if last else pygame.KEYDOWN, {} if last else {"key": ord("1")})
        )

    play(env, callback=watch, seed=1, fps=1000)
    assert played == [0, 1, 1]


def test_shared_keywords_mean_the_same_everywhere() -> None:
    for name in ("handover", "street", "cell_selection", "power_allocation"):
        assert make_scenario(name, horizon=7).horizon == make_scenario(name, max_cycles=7).horizon == 7
    assert make_scenario("street", num_ues=1).num_agents == 1
    assert gym.make("MmwaveHandover-v0", street="canyon", num_ues=1).reset(seed=1)
    with pytest.raises(ValueError, match="num_ues must be 1 in street, got 2"):
        make_scenario("street", num_ues=2)
    assert make_scenario("street", step_s=0.2).constants() == make_scenario("street", decision_s=0.2).constants()
    assert make_scenario("power_allocation", step_s=0.5).constants()["slot_s"] == 0.5
    with pytest.raises(ValueError, match="horizon and duration_s both say how long an episode is"):
        make_scenario("street", horizon=7, duration_s=1.0)
    with pytest.raises(ValueError, match="step_s and slot_s are the same in power_allocation: give one of both"):
        make_scenario("power_allocation", step_s=0.5, slot_s=0.5)
    with pytest.raises(TypeError, match="association got an unexpected keyword argument 'max_cycles'"):
        make_scenario("association", max_cycles=7)
    with pytest.raises(ValueError, match="control='all' leaves nobody for others"):
        make_scenario("cell_selection", control="all", others="channel")
    with pytest.raises(ValueError, match="always_present must be True or False, got 1"):
        make_scenario("cell_selection", always_present=1)


class Cycling:
    """Takes turns among the actions, step by step; in the centralised view agent i is i ahead."""

    def begin(self, view: Any, rng: Any) -> Any:
        self.parts = np.arange(int(np.prod(view.action_space.shape))).reshape(view.action_space.shape)
        return 0

    def predict(self, observation: Any, state: Any, episode_start: Any, deterministic: bool) -> Any:
        return np.stack([(state + self.parts) % 3] * len(observation)), state + 1


@pytest.mark.parametrize("view", [{"control": "all"}, {"others": "channel"}, {"others": "random"}])
def test_a_task_takes_the_views_of_gym_make(view: dict[str, Any]) -> None:
    """What was trained in a view is evaluated in it: rows are the episode sums of the environment."""
    keywords = {"num_ues": 3, "horizon": 20, **view}
    task = Task(env_id="MmwaveCellSelection-v0", kwargs=keywords, name="mine/view", episodes=2)
    agent = Cycling()
    rows = evaluate(agent, task)
    env = gym.make("MmwaveCellSelection-v0", **keywords).unwrapped
    for row, key in zip(rows, task.keys([0, 1]), strict=True):
        env.reset(seed=0)
        env.batch.reset([key])  # type: ignore[attr-defined]
        if env._others:  # type: ignore[attr-defined]
            env._others.reset()  # type: ignore[attr-defined]
        total, efficiency = 0.0, 0.0
        for t in range(20):
            action = (t + np.arange(3)) % 3 if "control" in view else t % 3
            _, reward, _, truncated, info = env.step(action)
            total += float(reward)
            efficiency += info["spectral_efficiency_bps_hz"]
        assert truncated
        assert row["reward"] == pytest.approx(total / 20, rel=1e-12)
        assert row["spectral_efficiency_bps_hz"] == pytest.approx(efficiency / 20, rel=1e-12)
    assert rows[0]["reward"] != rows[1]["reward"]


def test_others_in_a_task_are_named() -> None:
    with pytest.raises(ValueError, match="others must be a name or a path"):
        Task(env_id="MmwaveCellSelection-v0", kwargs={"others": Cycling()})
