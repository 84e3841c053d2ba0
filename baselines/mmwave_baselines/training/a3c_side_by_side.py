"""A3C of Wang et al. (arXiv 1801.02077) on any environment, where the next observation depends on the actions.

Each UE is an environment copy. All fetch the weights when a block of n = 20 decisions begins and play it side by
side; then the server takes one step along the mean of their gradients, as the stable mode does in the paper's world.
So there is no delay to simulate, and the same command gives the same weights. All UEs of a task share one server:
what clustering would tell apart, positions and ways to move, is common to them.

Other than in the paper's world:

1. Where steps take different times, values are discounted by time, gamma for each decision that passed, and what is
   usual is taken off rewards by the second (`training.shaping`).
2. The network sees what is new, the fields that a scenario names, and has to remember the rest.
3. It is larger than the paper's (`--encoder`, `--units`), and imitates the tuned A3 instead of five pairs of settings.
4. While only the critic's head learns, RMSProp's memory of all weights is filled: from nothing, the first step of each
   weight would be ten times too long.
5. Where actions are masked, only allowed ones are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.training.a3c import A3c, A3cRun, Cluster
from mmwave_baselines.training.a3c_server import BLOCK, DECAY, Mode, Server
from mmwave_baselines.training.imitation import watch
from mmwave_baselines.training.lstm import (
    Shape,
    Tape,
    actor_critic,
    backward,
    forward,
    n_step_targets,
    rmsprop,
    softmax,
)
from mmwave_baselines.training.run import BadRun
from mmwave_baselines.training.shaping import TrainingReward
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.networks import LstmNetwork
from mmwave_gym.api.sb3 import ScenarioVecEnv
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import registration
from mmwave_gym.core.types import Float64Array

EXPERT = "a3"
IMITATION_RATE = 0.01  # as in the paper's world; it falls to 0
OTHER_WORLDS = 2**30  # the first of the episodes that are imitated: learning meets none of them
RECORD_BLOCKS, SAVE_BLOCKS = 20, 200
FORBIDDEN = 100.0
"""What is not allowed is drawn with a chance of e^-100 or less."""


class SideBySide:
    """A task as the network sees it; a scenario's class says what that is."""

    seen: ClassVar[Mapping[str, tuple[float, float]]]
    """The fields that the network sees: the middle and the unit of each."""
    only_first: ClassVar[tuple[str, ...]] = ()
    """Those of which it sees the first number alone."""
    step: ClassVar[str]
    """The keyword of the scenario that says how long a decision takes, in seconds."""

    def __init__(self, task: Task, encoder: int, units: int, horizon: int = 0):
        self.task = task
        scenario: Any = task.scenario()
        self.scenario = scenario
        self._played = scenario
        if 0 < horizon < scenario.horizon:
            self._played = registration.make_registered(task.env_id, **{**task.kwargs, "horizon": horizon})
        self.decision_s = float(getattr(scenario.config, self.step))
        where = scenario.fields.split(np.arange(scenario.fields.size))
        where |= {name: where[name][:1] for name in self.only_first}
        self.columns = np.concatenate([where[name] for name in self.seen])
        self._middle, self._unit = (
            np.concatenate([np.full(len(where[name]), scaling[i]) for name, scaling in self.seen.items()])
            for i in range(2)
        )
        self.shape = Shape(len(self.columns), int(scenario.action_space.n), encoder, units)

    @classmethod
    def of(cls, args: A3c, task: Task) -> SideBySide:
        return cls(task, args.encoder, args.units, args.horizon)

    @staticmethod
    def check(args: A3c, task: Task) -> None:
        """ValueError where modes of the paper's world are asked for."""
        if args.mode != "stable" or not args.simulate:
            asked = "--async" if not args.simulate else f"--mode {args.mode}"
            raise ValueError(
                f"{asked} is for the paper's world: in {task.name} all UEs play side by side, in stable mode, and the "
                "server takes one step along the mean of their gradients."
            )

    def see(self, observation: NDArray[Any]) -> Float64Array:
        """The network's input (…, inputs) for raw observations (…, features)."""
        return (observation[..., self.columns] - self._middle) / self._unit

    def network(self, server: Server) -> LstmNetwork:
        """The server's weights as a network that reads raw observations: choice and scaling go into the first layer."""
        (weight, bias), *rest = server.shape.unpack(server.weights)
        scaled = weight / self._unit
        wide = np.zeros((len(bias), self.scenario.fields.size))
        wide[:, self.columns] = scaled
        layers = (wide, bias - scaled @ self._middle), *rest
        return LstmNetwork(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers))

    def cluster(self, args: A3c) -> Cluster:
        """All UEs share the server."""
        return Cluster([(self.task.scenario_name, i) for i in range(args.ues)], {"clustered": False})

    def metadata(self, args: A3c, server: Server) -> dict[str, Any]:
        """Nothing more: the weights are frozen."""
        return {}

    def vec_env(self, count: int, seed: int, first_episode: int) -> ScenarioVecEnv:
        """A VecEnv of `count` environments to learn in, whose observations keep their units."""
        return ScenarioVecEnv(self._played, count, seed, normalise=False, first_episode=first_episode)

    def imitate(self, args: A3c, server: Server, members: Any) -> tuple[Server, float]:
        """Cross-entropy on the tuned A3 over `--imitate-episodes` episodes, a step each block of `--ues` of them.

        Returns the server and the share of decisions in which the last epoch agreed.
        """
        episodes, shape = args.imitate_episodes, self.shape
        venv = self.vec_env(episodes, args.seed, OTHER_WORLDS)
        record = watch(load_agent(EXPERT, self.task.scenario_name, self.task), venv, args.seed, None)
        x, action, goes_on = self.see(record.inputs.numpy()), record.labels.numpy(), record.started.numpy() == 0.0
        allowed = record.masks.numpy()
        if len(x) < BLOCK:
            raise BadRun(f"episodes of {len(x)} decisions are shorter than a block of {BLOCK}: try --no-imitate.")
        blocks, groups = len(x) // BLOCK, -(-episodes // args.ues)
        pushes = iter(np.linspace(IMITATION_RATE, 0.0, args.imitate_epochs * blocks * groups, endpoint=False))
        started, rng = server.copy(), np.random.default_rng([args.seed, 2])
        right = np.zeros(args.imitate_epochs)
        for epoch in range(args.imitate_epochs):
            for rows in np.array_split(rng.permutation(episodes), groups):
                hidden, cell = np.zeros((2, len(rows), shape.units))
                for b in range(blocks):
                    part = slice(b * BLOCK, (b + 1) * BLOCK), rows
                    tape = forward(shape, started.weights, x[part], hidden, cell, goes_on[part])
                    hidden, cell = tape.steps[-1].hidden, tape.steps[-1].cell
                    forbid(tape, allowed[part])
                    wanted = np.arange(shape.actions) == action[part][..., None]
                    d_logits = wanted - softmax(tape.logits)
                    gradient = backward(shape, started.weights, tape, d_logits, 0.0 * tape.value, summed=True)
                    rmsprop(started.weights, started.mean_square, gradient / len(rows), next(pushes), DECAY, 1e-8)
                    right[epoch] += (tape.logits.argmax(axis=-1) == action[part]).sum()
        started.mean_square[:] = 0.0
        return started, float(right[-1]) / (blocks * BLOCK * episodes)

    def learn(self, run: A3cRun[SideBySide]) -> None:
        """Play and learn until `--steps`."""
        args, mode = run.args, run.mode
        done, total = run.blocks
        # As many decisions as each UE has had are more episodes than it has met.
        player = Player(self, mode, args.ues, args.seed, first_episode=done * BLOCK)
        means = []
        for block in range(done, total):
            played = player.block(run.server.weights)
            if block == 0:
                centre(run.server, played)
            else:
                push(run.server, direction(self.shape, run.server.weights, played, mode), mode, block, total)
            run.steps += played.action.size
            means.append([played.tape.value.mean(), played.reward.mean()])
            if block % RECORD_BLOCKS == RECORD_BLOCKS - 1:
                value, reward = np.mean(means, axis=0)
                met = {f"rollout/{name}": number for name, number in player.base.recent_metrics().items()}
                run.report({**met, "train/value": float(value), "train/reward": float(reward)})
                means.clear()
            if block % SAVE_BLOCKS == SAVE_BLOCKS - 1:
                run.keep()


class Played(NamedTuple):
    """A block of all UEs; a decision first, then the UE."""

    tape: Tape
    action: NDArray[np.int64]  # (BLOCK, ues)
    reward: Float64Array  # (BLOCK, ues), as it is learned from
    discount: Float64Array  # (BLOCK, ues): of what follows the step
    ends: NDArray[np.bool_]  # (BLOCK, ues): the episode ends with the step
    after: Float64Array  # (ues,): the value of what follows the block


def forbid(tape: Tape, allowed: NDArray[np.bool_]) -> None:
    """Take so much off the logits of what is not allowed that it is never drawn, in place.

    allowed: (UE, cell), as `logits`.
    """
    tape.logits[~allowed] -= FORBIDDEN


class Player:
    """UEs of a task, each with its memory, which outlives blocks and is cleared where an episode begins."""

    def __init__(self, world: SideBySide, mode: Mode, ues: int, seed: int, first_episode: int = 0):
        self.world, self.mode = world, mode
        self.base = world.vec_env(ues, seed, first_episode)
        self._venv = TrainingReward(self.base, mode.scale, mode.regret, mode.offset / world.decision_s)
        self._rng = np.random.default_rng([seed, 1, first_episode])
        self._seen = world.see(self._venv.reset())
        self._goes_on = np.zeros(ues, bool)
        self._hidden, self._cell = np.zeros((2, ues, world.shape.units))

    def block(self, weights: Float64Array) -> Played:
        """What BLOCK decisions of every UE with the network's weights (size,) bring."""
        shape, mode = self.world.shape, self.mode
        tapes, rows = [], []
        for _ in range(BLOCK):
            tape = forward(shape, weights, self._seen[None], self._hidden, self._cell, self._goes_on[None])
            self._hidden, self._cell = tape.steps[0].hidden, tape.steps[0].cell
            forbid(tape, self.base.action_masks()[None])
            below = softmax(tape.logits[0]).cumsum(axis=1)[:, :-1]
            action = (self._rng.random(len(below))[:, None] >= below).sum(axis=1)
            observation, reward, ends, _ = self._venv.step(action)
            tapes.append(tape)
            passed = self.base.outcome.elapsed_s / self.world.decision_s
            rows.append((action, reward.astype(np.float64), mode.gamma**passed, ends))
            self._seen, self._goes_on = self.world.see(np.asarray(observation)), ~ends
        after = forward(shape, weights, self._seen[None], self._hidden, self._cell).value[0]
        action, reward, discount, ends = (np.array(column) for column in zip(*rows, strict=True))
        return Played(_joined(tapes), action, reward, discount, ends, after)


def _joined(tapes: list[Tape]) -> Tape:
    """Tapes of one slot each as one."""
    x, steps, before, goes_on, logits, value = zip(*tapes, strict=True)
    memory = [(a, b) for ((a, b),) in before]
    return Tape(np.concatenate(x), [s for (s,) in steps], memory, *map(np.concatenate, (goes_on, logits, value)))


def direction(shape: Shape, weights: Float64Array, played: Played, mode: Mode) -> Float64Array:
    """The ascent direction of Algorithm 2, mean over the UEs, (size,), at weights (size,)."""
    target = n_step_targets(played.reward, played.ends, played.after, played.discount)
    d_logits, d_value = actor_critic(played.tape, played.action, target, mode.entropy)
    return backward(shape, weights, played.tape, d_logits, d_value, summed=True) / len(played.after)


def push(server: Server, upwards: Float64Array, mode: Mode, block: int, blocks: int) -> None:
    """Move the server's weights one step along `upwards` (size,), in place.

    In the first `mode.warmup` blocks only the critic's head changes.
    """
    rate = mode.learning_rate * (1.0 + (mode.final_rate - 1.0) * block / max(blocks - 1, 1))
    kept = server.weights[: server.shape.critic.start].copy() if block < mode.warmup else server.weights[:0]
    rmsprop(server.weights, server.mean_square, upwards, rate, mode.decay, mode.epsilon)
    server.weights[: len(kept)] = kept


def centre(server: Server, played: Played) -> None:
    """Set the critic's bias so that its mean value is that of the mean reward for ever.

    With a critic far from that value, all actions look bad, or all look good.
    """
    mean = played.reward.mean() / (1.0 - played.discount.mean())
    server.weights[-1] += mean - played.tape.value.mean()  # the bias of the critic's head
