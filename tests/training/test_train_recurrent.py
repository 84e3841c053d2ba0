"""RecurrentPPO: NumPy plays what torch trained, imitation along episodes, whole runs and resumed ones, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sb3_contrib", reason="the extra mmwave-gym[train] is not installed")

import torch

import mmwave_gym
from mmwave_baselines.training.command import parse
from mmwave_baselines.training.imitation import imitate
from mmwave_baselines.training.recurrent_ppo import RecurrentPpo, build
from mmwave_baselines.training.run import BadRun, parse_checked
from mmwave_baselines.training.session import Environment, main
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.api.sb3 import network_of

ENV = "MmwaveStreet-v0"
ALL = "--see="
SEE = "--see=rsrp_0_dbm,serving,age_s,served_s,t310_s,sinr_db"
SMALL = ["--n-envs=8", "--hidden=8", "--n-steps=8", "--batch-size=32", "--n-epochs=1", "--eval-episodes=2"]
SHORT = ["--set", "duration_s=4.0", *SMALL]
RUN = [ENV, "--imitate=mmwave_baselines.street.rules:A3", "--imitate-updates=2", *SHORT]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


def built(*argv):
    args = parse(RecurrentPpo, [*argv])
    environment = Environment(args, args.target(), 0)
    return build(args, environment.venv), environment, args


@pytest.mark.parametrize("see", [ALL, SEE])
@pytest.mark.parametrize("frames", [1, 2])
def test_numpy_says_what_torch_says_over_whole_episodes(see, frames):
    """The copies' episodes end at different times, so memory is lost by some of them in most of the last steps."""
    model, environment, args = built(ENV, *SHORT, f"--frame-stack={frames}", see)
    policy, rng = model.policy, np.random.default_rng(1)
    with torch.no_grad():
        for parameter in policy.parameters():  # trained ones are this large
            parameter.copy_(torch.as_tensor(rng.normal(0.0, 0.5, parameter.shape)))
    network, output = network_of(model)
    seen = {ALL: environment.base.scenario.fields.size, SEE: 19}[see] * frames
    assert (output, network.inputs, network.units) == ("logits", environment.venv.observation_space.shape[0], 8)
    assert seen - 2 * frames <= network.describe()["encoder"] <= seen  # without those that never change

    theirs = (torch.zeros(1, args.n_envs, 8),) * 2
    ours = network.start(args.n_envs)
    observation, started = environment.venv.reset(), np.ones(args.n_envs, bool)
    starts, spread = [], []
    for _ in range(60):
        with torch.no_grad():
            shown = torch.as_tensor(observation), theirs, torch.as_tensor(started, dtype=torch.float32)
            said, theirs = policy.get_distribution(*shown)
        expected = said.distribution.logits.numpy()
        ours = tuple(m * ~started[:, None] for m in ours)
        logits, ours = network.step(observation, ours)
        assert np.allclose(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), expected, atol=1e-4)
        starts.append(started.sum())
        spread.append(np.ptp(expected))
        observation, _, started, _ = environment.venv.step(rng.integers(0, 2, args.n_envs))
    assert {0, args.n_envs} < set(starts)
    assert np.mean(spread) > 1.0


def test_the_saved_agent_plays_as_the_archive_does(tmp_path):
    """`model.zip` is played by Stable-Baselines3 with its own memory; both remember, for one that forgets differs."""
    out = tmp_path / "run"
    main(RecurrentPpo, build, [*RUN, SEE, "--steps=256", "--imitate-updates=60", "--out", str(out)])
    of = mmwave_gym.Task(env_id=ENV, kwargs={"duration_s": 4.0})
    by_npz, by_zip = (mmwave_gym.evaluate(str(out / name), of, episodes=4) for name in ("policy.npz", "model.zip"))
    assert by_npz == by_zip
    metadata = json.loads((out / "policy.json").read_text())
    assert metadata["algorithm"] == "RECURRENTPPO"
    assert metadata["command"].startswith(f"python -m train.recurrent_ppo {ENV} --set duration_s=4.0")
    assert metadata["network"]["recurrent"] == "lstm"

    base = Environment(parse(RecurrentPpo, [*RUN]), of, 5).base
    base.reset()
    agent = load_agent(out / "policy.npz")
    observation = base.raw_observation()
    _, state = agent.predict(observation, None, np.ones(8, bool))
    kept = agent.predict(observation, state, np.zeros(8, bool))[1].recurrent
    lost = agent.predict(observation, state, np.ones(8, bool))[1].recurrent
    assert np.allclose(lost[0], state.recurrent[0])
    assert np.abs(kept[0] - lost[0]).max() > 1e-3


def test_imitation_along_episodes_reaches_the_expert():
    """A3 is linear in what is seen: after a few hundred updates the LSTM says the same nearly always, on new ways."""
    model, environment, args = built("--task", "street/car-sparse", *SMALL[1:], "--n-envs=64", "--hidden=32", SEE)
    of, venv = args.target(), Environment(args, args.target(), 0, first_episode=2**30).venv
    losses = [imitate(model, venv, "mmwave_baselines.street.rules:A3", of, n, 0, 0.01, 200) for n in (1, 200)]
    assert losses[0] > 1.5
    assert losses[1] < 0.15

    base, expert, network = environment.base, load_agent("a3", "street", of), network_of(model)[0]
    observation, started, memory = environment.venv.reset(), np.ones(64, bool), network.start(64)
    state = expert.begin(base.view(), None)
    agreed = []
    for _ in range(200):
        wanted, state = expert.predict(base.raw_observation(), state, started)
        memory = tuple(m * ~started[:, None] for m in memory)
        logits, memory = network.step(observation, memory)
        agreed.append(logits.argmax(axis=1) == wanted)
        observation, _, started, _ = environment.venv.step(wanted)
    assert np.mean(agreed) > 0.97


def test_a_run_goes_on_from_its_checkpoint(tmp_path, capsys):
    out = tmp_path / "run"
    words = [*RUN, "--out", str(out)]
    main(RecurrentPpo, build, [*words, "--steps=128"])
    first = (out / "policy.npz").read_bytes()
    saved = json.loads((out / "arguments.json").read_text())
    (out / "arguments.json").write_text(json.dumps({**saved, "steps": 256}))
    main(RecurrentPpo, build, [*words, "--steps=256", "--resume"])
    assert f"resuming {out} at 128 steps" in capsys.readouterr().err.replace("\n", " ").replace("  ", " ")
    assert json.loads((out / "policy.json").read_text())["steps"] == 256
    assert (out / "policy.npz").read_bytes() != first


def test_the_same_command_gives_the_same_network(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        main(RecurrentPpo, build, [*RUN, "--steps=128", f"--seed={seed}", "--out", str(tmp_path / name)])
    a, b, c = ((tmp_path / name / "policy.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([ENV, "--network=mlp"], "--network must be one of lstm, got 'mlp'"),
        ([ENV, "--see=rsrp_9_dbm"], "--see names rsrp_9_dbm, but an observation has: rsrp_0_dbm"),
        ([ENV, "--hidden=0"], "--hidden must be at least 1"),
        (["MmwaveHandover-v0", "--set", "num_ues=3"], "RecurrentPPO needs one agent in an environment"),
        (["MmwavePowerAllocation-v0"], "RecurrentPPO needs one agent in an environment"),
    ],
)
def test_bad_input_is_one_line(argv, said, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(
            RecurrentPpo,
            build,
            [
                *argv,
                *(w for w in SMALL if w != "--hidden=8" or "--hidden=0" not in argv),
                "--out",
                str(tmp_path / "run"),
            ],
        )
    assert end.value.code == 2
    assert said in capsys.readouterr().err.replace("\n", " ")


def test_other_scripts_have_no_lstm():
    from mmwave_baselines.training.ppo import Ppo

    with pytest.raises(BadRun, match="--network must be one of mlp, plain, set, relative, got 'lstm'"):
        parse_checked(Ppo, [ENV, "--network=lstm"])


def test_only_what_an_lstm_network_can_hold_is_taken_out():
    from sb3_contrib import RecurrentPPO

    _, environment, _ = built(ENV, *SHORT)
    for keywords in ({}, {"net_arch": [4]}, {"n_lstm_layers": 2}):
        model = RecurrentPPO("MlpLstmPolicy", environment.venv, n_steps=8, policy_kwargs=keywords, device="cpu")
        with pytest.raises(AgentError, match="only an LSTM layer between chosen inputs"):
            network_of(model)
