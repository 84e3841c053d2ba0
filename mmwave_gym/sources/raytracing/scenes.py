"""Scenes for the ray tracer: those that come with Sionna RT, and maps whose buildings are extruded to meshes.

A scene of a map is a folder: `scene.xml` (Mitsuba 3), `meshes/buildings.ply` and `meshes/ground.ply`. The ground is
flat: neither OpenStreetMap nor GeoJSON tells its height. Walls, roofs and ground are concrete (ITU-R P.2040, as in
Sionna RT's own cities). Courtyards are closed, as in the reader of buildings. A building without a height in the map
has `UNKNOWN_HEIGHT_M`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources import buildings
from mmwave_gym.sources.tracks import Projection, library

OSM_TERMS = f"Map: {buildings.OSM_ATTRIBUTION}, ODbL 1.0 (https://www.openstreetmap.org/copyright)"
BUILT_IN = {
    "munich": "Munich, around the Frauenkirche",
    "etoile": "Paris, around the Arc de Triomphe",
    "florence": "Florence, around the cathedral",
    "san_francisco": "San Francisco, with its hills",
}
"""Sionna RT's cities, made of OpenStreetMap (docstrings of `sionna.rt.scene`, version 2.2.0)."""
WITHOUT_MAP = ("simple_street_canyon", "simple_street_canyon_with_cars", "floor_wall", "simple_reflector", "box")
"""Sionna RT's small scenes. They are of no place; those without a ground are refused by the tracer."""
UNKNOWN_HEIGHT_M = 15.0
"""Ours: four to five storeys, usual in a European centre."""
LEAST_AREA_M2 = 1.0
EDGE_M = 50.0
"""The ground reaches so far beyond the buildings: ours, a street's width and more."""
MAP_ENDINGS = (".pbf", ".osm", ".gz", ".geojson", ".json")


@dataclass(frozen=True)
class Scene:
    """What the tracer loads, and what must be said of it."""

    name: str
    file: Path | None
    """`scene.xml`; None for a scene that comes with Sionna RT under `name`."""
    source: str
    licence: str
    projection: Projection | None = None
    """Of a map in degrees or metres; None where the scene has metres of its own."""
    notes: str = ""


@dataclass(frozen=True)
class Mesh:
    """Triangles: vertices (V, 3) in metres and faces (F, 3), anticlockwise seen from outside."""

    vertices_m: FloatArray
    faces: NDArray[np.int32]


def open_scene(scene: str, folder: Path) -> Scene:
    """A built-in scene by name, or the scene of a map, written to `folder`.

    Raises CityError for an unknown name or a map without buildings.
    """
    if scene in BUILT_IN:
        return Scene(scene, None, f"ray-traced {BUILT_IN[scene]}: scene {scene!r} of Sionna RT", OSM_TERMS)
    if scene in WITHOUT_MAP:
        return Scene(scene, None, f"ray-traced scene {scene!r} of Sionna RT", "")
    if Path(scene).suffix.lower() not in MAP_ENDINGS and not Path(scene).exists():
        raise CityError(
            f"--scene: {scene!r} is neither a map (.osm.pbf, .osm, .geojson) nor one of {', '.join(BUILT_IN)}, "
            f"{', '.join(WITHOUT_MAP)}."
        )
    notes = Notes(error=CityError)
    found = buildings.read(scene, notes)
    projection = Projection(found.bounds, found.degrees)
    mesh, unknown, failed = extruded([projection.metres(ring) for ring in found.outlines], found.height_m)
    write_scene(folder, mesh)
    terms = ", ".join(text for text in (found.attribution, found.licence.removesuffix(" (map)")) if text)
    note = (
        f"{len(found.outlines) - failed} buildings, {unknown} of them without a height in the map and taken to be "
        f"{UNKNOWN_HEIGHT_M:g} m high; flat ground. Metres of {projection.text}."
    )
    return Scene(
        Path(scene).name, folder / "scene.xml", f"ray-traced {found.source}", f"Map: {terms}" if terms else "",
        projection, " ".join(text for text in (note, notes.text()) if text),
    )  # fmt: skip


def extruded(outlines_m: list[FloatArray], height_m: FloatArray) -> tuple[Mesh, int, int]:
    """Walls and roofs of buildings; how many had no height; how many outlines have no area and are left out.

    outlines_m: (corners, 2) each; height_m: (outlines,) in metres, NaN = unknown. Raises CityError where none is left.
    """
    shapely = library("shapely", "extruding buildings")
    parts: list[Mesh] = []
    unknown = failed = first = 0
    for ring, height in zip(outlines_m, height_m.tolist(), strict=True):
        known = np.isfinite(height) and height > 0.0
        shape = shapely.make_valid(shapely.Polygon(ring))
        polygons = [p for p in getattr(shape, "geoms", [shape]) if p.geom_type == "Polygon" and p.area >= LEAST_AREA_M2]
        failed += not polygons
        unknown += bool(polygons) and not known
        for polygon in polygons:
            parts.append(_prism(polygon, height if known else UNKNOWN_HEIGHT_M, first, shapely))
            first += len(parts[-1].vertices_m)
    if not parts:
        raise CityError(f"none of its {len(outlines_m)} buildings has an area of at least {LEAST_AREA_M2:g} m².")
    return (
        Mesh(np.concatenate([p.vertices_m for p in parts]), np.concatenate([p.faces for p in parts])),
        unknown,
        failed,
    )


def _prism(polygon: Any, height_m: float, first: int, shapely: Any) -> Mesh:
    """Walls and roof above the outer ring of a polygon; its vertices count from `first`."""
    filled = shapely.orient_polygons(shapely.Polygon(polygon.exterior))
    ring = np.asarray(filled.exterior.coords)[:-1, :2]
    n = len(ring)
    here, following = np.arange(n), (np.arange(n) + 1) % n
    walls = np.concatenate(
        (np.stack((here, following, n + following), axis=1), np.stack((here, n + following, n + here), axis=1))
    )
    index = {tuple(corner): number for number, corner in enumerate(ring.tolist())}
    triangles = shapely.orient_polygons(shapely.constrained_delaunay_triangles(filled)).geoms
    roof = np.array([[n + index[tuple(c)] for c in list(t.exterior.coords)[:3]] for t in triangles])
    low, high = np.zeros((n, 1)), np.full((n, 1), height_m)
    vertices_m = np.concatenate((np.hstack((ring, low)), np.hstack((ring, high))))
    return Mesh(vertices_m, (np.concatenate((walls, roof)) + first).astype(np.int32))


def ground_of(mesh: Mesh) -> Mesh:
    """A flat square of ground under all buildings and `EDGE_M` beyond them."""
    west, south = mesh.vertices_m[:, :2].min(axis=0) - EDGE_M
    east, north = mesh.vertices_m[:, :2].max(axis=0) + EDGE_M
    corners = np.array(((west, south, 0.0), (east, south, 0.0), (east, north, 0.0), (west, north, 0.0)))
    return Mesh(corners, np.array(((0, 1, 2), (0, 2, 3)), np.int32))


def write_scene(folder: Path, mesh: Mesh) -> None:
    """Write buildings and ground as a scene of Mitsuba 3 that Sionna RT loads. Equal buildings give equal bytes."""
    (folder / "meshes").mkdir(parents=True, exist_ok=True)
    (folder / "meshes" / "buildings.ply").write_bytes(ply(mesh))
    (folder / "meshes" / "ground.ply").write_bytes(ply(ground_of(mesh)))
    (folder / "scene.xml").write_text(scene_xml(("buildings", "ground")))


def ply(mesh: Mesh) -> bytes:
    """A mesh in binary PLY, little endian."""
    faces = np.zeros(len(mesh.faces), [("corners", "u1"), ("of", "<i4", 3)])
    faces["corners"], faces["of"] = 3, mesh.faces
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(mesh.vertices_m)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    return header.encode() + mesh.vertices_m.astype("<f4").tobytes() + faces.tobytes()


def scene_xml(meshes: tuple[str, ...]) -> str:
    """The scene's XML: a shape for each mesh of `meshes/NAME.ply`, all of concrete."""
    shapes = "\n".join(
        f'  <shape type="ply" id="mesh-{name}"><string name="filename" value="meshes/{name}.ply"/>'
        '<boolean name="face_normals" value="true"/><ref id="mat-itu_concrete" name="bsdf"/></shape>'
        for name in meshes
    )
    material = (
        '  <bsdf type="itu-radio-material" id="mat-itu_concrete"><string name="type" value="concrete"/>'
        '<float name="thickness" value="0.1"/></bsdf>'
    )
    return f'<scene version="2.1.0">\n{material}\n{shapes}\n</scene>\n'
