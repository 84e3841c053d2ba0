"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
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


def plain(value: Any) -> Any:
    """NumPy scalars and arrays as values of JSON, for `json.dumps(…, default=plain)`. TypeError for anything else."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value.")
