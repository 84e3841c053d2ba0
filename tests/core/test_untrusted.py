"""The door for what others made: each limit holds before memory or time is spent, each error is ours."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError, InputError


def archive(*members: tuple[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy(shape: tuple[int, ...], content: bytes = b"") -> bytes:
    """An .npy that promises a shape which its content does not have."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue() + content


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"abc")
    assert untrusted.read_bytes(tmp_path / "file") == b"abc"
    for place, words in (("pipe", "a pipe"), (".", "a folder"), ("nothing", "no such file"), ("a\0b", "no such file")):
        with pytest.raises(InputError, match=words):
            untrusted.read_bytes(tmp_path / place)
    with pytest.raises(InputError, match="a device"):
        untrusted.read_bytes("/dev/zero")
    with pytest.raises(InputError, match="more than 0 MiB"):
        untrusted.read_bytes(tmp_path / "file", limit=2)


def test_errors_name_the_file_once() -> None:
    for error in (ValueError("odd"), zipfile.BadZipFile("odd"), RecursionError(), MemoryError(), CityError("f: odd")):
        with pytest.raises(CityError, match=r"^f: [^:]+$"), untrusted.blaming("f", CityError):
            raise error
    with pytest.raises(KeyError), untrusted.blaming("f", CityError):
        raise KeyError("a mistake of ours")
    with pytest.raises(CityError, match=r"^f: partridge cannot read it: KeyError: 'x'"):  # noqa: SIM117
        with untrusted.blaming("f", CityError, library="partridge"):
            raise KeyError("x")


def nameless() -> bytes:
    """An archive whose table of contents has a member with an empty name: the byte of it is an extra field."""
    data = bytearray(archive(("a", b"x")))
    at = data.index(b"PK\x01\x02")
    data[at + 28 : at + 32] = b"\0\0\1\0"
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no archive", "not a sound .zip"),
        (archive(("a", b"x"))[:-30], "not a sound .zip"),
        (archive(("a", b"x"), kind=zipfile.ZIP_BZIP2), "bzip2"),
        (archive(("a", b"x"), kind=zipfile.ZIP_LZMA), "lzma"),
        (archive(("a", bytes(2**21))), "more than 1 MiB"),
        (archive(*((f"{i}", b"") for i in range(6))), "more than 5 members"),
        (nameless(), "a member has no name"),
        (
            archive(("a", b"x")).replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"),
            "encrypted",
        ),
    ],
)
def test_archives(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words), untrusted.checked_zip(data, limit=2**20, members=5) as found:
        untrusted.member(found, "a")


def test_arrays() -> None:
    found = untrusted.load_npz(npz(a=np.eye(3), name=np.array(["x", "ä"])))
    assert found["a"].tolist() == np.eye(3).tolist()
    assert found["name"].tolist() == ["x", "ä"]
    half = np.array(["x"])
    half.view(np.uint32)[0] = 0xD800
    for data, words in (
        (archive(("a.npy", npy((10**9, 50)))), "its header says"),
        (archive(("a.npy", npy((10**30, 0), b"x"))), "its header says"),
        (archive(("a.npy", b"\x93NUMPY")), "not a NumPy array"),
        (npz(a=half), "no characters"),
    ):
        tracemalloc.start()
        with pytest.raises(InputError, match=words):
            untrusted.load_npz(data)
        assert tracemalloc.get_traced_memory()[1] < 2**24
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[" * 100_000, "levels deep"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "levels deep"),
        (b"[" + b"0," * 8_000_001 + b"0]", "more than 8,000,000 values"),
        (b'["\\ud800"]', "surrogate"),
        (b"[NaN]", "NaN"),
        (b"\xff", "UTF-8"),
        (b"1" * 5000, "not JSON"),
        (b'"' + b'\\"' * 100_000, "not JSON"),
    ],
)
def test_json(text: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        untrusted.json_value(text)


def test_json_that_is_right() -> None:
    assert untrusted.json_value(b'\xef\xbb\xbf{"a": "' + b"[" * 1000 + b'"}') == {"a": "[" * 1000}
    assert untrusted.json_value('["\\ud83d\\ude00"]') == ["😀"]


@pytest.mark.parametrize(
    ("encoding", "found"),
    [
        ("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-be", "utf-16-be"),
        ("utf-16-le", "utf-16-le"), ("utf-32", "utf-32"), ("latin-1", "latin-1"),
    ],
)  # fmt: skip
def test_encodings(encoding: str, found: str) -> None:
    text = "time,größe\n1,-80\n"
    data = text.encode(encoding)
    assert untrusted.encoding_of(data) == found
    assert untrusted.decode(data) == text


def test_what_is_no_text() -> None:
    for data, words in ((b"a,b\0c,d", "zero byte"), (b"\xef\xbb\xbf\xff", "UTF-8")):
        with pytest.raises(InputError, match=words):
            untrusted.decode(data)
    with pytest.raises(InputError, match="byte 1"):
        untrusted.decode(b"a\xff", only_utf8=True)


def test_csv() -> None:
    assert list(untrusted.csv_rows('a,b\n\n"1\n2",3\n')) == [(1, ["a", "b"]), (4, ["1\n2", "3"])]
    with pytest.raises(InputError, match="row 1: it is not a table: field larger"):
        list(untrusted.csv_rows('"' + "x" * 200_000))


def test_gzip() -> None:
    assert untrusted.gunzip(b"plain") == b"plain"
    assert untrusted.gunzip(gzip.compress(b"abc")) == b"abc"
    for data, words in ((gzip.compress(bytes(2**21)), "more than 1 MiB"), (gzip.compress(b"abc")[:-9], "damaged")):
        with pytest.raises(InputError, match=words):
            untrusted.gunzip(data, limit=2**20)


def elements(data: bytes, **limits: int) -> list[str]:
    found: list[str] = []
    untrusted.parse_xml(io.BytesIO(data), lambda name, attributes, line: found.append(name), **limits)
    return found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(b'<a t="' + b"0" * 2**24 + b'"/>'), "a tag has more than 1 MiB"),
        (b"<a>" * 200, "levels deep"),
        (b"<a>" + b"<b/>" * 600_000, "elements in"),
        (gzip.compress(b"<a>" + b"x" * 2**25), "more than 16 MiB unpacked"),
        (b"<!DOCTYPE a><a/>", "line 1: it declares a document type"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        (b"<a><b></a>", "line 1: it is not XML"),
        (b"", "not XML"),
        (gzip.compress(b"<a/>")[:-9], "cannot be read"),
    ],
)
def test_xml(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        elements(data)


def test_xml_that_is_right() -> None:
    assert elements(b"<a><b/>" + b"text " * 10**6 + b"</a>") == ["a", "b"]
    assert elements(gzip.compress(b"<a><b/></a>")) == ["a", "b"]


def test_an_error_is_one_line_whatever_it_quotes() -> None:
    with pytest.raises(InputError, match=r"^a\.csv: there are x y\.$"), untrusted.blaming("a.csv"):
        raise InputError("there are x\r\ny.")


def test_names_of_xml_come_without_their_prefix() -> None:
    assert elements(b'<s:a xmlns:s="x"><s:b/><c/></s:a>') == ["a", "b", "c"]


def test_texts_that_are_packed_too_well() -> None:
    """A table of numbers is packed to a fifth or a thirtieth of its size; a made-up one takes minutes to read."""
    bomb = bytes(2**25)
    with pytest.raises(InputError, match="more than 16 MiB"):
        untrusted.gunzip(gzip.compress(bomb))
    with pytest.raises(InputError, match="more than 16 MiB"), untrusted.checked_zip(archive(("a", bomb)), texts=True):
        pass
    with untrusted.checked_zip(archive(("a", bomb))) as found:
        assert untrusted.member(found, "a") == bomb
        with pytest.raises(InputError, match="'a' has more than 1 MiB unpacked"):
            untrusted.member(found, "a", limit=2**20)


def test_xz() -> None:
    assert untrusted.unxz(lzma.compress(b"abc")) == b"abc"
    for data, words in (
        (b"", "ends early"),
        (lzma.compress(b"abc")[:-9], "ends early"),
        (b"no xz at all", "no .xz file"),
        (lzma.compress(bytes(2**21)), "more than 1 MiB"),
    ):
        with pytest.raises(InputError, match=words):
            untrusted.unxz(data, limit=2**20)


def test_numbers_are_no_python() -> None:
    assert untrusted.number(" -8.5e1 ") == -85.0
    for text in ("1_000", "0x10", "", "x"):
        with pytest.raises(ValueError, match=r"could not|not a number"):
            untrusted.number(text)


def test_a_spreadsheet_is_no_text() -> None:
    with pytest.raises(InputError, match=r"save its table as \.csv"):
        untrusted.decode(archive(("xl/workbook.xml", b"<a/>")))
