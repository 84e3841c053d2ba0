"""What a process of its own costs an agent: `python -m bench.supervised`. See `docs/foreign_agents.md`."""

from __future__ import annotations

import statistics
import time

import numpy as np

from mmwave_gym.agents.supervised import Supervised

ROWS, FEATURES, STEPS = 64, 15, 3000


class Idle:
    """Decides at once: what is left is the way there and back."""

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        """The first action in every row; observation: (rows, features)."""
        return np.zeros(len(observation), np.int64), state


def main() -> None:
    """Print the times of a start and of a step."""
    begun = time.perf_counter()
    with Supervised("bench.supervised:Idle") as agent:
        print(f"first agent: {time.perf_counter() - begun:.2f} s, with the keeper's start")
        begun = time.perf_counter()
        Supervised("bench.supervised:Idle").close()
        print(f"next agent: {1e3 * (time.perf_counter() - begun):.0f} ms, with its end")
        observation, started = np.random.default_rng(0).random((ROWS, FEATURES), np.float32), np.zeros(ROWS, bool)
        state, times = None, []
        pid, before = agent._process._child.pid, time.process_time()
        there = _processor_s(pid)
        for _ in range(STEPS):
            begun = time.perf_counter()
            _, state = agent.predict(observation, state, started)
            times.append(time.perf_counter() - begun)
        here, there = time.process_time() - before, _processor_s(pid) - there
    print(f"a step of {ROWS} rows: {1e6 * statistics.median(times):.0f} us (median)")
    print(f"processor time of a step: {1e6 * here / STEPS:.0f} us here, {1e6 * there / STEPS:.0f} us in the agent's")


def _processor_s(pid: int) -> float:
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


if __name__ == "__main__":
    main()
