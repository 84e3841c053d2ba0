"""Weights in the layout of a model hub: a folder a task, in it a folder a training seed, and a model card.

    handover-a1-beta25/README.md          the card: task, score, curve, commands, processor time, seeds, licence
    handover-a1-beta25/card.json          the same as values
    handover-a1-beta25/curve.png          the learning curve, where the metadata hold one
    handover-a1-beta25/s0/policy.npz      weights, with policy.json beside them, as `load_policy` reads them

`publish` writes such folders; `fetch` takes policies from them, from a folder or a repository of huggingface.co.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.policy import Policy, fields_of
from mmwave_gym.agents.protocol import AgentError, UnknownAgent
from mmwave_gym.agents.registry import is_file, training_seeds
from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.leaderboard.curves import curves
from mmwave_gym.benchmark.runs import is_expensive
from mmwave_gym.benchmark.statistics import Interval, Sample, mean_interval, score_interval
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import require
from mmwave_gym.core.files import plain, replacing, write
from mmwave_gym.version import __version__

LICENCE = "mit"
FILES = ("*.npz", "*.json", "*.md", "*.png")
"""What a repository may hold for us; nothing else is fetched, nor written."""
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_SEED = re.compile(r"s(\d+)")


@dataclass(frozen=True)
class Trained:
    """A policy of one training seed."""

    seed: int
    policy: Policy


def folder_of(task: str) -> str:
    """The folder of a task, such as "relay-four" of "relay/four"."""
    return task.replace("/", "-")


def trained(agents: Sequence[str], task: Task) -> list[Trained]:
    """The policies of a shipped agent, all its training seeds, or of runs and files of policies.

    Raises AgentError where one is no network of this package: what can be published is `.npz`.
    """
    found: list[Trained] = []
    for agent in agents:
        path = Path(agent)
        if is_file(agent) or path.is_dir():
            files = [path] if is_file(agent) else sorted(path.glob("policy*.npz"))
            if not files:
                raise UnknownAgent(f"{agent} holds no policy.npz: it is no finished run.")
            for file in files:
                policy = _policy(load_policy(file), str(file))
                found.append(Trained(int(policy.metadata.get("seed", len(found))), policy))
            continue
        for seed in training_seeds(agent, task.scenario_name, task):
            name = agent if seed is None else f"{agent}@{seed}"
            found.append(Trained(seed or 0, _policy(load_agent(name, task.scenario_name, task), name)))
    seeds = [one.seed for one in found]
    if twice := next((seed for seed in seeds if seeds.count(seed) > 1), None):
        raise AgentError(f"two of the policies have the training seed {twice}: publish one of each.")
    return found


def _policy(found: Any, name: str) -> Policy:
    if not isinstance(found, Policy):
        raise AgentError(
            f"{name} is no policy of mmwave-gym: `mmwave-gym ship` makes one of another library's weights."
        )
    return found


def publish(policies: Sequence[Trained], task: Task, out: Path, episodes: int | None = None) -> Path:
    """Write a task's folder below `out`, and return it: every policy, and the card.

    The score is measured here, on the test split or its first `episodes`. Raises AgentError as `evaluate`.
    """
    folder = out / folder_of(task.name)
    for one in policies:
        one_folder = folder / f"s{one.seed}"
        one_folder.mkdir(parents=True, exist_ok=True)
        metadata = one.policy.metadata
        save_policy(one_folder / "policy.npz", one.policy.network, fields_of(metadata), metadata)
    about = card(policies, task, episodes)
    if curve := _curve(policies, folder / "curve.png"):
        about["curve"] = curve
    write(folder / "card.json", json.dumps(about, indent=1, default=plain) + "\n")
    write(folder / "README.md", text(about))
    return folder


def card(policies: Sequence[Trained], task: Task, episodes: int | None = None) -> dict[str, Any]:
    """What the card of a task's policies says, as values of JSON."""
    rows = [evaluate(one.policy, task, episodes=episodes) for one in policies]
    own = Sample.of([_column(run, task.primary) for run in rows])
    roles = {role: _known(task, getattr(task, role), episodes) for role in ("floor", "ceiling")}
    score = None
    if (floor := roles["floor"]) and (ceiling := roles["ceiling"]):
        shared = [e for e in own.episodes.tolist() if e in floor and e in ceiling]
        values, low, high = (
            Sample.of([{e: run[e] for e in shared} for run in runs]).values
            for runs in ([_column(run, task.primary) for run in rows], [floor], [ceiling])
        )
        score = score_interval(values, low, high) if shared else None
    trainings = [one.policy.training for one in policies]
    return {
        "label": policies[0].policy.label,
        "algorithm": policies[0].policy.metadata["algorithm"],
        "task": task.name,
        "env_id": task.env_id,
        "kwargs": dict(task.kwargs),
        "primary": task.primary,
        "episodes": len(own.episodes),
        "seeds": [one.seed for one in policies],
        "mean": _ends(mean_interval(own.values)),
        "score": _ends(score),
        "floor": task.floor,
        "ceiling": task.ceiling,
        "commands": [str(one.policy.metadata.get("command", "")) for one in policies],
        "decisions": [training.get("decisions") for training in trainings],
        "processor_s": [training.get("processor_s") for training in trainings],
        "teacher": trainings[0].get("teacher") or "",
        "oracle_regrets": bool(trainings[0].get("oracle_regrets")),
        "trained_on": trainings[0].get("trained_on") or "",
        "licence": LICENCE,
        "package_version": __version__,
    }


def _column(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[int, float]:
    return {row["episode"]: row[metric] for row in rows if row[metric] is not None}


def _known(task: Task, agent: str | None, episodes: int | None) -> dict[int, float]:
    """A floor's or a ceiling's values by episode: played here, or its committed rows where that takes long."""
    if agent is None:
        return {}
    if is_expensive(agent, task):
        runs = committed_runs([task.name])
        kept = next((run for run in runs if run.agent["name"] == agent and not run.failed), None)
        return _column(kept.episodes, task.primary) if kept else {}
    try:
        return _column(evaluate(agent, task, episodes=episodes), task.primary)
    except AgentError:
        return {}


def _ends(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [interval.mean, interval.low, interval.high]


def _curve(policies: Sequence[Trained], path: Path) -> str:
    """Draw the learning curves of the seeds; the picture's name, "" where the metadata hold none."""
    of = curves([one.policy.metadata for one in policies])
    if of is None or find_spec("matplotlib") is None:
        return ""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(of.decisions, *of.band, alpha=0.25, label="lowest to highest seed")
    axes.plot(of.decisions, of.mean, label=f"mean of {len(of.values)} training seeds")
    axes.set_xlabel("decisions")
    axes.set_ylabel(f"{of.metric} on the training split")
    axes.legend()
    with replacing(path, ".png") as draft:
        figure.savefig(draft, dpi=120)
    return path.name


def text(about: Mapping[str, Any]) -> str:
    """A card as Markdown, with the head that huggingface.co reads."""
    tags = ["reinforcement-learning", "mmwave-gym", about["env_id"]]
    lines = ["---", "library_name: mmwave-gym", f"license: {about['licence']}", "pipeline_tag: reinforcement-learning"]
    lines += ["tags:", *(f"- {tag}" for tag in tags), "---", "", f"# {about['label']} on {about['task']}", ""]
    lines += ["| what | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in _facts(about))]
    if about.get("curve"):
        lines += ["", f"![learning curve: mean and band of the training seeds]({about['curve']})"]
    play = f"mmwave-gym evaluate s{about['seeds'][0]}/policy.npz --task {about['task']}"
    lines += ["", "## Play it", "", "```sh", "pip install mmwave-gym", play, "```"]
    lines += ["", "## Train it again", "", "```sh", *dict.fromkeys(filter(None, about["commands"])), "```"]
    return "\n".join(lines) + "\n"


def _facts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    score = about["score"]
    no_score = "not known: the task has no floor and ceiling here"
    ceiling = f"0 is {about['floor']}, 1 is {about['ceiling']}"
    seconds, decisions = about["processor_s"], about["decisions"]
    how = "shaped by the optimum in hindsight" if about["oracle_regrets"] else "the environment's own"
    return [
        ("task", f"`{about['task']}`: `{about['env_id']}`, `{json.dumps(about['kwargs'], default=str)}`"),
        ("score", f"{_interval(score)}, {ceiling}" if score else no_score),
        (f"`{about['primary']}`", _interval(about["mean"])),
        ("measured on", f"{about['episodes']} test episodes, {len(about['seeds'])} training seeds; 95 % intervals"),
        ("training seeds", ", ".join(map(str, about["seeds"]))),
        ("decisions a seed", f"{decisions[0]:,}" if isinstance(decisions[0], int) else "not known"),
        ("processor time a seed, s", ", ".join("not known" if s is None else f"{s:g}" for s in seconds)),
        ("rewards", how),
        ("imitates first", about["teacher"] or "nobody"),
        ("trained on", f"`{about['trained_on']}`" if about["trained_on"] else "not known"),
        ("licence", about["licence"].upper()),
    ]


def _interval(values: Sequence[float | None]) -> str:
    mean, low, high = values
    return f"{mean:.4g}" if low is None or high is None else f"{mean:.4g} [{low:.4g}, {high:.4g}]"


def ready(repository: str) -> None:
    """ValueError for a name of a repository that is none, ImportError without huggingface_hub: before any work."""
    _check(repository)
    _library()


def push(folder: Path, repository: str) -> str:
    """Upload a folder to a repository of huggingface.co, which is made where there is none; its address.

    Raises as `ready`.
    """
    ready(repository)
    api = _library().HfApi()
    api.create_repo(repository, exist_ok=True)
    api.upload_folder(repo_id=repository, folder_path=str(folder), allow_patterns=[f"**/{name}" for name in FILES])
    return f"https://huggingface.co/{repository}"


def fetch(source: str, task: str, revision: str | None = None) -> list[Path]:
    """The policies of a task, one a training seed, in a folder or in a repository of huggingface.co.

    Each is loaded once, to see that it is sound. Raises AgentError where one is not, UnknownAgent where there is none.
    """
    place = Path(source)
    if not place.is_dir():
        _check(source)
        patterns = [f"{folder_of(task)}/{name}" for name in ("**.npz", "**.json", "README.md")]
        place = Path(_library().snapshot_download(source, revision=revision, allow_patterns=patterns))
    folder = place / folder_of(task)
    found = sorted(folder.glob("s*/policy.npz"), key=lambda path: _number(path.parent.name))
    found = [path for path in found if _SEED.fullmatch(path.parent.name)]
    if not found:
        known = sorted(path.parent.name for path in place.glob("*/card.json"))
        raise UnknownAgent(f"{source} has no policy for {task}; it has {', '.join(known) or 'none'}.")
    for path in found:
        load_policy(path)
    return found


def card_of(policy: Path) -> dict[str, Any]:
    """The card beside a policy that was fetched, {} where there is none."""
    path = policy.parents[1] / "card.json"
    if not path.exists():
        return {}
    with untrusted.blaming(path):
        found = untrusted.json_value(untrusted.read_bytes(path))
    return found if isinstance(found, dict) else {}


def _number(name: str) -> int:
    found = _SEED.fullmatch(name)
    return int(found[1]) if found else -1


def _check(repository: str) -> None:
    if not REPOSITORY.fullmatch(repository):
        raise ValueError(f"a repository is written as user/name, got {repository!r}; there is no such folder either.")


def _library() -> Any:
    require("huggingface.co", "huggingface_hub")
    import huggingface_hub

    return huggingface_hub
