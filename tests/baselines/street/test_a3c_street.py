"""A3C that plays the street: blocks against a slow obvious replay, the mean gradient, the saved policy, bad input."""

from __future__ import annotations

import json

import gymnasium as gym
import numpy as np
import pytest
from a3c_runs import cut_run
from rich.console import Console

from mmwave_baselines.handover.a3c_agents import OnlineA3c
from mmwave_baselines.street.rules import A3
from mmwave_baselines.street.training.a3c import Street
from mmwave_baselines.training import a3c as script, a3c_side_by_side, lstm
from mmwave_baselines.training.a3c import A3c, A3cRun
from mmwave_baselines.training.a3c_server import BLOCK, STABLE, Server, with_settings
from mmwave_baselines.training.command import parse
from mmwave_gym.agents.files import load_policy
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.api.sb3 import SEED_SPACING
from mmwave_gym.benchmark.task import Task

BRIEF = {"users": "car", "cells": "sparse", "duration_s": 2.5}
"""Episodes of 25 decisions or fewer, so that one ends in nearly every block."""
UES, SEED = 5, 3


def street(**keywords):
    return Street(Task(env_id="MmwaveStreet-v0", name="street/own", kwargs=BRIEF | keywords), 6, 4)


def server(shape, seed=0):
    """Random weights, whose heads are large enough that actions differ."""
    fresh = Server.fresh(shape, seed)
    for weight, _ in shape.unpack(fresh.weights)[2:]:
        weight *= 10.0
    return fresh


def replayed(here, mode, weights, blocks):
    """What one UE after the other met: its environment alone, its network a row and a decision at a time."""
    actions = np.concatenate([b.action for b in blocks])
    columns = []
    for ue in range(UES):
        env = gym.make("MmwaveStreet-v0", disable_env_checker=True, **BRIEF)
        observation, _ = env.reset(seed=SEED * SEED_SPACING + ue)
        memory = np.zeros((2, 1, here.shape.units))
        rows = []
        for action in actions[:, ue]:
            tape = lstm.forward(here.shape, weights, here.see(observation[None])[None], *memory)
            memory = np.array((tape.steps[0].hidden, tape.steps[0].cell))
            observation, reward, _, ended, info = env.step(int(action))
            took = info["elapsed_s"] / 0.1
            rows.append(
                (
                    *tape.logits[0, 0],
                    tape.value[0, 0],
                    mode.scale * (reward - mode.offset * took),
                    mode.gamma**took,
                    ended,
                )
            )
            if ended:
                observation, _ = env.reset()
                memory[:] = 0.0
        columns.append(rows)
    return np.moveaxis(np.array(columns, float), 0, 1)  # (decisions, ues, …)


def test_blocks_are_what_each_ue_meets_alone() -> None:
    """Three blocks with the same weights: observations, memory, time and ends; handovers and failures among them."""
    here, mode = street(), with_settings(STABLE, offset=5.0, scale=0.1, gamma=0.8)
    weights = server(here.shape).weights
    player = a3c_side_by_side.Player(here, mode, UES, SEED)
    blocks = [player.block(weights) for _ in range(3)]
    alone = replayed(here, mode, weights, blocks)
    columns = [np.stack((b.tape.value, b.reward, b.discount, b.ends), axis=-1) for b in blocks]
    ours = [np.concatenate((b.tape.logits, t), axis=-1) for b, t in zip(blocks, columns, strict=True)]
    np.testing.assert_allclose(np.concatenate(ours), alone, rtol=0, atol=1e-5)
    ends, passed = alone[..., -1], np.log(alone[..., -2]) / np.log(0.8)
    assert ends.any(axis=0).all(), "every UE has met an end"
    assert ends[BLOCK - 1 : -1 : BLOCK].sum() < ends.sum(), "not at the ends of blocks alone"
    assert {1, 4} < set(passed.round().astype(int).ravel()), "failures take longer than handovers"
    np.testing.assert_array_equal(blocks[1].tape.goes_on[1:], ~blocks[1].ends[:-1])
    np.testing.assert_array_equal(blocks[1].tape.goes_on[0], ~blocks[0].ends[-1])


def test_the_direction_is_the_mean_of_what_single_ues_would_push() -> None:
    """Each UE's own gradient, from its own rows, with returns added up term by term."""
    here, mode = street(), with_settings(STABLE, offset=5.0, gamma=0.8, entropy=0.1)
    weights = server(here.shape, 1).weights
    player = a3c_side_by_side.Player(here, mode, UES, SEED)
    player.block(weights)
    played = player.block(weights)
    tape = played.tape
    pushes = []
    for ue in range(UES):
        target = np.zeros((BLOCK, 1))
        for t in range(BLOCK):
            share = 1.0
            for k in range(t, BLOCK):
                target[t] += share * played.reward[k, ue]
                share *= played.discount[k, ue]
                if played.ends[k, ue]:
                    break
            else:
                target[t] += share * played.after[ue]
        row = np.s_[:, ue : ue + 1]
        memory = [a[ue : ue + 1] for a in tape.before[0]]
        own = lstm.forward(here.shape, weights, tape.x[row], *memory, tape.goes_on[row])
        outputs = lstm.actor_critic(own, played.action[row], target, mode.entropy)
        pushes.append(lstm.backward(here.shape, weights, own, *outputs)[0])
    upwards = a3c_side_by_side.direction(here.shape, weights, played, mode)
    np.testing.assert_allclose(upwards, np.mean(pushes, axis=0), rtol=0, atol=1e-10)
    assert np.abs(upwards).max() > 0.01
    assert played.ends.any()
    assert not played.ends.all(axis=1).any()


def test_a_push_by_hand() -> None:
    """The rate falls linearly from the first block to the last; while warming up only the critic's head moves."""
    shape = street().shape
    mode = with_settings(STABLE, learning_rate=0.1, final_rate=0.5, warmup=1, decay=0.75, epsilon=0.0)
    start = server(shape)
    here = start.copy()
    a3c_side_by_side.push(here, np.full(shape.size, 2.0), mode, 0, 3)
    np.testing.assert_allclose(here.mean_square, 1.0)
    moved = here.weights - start.weights
    assert not moved[: shape.critic.start].any()
    np.testing.assert_allclose(moved[shape.critic], 0.1 * 2.0)
    for block, rate in ((1, 0.075), (2, 0.05)):
        here.mean_square[:], before = 4.0, here.weights.copy()
        a3c_side_by_side.push(here, np.full(shape.size, 2.0), mode, block, 3)
        np.testing.assert_allclose(here.weights - before, rate * 2.0 / 2.0)


def test_regrets_are_learned_from_when_asked_for() -> None:
    here = street()
    player = a3c_side_by_side.Player(here, with_settings(STABLE, regret=True, offset=0.0, scale=1.0), UES, SEED)
    reward = player.block(server(here.shape).weights).reward
    assert (reward < 1e-4).all()
    assert reward.min() < -1.0


def test_the_tuned_a3_is_imitated() -> None:
    """Thirty epochs of 24 episodes: in others most of its handovers are named in the very decision."""
    here = Street(Task(env_id="MmwaveStreet-v0", name="street/own", kwargs=BRIEF | {"duration_s": 12.0}), 16, 16)
    args = parse(A3c, ["MmwaveStreet-v0", "--ues", "8", "--imitate-episodes", "24", "--imitate-epochs", "30"])
    begun, agreed = here.imitate(args, Server.fresh(here.shape, 0), None)
    assert agreed > 0.99
    assert not begun.mean_square.any()
    venv = here.vec_env(24, 99, 0)
    observation = venv.reset()
    rule = A3()
    memory, started = rule.begin(venv.view("local"), RowRng.from_seed(0, 24)), np.ones(24, bool)
    hidden, cell = np.zeros((2, 24, 16))
    said, done = [], []
    for _ in range(120):
        action, memory = rule.predict(observation, memory, started)
        tape = lstm.forward(here.shape, begun.weights, here.see(observation)[None], hidden, cell, ~started[None])
        hidden, cell = tape.steps[0].hidden, tape.steps[0].cell
        moves = action != here.scenario.fields.split(observation)["serving"].argmax(axis=1)
        said.append(tape.logits[0].argmax(axis=1)[moves])
        done.append(action[moves])
        observation, _, started, _ = venv.step(action)
    done, said = np.concatenate(done), np.concatenate(said)
    assert len(done) > 30
    assert (said == done).mean() > 0.5


# ---------------------------------------------------------------------- a run


def arguments(out, *words):
    keywords = [w for k, v in BRIEF.items() for w in ("--set", f"{k}={v}")]
    small = ("--ues", "4", "--encoder", "6", "--units", "4", "--eval-episodes", "2", "--imitate-episodes", "4")
    words = ["MmwaveStreet-v0", *keywords, *small, "--eval-every", "0", "--out", str(out), *words]
    return parse(A3c, [*words, "--imitate-epochs", "1", "--steps", "1600"])


def test_a_run_repeats_to_the_bit_and_its_policy_acts_as_the_learner(tmp_path) -> None:
    one, other = (script.train(arguments(tmp_path / n), Console(quiet=True)) for n in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()
    metadata = json.loads(one.with_suffix(".json").read_text())
    assert (metadata["steps"], metadata["sampled"], metadata["cluster"]) == (1600, False, {"clustered": False})
    assert "--regret" in metadata["command"], "the preset of streets is spelled out"
    policy = load_policy(one)
    with pytest.raises(AgentError, match="only with what"):
        OnlineA3c(policy.network, policy.metadata)
    run = A3cRun(arguments(tmp_path / "one", "--resume"), Console(quiet=True))
    here, weights = run.worlds, run.server.weights
    venv = here.vec_env(3, 7, 0)
    observation, started = venv.reset(), np.ones(3, bool)
    memory = policy.begin(venv.view("local"), RowRng.from_seed(0, 3))
    hidden, cell = np.ones((2, 3, here.shape.units))
    ends = 0
    for t in range(30):
        action, memory = policy.predict(observation, memory, started)
        tape = lstm.forward(here.shape, weights, here.see(observation)[None], hidden, cell, ~started[None])
        hidden, cell = tape.steps[0].hidden, tape.steps[0].cell
        np.testing.assert_allclose(memory.recurrent[0], hidden, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(action, tape.logits[0].argmax(axis=1))
        observation, _, started, _ = venv.step((action + (t % 5 == 4)) % 6)
        ends += started.sum()
    assert ends >= 3


def test_a_resumed_run_goes_on_with_other_worlds(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(a3c_side_by_side, "RECORD_BLOCKS", 5)
    cut_run(arguments(tmp_path), 800)
    met = []
    player = a3c_side_by_side.Player

    def watched(*args, **keywords):
        met.append(player(*args, **keywords))
        return met[-1]

    monkeypatch.setattr(a3c_side_by_side, "Player", watched)
    path = script.train(arguments(tmp_path, "--resume"), Console(quiet=True))
    assert json.loads(path.with_suffix(".json").read_text())["steps"] == 1600
    assert min(key.number for key in met[0].base.batch.keys) >= 200, "each UE has made 200 decisions before"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            ["MmwaveStreet-v0", "--async"],
            "--async is for the paper's world: in street/custom all UEs play side by side",
        ),
        (["MmwaveStreet-v0", "--mode", "paper"], "--mode paper is for the paper's world"),
        (["MmwaveStreet-v0", "--units", "0"], "--units must be at least 1, got 0"),
        (["MmwaveStreet-v0", "--entropy", "-1"], "--entropy must be at least 0, got -1.0"),
        (["MmwaveStreet-v0", "--set", "users=tram"], "users must be one of 'car', 'pedestrian', got 'tram'"),
        (["MmwaveCellSelection-v0"], "train.a3c plays handover and street only"),
    ],
)
def test_bad_input_ends_with_one_line(tmp_path, capsys, words, fault) -> None:
    with pytest.raises(SystemExit) as ended:
        script.run([*words, "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert fault in error
    assert len(error.strip().splitlines()) == 1
