"""Docstrings, plain text with Markdown's backquotes, as reStructuredText for autodoc; and pages of all modules.

Before a build it writes `api/generated`: a page for each subpackage, with every public name of every module.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import modules
from sphinx.errors import ExtensionError

BULLET = re.compile(r"(?:[*-]|\d+\.) ")


def rst(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText."""
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("```"):
            end = next((i for i in range(at + 1, len(lines)) if lines[i].lstrip().startswith("```")), len(lines))
            at = _literal(out, lines[at + 1 : end]) + end
            continue
        if line.startswith("    ") and _ended(out):
            end = at
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith("    ")):
                end += 1
            _literal(out, lines[at:end])
            at = end
            continue
        if line.lstrip().startswith("|"):
            end = at
            while end < len(lines) and lines[end].lstrip().startswith("|"):
                end += 1
            _literal(out, lines[at:end])
            at = end
            continue
        at += 1
        if BULLET.match(line):
            if out and out[-1].strip() and not _in_list(out):
                out.append("")
            out.append(_escaped(line))
            continue
        if line.strip() and out and out[-1].strip():  # hanging indents mean nothing here
            line = ("  " if _in_list(out) and line.startswith(" ") else "") + line.strip()
            if _in_list(out) and line.startswith("  "):
                line = " " * len(BULLET.match(_start(out)).group()) + line.strip()  # type: ignore[union-attr]
        out.append(_escaped(line.removesuffix(":") if line.rstrip().endswith("::") else line))
    return out


def _ended(out: list[str]) -> bool:
    return not out or not out[-1].strip()


def _start(out: list[str]) -> str:
    """The first line of the paragraph that is being written."""
    at = len(out) - 1
    while at >= 0 and out[at].strip() and not BULLET.match(out[at]):
        at -= 1
    return out[max(at, 0)]


def _in_list(out: list[str]) -> bool:
    return bool(out) and bool(BULLET.match(_start(out)))


def _literal(out: list[str], block: list[str]) -> int:
    """Lines as a block of code; returns 1, the line behind a fence."""
    if out and out[-1].strip():
        out.append("")
    out += ["::", ""]
    out += [
        f"    {line.strip() if not line.startswith('    ') else line[4:]}" if line.strip() else "" for line in block
    ]
    out.append("")
    return 1


def _escaped(line: str) -> str:
    """One line of prose: backquotes are code, and no other sign means anything but ** around words."""
    parts = re.split(r"(`+[^`]*`+)", line)
    for i, part in enumerate(parts):
        if i % 2:
            inner = part.strip("`").strip()
            parts[i] = f"\\ ``{inner}``\\ " if inner else part
            continue
        lead = BULLET.match(part) if i == 0 else None
        head, rest = (lead.group(), part[lead.end() :]) if lead else ("", part)
        rest = rest.replace("\\", "\\\\").replace("|", "\\|")
        rest = re.sub(r"\*\*(\S[^*]*)\*\*", "\0\\1\1", rest).replace("*", "\\*").replace("\0", "**").replace("\1", "**")
        rest = re.sub(r"_(?=\W|$)", r"\\_", rest)
        parts[i] = head + rest
    text = "".join(parts)
    return re.sub(r"^\\ ", "", text) if text.startswith("\\ ``") else text


def process(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = rst(lines)


def signature(app: Any, what: str, name: str, obj: Any, options: Any, text: str | None, returns: str | None) -> Any:
    """Defaults that have no short text, such as functions, are dots."""
    return (re.sub(r"<function .*?(?:<lambda>)?>|<[\w.]+ object at \w+>", "...", text) if text else text), returns


def write_pages(app: Any) -> None:
    folder = Path(app.srcdir) / "api" / "generated"
    folder.mkdir(exist_ok=True)
    wanted = modules.pages()
    for stale in folder.glob("*.md"):
        if stale.stem not in wanted:
            stale.unlink()
    for stem, text in wanted.items():
        path = folder / f"{stem}.md"
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def check_names(app: Any, env: Any) -> None:
    """Every public class and function of every module is in the reference. Raises ExtensionError."""
    objects = env.domaindata["py"]["objects"]
    missing = [name for name in modules.public_names() if name not in objects]
    if missing and any("api/generated" in docname for docname in env.found_docs):
        raise ExtensionError("not in the API reference:\n" + "\n".join(missing))


def setup(app: Any) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", signature)
    app.connect("env-check-consistency", check_names)
    return {"parallel_read_safe": True}
