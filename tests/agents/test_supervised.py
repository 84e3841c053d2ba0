"""Agents in processes of their own: the same rows as in this one, limits that bind, a wire that believes nothing."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.agents import AgentError, NotApplicable, agents
from mmwave_gym.agents.facts import checked, facts
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import UnknownAgent
from mmwave_gym.agents.registry import is_shipped
from mmwave_gym.agents.supervised import Limits, Supervised, children, playing, wire
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.runs import Job, run
from mmwave_gym.benchmark.suite import task
from mmwave_gym.benchmark.task import Task

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork processes")


def short(name: str, **keywords: Any) -> Task:
    """A task of the suite with few steps and few episodes."""
    found = task(name)
    fewer: Any = {"warmup_steps": min(2, found.warmup_steps), "scored_steps": 6 if found.scored_steps else None}
    return dataclasses.replace(found, kwargs={**found.kwargs, "horizon": 8, **keywords}, episodes=4, **fewer)


CELLS = short("cell_selection/n3-cost10")
SMALL = task("association/small")
FEW = dataclasses.replace(SMALL, kwargs={**SMALL.kwargs, "duration_s": 30.0}, episodes=3)
WORLDS = {
    "cells": CELLS,
    "masks": FEW,
    "powers": short("power_allocation/paper-14"),
    "carried": dataclasses.replace(CELLS, carry=2, episodes=4),
    "handover": short("handover/a1-beta25"),
}


def both(agent: str, of: Task, **keywords: Any) -> tuple[list[Any], list[Any]]:
    return tuple(evaluate(agent, of, trusted=trusted, **keywords) for trusted in (False, True))  # type: ignore[return-value]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("agent", ["Patient", "Looker"])
def test_rows_are_those_of_the_same_agent_in_this_process(agent: str, world: str) -> None:
    supervised, trusted = both(f"foreign_agents:{agent}", WORLDS[world])
    assert supervised == trusted


@pytest.mark.parametrize(("agent", "sees_less"), [("Local", True), ("Central", True), ("Foresighted", False)])
def test_a_view_grants_what_the_level_grants(agent: str, sees_less: bool) -> None:
    """The last sees what hindsight sees in this scenario."""
    supervised, trusted = both(f"foreign_agents:{agent}", FEW)
    assert supervised == trusted
    assert (supervised != evaluate("foreign_agents:Looker", FEW, trusted=True)) == sees_less


def test_several_blocks_have_states_of_their_own() -> None:
    """130 chains are three blocks of one agent, of which the last is filled up; then another group begins."""
    many = dataclasses.replace(CELLS, episodes=130, kwargs={**CELLS.kwargs, "horizon": 3})
    supervised, trusted = both("foreign_agents:Patient", many, num_envs=64)
    assert supervised == trusted
    assert both("foreign_agents:Plain", CELLS)[0] == both("foreign_agents:Plain", CELLS)[1]


def test_shipped_methods_and_networks_play_the_same_there() -> None:
    """A learner with a kernel's arithmetic, and a network: sums are made on one thread on both sides."""
    assert len(set(map(str, both("mmwave_baselines.handover.ucb:Ucb", short("handover/a1-beta25"))))) == 1
    weights = sorted((Path(__file__).parents[2] / "baselines/mmwave_baselines/cell_selection/weights").rglob("*.npz"))
    supervised, trusted = both(str(weights[0]), CELLS)
    assert supervised == trusted


def test_who_plays_where() -> None:
    assert all(is_shipped(name) for name in agents() if not name.startswith("relay"))
    for spec in ("foreign_agents:Plain", "policy.npz", "model.zip", "policy.json"):
        assert not is_shipped(spec, "handover")
    with playing("stay", "handover") as shipped, playing("foreign_agents:Plain", trusted=True) as trusted:
        assert not isinstance(shipped, Supervised)
        assert type(trusted).__name__ == "Plain"
    with playing("foreign_agents:Plain") as foreign:
        assert isinstance(foreign, Supervised)


def test_a_supervised_agent_says_what_the_agent_says() -> None:
    with Supervised("foreign_agents:Looker") as agent:
        assert facts(agent) == facts(load_agent("foreign_agents:Looker"))
        assert hasattr(agent, "begin")
        assert hasattr(agent, "learn")
    with Supervised("foreign_agents:Plain") as agent:
        assert not hasattr(agent, "begin")
        assert not hasattr(agent, "learn")
        assert not hasattr(agent, "label")


def test_files_of_rows_are_the_same(tmp_path: Path) -> None:
    texts = []
    for trusted in (False, True):
        path = run(Job(CELLS, "foreign_agents:Looker", None, 4, trusted), tmp_path / str(trusted))
        texts.append([{**json.loads(line), "created": None} for line in path.read_text().splitlines()])
    assert len(texts[0]) == 5
    assert texts[0] == texts[1]


def test_an_agent_may_decline() -> None:
    with pytest.raises(NotApplicable, match="not made for cell_selection"):
        evaluate("foreign_agents:Elsewhere", CELLS)


def test_a_name_without_an_agent_is_a_slip() -> None:
    for spec in ("foreign_agents:Nobody", "no_such_module:X", "nowhere.npz", "nowhere.zip"):
        with pytest.raises(UnknownAgent):
            Supervised(spec)


# --- limits


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(step_s=0.1), r"predict took 0\.1 s, the limit of one call"),
        (Limits(total_s=0.3), r"it took 0\.3 s in all, the limit of a run"),
    ],
)
def test_time_is_limited(limits: Limits, reason: str) -> None:
    # The start has the usual limits: on a busy machine it may take longer than a call of this test.
    agent = Supervised("foreign_agents:Slow")
    agent._process._limits = limits
    agent._process._spent_s = 0.0
    with pytest.raises(AgentError, match=reason):
        evaluate(agent, CELLS)
    with pytest.raises(AgentError, match=reason):
        evaluate(agent, CELLS)  # what is over stays over


@pytest.mark.parametrize(
    ("agent", "limits", "reason"),
    [
        ("Hoard", Limits(memory_gib=0.2), r"Unable to allocate .*the limit is 0\.2 GiB of memory, --limit-memory-gib"),
        ("ShareHoard", Limits(memory_gib=0.1), r"used more than 0\.1 GiB of memory, the limit"),
        ("ManyChildren", Limits(processes=3), "started more than 3 processes, the limit"),
        ("RawFlood", Limits(output_mib=0.01), r"printed more than 0\.01 MiB, the limit of its output.*raw raw"),
    ],
)
def test_memory_processes_and_output_are_limited(agent: str, limits: Limits, reason: str) -> None:
    with pytest.raises(AgentError, match=reason):
        evaluate(f"hostile_agents:{agent}", CELLS, limits=limits)


def test_limits_are_positive_numbers() -> None:
    for name in ("step_s", "total_s", "memory_gib", "output_mib"):
        for value in (0, -1.0, float("nan"), float("inf"), "1"):
            with pytest.raises(ValueError, match=f"limit {name} must be a number above 0"):
                Limits(**{name: value})
    with pytest.raises(ValueError, match="processes must be at least 0"):
        Limits(processes=-1)


def test_a_twin_does_not_answer() -> None:
    assert evaluate("hostile_agents:Twin", CELLS) == evaluate("hostile_agents:Honest", CELLS)


def test_processes_end_with_their_agent_and_the_keeper_with_its_last_user() -> None:
    agent = Supervised("foreign_agents:Plain")
    keeper = agent._process._child._keeper
    pid = agent._process._child.pid
    os.kill(pid, 0)
    del agent
    gc.collect()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert keeper.is_usable
    path = list(sys.path)
    try:
        sys.path.append("/nowhere")
        assert not keeper.is_usable, "another keeper serves other modules"
    finally:
        sys.path[:] = path


def test_an_agent_ends_with_a_killed_evaluation(tmp_path: Path) -> None:
    """SIGKILL leaves no time for anything: the keeper ends what it keeps."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from mmwave_gym.agents.supervised import Supervised
agent = Supervised("foreign_agents:Plain")
print(agent._process._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    import subprocess

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -9
    pid = int(done.stdout)
    until = time.monotonic() + 5.0
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_a_killed_keeper_is_replaced() -> None:
    first = Supervised("foreign_agents:Plain")
    os.kill(int(Path(f"/proc/{first._process._child.pid}/stat").read_text().split()[3]), 9)
    with Supervised("foreign_agents:Plain") as second:
        assert second._process._child._keeper is not first._process._child._keeper
        assert evaluate(second, CELLS)
    with pytest.raises(AgentError, match="in predict"):
        evaluate(first, CELLS)


# --- the wire


def lines() -> tuple[wire.Line, wire.AgentLine, socket.socket]:
    ours, theirs = socket.socketpair()
    reading, writing = os.pipe()
    os.close(writing)
    return wire.Line(ours, reading, 1000), wire.AgentLine(theirs), theirs


def test_arrays_arrive_as_they_were() -> None:
    line, agent, theirs = lines()
    sent = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1],
        "b": np.array([True, False]),
        "c": np.array(5, np.int64),
        "d": np.empty((0, 3)),
        "e": np.array([np.nan, -0.0, np.inf]),
    }
    agent.send(wire.packed({"x": 1}, sent))
    head, arrays, _ = line.receive(time.monotonic() + 5)
    assert head["x"] == 1
    assert arrays.keys() == sent.keys()
    for name, array in sent.items():
        assert arrays[name].dtype == array.dtype
        assert arrays[name].shape == array.shape
        assert arrays[name].tobytes() == array.tobytes()
        assert arrays[name].flags.writeable
        assert arrays[name].flags.aligned
    theirs.close()
    with pytest.raises(wire.Gone):
        line.receive(time.monotonic() + 5)
    line.close()


def frame(head: Any, body: bytes = b"", mark: bytes = b"mmw1", pickled: int = 0) -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return wire._FRAME.pack(mark, len(text), len(body), pickled) + text + body


def listed(*entry: Any) -> dict[str, Any]:
    return {"arrays": [list(entry)]}


GARBAGE = [
    frame({"arrays": []}, mark=b"mmw2"),
    frame({"arrays": []}, pickled=3),
    frame(b"{" * 50),
    frame(b"[" * 100_000),
    frame([1]),
    frame({}),
    frame({"arrays": [1]}),
    frame(listed("a", "|O", [1]), b"\0" * 8),
    frame(listed("a", "object", [1]), b"\0" * 8),
    frame(listed("a", "i4,i4", [1]), b"\0" * 8),
    frame(listed("a", "<U2", [1]), b"\0" * 8),
    frame(listed("a", "<i8", [2]), b"\0" * 8),
    frame(listed("a", "<i8", [1]), b"\0" * 16),
    frame(listed("a", "<i8", [-1, -1]), b"\0" * 8),
    frame(listed("a", "<i8", [2**39, 2**39]), b"\0" * 8),
    frame(listed("a", "<i8", [True]), b"\0" * 8),
    frame(listed("a", "<i8", [1.0]), b"\0" * 8),
    frame(listed("a", "<i8", "1"), b"\0" * 8),
    frame(listed("a", "<i8", [1] * 9), b"\0" * 8),
    frame(listed(3, "<i8", [1]), b"\0" * 8),
    frame(listed("a", 3, [1]), b"\0" * 8),
    wire._FRAME.pack(b"mmw1", 2**21, 0, 0),
    wire._FRAME.pack(b"mmw1", 2, 2**40, 0),
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_no_message(data: bytes) -> None:
    line, _, theirs = lines()
    with theirs:
        theirs.sendall(data)
        with pytest.raises(wire.Garbage):
            line.receive(time.monotonic() + 5)
    line.close()


def test_waiting_ends() -> None:
    line, _, theirs = lines()
    with theirs:
        theirs.sendall(b"mmw1")  # the beginning of a message, and no more
        with pytest.raises(wire.Late):
            line.receive(time.monotonic() + 0.05)
        with pytest.raises(wire.Late):
            line.send([b"x" * 10**7], time.monotonic() + 0.05)  # nobody reads
    line.close()


@pytest.mark.parametrize(
    ("told", "fault"),
    [
        ({"label": 1}, "label must be a text, got 1"),
        ({"label": ""}, "1 to 100 printable"),
        ({"label": "a\x1b[31m"}, "printable"),
        ({"kind": None}, "kind must be a text"),
        ({"kind": "official"}, "kind must be one of rule, "),
        ({"access": "root"}, "access must be one of"),
        ({"config": [1]}, "config must be a dict"),
        ({"config": {"a": 1e999}}, "config must be a dict of JSON values"),
        ({"config": {"a": "x" * 70_000}}, "at most 65536 characters"),
        ({"carries": 1}, "carries must be True or False"),
    ],
)
def test_facts_are_checked(told: dict[str, Any], fault: str) -> None:
    with pytest.raises(AgentError, match=fault):
        checked(told)


def test_a_file_that_grows_and_grows_is_the_agents_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        Supervised("hostile_agents:Writer", limits=Limits(file_gib=2.0**-10)) as agent,
        pytest.raises(AgentError, match="File too large"),
    ):
        agent.predict(np.zeros((2, 3), np.float32))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2**20


def test_only_known_facts_are_taken_over() -> None:
    """A forged description cannot replace methods of the proxy."""
    assert checked({"label": "x", "predict": 1, "_process": 2, "config": {"a": [1]}}) == {
        "label": "x",
        "config": {"a": [1]},
    }
    with pytest.raises(AgentError, match="described by names and values"):
        checked([1])  # type: ignore[arg-type]


def test_reasons_have_no_control_characters() -> None:
    assert wire.printable("a\x1b[31m\nb") == "a [31m b"
    assert children.End(None).why == ""
