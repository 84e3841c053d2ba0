"""Checkpoints of RLlib, written here as RLlib writes them: `make clients` reads those of RLlib itself."""

from __future__ import annotations

import json
import pickle
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from test_formats import TASK, Evil, layers, named, ours  # noqa: F401 (a fixture)

import mmwave_gym
from mmwave_gym.agents import AgentError
from mmwave_gym.agents.files import load_policy
from mmwave_gym.agents.formats import rllib
from mmwave_gym.benchmark.task import Task

PPO = "ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module"
SHOWN = spaces.Box(-1.0, 1.0, (12,), np.float32)


class Somewhere:
    """Classes of modules that exist only while a pickle is written: whoever reads it cannot import them."""

    def __init__(self, **classes: str):
        self.classes = classes

    def __enter__(self) -> types.SimpleNamespace:
        made = {}
        for name, module in self.classes.items():
            sys.modules[module] = types.ModuleType(module)
            made[name] = type(name, (), {"__module__": module})
            setattr(sys.modules[module], name, made[name])
        return types.SimpleNamespace(**made)

    def __exit__(self, *_: object) -> None:
        for module in self.classes.values():
            sys.modules.pop(module, None)


def weights(heads: int = 6) -> dict[str, Any]:
    first, second, last = layers((12, 8, 8, heads))
    return {
        **named("encoder.actor_encoder.net.mlp", [first, second]),
        **named("encoder.critic_encoder.net.mlp", layers((12, 8, 8))),
        **named("pi.net.mlp", [last]),
        **named("vf.net.mlp", layers((8, 1))),
        "pi.log_std_clip_param_const": np.ones(1, np.float32),
    }


def checkpoint(
    path: Path, arrays: Any, seen: Any = SHOWN, action: Any = None, policies: Any = ("default_policy",), **config: Any
) -> Path:
    """As `algorithm.save_to_path` leaves it."""
    with Somewhere(DefaultPPOTorchRLModule=PPO, PPO="ray.rllib.algorithms.ppo.ppo") as classes:
        keywords = {"observation_space": seen, "action_space": action or spaces.Discrete(6), "model_config": config}
        for policy in policies:
            folder = path / rllib.MODULES / policy
            folder.mkdir(parents=True)
            (folder / rllib.WEIGHTS).write_bytes(pickle.dumps(arrays))
            about = {"class": classes.DefaultPPOTorchRLModule, "ctor_args_and_kwargs": ((), keywords)}
            (folder / rllib.ARGUMENTS).write_bytes(pickle.dumps(about))
        whole = {"class": classes.PPO, "ctor_args_and_kwargs": (({"normalize_actions": True},), {})}
        (path / rllib.ARGUMENTS).write_bytes(pickle.dumps(whole))
    (path / "rllib_checkpoint.json").write_text("{}")
    return path


def test_a_checkpoint_plays_as_the_same_network(tmp_path: Path, ours: Path) -> None:  # noqa: F811
    path = checkpoint(tmp_path / "run", weights())
    assert mmwave_gym.evaluate(str(path), TASK) == mmwave_gym.evaluate(str(ours), TASK)
    agent = load_policy(path)
    assert (agent.label, agent.kind, agent.config["library"]) == ("PPO (RLlib)", "learned", "RLlib")


def test_it_says_itself_whether_observations_were_normalised(tmp_path: Path) -> None:
    fields = TASK.scenario().fields
    raw = checkpoint(tmp_path / "raw", weights(), spaces.Box(fields.low, fields.high))
    shown = checkpoint(tmp_path / "shown", weights(), spaces.Dict({"observations": SHOWN, "action_mask": SHOWN}))
    assert not rllib.load(raw, {})._described["normalised"]
    assert rllib.load(shown, {})._described["normalised"]
    (raw / "mmwave.json").write_text(json.dumps({"normalised": True, "label": "Mine"}))
    told = load_policy(raw)
    assert (told.label, told._described["normalised"]) == ("Mine", True)


def test_continuous_actions_are_spread_over_their_bounds(tmp_path: Path) -> None:
    """RLlib's module acts in [-1, 1]: -1 is the lower bound. Its second half of outputs are deviations."""
    task = Task(env_id="MmwavePowerAllocation-v0", kwargs={"levels": None, "horizon": 5}, episodes=1)
    space, features = task.scenario().action_space, task.scenario().fields.size
    last = (np.zeros((2, 8), np.float32), np.array([0.5, 9.0], np.float32))
    arrays = {**named("encoder.actor_encoder.net.mlp", layers((features, 8))), **named("pi.net.mlp", [last])}
    path = checkpoint(tmp_path / "run", arrays, action=spaces.Box(space.low.reshape(1), space.high.reshape(1)))
    from mmwave_gym.agents import RowRng, View
    from mmwave_gym.agents.others import batch_of

    batch = batch_of(task.scenario(), 1)
    batch.reset(task.keys([0]))
    agent, rows = load_policy(path), task.scenario().num_agents
    state = agent.begin(View(batch, "local"), RowRng.from_seed(0, rows))
    action, _ = agent.predict(batch.observe()[0], state, np.ones(rows, bool))
    assert np.allclose(action, space.low + 0.75 * (space.high - space.low))


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ({"policies": ("a", "b")}, r'has the policies a, b.*\{"policy": "a"\}'),
        ({"use_lstm": True}, "holds an LSTM"),
        ({"fcnet_activation": "gelu"}, "has 'gelu' between its layers"),
        ({"head_fcnet_hiddens": [8], "head_fcnet_activation": "relu"}, "two kinds of activations"),
        ({"policies": ()}, "has no weights below"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, more: dict[str, Any], wrong: str) -> None:
    path = tmp_path / "run"
    path.mkdir()
    with pytest.raises(AgentError, match=wrong):
        load_policy(checkpoint(path, weights(), **more))


def test_a_policy_can_be_named(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "run", weights(), policies=("a", "b"))
    (path / "mmwave.json").write_text('{"policy": "b"}')
    load_policy(path)
    (path / "mmwave.json").write_text('{"policy": "c"}')
    with pytest.raises(AgentError, match="has no policy 'c'; it has a, b"):
        load_policy(path)


def test_a_module_of_ones_own_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AgentError, match="none of RLlib's own for PPO, SAC and DQN; its layers are body"):
        load_policy(checkpoint(tmp_path / "run", named("body", layers())))


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    path = checkpoint(tmp_path / "run", {**weights(), "extra": Evil(touched)}, seen=Evil(touched))
    load_policy(path)
    (path / rllib.ARGUMENTS).write_bytes(pickle.dumps(Evil(touched)))
    load_policy(path)
    assert not touched.exists()
    pickle.loads(pickle.dumps(Evil(touched)))
    assert touched.exists(), "it would have run"


@pytest.mark.parametrize("raw", [b"", b"garbage", pickle.dumps([1, 2]), pickle.dumps("x" * 10)[:8]])
def test_damage_is_an_error_that_names_the_file(tmp_path: Path, raw: bytes) -> None:
    path = checkpoint(tmp_path / "run", weights())
    (path / rllib.MODULES / "default_policy" / rllib.WEIGHTS).write_bytes(raw)
    with pytest.raises(AgentError, match="run"):
        load_policy(path)
