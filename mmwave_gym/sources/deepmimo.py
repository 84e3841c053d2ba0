"""DeepMIMO folders (version 4) as link matrices: the power of every path from every base station to every user.

The format is that of https://www.deepmimo.net/docs/resources/specs.html. A scenario is a folder; a matrix is a file
NAME_tSET_txBS_rSET.npz (or .mat): transmitter set, base station in it, receiver set. Read are

* `power` (users, paths): dB relative to the transmitted power; NaN = no path. The powers of a link's paths are added;
* `rx_pos` or `rx_loc` (users, 3) and `tx_pos` or `tx_loc` (1, 3): metres;
* `params.json`, if there, for the carrier frequency.

Of several receiver sets the largest is the users' grid; base stations are often a second one. Places where no base
station is heard, and those that no street joins to the others, are left out as in `sources.raytraced`, whose radio is
used here too. This reader shares no code with the package `deepmimo`.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core import untrusted
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.types import FloatArray
from mmwave_gym.links.checks import MAX_CELLS, MAX_VALUES
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.sources.raytraced import Radio, joined

NAME = re.compile(r"power_(t[0-9]{1,6}_tx[0-9]{1,6})_(r[0-9]{1,6})\.(npz|mat)", re.ASCII)
MAX_FILE_BYTES = 256 * 2**20
MAX_PATH_VALUES = 50_000_000
"""Users times paths of one base station: 200 MB of float32."""
MAX_USERS = 100_000
HIGHEST_GAIN_DB = 0.0


def open_named(name: str) -> LinkMatrix:
    """ "deepmimo:FOLDER"."""
    return read(name)


def read(folder: str | Path) -> LinkMatrix:
    """The link matrix of a scenario's folder. Raises ChannelError with file and matrix."""
    place = Path(folder)
    if not str(folder) or not place.is_dir():
        raise ChannelError(f"deepmimo:{folder}: there is no such folder; name a DeepMIMO 4 scenario's.")
    files = _power_files(place)
    first = next(iter(files.values()))
    rx_m = _place(place, first, "rx").astype(np.float64)
    if len(rx_m) > MAX_USERS:
        raise ChannelError(f"{first}: it has {len(rx_m):,} users, at most {MAX_USERS:,} are read: cut the grid.")
    if len(rx_m) * len(files) > MAX_VALUES:
        raise ChannelError(
            f"deepmimo:{folder}: {len(rx_m):,} users times {len(files)} base stations are more than {MAX_VALUES:,}."
        )
    gain_db = np.stack([_gain_db(file, len(rx_m)) for file in files.values()], axis=1)
    tx_m = np.stack([_place(place, file, "tx")[0] for file in files.values()])
    radio = Radio()
    rsrp_dbm = radio.received_dbm(gain_db.astype(np.float64))
    with untrusted.blaming(place, ChannelError):
        kept, edges, note = joined(rx_m[:, :2], np.asarray(~np.isnan(rsrp_dbm).all(axis=1)))
        rsrp_dbm = rsrp_dbm[kept]
        heard = np.asarray(~np.isnan(rsrp_dbm).all(axis=0))
        return LinkMatrix(
            rsrp_dbm=rsrp_dbm[:, heard],
            noise_dbm=radio.noise_dbm,
            cells=tuple(name for name, there in zip(files, heard, strict=True) if there),
            position_m=rx_m[kept, :2],
            edges=edges,
            site_m=tx_m[heard, :2],
            carrier_hz=_carrier_hz(place),
            source=f"DeepMIMO scenario {place.resolve().name}",
            licence="as the scenario's author says; see its page on deepmimo.net",
            notes=f"{radio.text()} {int((~heard).sum())} of {len(files)} base stations are heard nowhere and left out."
            f"{note}",
        )


def _power_files(folder: Path) -> dict[str, Path]:
    """Base station -> its file of powers to the users' grid, in the order of their names."""
    by_grid: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()):
        if match := NAME.fullmatch(file.name):
            by_grid.setdefault(match[2], {}).setdefault(match[1], file)
    if not by_grid:
        found = ", ".join(sorted(file.name for file in folder.iterdir())[:5]) or "nothing"
        raise ChannelError(
            f"deepmimo:{folder}: it holds no power_t…_tx…_r….npz or .mat as DeepMIMO 4 writes them; found: {found}."
        )
    users = {grid: len(_place(folder, next(iter(files.values())), "rx")) for grid, files in by_grid.items()}
    files = by_grid[max(users, key=lambda grid: (users[grid], grid))]
    if not 2 <= len(files) <= MAX_CELLS:
        raise ChannelError(
            f"deepmimo:{folder}: {len(files)} base station{'' if len(files) == 1 else 's'}; there must be 2 to "
            f"{MAX_CELLS} to choose from."
        )
    return files


def _beside(power: Path, name: str) -> Path:
    return power.with_name(f"{name}{power.name.removeprefix('power')}")


def _place(folder: Path, power: Path, end: str) -> FloatArray:
    """Places (n, 3) in metres of the receivers or the transmitter that belong to a file of powers."""
    for name in (f"{end}_pos", f"{end}_loc"):
        for file in (
            _beside(power, name),
            _beside(power, name).with_suffix({".npz": ".mat"}.get(power.suffix, ".npz")),
        ):
            if file.exists():
                place_m = _matrix(file, name)
                if place_m.ndim != 2 or place_m.shape[1] != 3 or len(place_m) < 1 or not np.isfinite(place_m).all():
                    raise ChannelError(f"{file}: {name} must be finite, of shape (places, 3), got {place_m.shape}.")
                return place_m
    raise ChannelError(f"{power}: {_beside(power, f'{end}_pos').name} is missing beside it.")


def _gain_db(file: Path, users: int) -> FloatArray:
    """Path gain (users,) in dB, summed over paths; -200 where there is none."""
    power_db = _matrix(file, "power")
    if power_db.ndim != 2 or len(power_db) != users:
        raise ChannelError(f"{file}: power must have shape ({users}, paths), got {power_db.shape}.")
    known = power_db[np.isfinite(power_db)]
    if np.isposinf(power_db).any() or (known > HIGHEST_GAIN_DB).any():
        raise ChannelError(
            f"{file}: the largest power is {np.nanmax(power_db):g} dB; relative to what is sent it is below "
            f"{HIGHEST_GAIN_DB:g} dB. Is it linear, or of another unit?"
        )
    linear = np.where(np.isfinite(power_db), 10.0 ** (power_db / 10.0), 0.0).sum(axis=1)
    return np.asarray(10.0 * np.log10(np.maximum(linear, 1e-20)))


def _matrix(file: Path, name: str) -> FloatArray:
    """The array `name`, or the only one, of an .npz or .mat file."""
    with untrusted.blaming(file, ChannelError):
        data = untrusted.read_bytes(file, MAX_FILE_BYTES)
        arrays = untrusted.load_npz(data) if file.suffix == ".npz" else _mat(data)
        if name not in arrays and len(arrays) != 1:
            raise ChannelError(f"the array {name!r} is missing; it has {', '.join(sorted(arrays)) or 'none'}.")
        array = arrays.get(name, next(iter(arrays.values())))
        if array.dtype.kind not in "fiu":
            raise ChannelError(f"{name} must be numbers, got dtype {array.dtype}.")
        if array.size > MAX_PATH_VALUES:
            raise ChannelError(f"{name} may hold {MAX_PATH_VALUES:,} values, got {array.size:,}.")
        return np.asarray(array, np.float64)


def _mat(data: bytes) -> dict[str, NDArray[Any]]:
    """Numeric arrays of a MATLAB file up to version 7; their sizes are looked at before they are unpacked."""
    from scipy import io as matlab

    if data.startswith(b"MATLAB 7.3"):
        raise ChannelError("it is a MATLAB 7.3 file; save it as -v7 or as .npz.")
    for name, shape, _ in matlab.whosmat(io.BytesIO(data)):
        if np.prod(shape, dtype=np.float64) > MAX_PATH_VALUES:
            raise ChannelError(f"{name} may hold {MAX_PATH_VALUES:,} values, got shape {shape}.")
    found = matlab.loadmat(io.BytesIO(data))
    return {name: value for name, value in found.items() if isinstance(value, np.ndarray) and not name.startswith("__")}


def _carrier_hz(folder: Path) -> float | None:
    """The frequency in `params.json`, wherever in it; None without one."""
    file = folder / "params.json"
    if not file.is_file():
        return None
    with untrusted.blaming(file, ChannelError):
        waiting = [untrusted.json_value(untrusted.read_bytes(file, 2**20))]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            found = value.get("frequency")
            if isinstance(found, int | float) and not isinstance(found, bool) and 1e6 <= found <= 1e13:
                return float(found)
            waiting += value.values()
    return None
