"""What learners of shared streets take: 28 features a candidate, and traces of rollouts for full-information regret."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import ObservationFields
from mmwave_gym.radio.street_maps import NOISE_DBM
from mmwave_gym.scenarios.shared_street.observation import CHANGE_NAMES, LATER, PAST_MEASUREMENTS
from mmwave_gym.scenarios.shared_street.scores import LEAST_BPS_HZ
from mmwave_gym.scenarios.shared_street.state import CANDIDATES

FEATURES = 28
LITTLE_BPS_HZ = 0.05


def scaled(fields: ObservationFields, observation: NDArray[Any]) -> NDArray[np.float32]:
    """(rows, choices, FEATURES): what a network sees of each candidate, from observations (rows, features).

    In order: four measurements, efficiency, is it the serving cell, sharing, value less the serving cell's, ln
    efficiency, the serving cell's efficiency and sharing, time served, own SINR, active, car, change of load, distance,
    approach, would it be alone on the cell, does T310 run, ln efficiency by the map at four times, share of them that
    is known, map less measurement twice, speed. Absent candidates have zeros.
    """
    seen = fields.split(observation)
    rows = len(observation)
    x = np.zeros((rows, CANDIDATES, FEATURES), np.float32)
    for i in range(PAST_MEASUREMENTS):
        x[..., i] = (seen[f"rsrp_{i}_dbm"] - NOISE_DBM) / 20.0
    efficiency, sharing = seen["efficiency_bps_hz"], np.maximum(seen["sharing"], 1.0)
    value = np.log(efficiency / sharing + LEAST_BPS_HZ)
    x[..., 4], x[..., 5], x[..., 6] = efficiency / 4.0, seen["serving"], np.log(sharing) / 2.0
    x[..., 7], x[..., 8] = value - value[:, :1], np.log(efficiency + LITTLE_BPS_HZ) / 2.0
    x[..., 9], x[..., 10] = x[:, :1, 4], x[:, :1, 6]
    for at, name, scale in ((11, "served_s", 10.0), (12, "sinr_db", 20.0), (13, "active", 1.0), (14, "car", 1.0)):
        x[..., at] = seen[name] / scale
    x[..., 15] = seen["sharing_change"] / 3.0
    x[..., 16], x[..., 17] = (seen["distance_m"] + 1.0) / 100.0, seen["approach"]
    x[..., 18], x[..., 19] = sharing <= 1.5, seen["t310_s"] > 0.0
    for i, text in enumerate(LATER):
        x[..., 20 + i] = np.log(seen[f"ahead_{text}_bps_hz"] + LITTLE_BPS_HZ) / 2.0
    x[..., 24] = seen["known"].mean(axis=1, keepdims=True)
    for i, name in enumerate(CHANGE_NAMES):
        x[..., 25 + i] = seen[name] / 10.0
    x[..., 27] = seen["speed_mps"] / 10.0
    x[seen["rsrp_0_dbm"] == 0.0] = 0.0  # nobody measures 0 dBm: there is no such candidate
    return x


@dataclass
class Trace:
    """A rollout of one environment as `hindsight.regrets` takes it; decisions are those that the mask leaves open.

    Rows of `observation` and `action` are decisions, in order of slot and UE: where `candidate[..., 0]` is not -1.
    """

    episodes: Any
    cell: NDArray[np.int64]  # (slot, ue)
    candidate: NDArray[np.int64]  # (slot, ue, choice)
    prepared: NDArray[np.bool_]  # (slot, ue)
    observation: NDArray[np.float32]  # (decision, features)
    action: NDArray[np.int64]  # (decision,)
    utility: float


def record(batch: Batch, agent: Any) -> Trace:
    """Play the running episode of a batch of one, from its first slot on, with an agent; see `Trace`."""
    return records(batch, agent)[0]


def records(batch: Batch, agent: Any, seed: int = 0) -> list[Trace]:
    """Play the running episodes of a batch, from their first slot on; one trace an environment.

    seed: of the agent's own chance. A trace's episode stays what it is until the batch starts its next episode.
    """
    scenario: Any = batch.scenario
    n, a, slots = batch.num_envs, scenario.num_agents, scenario.horizon
    cell = np.full((slots, n, a), -1)
    candidate = np.full((slots, n, a, CANDIDATES), -1)
    prepared = np.zeros((slots, n, a), bool)
    seen: list[NDArray[np.float32]] = []
    actions: list[NDArray[np.int64]] = []
    episodes = [copy.copy(batch.episodes) for _ in range(n)]
    for env, its in enumerate(episodes):
        its.row = batch.episodes.row[env : env + 1].copy()
    play = Rollout.of(agent, batch, seed)
    utility = np.zeros(n)
    for slot in range(slots):
        mask, state = scenario.allowed(batch.state), batch.state
        decides = mask[..., 1:].any(axis=2)
        candidate[slot][decides] = np.where(mask, state.candidate, -1)[decides]
        prepared[slot] = state.prepared[..., 0] >= 0
        action = play.act().astype(np.int64)
        seen.append(np.where(decides[..., None], play.observation, 0.0)[decides])
        actions.append(action[decides])
        outcome = batch.step(action)
        cell[slot] = batch.state.cell
        play.follow(outcome.terminated)
        utility = np.where(outcome.truncated, outcome.metrics["utility"], utility)
    traces = []
    for env in range(n):
        decided = candidate[:, :, :, 0] >= 0
        mine = [np.nonzero(decided[t])[0] == env for t in range(slots)]
        traces.append(
            Trace(
                episodes=episodes[env],
                cell=np.ascontiguousarray(cell[:, env]),
                candidate=np.ascontiguousarray(candidate[:, env]),
                prepared=np.ascontiguousarray(prepared[:, env]),
                observation=np.concatenate([x[m] for x, m in zip(seen, mine, strict=True)]),
                action=np.concatenate([x[m] for x, m in zip(actions, mine, strict=True)]),
                utility=float(utility[env]),
            )
        )
    return traces
