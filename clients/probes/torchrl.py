"""TorchRL: GymEnv by id, GymWrapper around the native vector, PettingZooWrapper around both multi-agent forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torchrl.envs.libs.gym import GymEnv, GymWrapper
from torchrl.envs.libs.pettingzoo import PettingZooWrapper
from torchrl.envs.utils import check_env_specs

from clients.probing import NUM_ENVS, SEED, STEPS, Case, Trace, flat, script
from mmwave_gym.agents.formats.described import describe

ACTS = ("discrete",)


def _played(env: Any, space: Any, count: int | None) -> Trace:
    td = env.reset(seed=SEED)
    trace = [flat(td["observation"].numpy())]
    for _, actions in zip(range(STEPS), script(space, count or 1), strict=False):
        td["action"] = torch.as_tensor(np.array(actions if count else actions[0]))
        td = env.step(td)["next"]
        trace.append(flat(td["observation"].numpy(), td["reward"].numpy()))
    return trace


def single(case: Case) -> Trace:
    env = GymEnv(case.env_id, categorical_action_encoding=True, **case.one)
    check_env_specs(env)
    return _played(env, case.make().action_space, None)


def batch(case: Case) -> Trace:
    made = case.make_vec(autoreset_mode=AutoresetMode.DISABLED)
    env = GymWrapper(made, categorical_action_encoding=True)
    check_env_specs(env)
    return _played(env, made.single_action_space, NUM_ENVS)


def parallel(case: Case) -> Trace:
    made = case.parallel_env(always_present=True)
    env = PettingZooWrapper(made, categorical_actions=True, group_map={"all": list(made.possible_agents)})
    check_env_specs(env)
    names = made.possible_agents
    td = env.reset(seed=SEED)
    return group(env, td, "all", made.action_space(names[0]), len(names))


def group(env: Any, td: Any, name: str, space: Any, count: int, copies: int | None = None) -> Trace:
    """The trace of a group of `count` agents, of the first environment where there are several copies."""

    def first(values: Any) -> Any:
        own = (values if isinstance(values, torch.Tensor) else values["observation"]).numpy()
        return own[0] if copies else own

    trace = [flat(first(td[name, "observation"]))]
    for _, actions in zip(range(STEPS), script(space, count), strict=False):
        given = torch.as_tensor(np.array(actions))
        td[name, "action"] = given.expand(copies, *given.shape).clone() if copies else given
        td = env.step(td)["next"]
        trace.append(flat(first(td[name, "observation"]), first(td[name, "reward"])))
    return trace


def agent(case: Case, folder: Path) -> tuple[Path, Any]:
    """An untrained probabilistic actor on TorchRL's own perceptron."""
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.envs.utils import ExplorationType, set_exploration_type
    from torchrl.modules import MLP, ProbabilisticActor

    env, path = case.make(normalise=True), folder / "actor.pt"
    net = MLP(in_features=env.observation_space.shape[0], out_features=int(env.action_space.n), num_cells=[32, 32])
    logits = TensorDictModule(net, in_keys=["observation"], out_keys=["logits"])
    actor = ProbabilisticActor(logits, in_keys=["logits"], distribution_class=torch.distributions.Categorical)
    torch.save(actor.state_dict(), path)
    describe(path, case.env_id, case.one, normalised=True, activation="tanh")  # TorchRL's default

    def own(observation: Any) -> Any:
        given = TensorDict({"observation": torch.as_tensor(observation)}, batch_size=len(observation))
        with torch.no_grad(), set_exploration_type(ExplorationType.DETERMINISTIC):
            return actor(given)["action"].numpy()

    return path, own
