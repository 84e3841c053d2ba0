"""From a timetable or floating-car data, a map and sites to a city file. docs/city_files.md tells the whole way.

The radio is 28 GHz. In line of sight the path loss is that of the urban micro cell, street canyon, of 3GPP TR 38.901
(table 7.4.1-1): 32.4 + 21 log10(d) + 20 log10(f / GHz) dB with d in three dimensions, up to the breakpoint 1.7 km away;
antennas 10 m and 1.5 m high (table 7.2-1). So the SNR falls as d^-2.1 and a city needs three numbers: the SNR at a
metre, the exponent, the difference in height. There is no shadowing: sight is what the map says. Powers, arrays and
bandwidth are those of M. R. Akdeniz et al., "Millimeter Wave Channel Modeling and Cellular Capacity Evaluation", IEEE
JSAC 2014; passengers sit behind glass, 9 dB (TR 38.901, 7.4.3.2, the mean for cars).
"""

from __future__ import annotations

import datetime
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from mmwave_gym.core.checks import at_least
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import noise_dbm
from mmwave_gym.scenarios.association.city import City
from mmwave_gym.sources import buildings as maps, gtfs, sight, sites as site_files, sumo_fcd
from mmwave_gym.sources.tracks import Projection, Tracks, knots_on_map

Bounds = tuple[float, float, float, float]

CARRIER_HZ = 28e9
BS_HEIGHT_M, UE_HEIGHT_M = 10.0, 1.5  # TR 38.901, table 7.2-1, UMi
EXPONENT = 2.1  # TR 38.901, table 7.4.1-1, UMi LOS
TX_POWER_DBM, BANDWIDTH_HZ, NOISE_FIGURE_DB = 30.0, 1e9, 7.0  # Akdeniz et al. 2014, 28 GHz
BS_GAIN_DB, UE_GAIN_DB = 10.0 * math.log10(8 * 8), 10.0 * math.log10(4 * 4)  # its arrays, 8 x 8 and 4 x 4, aligned
GLASS_DB = 9.0  # TR 38.901, 7.4.3.2
BREAKPOINT_M = 4.0 * (BS_HEIGHT_M - 1.0) * (UE_HEIGHT_M - 1.0) * CARRIER_HZ / 299_792_458.0
KNOT_S = 1.0
RADIUS_M = 200.0  # ours: the distance between sites of UMi in TR 38.901, table 7.2-1
SPACING_M = 100.0  # ours: with this range, from one to four candidates
LEAST_BLOCKED = 0.2
"""A city in which buildings block less of the links in range is none for mmWave: the summary warns."""


def snr_1m_db() -> float:
    """SNR at a metre, where the path loss is 32.4 dB + 20 log10(f / GHz)."""
    path_loss_db = 32.4 + 20.0 * math.log10(CARRIER_HZ / 1e9)
    received_dbm = TX_POWER_DBM + BS_GAIN_DB + UE_GAIN_DB - GLASS_DB - path_loss_db
    return received_dbm - noise_dbm(BANDWIDTH_HZ, noise_figure_db=NOISE_FIGURE_DB)


def range_m(snr_db: float) -> float:
    """Distance on the map at which a link in line of sight has this SNR."""
    distance_m = 10.0 ** ((snr_1m_db() - snr_db) / (10.0 * EXPONENT))
    return math.sqrt(max(distance_m**2 - (BS_HEIGHT_M - UE_HEIGHT_M) ** 2, 0.0))


def build(
    *,
    tracks: Tracks | None = None,
    gtfs_file: str | os.PathLike[str] | None = None,
    fcd_file: str | os.PathLike[str] | None = None,
    net_file: str | os.PathLike[str] | None = None,
    buildings_file: str | os.PathLike[str] | None = None,
    sites_file: str | os.PathLike[str] | None = None,
    from_s: float | None = None,
    to_s: float | None = None,
    date: datetime.date | None = None,
    modes: Sequence[str] = ("tram", "bus"),
    bounds: Bounds | None = None,
    spacing_m: float = SPACING_M,
    radius_m: float = RADIUS_M,
    licence: str = "",
    persons: bool = False,
    crs: str | None = None,
    notes: Notes | None = None,
    on_stage: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> City:
    """A city from one of `tracks`, a GTFS feed (with `from_s` and `to_s`, seconds of the day) or floating-car data.

    The map is where there are buildings; without `buildings_file` it is where vehicles go, nothing is blocked, and the
    notes say so. `bounds` (west, south, east, north) cuts it. Without `sites_file` sites are placed by
    `sites.placed`. `persons`: those of the floating-car data are UEs too. `crs`: of the file of sites, if its places
    are neither degrees nor the map's metres. `notes` hears what is left out, and the city keeps it.
    `on_stage(what, done, total)` hears of the progress. Raises CityError (file, row and field).
    """
    if sum(source is not None for source in (tracks, gtfs_file, fcd_file)) != 1:
        raise CityError("a city needs either a timetable (GTFS) or floating-car data (FCD) of its vehicles.")
    at_least("spacing_m", spacing_m, 1.0)
    if not 1.0 <= radius_m <= BREAKPOINT_M:
        raise CityError(
            f"radius_m must be between 1 and {BREAKPOINT_M:.0f}, the breakpoint of the path loss; got {radius_m:g}."
        )
    if from_s is not None and to_s is not None and not 0.0 <= from_s < to_s:
        raise CityError(f"the time must be from an earlier to a later moment, got {from_s:g} to {to_s:g} s of the day.")

    notes = Notes(error=CityError) if notes is None else notes
    on_stage("reading the map", 0, 1)
    town = None
    if buildings_file is not None:
        notes.file = Path(buildings_file).name
        town = maps.read(buildings_file, notes)
    if town is not None and gtfs_file is not None:
        town = town.in_degrees()
    on_stage("reading the vehicles", 0, 1)
    if gtfs_file is not None:
        if from_s is None or to_s is None:
            raise CityError("a timetable needs a time window: say --from and --to.")
        bounds, notes.file = _bounds_of(bounds, town), Path(gtfs_file).name
        tracks = gtfs.read(gtfs_file, from_s=from_s, to_s=to_s, date=date, modes=modes, bounds=bounds, notes=notes)
    elif fcd_file is not None:
        notes.file = Path(fcd_file).name
        tracks = sumo_fcd.read(fcd_file, net=net_file, persons=persons, notes=notes)
    assert tracks is not None
    if town is not None and tracks.degrees:
        town = town.in_degrees()
    bounds = _bounds_of(bounds, town)
    first_s = min(float(t.time_s[0]) for t in tracks.tracks)
    last_s = max(float(t.time_s[-1]) for t in tracks.tracks)
    start_s = math.floor(first_s) if from_s is None else from_s
    span_s = (math.ceil(last_s) if to_s is None else to_s) - start_s
    if town is not None and town.degrees != tracks.degrees:
        raise CityError("the map is in degrees and the vehicles in metres: give the SUMO net, with a projection.")
    _check_together(tracks, bounds)

    projection = Projection(bounds or _bounds(tracks), tracks.degrees)
    on_stage("driving", 0, 1)
    knots = knots_on_map(tracks.tracks, projection, start_s, span_s, KNOT_S)
    stops_m = projection.metres(tracks.stops) if len(tracks.stops) else tracks.stops
    note = ""
    if sites_file is not None:
        notes.file = Path(sites_file).name
        names, bs_m, note = site_files.read(sites_file, projection, crs=crs, notes=notes)
    else:
        names, bs_m = site_files.placed(stops_m, knots, projection.size_m, spacing_m)
        placed_at = "along the ways" if names[0].startswith("way") else "at stops and corners"
        note = f"{len(names)} sites placed {placed_at}, at least {spacing_m:g} m apart."
    outlines = _near([projection.metres(ring) for ring in town.outlines], projection.size_m) if town else []
    done = iter(range(1, len(bs_m) + 1))
    who, where, when_s, in_range_s = sight.visits(
        *(knots, KNOT_S, bs_m, outlines, radius_m), lambda: on_stage("line of sight", next(done), len(bs_m))
    )
    if len(who) == 0:
        raise CityError(f"no vehicle ever has a base station within {radius_m:g} m and in line of sight.")
    texts: list[Tracks | maps.Buildings] = [tracks, *([town] if town else [])]
    without = "" if town else "There is no map of buildings: nothing is blocked."
    return City(
        bs_m=bs_m,
        sites=names,
        start_s=start_s,
        span_s=span_s,
        knot_s=KNOT_S,
        vehicles=knots.vehicles,
        first_knot=knots.first_knot,
        num_knots=knots.num_knots,
        knots_m=knots.knots_m,
        present_s=knots.present_s,
        visit_vehicle=who,
        visit_bs=where,
        visit_s=when_s,
        corners=np.array([len(ring) for ring in outlines], dtype=np.int64),
        corner_m=np.concatenate(outlines) if outlines else np.zeros((0, 2)),
        snr_1m_db=snr_1m_db(),
        path_loss_exponent=EXPONENT,
        height_m=BS_HEIGHT_M - UE_HEIGHT_M,
        bandwidth_hz=BANDWIDTH_HZ,
        radius_m=radius_m,
        carrier_hz=CARRIER_HZ,
        in_range_s=in_range_s,
        projection=projection.text,
        source="; ".join(t.source for t in texts if t.source),
        attribution="; ".join(dict.fromkeys(t.attribution for t in reversed(texts) if t.attribution)),
        licence="; ".join(dict.fromkeys(x for x in (licence, *(t.licence for t in reversed(texts))) if x)),
        notes="\n".join(x for x in (" ".join(x for x in (note, without) if x), *notes.lines()) if x),
    )


def _bounds(tracks: Tracks) -> Bounds:
    place = np.concatenate([track.place for track in tracks.tracks])
    west, south = place.min(axis=0).tolist()
    east, north = place.max(axis=0).tolist()
    return west, south, east, north


def _bounds_of(bounds: Bounds | None, town: maps.Buildings | None) -> Bounds | None:
    """What `bounds` leaves of the map."""
    if town is None or bounds is None:
        return bounds if town is None else town.bounds
    return _common(bounds, town.bounds)


def _common(one: Bounds, other: Bounds) -> Bounds:
    found = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    if found[0] >= found[2] or found[1] >= found[3]:
        raise CityError(f"the bounds {one} (west, south, east, north) and the map's {other} have nothing in common.")
    return found


def _check_together(tracks: Tracks, bounds: Bounds | None) -> None:
    """CityError where no vehicle comes near the map; it says if coordinates look swapped."""
    if bounds is None:
        return
    here = np.array(_bounds(tracks))
    box = np.array(bounds)
    if (here[:2] <= box[2:]).all() and (here[2:] >= box[:2]).all():
        return
    swapped = here[[1, 0, 3, 2]]
    hint = ""
    if (swapped[:2] <= box[2:]).all() and (swapped[2:] >= box[:2]).all():
        hint = " Latitude and longitude are swapped in one of them."
    raise CityError(f"vehicles are between {here[:2]} and {here[2:]}, the map between {box[:2]} and {box[2:]}: they do "
                    f"not belong together.{hint}")  # fmt: skip


def _near(outlines: list[FloatArray], size_m: FloatArray) -> list[FloatArray]:
    """Outlines that reach onto the map, where all base stations and vehicles are."""
    return [ring for ring in outlines if (ring.max(axis=0) >= 0.0).all() and (ring.min(axis=0) <= size_m).all()]
