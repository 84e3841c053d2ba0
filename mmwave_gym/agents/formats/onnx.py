"""ONNX graphs, computed by onnxruntime: the form for a network that is more than linear layers.

A graph reads observations (rows, numbers), and action masks (rows, actions) where it has a second input. Its first
output is numbers (rows, outputs), see `output` of `formats.described`, or whole numbers: the actions themselves. A
description may lie in the graph's own metadata, as JSON under the key "mmwave_gym", instead of beside it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from mmwave_gym.agents.formats.described import checked
from mmwave_gym.agents.formats.foreign import ForeignPolicy
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.core import untrusted

KEY = "mmwave_gym"
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(bool)": np.bool_,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
}


def load(path: Path, described: dict[str, Any]) -> ForeignPolicy:
    """The agent that an ONNX graph computes, described by the `.json` beside it or by itself. Raises AgentError."""
    with untrusted.blaming(path, AgentError, library="onnxruntime"):
        raw = untrusted.read_bytes(path)
        graph = Graph(raw, str(path))
        own = graph.metadata.get(KEY)
        if own and not described:
            described = checked(untrusted.json_value(own))
    return ForeignPolicy(str(path), graph.for_numbers, described, hashlib.sha256(raw).hexdigest())


class Graph:
    """A graph as a network: `__call__` as that of `Network`. Raises AgentError where its inputs or outputs do not fit.

    raw: the file's bytes. name: of the file, for errors.
    """

    symmetric = False
    log_std = None

    def __init__(self, raw: bytes, name: str):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # rows do not depend on the cores
        options.log_severity_level = 3
        # Weights in other files would be read from wherever the graph says.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/nowhere")
        self._session = onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
        self._name = name
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)
        self._seen, *more = self._session.get_inputs()
        self._mask = more[0] if more else None
        if len(more) > 1:
            names = ", ".join(found.name for found in (self._seen, *more))
            raise AgentError(
                f"it has the inputs {names}; observations, and masks of actions, are all that there is to read. "
                "A network with a memory cannot be exported this way."
            )
        for found in (self._seen, *more):
            if found.type not in TYPES:
                raise AgentError(f"its input {found.name!r} is a {found.type}; {', '.join(TYPES)} can be filled.")
        first = self._session.get_outputs()[0]
        self._output, self._outputs = first.name, first.shape
        self.output = "action" if first.type in ("tensor(int64)", "tensor(int32)") else ""
        self.inputs = self.outputs = 0

    def for_numbers(self, inputs: int, outputs: int) -> Graph:
        """This graph, for observations of `inputs` numbers and actions of `outputs`; AgentError where it is not."""
        shape = self._seen.shape
        size = shape[-1] if shape else None
        if len(shape) != 2 or (isinstance(size, int) and size != inputs):
            raise AgentError(
                f"{self._name} reads observations of shape {shape}, here they are (rows, {inputs}): it is of another "
                "environment, or of other keywords."
            )
        given = self._outputs[-1] if len(self._outputs) == 2 else None
        if not self.output and isinstance(given, int) and given != outputs:
            raise AgentError(f"{self._name} gives {given} numbers, here an action needs {outputs}.")
        self.inputs, self.outputs = inputs, outputs
        return self

    def __call__(self, x: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """The first output, (rows, outputs) or actions (rows, …), for inputs (rows, numbers) and mask (rows, actions).

        Raises AgentError where onnxruntime fails, or what it gives is not of these shapes.
        """
        rows = self._seen.shape[0]
        size = rows if isinstance(rows, int) else len(x)
        found = [self._computed(x[i : i + size], None if mask is None else mask[i : i + size], size)
                 for i in range(0, len(x), size)]  # fmt: skip
        answer = np.concatenate(found)
        wanted = (len(x),) if self.output else (len(x), self.outputs)
        if answer.shape[: len(wanted)] != wanted:
            raise AgentError(f"{self._name} gives an output of shape {answer.shape}, {wanted} is needed.")
        return answer if self.output else answer.astype(np.float32)

    def _computed(self, x: NDArray[Any], mask: NDArray[np.bool_] | None, size: int) -> NDArray[Any]:
        """What the graph gives for at most `size` rows; fewer are filled up, for graphs of a fixed number."""
        fill = [(0, size - len(x)), (0, 0)]
        given: dict[str, NDArray[Any]] = {self._seen.name: np.pad(x, fill).astype(TYPES[self._seen.type])}
        if self._mask is not None:
            allowed = np.ones((len(x), self.outputs), bool) if mask is None else mask
            given[self._mask.name] = np.pad(allowed, fill, constant_values=True).astype(TYPES[self._mask.type])
        try:
            (answer,) = self._session.run([self._output], given)
        except Exception as error:  # onnxruntime's errors have no class in common
            raise AgentError(f"{self._name}: onnxruntime fails: {' '.join(str(error).split())[:300]}") from None
        return np.asarray(answer)[: len(x)]
