"""Texts of unknown origin: their encoding, JSON and CSV."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from mmwave_gym.core.errors import InputError

MAX_DEPTH = 100
MAX_VALUES = 8_000_000  # of a JSON text; each takes up to 100 bytes of memory
MAX_ROWS = 20_000_000
_MARKS = (  # the longest first: the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # possessive: never backtracks
_SEPARATOR = re.compile(r"\s*sep=([^\r\n])(?=[\r\n])", re.IGNORECASE)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def encoding_of(data: bytes) -> str:
    """How a text is encoded: by its byte order mark, else UTF-8, else UTF-16 without a mark, else Latin-1."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    head = data[:4096]
    if b"\0" in head:  # every other byte of a Western text in UTF-16 is zero
        for encoding, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
            if zeros.count(0) > 0.7 * len(zeros) and others.count(0) < 0.1 * len(others):
                return encoding
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def decode(data: bytes, *, only_utf8: bool = False) -> str:
    """The text of bytes, see `encoding_of`; only_utf8: no other encoding is read. InputError for what is no text.

    Latin-1 fits any bytes, so a text that is neither UTF-8 nor UTF-16 is read as that: names may then be wrong, numbers
    are not.
    """
    if data.startswith(b"PK\x03\x04"):
        raise InputError("it is no text, but a .zip archive or a spreadsheet (.xlsx): save its table as .csv.")
    encoding = encoding_of(data)
    if only_utf8 and not encoding.startswith("utf-8"):
        encoding = "utf-8"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        name = encoding.upper().removesuffix("-SIG")
        raise InputError(f"it is not {name} text: byte {error.start} is no part of a character.") from None
    if "\0" in text:
        raise InputError("it is not a text file: it holds a zero byte.")
    return text


def number(text: str) -> float:
    """The number that a text is; ValueError for none, and for 1_000, which is one for Python only."""
    if "_" in text:
        raise ValueError(f"not a number: {text[:50]!r}")
    return float(text)


def named_separator(text: str) -> tuple[str, str]:
    """The separator that a spreadsheet names in a line before the header, as in "sep=;", and the text without it.

    Empty where there is no such line. The line's end stays, so that the lines keep their numbers.
    """
    match = _SEPARATOR.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def json_value(data: bytes | str) -> Any:
    """The value of a JSON text in UTF-8, also with a byte order mark.

    InputError for what is no JSON, for NaN and Infinity, for half characters (surrogates), for more than `MAX_DEPTH`
    levels or `MAX_VALUES` values.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data.removeprefix(codecs.BOM_UTF8)
    lists = raw.count(b"[") + raw.count(b"{")
    if lists + raw.count(b",") > MAX_VALUES:
        raise InputError(f"it has more than {MAX_VALUES:,} values.")
    if lists > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        raise InputError(f"it nests more than {MAX_DEPTH} levels deep.")
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_no_number)
        if _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise InputError(f"it is not UTF-8 text: byte {error.start} is no part of a character.") from None
    except UnicodeEncodeError:
        raise InputError("it holds half of a character (a surrogate).") from None
    except InputError:
        raise
    except (ValueError, RecursionError, OverflowError) as error:
        raise InputError(f"it is not JSON: {error}.") from None
    return value


def _no_number(text: str) -> Any:
    raise InputError(f"it is not JSON: {text} is no number.")


def _depth(raw: bytes) -> int:
    """How deep lists and objects nest; brackets within strings do not count."""
    codes = np.frombuffer(_STRING.sub(b"", raw), np.uint8)
    opens = ((codes == ord("[")) | (codes == ord("{"))).astype(np.int8)
    closes = ((codes == ord("]")) | (codes == ord("}"))).astype(np.int8)
    return int(np.cumsum(opens - closes, dtype=np.int64).max(initial=0))


def csv_rows(
    text: str, delimiter: str = ",", *, limit: int = MAX_ROWS, skip_spaces: bool = False
) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV text with the number of their line, the header first (line 1). Empty lines are left out.

    skip_spaces: blanks after a delimiter belong to no field, also before a quote.

    InputError, with the line, for what is no table, for fields of more than 128 KiB and for more than `limit` rows.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=skip_spaces)
    count = 0
    try:
        for values in reader:
            if values:
                count += 1
                if count > limit:
                    raise InputError(f"it has more than {limit:,} rows.")
                yield reader.line_num, values
    except csv.Error as error:
        raise InputError(f"row {reader.line_num}: it is not a table: {error}.") from None
