"""Agents that other libraries saved: what they read, what they refuse, and that they play as their weights say."""

from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmwave_gym
from mmwave_gym.agents import AgentError
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.formats import format_of, state_dicts, trust
from mmwave_gym.agents.formats.described import describe, description_of, trained_on
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import action_metadata
from mmwave_gym.benchmark.task import Task

TASK = Task(env_id="MmwaveHandover-v0", kwargs={"horizon": 40, "boundary": "stay"}, episodes=4)
SIZES = (12, 8, 8, 6)


def layers(sizes: tuple[int, ...] = SIZES, seed: int = 0) -> list[tuple[Any, Any]]:
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return [(rng.normal(size=(m, n)).astype(np.float32), rng.normal(size=m).astype(np.float32)) for n, m in pairs]


def named(prefix: str, own: list[tuple[Any, Any]]) -> dict[str, Any]:
    """As torch names the layers of a Sequential, activations between them."""
    found = {}
    for i, (weight, bias) in enumerate(own):
        found |= {f"{prefix}.{2 * i}.weight": weight, f"{prefix}.{2 * i}.bias": bias}
    return found


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    """The same network as a policy of this package."""
    scenario = TASK.scenario()
    about = {
        "env_id": TASK.env_id, "kwargs": dict(TASK.kwargs), "algorithm": "PPO", "output": "logits", "normalised": True,
        "action": action_metadata(scenario.action_space), "frame_stack": 1,
    }  # fmt: skip
    return save_policy(tmp_path / "ours.npz", Network(tuple(layers())), scenario.fields, about)


def rows(path: Path, **more: Any) -> list[dict[str, Any]]:
    return mmwave_gym.evaluate(str(path), TASK, trusted=True, **more)


def torch_file(path: Path, content: Any) -> Path:
    torch = pytest.importorskip("torch")

    def tensors(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: tensors(v) for k, v in value.items()}
        return torch.as_tensor(value) if isinstance(value, np.ndarray) else value

    torch.save(tensors(content), path)
    return path


def described(path: Path, **more: Any) -> Path:
    describe(path, TASK.env_id, TASK.kwargs, **{"normalised": True, "activation": "tanh", **more})
    return path


# ------------------------------------------------------------------------------------------------ weights of torch


def test_a_script_says_how_it_trained(tmp_path: Path) -> None:
    about = {"activation": "tanh", "steps": 10, "training": trained_on("handover/a3-beta25")}
    path = torch_file(tmp_path / "actor.pt", {"actor": named("net", layers())})
    describe(path, TASK.env_id, TASK.kwargs, **about)
    training = load_policy(path).training
    assert training.pop("processor_s") > 0.0
    assert training == {"decisions": 10, "teacher": "", "oracle_regrets": False, "trained_on": "handover/a3-beta25"}


def test_weights_of_torch_play_as_the_same_network(tmp_path: Path, ours: Path) -> None:
    content = {**named("actor", layers()), **named("critic", layers((12, 8, 1)))}
    path = described(torch_file(tmp_path / "agent.cleanrl_model", content), algorithm="PPO", library="CleanRL", seed=3)
    assert rows(path) == rows(ours)
    agent = load_policy(path)
    assert (agent.label, agent.kind, agent.config["library"]) == ("PPO (CleanRL)", "learned", "CleanRL")
    assert len(agent.weights_sha256) == 64


def test_they_play_supervised_with_the_same_rows(tmp_path: Path, ours: Path) -> None:
    path = described(torch_file(tmp_path / "agent.pt", named("actor", layers())))
    assert mmwave_gym.evaluate(str(path), TASK) == rows(ours)


def test_a_checkpoint_may_hold_more_than_the_network(tmp_path: Path, ours: Path) -> None:
    """A target network, an optimiser, counts: what acts is found by its shape and name."""
    q, old = layers(), layers(seed=1)
    content = {"model": named("q.net", q), "model_old": named("q.net", old), "step": 7, "optim": {"lr": [1e-3]}}
    assert rows(described(torch_file(tmp_path / "dqn.pth", content), output="q")) == rows(ours)


def test_layers_can_be_named(tmp_path: Path, ours: Path) -> None:
    first, second, last = layers()
    content = {**named("body", [first, second]), **named("head", [last]), **named("other", layers(seed=1))}
    path = described(torch_file(tmp_path / "agent.pt", content), layers=["body", "head"])
    assert rows(path) == rows(ours)
    names = {"fc1": first, "fc2": second, "out": last}
    alone = {f"{n}.{p}": a for n, pair in names.items() for p, a in zip(("weight", "bias"), pair, strict=True)}
    path = described(torch_file(tmp_path / "flat.pt", {**alone, "log.weight": last[0]}), layers=list(names))
    assert rows(path) == rows(ours)


@pytest.mark.parametrize(
    ("content", "said", "wrong"),
    [
        (named("actor", layers((9, 8, 6))), {}, "no linear layers that read 12 numbers.*actor .9 to 6."),
        ({**named("a", layers()), **named("b", layers(seed=1))}, {}, "several networks that could act"),
        (named("actor", layers()), {"layers": ["pi"]}, "has no linear layers in 'pi'; it has actor"),
        (named("actor", layers((9, 8, 6))), {"layers": ["actor"]}, "reads 9 numbers.*of another environment"),
        ({**named("a", layers()), "a.1.weight": np.ones(8), "a.1.scale": np.ones(8)}, {}, "no linear layer.*onnx"),
        (named("actor", [(w * np.nan, b) for w, b in layers()]), {}, "must be finite numbers"),
        ({"step": 7}, {}, "holds no tensor"),
    ],
)
def test_weights_that_do_not_fit_say_why(tmp_path: Path, content: Any, said: dict[str, Any], wrong: str) -> None:
    path = described(torch_file(tmp_path / "agent.pt", content), **said)
    with pytest.raises(AgentError, match=wrong):
        rows(path)


def test_the_activation_must_be_said(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "agent.pt", named("actor", layers()))
    with pytest.raises(AgentError, match=r'write \{"activation": "tanh"\}'):
        rows(path)
    path.with_suffix(".json").write_text('{"activation": "gelu"}')
    with pytest.raises(AgentError, match=r"agent\.json.*gelu.*tanh, relu"):
        rows(path)


class Evil:
    def __init__(self, place: Path):
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


def test_nothing_in_a_file_of_torch_is_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"actor": Evil(tmp_path / "touched")}, tmp_path / "evil.pt")
    with pytest.raises(AgentError, match="refuses to read it as weights alone"):
        load_policy(tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil(tmp_path / "touched")))
    with pytest.raises(AgentError, match=r"not a sound \.zip"):
        load_policy(tmp_path / "plain.pt")
    assert not (tmp_path / "touched").exists()


def test_another_environment_is_refused(tmp_path: Path) -> None:
    path = described(torch_file(tmp_path / "agent.pt", named("actor", layers())))
    other = Task(env_id="MmwaveCellSelection-v0", episodes=2)
    with pytest.raises(AgentError, match=r"trained on MmwaveHandover-v0.*rsrq_db.*here it is los"):
        mmwave_gym.evaluate(str(path), other, trusted=True)


# -------------------------------------------------------------------------------------------------------------- ONNX


def onnx_file(path: Path, *, batch: int | None = None, action: bool = False, mask: bool = False, **meta: str) -> Path:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto as Kind, helper as made, numpy_helper

    nodes, weights, at = [], [], "seen"
    for i, (w, b) in enumerate(own := layers()):
        weights += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
        nodes.append(made.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"h{i}"], transB=1))
        at = f"h{i}"
        if i < len(own) - 1:
            nodes.append(made.make_node("Tanh", [at], [f"t{i}"]))
            at = f"t{i}"
    inputs = [made.make_tensor_value_info("seen", Kind.FLOAT, [batch, 12])]
    if mask:
        inputs.append(made.make_tensor_value_info("mask", Kind.FLOAT, [batch, 6]))
        nodes.append(made.make_node("Add", [at, "mask"], ["masked"]))
        at = "masked"
    if action:
        nodes.append(made.make_node("ArgMax", [at], ["chosen"], axis=1, keepdims=0))
        outputs = [made.make_tensor_value_info("chosen", Kind.INT64, [batch])]
    else:
        outputs = [made.make_tensor_value_info(at, Kind.FLOAT, [batch, 6])]
    graph = made.make_graph(nodes, "policy", inputs, outputs, weights)
    model = made.make_model(graph, opset_imports=[made.make_opsetid("", 17)], ir_version=9)
    onnx.helper.set_model_props(model, meta)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("form", [{}, {"batch": 1}, {"batch": 3}, {"action": True}, {"mask": True}])
def test_an_onnx_graph_plays_as_the_same_network(tmp_path: Path, ours: Path, form: dict[str, Any]) -> None:
    assert rows(described(onnx_file(tmp_path / "a.onnx", **form))) == rows(ours)


def test_a_graph_may_describe_itself(tmp_path: Path, ours: Path) -> None:
    path = onnx_file(tmp_path / "a.onnx", mmwave_gym=json.dumps({"normalised": True, "label": "Mine"}))
    assert rows(path) == rows(ours)
    assert load_policy(path).label == "Mine"
    with pytest.raises(AgentError, match="normalised must be true or false"):
        load_policy(onnx_file(tmp_path / "b.onnx", mmwave_gym='{"normalised": "yes"}'))


def test_a_graph_that_does_not_fit_says_why(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "a.onnx")
    other = Task(env_id="MmwaveCellSelection-v0", episodes=2)
    with pytest.raises(AgentError, match=r"a\.onnx reads observations of shape .*12.*here they are \(rows, 15\)"):
        mmwave_gym.evaluate(str(path), other, trusted=True)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AgentError, match=r"a\.onnx: onnxruntime cannot read it"):
        load_policy(path)


# ----------------------------------------------------------------------------------------------------------- formats


def test_a_format_is_known_by_its_name_and_says_what_it_trusts(tmp_path: Path) -> None:
    assert format_of("ppo") is None
    assert trust("ppo") == ""
    assert "PICKLES" in trust("run/model.zip")
    for name in ("policy.npz", "actor.pt", "a.onnx", "agent.cleanrl_model"):
        assert "nothing in it is run" in trust(name)
    assert format_of(str(tmp_path)) is None
    (tmp_path / "rllib_checkpoint.json").write_text("{}")
    assert "nothing in it is run" in trust(str(tmp_path))


def test_a_missing_file_or_library_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AgentError, match=r"there is no file .*none\.onnx"):
        load_policy(tmp_path / "none.onnx")
    (tmp_path / "a.onnx").write_bytes(b"")
    monkeypatch.setattr("mmwave_gym.agents.formats.find_spec", lambda name: None)
    with pytest.raises(AgentError, match=r"a\.onnx needs onnxruntime.*pip install 'mmwave-gym\[onnx\]'"):
        load_policy(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[]", "must hold an object"),
        ('{"frame_stack": 0}', "frame_stack must be from 1"),
        ('{"frame_stack": true}', "frame_stack must be a whole number"),
        ('{"layers": [1]}', "layers must be at most"),
        ('{"output": "value"}', "value"),
        ("{", r"a\.json"),
    ],
)
def test_a_wrong_description_is_said(tmp_path: Path, text: str, wrong: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(AgentError, match=wrong):
        description_of(tmp_path / "a.pt")


def test_chains_of_layers_end_where_names_leave_their_module() -> None:
    found = state_dicts.parts({**named("a.net", layers()), **named("b", layers((6, 2))), "c.weight": np.ones(3)})
    assert [(part.name, part.shape) for part in found] == [("a.net", (12, 6)), ("b", (6, 2))]
