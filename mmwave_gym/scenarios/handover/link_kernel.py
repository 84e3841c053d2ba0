"""The links of `world.PaperWorld`, compiled: the same numbers to the bit, several steps of NumPy in one pass each.

The formula, for a UE at place p in slot t and cell k at s_k:

    snr_db = tx_power - noise - (39.4 + 36.7 log10 max(|p - s_k|, 1)) + shadow_k(p)
    snr    = 10^(snr_db / 10) * fading
    rsrq   = max(10 log10(snr_k / sum of snr), -45)
    rate   = min(log2(1 + sinr), most)                       sinr_k = snr_k / (1 + share * sum of the others' snr)

Powers and logarithms stay NumPy's, between the passes here, since other libraries round them differently:

1. `squared_distances`; then log10.
2. `shadowed_levels`: the exponent, with shadowing interpolated as `radio.fields.ExponentialField.at` does; then exp.
3. `faded_shares` or `past_shares`: SNRs and shares of the received power; then log10.
4. `interfered`, where cells disturb each other; then log1p.
5. `store_links`: side by side, as the game reads them.

Numbers are float32, as there: a constant is rounded to float32 before it meets an array, which is what NumPy does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

F32 = np.float32


@njit(cache=True)
def squared_distances(position_m: Any, site_m: Any, squared_m2: Any) -> None:
    """Fill `squared_m2` (cell, n) in m^2, at least 1.

    position_m: (2, n) in metres; site_m: (cell, 2) in metres.
    """
    for cell in range(len(site_m)):
        for i in range(position_m.shape[1]):
            x, y = position_m[0, i] - site_m[cell, 0], position_m[1, i] - site_m[cell, 1]
            squared_m2[cell, i] = max(x * x + y * y, F32(1.0))


@njit(cache=True, error_model="numpy")
def shadowed_levels(
    position_m: Any, maps_db: Any, points: int, grid: Any, law_db: Any, per_db: float, level: Any, weight: Any
) -> None:
    """Turn `level` (cell, n) from log10 of squared distances in m^2 into logarithms of the mean SNR, no unit.

    position_m: (2, n) in metres; maps_db: (cell, points * points) in dB; grid (4,): the side in metres, points a metre
    and the field's lost variances; law_db (3,): transmit power over noise, intercept and half the slope in dB; per_db:
    ln(10) / 10; weight: (4, n) is overwritten, no unit.
    """
    one, two, last = F32(1.0), F32(2.0), maps_db.shape[1] - 1
    corner = np.empty(position_m.shape[1], np.int64)
    for i in range(position_m.shape[1]):
        x = min(max(position_m[0, i], F32(0.0)), grid[0]) * grid[1]
        y = min(max(position_m[1, i], F32(0.0)), grid[0]) * grid[1]
        column, row = np.floor(x), np.floor(y)
        x, y = x - column, y - row
        dx, dy = two * x * (one - x), two * y * (one - y)
        scale = one / np.sqrt(one - grid[2] * (dx + dy) + grid[3] * (dx * dy))
        east = x * scale
        west = scale - east
        northeast, northwest = east * y, west * y
        weight[0, i], weight[1, i], weight[2, i], weight[3, i] = (
            west - northwest,
            northwest,
            east - northeast,
            northeast,
        )
        corner[i] = np.int64(column * F32(points) + row)
    for cell in range(len(maps_db)):
        here = maps_db[cell]
        for i in range(position_m.shape[1]):
            at = corner[i]
            shadow = here[min(at, last)] * weight[0, i]
            shadow += here[min(at + 1, last)] * weight[1, i]
            shadow += here[min(at + points, last)] * weight[2, i]
            shadow += here[min(at + points + 1, last)] * weight[3, i]
            level[cell, i] = ((law_db[0] - (law_db[1] + law_db[2] * level[cell, i])) + shadow) * F32(per_db)


@njit(cache=True, error_model="numpy")
def faded_shares(snr: Any, fading: Any, heard: bool, share: Any, total: Any) -> None:
    """Multiply linear SNRs (cell, n) by `fading` (cell, n), and fill `share` (cell, n) of the received power, no unit.

    heard: are shares those with fading? total (n,) is overwritten, no unit.
    """
    for cell in range(len(snr)):
        for i in range(len(total)):
            faded = snr[cell, i] * fading[cell, i]
            share[cell, i] = faded if heard else snr[cell, i]
            snr[cell, i] = faded
            total[i] = share[cell, i] if cell == 0 else total[i] + share[cell, i]
    for cell in range(len(snr)):
        for i in range(len(total)):
            share[cell, i] /= total[i]


@njit(cache=True, error_model="numpy")
def past_shares(snr: Any, fading: Any, slots: int, share: Any, total: Any) -> None:
    """As `faded_shares`, but `share` (cell, n) is that of the slot before, in the first slot that of the mean; no unit.

    snr, fading: (cell, n), no unit, `slots` slots of one UE after the other; total (n,) is overwritten.
    """
    for cell in range(len(snr)):
        before = F32(0.0)
        for i in range(len(total)):
            mean = snr[cell, i]
            share[cell, i] = mean if i % slots == 0 else before
            before = snr[cell, i] = mean * fading[cell, i]
            total[i] = share[cell, i] if cell == 0 else total[i] + share[cell, i]
    for cell in range(len(snr)):
        for i in range(len(total)):
            share[cell, i] /= total[i]


@njit(cache=True)
def interfered(snr: Any, share: float) -> None:
    """Turn linear SNRs (cell, n) into SINRs: `share` of the others' power disturbs; no unit."""
    for i in range(snr.shape[1]):
        total = 0.0
        for cell in range(len(snr)):
            total += np.float64(snr[cell, i])
        for cell in range(len(snr)):
            own = np.float64(snr[cell, i])
            snr[cell, i] = F32(own / (1.0 + share * (total - own)))


@njit(cache=True)
def store_links(share: Any, rate: Any, lowest_db: float, per_nat: float, most_bps_hz: float, link: Any) -> None:
    """Fill `link` (slot, ue, 2 * cell): RSRQs in dB, then rates of at most `most_bps_hz` in bit/s/Hz.

    share, rate: (cell, ue, slot), log10 of the shares and ln(1 + SINR), no unit; per_nat: bits a nat.
    """
    cells, ues, slots = share.shape
    for ue in range(ues):
        for slot in range(slots):
            for cell in range(cells):
                link[slot, ue, cell] = max(F32(10.0) * share[cell, ue, slot], F32(lowest_db))
                link[slot, ue, cells + cell] = min(rate[cell, ue, slot] * F32(per_nat), F32(most_bps_hz))
