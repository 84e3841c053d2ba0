"""The unfolded network: without torch as with it, whatever the order of base stations; trained, resumed, shipped."""

from __future__ import annotations

import itertools
import json
import math
import shlex
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from mmwave_baselines.power_allocation import optimisation, unfolded
from mmwave_baselines.power_allocation.unfolded import MEMORY, RepairedPolicy, Unfolded, UnfoldedPolicy
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.protocol import AgentError, RowRng
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

TASKS = [t for t in all_tasks() if t.scenario_name == "power_allocation"]
HARD = {"ue_radius_m": 30.0, "levels": None}
POWER_MW = (0.1, 10.0**3.5)
NOISE_MW = 1e-12
QOS = 2.83
SEEDS = range(5)


def a_network(seed: int = 0) -> Network:
    """Random weights, the last layer's small as in training."""
    rng = np.random.default_rng(seed)
    sizes = (6 + MEMORY, 32, 32, 3 + MEMORY)
    layers = []
    for i, (m, n) in enumerate(itertools.pairwise(sizes)):
        scale = (0.3 if i == 2 else 1.0) / math.sqrt(m)
        layers.append(tuple((scale * rng.standard_normal(s)).astype(np.float32) for s in ((n, m), n)))
    return Network(tuple(layers))


def a_policy(kind: type[UnfoldedPolicy] = UnfoldedPolicy, seed: int = 0) -> UnfoldedPolicy:
    from mmwave_gym.agents.policy import field_metadata

    metadata = {"algorithm": "UNFOLDED", "env_id": "MmwavePowerAllocation-v0", "kwargs": {}, **unfolded.METADATA}
    return kind(a_network(seed), {**metadata, "fields": field_metadata(unfolded.FIELDS)})


def worlds(count: int, **keywords: Any) -> Any:
    """Episodes of an environment, and the scenario."""
    scenario: Any = make_scenario("power_allocation", **{**HARD, **keywords})
    batch = Batch(scenario, count, draws_ahead=False)
    batch.reset([EpisodeKey(7, n, "test.unfolded") for n in range(count)])
    return batch, scenario


def play(policy: Any, batch: Batch, slots: int) -> tuple[Any, Any]:
    """Powers (slot, N, A) in mW that the environment transmitted, and the memory at the end."""
    n, a = batch.num_envs, batch.scenario.num_agents
    memory = policy.begin(View(batch, policy.access), RowRng.from_seed(0, n * a))
    started, powers = np.ones(n * a, bool), []
    for _ in range(slots):
        action, memory = policy.predict(batch.observe().reshape(n * a, -1), memory, started)
        outcome = batch.step(action.reshape(n, a))
        started = outcome.terminated.ravel()
        powers.append(batch.state.power_mw.copy())
    return np.array(powers), memory


class World:
    """A view of networks whose gains are given: what `UnfoldedPolicy` needs of one, SINRs by `optimisation`."""

    def __init__(self, gain: Any, own_gain: Any, present: Any, is_sparse: bool = False):
        self.network = optimisation.Network(
            gain=gain,
            own_gain=own_gain,
            noise_mw=np.full(own_gain.shape, NOISE_MW),
            qos_sinr=QOS,
            power_mw=POWER_MW,
            present=present,
        )
        self.num_envs, self.num_agents = own_gain.shape
        self.power_mw = np.where(present, POWER_MW[1], 0.0)
        self.constants = {
            "power_mw": POWER_MW,
            "power_dbm": (-10.0, 35.0),
            "noise_mw": NOISE_MW,
            "qos_sinr": QOS,
            "levels": None,
            "levels_mw": None,
            "action": "power",
        }
        self.gain = gain
        if is_sparse:
            self.gain = np.empty(len(gain), object)
            self.gain[:] = [sparse.csr_array(g) for g in gain]

    def look(self, *names: str) -> dict[str, Any]:
        net = self.network
        seen = {
            "power_mw": self.power_mw,
            "present": net.present,
            "sinr": optimisation.sinr(net, self.power_mw),
            "interference_mw": optimisation.interference(net, self.power_mw)
            * np.where(net.present, net.own_gain, 1e-12),
            "phase": np.zeros(self.num_envs, np.int64),
            "own_gain": net.own_gain,
            "far_gain": np.zeros_like(net.own_gain),
            "gain": self.gain,
        }
        return {name: seen[name] for name in names}

    def play(self, policy: UnfoldedPolicy, slots: int) -> Any:
        """Powers (N, A) dBm after so many slots."""
        memory = policy.begin(self, None)  # type: ignore[arg-type]
        rows, dbm = self.num_envs * self.num_agents, np.empty(0)
        for slot in range(slots):
            dbm, memory = policy.predict(np.zeros((rows, 1)), memory, np.full(rows, slot == 0))
            power = 10.0 ** (0.1 * dbm.reshape(self.power_mw.shape))
            self.power_mw = np.where(self.network.present, power, 0.0)
        return dbm.reshape(self.power_mw.shape)


def drawn(count: int = 4, **keywords: Any) -> Any:
    """gain (W, A, A), own_gain and present (W, A) of drawn worlds."""
    batch, _ = worlds(count, **keywords)
    e = batch.episodes
    return np.array(e.gain[:count]), e.own_gain[:count].copy(), e.present[:count, 0].copy()


# ---------------------------------------------------------------------------- the agent


def test_a_slot_is_that_of_the_network_that_was_trained() -> None:
    torch = pytest.importorskip("torch")
    from mmwave_baselines.power_allocation.training.unfolded_network import Cell
    from mmwave_baselines.power_allocation.training.unfolded_worlds import channel

    gain, own, present = drawn(6, layout="poisson", cluster_bs=(2, 9))
    cell = Cell(POWER_MW, (3, 4))
    with torch.no_grad():
        for weight in cell.weights:
            weight *= 1.5  # the last layer begins near nothing
        cell.weights[-1] *= 5.0
    for at in range(2):  # the first half of the worlds is the first network's
        c = channel(gain, own, present, NOISE_MW)
        target = math.log(QOS * 1.05)
        with torch.no_grad():
            s = cell.first(torch.full_like(c.log_own, cell.high), c)
            for _ in range(15):
                s = cell(s, c, torch.full((6, 1), target))
        half = slice(3 * at, 3 * at + 3)
        world = World(gain[half], own[half], present[half])
        world.constants["qos_sinr"] = QOS * 1.05 / (1.0 + unfolded.MARGIN)
        policy = a_policy()
        policy.network = cell.network(at)
        dbm = world.play(policy, 15)
        there = present[half]
        expected = s.log_mw.numpy()[half][:, : there.shape[1]] * 10.0 / math.log(10.0)
        used = expected.shape[1]
        assert np.ptp(expected[there[:, :used]]) > 3.0  # powers have moved apart
        np.testing.assert_allclose(dbm[:, :used][there[:, :used]], expected[there[:, :used]], atol=0.02)


def test_the_order_of_base_stations_makes_no_difference() -> None:
    gain, own, present = drawn(3, layout="poisson", cluster_bs=(4, 12))
    order = np.random.default_rng(0).permutation(own.shape[1])
    there = World(gain, own, present).play(a_policy(), 12)
    mixed = World(gain[:, order][:, :, order], own[:, order], present[:, order]).play(a_policy(), 12)
    assert np.ptp(there[present]) > 1.0
    np.testing.assert_allclose(mixed[present[:, order]], there[:, order][present[:, order]], atol=1e-3)


def test_sparse_gains_are_the_same_as_dense_ones() -> None:
    gain, own, present = drawn(3, layout="poisson", cluster_bs=(4, 12))
    gain = np.where(gain > 1e-11, gain, 0.0)
    dense, thin = (World(gain, own, present, is_sparse=s).play(a_policy(), 12) for s in (False, True))
    np.testing.assert_allclose(dense[present], thin[present], atol=1e-4)


def test_it_plays_the_environment_as_the_given_gains() -> None:
    batch, _ = worlds(3, layout="rows", num_bs=6, horizon=30)
    e = batch.episodes
    world = World(np.array(e.gain[:3]), e.own_gain[:3].copy(), e.present[:3, 0].copy())
    powers, _ = play(a_policy(), batch, 10)
    np.testing.assert_allclose(10.0 * np.log10(powers[-1]), world.play(a_policy(), 10), atol=1e-3)


def test_who_disturbs_nobody_shouts() -> None:
    policy = Unfolded.for_task(TASKS[0])
    gain, own, present = np.zeros((1, 1, 1)), np.full((1, 1), 1e-9), np.ones((1, 1), bool)
    assert World(gain, own, present).play(policy, 20)[0, 0] == pytest.approx(35.0, abs=1.0)


def test_newcomers_remember_nothing_and_others_all(monkeypatch: Any) -> None:
    """A network that only counts: what it remembers is the number of slots that a base station has lived."""
    batch, scenario = worlds(4, layout="rows", num_bs=8, changes=6, horizon=60)
    policy, n, a = a_policy(), 4, scenario.num_agents
    weights = [(np.zeros_like(w), np.zeros_like(b)) for w, b in policy.network.layers]
    weights[-1][1][3:] = 0.01
    policy.network = Network(tuple(weights))
    grown = [0.0]
    for _ in range(60):
        grown.append(math.tanh(grown[-1] + 0.01))
    memory = policy.begin(View(batch, "local"), RowRng.from_seed(0, n * a))
    started, age = np.ones(n * a, bool), np.zeros((n, a), np.int64)
    arrivals = 0
    monkeypatch.setattr(unfolded, "SETTLING", 1000)
    for _ in range(60):
        there = batch.state.present.copy()
        age = np.where(there, age + 1, 0)
        action, memory = policy.predict(batch.observe().reshape(n * a, -1), memory, started)
        np.testing.assert_allclose(memory.recurrent.memory[there, 0], np.array(grown)[age[there]], atol=1e-5)
        started = batch.step(action.reshape(n, a)).terminated.ravel()
        arrivals += int((batch.state.present & ~there).sum())
    assert arrivals > 0


def test_a_new_episode_is_a_new_life() -> None:
    batch, _ = worlds(3, layout="rows", num_bs=5, horizon=12)
    first, memory = play(a_policy(), batch, 5)
    batch.rewind(np.arange(3))
    action, memory = a_policy().predict(batch.observe().reshape(15, -1), memory, np.ones(15, bool))
    batch.step(action.reshape(3, 5))
    np.testing.assert_array_equal(batch.state.power_mw, first[0])


def test_steps_shrink_until_somebody_comes_or_goes() -> None:
    """A network that wants 0.01 less in every slot."""
    batch, _ = worlds(1, layout="rows", num_bs=4, changes=1, horizon=100)
    batch.episodes.change_slot[...] = 60
    policy = a_policy()
    weights = [(np.zeros_like(w), np.zeros_like(b)) for w, b in policy.network.layers]
    weights[-1][1][0], weights[-1][1][1] = -30.0, -0.01
    policy.network = Network(tuple(weights))
    powers, _ = play(policy, batch, 80)
    stays = np.flatnonzero((powers > 0.0).all(axis=(0, 1)))
    fell = -np.diff(np.log(powers[:, 0, stays]), axis=0)
    slot = np.r_[np.arange(2, 61), np.arange(1, 21)]  # since the start or the change
    expected = 0.01 * np.minimum(1.0, (unfolded.SETTLING / slot) ** unfolded.SLOWING)
    np.testing.assert_allclose(fell, np.broadcast_to(expected[:, None], fell.shape), atol=2e-6)


def test_levels_are_rounded_up_under_pressure() -> None:
    levels = np.geomspace(*POWER_MW, 32)
    steps = np.log(levels[1] / levels[0])
    at = np.array([[0.0, 0.3, 0.6, 4.1, 4.3, 30.9, -3.0, 40.0]])
    log_mw = np.log(levels[0]) + at * steps
    calm = unfolded.on_levels(log_mw, np.zeros_like(at), levels)
    pressed = unfolded.on_levels(log_mw, np.ones_like(at), levels)
    np.testing.assert_allclose(np.exp(calm)[0], levels[[0, 0, 1, 4, 4, 31, 0, 31]])
    np.testing.assert_allclose(np.exp(pressed)[0], levels[[0, 1, 1, 4, 5, 31, 0, 31]])


def test_between_levels_it_goes_on_from_what_it_wanted() -> None:
    """Steps of less than half a level must add up."""
    batch, _ = worlds(2, layout="rows", num_bs=4, levels=32)
    policy = a_policy()
    weights = [(np.zeros_like(w), np.zeros_like(b)) for w, b in policy.network.layers]
    weights[-1][1][0], weights[-1][1][1] = -30.0, -0.05  # always 0.05 less, of a level's 0.334
    policy.network = Network(tuple(weights))
    powers, _ = play(policy, batch, 20)
    fell = np.log(powers[-1] / POWER_MW[1])
    np.testing.assert_allclose(fell, -3 * np.log(POWER_MW[1] / POWER_MW[0]) / 31, atol=1e-6)


@pytest.mark.parametrize("keywords", [{"levels": 32}, {}, {"action": "change"}], ids=["levels", "power", "change"])
def test_every_form_of_action(keywords: dict[str, Any]) -> None:
    batch, _ = worlds(2, layout="rows", num_bs=4, **keywords)
    powers, _ = play(a_policy(), batch, 5)
    assert (powers >= POWER_MW[0] * 0.999).all()
    assert (powers <= POWER_MW[1] * 1.001).all()


def test_other_scenarios_are_refused() -> None:
    scenario: Any = make_scenario("cell_selection", num_ues=3)
    batch = Batch(scenario, 1)
    batch.reset([EpisodeKey(0)])
    with pytest.raises(AgentError, match="allocates powers"):
        a_policy().begin(View(batch, "local"), RowRng.from_seed(0, 3))


# ---------------------------------------------------------------------------- repair


def test_repair_satisfies_all_where_all_can_be() -> None:
    batch, _ = worlds(12, layout="rows", num_bs=14, feasible="only")
    policy = Unfolded.for_task(TASKS[0])
    repaired = RepairedPolicy(policy.network, policy.metadata)
    powers, _ = play(repaired, batch, unfolded.REPAIR_AFTER + 3)
    assert (batch.state.sinr >= QOS * (1.0 - 1e-9)).all()
    np.testing.assert_allclose(powers[-1], powers[-2], rtol=1e-5)  # kept


@pytest.mark.parametrize("keywords", [{"feasible": "not"}, {"feasible": "not", "levels": 32}], ids=["power", "levels"])
def test_repair_leaves_no_fewer_satisfied_where_not_all_can_be(keywords: dict[str, Any]) -> None:
    got = {}
    policy = Unfolded.for_task(TASKS[0])
    for kind in (UnfoldedPolicy, RepairedPolicy):
        batch, _ = worlds(6, layout="rows", num_bs=14, **keywords)
        play(kind(policy.network, policy.metadata), batch, unfolded.REPAIR_AFTER + 1)
        satisfied = batch.state.sinr >= QOS * (1.0 - 1e-9)
        got[kind] = satisfied.sum(axis=1), (batch.state.capacity_bps_hz * satisfied).sum(axis=1)
    assert (got[RepairedPolicy][1] >= got[UnfoldedPolicy][1] - 1e-3).all()
    assert (got[RepairedPolicy][0] >= got[UnfoldedPolicy][0]).all() or "levels" in keywords


def test_powers_are_let_go_when_somebody_comes() -> None:
    batch, _ = worlds(1, layout="rows", num_bs=8, changes=1, horizon=90)
    batch.episodes.change_slot[...] = 40
    policy = Unfolded.for_task(TASKS[0])
    powers, _ = play(RepairedPolicy(policy.network, policy.metadata), batch, 60)
    stays = batch.state.present[0] & (powers[30, 0] > 0.0)
    np.testing.assert_allclose(powers[38, 0], powers[25, 0], rtol=1e-5)
    assert (np.abs(np.log(powers[44, 0, stays] / powers[38, 0, stays])) > 1e-4).any()


# ---------------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_say_where_they_come_from(seed: int) -> None:
    folder = files("mmwave_baselines.power_allocation") / "weights"
    metadata = json.loads((folder / f"unfolded-clusters-s{seed}.json").read_text(encoding="utf-8"))
    assert metadata["seed"] == seed
    assert metadata["steps"] >= 1000
    assert shlex.split(metadata["command"])[:3] == ["python", "-m", "train.unfolded"]
    assert metadata["results"]["satisfied_20"] > 0.99
    assert metadata["results"]["satisfied_100"] > 0.99
    assert load_agent(f"unfolded@{seed}", "power_allocation", TASKS[0]).weights_sha256 == metadata["sha256"]


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.name)
def test_one_set_of_weights_plays_every_task(task: Task) -> None:
    assert Unfolded.training_seeds(task) == tuple(SEEDS)
    for name, access in (("unfolded", "local"), ("unfolded-repair", "central")):
        assert load_agent(name, "power_allocation", task).access == access
    assert load_agent("unfolded-repair", "power_allocation", task).label == "unfolded network, repaired"


def test_shipped_networks_are_near_the_optimum() -> None:
    """24 worlds of the training split; what all worlds say is in docs/training.md."""
    task = next(t for t in TASKS if t.name == "power_allocation/hard-14")
    batch = Batch(task.scenario(), 24, draws_ahead=False)
    batch.reset(task.keys(list(range(24)), "train"))
    e = batch.episodes
    network = optimisation.Network(
        gain=np.array(e.gain[:24]),
        own_gain=e.own_gain[:24],
        noise_mw=np.full((24, 14), NOISE_MW),
        qos_sinr=QOS,
        power_mw=POWER_MW,
        present=e.present[:24, 0],
    )
    best = optimisation.capacity_bps_hz(network, optimisation.sca(network)).sum()
    rows = evaluate("unfolded", task, episodes=24, split="train")
    assert sum(row["sum_rate_bps_hz"] for row in rows) > 0.99 * best
    assert np.mean([row["qos_satisfaction"] for row in rows]) > 0.985


# ---------------------------------------------------------------------------- training

QUICK = ("MmwavePowerAllocation-v0", "--worlds", "0.01", "--batch-size", "8", "--eval-episodes", "20")


def results(folder: Any, name: str = "policy.json") -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_training_lowers_the_loss_and_saves_an_agent(tmp_path: Any, capsys: Any) -> None:
    torch = pytest.importorskip("torch")
    from mmwave_baselines.power_allocation.training.unfolded import Learner, Unfolded as Arguments, run as main
    from mmwave_baselines.power_allocation.training.unfolded_network import loss_of

    main([*QUICK, "--steps", "80", "--late", "0", "--out", str(tmp_path / "run")])
    assert "mmwave-gym evaluate" in capsys.readouterr().out
    metadata = results(tmp_path / "run")
    learner = Learner(Arguments(env_id=QUICK[0], worlds=0.01, batch_size=8, eval_episodes=20), TASKS[-1], print)
    rollout = learner.rollout(3)._replace(slots=20, change=20)
    with torch.no_grad():
        untrained = float(loss_of(learner.cell, rollout, 15.0, True)[0])
        with np.load(tmp_path / "run" / "policy.npz") as saved:
            for i, (weight, bias) in enumerate(zip(learner.cell.weights, learner.cell.biases, strict=True)):
                weight[0] = torch.as_tensor(saved[f"{i}.w"].T)
                bias[0, 0] = torch.as_tensor(saved[f"{i}.b"])
        trained = float(loss_of(learner.cell, rollout, 15.0, True)[0])
    assert trained < untrained - 0.1
    assert metadata["results"]["satisfied_20"] > learner_satisfied_at_full_power(learner)
    assert any((tmp_path / "run" / "tensorboard").rglob("events*"))
    agent = load_agent(tmp_path / "run" / "policy.npz")
    assert type(agent) is UnfoldedPolicy  # a file says which agent plays it


def learner_satisfied_at_full_power(learner: Any) -> float:
    """Share of users on the same worlds as those of the evaluation."""
    c = learner.held
    first = learner.cell.first(0.0 * c.log_own + learner.cell.high, c)
    return float((first.log_sinr >= math.log(QOS)).float().mean())


def test_an_interrupted_run_goes_on_as_if_nothing_had_been(tmp_path: Any, monkeypatch: Any) -> None:
    pytest.importorskip("torch")
    from mmwave_baselines.power_allocation.training import unfolded as training

    words = [*QUICK, "--steps", "8", "--eval-every", "4"]
    training.run([*words, "--out", str(tmp_path / "whole")])
    update = training.Learner.update

    def stopped(learner: Any) -> Any:
        if learner.steps == 5:
            raise KeyboardInterrupt
        return update(learner)

    monkeypatch.setattr(training.Learner, "update", stopped)
    with pytest.raises(SystemExit) as stop:
        training.run([*words, "--out", str(tmp_path / "parts")])
    assert stop.value.code == 130
    monkeypatch.setattr(training.Learner, "update", update)
    training.run([*words, "--out", str(tmp_path / "parts"), "--resume"])
    assert results(tmp_path / "whole")["sha256"] == results(tmp_path / "parts")["sha256"]


def test_seeds_side_by_side_learn_what_each_learns_alone(tmp_path: Any) -> None:
    pytest.importorskip("torch")
    from mmwave_baselines.power_allocation.training.unfolded import run as main

    words = [*QUICK, "--steps", "6"]
    main([*words, "--together", "2", "--out", str(tmp_path / "both")])
    main([*words, "--seed", "1", "--out", str(tmp_path / "alone")])
    with np.load(tmp_path / "both" / "policy-s1.npz") as a, np.load(tmp_path / "alone" / "policy.npz") as b:
        for key in a.files:
            np.testing.assert_allclose(a[key], b[key], atol=2e-5)
    with np.load(tmp_path / "both" / "policy-s0.npz") as a, np.load(tmp_path / "alone" / "policy.npz") as b:
        assert np.abs(a["0.w"] - b["0.w"]).max() > 0.01


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--steps", "0"], "--steps"),
        (["--late", "1.5"], "--late"),
        (["--learning-rate", "-1"], "--learning-rate"),
        (["--task", "association/small"], "MmwaveAssociation-v0"),
        (["--resume"], "nothing to resume"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Any, capsys: Any, words: list[str], fault: str) -> None:
    pytest.importorskip("torch")
    from mmwave_baselines.power_allocation.training.unfolded import run as main

    with pytest.raises(SystemExit) as stop:
        main([*QUICK, *words, "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert fault in capsys.readouterr().err
