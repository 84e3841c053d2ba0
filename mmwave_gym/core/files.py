"""Files that appear whole or not at all, and places that are tried before work begins."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "") -> Iterator[Path]:
    """A draft beside `path` to write into; it takes the place of `path` when the block ends without an error.

    A kill or an error leaves the old file. `suffix` is for writers that insist on one. OSError as the writing raises.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part{suffix}")
    try:
        yield draft
        os.replace(draft, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename in (str(draft), draft):  # nobody has asked for the draft
            error.filename, error.filename2 = str(path), None
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def write(path: Path, content: str | bytes) -> None:
    """Write a text (UTF-8, as it is) or bytes, see `replacing`."""
    with replacing(path) as draft:
        draft.write_bytes(content.encode() if isinstance(content, str) else content)


def try_place(path: Path) -> None:
    """Raise OSError, before any work, where no file could be written at `path` at its end. Makes the folder."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent):  # permissions alone do not tell: root has all of them
        pass


def plain(value: Any) -> Any:
    """NumPy scalars and arrays as values of JSON, for `json.dumps(…, default=plain)`. TypeError for anything else."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value.")
