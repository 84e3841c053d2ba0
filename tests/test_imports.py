"""Who may import whom (DESIGN section 2), and what `import mmwave_gym` costs."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"mmwave_gym": ROOT, "mmwave_baselines": ROOT / "baselines", "train": ROOT}
PURE = (
    "mmwave_gym.radio.units",
    "mmwave_gym.scenarios.handover.mobility",
    "mmwave_gym.radio.fields",
    "mmwave_gym.scenarios.power_allocation.clustering",
)
CORE = (*PURE, "mmwave_gym.core.checks", "mmwave_gym.core.scenario")
ABOVE = tuple(
    f"mmwave_gym.{name}"
    for name in (
        *("registration", "envs", "multiagent", "sb3", "agent", "policy", "suite", "evaluation", "benchmark", "cli"),
        *("leaderboard", "render", "rendering"),
    )
)
"""What stands on scenarios, so no scenario may know it."""


@lru_cache
def modules() -> dict[str, Path]:
    """Every module of the project, by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, *, lazy: bool = True) -> Iterator[str]:
    """Names of the modules that a module imports; without `lazy` only those it imports when it is imported."""
    tree = ast.parse(path.read_text())
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree) if lazy else _at_import(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (above, node.module) if part)
            yield from (f"{source}.{a.name}" if f"{source}.{a.name}" in modules() else source for a in node.names)


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _at_import(node)


def ours(name: str, path: Path) -> list[str]:
    return [m for m in imported(name, path) if m.partition(".")[0] in FOLDERS]


def under(module: str, *places: str) -> bool:
    return any(module == place or module.startswith(f"{place}.") for place in places)


def offenders(inside: tuple[str, ...], allowed: tuple[str, ...]) -> list[str]:
    """Imports of the project's own modules by those `inside` that are not `allowed`."""
    looked = {name: path for name, path in modules().items() if under(name, *inside)}
    return [f"{name} imports {m}" for name, path in looked.items() for m in ours(name, path) if not under(m, *allowed)]


def test_the_walk_sees_imports() -> None:
    assert "mmwave_gym.core.scenario" in ours("mmwave_gym.api.gymnasium", modules()["mmwave_gym.api.gymnasium"])
    assert "mmwave_gym.radio.units" in ours(
        "mmwave_gym.scenarios.handover.game", modules()["mmwave_gym.scenarios.handover.game"]
    )
    assert "mmwave_gym.agents.registry" in ours("mmwave_gym.api.gymnasium", modules()["mmwave_gym.api.gymnasium"]), (
        "lazy ones too"
    )
    assert {"mmwave_gym", "mmwave_gym.core.registration"} <= modules().keys()
    assert offenders(("mmwave_gym.api.gymnasium",), ("mmwave_gym.core.registration",)), "a broken rule is found"


def test_packages_depend_one_way() -> None:
    """train -> mmwave_baselines -> mmwave_gym, never back."""
    assert offenders(("mmwave_gym",), ("mmwave_gym",)) == []
    assert offenders(("mmwave_baselines",), ("mmwave_baselines", "mmwave_gym")) == []


def test_mmwave_gym_names_no_baseline() -> None:
    naming = [n for n, p in modules().items() if under(n, "mmwave_gym") and "import mmwave_baselines" in p.read_text()]
    assert naming == []


def test_functions_of_the_field_know_nothing_of_the_project() -> None:
    assert offenders(PURE, PURE) == []


def test_scenarios_know_nothing_that_stands_on_them() -> None:
    """Nor does anything that they use, however far down."""
    reached, new = set(), {name for name in modules() if under(name, "mmwave_gym.scenarios")}
    while new:
        reached |= new
        used = {m for name in new if name in modules() for m in ours(name, modules()[name])}
        assert not [m for m in used if under(m, *ABOVE)], used
        new = used - reached
    assert {"mmwave_gym.scenarios.handover.game", "mmwave_gym.core.scenario", "mmwave_gym.radio.units"} <= reached


def test_the_contract_knows_no_scenario() -> None:
    contract = {n: p for n, p in modules().items() if n in ("mmwave_gym.core.scenario", "mmwave_gym.core.checks")}
    assert len(contract) == 2
    assert [m for name, path in contract.items() for m in ours(name, path) if m not in CORE] == []


def test_environments_name_no_scenario() -> None:
    for name in (
        "mmwave_gym.api.gymnasium",
        "mmwave_gym.api.pettingzoo",
        "mmwave_gym.core.registration",
        "mmwave_gym.benchmark.evaluation",
    ):
        assert not [m for m in ours(name, modules()[name]) if under(m, "mmwave_gym.scenarios")]


def test_the_leaderboard_knows_rows_only() -> None:
    allowed = ("mmwave_gym.benchmark.leaderboard", "mmwave_gym.version", "mmwave_gym.core.checks")
    assert offenders(("mmwave_gym.benchmark.leaderboard",), allowed) == []


@pytest.mark.parametrize("name", ["utils", "common", "helpers", "base", "manager"])
def test_no_module_has_a_name_that_says_nothing(name: str) -> None:
    assert [m for m in modules() if name in m.rpartition(".")[2].split("_")] == []


def test_importing_mmwave_gym_is_light() -> None:
    """No learning, drawing or page library, and no scenario; its own share of the time is far below a second."""
    code = """
import json, sys, time
import gymnasium
before = time.perf_counter()
import mmwave_gym
print(json.dumps({"seconds": time.perf_counter() - before, "modules": sorted(sys.modules)}))
"""
    heavy = (
        "torch",
        "matplotlib",
        "pygame",
        "jinja2",
        "sklearn",
        "typer",
        "numba",
        "pandas",
        "plotly",
        "shapely",
        "rich",
    )
    told = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    ]
    loaded = [m for m in told[0]["modules"] if under(m.partition(".")[0], *heavy)]
    scenarios = [m for m in told[0]["modules"] if under(m, "mmwave_gym.scenarios", "mmwave_baselines")]
    seconds = min(t["seconds"] for t in told)
    print(f"import mmwave_gym takes {seconds:.3f} s beyond gymnasium's own")
    assert loaded == []
    assert scenarios == []
    assert "mmwave_gym.api.gymnasium" not in told[0]["modules"], "environments load when one is made"
    assert seconds < 1.0
