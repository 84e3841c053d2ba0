"""The one door for what others made: bytes, texts, archives, arrays, JSON, CSV and XML of unknown origin.

Every reader of files comes in here, so that the limits are written once:

- Only regular files are opened: a pipe or a device would block or never end.
- Sizes are checked before memory is taken: of the file, of what it unpacks to, of the shapes that headers declare.
- Nothing is unpickled, no entity is expanded, no member is decrypted.
- `blaming` makes our errors of all that the libraries below raise. Each error begins with the file's name.

Functions raise `InputError` that tells the place within the file; the reader puts its file before it:

    with untrusted.blaming(path, CityError):
        value = untrusted.json_value(untrusted.read_bytes(path))
"""

from __future__ import annotations

import contextlib
import csv
import errno
import lzma
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from mmwave_gym.core.errors import InputError
from mmwave_gym.core.untrusted.archives import checked_zip, gunzip, load_npz, member, unxz
from mmwave_gym.core.untrusted.texts import csv_rows, decode, encoding_of, json_value, named_separator, number
from mmwave_gym.core.untrusted.xml import parse_xml

__all__ = [
    "MAX_FILE_BYTES", "blaming", "checked_zip", "csv_rows", "decode", "encoding_of", "gunzip", "json_value",
    "load_npz", "member", "named_separator", "number", "open_regular", "parse_xml", "read_bytes",
    "unxz",
]  # fmt: skip

MAX_FILE_BYTES = 256 * 2**20  # ours: of a file that is read whole

LIBRARY_ERRORS = (
    ValueError,  # with UnicodeError, JSONDecodeError, pandas' ParserError and what NumPy says of headers
    OSError,
    EOFError,
    RuntimeError,  # with RecursionError, NotImplementedError, and zipfile's for an encrypted member
    MemoryError,
    ArithmeticError,  # with OverflowError
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    csv.Error,
    expat.ExpatError,
)
"""What libraries raise for damaged input. TypeError, KeyError and AttributeError are not here: they are ours."""


@contextlib.contextmanager
def blaming(where: object, kind: type[ValueError] = InputError, *, library: str = "") -> Iterator[None]:
    """Errors inside the block become `kind`, and their text begins with `where`, a file or a place in one.

    library: the name of a library that is called inside; whatever it raises is then made ours too.
    """
    try:
        yield
    except (kind, InputError) as error:
        text = str(error)
        text = text if text.startswith(str(where)) else f"{where}: {text}"
        raise kind(" ".join(text.splitlines())) from None  # what it quotes of a file may hold line ends
    except ImportError:
        raise
    except LIBRARY_ERRORS as error:
        by = f"{library} cannot read it: " if library else ""
        raise kind(f"{where}: {by}{_error_text(error)}") from None
    except Exception as error:
        if not library:
            raise
        raise kind(f"{where}: {library} cannot read it: {type(error).__name__}: {_error_text(error)}") from None


def _error_text(error: BaseException) -> str:
    """One line on an error of a library, never empty."""
    if isinstance(error, MemoryError):
        return "it needs more memory than there is."
    if isinstance(error, RecursionError):
        return "it nests too deeply."
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be read: {error.strerror}."
    text = " ".join(str(error).split())[:300] or type(error).__name__
    return text if text.endswith((".", "?", "!")) else f"{text}."


def open_regular(file: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, open for reading bytes. InputError for pipes, devices, sockets and folders; it never blocks."""
    path = Path(file)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        raise InputError("there is no such file.") from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise InputError("it is no regular file, but a socket or a pipe.") from None
        raise InputError(f"it cannot be read: {error.strerror or error}.") from None
    except ValueError:  # a zero byte in the name
        raise InputError("there is no such file.") from None
    if not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        os.close(descriptor)
        kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
        raise InputError(f"it is no regular file, but {kinds.get(stat.S_IFMT(mode), 'something else')}.")
    return os.fdopen(descriptor, "rb")


def read_bytes(file: str | os.PathLike[str], limit: int = MAX_FILE_BYTES) -> bytes:
    """The content of a regular file of at most `limit` bytes; InputError otherwise."""
    with open_regular(file) as stream:
        if os.fstat(stream.fileno()).st_size > limit:  # before anything is read
            raise InputError(f"it has more than {limit // 2**20} MiB.")
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise InputError(f"it cannot be read: {error.strerror}.") from None
    if len(data) > limit:
        raise InputError(f"it has more than {limit // 2**20} MiB.")
    return data
