"""Archives and arrays of unknown origin: .zip, .gz and .npz. Limits hold before anything is unpacked.

Of the kinds of compression only "stored" and "deflate" are read: Python unpacks bzip2 and LZMA members without a
limit on what a few bytes become.
"""

from __future__ import annotations

import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from tokenize import TokenError  # NumPy reads headers of Python 2 with it
from typing import Any, BinaryIO

import numpy as np

from mmwave_gym.core.errors import InputError

MAX_UNPACKED_BYTES = 256 * 2**20
FREELY_UNPACKED_BYTES = 16 * 2**20
MOST_PACKED = 100
"""Texts of more than `FREELY_UNPACKED_BYTES` that unpack to more than so many times their size are refused: ours. A
deflated table of numbers unpacks to 5 to 30 times its size, and a made-up one to 1,000 times."""
MAX_MEMBERS = 4096
MAX_ARRAYS = 64
_ENTRY = b"PK\x01\x02"  # of the table of contents, APPNOTE.TXT 4.3.12
_CHUNK = 2**20
_KINDS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "lzma", 9: "deflate64", 93: "zstandard"}


@contextmanager
def checked_zip(
    source: bytes | BinaryIO, *, limit: int = MAX_UNPACKED_BYTES, members: int = MAX_MEMBERS, texts: bool = False
) -> Iterator[zipfile.ZipFile]:
    """A .zip archive of at most `members` members that unpack to at most `limit` bytes in all; see `MOST_PACKED` too
    where they are `texts`.

    Members are named once, not encrypted, and stored or deflated. InputError otherwise. Read members by
    `member`: their damage shows only then.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    if texts:
        limit = text_limit(stream.seek(0, io.SEEK_END), limit)
    with _opened(stream, limit, members) as archive:
        yield archive


def text_limit(packed: int, limit: int) -> int:
    """How many bytes a text of `packed` bytes may unpack to, at most `limit`; see `MOST_PACKED`."""
    return min(limit, max(FREELY_UNPACKED_BYTES, MOST_PACKED * packed))


def _opened(stream: BinaryIO, limit: int, members: int) -> zipfile.ZipFile:
    try:
        # zipfile takes half a kilobyte for each entry before anybody can count them.
        if _entries(stream) > members:
            raise InputError(f"it has more than {members} members.")
        archive = zipfile.ZipFile(stream)
    except InputError:
        raise
    except (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, ValueError, OverflowError) as error:
        # OSError too: offsets into nowhere are "negative seek value -22".
        raise InputError(f"it is not a sound .zip archive: {str(error).rstrip('.') or 'it ends too early'}.") from None
    found = archive.infolist()
    if len(found) > members:
        raise InputError(f"it has more than {members} members.")
    if sum(info.file_size for info in found) > limit:
        raise InputError(f"unpacked it has more than {limit // 2**20} MiB.")
    seen = set()
    for info in found:
        _check_member(info)
        if info.filename in seen:
            raise InputError(f"it has two members named {info.filename[:100]!r}.")
        seen.add(info.filename)
    return archive


def _entries(stream: BinaryIO) -> int:
    """How often the mark of an entry occurs: an upper bound of the members of an archive that is not nested."""
    stream.seek(0)
    count, rest = 0, b""
    while chunk := stream.read(_CHUNK):
        count += (rest + chunk).count(_ENTRY)
        rest = chunk[-3:]
    stream.seek(0)
    return count


def _check_member(info: zipfile.ZipInfo) -> None:
    if not info.filename:  # zipfile's own `is_dir` fails on it
        raise InputError("a member has no name.")
    if info.flag_bits & 1:
        raise InputError(f"{info.filename[:100]!r} is encrypted: no member with a password is read.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        kind = _KINDS.get(info.compress_type, f"method {info.compress_type}")
        raise InputError(f"{info.filename[:100]!r} is compressed by {kind}; only deflate is read.")


def member(archive: zipfile.ZipFile, name: str, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """The bytes of one member of a `checked_zip`, at most `limit`; InputError where it is missing or damaged."""
    if name in archive.NameToInfo and archive.getinfo(name).file_size > limit:
        raise InputError(f"{name!r} has more than {limit // 2**20} MiB unpacked.")
    try:
        return archive.read(name)
    except KeyError:
        raise InputError(f"it has no member {name!r}.") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, OverflowError) as error:
        raise InputError(f"its member {name!r} is damaged: {error or 'it ends too early'}.") from None


def gunzip(data: bytes, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """The content of a text in gzip data, at most `limit` bytes; data that is not gzip is returned as it is."""
    if data[:2] != b"\x1f\x8b":
        return data
    limit = text_limit(len(data), limit)
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"the gzip file is damaged: {error}.") from None
    if len(content) > limit:
        raise InputError(f"unpacked it has more than {limit // 2**20} MiB.")
    return content


def unxz(data: bytes, limit: int = MAX_UNPACKED_BYTES) -> bytes:
    """The content of .xz data, at most `limit` bytes; InputError for anything else."""
    reader = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=2 * MAX_UNPACKED_BYTES)
    try:
        content = reader.decompress(data, limit)
    except (EOFError, lzma.LZMAError) as error:
        raise InputError(f"it is no .xz file, or it is damaged: {error}.") from None
    if not reader.eof:
        raise InputError(f"it ends early or unpacks to more than {limit // 2**20} MiB.")
    return content


def load_npz(
    data: bytes, *, limit: int = MAX_UNPACKED_BYTES, arrays: int = MAX_ARRAYS
) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of an .npz file: no pickles, no more memory than their bytes take. InputError names the array."""
    try:
        with checked_zip(data, limit=limit, members=arrays) as archive:
            return {name.removesuffix(".npy"): _load_npy(member(archive, name), name) for name in archive.namelist()}
    except InputError as error:
        raise InputError(f"it is not an .npz file, or it is damaged: {error}") from None


def _load_npy(data: bytes, name: str) -> np.ndarray[Any, Any]:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise InputError(
                f"{name} holds pickled Python objects, which are never loaded: "
                "save plain numbers, and text as a NumPy array of strings."
            )
        # A header may promise any shape; NumPy would allocate it before it looks at the data.
        if int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize != len(data) - stream.tell():
            raise InputError(f"{name} is damaged: its header says {shape} of {dtype}.")
        stream.seek(0)
        array: np.ndarray[Any, Any] = np.lib.format.read_array(stream, allow_pickle=False)
        if array.dtype.kind == "U" and array.size:
            _check_characters(array, name)
        return array
    except InputError:
        raise
    except (
        ValueError,
        SyntaxError,
        TypeError,
        OverflowError,
        MemoryError,
        EOFError,
        RecursionError,
        TokenError,
    ) as error:
        raise InputError(f"{name} is not a NumPy array, or it is damaged: {error}.") from None


def _check_characters(array: np.ndarray[Any, Any], name: str) -> None:
    """NumPy takes any 4 bytes for a character; Python fails where they are none, or half of one (a surrogate)."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    codes = np.ascontiguousarray(native).reshape(-1).view(np.uint32)
    if (codes > 0x10FFFF).any() or ((codes >= 0xD800) & (codes <= 0xDFFF)).any():
        raise InputError(f"{name} is damaged: it holds numbers that are no characters.")
