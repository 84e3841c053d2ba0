"""XML of unknown origin as a stream of elements: no document types, no entities, limits on bytes, depth and tags."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO
from xml.parsers import expat

from mmwave_gym.core.errors import InputError
from mmwave_gym.core.untrusted.archives import text_limit

MAX_BYTES = 4 * 2**30  # unpacked; readers keep little of it
MAX_TAG_BYTES = 2**20
MAX_DEPTH = 100
FEWEST_BYTES, FREE_ELEMENTS = 16, 500_000
"""Of an element on average, where there are more than so many: ours; a node of OpenStreetMap takes 20 at least."""
_CHUNK = 2**18
Attributes = dict[str, str]


def parse_xml(stream: BinaryIO, element: Callable[[str, Attributes, int], None], *, limit: int = MAX_BYTES) -> None:
    """Call `element(name, attributes, line)` for every element of an XML stream, also of a gzipped one.

    Names come without the prefix of a namespace.

    InputError with the line for what is not well formed, for document types and entities, for more than `limit` bytes
    (unpacked), for tags of more than 1 MiB, and for more than `MAX_DEPTH` levels.
    """
    try:
        parser = expat.ParserCreate()
        depth = elements = 0

        def refuse(*_: Any) -> None:
            raise InputError(
                f"line {parser.CurrentLineNumber}: it declares a document type or entities; plain XML is read."
            )

        def start(name: str, attributes: Attributes) -> None:
            nonlocal depth, elements
            depth += 1
            elements += 1
            if depth > MAX_DEPTH:
                raise InputError(f"line {parser.CurrentLineNumber}: it nests more than {MAX_DEPTH} levels deep.")
            element(name.rpartition(":")[2], attributes, parser.CurrentLineNumber)

        def end(name: str) -> None:
            nonlocal depth
            depth -= 1

        parser.StartDoctypeDeclHandler = refuse
        parser.EntityDeclHandler = refuse
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        packed = stream.read(2) == b"\x1f\x8b"
        if packed:
            limit = text_limit(stream.seek(0, io.SEEK_END), limit)
        stream.seek(0)
        content: Any = gzip.GzipFile(fileobj=stream) if packed else stream
        total = 0
        while chunk := content.read(_CHUNK):
            total += len(chunk)
            if total > limit:
                raise InputError(f"it has more than {limit // 2**20} MiB{' unpacked' if packed else ''}.")
            parser.Parse(chunk)
            if elements > FREE_ELEMENTS and total < FEWEST_BYTES * elements:
                raise InputError(f"line {parser.CurrentLineNumber}: {elements:,} elements in {total:,} bytes.")
            # What is not finished waits in the parser's memory, and is looked through again with each piece.
            if total - max(parser.CurrentByteIndex, 0) > MAX_TAG_BYTES + _CHUNK:
                raise InputError(f"line {parser.CurrentLineNumber}: a tag has more than {MAX_TAG_BYTES // 2**20} MiB.")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise InputError(f"line {error.lineno}: it is not XML: {expat.errors.messages[error.code]}.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"it cannot be read: {error}.") from None
    except LookupError as error:
        raise InputError(f"its encoding is not known: {error}.") from None
