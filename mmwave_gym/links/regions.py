"""Regions of a measured world, its halves, so that one learns in some streets and is tested in others.

A region is written behind the channel, `channel="mssn:V-R10/2071667#north"`, and may be divided again, "#north#west".
The line is the middle of the places' extent; a place on it belongs to the north or the east.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mmwave_gym.core.errors import ChannelError
from mmwave_gym.links.matrix import LinkMatrix

REGIONS = {"north": (1, True), "south": (1, False), "east": (0, True), "west": (0, False)}
"""Name -> coordinate, and whether the region is where that is large."""
ON_LINE = 1e-9
"""Relative to the extent: a place this far below the line is on it but for rounding."""


def within(matrix: LinkMatrix, region: str) -> LinkMatrix:
    """The places of one of `REGIONS` and the edges between them: nobody walks out, and nobody hears from outside.

    The cells stay those of the whole matrix in its order, so that what acts in one region can act in another; those
    that no place of the region hears are NaN throughout. Of places that the cut has parted only the largest part that
    hangs together is kept; `notes` says how many that leaves. Raises ChannelError for an unknown region, a recording
    over time, and fewer than two places.
    """
    if region not in REGIONS:
        raise ChannelError(f"unknown region {region!r}; a region is one of {', '.join(REGIONS)}.")
    if matrix.position_m is None or matrix.edges is None:
        raise ChannelError(f"a recording over time has no streets that could be cut into regions such as {region!r}.")
    low_m, high_m = matrix.position_m.min(axis=0), matrix.position_m.max(axis=0)
    axis, upper = REGIONS[region]
    inside = (matrix.position_m >= (low_m + high_m) / 2 - ON_LINE * (high_m - low_m))[:, axis] == upper
    edges = matrix.edges[inside[matrix.edges].all(axis=1)]
    if len(edges) == 0:
        raise ChannelError(f"no two neighbouring places lie in the {region}: there is no street to walk.")
    graph = coo_array((np.ones(len(edges)), edges.T), shape=(len(inside),) * 2)
    _, part = connected_components(graph, directed=False)
    kept = part == np.bincount(part).argmax()
    return dataclasses.replace(
        matrix,
        rsrp_dbm=matrix.rsrp_dbm[kept],
        position_m=matrix.position_m[kept],
        edges=(kept.cumsum() - 1)[edges[kept[edges[:, 0]]]],
        notes=f"{matrix.notes} The {region} of it: {kept.sum()} of {len(kept)} places"
        f"{'' if kept.sum() == inside.sum() else f', {inside.sum() - kept.sum()} are cut off from them'}.".strip(),
    )
