"""Recordings as a small file: frames on one clock, whole numbers, differences in time, and deflate.

The file begins with the length of its JSON header (4 bytes, little-endian), then the header, then the arrays. An array
(frame, column) is stored column by column as differences in time, and its low bytes before its high bytes. What several
agents share, such as where UEs are, is stored once.
"""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.benchmark.side_by_side.recording import Recording
from mmwave_gym.core.types import Float64Array
from mmwave_gym.rendering.stage import Moment, Stage

MOST_BYTES = 100_000
"""Of the compressed file: with the player a page then stays below 150 kB."""
MOST_EVENTS = 1500
"""Of an agent, one by one; above, only their number in each frame is kept."""
PLACES = 4095
"""A map is as many steps wide."""
SUDDEN = 2.0
"""Rewards part in a window that has so many times its share of the final gap."""
STRAIGHT = 0.004
"""So far from a straight line, in widths of the map, nearly all places between two kept ones may be."""


@dataclass(frozen=True)
class Detail:
    """frames: at most so many; steps: of a UE's number; every: a UE's number is kept for every so many frames."""

    frames: int
    steps: int
    every: int


DETAILS = (
    Detail(400, 100, 1),
    Detail(300, 50, 1),
    Detail(240, 30, 2),
    Detail(200, 15, 2),
    Detail(150, 10, 3),
    Detail(120, 8, 4),
    Detail(80, 6, 4),
    Detail(40, 5, 4),
)
"""From the finest on: the first whose file is small enough is taken."""


def packed(recordings: Sequence[Recording]) -> tuple[bytes, tuple[str, ...]]:
    """The compressed file, and sentences on what was thinned out in it."""
    for detail in DETAILS:
        file = _File(recordings, detail)
        content = file.compressed()
        if len(content) <= MOST_BYTES:
            break
    return content, file.notes


class _File:
    """All recordings in one detail."""

    def __init__(self, recordings: Sequence[Recording], detail: Detail):
        self._detail = detail
        self._index: dict[bytes, int] = {}
        self._arrays: list[dict[str, Any]] = []
        self._planes: list[bytes] = []
        self._values = False
        self._places_every = 1
        self._seconds = max(float(r.time_s[-1]) for r in recordings) or 1.0
        longest = max(len(r.time_s) for r in recordings)
        self.frames = min(detail.frames, max(longest, 2))
        self.clock_s = np.linspace(0.0, self._seconds, self.frames)
        self._steps = longest - 1
        first = recordings[0]
        values = [m.value[m.present] for r in recordings for m in r.moments]
        known = np.concatenate(values) if values else np.zeros(1)
        known = known[np.isfinite(known)] if np.isfinite(known).any() else np.zeros(1)
        self._range = (
            min(0.0, float(known.min())),
            float(np.quantile(known, 0.999)) or 1.0,
        )  # few are far above all others
        sums = np.array([_reward_at(r, self.clock_s) for r in recordings])
        self.header: dict[str, Any] = {
            "task": first.task.name,
            "about": first.task.description,
            "episode": first.episode,
            "frames": self.frames,
            "seconds": self._seconds,
            "scored": first.scored_s,
            "hidden": first.hidden_s,
            "primary": first.task.primary,
            "higher": first.task.higher_is_better,
            "stage": None if first.stage is None else self._stage(first.stage),
            "agents": [self._agent(r, sums[i]) for i, r in enumerate(recordings)],
            **parting(sums),
        }
        self.notes = tuple(self._told())
        self.header["notes"] = list(self.notes)
        self.header["arrays"] = self._arrays

    def compressed(self) -> bytes:
        """The file."""
        head = json.dumps(self.header, separators=(",", ":")).encode()
        return zlib.compress(len(head).to_bytes(4, "little") + head + b"".join(self._planes), 9)

    def _stage(self, stage: Stage) -> dict[str, Any]:
        nodes = None if stage.node_m is None else np.round(stage.node_m, 2)
        return {
            "title": stage.title,
            "ues": stage.num_ues,
            "nodes": stage.num_nodes,
            "ue": stage.ue_noun,
            "node": stage.node_noun,
            "value": [*stage.value, *self._range],
            "level": stage.level,
            "vary": stage.nodes_vary,
            "attribution": stage.attribution,
            "places": None if nodes is None else [[_json(x) for x in row] for row in nodes.tolist()],
            "outlines": [np.round(o, 1).tolist() for o in stage.outlines_m],
        }

    def _agent(self, recording: Recording, sums: Float64Array) -> dict[str, Any]:
        scale = float(np.abs(sums).max()) or 1.0
        told: dict[str, Any] = {
            "name": recording.agent,
            "label": recording.label,
            "row": {name: float(f"{value:.6g}") for name, value in recording.row.items() if np.isfinite(value)},
            "scale": scale / 32000.0,
            "reward": self._add(np.round(sums / scale * 32000.0)[:, None]),
        }
        if recording.stage is None:
            lines: dict[str, int] = {}
            at = _at([t for t, _ in recording.texts], self.clock_s)
            rows = [[lines.setdefault(x, len(lines)) for x in recording.texts[i][1].split("\n")] for i in at]
            most = max(map(len, rows))
            told["text"] = self._add(np.array([row + [-1] * (most - len(row)) for row in rows]))
            told["lines"] = list(lines)
            return told
        return {**told, **self._drawn(recording.moments, recording.stage)}

    def _drawn(self, moments: Sequence[Moment], stage: Stage) -> dict[str, Any]:
        at = _at([m.time_s for m in moments], self.clock_s)
        shown = [moments[i] for i in at]
        told: dict[str, Any] = {
            "serving": self._add(np.stack([m.serving for m in shown])),
            "state": self._add(np.stack([m.present + 2 * (m.trouble & m.present) for m in shown])),
            "value": self._add(*self._number(np.stack([m.value for m in shown]), *self._range, root=True)),
        }
        if shown[0].place_m is not None:
            told |= self._places(np.stack([np.asarray(m.place_m, np.float64) for m in shown]), stage)
        if shown[0].level is not None:
            level = np.stack([np.ravel(m.level) for m in shown])
            told["level"] = self._add(*self._number(level, stage.level[2], stage.level[3], steps=100))
        if shown[0].node_share is not None:
            told["share"] = self._add(*self._number(np.stack([m.node_share for m in shown]), 0.0, 1.0))
        handovers, events = _events(moments)
        told["moves"] = self._add(np.searchsorted(np.sort(handovers), self.clock_s, "right")[:, None])
        told["events"] = events if len(events) <= MOST_EVENTS else []
        told["dropped"] = 0 if len(events) <= MOST_EVENTS else len(events)
        return told

    def _number(
        self, values: Float64Array, low: float, high: float, steps: int = 0, root: bool = False
    ) -> tuple[NDArray[Any], int, int, bool]:
        """Values (frame, n) as 1 to `steps` + 1, 0 for NaN; how often they are kept, and how many steps there are.

        root: steps are finer where values are small.
        """
        steps, every = (steps, 1) if steps else (self._detail.steps, self._detail.every)
        if values.shape[1] <= 20:
            steps, every = max(steps, 100), 1
        else:
            self._values = True
        kept = values[::every]
        share = np.clip((kept - low) / ((high - low) or 1.0), 0.0, 1.0)
        share = np.sqrt(share) if root else share
        return np.where(np.isnan(kept), 0, 1 + np.round(np.nan_to_num(share) * steps)), every, steps, root

    def _places(self, place_m: Float64Array, stage: Stage) -> dict[str, Any]:
        """Places (frame, U, 2): steps from a corner, kept as seldom as straight lines between them allow."""
        known = [place_m.reshape(-1, 2)] + ([] if stage.node_m is None else [stage.node_m])
        known += list(stage.outlines_m)
        points = np.concatenate(known)
        points = points[np.isfinite(points).all(axis=1)]
        low, wide = points.min(axis=0), float(max(np.ptp(points, axis=0).max(), 1.0))
        at = np.round(np.nan_to_num(place_m - low) / wide * PLACES)
        if (at == at[0]).all():  # nobody moves
            return {
                "place": self._add(at[:1].reshape(1, -1), self.frames),
                "corner": low.tolist(),
                "step": wide / PLACES,
            }
        frames = np.arange(self.frames)
        for every in (16, 8, 4, 2, 1):
            kept = np.unique(np.append(frames[::every], self.frames - 1))
            between = np.clip(np.searchsorted(kept, frames, "right") - 1, 0, len(kept) - 2)
            share = ((frames - kept[between]) / np.diff(kept)[between])[:, None, None]
            near = np.abs(at[kept[between]] * (1 - share) + at[kept[between + 1]] * share - at).max(axis=2)
            if np.quantile(near, 0.995) <= STRAIGHT * PLACES:
                break
        self._places_every = max(self._places_every, every)
        flat = at[kept].reshape(len(kept), -1)
        return {"place": self._add(flat, every), "corner": low.tolist(), "step": wide / PLACES}

    def _add(self, values: NDArray[Any], every: int = 1, steps: int = 0, root: bool = False) -> int:
        """The number of an array (frame, n) of whole numbers."""
        columns = np.clip(values, -32768, 32767).astype(np.int32).T
        changes = np.diff(columns, axis=1, prepend=0).astype(np.int32).ravel()
        changes = ((changes + 32768) % 65536) - 32768
        content = bytes(str((values.shape, every, steps, root)), "ascii") + changes.astype("<i2").tobytes()
        if content in self._index:
            return self._index[content]
        self._index[content] = len(self._arrays)
        narrow = changes.size == 0 or bool((np.abs(changes) < 128).all())
        about = {"f": values.shape[0], "n": values.shape[1], "every": every, "steps": steps}
        self._arrays.append({**about, "root": root, "narrow": narrow})
        raw = changes.astype("<i2")
        self._planes.append((raw & 0xFF).astype(np.uint8).tobytes())
        if not narrow:
            self._planes.append((raw.view("<u2") >> 8).astype(np.uint8).tobytes())
        return len(self._arrays) - 1

    def _told(self) -> list[str]:
        """What a reader should know of what is not in the file."""
        frame_s = self._seconds / (self.frames - 1)
        notes = [f"{self.frames} frames, one every {frame_s:.3g} s, of {self._steps:,} steps."]
        if self._values:
            each = "" if self._detail.every == 1 else f", one every {self._detail.every * frame_s:.3g} s"
            notes.append(f"Numbers of many are rounded to {self._detail.steps} steps{each}.")
        if self._places_every > 1:
            notes.append(f"Places every {self._places_every * frame_s:.3g} s, straight lines between them.")
        if dropped := max((a.get("dropped", 0) for a in self.header["agents"]), default=0):
            notes.append(f"Up to {dropped:,} events an agent are counted, not shown one by one.")
        if self.header["hidden"]:
            notes.append(f"The first {self.header['hidden']:.4g} s, which are not scored, are left out.")
        return notes


def parting(sums: Float64Array) -> dict[str, int | None]:
    """When rewards part, from sums so far (agent, frame). Both are frames, None where all agents get the same.

    first: the first frame in which they differ. part: where the window of a twentieth of the episode begins in which
    the best agent gains most on the worst, both as they are at the end. Where it gains evenly, that is the first, too.
    """
    spread = np.ptp(sums, axis=0)
    scale = float(np.abs(sums).max()) or 1.0
    differ = np.flatnonzero(spread > 1e-6 * scale)
    if not differ.size:
        return {"first": None, "part": None}
    window = max(1, sums.shape[1] // 20)
    gap = sums[sums[:, -1].argmax()] - sums[sums[:, -1].argmin()]
    grows = gap[window:] - gap[:-window]
    even = not grows.size or grows.max() < SUDDEN * float(gap[-1]) * window / sums.shape[1]
    return {"first": int(differ[0]), "part": int(differ[0]) if even else int(grows.argmax())}


def _reward_at(recording: Recording, clock_s: Float64Array) -> Float64Array:
    """The reward so far (frame,), of the steps that have ended, without the warm-up."""
    counts = recording.time_s[1:] > recording.scored_s + 1e-12
    sums = np.concatenate(([0.0], np.cumsum(np.where(counts, recording.reward, 0.0))))
    return sums[_at(recording.time_s.tolist(), clock_s)]


def _at(times: Sequence[float], clock_s: Float64Array) -> NDArray[np.intp]:
    """The index of the newest time at each time of a clock, the first before all of them."""
    early = 1e-9 * max(float(clock_s[-1]), 1.0)
    return np.maximum(np.searchsorted(np.asarray(times), clock_s + early, "right") - 1, 0)


def _events(moments: Sequence[Moment]) -> tuple[Float64Array, list[list[Any]]]:
    """Times of handovers, and all events as [time, UE, what]: also that trouble begins."""
    handovers: list[float] = []
    events: list[list[Any]] = []
    for before, now in itertools.pairwise(moments):
        both = before.present & now.present
        moved = np.flatnonzero(both & (now.serving != before.serving) & (now.serving >= 0))
        handovers += [now.time_s] * len(moved)
        events += [[round(now.time_s, 4), int(ue), "moved"] for ue in moved]
        lost = np.flatnonzero(now.trouble & now.present & ~(before.trouble & before.present))
        events += [[round(now.time_s, 4), int(ue), "trouble"] for ue in lost]
        events += [[round(now.time_s, 4), ue, what] for ue, what in now.events]
    return np.array(handovers), events


def _json(value: float) -> float | None:
    return value if np.isfinite(value) else None
