"""Damage: of bytes, of fields in tables, of values in JSON, of attributes in XML, of arrays, of members of archives."""

from __future__ import annotations

import csv
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Mutation = Callable[[bytes, random.Random], bytes]

FIELDS = (
    "",
    "0",
    "-1",
    " ",
    "nan",
    "inf",
    "1e308",
    "99999999999999999999",
    "x",
    '"',
    "=1+1",
    "2147483647",
    "\ud7ff",
    "1,5",
    "2019-11-25T15:34:00+01:00",
    "24:61:00",
    "٣",
    "-0",
    "1e-320",
)
VALUES: tuple[Any, ...] = (
    None,
    [],
    {},
    "",
    -1,
    0,
    1e308,
    10**30,
    True,
    "x",
    [[[]]],
    0.5,
    "\ud83d\ude00",
    [1, 2],
    {"a": 1},
    -1e-320,
)


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat, insert, swap."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1) if out else 0
        length = min(rng.choice((1, 2, 4, 16, 256)), len(out) - at)
        kind = rng.randrange(6)
        if kind == 0 and at < len(out):
            out[at] = rng.randrange(256)
        elif kind == 1:
            del out[at : at + length]
        elif kind == 2:
            out[at:at] = out[at : at + length]
        elif kind == 3:
            out[at:at] = rng.choice(
                (b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"[" * 1000, b"\n", b'"', b"PK\x03\x04", b"\xff" * 8)
            )
        elif kind == 4:
            del out[at:]
        elif at < len(out):
            out[at : at + length] = bytes(rng.choice((0, 255)) for _ in range(length))
    return bytes(out)


# ---------------------------------------------------------------------- tables


def _rows(data: bytes, mark: str) -> list[list[str]]:
    return [row for row in csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline=""), delimiter=mark) if row]


def _text(rows: list[list[str]], mark: str) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(rows)
    return out.getvalue().encode("utf-8", "replace")


def columns(data: bytes, mark: str, skip: int = 0) -> Iterator[bytes]:
    """Every column deleted, emptied, zeroed, negative, spaced: one after the other."""
    head, body = _parted(data, skip)
    rows = _rows(body, mark)
    for column in range(len(rows[0])):
        for what in ("deleted", "emptied", "zeroed", "negative", "spaced"):
            changed = [list(row) for row in rows]
            for number, row in enumerate(changed):
                if column >= len(row):
                    continue
                if what == "deleted":
                    del row[column]
                elif number:
                    row[column] = {
                        "emptied": "",
                        "zeroed": "0",
                        "negative": f"-{row[column]}",
                        "spaced": f" {row[column]} ",
                    }[what]
            yield head + _text(changed, mark)


def _parted(data: bytes, skip: int) -> tuple[bytes, bytes]:
    lines = data.split(b"\n")
    return b"".join(line + b"\n" for line in lines[:skip]), b"\n".join(lines[skip:])


def table(mark: str = ",", skip: int = 0) -> Mutation:
    """A field, a row or the header of a table."""

    def mutate(data: bytes, rng: random.Random) -> bytes:
        head, body = _parted(data, skip)
        rows = _rows(body, mark)
        for _ in range(rng.choice((1, 1, 3))):
            row = rng.choice(rows)
            kind = rng.randrange(8)
            if kind < 3 and row:
                row[rng.randrange(len(row))] = rng.choice(FIELDS)
            elif kind == 3:
                rows.insert(rng.randrange(len(rows) + 1), list(rows[0]))
            elif kind == 4:
                rows.insert(rng.randrange(len(rows) + 1), list(rng.choice(rows)))
            elif kind == 5 and len(rows) > 1:
                del rows[rng.randrange(len(rows))]
            elif kind == 6:
                row.append(rng.choice(FIELDS))
            elif row:
                del row[rng.randrange(len(row))]
        return head + _text(rows, mark)

    return mutate


# ---------------------------------------------------------------------- JSON, XML, arrays, archives


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from _places(inner, (*path, key))


def changed_value(value: Any, rng: random.Random) -> Any:
    """One value somewhere in it replaced, deleted or renamed."""
    places = list(_places(value))
    if not places:
        return rng.choice(VALUES)
    *path, last = rng.choice(places)
    inside = value
    for key in path:
        inside = inside[key]
    kind = rng.randrange(4)
    if kind == 0:
        del inside[last]
    elif kind == 1 and isinstance(inside, dict):
        inside[f"{last}x"] = inside.pop(last)
    else:
        inside[last] = rng.choice(VALUES)
    return value


def json_of(data: bytes, rng: random.Random) -> bytes:
    return json.dumps(changed_value(json.loads(data), rng)).encode()


def json_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = json_of(lines[at], rng)
    return b"\n".join(lines) + b"\n"


_ATTRIBUTE = re.compile(rb' ([\w:]+)="([^"]*)"')


def attributes(data: bytes) -> Iterator[bytes]:
    """Every name of an attribute: deleted, emptied, zeroed, negative, spaced, in all elements."""
    for name in sorted({match[1] for match in _ATTRIBUTE.finditer(data)}):
        pattern = re.compile(rb" " + name + rb'="([^"]*)"')
        for into in (b"", b' %s=""', b' %s="0"', rb' %s="-\1"', rb' %s=" \1 "'):
            yield pattern.sub(into.replace(b"%s", name), data)


def xml_of(data: bytes, rng: random.Random) -> bytes:
    """One attribute of one element."""
    found = list(_ATTRIBUTE.finditer(data))
    match = rng.choice(found)
    value = rng.choice(FIELDS).replace('"', "&quot;").encode()
    into = rng.choice((b"", b" " + match[1] + b'="' + value + b'"', match[0] * 2))
    return data[: match.start()] + into + data[match.end() :]


def arrays_of(data: bytes, rng: random.Random) -> bytes:
    """One array of an .npz: its numbers, type, shape or name."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    name = rng.choice(sorted(arrays))
    array = arrays.pop(name)
    kind = rng.randrange(9)
    number = array.dtype.kind in "fiu"
    if kind == 0:
        pass  # the array is gone
    elif kind == 1:
        arrays[name + "x"] = array
    elif kind == 2 and number:
        arrays[name] = array * rng.choice((0, -1, 1e6, 1e300, 1e-300))
    elif kind == 3 and number and array.size:
        changed = array.astype(np.float64)
        changed.reshape(-1)[rng.randrange(array.size)] = rng.choice((np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300))
        arrays[name] = changed
    elif kind == 4:
        arrays[name] = array[None]
    elif kind == 5:
        arrays[name] = array[:-1] if array.ndim and len(array) else array.reshape(-1)
    elif kind == 6:
        arrays[name] = array.astype(rng.choice(("U3", "f4", "c16", "i8", "?"))) if number else array.astype("S")
    elif kind == 7 and number and array.ndim:
        arrays[name] = np.concatenate([array, array[:1]])
    else:
        arrays[name] = np.array(rng.choice((0, -1, 1.5, "x", np.nan)))
    buffer = io.BytesIO()
    with np.errstate(all="ignore"):
        np.savez(buffer, **arrays)
    return buffer.getvalue()


def members(mutate: Mutation) -> Mutation:
    """One member of a .zip, or which members there are."""

    def changed(data: bytes, rng: random.Random) -> bytes:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        name = rng.choice(sorted(found))
        kind = rng.randrange(10)
        if kind == 0:
            del found[name]
        elif kind == 1:
            found[f"folder/{name}"] = found.pop(name)
        else:
            found[name] = mutate(found[name], rng)
        buffer = io.BytesIO()
        method = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2))
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for member, content in found.items():
                archive.writestr(member, content)
        return buffer.getvalue()

    return changed
