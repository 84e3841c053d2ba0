"""Cell selection as a text and as a picture: a table of every UE's links, and what each UE received, slot by slot."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.stage import Moment as Shown, Stage
from mmwave_gym.rendering.text import text_of
from mmwave_gym.scenarios.cell_selection.config import STATES
from mmwave_gym.scenarios.cell_selection.game import CellSelection

PAGE_SLOTS = 60
MOST_UES = 20  # shown; the totals are of all
MOST_CELLS = 20  # shown in the picture
TEXT_CELLS = 8  # shown in the text
TEXT_BAR = 10
SIGNS = {"los": "L", "nlos": "n", "outage": "."}


@dataclass
class Moment:
    """One slot, by UE (A,) or UE and cell (A, L)."""

    links: NDArray[np.uint8]  # (A, L): states
    serving: NDArray[np.int64]
    before: NDArray[np.int64]  # the cell of the slot before
    received_bps_hz: NDArray[np.float64]

    @property
    def handover(self) -> NDArray[np.bool_]:
        """(A,): True for each UE that changed its cell."""
        return self.serving != self.before

    @property
    def used(self) -> NDArray[np.uint8]:
        """(A,): state of the serving link."""
        return self.links[np.arange(len(self.serving)), self.serving]


class Record:
    """The running episode of environment 0: its last slots, and sums for each UE. The centralised view has the same."""

    def __init__(self, batch: Batch):
        self._batch = batch
        scenario: Any = batch.scenario
        self.world: CellSelection = getattr(scenario, "scenario", scenario)
        self.config = self.world.config
        k = len(self.world.rate_bps_hz)
        self.states = STATES if k == len(STATES) else tuple(f"state {i}" for i in range(k))
        self.restart()

    def restart(self) -> None:
        num_ues = self.config.num_ues
        self.slot = 0
        self.page: deque[Moment] = deque(maxlen=PAGE_SLOTS)
        self.received_sum = np.zeros(num_ues)
        self.handovers = np.zeros(num_ues, np.int64)
        self.outages = np.zeros(num_ues, np.int64)
        self.now = self._moment(None)

    def add(self, outcome: Outcome | None = None) -> None:
        """Note the slot that was just played; all is read from the batch."""
        self.now = now = self._moment(self.now)
        self.slot += 1
        self.page.append(now)
        self.received_sum += now.received_bps_hz
        self.handovers += now.handover
        self.outages += self.world.rate_bps_hz[now.used] == 0.0

    def _moment(self, last: Moment | None) -> Moment:
        episodes, state = self._batch.episodes, self._batch.state
        serving, links = state.serving[0].copy(), episodes.channel[episodes.row[0], state.slot[0]].copy()
        before = serving if last is None else last.serving
        moment = Moment(links, serving, before, np.zeros(len(serving)))
        if last is not None:
            loads = self._loads(serving)[None], self._loads(before)[None]
            moment.received_bps_hz = self.world.received_bps_hz(
                moment.used[None], serving[None], moment.handover[None], *loads
            )[0]
        return moment

    def _loads(self, serving: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.bincount(serving, minlength=self.config.num_cells)

    @property
    def load(self) -> NDArray[np.int64]:
        """(L,): UEs at each cell."""
        return self._loads(self.now.serving)

    @property
    def time(self) -> str:
        step_s = self.world.step_s
        return f"{self.slot * step_s * 1e3:.2f} ms" if step_s < 0.01 else f"{self.slot * step_s:.2f} s"

    def per_slot(self, total: NDArray[np.generic]) -> NDArray[np.float64]:
        """(A,): sums over the episode of each UE, `total` (A,), divided by the slots played, in the unit of `total`."""
        return np.asarray(total, np.float64) / max(self.slot, 1)


class CellSelectionScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    centralised = True
    record_type = Record
    picture_type = "picture:CellSelectionPicture"

    def stage(self) -> Stage:
        """See `mmwave_gym.rendering.stage`. There are no places, so links are a table."""
        record = self._record
        most = float(record.world.rate_bps_hz.max())
        return Stage(
            title="cell selection",
            num_ues=record.config.num_ues,
            num_nodes=record.config.num_cells,
            value=("rate", "bit/s/Hz"),
            level=("link", "bit/s/Hz", 0.0, most),
        )

    def moments(self) -> list[Shown]:
        """The present; a link's level is the rate of its state."""
        record, now = self._record, self._record.now
        return [
            Shown(
                time_s=record.slot * record.world.step_s,
                present=np.ones(len(now.serving), bool),
                serving=now.serving,
                value=now.received_bps_hz,
                trouble=record.world.rate_bps_hz[now.used] == 0.0,
                level=record.world.rate_bps_hz[now.links],
            )
        ]

    def text(self) -> str:
        """The table in ASCII, always the same number of lines of the same width."""
        record = self._record
        world, now, load = record.world, record.now, record.load
        num_ues, num_cells = record.config.num_ues, record.config.num_cells
        cells = range(min(num_cells, TEXT_CELLS))
        signs = [SIGNS.get(s, str(i % 10)) for i, s in enumerate(record.states)]
        legend = ", ".join(f"{sign} {name.upper()}" for sign, name in zip(signs, record.states, strict=True))
        means = [record.per_slot(x) for x in (record.received_sum, record.handovers, record.outages)]
        rest = f" +{num_cells - len(cells)}" if num_cells > len(cells) else ""
        blank = " " * len(rest)
        lines = [
            f"cell selection  slot {record.slot:5d} of {record.config.horizon}  t = {record.time}",
            legend + "; [ ] serves, > < serves since a handover",
            "  cell " + "".join(f"{c:^3d}" for c in cells) + rest + "   bit/s/Hz     now   mean   HO/slot outage",
        ]
        for ue in range(min(num_ues, MOST_UES)):
            row = ""
            for cell in cells:
                left, right = "  " if cell != now.serving[ue] else "><" if now.handover[ue] else "[]"
                row += left + signs[now.links[ue, cell]] + right
            full = round(TEXT_BAR * now.received_bps_hz[ue] / (world.rate_bps_hz.max() or 1.0))
            mean, handovers, outage = (values[ue] for values in means)
            lines.append(
                f"UE {ue:3d} {row}{blank}   {'#' * full:.<{TEXT_BAR}} {now.received_bps_hz[ue]:6.2f} {mean:6.2f}"
                f"   {handovers:6.2f} {outage:6.1%}"
            )
        more = f", {num_ues - MOST_UES} UEs not shown" if num_ues > MOST_UES else ""
        lines.append("  load " + "".join(f"{load[c]:^3d}" for c in cells))
        lines.append(
            f"all UEs: {now.received_bps_hz.sum():7.2f} bit/s/Hz now, {means[0].sum():7.2f} mean; handovers "
            f"{now.handover.sum():3d} now{more}"
        )
        return text_of(lines)
