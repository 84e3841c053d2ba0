"""Small shared streets for tests: worlds made by hand, and a plain reading of the procedure, one UE at a time."""

from __future__ import annotations

import copy
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

TINY: dict[str, Any] = {"arm_m": 40.0, "isd_m": 40.0, "maps": 1, "num_cars": 2, "num_pedestrians": 0, "horizon": 40}
"""Four cells, two cars."""


def by_hand(sinr_db: Any, rsrp_dbm: Any = None, **keywords: Any) -> Batch:
    """A batch of one whose links are given, (ue, cell) or (slot, ue, cell), all UEs active and there, without errors.

    rsrp_dbm: the SINRs less 70 where nothing is said.
    """
    scenario = make_scenario("shared_street", **{**TINY, "measurement_error_db": 0.0, **keywords})
    batch = Batch(scenario, 1, draws_ahead=False)
    batch.reset([EpisodeKey(0)])
    e = batch.episodes
    rsrp_dbm = np.asarray(sinr_db) - 70.0 if rsrp_dbm is None else rsrp_dbm
    e.sinr_db[:], e.rsrp_dbm[:] = sinr_db, rsrp_dbm
    e.active[:], e.present[:], e.error_db[:] = True, True, 0.0
    for i in range(len(e.measured_dbm)):
        scenario.world.measure(
            e.rsrp_dbm[i], e.present[i], np.zeros(e.measured_dbm[i].shape, np.float32), e.measured_dbm[i]
        )
    batch.state = scenario.start(e)
    return batch


def play(batch: Batch, actions: dict[tuple[int, int], int], slots: int) -> list[Any]:
    """Outcomes of so many slots of a batch of one; actions: (slot, ue) -> cell to go to."""
    outcomes = []
    for slot in range(slots):
        action = np.zeros((1, batch.scenario.num_agents), np.int64)
        for (when, ue), cell in actions.items():
            if when == slot:
                action[0, ue] = int(np.flatnonzero(batch.state.candidate[0, ue] == cell)[0])
        outcomes.append(batch.step(action))
    return outcomes


@dataclasses.dataclass
class PlainUe:
    """The procedure of one UE, told in order. Cells are numbers, -1 is none."""

    world: Any
    ue: int
    serving: int = -1
    doing: str = "away"
    left: int = 0
    target: int = -1
    t310: int = 0
    prepared: tuple[int, ...] = ()
    share: float = 0.0
    counted: int = -1
    wide: bool = False
    failed: bool = False

    def begin(self, t: int) -> None:
        """The slot begins: arrival, end of a handover or of a lost link, measurement."""
        w = self.world
        if not w.present[t, self.ue]:
            self.doing, self.serving = "away", -1
            return
        comes = self.doing == "away"
        if comes or (self.doing == "lost" and self.left == 0):
            self.doing, self.serving = "free", int(w.rsrp_dbm[t, self.ue].argmax())
            self.t310, self.prepared = 0, ()
        if self.doing == "moving" and self.left == 0:
            self.doing = "free"
        if (self.measures(t) or comes) and self.doing == "free" and self.sinr(t) >= w.config.out_db:
            self.prepared = tuple(self.others(t)[:2])

    def measures(self, t: int) -> bool:
        return (t + self.ue) % 4 == 0

    def sinr(self, t: int) -> float:
        return float(self.world.sinr_db[t, self.ue, self.serving])

    def others(self, t: int) -> list[int]:
        """Other cells by the newest measurement, strongest first."""
        level = self.world.measured_dbm[(t + self.ue % 4) // 4, self.ue]
        return [c for c in sorted(range(len(level)), key=lambda c: -level[c]) if c != self.serving]

    def choices(self, t: int) -> list[int]:
        """Cells that it may go to now."""
        mode = self.world.config.handover
        if self.doing != "free":
            return []
        if self.measures(t) and mode != "conditional":
            return self.others(t)[:5]
        return [] if mode == "command" else [c for c in self.others(t)[:5] if c in self.prepared]

    def decide(self, t: int, cell: int) -> bool:
        """Go to a cell, -1 to stay; True if it went. Then `counted`, `share` and `wide` tell how the slot is used."""
        w, went = self.world, False
        if cell >= 0 and cell in self.choices(t):
            commanded = self.measures(t) and w.config.handover != "conditional"
            went = not (commanded and self.sinr(t) < w.config.out_db)
            if went:
                self.doing, self.target, self.t310, self.prepared = "moving", cell, 0, ()
                self.left = 4 if commanded else 3
        self.counted, self.share, self.wide = self.serving, 1.0, False
        if self.doing in ("away", "lost"):
            self.counted, self.share = -1, 0.0
        elif self.doing == "moving":
            if self.left == 4:
                self.share = 0.6
            else:
                self.counted, self.share = self.target, 0.0
                if self.left == 1 and w.sinr_db[t, self.ue, self.target] >= w.config.in_db:
                    self.share, self.wide = 1.0, True
        return went

    def end(self, t: int) -> None:
        """The slot ends: access, T310, time."""
        w = self.world
        self.failed = False
        if self.doing == "moving" and self.left == 1:
            self.failed = not self.wide
            if self.wide:
                self.serving = self.target
        elif self.doing == "free":
            level = self.sinr(t)
            runs = level < w.config.out_db or (self.t310 > 0 and level <= w.config.in_db)
            self.t310 = self.t310 + 1 if runs else 0
            self.failed = self.t310 >= round(w.config.t310_s / 0.1)
        self.left = max(self.left - 1, 0)
        if self.failed:
            self.doing, self.left, self.t310 = "lost", round(w.config.reestablishment_s / 0.1), 0

    def rate(self, t: int, sharing: int) -> float:
        """bit/s/Hz, shared by so many."""
        w = self.world
        if self.share == 0.0 or self.counted < 0:
            return 0.0
        level = float(w.sinr_db[t, self.ue, self.counted]) - (w.config.refinement_db if self.wide else 0.0)
        rate = 0.0 if level < w.config.out_db else min(math.log2(1.0 + 10.0 ** (level / 10.0)), w.config.most_bps_hz)
        return self.share * rate / max(sharing, 1)

    def copy(self) -> PlainUe:
        return copy.copy(self)


@dataclasses.dataclass
class PlainWorld:
    """What `PlainUe` reads of the first episode of a batch."""

    config: Any
    sinr_db: Any
    rsrp_dbm: Any
    measured_dbm: Any
    present: Any
    active: Any

    @classmethod
    def of(cls, batch: Batch) -> PlainWorld:
        e, row = batch.episodes, batch.episodes.row[0]
        names = ("sinr_db", "rsrp_dbm", "measured_dbm", "present", "active")
        return cls(batch.scenario.config, *(getattr(e, name)[row].copy() for name in names))  # type: ignore[attr-defined]


class _Stopped(Exception):
    pass


def assert_resumes_as_if_never_stopped(training: Any, command: list[str], folder: Path, monkeypatch: Any) -> None:
    """A training of three iterations that is stopped after two and resumed has the weights of `folder / "whole"`."""
    update, done = training.Learner.update, list[int]()

    def stops(learner: Any) -> dict[str, float]:
        if len(done) == 2:
            raise _Stopped
        done.append(1)
        found: dict[str, float] = update(learner)
        return found

    monkeypatch.setattr(training.Learner, "update", stops)
    with pytest.raises(_Stopped):
        training.run([*command, "--out", str(folder / "parts")])
    monkeypatch.undo()
    training.run([*command, "--out", str(folder / "parts"), "--resume"])
    whole, parts = (np.load(folder / name / "policy.npz") for name in ("whole", "parts"))
    assert all((whole[name] == parts[name]).all() for name in whole.files)
