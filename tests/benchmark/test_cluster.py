"""A Ray cluster of two nodes on this machine: rows as ever, though a worker and then a node is lost."""

import os
import re
import shutil
import signal
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'mmwave-gym[ray]'")
from ray.cluster_utils import Cluster  # noqa: E402

from mmwave_gym.benchmark.jobs import run_all  # noqa: E402
from mmwave_gym.benchmark.leaderboard import read_rows  # noqa: E402
from mmwave_gym.benchmark.playing import play_all  # noqa: E402
from mmwave_gym.benchmark.runs import jobs_of  # noqa: E402
from mmwave_gym.benchmark.task import Task  # noqa: E402
from mmwave_gym.cli import main  # noqa: E402

AGENTS = ("random", "stay", "load", "rate", "channel", "rate-stay")
TASKS = [
    Task(env_id="MmwaveCellSelection-v0", name=f"cell_selection/h{h}", kwargs={"horizon": h}, episodes=64)
    for h in (5, 6, 7, 8)
]


@dataclass(frozen=True)
class Once:
    """Ends its process the first time."""

    label: str
    folder: Path

    def work(self, keep):
        try:
            (self.folder / self.label).touch(exist_ok=False)
        except FileExistsError:
            return b"done"
        os.kill(os.getpid(), signal.SIGKILL)
        return b"never"


@pytest.fixture(scope="module")
def cluster():
    node = {"num_cpus": 1, "object_store_memory": 80_000_000}
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}  # a lost node is noticed in seconds
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)  # nodes import `Once` from here
        made = Cluster(
            initialize_head=True, head_node_args={**node, "include_dashboard": False, "_system_config": quick}
        )
        made.add_node(**node)
        yield made
    ray.shutdown()
    made.shutdown()


def rows(folder):
    return {(r.task["name"], r.agent["name"]): (r.episodes, r.failed) for r in read_rows(folder)}


def ended(words):
    """A command ended well."""
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0


@pytest.mark.long
def test_rows_are_those_of_a_serial_run_though_a_worker_and_a_node_are_lost(cluster, tmp_path):
    where = partial(run_all, executor="ray", address=cluster.address, workers=0)
    ends = []
    once = [Once("once", tmp_path)]
    run_all(once, "ray", address=cluster.address, workers=0, on_done=lambda job, end: ends.append(end.result))
    assert ends == [b"done"]

    runs = [job for task in TASKS for agent in AGENTS for job in jobs_of(task, agent)]
    play_all(runs, tmp_path / "serial")
    nodes: set[str] = set()

    def done(job, end):
        nodes.add(end.where)
        if len(nodes) == 2 and len(cluster.worker_nodes) == 1:
            cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)

    play_all(runs, tmp_path / "ray", where, done)
    assert len(nodes) == 2, "both nodes played"
    assert not cluster.worker_nodes, "one was removed midway"
    assert rows(tmp_path / "ray") == rows(tmp_path / "serial")
    assert len(rows(tmp_path / "ray")) == len(runs)


@pytest.mark.long
def test_trainings_and_tunings_of_the_command_line_end_on_a_cluster(cluster, tmp_path, monkeypatch):
    """What comes home is what a process here makes."""
    monkeypatch.chdir(tmp_path)
    steps = "--steps 256 --n-envs 8 --n-steps 16 --batch-size 64 --eval-every 0 --eval-episodes 2"
    train = f"train ppo --task cell_selection/n3-cost10 {steps} --seeds 0-1 --out"
    tune = "tune a3 --task street/walk-sparse --budget 3 --episodes 1 --out"
    for words in (train, tune):
        ended([*words.split(), "away", "--ray", cluster.address])
        (tmp_path / "away").rename("away-train" if words is train else "away-tune")
    shutil.rmtree("runs")  # with the tuning's journal
    ended([*train.split(), "here", "--jobs", "1"])
    for seed in ("s0", "s1"):
        with np.load(f"here/{seed}/policy.npz") as here, np.load(f"away-train/{seed}/policy.npz") as away:
            assert {name: here[name].tobytes() for name in here} == {name: away[name].tobytes() for name in away}
    ended([*tune.split(), "here.json", "--jobs", "1"])
    untimed = [re.sub(r'"processor_s": [0-9.]+', "", Path(name).read_text()) for name in ("away-tune", "here.json")]
    assert untimed[0] == untimed[1]
