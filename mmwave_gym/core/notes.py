"""What a reader of other people's files leaves out or reads in its own way: counted, and the first of each kind named.

A reader takes a `Notes` and tells it. Whoever started the reader shows `lines`, or keeps `text` with the result.
"""

from __future__ import annotations

from mmwave_gym.core.errors import InputError
from mmwave_gym.core.shown import visible


class Notes:
    """Counts by kind. `strict`: what would be left out because it is wrong is an error instead."""

    def __init__(self, *, strict: bool = False, error: type[InputError] = InputError):
        self.strict, self.error = strict, error
        self.file = ""
        """The name of the file that is being read, where there are several: told with what is left out of it."""
        self._left_out: dict[tuple[str, str, str], tuple[int, str]] = {}
        self._remarks: list[str] = []
        self.first_wrong = ""
        """Where and what the first was that was left out because it is wrong; for an error where nothing is left."""

    def leave_out(self, what: str, why: str, where: str, wrong: str = "") -> None:
        """Count one `what` (a noun in the singular) that is left out, `why` behind it, as in "trip", "without a time".

        `where` names the file's place, `wrong` says what is wrong there. Raises `error` with both if `strict`.
        """
        text = f"{where}: {wrong or f'a {what} {why}'}"
        if self.strict:
            raise self.error(f"{text}.")
        self.first_wrong = self.first_wrong or text
        self.count(what, why, where)

    def count(self, what: str, why: str, where: str, number: int = 1) -> None:
        """Count what is left out by the reader's own rules, so in a strict reading too."""
        if number:
            known, first = self._left_out.get((self.file, what, why), (0, where))
            self._left_out[self.file, what, why] = known + number, first

    def remark(self, text: str) -> None:
        """Say once how something was understood."""
        if text not in self._remarks:
            self._remarks.append(text)

    def number(self, what: str) -> int:
        """How many of `what` were left out."""
        return sum(number for (_, noun, _), (number, _) in self._left_out.items() if noun == what)

    def lines(self) -> list[str]:
        """One line a kind, as in "left out: 3 trips without a last time (first: stop_times.txt, row 17)"."""
        told = [
            *(
                f"left out: {number:,} {what if number == 1 else _plural(what)} {why}{_first(file, first)}"
                for (file, what, why), (number, first) in self._left_out.items()
            ),
            *self._remarks,
        ]
        return [visible(line) for line in told]

    def text(self) -> str:
        """The lines as sentences of one paragraph."""
        return " ".join(f"{line[0].upper()}{line[1:].rstrip('.')}." for line in self.lines())


def _first(file: str, where: str) -> str:
    place = ", ".join(part for part in (file, where) if part)
    return f" (first: {place})" if where else f" ({file})" if file else ""


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
