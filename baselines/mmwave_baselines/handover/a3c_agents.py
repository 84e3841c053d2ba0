"""A3C of the handover paper as agents (Wang et al., arXiv 1801.02077): a UE that arrives fetches its cluster's weights.

`python -m train.a3c` makes the weights, for the cluster in which the task's area is; the `.json` tells which areas'
UEs were found to move alike. Offline they stay as they are, online the UE goes on learning (section V-B).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.shipped import Shipped
from mmwave_baselines.training.a3c_server import BLOCK, Mode, Server
from mmwave_baselines.training.lstm import Shape, actor_critic, backward, forward, n_step_targets, rmsprop, softmax
from mmwave_gym.agents.networks import LstmNetwork
from mmwave_gym.agents.policy import Policy, check_fits
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import View
from mmwave_gym.core.types import Float64Array

OFFSET_DB, SCALE_DB = 15.0, 10.0  # the network's input is (q + 15) / 10, never clipped: RSRQ is between -45 and 0 dB


def as_network(server: Server) -> LstmNetwork:
    """The server's weights as a network that reads raw observations: the scaling of RSRQ goes into the first layer."""
    layers = [(w.copy(), b.copy()) for w, b in server.shape.unpack(server.weights)]
    seen = layers[0][0][:, : server.shape.actions]
    layers[0][1][:] += OFFSET_DB / SCALE_DB * seen.sum(axis=1)
    seen /= SCALE_DB
    return LstmNetwork(tuple((w.astype(np.float32), b.astype(np.float32)) for w, b in layers))


def as_server(network: LstmNetwork, mean_square: Float64Array) -> Server:
    """The inverse of `as_network`, up to the rounding of a file.

    mean_square (size,): RMSProp's running mean of the squared gradient of every weight.
    """
    shape = Shape(network.inputs, network.outputs, len(network.layers[0][1]), network.units)
    weights = np.concatenate([part.astype(np.float64).ravel() for layer in network.layers for part in layer])
    weight, bias = shape.unpack(weights)[0]
    weight[:, : shape.actions] *= SCALE_DB
    bias -= OFFSET_DB / SCALE_DB * weight[:, : shape.actions].sum(axis=1)
    return Server(shape, weights, mean_square)


def mode_metadata(mode: Mode, server: Server) -> dict[str, Any]:
    """What a UE needs beside the weights to go on learning, as JSON values. `OnlineA3c` reads it."""
    # Without the mean squares the first steps of RMSProp would be ten times too long.
    squares = [float(f"{x:.3g}") for x in server.mean_square]
    return {"mode": dataclasses.asdict(mode), "mean_square": squares}


class PaperPolicy(Policy):
    """The paper's own."""

    kind = "paper"


@dataclass
class OnlineMemory:
    """One UE for each row: its server's weights, the weights it has fetched, and its present block of slots."""

    view: View
    rng: RowRng
    server: Float64Array  # (rows, size)
    mean_square: Float64Array  # (rows, size)
    fetched: Float64Array  # (rows, size)
    hidden: Float64Array  # (rows, units), now and when the block began
    cell: Float64Array
    hidden_first: Float64Array
    cell_first: Float64Array
    x: Float64Array  # (BLOCK, rows, inputs)
    action: NDArray[np.int64]  # (BLOCK, rows)
    reward: Float64Array
    goes_on: NDArray[np.bool_]
    ends: NDArray[np.bool_]
    present: NDArray[np.bool_]
    slot: int = 0
    blocks: int = 0


class OnlineA3c(Policy):
    """Goes on with Algorithm 2: draws its actions, pushes the gradient of every block, and fetches the weights anew.

    Each row has a server of its own, which begins as the file says: rows are worlds that know nothing of each other.
    A UE's memory of cells is cleared where an episode begins; what its server has learned stays.

    fetch_every: blocks of 20 slots between two fetches. rate: of learning, None for the last one of the training.
    """

    carries = True
    expensive = True  # half a minute of processor time a task and training seed: boards show committed rows

    def __init__(self, network: Any, metadata: Mapping[str, Any], fetch_every: int = 1, rate: float | None = None):
        super().__init__(network, metadata)
        if not isinstance(network, LstmNetwork) or "online" not in metadata:
            raise AgentError("learning goes on only with what train.a3c has saved: this network is another one's.")
        online = dict(metadata["online"])
        self._mode = Mode(**online["mode"])
        self._server = as_server(network, np.array(online["mean_square"], np.float64))
        self._rate = self._mode.learning_rate * self._mode.final_rate if rate is None else rate
        self._fetch_every = fetch_every
        self.config = {**self.config, "online": True, "fetch_every": fetch_every, "online_rate": self._rate}

    def begin(self, view: View, rng: RowRng) -> OnlineMemory:
        check_fits(self.metadata, view)
        rows, shape = view.num_rows, self._server.shape
        weights, squares = (np.repeat(a[None], rows, axis=0) for a in self._server[1:])
        still = np.zeros((rows, shape.units))
        flags = np.zeros((3, BLOCK, rows), bool)
        return OnlineMemory(
            view=view,
            rng=rng,
            server=weights,
            mean_square=squares,
            fetched=weights.copy(),
            hidden=still,
            cell=still,
            hidden_first=still,
            cell_first=still,
            x=np.zeros((BLOCK, rows, shape.inputs)),
            action=np.zeros((BLOCK, rows), np.int64),
            reward=np.zeros((BLOCK, rows)),
            goes_on=flags[0],
            ends=flags[1],
            present=flags[2],
        )

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
    ) -> tuple[NDArray[Any], Any]:
        if state is None:
            raise AgentError("begin(view, rng) must be called first: a UE has to fetch its weights.")
        memory: OnlineMemory = state
        shape, s = self._server.shape, memory.slot
        memory.x[s] = self._scaled(observation)
        memory.present[s] = observation.any(axis=1)
        memory.goes_on[s] = True if episode_start is None else ~np.asarray(episode_start, bool)
        tape = forward(
            shape, memory.fetched, memory.x[s : s + 1], memory.hidden, memory.cell, memory.goes_on[s : s + 1]
        )
        memory.hidden, memory.cell = tape.steps[0].hidden, tape.steps[0].cell
        below = softmax(tape.logits[0]).cumsum(axis=1)[:, :-1]
        memory.action[s] = (memory.rng.random()[:, None] >= below).sum(axis=1)
        return memory.action[s].copy(), memory

    def learn(
        self,
        state: OnlineMemory,
        observation: NDArray[Any],
        action: NDArray[np.int64],
        reward: NDArray[np.float64],
        next_observation: NDArray[Any],
        done: NDArray[np.bool_],
        info: dict[str, Any],
    ) -> OnlineMemory:
        """Store the slot; at a block's end push its gradient and fetch the weights. Changes and returns `state`.

        reward (rows,), bit/s/Hz: of the slot. done (rows,): the episode ended with it. next_observation (rows,
        features): its value ends the block's returns. observation (rows, features) and action (rows,) are known from
        `predict`.
        """
        state.reward[state.slot] = (reward - self._mode.offset) * self._mode.scale
        state.ends[state.slot] = done
        state.slot += 1
        if state.slot < BLOCK:
            return state
        shape, weights = self._server.shape, state.fetched
        tape = forward(shape, weights, state.x, state.hidden_first, state.cell_first, state.goes_on)
        ahead = forward(shape, weights, self._scaled(next_observation)[None], state.hidden, state.cell)
        target = n_step_targets(state.reward, state.ends, ahead.value[0], self._mode.gamma)
        d_logits, d_value = actor_critic(tape, state.action, target, self._mode.entropy)
        here = state.present
        gradient = backward(shape, weights, tape, d_logits * here[..., None], d_value * here)
        rmsprop(state.server, state.mean_square, gradient, self._rate, self._mode.decay, self._mode.epsilon)
        state.slot, state.blocks = 0, state.blocks + 1
        if state.blocks % self._fetch_every == 0:
            state.fetched = state.server.copy()
        state.hidden_first, state.cell_first = state.hidden, state.cell
        return state

    def _scaled(self, observation: NDArray[Any]) -> Float64Array:
        seen = np.array(observation, np.float64)
        cells = self._server.shape.actions
        seen[:, :cells] = (seen[:, :cells] + OFFSET_DB) / SCALE_DB
        return seen


def _interrupted(task: Task) -> str | None:
    """Why nobody learns on in a task: its slots do not all hold a decision, as those of the paper do."""
    masked = not task.missing_data and bool(task.scenario().masked)
    return "learns on where each slot has a decision and every cell may be chosen." if masked else None


A3c = Shipped(
    __package__,
    "a3c",
    "A3C",
    "`python -m train.a3c`, stable mode, offline: frozen weights of the UE's cluster, drawn actions (section IV-C); on "
    "drives one server for all UEs, and the likeliest cell.",
)


OnlineA3cAgent = Shipped(
    __package__,
    "a3c",
    "A3C, online",
    "The same weights, which go on learning in the very world where they play.",
    kind=OnlineA3c,
    refuses=_interrupted,
)


PaperA3c = Shipped(
    __package__,
    "a3c_paper",
    "A3C as in the paper",
    "`python -m train.a3c --mode paper`: 119 s of eight UEs after imitation, offline, with drawn actions.",
    kind=PaperPolicy,
)
