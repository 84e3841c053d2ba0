"""Times as loggers write them: numbers of some unit, ISO 8601, slashes, dots, names of months, clock times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

import numpy as np

from mmwave_gym.core.types import Float64Array
from mmwave_gym.sources.recordings.options import UNITS_S

EPOCHS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"), (1e8, "s"))
"""A number from here on is a time since 1970 in this unit: all are dates between 1973 and 5138."""
LONG_STEP_S = 10.0  # ours: a drive test has a sample every few seconds
STEPS = (("ms", 200.0), ("us", 2e5), ("ns", 2e8))
LARGEST_STEP_S = 20.0
"""Numbers that rise by so much from row to row are in this unit: ours, steps between 0.2 and 20 s. Others may be in
two units: 100,000 ms are 100 s, and as many us are 0.1 s."""
SHORT_STEP_S = 1e-3  # ours: no phone has a sample so often; times in days rise by 1.2e-5 a second
LAST_YEAR = 2100
LONGEST_TEXT = 60
LARGEST_S = 1e11
ZONES_H = {"UTC": 0.0, "GMT": 0.0, "Z": 0.0, "WET": 0.0, "WEST": 1.0, "CET": 1.0, "CEST": 2.0, "EET": 2.0, "EEST": 3.0,
           "EST": -5.0, "EDT": -4.0, "CDT": -5.0, "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0, "JST": 9.0,
           "KST": 9.0}  # fmt: skip
"""Hours before UTC of abbreviations that loggers write for one zone only; CST, IST and BST are several."""
_START = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*")
_CTIME = re.compile(r"(?:[A-Z][a-z]{2},? )?([A-Z][a-z]{2}) +(\d{1,2}) (\d{1,2}:\d\d:\d\d) ?([A-Z]{1,5})? (\d{4})")
_CLOCK = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:[.,]\d+)?)")
_HALF_DAY = re.compile(r"(.*[ _T]|)(\d{1,2})([:.]\d\d.*?) ?([AaPp])\.?[Mm]\.?")
_MONTH = re.compile(
    r"(?:(\d{1,2})[ -]([A-Za-z]{3})|([A-Za-z]{3}) (\d{1,2})),?[ -](\d{4}),? (\d{1,2}:\d\d:\d\d)(?:[.,](\d{1,6}))?"
)
_COMPACT = re.compile(r"(?:19|20)(\d\d)(0[1-9]|1[0-2])([0-3]\d)([01]\d|2[0-3])([0-5]\d)([0-5]\d)(?:\.\d+)?")
_DAY_FIRST = re.compile(
    r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})[ _T]+(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[:.,](\d{1,6}))?)?"
)
_YEAR_FIRST = re.compile(
    r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})[ _T]+(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[:.,](\d{1,9}))?)?"
    r"\s*(Z|[-+]\d\d:?\d\d|[A-Z]{2,5})?"
)


class Times(NamedTuple):
    """A column of times."""

    time_s: Float64Array  # (rows,): since 1970 in UTC or by the local clock, or since some start
    understood: str
    """Unit and zone, for people."""
    epoch: bool
    """Are these dates? Else seconds since some start."""


class TimeError(ValueError):
    """A time that cannot be understood; `row` is its index."""

    def __init__(self, row: int, text: str):
        super().__init__(text)
        self.row = row


def parse(texts: Sequence[str], unit: str | None = None) -> Times:
    """Seconds of a column's fields, all of one kind. Raises TimeError with the first row that is of another."""
    texts = [_as_dates(text.strip()) for text in texts]
    first = next((text for text in texts if text), "")
    if unit is None and all(_COMPACT.fullmatch(text) for text in texts):  # 20221030025959
        return _moments([f"{text[:8]}T{text[8:]}" for text in texts])
    return _numbers(texts, unit) if _NUMBER.fullmatch(first) else _moments(texts)


def are_clocks(texts: Sequence[str]) -> bool:
    """Whether all are times of a day without a date."""
    return all(_CLOCK.fullmatch(_as_dates(text.strip())) for text in texts)


def _as_dates(text: str) -> str:
    """The text with a decimal point, and with hours to 24 where it has halves of a day, as in "11:59:30 PM"."""
    if len(text) > LONGEST_TEXT:
        return text
    if text.count(",") == 1 and _NUMBER.fullmatch(text.replace(",", ".")):
        return text.replace(",", ".")
    if (match := _HALF_DAY.fullmatch(text)) is None or not 1 <= int(match[2]) <= 12:
        return text
    return f"{match[1]}{int(match[2]) % 12 + (12 if match[4] in 'Pp' else 0):02d}{match[3]}"


def _numbers(texts: Sequence[str], unit: str | None) -> Times:
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        if not _NUMBER.fullmatch(text):
            raise TimeError(row, f"a number is needed, as in the rows before, got {text[:40]!r}")
        values[row] = float(text)
        if not math.isfinite(values[row]):
            raise TimeError(row, f"a time must be finite, got {text[:40]!r}")
    largest = float(np.abs(values).max(initial=0.0))
    since_start = len(values) > 1 and float(np.ptp(values)) > 0.5 * largest  # they begin near 0
    found = None if since_start else next((name for least, name in EPOCHS if largest >= least), None)
    steps = np.diff(values)
    step = float(np.median(steps[steps > 0])) if (steps > 0).any() else 0.0
    why = ""
    if unit is None and found is not None:
        unit, why = found, ", by the size of the numbers"
    elif unit is None and (
        unit := next((name for name, least in STEPS if least <= step <= LARGEST_STEP_S / UNITS_S[name]), None)
    ):
        why = f", because they rise by {step:g} from row to row"
    elif unit is None and 0.0 < step < SHORT_STEP_S:
        raise TimeError(
            0,
            f"times rise by {step:.3g} from row to row: give their unit (--unit d for days of a spreadsheet, --unit s)",
        )
    elif unit is None and step > LONG_STEP_S:
        raise TimeError(0, f"times rise by {step:g} from row to row: give their unit (--unit s, --unit ms, --unit us)")
    epoch = found is not None and UNITS_S[found] == UNITS_S.get(unit or "s")
    time_s = values * UNITS_S[unit or "s"]
    if (wrong := np.flatnonzero(np.abs(time_s) >= LARGEST_S)).size:
        row = int(wrong[0])
        raise TimeError(row, f"{texts[row][:40]} {unit or 's'} is no time: give its unit (--unit ms)")
    if epoch and largest * UNITS_S[unit or "s"] >= (LAST_YEAR - 1970) * 365.25 * 86400.0:
        row = int(np.abs(values).argmax())
        raise TimeError(row, f"{texts[row][:40]} {unit} since 1970 is after {LAST_YEAR}: give its unit (--unit)")
    return Times(time_s, f"{unit or 's'}{why}, {'since 1970 (UTC)' if epoch else 'since some start'}", epoch)


def _moments(texts: list[str]) -> Times:
    if len(clocks := [match for text in texts if (match := _CLOCK.fullmatch(text))]) == len(texts):
        return _clock_times(clocks)
    read = _reader(texts)
    seconds, zones = np.empty(len(texts)), set()
    for row, text in enumerate(texts):
        moment = read(text)
        if moment is None:
            raise TimeError(
                row,
                "the time must be a number, ISO 8601, or like 2019.11.25_15.34.34, 2019/11/25 15:34:34 or "
                f"Thu Aug 11 13:41:30 UTC 2022, got {text[:40]!r}",
            )
        zones.add("" if moment.tzinfo is None else f"{moment:%z}")
        if "" in zones and len(zones) > 1:
            raise TimeError(row, f"times with and without a time zone are mixed, as {text[:40]!r}")
        if not 1969 <= moment.year < LAST_YEAR:  # 1970 less a zone; years as 1 and 9999 stand for none
            raise TimeError(row, f"a date between 1970 and {LAST_YEAR} is needed, got {text[:40]!r}")
        seconds[row] = (moment.replace(tzinfo=moment.tzinfo or UTC) - _START).total_seconds()
    named = sorted(zones)
    zone = "no zone given: the local clock" if named == [""] else f"zone {', '.join(named[:4])}, counted in UTC"
    return Times(seconds, f"dates, {zone}", True)


def _clock_times(clocks: list[re.Match[str]]) -> Times:
    """Hours, minutes and seconds without a date; a fall by more than half a day is midnight."""
    seconds, days, before = np.empty(len(clocks)), 0.0, -math.inf
    for row, match in enumerate(clocks):
        now = 3600.0 * int(match[1]) + 60.0 * int(match[2]) + float(match[3].replace(",", "."))
        days += 86400.0 if before - now > 43200.0 else 0.0
        seconds[row], before = now + days, now
    return Times(seconds, "clock times without a date, by the local clock", False)


def _reader(texts: list[str]) -> Callable[[str], datetime | None]:
    """Who reads these texts: days before months unless a day above 12 says otherwise."""
    day_first = [match for text in texts[:2000] if (match := _DAY_FIRST.fullmatch(text))]
    if not day_first:
        return _moment
    if any(int(m[1]) > 12 for m in day_first):
        month, day = 3, 1
    elif any(int(m[3]) > 12 for m in day_first):
        month, day = 1, 3
    elif day_first[0][2] == "/":
        raise TimeError(0, f"{texts[0][:40]!r}: day or month first? Write the year first, as in 2019/11/25 15:34:34")
    else:
        month, day = 3, 1  # with points or hyphens the day comes first

    def read(text: str) -> datetime | None:
        match = _DAY_FIRST.fullmatch(text)
        if match is None:
            return None
        return _made(match[4], match[month], match[day], match[5], match[6], match[7], match[8], None)

    return read


def _moment(text: str) -> datetime | None:
    if match := _YEAR_FIRST.fullmatch(text):
        return _made(match[1], match[3], match[4], match[5], match[6], match[7], match[8], match[9])
    if match := _CTIME.fullmatch(text):
        try:
            moment = datetime.strptime(f"{match[5]} {match[1]} {match[2]} {match[3]}", "%Y %b %d %H:%M:%S")
        except ValueError:
            return None
        return _in_zone(moment, match[4])
    if match := _MONTH.fullmatch(text):
        try:
            day, month = match[1] or match[4], (match[2] or match[3]).capitalize()
            moment = datetime.strptime(f"{match[5]} {month} {day} {match[6]}", "%Y %b %d %H:%M:%S")
        except ValueError:
            return None
        return moment.replace(microsecond=int((match[7] or "0").ljust(6, "0")))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _made(
    year: str, month: str, day: str, hour: str, minute: str, second: str | None, part: str | None, zone: str | None
) -> datetime | None:
    try:
        micro = int((part or "0").ljust(6, "0")[:6])
        return _in_zone(
            datetime(int(year), int(month), int(day), int(hour), int(minute), int(second or 0), micro), zone
        )
    except ValueError:
        return None


def _in_zone(moment: datetime, zone: str | None) -> datetime | None:
    if not zone:
        return moment
    if zone[0] in "+-":
        sign, digits = (-1 if zone[0] == "-" else 1), zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        return moment.replace(tzinfo=timezone(sign * offset)) if offset < timedelta(hours=24) else None
    return moment.replace(tzinfo=timezone(timedelta(hours=ZONES_H[zone]))) if zone in ZONES_H else None
