"""Text of unknown origin on pages and in spreadsheets."""

from __future__ import annotations

import pytest

from mmwave_gym.core.shown import spreadsheet_safe, visible


@pytest.mark.parametrize(
    "text", ["=1+1", " =1+1", "\n=1+1", "\r\n =1+1", "\t=1", "\u200b=1", "\ufeff@SUM(A1)", "  +1", "-2+3", "＝1"]
)
def test_what_a_spreadsheet_would_reckon_is_quoted(text: str) -> None:
    assert spreadsheet_safe(text) == "'" + text


@pytest.mark.parametrize("text", ["", " ", "a=b", "cell 3", "  two words", "é"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert spreadsheet_safe(text) == text


def test_control_and_direction_characters_are_seen() -> None:
    assert visible("safe\u202egnp.exe") == "safe\\u202egnp.exe"
    assert visible("a\x1b[31m\x00\x85\u2066b\u2069\u2028") == "a\\x1b[31m\\x00\\x85\\u2066b\\u2069\\u2028"
    assert visible("Zürich, 東京\tand\nmore 👩‍💻") == "Zürich, 東京\tand\nmore 👩‍💻"
