"""`others=` where there is nobody to play, and modules whose library is not installed."""

from __future__ import annotations

import subprocess
import sys

import gymnasium as gym
import pytest

from mmwave_gym.agents import AgentError
from mmwave_gym.benchmark.task import Task

ONE = "MmwaveHandover-v0"  # one UE by default


@pytest.mark.parametrize("make", [gym.make, lambda i, **k: gym.make_vec(i, num_envs=2, **k)])
def test_a_wrong_policy_of_the_others_is_refused_where_there_are_none(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(AgentError, match=r"unknown handover agent 'a33'. Did you mean 'a3'"):
        make(ONE, others="a33")
    with pytest.raises(AgentError, match="others must be an agent's name or an object with predict, got 7"):
        make(ONE, others=7)
    make(ONE, others="a3").reset(seed=0)
    make(ONE).reset(seed=0)


def test_a_task_of_one_agent_has_no_others() -> None:
    with pytest.raises(ValueError, match=r"others='a3' has nobody to play: handover has one agent.*more ues"):
        Task(env_id=ONE, kwargs={"others": "a3"}).scenario()
    assert Task(env_id=ONE, kwargs={"others": "a3", "num_ues": 2, "boundary": "stay"}).scenario().num_agents == 1


@pytest.mark.parametrize(
    ("module", "library"), [("rllib", "ray"), ("benchmarl", "benchmarl"), ("sb3", "stable_baselines3")]
)
def test_a_module_without_its_library_says_how_to_get_it(module: str, library: str) -> None:
    extra = {"sb3": "train"}.get(module, module)
    code = f"import sys; sys.modules[{library!r}] = None; import mmwave_gym.{module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"pip install 'mmwave-gym[{extra}]'" in done.stderr.splitlines()[-1]
