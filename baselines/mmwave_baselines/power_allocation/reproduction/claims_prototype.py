"""The verdicts on numbers of our prototype: an earlier implementation that shares no code with this one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mmwave_baselines.power_allocation.reproduction.measures import CLAIMS, Measured
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.verdicts import Found, within
from mmwave_gym.benchmark.statistics import Interval


def _prototype(id_: str, value: Callable[[Measured, str, str], Interval | None]) -> Callable[[Measured], Found]:
    """Against numbers of an earlier, independent implementation."""

    def found(m: Measured) -> Found:
        off: dict[str, float] = {}
        numbers: dict[str, dict[str, Any]] = CLAIMS[id_]["prototype"]
        for one, row in numbers.items():
            for other, theirs in row.items():
                ours = value(m, one, other)
                if ours is not None:
                    off[f"{one} {other}"] = 100.0 * (ours.mean / theirs - 1.0)
        rms = float(np.sqrt(np.mean(np.square(list(off.values())))))
        worst = max(off, key=lambda key: abs(off[key]))
        reason = f"{len(off)} numbers, mean {np.mean(list(off.values())):+.1f} %, worst {worst}: {off[worst]:+.1f} %"
        return Found(rms, None, within(rms, CLAIMS.tolerance(id_)), reason)

    return found


def _sum_of(setting: str) -> Callable[[Measured, str, str], Interval | None]:
    def value(m: Measured, method: str, size: str) -> Interval | None:
        return m.mean(setting, int(size), method) if m.has(setting, int(size), method) else None

    return value


def _network_of(m: Measured, where: str, method: str) -> Interval | None:
    density, scope = where.split()
    return mean(m.network(int(density), scope, method, "capacity_bps_hz"))


JUDGES: dict[str, Callable[[Measured], Found]] = {
    "prototype-optima": _prototype("prototype-optima", _sum_of("repaired")),
    "prototype-authors": _prototype("prototype-authors", _sum_of("authors")),
    "prototype-repaired": _prototype("prototype-repaired", _sum_of("repaired")),
    "prototype-networks": _prototype("prototype-networks", _network_of),
}
