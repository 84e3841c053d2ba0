"""Where UEs walk and where sites stand, of a grid of heights: NumPy only, so that it is tested without the tracer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.types import FloatArray

MAX_POINTS = 20_000
FEWEST_POINTS = 10
MAX_CANDIDATES = 400
"""Places at walls that a site is chosen from: ours, sight of more takes longer and finds hardly better ones."""
ROOF_M = 3.0
"""Height of a mast on a roof: ours."""
COVERED_BY = 2
"""Sites that a place should see. Ours: with one alone a UE has nothing to hand over to."""


def grid(centre_m: tuple[float, float], side_m: float, step_m: float) -> FloatArray:
    """Places (n, n, 2) in metres of a square grid; axis 0 goes east, axis 1 north. CityError for too many."""
    n = int(np.floor(side_m / step_m + 1e-9)) + 1
    if n < 3:
        raise CityError(f"a side of {side_m:g} m has only {n} points of step {step_m:g} m: take a smaller step.")
    if n * n > 4 * MAX_POINTS:
        raise CityError(
            f"a square of {side_m:g} m has {n * n:,} points of step {step_m:g} m, at most {4 * MAX_POINTS:,} are "
            "traced: take a smaller side or a larger step."
        )
    along = step_m * (np.arange(n) - 0.5 * (n - 1))
    return np.stack(np.meshgrid(centre_m[0] + along, centre_m[1] + along, indexing="ij"), axis=-1)


def streets(outdoor: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest part of the outdoor places (n, n) that hangs together: courtyards are left out. CityError if tiny."""
    label, parts = ndimage.label(outdoor)
    sizes = np.bincount(label.ravel(), minlength=parts + 1)[1:]
    if parts == 0 or sizes.max() < FEWEST_POINTS:
        raise CityError(
            f"the map has no streets here: at most {int(sizes.max(initial=0))} outdoor points of "
            f"{outdoor.size} hang together, at least {FEWEST_POINTS} are needed. Choose another --centre, a larger "
            "--side or a smaller --step."
        )
    if sizes.max() > MAX_POINTS:
        raise CityError(f"{int(sizes.max()):,} outdoor points, at most {MAX_POINTS:,}: take a larger --step.")
    return np.asarray(label == sizes.argmax() + 1)


def edges(on_street: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Pairs (E, 2) of neighbours, east-west and north-south, of the places of a grid in row-major order.

    on_street: (n, n), the grid's places that count.
    """
    number = np.cumsum(on_street.ravel()).reshape(on_street.shape) - 1
    pairs = []
    for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        both = on_street[a] & on_street[b]
        pairs.append(np.stack((number[a][both], number[b][both]), axis=1))
    return np.concatenate(pairs).astype(np.intp)


def beside_walls(
    on_street: NDArray[np.bool_], outdoor: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Numbers (c,) of street places next to a building, at most `MAX_CANDIDATES`: where a site can hang on a wall.

    on_street, outdoor: (n, n). Without buildings every place is one.
    """
    built = np.pad(~outdoor, 1)
    near = ndimage.binary_dilation(built, np.ones((3, 3), bool))[1:-1, 1:-1]
    found = np.flatnonzero(near[on_street])
    found = found if len(found) else np.arange(int(on_street.sum()))
    return np.sort(rng.choice(found, min(len(found), MAX_CANDIDATES), replace=False))


def cover(seen: NDArray[np.bool_], place_m: FloatArray, number: int) -> NDArray[np.intp]:
    """Candidates (number,), chosen one by one so that most places see `COVERED_BY` of them, then that most see more.

    seen: (candidates, places); place_m: (candidates, 2) in metres. A place counts as 1 while too few see it, and as
    1 / (1 + those it sees)**2 after that. Sites keep the distance of `number` sites spread over the candidates' square,
    halved, while any candidate does. Ties go to the first. CityError where there are fewer candidates.
    """
    if number > len(seen):
        raise CityError(f"--sites: {number} sites, but only {len(seen)} places to choose from: take fewer sites.")
    apart_m = 0.5 * float(np.sqrt(np.ptp(place_m, axis=0).prod() / number))
    count, nearest_m = np.zeros(seen.shape[1]), np.full(len(seen), np.inf)
    chosen: list[int] = []
    for _ in range(number):
        worth = np.where(count < COVERED_BY, 1.0, 1.0 / (1.0 + count) ** 2)
        free = np.ones(len(seen), bool)
        free[chosen] = False
        apart = free & (nearest_m >= apart_m)
        chosen.append(int(np.where(apart if apart.any() else free, seen @ worth, -1.0).argmax()))
        count += seen[chosen[-1]]
        nearest_m = np.minimum(nearest_m, np.linalg.norm(place_m - place_m[chosen[-1]], axis=1))
    return np.array(chosen, np.intp)


def check_sites(
    names: tuple[str, ...], place_m: FloatArray, on_ground: NDArray[np.bool_], known: NDArray[np.bool_]
) -> None:
    """CityError for sites in buildings or beyond the scene. place_m (S, 2); on_ground, known (S,)."""
    for bad, what in (
        (~known, "beyond the scene's ground; use the scene's metres, or leave them out"),
        (known & ~on_ground, "in a building; move them to the street, or set them on the roof by --on-roofs"),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            raise CityError(
                f"--sites: {int(bad.sum())} of {len(names)} sites stand {what}. The first: {names[first]!r} at "
                f"({place_m[first, 0]:.1f}, {place_m[first, 1]:.1f}) m."
            )
