"""The wheel works outside the checkout: agents and weights included."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the freshly built wheel was unpacked, with its metadata."""
    pytest.importorskip("build")
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    site = tmp_path_factory.mktemp("site")
    (wheel,) = out.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(site)
    return site


def _run(code: str, site: Path, cwd: Path) -> str:
    # -S and an explicit path keep the checkout's editable install out of sight.
    libraries = [p for p in sys.path if p.endswith("site-packages")]
    prelude = f"import sys; sys.path[:0] = {[str(site)]!r}; sys.path += {libraries!r}\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", prelude + code], capture_output=True, text=True, cwd=cwd, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_plays_a_shipped_agent(installed: Path, tmp_path: Path) -> None:
    code = """
import mmwave_gym
assert mmwave_gym.__file__.startswith(sys.path[0]), mmwave_gym.__file__
for agent in ("a3", "ppo@0", "oracle"):
    rows = mmwave_gym.evaluate(agent, "handover/a3-beta25", episodes=4)
    print(agent, len(rows), sum(r["reward"] for r in rows) / 4)
assert "torch" not in sys.modules
"""
    lines = _run(code, installed, tmp_path).split("\n")
    values = {line.split()[0]: float(line.split()[2]) for line in lines if line}
    assert values["a3"] <= values["oracle"]
    assert values["ppo@0"] <= values["oracle"]


def test_wheel_holds_what_it_should(installed: Path) -> None:
    files = {str(p.relative_to(installed)) for p in installed.rglob("*") if p.is_file()}
    assert "mmwave_gym/py.typed" in files
    assert {f"mmwave_gym/benchmark/leaderboard/pages/{name}" for name in ("index.html.j2", "board.js")} <= files
    assert {f"mmwave_gym/benchmark/side_by_side/{name}" for name in ("replay.html.j2", "player.js")} <= files
    assert {"mmwave_gym/benchmark/words.txt", "mmwave_baselines/street/agents.toml"} <= files
    assert "mmwave_gym/cli/templates/scenario/pyproject.toml.in" in files
    assert "mmwave_baselines/rows/street/car-sparse.rows.xz" in files
    assert not any(f.startswith(("tests/", "train/", "docs/", "bench/")) for f in files)


def test_wheel_trains_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    """As `python -m train.ppo` does in a checkout; the command that it records works here too."""
    pytest.importorskip("stable_baselines3", reason="the extra mmwave-gym[train] is not installed")
    words = ["MmwaveHandover-v0", "--set", "horizon=40", "--n-envs", "8", "--n-steps", "8", "--batch-size", "64"]
    small = ["--steps", "64", "--frame-stack", "1", "--hidden", "8", "--eval-every", "0", "--eval-episodes", "2"]
    code = f"""
sys.argv = ["/somewhere/bin/mmwave-gym", "train", "ppo", *{[*words, *small]!r}]
import mmwave_gym.cli
assert mmwave_gym.cli.__file__.startswith(sys.path[0]), mmwave_gym.cli.__file__
try:
    mmwave_gym.cli.main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert _run(code, installed, tmp_path).startswith("mmwave-gym evaluate runs/ppo-handover-custom-s0/policy.npz")
    metadata = json.loads((tmp_path / "runs/ppo-handover-custom-s0/policy.json").read_text())
    assert metadata["command"].startswith("mmwave-gym train ppo MmwaveHandover-v0 --set horizon=40 --steps 64")
    assert metadata["steps"] == 64
