"""How fast agents learn: PPO on the native vector environment and on SB3's DummyVecEnv, and the paper's A3C."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.measure import ENV_ID, Row, alternate, seconds

PPO = {"n_steps": 32, "batch_size": 2048, "n_epochs": 4}
PPO_NUM_ENVS = 256
FRAMES = 4096
"""Decisions of all environments between two updates of PPO, native or not: those of `train.ppo`."""
BATCH = 2048
DUMMY_NUM_ENVS = (8, 32, 128, 256)
"""Users of SB3 take about 8; the fastest of these is compared."""
PPO_WORLDS = {ENV_ID: (128, 4), "MmwaveStreet-v0": (256, 3)}
"""Native environments and epochs, as in `train.ppo`."""
STREET_TASK = "street/car-sparse"
STREET_RECIPES: dict[str, tuple[str, ...]] = {"": (), ", hidden 128, 3 epochs": ("--hidden", "128", "--n-epochs", "3")}
"""Ours, and the other streets': learning costs twice as much there, and the environment the same."""
A3C_UES = 32


def ppo_share(quick: bool) -> Row:
    """Of plain PPO on the default environment."""
    what, goal = "the env's share of SB3 PPO's time", "<= 5 %"
    setup = f"{PPO_NUM_ENVS} environments, {PPO}, 64x64, one torch thread"
    try:
        import torch
        from stable_baselines3 import PPO as Learner

        from mmwave_gym.api.sb3 import make_sb3_vec_env
    except ImportError as error:
        return Row(what, None, goal, f"not measured: {error}")
    torch.set_num_threads(1)
    env = timed(make_sb3_vec_env(ENV_ID, n_envs=PPO_NUM_ENVS, seed=0))
    model = Learner("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [64, 64]}, **PPO)  # type: ignore[arg-type]
    frame = PPO_NUM_ENVS * PPO["n_steps"]
    found = share_of(env, model, frame, 5 if quick else 40)
    return Row(what, found.env, goal, f"{setup}; {frame / found.update_s:,.0f} steps/s", found.quartiles)


def street_share(quick: bool) -> list[Row]:
    """Of `train.ppo --task street/car-sparse`, rewards that are regrets included."""
    what = "street PPO{}: share of environment and hindsight, %"
    try:
        rows = []
        for recipe, words in STREET_RECIPES.items():
            found, setup = _street_share(words, quick)
            ends = f"{setup}; quartiles of updates, of which those with ends solve the next episodes"
            rows.append(Row(what.format(recipe), found.env, "<= 12", ends, found.quartiles))
            if not words:
                most = f"{setup}; the most that a thread which draws ahead could save"
                rows.append(Row("street PPO: share of drawing the next episodes, %", found.drawing, "-", most))
                speed = f"{setup}; imitation before it and evaluation not counted"
                rows.append(Row("street PPO: decisions a CPU second", found.frame / found.update_s, ">= 70,000", speed))
        return rows
    except ImportError as error:
        return [Row(what.format(""), None, "<= 12", f"not measured: {error}")]


def _street_share(words: tuple[str, ...], quick: bool) -> tuple[Share, str]:
    """Shares of the training with these words for `train.ppo`, and the set-up."""
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.ppo import Ppo, build
    from mmwave_baselines.training.session import Environment, prepare_torch, pretrain

    prepare_torch()
    args = parse(Ppo, ["--task", STREET_TASK, *words])
    env = timed(Environment(args, args.target(), seed=0).venv)
    model = build(args, env)
    pretrain(model, args, args.target())
    # Every environment ends an episode before, when kernels are loaded, and one in the time that counts.
    whole = 5 if quick else -(-model.env.unwrapped.scenario.horizon // args.n_steps)
    setup = (
        f"--task {STREET_TASK}: {args.n_envs} environments, {args.n_steps} steps an update, {args.n_epochs} epochs, "
        f"hidden {args.hidden}"
    )
    return share_of(env, model, args.n_envs * args.n_steps, whole, before=whole), setup


def timed(env: Any) -> Any:
    """A VecEnv that counts the CPU time spent below it, in `spent`, and in it that of drawing episodes, in `drawn`."""
    from stable_baselines3.common.vec_env import VecEnvWrapper

    class Timed(VecEnvWrapper):
        spent = drawn = 0.0

        def reset(self) -> Any:
            return self._counted(self.venv.reset)

        def step_async(self, actions: Any) -> None:
            self._counted(lambda: self.venv.step_async(actions))

        def step_wait(self) -> Any:
            return self._counted(self.venv.step_wait)

        def _counted(self, work: Callable[[], Any]) -> Any:
            start = time.process_time()
            try:
                return work()
            finally:
                self.spent += time.process_time() - start

    timed = Timed(env)
    scenario = env.unwrapped.scenario
    draw = scenario.draw_into

    def draw_into(*where: Any) -> None:
        timed.drawn += seconds(lambda: draw(*where))

    scenario.draw_into = draw_into
    return timed


@dataclass
class Share:
    """What a timed VecEnv takes of learning, in %."""

    env: float
    drawing: float
    quartiles: tuple[float, float]
    """Of the updates' shares."""
    frame: int
    """Decisions an update."""
    update_s: float
    """CPU seconds an update."""


def share_of(env: Any, model: Any, frame: int, updates: int, before: int = 1) -> Share:
    """The shares that a timed VecEnv has of learning.

    An update learns from `frame` decisions; `before`: those that are not timed. Nothing is reset while it is timed, as
    nothing is in a long training.
    """
    model.learn(before * frame)
    spent, total = [], []
    env.drawn = 0.0
    for _ in range(updates):
        env.spent = 0.0
        total.append(seconds(lambda: model.learn(frame, reset_num_timesteps=False)))
        spent.append(env.spent)
    shares = [100.0 * s / t for s, t in zip(spent, total, strict=True)]
    low, _, high = statistics.quantiles(shares, n=4)
    all_s = sum(total)
    return Share(100.0 * sum(spent) / all_s, 100.0 * env.drawn / all_s, (low, high), frame, all_s / updates)


# ---------------------------------------------------------------------- native vector environment against SB3's own


def learner(env: Any, epochs: int) -> Any:
    """PPO with the same network, batches and updates whatever the vector environment is."""
    from stable_baselines3 import PPO as Learner

    return Learner(
        "MlpPolicy", env, n_steps=FRAMES // env.num_envs, batch_size=BATCH, n_epochs=epochs, seed=0, device="cpu",
        policy_kwargs={"net_arch": [64, 64]},
    )  # fmt: skip


def a_frame(model: Any, updates: int) -> Callable[[], float]:
    """CPU seconds of learning a frame, over so many updates, from where the last ones stopped."""

    def learn() -> None:
        model.learn(updates * FRAMES, reset_num_timesteps=False)

    model.learn(FRAMES)  # touches all memory once
    return lambda: seconds(learn) / (updates * FRAMES)


def ppo_frames(quick: bool) -> list[Row]:
    """Native environments play a whole episode each round, so that all draws of chance are paid for."""
    goal = ">= 5"
    whats = {world: f"SB3 PPO, {world}: frames/s on the native vector env / on DummyVecEnv" for world in PPO_WORLDS}
    try:
        import torch
        from stable_baselines3.common.env_util import make_vec_env

        from mmwave_gym.api.sb3 import make_sb3_vec_env
    except ImportError as error:
        return [Row(what, None, goal, f"not measured: {error}") for what in whats.values()]
    torch.set_num_threads(1)
    rows = []
    for world, (num_envs, epochs) in PPO_WORLDS.items():
        tried = {n: learner(make_vec_env(world, n, seed=0), epochs) for n in DUMMY_NUM_ENVS[:: 2 if quick else 1]}
        first = alternate({n: a_frame(model, 1) for n, model in tried.items()}, rounds=1)
        best = min(first, key=lambda n: first[n])
        dummy, native = tried[best], learner(make_sb3_vec_env(world, num_envs, seed=0), epochs)
        whole = 4 if quick else native.env.unwrapped.scenario.horizon // native.n_steps
        cost = alternate(
            {"native": a_frame(native, whole), "dummy": a_frame(dummy, 1 if quick else 4)}, rounds=1 if quick else 3
        )
        others = ", ".join(f"{n} ({1 / first[n]:,.0f})" for n in first)
        setup = (
            f"native {num_envs} environments x {native.n_steps} steps: {1 / cost['native']:,.0f} frames/s; DummyVecEnv "
            f"{best} x {dummy.n_steps}: {1 / cost['dummy']:,.0f}, the fastest of {others}; both: {FRAMES} frames an "
            f"update, {epochs} epochs, batches of {BATCH}, 64x64, one torch thread; only the native ones normalise"
        )
        rows.append(Row(whats[world], cost["dummy"] / cost["native"], goal, setup))
    return rows


# ---------------------------------------------------------------------- the paper's A3C


def a3c_updates(quick: bool) -> list[Row]:
    """The deterministic simulation; what the UEs meet is drawn before the clock starts."""
    whats = {mode: f"A3C, {mode} mode: updates/s" for mode in ("stable", "paper")}
    try:
        from mmwave_baselines.handover import a3c_kernel  # noqa: F401  (is compiled)
        from mmwave_baselines.handover.a3c import LEARNING_BLOCKS, learn
        from mmwave_baselines.handover.traces import World
        from mmwave_baselines.training.a3c_server import BLOCK, Server
    except ImportError as error:
        return [Row(what, None, "-", f"not measured: {error}") for what in whats.values()]
    world, blocks = World(0), 10 if quick else LEARNING_BLOCKS
    server, slots = Server.fresh(world.shape, 0), A3C_UES * blocks * BLOCK
    drawn: list[Any] = []
    drawing_s = seconds(lambda: drawn.append(world.traces("A1", A3C_UES, blocks * BLOCK)))

    updates: dict[str, int] = {}

    def learning(mode: str) -> Callable[[], float]:
        def work() -> None:
            learned = learn(server, drawn[0], mode, world.price, np.random.default_rng(0))
            updates[mode] = int(learned.delays.sum())

        work()  # compiles
        return lambda: seconds(work)

    cost = alternate({mode: learning(mode) for mode in whats}, rounds=2 if quick else 20)
    pushes = {"stable": "one averaged update a block", "paper": "every UE pushes in turn"}
    return [
        Row(
            what, updates[mode] / cost[mode], "-",
            f"{A3C_UES} UEs, {blocks} blocks of {BLOCK} slots, {pushes[mode]}: {slots / cost[mode]:,.0f} UE-slots/s; "
            f"drawing their worlds, not counted, {slots / drawing_s:,.0f} UE-slots/s",
        )
        for mode, what in whats.items()
    ]  # fmt: skip
