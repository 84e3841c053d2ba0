"""Short forms on pages: what each stands for, and the line that says so under a page's title.

A page has the line between two comments, which Markdown does not show::

    <!-- words -->
    *Short forms: base station (BS), user equipment (UE).*
    <!-- . -->

`mmwave-gym page PAGE` writes and renews it, from the short forms that the page uses and does not explain itself.
"""

from __future__ import annotations

import re
from importlib.resources import files

OPENING, END = "<!-- words -->", "<!-- . -->"
BLOCK = re.compile(rf"{OPENING}.*?{END}", re.DOTALL)
_HIDDEN = re.compile(
    r"\A---\n.*?\n---\n|```.*?```|^# [^\n]*|\$\$.*?\$\$|<!--.*?-->|`[^`\n]*`|\$[^$\n]*\$|\]\([^)\n]*\)|<[^>\n]+>"
    r"|https?://\S+|^:\w+:[^\n]*|\{[a-z:]+\}",
    re.DOTALL | re.MULTILINE,
)
"""Code, formulas, comments, headers and addresses: no prose."""
_TOKEN = re.compile(r"(?<![\w/.@#&-])(\d?[A-Z][A-Za-z0-9]*)(?:s|-v\d)?(?![\w@])")


def _table(name: str) -> dict[str, str]:
    """Lines "SHORT = what it stands for" of a file beside this module; an empty right side: a name, no short form."""
    text = (files(__package__) / name).read_text("utf-8")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines)


SHORT_FORMS = _table("words.txt")
"""Short form -> what it stands for, or "" for what is written out nowhere, such as a name."""


def prose(text: str) -> str:
    """The text of a page, Markdown, in which all that is no prose is blank; places stay the same."""
    return _HIDDEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def used(text: str) -> dict[str, int]:
    """Short forms in the prose of a page, and where each is used first, in characters. Unknown ones count, too."""
    found: dict[str, int] = {}
    for match in _TOKEN.finditer(prose(text)):
        word = match.group(1)
        if _is_short(word):
            found.setdefault(word.removesuffix("s") if word not in SHORT_FORMS else word, match.start())
    return found


def _is_short(word: str) -> bool:
    """Is this word a short form: a known one, or two capitals at least and no other letters?"""
    return word in SHORT_FORMS or bool(re.fullmatch(r"[A-Z]{2,}s?", word))


def undefined(text: str) -> list[str]:
    """Short forms of a page that its prose does not explain where they are used first, in their order."""
    shown, missing = prose(text), []
    for word, at in sorted(used(text).items(), key=lambda item: item[1]):
        if SHORT_FORMS.get(word) == "":
            continue
        name = re.escape(word)
        before, after = shown[max(0, at - 1) : at] == "(", shown[at:]
        explained = before or re.match(rf"{name}s?(?: \([a-z0-9]|: |,? (?:is|are|means) )", after)
        if not explained:
            missing.append(word)
    return missing


def key(text: str) -> str:
    """The line of a page that explains its short forms; empty where it needs none. What nobody knows is left out."""
    said, before = "", None
    while said != before:  # what stands for one may hold another
        known = {word for word in undefined(f"{said}\n{BLOCK.sub('', text)}") if SHORT_FORMS.get(word)}
        known |= set(re.findall(r"\((\w+)\)", said))
        before, said = said, ", ".join(f"{SHORT_FORMS[word]} ({word})" for word in sorted(known))
    return f"*Short forms: {said}.*" if said else ""


def explained(text: str) -> str:
    """The page with its line of short forms renewed, where it has one."""
    return BLOCK.sub(lambda _: f"{OPENING}\n{key(text)}\n{END}", text, count=1)


def headed(text: str) -> str:
    """The page with a line of its short forms under its title, and as it is where it has no title or needs no line."""
    title = re.search(r"^# .+\n", text, re.MULTILINE)
    if title is None or not key(text):
        return text
    return explained(f"{text[: title.end()]}\n{OPENING}{END}\n{text[title.end() :]}")
