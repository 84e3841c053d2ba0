"""A grid of streets with a base station at every crossing, buildings in the blocks, and UEs that drive along it.

Nodes are numbered by row, `node = row * columns + column`, x to the right and y upwards. A lane is a road in one
direction: lane `r` goes from the lower node of road `r` to the higher one, lane `r + roads` back.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.types import FloatArray
from mmwave_gym.scenarios.association.routes import Routes, Visits

SHORTEST_M = 1e-6
"""Sight over less of a road than this is none."""


class StreetGrid:
    """Everything about the streets that no chance touches. `rows` and `columns` count crossings."""

    def __init__(self, rows: int, columns: int, road_m: float, radius_m: float):
        self.rows, self.columns, self.road_m, self.radius_m = rows, columns, road_m, radius_m
        node = np.arange(rows * columns)
        self.node_m = np.stack((node % columns, node // columns), axis=1) * road_m
        right = node[node % columns < columns - 1]
        up = node[node // columns < rows - 1]
        self.roads = np.concatenate((np.stack((right, right + 1), 1), np.stack((up, up + columns), 1)))
        """(road, 2): lower and higher node."""
        self.lanes = np.concatenate((self.roads, self.roads[:, ::-1]))
        """(lane, 2): from, to."""
        self._after, self._num_after = self._turns()
        # Links that may be: base stations within range of some place on a road, and what range leaves of it.
        low, direction = self.node_m[self.roads[:, 0]], self.node_m[self.roads[:, 1]] - self.node_m[self.roads[:, 0]]
        direction = direction / road_m
        relative = self.node_m[None] - low[:, None]
        along = (relative * direction[:, None]).sum(-1)
        beside = relative[..., 0] * direction[:, None, 1] - relative[..., 1] * direction[:, None, 0]
        beside = np.round(beside / road_m) * road_m
        reach = np.sqrt(np.maximum(radius_m**2 - beside**2, 0.0))
        start, end = np.clip(along - reach, 0.0, road_m), np.clip(along + reach, 0.0, road_m)
        self.link_road, self.link_bs = np.nonzero((end - start > SHORTEST_M) & (np.abs(beside) <= radius_m))
        pick = self.link_road, self.link_bs
        self.link_start_m, self.link_end_m = start[pick], end[pick]
        self.link_along_m, self.link_beside_m = along[pick], beside[pick]
        self._shadow_link, self._shadow_block, self._shadow_rank = self._possible_shadows()

    @property
    def num_blocks(self) -> int:
        return (self.rows - 1) * (self.columns - 1)

    @property
    def most_candidates(self) -> int:
        """The most base stations within range of one place on a road."""
        return self._starts_and_ends[0]

    @property
    def most_changes(self) -> int:
        """Changes of the base stations in range along one road, without buildings, at most."""
        return self._starts_and_ends[1]

    @cached_property
    def _starts_and_ends(self) -> tuple[int, int]:
        most, changes = 0, 0
        for road in range(len(self.roads)):
            on = self.link_road == road
            start, end = self.link_start_m[on], self.link_end_m[on]
            most = max(most, int(((start[:, None] >= start) & (start[:, None] < end)).sum(1).max()))
            changes = max(changes, int((start > SHORTEST_M).sum() + (end < self.road_m - SHORTEST_M).sum()))
        return most, changes

    def _turns(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """(lane, turn) lanes that may follow and (lane,) how many: all but back, which only a dead end allows."""
        lanes = len(self.lanes)
        back = (np.arange(lanes) + len(self.roads)) % lanes
        follows = self.lanes[:, 1][:, None] == self.lanes[:, 0]
        follows[np.arange(lanes), back] = follows.sum(1) == 1
        after = np.argsort(~follows, axis=1, kind="stable")[:, :4]
        return after, follows.sum(1)

    def _possible_shadows(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """(link, block, rank within the link) of blocks that lie between a base station and a road beside it."""
        link, block = [], []
        block_low = np.stack((np.arange(self.num_blocks) % (self.columns - 1),
                              np.arange(self.num_blocks) // (self.columns - 1)), 1) * self.road_m  # fmt: skip
        for i in np.flatnonzero(self.link_beside_m != 0.0):
            ends = self.node_m[self.roads[self.link_road[i]]]
            corner = np.vstack((ends, self.node_m[self.link_bs[i]]))
            low, high = corner.min(0), corner.max(0)
            between = ((block_low < high - 1e-6) & (block_low + self.road_m > low + 1e-6)).all(1)
            for b in np.flatnonzero(between):
                link.append(i)
                block.append(b)
        links = np.array(link, np.intp)
        rank = np.arange(len(links)) - np.searchsorted(links, links)
        return links, np.array(block, np.intp), rank

    def buildings(self, rng: np.random.Generator, least: float, most: float) -> FloatArray:
        """One rectangle a block, (block, 4): left, bottom, right, top in metres.

        Sides are uniform in [least, most] of a road's length, the place is uniform within the block.
        """
        size = rng.uniform(least, most, (self.num_blocks, 2)) * self.road_m
        corner = rng.random((self.num_blocks, 2)) * (self.road_m - size)
        block = np.arange(self.num_blocks)
        corner += np.stack((block % (self.columns - 1), block // (self.columns - 1)), 1) * self.road_m
        return np.concatenate((corner, corner + size), axis=1)

    def in_sight(self, buildings: FloatArray) -> tuple[NDArray[np.intp], FloatArray, FloatArray]:
        """Link, start and end in metres, (pieces,) each: pieces of roads on which a base station is a candidate.

        Metres count from the road's lower node. buildings: (block, 4) as `buildings` draws them, in metres.
        A rectangle between the base station and the road hides the piece between the outermost rays through its
        corners. Streets are free, so links along one are never blocked.
        """
        links, most = len(self.link_road), int(self._shadow_rank.max(initial=-1)) + 1
        shadow = np.full((2, links, most), np.inf)
        i, bs, road = self._shadow_link, self.link_bs[self._shadow_link], self.link_road[self._shadow_link]
        left, bottom, right, top = buildings[self._shadow_block].T
        upwards = self.roads[road, 1] - self.roads[road, 0] != 1
        # Coordinates along the road from its lower node and away from the base station, of both pairs of sides.
        origin = np.where(upwards[:, None], self.node_m[self.roads[road, 0]][:, ::-1], self.node_m[self.roads[road, 0]])
        along = np.where(upwards, (bottom, top), (left, right)) - origin[:, 0]
        height = np.where(upwards, (left, right), (bottom, top)) - np.where(
            upwards, self.node_m[bs, 0], self.node_m[bs, 1]
        )
        to_road, from_along = np.abs(self.link_beside_m[i]), self.link_along_m[i]
        height = np.maximum(np.abs(height), 1e-9)
        rays = from_along + (along[:, None] - from_along) * (to_road / height[None])
        shadow[0, i, self._shadow_rank] = rays.min(axis=(0, 1))
        shadow[1, i, self._shadow_rank] = rays.max(axis=(0, 1))
        order = np.argsort(shadow[0], axis=1)
        begins, ends = (np.take_along_axis(s, order, axis=1) for s in shadow)
        low, high = self.link_start_m[:, None], self.link_end_m[:, None]
        free_from = np.concatenate((low, np.maximum.accumulate(ends, axis=1)), axis=1).clip(low, high)
        free_to = np.concatenate((begins, high), axis=1).clip(low, high)
        link, gap = np.nonzero(free_to - free_from > SHORTEST_M)
        return link, free_from[link, gap], free_to[link, gap]

    def drive(self, rng: np.random.Generator, num_ues: int, speed_mps: float, until_s: float) -> tuple[Routes, Any]:
        """Routes of UEs that start anywhere on the roads and turn at random, and their lanes (ue, leg)."""
        knot_s = self.road_m / speed_mps
        legs = int(np.ceil(until_s / knot_s)) + 1
        u = rng.random((legs + 1, num_ues))
        lane = np.empty((num_ues, legs), np.intp)
        lane[:, 0] = np.minimum((u[1] * len(self.lanes)).astype(np.intp), len(self.lanes) - 1)
        for leg in range(1, legs):
            before = lane[:, leg - 1]
            turns = self._num_after[before]
            lane[:, leg] = self._after[before, np.minimum((u[leg + 1] * turns).astype(np.intp), turns - 1)]
        nodes = np.concatenate((self.lanes[lane[:, :1], 0], self.lanes[lane, 1]), axis=1)
        return Routes(-u[0] * knot_s, knot_s, self.node_m[nodes]), lane

    def visits(self, routes: Routes, lane: NDArray[np.intp], buildings: FloatArray) -> Visits:
        """The times at which each base station is a candidate of each UE.

        lane: (ue, leg), the lane of every leg; buildings: (block, 4) in metres.
        """
        link, start_m, end_m = self.in_sight(buildings)
        roads = len(self.roads)
        # Both directions, by lane.
        of_lane = np.concatenate((self.link_road[link], self.link_road[link] + roads))
        order = np.argsort(of_lane, kind="stable")
        from_m = np.concatenate((start_m, self.road_m - end_m))[order]
        to_m = np.concatenate((end_m, self.road_m - start_m))[order]
        bs = np.concatenate((self.link_bs[link],) * 2)[order]
        begins = np.searchsorted(of_lane[order], np.arange(2 * roads + 1))
        count = (begins[1:] - begins[:-1])[lane].ravel()
        leg = np.repeat(np.arange(lane.size), count)
        piece = np.arange(len(leg)) - np.repeat(np.cumsum(count) - count, count) + begins[lane.ravel()[leg]]
        ue, leg_of_ue = np.divmod(leg, lane.shape[1])
        begin_s = routes.first_s[ue]
        start_s = begin_s + (leg_of_ue + from_m[piece] / self.road_m) * routes.knot_s
        end_s = begin_s + (leg_of_ue + to_m[piece] / self.road_m) * routes.knot_s
        return Visits(ue, bs[piece], start_s, end_s)
