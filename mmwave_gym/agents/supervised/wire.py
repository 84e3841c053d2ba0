"""Messages between the evaluation and an agent in a process of its own.

A message is a head (JSON), the raw bytes of the arrays that the head lists, and a pickle. Only messages *to* the agent
have a pickle. What comes from it is JSON and numbers, of bounded size, and everything in it is checked.
"""

from __future__ import annotations

import json
import math
import os
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_FRAME = struct.Struct("<4sIQQ")  # mark, bytes of the head, of the arrays, of the pickle
_MARK = b"mmw1"
_NUMBERS = "biuf"  # kinds of NumPy types that travel as raw bytes
_MOST_HEAD, _MOST_ARRAYS, _MOST_AXES = 2**20, 2**28, 8  # of a message from the agent
_TAIL = 600  # characters of an agent's output that a reason shows


class Message(NamedTuple):
    """One message: its head, arrays by name, and a pickle, empty from an agent."""

    head: dict[str, Any]
    arrays: dict[str, NDArray[Any]]
    pickled: bytes = b""


class Gone(Exception):
    """The other side has closed the connection."""


class Late(Exception):
    """No answer came in time."""


class Flood(Exception):
    """The agent printed more than its limit."""


class Garbage(Exception):
    """The agent sent bytes that are no message; the text says why."""


def is_raw(array: NDArray[Any]) -> bool:
    """Whether an array, of any shape, can travel as raw bytes: numbers and truth values can."""
    return array.dtype.kind in _NUMBERS and array.dtype.itemsize <= 16


def packed(head: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], pickled: bytes = b"") -> list[Any]:
    """The buffers of a message, in order. The arrays may have any shape (...,), and numbers of any unit."""
    solid = {name: np.ascontiguousarray(a) if a.ndim else a for name, a in arrays.items()}
    listed = [[name, a.dtype.str, a.shape] for name, a in solid.items()]
    text = json.dumps({**head, "arrays": listed}, allow_nan=False).encode()
    size = sum(a.nbytes for a in solid.values())
    bodies = [a.tobytes() for a in solid.values() if a.nbytes]
    return [_FRAME.pack(_MARK, len(text), size, len(pickled)) + text, *bodies, *([pickled] if pickled else [])]


def _sizes(frame: bytes | bytearray) -> tuple[int, int, int]:
    mark, *sizes = _FRAME.unpack(frame)
    if mark != _MARK:
        raise Garbage("it does not begin as a message")
    head, arrays, pickled = sizes
    return head, arrays, pickled


def _head(text: bytes | bytearray) -> dict[str, Any]:
    try:
        head = json.loads(text)
    except (ValueError, RecursionError):
        raise Garbage("its head is not JSON") from None
    if not isinstance(head, dict) or not isinstance(head.get("arrays"), list):
        raise Garbage("its head has another form")
    return head


def _arrays(listed: list[Any], body: bytearray) -> dict[str, NDArray[Any]]:
    """The arrays of a message, each with memory of its own, aligned as NumPy does it: sums may depend on that."""
    found: dict[str, NDArray[Any]] = {}
    start = 0
    for entry in listed:
        name, dtype, shape = _entry(entry)
        count = math.prod(shape)
        if start + count * dtype.itemsize > len(body):
            raise Garbage("its arrays are longer than their bytes")
        found[name] = np.frombuffer(body, dtype, count, start).reshape(shape).copy()
        start += count * dtype.itemsize
    if start != len(body):
        raise Garbage("its arrays are shorter than their bytes")
    return found


def _entry(entry: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, list) or len(entry) != 3:
        raise Garbage("an array is not described by name, type and shape")
    name, kind, shape = entry
    try:
        dtype = np.dtype(kind) if isinstance(kind, str) and len(kind) <= 4 else None
    except (TypeError, ValueError, SyntaxError):
        dtype = None
    if not isinstance(name, str) or dtype is None or dtype.kind not in _NUMBERS:
        raise Garbage("an array has a type that is no number")
    if not isinstance(shape, list) or len(shape) > _MOST_AXES:
        raise Garbage("an array has no shape")
    if not all(type(n) is int and 0 <= n < 2**40 for n in shape) or math.prod(shape) * dtype.itemsize > 2**40:
        raise Garbage("an array has an impossible shape")
    return name, dtype, tuple(shape)


class AgentLine:
    """The agent's end of the connection. It waits as long as it takes."""

    def __init__(self, connection: socket.socket):
        self._connection = connection

    def send(self, message: list[Any]) -> None:
        """Send the buffers of a message."""
        for part in message:
            self._connection.sendall(part)

    def receive(self) -> Message:
        """The next message. Raises Gone where the evaluation has ended."""
        sizes = _sizes(self._exactly(_FRAME.size))
        text, body, pickled = (self._exactly(size) for size in sizes)
        head = _head(text)
        return Message(head, _arrays(head["arrays"], body), bytes(pickled))

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            count = self._connection.recv_into(view)
            if not count:
                raise Gone
            view = view[count:]
        return data


class Line:
    """The evaluation's end: every wait has a deadline, and what the agent prints is taken in, and counted, meanwhile.

    output: the reading end of the agent's standard output and error.
    """

    def __init__(self, connection: socket.socket, output: int, most_output: int):
        connection.setblocking(False)
        os.set_blocking(output, False)
        self._connection, self._output, self._most = connection, output, most_output
        self._printed, self._tail, self._output_ended = 0, b"", False
        self._poll = select.poll()
        self._poll.register(output, select.POLLIN)

    def send(self, message: list[Any], deadline: float) -> None:
        """Send the buffers of a message before `deadline`, of time.monotonic. Raises Gone, Late or Flood."""
        rest = [memoryview(part) for part in message]
        while rest:
            try:
                count = self._connection.sendmsg(rest[:16])
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
                continue
            except OSError:
                raise Gone from None
            while rest and count >= len(rest[0]):
                count -= len(rest.pop(0))
            if count:
                rest[0] = rest[0][count:]

    def receive(self, deadline: float) -> Message:
        """The agent's next message. Raises Gone, Late, Flood or Garbage."""
        head_size, array_size, pickled = _sizes(self._exactly(_FRAME.size, deadline))
        if head_size > _MOST_HEAD or array_size > _MOST_ARRAYS or pickled:
            raise Garbage("it is too large")
        head = _head(self._exactly(head_size, deadline))
        return Message(head, _arrays(head["arrays"], self._exactly(array_size, deadline)))

    def _exactly(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                count = self._connection.recv_into(view)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline)
                continue
            except OSError:
                raise Gone from None
            if not count:
                raise Gone
            view = view[count:]
        return data

    def _wait(self, event: int, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Late
        self._poll.register(self._connection, event)
        for ready, _ in self._poll.poll(math.ceil(left * 1000)):
            if ready == self._output:
                self.drain()

    def drain(self) -> None:
        """Take in what was printed. Raises Flood beyond the limit."""
        while True:
            try:
                data = os.read(self._output, 2**16)
            except BlockingIOError:
                return
            if not data:  # the agent has closed it
                if not self._output_ended:
                    self._poll.unregister(self._output)
                self._output_ended = True
                return
            self._printed += len(data)
            self._tail = (self._tail + data)[-4 * _TAIL :]
            if self._printed > self._most:
                raise Flood

    @property
    def tail(self) -> str:
        """The end of what was printed, printable characters only."""
        return printable(self._tail.decode("utf-8", "replace"))[-_TAIL:].strip()

    def close(self) -> None:
        """Close both; once only."""
        self._connection.close()
        os.close(self._output)


def printable(text: str) -> str:
    """Other people's text without control characters, on one line."""
    return "".join(c if c.isprintable() else " " for c in text)


def received_names(names: Any, most: int = 64) -> Sequence[str]:
    """Names that an agent asks for. Raises Garbage where they are none."""
    if not isinstance(names, list) or len(names) > most or not all(isinstance(name, str) for name in names):
        raise Garbage("it asks for what has no name")
    return names
