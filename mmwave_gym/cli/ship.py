"""`mmwave-gym ship`: finished training runs become the weights of an agent, one pair of files a training seed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions, entry_points
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.formats import format_of
from mmwave_gym.agents.formats.described import description_of
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.policy import Policy
from mmwave_gym.agents.registry import GROUP as AGENTS
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.task import Task
from mmwave_gym.cli.output import err, out, progress, say_what_is_trusted
from mmwave_gym.core.batch import View
from mmwave_gym.core.files import write
from mmwave_gym.core.registration import room_of

FOLDER = "weights"
EPISODES = 2
OF_A_RUN = (
    "seed",
    "results",
    "sha256",
    "command",
    "arguments",
    "package_version",
    "kept_at_step",
    "cluster",
    "online",
    "training",
    "curve",
)
"""Metadata that may differ between runs of one algorithm and settings; commands are compared option by option."""
HARMLESS = ("--seed", "--together", "--eval-episodes", "--checkpoint-every", "--save", "--out")
"""Options that may differ."""
OF_A_FILE = ("activation", "layers", "policy", "fields", "action")
"""What describes another library's file, and not the policy."""


class Finished(NamedTuple):
    """A policy that a run has saved."""

    path: Path
    policy: Policy


def ship(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="directories of finished runs, or files of other libraries, one a seed"),
    ],
    package: Annotated[
        str | None,
        typer.Option(help="the Python package that gets the weights; default: that of the scenario's agents"),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="a folder for the weights instead of a package's")
    ] = None,
    name: Annotated[str | None, typer.Option(help="how the files begin; default: the name of the algorithm")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="the task that they are for; default: the one they were trained for")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="write over weights of the same name")] = False,
    installed: Annotated[
        bool, typer.Option("--installed", help="write into the package even if it is installed, not a source checkout")
    ] = False,
) -> None:
    """Turn finished training runs into an agent: copy weights and metadata into a package, and say how to enter it."""
    with tempfile.TemporaryDirectory() as place:
        found = [policy for run in runs for policy in _finished(run, Path(place))]
        _ship(found, package, out_dir, name, task, replace, installed)


def _ship(
    found: list[Finished],
    package: str | None,
    out_dir: Path | None,
    name: str | None,
    task: str | None,
    replace: bool,
    installed: bool,
) -> None:
    _check_alike(found)
    metadata = found[0].policy.metadata
    of = suite.task(task) if task else _task_of(metadata)
    algorithm = _algorithm(metadata) if name is None else name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", algorithm):
        raise ValueError(f"--name takes lower-case letters, digits and underscores after a letter, got {algorithm!r}.")
    target = package or _package(of.scenario_name)
    folder = out_dir or _folder(target, installed)
    named = {f"{algorithm}-{of.name.split('/', 1)[1]}-s{f.policy.metadata['seed']}": f for f in found}
    if taken := [stem for stem in named if (folder / f"{stem}.npz").exists() and not replace]:
        raise ValueError(f"{folder} holds {', '.join(taken)} already: --replace writes over them.")
    _play(found, of)
    if of.env_id != metadata["env_id"]:
        raise ValueError(f"{found[0].path} was trained on {metadata['env_id']}, and {of.name} is of {of.env_id}.")
    folder.mkdir(parents=True, exist_ok=True)
    for stem, one in named.items():
        for suffix in (".npz", ".json"):
            write(folder / f"{stem}{suffix}", one.path.with_suffix(suffix).read_bytes())
        out.print(str(folder / f"{stem}.npz"), markup=False, highlight=False, soft_wrap=True)
    _tell(algorithm, str(metadata.get("label") or metadata["algorithm"]), of.scenario_name, target)
    if not _is_world_of(metadata, of):
        out.print(
            f"They were trained with {_short(metadata['kwargs'])}, which is not {of.name}: Shipped(…) plays them only "
            "with trained_for=, a function that says for which tasks they are.",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _finished(run: Path, place: Path) -> list[Finished]:
    """The policies of a run; ValueError where it has none. What another library saved is written into `place`."""
    known = format_of(str(run))
    if known is not None and known.module:
        run = _converted(run, place)
    paths = [run] if run.suffix == ".npz" else sorted(run.glob("policy*.npz"))
    if run.is_file() and not paths:
        raise ValueError(f"{run} holds no weights: name the file of the weights, or the folder of a run.")
    if not paths:
        reason = f"{run} is not finished: there is no policy.npz" if run.is_dir() else f"there is no run {run}"
        raise ValueError(f"{reason}; the training command with --resume goes on from its checkpoint.")
    loaded = [(path, load_policy(path)) for path in paths]
    found = [Finished(path, policy) for path, policy in loaded if isinstance(policy, Policy)]
    if lacking := [str(f.path) for f in found if not re.fullmatch(r"\d+", repr(f.policy.metadata.get("seed")))]:
        raise ValueError(f"the .json of {', '.join(lacking)} does not say which training seed it is of.")
    return found


def _converted(run: Path, place: Path) -> Path:
    """Another library's perceptron as a policy of this package, which needs that library no longer."""
    say_what_is_trusted(str(run))
    agent, described = load_policy(run), description_of(run)
    if lacking := [key for key in ("env_id", "kwargs", "seed", "algorithm") if key not in described]:
        raise ValueError(f"{run}: the .json beside it lacks {', '.join(lacking)}: `describe` writes them.")
    scenario = Task(env_id=described["env_id"], kwargs=described["kwargs"]).scenario()
    policy = agent.policy_in(View(batch_of(scenario, 1), "local"))
    if not isinstance(policy.network, Network):
        raise ValueError(
            f"{run} is no perceptron: it is played as it is, and shipped by a class of yours that loads it."
        )
    metadata = {key: value for key, value in policy.metadata.items() if key not in OF_A_FILE}
    about = {**metadata, "label": agent.label, "action": policy.metadata["action"]}
    return save_policy(place / run.with_suffix(".npz").name, policy.network, scenario.fields, about)


def _check_alike(found: Sequence[Finished]) -> None:
    """ValueError where runs are not of one algorithm and settings, or two of the same seed."""
    first = _settings(found[0].policy.metadata)
    for other in found[1:]:
        settings = _settings(other.policy.metadata)
        if differing := [k for k in sorted({*first, *settings}) if first.get(k) != settings.get(k)]:
            differing = ["algorithm"] if "algorithm" in differing else differing
            differences = "; ".join(f"{k} {_short(first.get(k))} and {_short(settings.get(k))}" for k in differing)
            raise ValueError(f"{found[0].path} and {other.path} were not trained alike: {differences}.")
    counts = Counter(f.policy.metadata["seed"] for f in found)
    if twice := [seed for seed, count in counts.items() if count > 1]:
        paths = ", ".join(str(f.path) for f in found if f.policy.metadata["seed"] in twice)
        raise ValueError(f"two runs have the training seed {twice[0]}: {paths}.")


def _settings(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What must be equal, "--option" -> value for those of the command."""
    words = _words(metadata)
    options: dict[str, Any] = {}
    at = 0
    while at < len(words):
        word, value = words[at], words[at + 1 : at + 2]
        takes = word.startswith("--") and bool(value) and not value[0].startswith("--")
        if word.startswith("--") and word not in HARMLESS:
            options.setdefault(word, []).append(value[0] if takes else True)
        at += 2 if takes else 1
    # The command says for how many steps; workers without locks end a few later.
    own = (*OF_A_RUN, "steps") if words else OF_A_RUN
    return {**{k: v for k, v in metadata.items() if k not in own}, **options}


def _words(metadata: Mapping[str, Any]) -> list[str]:
    """The words of the command that trained."""
    command = str(metadata.get("command", ""))
    try:
        return shlex.split(command)
    except ValueError:  # a quotation mark too many
        return command.split()


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _task_of(metadata: Mapping[str, Any]) -> Task:
    """The suite's task that a policy was trained for."""
    words = _words(metadata)
    alike = [t for t in suite.all_tasks() if _is_world_of(metadata, t)]
    if not alike:
        raise ValueError(
            f"no task of the suite is {metadata['env_id']} with {_short(metadata['kwargs'])}: train for one of "
            "`mmwave-gym list tasks`, or name with --task the one that these weights are for."
        )
    return next((t for t in alike if t.name in words), alike[0])


def _is_world_of(metadata: Mapping[str, Any], task: Task) -> bool:
    """Was a policy trained in the world of a task?"""
    return task.env_id == metadata["env_id"] and json.loads(json.dumps(dict(task.kwargs))) == metadata["kwargs"]


def _algorithm(metadata: Mapping[str, Any]) -> str:
    """The name of the algorithm, without a hyphen: that of its command where the metadata call it alike."""
    called = str(metadata["algorithm"]).lower()
    if library := metadata.get("library"):
        called = f"{library}_{called}".lower()
    words = _words(metadata)
    script = next((w.removeprefix("train.").replace("-", "_") for w in words[2:3]), "")
    return script if script.replace("_", "") == called else re.sub(r"[^a-z0-9]+", "_", called).strip("_")


def _package(scenario: str) -> str:
    """The package in which the scenario's installed agents are, else its room's."""
    modules = [e.value.partition(":")[0] for e in entry_points(group=AGENTS) if e.name.startswith(f"{scenario}/")]
    packages = Counter(module.rpartition(".")[0] or module for module in modules)
    if packages:
        return packages.most_common(1)[0][0]
    return next(r.package for r in (room_of(t.env_id) for t in suite.all_tasks(scenario)))


def _folder(package: str, installed: bool) -> Path:
    """The folder of a package's weights; ValueError where it cannot be written to, or should not be."""
    try:
        found = importlib.util.find_spec(package)
    except ImportError:
        found = None
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"there is no package {package!r} with a folder: --out DIR writes into any folder.")
    home = Path(next(iter(found.submodule_search_locations)))
    if not os.access(home, os.W_OK):
        raise ValueError(f"cannot write into {home}, the package {package}: --out DIR writes into another folder.")
    if not installed and (owner := _installed_by(home)):
        raise ValueError(
            f"{package} in {home} was installed by pip as part of {owner}, and the next installation drops what is "
            "added: install its source by `pip install -e`, or --out DIR writes into another folder; --installed "
            "writes there all the same."
        )
    return home / FOLDER


def _installed_by(home: Path) -> str:
    """The distribution that copied a package's files to where they are, "" where they lie in a source checkout."""
    for found in distributions():
        files = found.files if found.read_text("RECORD") else None
        if any(Path(str(found.locate_file(f))).parent == home for f in files or () if f.suffix == ".py"):
            return str(found.name)
    return ""


def _play(found: Sequence[Finished], task: Task) -> None:
    """A few training episodes each, to see that they load and play; AgentError or ValueError where they do not."""
    if reason := task.missing_data:
        err.print(f"not played: {reason}.", markup=False, highlight=False, soft_wrap=True)
        return
    with progress() as shown:
        bar = shown.add_task(f"playing {task.name}", total=len(found))
        for one in found:
            evaluate(one.policy, task, episodes=EPISODES, split="train")
            shown.advance(bar)


def _tell(algorithm: str, label: str, scenario: str, package: str) -> None:
    """How the weights become an agent that every command finds by its name."""
    attribute = "".join(word.capitalize() for word in algorithm.split("_"))
    other = "" if package.rpartition(".")[2] == scenario else f', scenario="{scenario}"'
    name = f"{scenario}/{algorithm.replace('_', '-')}"
    if any(e.name == name and e.value == f"{package}.learned:{attribute}" for e in entry_points(group=AGENTS)):
        out.print(f"\nThe agent {name} is installed already. It is entered so:", markup=False, highlight=False)
    for line in (
        f"\nin {package}.learned, below `from mmwave_baselines.shipped import Shipped`:",
        f'{attribute} = Shipped(__package__, "{algorithm}", "{label}", "Trained with {label}."{other})',
        f'in pyproject.toml, below [project.entry-points."{AGENTS}"]:',
        f'"{name}" = "{package}.learned:{attribute}"',
    ):
        out.print(line, markup=False, highlight=False, soft_wrap=True)
