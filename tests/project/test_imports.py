"""Who may import whom, and what `import mmwave_gym` costs."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"mmwave_gym": ROOT, "mmwave_baselines": ROOT / "baselines", "train": ROOT}

FLOORS = (
    ("mmwave_gym.core", "mmwave_gym.version"),
    ("mmwave_gym.radio", "mmwave_gym.agents.protocol"),
    ("mmwave_gym.links", "mmwave_gym.agents", "mmwave_gym.rendering"),
    ("mmwave_gym.sources", "mmwave_gym.api"),
    ("mmwave_gym.benchmark",),
    ("mmwave_gym.scenarios",),
    ("mmwave_gym.cli",),
)
"""Generic code, lowest floor first: a module may use what is on its own floor within its own package, and below."""

WORLD = ("core", "radio", "links", "sources")
ALSO = {
    "table": ("agents.rollout",),
    "policy": ("agents",),
    "tasks": ("benchmark.task",),
    "scene": ("rendering",),
    "picture": ("rendering",),
    "signal_plot": ("rendering",),
    "track": ("rendering",),
    "map_picture": ("rendering",),
    "city_picture": ("rendering",),
    "commands": ("agents", "benchmark", "rendering"),
    "site_report": ("agents", "benchmark", "rendering"),
}
"""What a room's modules know beside `WORLD` and their own room."""

MOST_LAZY = 40
NAMES = ("handover", "cell_selection", "association", "power_allocation", "shared_street", "street")


@lru_cache
def modules() -> dict[str, Path]:
    """Every module of the project, by its dotted name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted((folder / package).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@lru_cache
def imported(name: str, path: Path, *, lazy: bool = True) -> tuple[str, ...]:
    """Names of the modules that a module imports; without `lazy` only those it imports when it is imported."""
    return tuple(_imported(name, path, ast.parse(path.read_text()), lazy))


def _imported(name: str, path: Path, tree: ast.AST, lazy: bool) -> Iterator[str]:
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


def floor_of(module: str) -> int:
    """The floor of a module of `mmwave_gym`, the longest prefix counts."""
    found = [(len(place), number) for number, places in enumerate(FLOORS) for place in places if under(module, place)]
    return max(found)[1]


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_the_walk_sees_imports() -> None:
    gymnasium_api = ours("mmwave_gym.api.gymnasium", modules()["mmwave_gym.api.gymnasium"])
    assert "mmwave_gym.core.scenario" in gymnasium_api
    assert "mmwave_gym.rendering.renderer" in gymnasium_api, "lazy ones too"
    assert {"mmwave_gym", "mmwave_gym.core.registration"} <= modules().keys()
    assert offenders(("mmwave_gym.api.gymnasium",), ("mmwave_gym.core.registration",)), "a broken rule is found"


def test_packages_depend_one_way() -> None:
    """train -> mmwave_baselines -> mmwave_gym, never back."""
    assert offenders(("mmwave_gym",), ("mmwave_gym",)) == []
    assert offenders(("mmwave_baselines",), ("mmwave_baselines", "mmwave_gym")) == []


def test_mmwave_gym_names_no_baseline() -> None:
    naming = [n for n, p in modules().items() if under(n, "mmwave_gym") and "import mmwave_baselines" in p.read_text()]
    assert naming == []


def test_generic_code_imports_downwards() -> None:
    """cli -> benchmark -> api -> agents -> core, lazy imports too; no generic module imports a room."""
    wrong = [
        f"{name} imports {m}"
        for name, path in modules().items()
        if under(name, *(place for places in FLOORS for place in places)) and not under(name, "mmwave_gym.scenarios")
        for m in ours(name, path)
        if package_of(m) != package_of(name) and (m == "mmwave_gym" or floor_of(m) >= floor_of(name))
    ]
    assert wrong == []


def test_rooms_know_the_world_and_nothing_else() -> None:
    wrong = []
    for name, path in modules().items():
        if not under(name, "mmwave_gym.scenarios") or name.count(".") < 3:
            continue
        room = ".".join(name.split(".")[:3])
        also = ALSO.get(name.split(".")[3], ())
        allowed = (room, *(f"mmwave_gym.{place}" for place in (*WORLD, *also)))
        wrong += [f"{name} imports {m}" for m in ours(name, path) if not under(m, *allowed)]
    assert wrong == []


def test_no_circle_of_imports() -> None:
    """Lazy imports and those for type checkers count."""
    graph = {name: set(ours(name, path)) & modules().keys() - {name} for name, path in modules().items()}
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]], "a circle is found"
    assert circles(graph) == []


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach each other (strongly connected components of more than one)."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen, new = set(), set(graph[start])
        while new:
            seen |= new
            new = {m for name in new for m in graph.get(name, ())} - seen
        reached[start] = seen
    groups = {tuple(sorted(b for b in reached[a] if a in reached.get(b, ()))) for a in graph if a in reached[a]}
    return sorted(list(group) for group in groups)


def test_lazy_imports_are_few() -> None:
    lazy = []
    for name, path in modules().items():
        at_import = set(imported(name, path, lazy=False))
        lazy += [f"{name} -> {m}" for m in set(ours(name, path)) - at_import if m in modules()]
    assert len(lazy) < MOST_LAZY, sorted(lazy)


def test_generic_code_names_no_scenario() -> None:
    """Not in code, not in comments: what is generic holds for a stranger's scenario too."""
    generic = ("mmwave_gym.core", "mmwave_gym.api", "mmwave_gym.agents", "mmwave_gym.benchmark", "mmwave_gym.rendering")
    generic += (
        "mmwave_gym.cli",
        "mmwave_baselines.training",
        "mmwave_baselines.pictures",
        "mmwave_baselines.reproduction",
        "mmwave_baselines.shipped",
    )
    naming = {n: scenarios_named(p.read_text()) for n, p in modules().items() if under(n, *generic)}
    assert {n: found for n, found in naming.items() if found} == {}


# "handover" is the field's word as well. It names the scenario where it stands alone in quotes, before a slash (a task
# or an agent), in a module's path, or before a word that says so. In prose, in longer names and in the plural, as in
# the metric "handovers", it is the field's.
SCENARIOS = re.compile(
    r"\b(?:street|cell.selection|association|power.allocation|Mmwave\w+-v\d+)\b"
    r"""|(["'`])handover\1|\bhandover/[\w{<*]|\bhandover\.[a-z]|\.handover\b|\bhandover_v\d|\bimport handover\b"""
    r"|\bhandover (?:scenario|environment|room|task|paper)s?\b",
    re.IGNORECASE,
)


def scenarios_named(text: str) -> list[str]:
    return [found.group() for found in SCENARIOS.finditer(text)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('room == "handover"', ['"handover"']),
        ("{'Handover': 3}", ["'Handover'"]),
        ("--task handover/a1-beta25", ["handover/a"]),
        ("from mmwave_gym.scenarios.handover.game import Handover", [".handover", "import Handover"]),
        ("from mmwave_gym.scenarios import handover", ["import handover"]),
        ("handover.config", ["handover.c"]),
        ("handover_v0.parallel_env()", ["handover_v0"]),
        ("MmwaveHandover-v0", ["MmwaveHandover-v0"]),
        ("as in the handover scenario", ["handover scenario"]),
        ("a Street's name", ["Street"]),
        ("the cost of a handover. After it", []),
        ('Metric("handovers", "1/s")', []),
        ("state.handover_cost", []),
        ("mark_handover(layer)", []),
    ],
)
def test_a_scenario_that_is_named_is_found(text: str, named: list[str]) -> None:
    assert scenarios_named(text) == named


def test_the_leaderboard_knows_rows_only() -> None:
    allowed = (
        "mmwave_gym.benchmark.leaderboard",
        "mmwave_gym.benchmark.statistics",
        "mmwave_gym.core.access",
        "mmwave_gym.core.checks",
        "mmwave_gym.core.errors",
        "mmwave_gym.core.files",
        "mmwave_gym.core.shown",
        "mmwave_gym.core.suites",
        "mmwave_gym.core.types",
        "mmwave_gym.core.untrusted",
        "mmwave_gym.version",
    )
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
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    ]
    loaded = [m for m in runs[0]["modules"] if under(m.partition(".")[0], *heavy)]
    # The room itself is loaded, for its ids; nothing in it.
    scenarios = [
        m for m in runs[0]["modules"] if under(m, "mmwave_baselines") or re.match(r"mmwave_gym\.scenarios\.\w+\.", m)
    ]
    seconds = min(t["seconds"] for t in runs)
    print(f"import mmwave_gym takes {seconds:.3f} s beyond gymnasium's own")
    assert loaded == []
    assert scenarios == []
    assert "mmwave_gym.api.gymnasium" not in runs[0]["modules"], "environments load when one is made"
    assert seconds < 1.0
