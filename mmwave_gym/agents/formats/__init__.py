"""Agents that other libraries saved, one module a format: what each reads, and what reading it trusts.

A module has `load(path, described) -> agent`: `described` is what the `.json` beside the file says, see `described`.
It is imported when a path names its format, so no library is needed for another format. `mmwave_gym.agents.files` reads
the package's own `.npz` and the archives of Stable-Baselines3.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmwave_gym.agents.protocol import AgentError, NotInstalled, UnknownAgent


@dataclass(frozen=True)
class Format:
    """How a file is recognised and read."""

    name: str
    suffixes: tuple[str, ...]
    """Of the file's name; empty for a folder, which `marker` makes one of this format."""
    module: str
    """Below `mmwave_gym.agents`; empty where `files` reads it itself."""
    trusts: str
    """What reading such a file trusts, a sentence."""
    needs: str = ""
    """The library that reading needs."""
    marker: str = ""
    """A file in a folder of this format."""


NOTHING = "nothing in it is run as Python"
FORMATS = (
    Format("policy of mmwave-gym", (".npz", ".json"), "", f"arrays without pickles: {NOTHING}."),
    Format(
        "archive of Stable-Baselines3",
        (".zip",),
        "",
        "IT HOLDS PICKLES, AND READING IT RUNS WHATEVER CODE ITS AUTHOR PUT IN. "
        "A vecnormalize.pkl beside it is read as data only.",
        "stable_baselines3",
    ),
    Format("ONNX graph", (".onnx",), "formats.onnx", f"onnxruntime computes its graph: {NOTHING}.", "onnxruntime"),
    Format(
        "file of torch weights",
        (".pt", ".pth", ".cleanrl_model"),
        "formats.torch_files",
        f"torch.load(weights_only=True) reads tensors and refuses all other classes: {NOTHING}.",
        "torch",
    ),
    Format(
        "checkpoint of RLlib",
        (),
        "formats.rllib",
        f"an unpickler that makes arrays and plain values and calls nothing else: {NOTHING}.",
        marker="rllib_checkpoint.json",
    ),
)
SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)


def format_of(agent: str) -> Format | None:
    """The format of the file or folder that a text names; None where it names something else, such as an agent."""
    for known in FORMATS:
        if known.suffixes and agent.endswith(known.suffixes):
            return known
        if known.marker and os.path.isfile(os.path.join(agent, known.marker)):  # False for names that are too long
            return known
    return None


def trust(agent: str) -> str:
    """What reading the file of an agent trusts, for people; "" for an agent that is no file."""
    known = format_of(agent)
    return f"{agent} is a{'n' * (known.name[0] in 'aO')} {known.name}: {known.trusts}" if known else ""


def refuse_what_lacks(agent: str) -> None:
    """NotInstalled where the library is missing that reads the file of an agent; nothing for what is no file."""
    known = format_of(agent)
    if known and known.needs and find_spec(known.needs) is None:
        raise NotInstalled(agent, known.needs)


def load(path: Path, described: dict[str, Any]) -> Any:
    """The agent in a file or a folder of another library.

    described: what the `.json` beside it says, checked; may be empty. Raises AgentError.
    """
    known = format_of(str(path))
    if known is None or not known.module:
        raise AgentError(f"a policy is a file ({', '.join(SUFFIXES)}) or a folder that RLlib saved, got {path}.")
    if not path.exists():
        raise UnknownAgent(f"there is no file {path}.")
    refuse_what_lacks(str(path))
    return importlib.import_module(f"mmwave_gym.agents.{known.module}").load(path, described)
