"""The archive of a GTFS feed: its tables, wherever in it they lie, and their rows as text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes

MAX_BYTES = 2 * 2**30  # unpacked
TABLES = ("routes.txt", "trips.txt", "stops.txt", "stop_times.txt", "shapes.txt")


class Tables:
    """The tables of an archive, wherever in it they lie."""

    def __init__(self, archive: zipfile.ZipFile, notes: Notes):
        self.archive, self.notes = archive, notes
        folders: dict[str, dict[str, str]] = {}
        for member in archive.infolist():
            path = PurePosixPath(member.filename.replace("\\", "/"))
            if not member.is_dir() and not any(part == "__MACOSX" or part.startswith(".") for part in path.parts):
                folders.setdefault(str(path.parent), {})[path.name.lower()] = member.filename
        self._member = folders[self._folder(folders)]
        for table in TABLES:
            if table not in self._member:
                why = ": without shapes nobody knows the streets between stops" if table == "shapes.txt" else ""
                raise CityError(f"{table} is missing{why}.")
        if not {"calendar.txt", "calendar_dates.txt"} & set(self._member):
            raise CityError("calendar.txt and calendar_dates.txt are both missing: nothing says on which days it runs.")

    def _folder(self, folders: dict[str, dict[str, str]]) -> str:
        """Where the tables lie: at the top, or in the only folder that has some."""
        having = sorted(name for name, files in folders.items() if len({*TABLES} & set(files)) > 1)
        if "." in having:
            return "."
        if len(having) > 1:
            raise CityError(
                f"it holds {len(having)} feeds, in the folders {', '.join(having)[:200]}: give one of them."
            )
        if having:
            self.notes.remark(f"the tables were found in the folder {having[0]!r} of the archive.")
            return having[0]
        inner = [name for files in folders.values() for name in sorted(files) if name.endswith(".zip")]
        if inner:
            raise CityError(f"it holds other archives, {', '.join(inner)[:200]}: unpack it and give one of them.")
        raise CityError(f"{TABLES[0]} is missing, and so are the other tables of a timetable.")

    def rows(
        self, table: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """Numbers and stripped fields of a table's rows, `optional` ones first, empty where the table lacks them.

        Nothing comes of a table that is not there.
        """
        if table not in self._member:
            return
        with untrusted.blaming(table, CityError):
            text = untrusted.decode(untrusted.member(self.archive, self._member[table]))
            lines = untrusted.csv_rows(text, skip_spaces=True)
            header = [name.strip().lower() for name in next(lines, (1, []))[1]]
        for name in needed:
            if name not in header:
                raise CityError(
                    f"{table}: the field {name!r} is missing; it has {', '.join(header)[:200] or 'nothing'}."
                )
        places = [header.index(name) if name in header else -1 for name in (*optional, *needed)]
        width = len(header)
        with untrusted.blaming(table, CityError):
            for number, values in lines:
                if len(values) > width and not "".join(values[width:]).strip():
                    values = values[:width]  # commas at the end
                if len(values) == width:
                    yield number, ["" if place < 0 else values[place].strip() for place in places]
                elif "".join(values).strip():
                    self.notes.leave_out(
                        "row",
                        f"of {table} with more or fewer fields than its header",
                        f"{table}, row {number}",
                        f"{len(values)} fields where the header has {width}",
                    )
