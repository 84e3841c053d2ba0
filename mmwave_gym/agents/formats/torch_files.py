"""Weights that `torch.save` wrote: a `state_dict`, or a checkpoint with one somewhere inside.

`torch.load(weights_only=True)` reads tensors and plain values and refuses every other class, so nothing in a file is
run. A whole pickled module is refused for that reason: save its `state_dict()`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from mmwave_gym.agents.formats import state_dicts
from mmwave_gym.agents.formats.foreign import ForeignPolicy
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core import untrusted


def load(path: Path, described: dict[str, Any]) -> ForeignPolicy:
    """The agent whose weights are in a file of torch, described by the `.json` beside it. Raises AgentError."""
    with untrusted.blaming(path, AgentError):
        raw = untrusted.read_bytes(path)
        arrays = read(raw)

    def find(inputs: int, outputs: int) -> Network:
        layers, activation = described.get("layers", ()), described.get("activation")
        return state_dicts.network(arrays, inputs, outputs, str(path), layers, activation)

    return ForeignPolicy(str(path), find, described, hashlib.sha256(raw).hexdigest())


def read(raw: bytes) -> dict[str, Any]:
    """The tensors in a file of torch as arrays by name. Raises AgentError or InputError."""
    with untrusted.checked_zip(raw):  # torch's files are archives; their sizes are checked before anything is unpacked
        pass
    try:
        found = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except Exception as error:  # unpicklers raise anything
        why = " ".join(str(error).split())
        reason = why.partition("WeightsUnpickler error: ")[2].partition(" Please")[0] or why[:200]
        raise AgentError(
            f"torch refuses to read it as weights alone ({reason}): save `module.state_dict()`, not the module."
        ) from None
    arrays = {}
    for name, value in state_dicts.flat(found):
        if isinstance(value, torch.Tensor) and value.layout == torch.strided:
            arrays[name] = value.detach().float().numpy() if value.is_floating_point() else value.numpy()
        if len(arrays) > state_dicts.MOST_TENSORS:
            raise AgentError(f"it has more than {state_dicts.MOST_TENSORS:,} tensors.")
    if not arrays:
        raise AgentError("it holds no tensor: save `module.state_dict()`.")
    return arrays
