"""A recording as rows of fields: its encoding, its separator, and the lines that are none of its rows."""

from __future__ import annotations

import collections
import re
from typing import NamedTuple

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import InputError
from mmwave_gym.sources.recordings.options import MISSING, NAMES

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "space": "space"}
MAX_ROWS = 2_000_000
MOST_UNEVEN = 0.05
"""Of the rows: ours."""
_END = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"[^\r\n]*(\r\n|\r|\n|$)")
_SPACES = re.compile(r"[ \t]+")
_UNIT = re.compile(r"\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")


class Table(NamedTuple):
    """Rows of equal length, the header apart."""

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    """The line of each row in the file, the first line is 1."""
    notes: list[str]
    """What was understood and what was left out."""


def plain(name: str) -> str:
    """A column's name without its unit in brackets, in small letters: "rsrp" of "RSRP (dBm)"."""
    return _UNIT.sub("", name).strip().lower().replace(" ", "_").replace("-", "_")


def unit_of(name: str) -> str:
    """The unit in brackets behind a column's name, or behind its last underscore where it is one of time."""
    if match := _UNIT.search(name):
        return match[1].lower()
    last = name.strip().lower().rpartition("_")
    return last[2] if last[1] and last[2] in ("ms", "us", "ns", "s") else ""


def read(data: bytes, separator: str | None, *, unnamed: bool = False) -> Table:
    """The table in the bytes of a file; unnamed: its header may be shorter than all rows. InputError with the row."""
    encoding = untrusted.encoding_of(data)
    text = untrusted.decode(data)
    named, text = untrusted.named_separator(text)
    separator, skipped = separator or named or None, 0
    while text.startswith("#"):  # remarks of a logger, or of ours
        text = _LINE.sub("", text, count=1)
        skipped += 1
    first = next((line for line in _END.split(text) if line), "")
    if not first.strip():
        raise InputError("it has no header line.")
    found = _separator_of(first)
    mark = {"tab": "\t"}.get(separator or "", separator) or found
    if mark not in first and mark != "space" and found in first:
        raise InputError(
            f"row 1: there is no {SEPARATORS.get(mark, repr(mark))} in its header, but a {SEPARATORS[found]}: give the "
            f"separator (--sep {'tab' if found == chr(9) else repr(found)})."
        )
    notes = [f"{SEPARATORS.get(mark, repr(mark))} between fields, text in {encoding.upper().removesuffix('-SIG')}"]
    if encoding == "latin-1":
        notes.append("the text is neither UTF-8 nor UTF-16 and was read as Latin-1")
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] = []
    repeated = 0
    for line, values in _split(text, mark):
        line += skipped
        fields = [value.strip() for value in values]
        if not header:
            header = fields
        elif fields == header:
            repeated += 1
        elif not any(fields):
            continue
        else:
            rows.append(fields)
            lines.append(line)
            if len(rows) > MAX_ROWS:
                raise InputError(f"row {line}: it has more than {MAX_ROWS:,} rows.")
    if not rows:
        raise InputError("it has no row below its header.")
    if unnamed and len(found_widths := {len(row) for row in rows}) == 1 and min(found_widths) > len(header):
        notes.append(f"the last {len(rows[0]) - len(header)} fields of each row have no name and were left out")
        rows = [row[: len(header)] for row in rows]
    notes += _even(header, rows, lines)
    if repeated:
        notes.append(f"{repeated} repeated header lines left out")
    return Table(header, rows, lines, notes)


def _separator_of(line: str) -> str:
    """The separator that splits a header into most fields; spaces only where nothing else does."""
    counts = {mark: line.count(mark) for mark in (",", ";", "\t", "|")}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else "space"


def _split(text: str, mark: str) -> list[tuple[int, list[str]]]:
    if mark == "space":
        lines = [(number, line.strip("\r\n")) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
        width = len(_SPACES.split(lines[0][1].strip()))
        return [(number, _spaced(line, width)) for number, line in lines]
    return list(untrusted.csv_rows(text, mark))


def _spaced(line: str, width: int) -> list[str]:
    """The fields between spaces: between single ones, so that two are an empty field, where that gives `width`."""
    fields = line.rstrip().split(" ")
    return fields if len(fields) == width else _SPACES.split(line.strip())


def _even(header: list[str], rows: list[list[str]], lines: list[int]) -> list[str]:
    """Make rows and header equally long; what was done.

    Empty fields at the end may be too many. Other rows of another length are left out, because their values would stand
    under wrong names. Raises InputError where these are more than `MOST_UNEVEN` of all.
    """
    width, notes, trailing = len(header), [], 0
    while width and not header[width - 1]:
        width -= 1
    del header[width:]
    uneven = []
    for at, fields in enumerate(rows):
        extra = len(fields) - width
        if extra > 0 and not any(fields[width:]):
            del fields[width:]
            trailing += 1
        elif extra:
            uneven.append(at)
    if uneven:
        first = f"row {lines[uneven[0]]}: {len(rows[uneven[0]])} fields where the header has {width}"
        cut = uneven == [len(rows) - 1] and len(rows) > 2  # the logger was stopped while it wrote
        if len(uneven) > MOST_UNEVEN * len(rows) and not cut:
            raise InputError(f"{first}: is another separator needed (--sep), or is the row cut?")
        notes.append(f"{len(uneven)} rows of another length left out: {first}")
        for at in reversed(uneven):
            del rows[at], lines[at]
    if trailing:
        notes.append(f"{trailing} rows end in an empty field more than the header, which was left out")
    twice = [name for name, count in collections.Counter(header).items() if count > 1]
    if twice:
        notes.append(f"the column {twice[0]!r} occurs twice; the first is meant")
    return notes


def column(table: Table, wanted: str | None, what: str, needed: bool = True) -> int | None:
    """The index of a column: the one named `wanted`, or one that is usually called so. Raises InputError."""
    names = table.header
    if wanted is not None and wanted not in NAMES:
        for same in (str.strip, str.lower, plain):
            found = [i for i, name in enumerate(names) if same(name) == same(wanted)]
            if found:
                return found[0]
        raise InputError(f"row 1: there is no column {wanted!r}; there are {', '.join(names)[:300]}.")
    shown = [plain(name) for name in names]
    for candidate in NAMES[what if wanted is None else wanted]:
        for i, name in enumerate(shown):
            if name == candidate and any(row[i].strip().lower() not in MISSING for row in table.rows):
                return i
    if needed:
        raise InputError(
            f"row 1: no column for {what} with values in it; it may be called {', '.join(NAMES[what])}, or be named "
            f"(--{'level' if what in ('rsrp', 'snr') else what}); there are {', '.join(names)[:300]}."
        )
    return None
