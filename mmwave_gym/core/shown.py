"""Text of unknown origin, where people see it: on pages, in tables, in spreadsheets."""

from __future__ import annotations

import unicodedata

FORMULA = "=+-@＝＋－＠"
"""What a spreadsheet takes for the beginning of a formula, also in the wide forms of East Asian keyboards."""
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that turn the direction of what follows, so that a name reads as another one."""


def visible(text: str) -> str:
    r"""The text with its control and direction characters as escapes, as in "\u202e"; lines and tabs stay."""
    return "".join(character if _is_plain(character) else _escaped(character) for character in text)


def spreadsheet_safe(text: str) -> str:
    """The text as a cell of a CSV file: what a spreadsheet would take for a formula begins with a quote.

    Spreadsheets pass over blanks, line ends and characters without a width before the sign.
    """
    start = next((c for c in text if not c.isspace() and unicodedata.category(c) not in ("Cc", "Cf")), "")
    begins_odd = text[:1] in ("\t", "\r", "\n")
    return "'" + text if begins_odd or (start and start in FORMULA) else text


def unquoted(text: str) -> str:
    """The text that `spreadsheet_safe` made a cell of."""
    return text[1:] if text.startswith("'") and spreadsheet_safe(text[1:]) == text else text


def _is_plain(character: str) -> bool:
    if character in "\n\t":
        return True
    kind = unicodedata.category(character)
    return character not in DIRECTIONS and kind not in ("Cc", "Cs", "Zl", "Zp") and character != "\ufeff"


def _escaped(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
