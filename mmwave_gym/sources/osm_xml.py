"""Buildings of an OpenStreetMap file in XML (.osm), as the website exports a district and as JOSM saves it.

The file is read three times: first for the buildings, then for the ways of their relations, then for the nodes, so
that only these are kept. A relation's outer ways are joined where their ends meet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmwave_gym.core import untrusted
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray

Tags = dict[str, str]


@dataclass
class _Way:
    name: str
    nodes: list[str] = field(default_factory=list)
    outer: list[str] = field(default_factory=list)  # of a relation: its outer ways
    tags: Tags = field(default_factory=dict)

    @property
    def is_building(self) -> bool:
        return self.tags.get("building", "no") != "no"


def buildings(file: Path, notes: Notes) -> Iterator[tuple[str, FloatArray, Tags]]:
    """Where in the file, outline (corners, 2) in degrees and tags of every building. InputError names the line."""
    found: list[_Way] = []
    relations: list[_Way] = []
    _each(file, lambda kind, way: (found if kind == "way" else relations).append(way), lambda way: way.is_building)
    wanted = {name for relation in relations for name in relation.outer}
    ways: dict[str, list[str]] = {}
    if wanted:
        _each(file, lambda kind, way: ways.update({way.name: way.nodes} if kind == "way" else {}),
              lambda way: way.name in wanted)  # fmt: skip
    rings = [(f"way {way.name}", way.nodes, way.tags) for way in found]
    for relation in relations:
        parts = _joined([ways[name] for name in relation.outer if name in ways])
        rings += [(f"relation {relation.name}", nodes, relation.tags) for nodes in parts or [[]]]
    nodes = _nodes(file, {name for _, names, _ in rings for name in names})
    for where, names, tags in rings:
        place = [nodes[name] for name in names if name in nodes]
        if len(names) < 4 or names[0] != names[-1] or len(place) < len(names):
            notes.leave_out("building", "whose outline is not whole in the file", where)
        else:
            yield where, np.array(place[:-1]), tags


def _each(file: Path, take: Callable[[str, _Way], None], wanted: Callable[[_Way], bool]) -> None:
    """Call `take(kind, way)` for the wanted ways and relations."""
    kind, now = "", _Way("")

    def done() -> None:
        if kind in ("way", "relation") and wanted(now):
            take(kind, now)

    def element(name: str, attributes: dict[str, str], line: int) -> None:
        nonlocal kind, now
        if name in ("node", "way", "relation"):
            done()
            kind, now = name, _Way(attributes.get("id", f"in line {line}"))
        elif name == "nd":
            now.nodes.append(attributes.get("ref", ""))
        elif (
            name == "member" and attributes.get("type") == "way" and attributes.get("role") in ("outer", "outline", "")
        ):
            now.outer.append(attributes.get("ref", ""))
        elif name == "tag":
            now.tags[attributes.get("k", "")] = attributes.get("v", "")

    _parse(file, element)
    done()


def _nodes(file: Path, wanted: set[str]) -> dict[str, tuple[float, float]]:
    """Longitude and latitude of the wanted nodes that have numbers there."""
    found: dict[str, tuple[float, float]] = {}

    def element(name: str, attributes: dict[str, str], line: int) -> None:
        if name == "node" and attributes.get("id") in wanted:
            try:
                place = untrusted.number(attributes.get("lon", "")), untrusted.number(attributes.get("lat", ""))
            except ValueError:
                return
            if np.isfinite(place).all():
                found[attributes["id"]] = place

    _parse(file, element)
    return found


def _parse(file: Path, element: Callable[[str, dict[str, str], int], None]) -> None:
    with untrusted.open_regular(file) as stream:
        untrusted.parse_xml(stream, element)


def _joined(ways: list[list[str]]) -> list[list[str]]:
    """Closed rings of ways that meet at their ends; what does not close stays as it is."""
    rings: list[list[str]] = []
    rest = {number: list(way) for number, way in enumerate(ways) if way}
    ending: dict[str, deque[int]] = defaultdict(deque)
    for number, way in rest.items():
        for node in {way[0], way[-1]}:
            ending[node].append(number)
    for number in list(rest):
        if number not in rest:
            continue
        ring = rest.pop(number)
        while ring[0] != ring[-1]:
            near = ending[ring[-1]]
            while near and near[0] not in rest:
                near.popleft()
            if not near:
                break
            following = rest.pop(near.popleft())
            ring += (following if following[0] == ring[-1] else following[::-1])[1:]
        rings.append(ring)
    return rings
