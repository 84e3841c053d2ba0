"""On which days the services of a timetable run: calendar.txt and calendar_dates.txt.

Calendars are never written out day by day, since some reach to the year 9999. Between two days on which a calendar
begins, ends or has an exception, every Monday is like the next; so it is enough to look at one of each.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

DATE = re.compile(r"[0-9]{8}")
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Days:
    """Weekly services and their exceptions, by service_id. Days are proleptic ordinals, as of `datetime.date`."""

    def __init__(self) -> None:
        self._weekly: dict[str, list[tuple[tuple[bool, ...], int, int]]] = {}
        self._exception: dict[str, dict[int, bool]] = {}

    def weekly(self, service: str, week: tuple[bool, ...], first: int, last: int) -> None:
        """`service` runs on these days of the week (seven, Monday first) from `first` to `last`."""
        self._weekly.setdefault(service, []).append((week, first, last))

    def exception(self, service: str, day: int, runs: bool) -> None:
        """On this one day it runs, or does not run, whatever its week says."""
        self._exception.setdefault(service, {})[day] = runs

    def running(self, day: int) -> frozenset[str]:
        """The services that run on a day."""
        return frozenset(service for service in self.services() if self._on(service, np.array([day]))[0])

    def services(self) -> frozenset[str]:
        """All that a calendar names, whether they ever run or not."""
        return frozenset(self._weekly) | frozenset(self._exception)

    def span(self) -> tuple[int, int] | None:
        """The first and the last day on which anything runs; None: there is none."""
        days = self._days_to_look_at()
        any_runs = np.zeros(len(days), bool)
        for service in self.services():
            any_runs |= self._on(service, days)
        return (int(days[any_runs][0]), int(days[any_runs][-1])) if any_runs.any() else None

    def busiest(self, trips: Mapping[str, int]) -> int:
        """The earliest day on which the most trips run; `trips`: how many each service has."""
        days = self._days_to_look_at()
        total = np.zeros(len(days), np.int64)
        for service in self.services():
            total += trips.get(service, 0) * self._on(service, days)
        return int(days[total.argmax()])

    def _on(self, service: str, days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a service runs, for sorted `days`."""
        runs = np.zeros(len(days), bool)
        for week, first, last in self._weekly.get(service, ()):
            runs |= (days >= first) & (days <= last) & np.array(week)[(days - 1) % 7]
        for day, on in self._exception.get(service, {}).items():
            at = np.searchsorted(days, day)
            if at < len(days) and days[at] == day:
                runs[at] = on
        return runs

    def _days_to_look_at(self) -> NDArray[np.int64]:
        edges = {edge for rows in self._weekly.values() for _, first, last in rows for edge in (first, last + 1)}
        exceptions = {day for days in self._exception.values() for day in days}
        found: set[int] = {edge + near for edge in edges for near in range(-7, 7)}
        found.update(day + near for day in exceptions for near in (-7, 0, 7))
        return np.array(sorted(day for day in found if 1 <= day <= datetime.date.max.toordinal()), np.int64)


def ordinal(text: str) -> int | None:
    """The day that "20240131" names; None: there is no such day."""
    if not DATE.fullmatch(text):
        return None
    try:
        return datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])).toordinal()
    except ValueError:
        return None


def named(days: Iterable[int]) -> str:
    """ "2024-01-09 to 2024-01-10"."""
    return " to ".join(datetime.date.fromordinal(day).isoformat() for day in days)
