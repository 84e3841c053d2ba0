"""Other environments of the field, each in a process and a virtual environment of its own: their pins clash with ours.

A virtual environment holds the peer and what it must not share; all else it takes from this project's packages. It is
made at the first use in `.venv/peers`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".venv" / "peers"


@dataclass(frozen=True)
class Peer:
    """An environment of another package."""

    label: str
    env_id: str
    module: str
    """The import of it registers the environment."""
    packages: tuple[str, ...]
    """What is installed, without what it asks for."""


PEERS = (
    Peer(
        "mobile-env small", "mobile-small-central-v0", "mobile_env",
        ("mobile-env==2.1.0", "pygame", "svgpath2mpl", "shapely", "pandas"),
    ),
    Peer(
        "linkgym", "linkgym/LinkAdaptation-v0", "linkgym",
        ("linkgym==0.4.0", "sionna-no-rt==2.1.0", "h5py", "importlib_resources"),
    ),
    Peer("CartPole", "CartPole-v1", "gymnasium", ()),
)  # fmt: skip

_CHILD = """
import importlib, sys, time, warnings
warnings.simplefilter("ignore")
import gymnasium as gym
importlib.import_module(sys.argv[1])
env = gym.make(sys.argv[2], disable_env_checker=True)
env.action_space.seed(0)
env.reset(seed=0)
print("ready", flush=True)
for line in sys.stdin:
    actions = [env.action_space.sample() for _ in range(int(line))]
    began = time.process_time()
    env.reset()
    for action in actions:
        _, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            env.reset()
    print(time.process_time() - began, flush=True)
"""


@contextmanager
def running(peer: Peer) -> Iterator[Player]:
    """The peer's environment in a process of its own. Raises OSError or CalledProcessError where it does not run."""
    words = [str(installed(peer)), "-c", _CHILD, peer.module, peer.env_id]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        try:
            yield Player(process)
        finally:
            process.kill()


class Player:
    """A peer that plays when it is told."""

    def __init__(self, process: subprocess.Popen[str]):
        self._process = process
        if self._heard() != "ready":
            raise OSError(f"its process ended with {process.wait()}")

    def step_s(self, steps: int) -> float:
        """CPU seconds a step of random actions, sampled before the clock starts; resets count."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._heard()) / steps

    def _heard(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:  # packages greet
            if line.strip() == "ready" or line[0].isdigit():
                return line.strip()
        return ""


def installed(peer: Peer) -> Path:
    """The Python that can import the peer. Raises CalledProcessError where pip cannot install it."""
    if not peer.packages:
        return Path(sys.executable)
    folder = FOLDER / peer.module
    python, ready = folder / "bin" / "python", folder / " ".join(peer.packages).replace("==", "-")
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        ours, theirs = sysconfig.get_path("purelib"), sysconfig.get_path("purelib", vars={"base": str(folder)})
        (Path(theirs) / "zz_ours.pth").write_text(f"{ours}\n")  # behind their own
        pip = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", *peer.packages]
        subprocess.run(pip, check=True, capture_output=True)
        ready.touch()
    return python
