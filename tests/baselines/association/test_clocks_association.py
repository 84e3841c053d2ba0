"""What SQA's planning costs is judged from counted steps; what a clock said is told beside it."""

from typing import Any

from mmwave_baselines.association.reproduction.claims import JUDGES
from mmwave_baselines.association.reproduction.measures import Measured
from mmwave_gym.benchmark.reproduction import Results

CASES: list[dict[str, Any]] = [
    *({"num_ues": n} for n in (512, 1024)),
    *({"num_ues": 512, "iterations": i} for i in (10, 1000)),
    *({"num_ues": 512, "depth_epochs": d} for d in (64, 1024)),
]


def row(case: dict[str, Any], slow: float) -> dict[str, Any]:
    """A row of the table of costs on a machine that is `slow` times as slow as one with 40 ns a step."""
    iterations, depth = case.get("iterations", 100), case.get("depth_epochs", case["num_ues"] // 2)
    steps = iterations * depth
    timed = {"step_ns": 40.0 * slow, "epoch_ms": 40e-6 * slow * steps, "busy": 1e-7 * slow * steps, "late": 0.01 * slow}
    counted = {"num_ues": case["num_ues"], "iterations": iterations, "depth_epochs": depth, "steps": steps}
    return {"geometry": "paper", "case": case, "gap_ms": 20.0, **counted, **timed}


def test_a_slower_machine_changes_no_verdict():
    found = []
    for slow in (1.0, 9.0):
        m = Measured(Results([], {"cost": [row(case, slow) for case in CASES]}, False))
        found.append([JUDGES[id_](m) for id_ in ("polynomial", "real-time")])
    for once, slower in zip(*found, strict=True):
        assert once._replace(times="") == slower._replace(times="")
        assert once.times != slower.times
    polynomial, real_time = found[0]
    assert (polynomial.ours, polynomial.verdict) == ("iterations^1.00, depth^1.00", "reproduced")
    assert real_time.verdict == "partly"
    assert "less than a tenth of the time at 1" in str(real_time.ours)
