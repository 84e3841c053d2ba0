"""The ray tracer's process: `python -m mmwave_gym.sources.raytracing.child JOB.json`.

It is a process of its own because an unfit LLVM aborts it (`tracing.run` tells that). It prints a line of JSON for each
stage and at its end, and writes the arrays that the job asks for.

Line of sight is computed exactly, by a ray from each site to each place: (wavelength / (4 pi distance))^2, isotropic.
Reflections come from Sionna RT's radio map, as a mean over a square of the grid. The radio map would find line of
sight too, but by chance: at 200 m a square of 5 m catches two of a million rays.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.processes import end_with_parent
from mmwave_gym.core.types import FloatArray
from mmwave_gym.sources.raytracing import places

GROUNDS = ("ground", "terrain", "plane", "floor")
"""Names of a scene's ground, small or capital letters: those of Sionna RT's scenes and of ours."""
ABOVE_M = 10.0
SPEED_OF_LIGHT_MPS = 299_792_458.0


def main(job_file: str) -> int:
    """Trace; 0, or 1 where the job cannot be done, with its reason in the last line."""
    job = json.loads(Path(job_file).read_text())
    end_with_parent(job["parent"])
    try:
        arrays = trace(job)
    except CityError as error:
        _tell(error=str(error))
        return 1
    named: dict[str, Any] = arrays
    np.savez_compressed(job["out"], **named)
    return 0


def _tell(**words: Any) -> None:
    print(json.dumps(words), flush=True)


class Tracer:
    """Sionna RT with one scene loaded, at one frequency."""

    def __init__(self, job: dict[str, Any]) -> None:
        import drjit
        import mitsuba
        from sionna import rt

        self.dr, self.mi, self.rt = drjit, mitsuba, rt
        drjit.set_thread_count(1)  # sums of several threads differ in their last bits from run to run
        file = job["file"] or getattr(rt.scene, job["scene"])
        self.scene = rt.load_scene(file, merge_shapes_exclude_regex=f"(?i)(mesh-)?({'|'.join(GROUNDS)})$")
        self.scene.frequency = job["frequency_hz"]
        names = [name for name in self.scene.objects if name.lower().removeprefix("mesh-") in GROUNDS]
        if not names:
            raise CityError(
                f"the scene {job['scene']!r} has no ground: it needs an object called {', '.join(GROUNDS)}; "
                f"it has {', '.join(sorted(self.scene.objects)[:5])}."
            )
        self.grounds = [self.scene.objects[name].mi_mesh for name in names]
        box = self.scene.mi_scene.bbox()
        self.centre_m = (0.5 * (box.min.x + box.max.x), 0.5 * (box.min.y + box.max.y))
        self.top_m = float(box.max.z) + ABOVE_M

    def _points(self, place_m: FloatArray) -> Any:
        return self.mi.Point3f(*(np.ascontiguousarray(axis, np.float32) for axis in place_m.T))

    def heights(self, xy_m: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Height (n,) in m of what is seen from above, NaN for nothing; whether it is ground (n,). xy_m: (n, 2)."""
        above = np.column_stack((xy_m, np.full(len(xy_m), self.top_m)))
        hit = self.scene.mi_scene.ray_intersect(self.mi.Ray3f(self._points(above), self.mi.Vector3f(0.0, 0.0, -1.0)))
        there = np.array(hit.is_valid())
        ground = np.zeros(len(xy_m), bool)
        for mesh in self.grounds:
            ground |= np.array(hit.shape == self.mi.ShapePtr(mesh))
        return np.where(there, np.array(hit.p.z, np.float64), np.nan), ground & there

    def sees(self, from_m: FloatArray, to_m: FloatArray) -> NDArray[np.bool_]:
        """Whether nothing stands between places: from_m (F, 3), to_m (T, 3); returns (F, T)."""
        seen = np.zeros((len(from_m), len(to_m)), bool)
        for i, start in enumerate(from_m):
            way = to_m - start
            length = np.linalg.norm(way, axis=1)
            ray = self.mi.Ray3f(self._points(np.broadcast_to(start, to_m.shape)), self._directions(way, length))
            ray.maxt = self.mi.Float(np.maximum(length - 1e-2, 1e-3).astype(np.float32))
            seen[i] = ~np.array(self.scene.mi_scene.ray_test(ray))
        return seen

    def _directions(self, way_m: FloatArray, length_m: FloatArray) -> Any:
        unit = (way_m / np.maximum(length_m, 1e-9)[:, None]).astype(np.float32)
        return self.mi.Vector3f(*(np.ascontiguousarray(axis) for axis in unit.T))

    def surface(self, rx_m: FloatArray, step_m: float) -> Any:
        """Two triangles a place, a level square of the grid: what the radio map is measured on. rx_m: (n, 3)."""
        half = 0.5 * step_m
        corners = np.array(((-half, -half, 0.0), (half, -half, 0.0), (half, half, 0.0), (-half, half, 0.0)))
        vertices = (rx_m[:, None, :] + corners).reshape(-1, 3).astype(np.float32)
        first = 4 * np.arange(len(rx_m))[:, None]
        faces = (first[..., None] + np.array(((0, 1, 2), (0, 2, 3)))).reshape(-1, 3)
        mesh = self.mi.Mesh("surface", len(vertices), len(faces))
        parameters = self.mi.traverse(mesh)
        parameters["vertex_positions"] = self.mi.Float(vertices.ravel())
        parameters["faces"] = self.mi.UInt32(faces.ravel().astype(np.uint32))
        parameters.update()
        return mesh

    def reflected(self, site_m: FloatArray, surface: Any, job: dict[str, Any]) -> FloatArray:
        """Mean path gain (n,), linear, of reflections from a site (3,) on the squares of `surface`."""
        for name in list(self.scene.transmitters):
            self.scene.remove(name)
        iso = self.rt.PlanarArray(num_rows=1, num_cols=1, pattern="iso", polarization="V")
        self.scene.tx_array = self.scene.rx_array = iso
        self.scene.add(self.rt.Transmitter("site", self.mi.Point3f(*site_m.tolist())))
        found = self.rt.RadioMapSolver()(
            self.scene, measurement_surface=surface, samples_per_tx=job["samples"], max_depth=job["depth"], los=False,
            refraction=False,
        )  # fmt: skip
        gain = np.array(found.path_gain, np.float64).reshape(-1, 2)
        return np.asarray(np.nan_to_num(gain).mean(axis=1))


def trace(job: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """Arrays `gain_db` (points, sites) in dB, `rx` (points, 3) and `tx` (sites, 3) in m, `los` (points, sites), `edges`
    (edges, 2) and what a picture needs.

    Raises CityError for a scene without ground or streets, and for sites in buildings.
    """
    _tell(stage="loading the scene", done=0, of=job["number"])
    tracer = Tracer(job)
    centre_m = tuple(job["centre_m"] or tracer.centre_m)
    xy_m = places.grid(centre_m, job["side_m"], job["step_m"])
    seen_m, is_ground = tracer.heights(xy_m.reshape(-1, 2))
    height_m, ground = seen_m.reshape(xy_m.shape[:2]), is_ground.reshape(xy_m.shape[:2])
    on_street = places.streets(ground)
    rx_m = np.column_stack((xy_m[on_street], height_m[on_street] + job["ue_height_m"]))
    tx_m = _sites(job, tracer, rx_m, on_street, ground)
    _tell(stage="line of sight", done=0, of=len(tx_m))
    los = tracer.sees(tx_m, rx_m)
    distance_m = np.linalg.norm(rx_m - tx_m[:, None], axis=2)
    gain = np.where(los, (SPEED_OF_LIGHT_MPS / (4.0 * np.pi * job["frequency_hz"] * distance_m)) ** 2, 0.0)
    surface = tracer.surface(rx_m, job["step_m"])
    for site, place_m in enumerate(tx_m):
        _tell(stage="reflections", done=site, of=len(tx_m))
        gain[site] += tracer.reflected(place_m, surface, job)
    with np.errstate(divide="ignore"):
        gain_db = np.maximum(10.0 * np.log10(gain), -200.0)
    return {
        "gain_db": gain_db.T, "rx": rx_m, "tx": tx_m, "los": los.T, "edges": places.edges(on_street),
        "map_m": xy_m, "roof": ~ground & np.isfinite(height_m),
    }  # fmt: skip


def _sites(
    job: dict[str, Any], tracer: Tracer, rx_m: FloatArray, on_street: NDArray[np.bool_], ground: NDArray[np.bool_]
) -> FloatArray:
    """Places (S, 3) in metres of the sites: those of the job, or as many as it asks for, at walls, in sight of most."""
    mast_m = job["site_height_m"]
    if job["sites_m"] is not None:
        place_m = np.array(job["sites_m"], np.float64)
        below_m, on_ground = tracer.heights(place_m)
        if not job["on_roofs"]:
            places.check_sites(tuple(job["site_names"]), place_m, on_ground, np.isfinite(below_m))
        above_m = np.where(on_ground, mast_m, places.ROOF_M)
        return np.column_stack((place_m, np.nan_to_num(below_m) + above_m))
    candidate = places.beside_walls(on_street, ground, np.random.default_rng(job["seed"]))
    candidate_m = rx_m[candidate] + (0.0, 0.0, mast_m - job["ue_height_m"])
    return candidate_m[places.cover(tracer.sees(candidate_m, rx_m), candidate_m[:, :2], job["number"])]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
