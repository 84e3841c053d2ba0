"""A street as a text and as a picture: where the UE is, which cells it sees, who serves it, and what that brings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array, FloatArray
from mmwave_gym.radio import t310
from mmwave_gym.radio.street_maps import NOISE_DBM, STREET_M, StreetMap, street_map
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.scales import Scale
from mmwave_gym.rendering.stage import Moment, Stage
from mmwave_gym.rendering.text import cell_sign, framed, side_by_side, text_of
from mmwave_gym.rendering.totals import Totals
from mmwave_gym.scenarios.street.channel_world import LOWEST_DBM, ChannelMap, ChannelWorld
from mmwave_gym.scenarios.street.config import TICK_S
from mmwave_gym.scenarios.street.game import Street

SERVED, PREPARED, INTERRUPTED, REFINED, LOST = range(5)
"""What a tick is spent on: LOST is from a failure until another cell serves."""
COMMAND, ACCESS, TIMER = "command lost", "access failed", "link lost (T310)"
SIGHTS = ("in sight", "out of sight", "blocked", "heard", "not heard")
"""The last two are all that a link matrix tells."""
HEARD, NOT_HEARD = 3, 4
RSRP = Scale(0, -120.0, -40.0)
SINR = Scale(0, -15.0, 30.0)
MAP_COLUMNS, MAP_ROWS = 31, 15
TEXT_CELLS = 14
BAR = 13
MOMENT_TICKS = 10
"""Between two moments of a replay."""


class Event(NamedTuple):
    """A handover, or a failure."""

    tick: int
    what: str  # "handover" or one of the failures
    place_m: FloatArray  # (2,)


@dataclass
class Timeline:
    """The running episode, tick by tick up to now; -1 and 0 where nothing has been yet."""

    phase: NDArray[np.int64]
    cell: NDArray[np.int64]  # who serves, -1 for nobody
    sinr_db: FloatArray  # of the serving cell, NaN for nobody
    rate_bps_hz: FloatArray
    best: NDArray[np.int64]  # the cell of the greatest SINR
    best_db: FloatArray
    place_m: FloatArray  # (tick, 2)
    events: list[Event] = field(default_factory=list)


class Record:
    """What has happened in the running episode of environment 0, worked out from the drawn tables."""

    def __init__(self, batch: Batch):
        assert isinstance(batch.scenario, Street)
        self.batch, self.scenario = batch, batch.scenario
        self.config = batch.scenario.config
        self.preparation_ticks = int(batch.scenario.constants()["preparation_ticks"])
        self.episode = 0

    def restart(self) -> None:
        episodes, row = self.batch.episodes, self.batch.episodes.row[0]
        self.episode += 1
        self.totals = Totals(self.scenario.metrics, 1)
        self.rsrp_dbm, self.sinr_db = episodes.rsrp_dbm[row], episodes.sinr_db[row]
        seed = int(episodes.map_seed[row])
        self.street: StreetMap | None = None
        self.channel: ChannelMap | None = None
        place_m = episodes.place_m[row, : self.scenario.ticks]
        if isinstance(self.scenario.world, ChannelWorld):
            self.channel = self.scenario.world.map_of(seed)
            place_m = np.nan_to_num(place_m - self.channel.centre_m)  # a recording may have no places
            self.site_m, self.half_m = self.channel.site_m, self.channel.half_m
        else:
            self.street = street_map(self.scenario.geometry, seed, self.config.frequency_ghz)
            self.site_m, self.half_m = self.street.site_m.astype(np.float64), self.scenario.geometry.arm_m
        ticks = self.scenario.ticks
        best = self.sinr_db[:ticks].argmax(axis=1)
        self.line = Timeline(
            phase=np.full(ticks, -1),
            cell=np.full(ticks, -1),
            sinr_db=np.full(ticks, np.nan),
            rate_bps_hz=np.zeros(ticks),
            best=best,
            best_db=self.sinr_db[np.arange(ticks), best],
            place_m=place_m,
        )
        self.began = 0  # the tick at which the last step began
        self._note()

    def _note(self) -> None:
        state = self.batch.state
        self.tick, self.serving = int(state.tick[0]), int(state.serving[0])
        self.out_ticks = int(state.out_ticks[0])

    def add(self, outcome: Outcome) -> None:
        """Note the step that was just made."""
        begin, old, out_ticks = self.tick, self.serving, self.out_ticks
        self.began = begin
        self._note()
        self.totals.add(outcome, np.ones(1, bool))
        lost = outcome.metrics["failures_per_min"][0] > 0.0
        if outcome.metrics["handovers_per_s"][0] > 0.0:
            self._add_handover(begin, old, lost)
        else:
            failed = self._timer_at(begin, old, out_ticks) if lost else self.tick
            self._fill(begin, failed, SERVED, old)
            if lost:
                self._fail(failed, TIMER)

    def _add_handover(self, begin: int, old: int, lost: bool) -> None:
        c = self.config
        commanded = begin + self.preparation_ticks
        accessed = commanded + c.ticks("interruption_s")
        refined = accessed + c.ticks("refinement_s")
        self._event(begin, "handover")
        self._fill(begin, commanded, PREPARED, old)
        if lost and not self.scenario.conditional and self.sinr_db[commanded, old] < c.out_db:
            self._fail(commanded, COMMAND)
            return
        self._fill(commanded, accessed, INTERRUPTED, -1)
        if lost:
            self._fail(accessed, ACCESS)
            return
        self._fill(accessed, refined, REFINED, self.serving, c.refinement_db)
        self._fill(refined, self.tick, SERVED, self.serving)

    def _timer_at(self, begin: int, cell: int, out_ticks: int) -> int:
        """The tick before which T310 has run out."""
        c = self.config
        for tick in range(begin, self.tick):
            out_ticks = int(t310.after_tick(out_ticks, self.sinr_db[tick, cell], c.out_db, c.in_db))
            if out_ticks >= c.ticks("t310_s"):
                return tick + 1
        return self.tick

    def _fail(self, tick: int, what: str) -> None:
        self._event(tick, what)
        self._fill(tick, self.tick, LOST, -1)

    def _event(self, tick: int, what: str) -> None:
        if tick < self.scenario.ticks:
            self.line.events.append(Event(tick, what, self.line.place_m[tick]))

    def _fill(self, first: int, last: int, phase: int, cell: int, less_db: float = 0.0) -> None:
        """Ticks from `first` to before `last`, as far as they belong to the episode."""
        part = slice(min(first, self.scenario.ticks), min(last, self.scenario.ticks))
        self.line.phase[part], self.line.cell[part] = phase, cell
        if cell >= 0:
            self.line.sinr_db[part] = self.sinr_db[part, cell] - less_db
            self.line.rate_bps_hz[part] = self.scenario.rate_bps_hz(self.line.sinr_db[part])

    # ------------------------------------------------------------------ what is there now

    @property
    def now(self) -> int:
        """The tick that is shown: the present one, the episode's last at its end."""
        return min(self.tick, self.scenario.ticks - 1)

    @property
    def last_event(self) -> str:
        """What happened in the last step, "" for nothing but being served."""
        happened = [event.what for event in self.line.events if event.tick >= self.began]
        return happened[-1] if happened else ""

    @property
    def took_s(self) -> float:
        """How long the last step was."""
        return TICK_S * (min(self.tick, self.scenario.ticks) - self.began)

    @property
    def measured_dbm(self) -> FloatArray:
        """(cell,): the newest measurement, which is what a UE knows."""
        fields = self.scenario.fields.split(self.batch.observe()[0, 0])
        return np.asarray(fields["rsrp_0_dbm"], np.float64)

    def sight(self) -> NDArray[np.int64]:
        """(cell,): index of `SIGHTS`."""
        here = self.street
        if here is None:
            return np.where(self.rsrp_dbm[self.now] > LOWEST_DBM, HEARD, NOT_HEARD)
        place_m = np.asarray(self.line.place_m[self.now], np.float64)
        lanes_m = here.geometry.lanes_m()
        # The UE is on a lane between two of its points, a metre apart.
        lane, point = np.unravel_index(np.hypot(*(lanes_m - place_m).transpose(2, 0, 1)).argmin(), lanes_m.shape[:2])
        heading = here.geometry.lane_axes[lane][0]
        along = float((place_m - lanes_m[lane, 0]) @ heading)
        first = min(max(int(along), 0), lanes_m.shape[1] - 2)
        part = along - first
        clear_db = (1.0 - part) * here.loss_db[lane, first] + part * here.loss_db[lane, first + 1]
        rsrp_dbm = self.config.link_budget_db + NOISE_DBM - clear_db
        blocked = rsrp_dbm - self.rsrp_dbm[self.now] > self.config.blockage_db / 2.0
        world = self.scenario.world
        can_block = world.sees or (world.blocks and self.config.blockage_db > 0.0)
        return np.where(blocked & can_block, 2, np.where(here.los[lane, point], 0, 1))

    def shown_cells(self, most: int) -> list[int]:
        """At most that many cells in order of number: the serving one and the strongest."""
        order = [int(k) for k in np.argsort(-self.rsrp_dbm[self.now], kind="stable")]
        return sorted([self.serving, *[k for k in order if k != self.serving][: most - 1]])

    def condensed(self, name: str) -> float:
        """A metric over the episode so far."""
        return self.totals.condensed(next(m for m in self.totals.metrics if m.name == name))

    def counted(self, name: str) -> float:
        """A metric's sum over the episode so far."""
        return float(self.totals.sums[name][0])


class StreetScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    record_type = Record
    picture_type = "picture:StreetPicture"

    def stage(self) -> Stage:
        """See `mmwave_gym.rendering.stage`."""
        record = self._record
        self._told = -1  # the last tick that was told
        return Stage(
            title="street",
            num_ues=1,
            num_nodes=len(record.site_m),
            value=("rate", "bit/s/Hz"),
            node_m=np.asarray(record.site_m, np.float64),
            outlines_m=self._houses(),
            level=("RSRP", "dBm", RSRP.low, RSRP.high),
        )

    def _houses(self) -> tuple[Float64Array, ...]:
        """What is not street, as rectangles; nothing where links were measured."""
        record, edge = self._record, STREET_M / 2.0
        if record.street is None:
            return ()
        far = record.half_m
        spans = [(-far, -edge), (edge, far)]
        across = spans if record.street.geometry.kind == "crossing" else [(-far, far)]
        return tuple(np.array([[a, c], [b, c], [b, d], [a, d]]) for a, b in across for c, d in spans)

    def moments(self) -> list[Moment]:
        """The ticks since the last call, each `MOMENT_TICKS` long, and those at which something happens."""
        record, line = self._record, self._record.line
        last = min(record.tick, record.scenario.ticks) - 1
        events = {e.tick: e.what for e in line.events if e.what != "handover"}
        found = []
        for tick in range(max(self._told, 0), last + 1):
            changed = tick > 0 and line.phase[tick] != line.phase[tick - 1]
            if tick > self._told and (tick % MOMENT_TICKS == 0 or changed or tick in events):
                found.append(self._at(tick, events.get(tick, "")))
        self._told = max(self._told, last)
        return found or [self._at(max(last, 0), "")]

    def _at(self, tick: int, event: str) -> Moment:
        record, line = self._record, self._record.line
        played = line.phase[tick] >= 0
        world = tick // MOMENT_TICKS * MOMENT_TICKS  # the same for all agents, whatever happens to them
        serving = int(line.cell[tick]) if played else record.serving
        return Moment(
            time_s=tick * TICK_S,
            present=np.ones(1, bool),
            serving=np.array([serving]),
            value=line.rate_bps_hz[tick : tick + 1].astype(np.float64),
            trouble=np.array([played and (serving < 0 or line.rate_bps_hz[tick] <= 0.0)]),
            place_m=np.asarray(line.place_m[world : world + 1], np.float64),
            level=np.asarray(record.rsrp_dbm[world][None], np.float64),
            events=((0, event),) if event else (),
        )

    def text(self) -> str:
        """Map, cells and totals in ASCII, always the same number of lines of the same width."""
        record = self._record
        rows = framed(self._map_grid(), MAP_COLUMNS)
        lines = [self._head(), *side_by_side(rows, self._cell_lines(len(rows)))]
        received = record.totals.last["rate_bps_hz"][0]
        seconds = max(record.took_s, TICK_S)
        lines += [
            f"rate {received / seconds:6.2f} in the last step, {record.condensed('rate_bps_hz'):6.2f} mean bit/s/Hz   "
            f"no data {record.condensed('no_data_fraction'):6.1%} of time",
            f"handovers {record.counted('handovers_per_s'):4.0f}   ping-pongs {record.counted('ping_pongs_per_s'):4.0f}"
            f"   lost links {record.counted('failures_per_min') / 60.0:4.0f}"
            f"   energy {record.counted('handover_energy_w'):6.1f} J",
        ]
        return text_of(lines)

    def _head(self) -> str:
        record = self._record
        state = f"served by cell {record.serving}"
        if record.last_event:
            state += f", {record.last_event.upper()}"
        return f"street  t = {record.tick * TICK_S:6.2f} s  {state}"

    def _map_grid(self) -> np.ndarray:
        """North is up; ':' houses, '.' path, '@' the UE, digits, letters: cells, '#' the serving one, 'x' a failure."""
        record = self._record
        grid = np.full((MAP_ROWS, MAP_COLUMNS), ":")

        def put(place_m: FloatArray, sign: str) -> None:
            # What is on the street stays on it: a row is wider than a street.
            axis_m = STREET_M / 2.0 if record.street else 0.0
            x, y = (0.0 if abs(v) <= axis_m else float(v) for v in place_m)
            column = round((x / record.half_m + 1.0) / 2.0 * (MAP_COLUMNS - 1))
            row = round((1.0 - y / record.half_m) / 2.0 * (MAP_ROWS - 1))
            grid[min(max(row, 0), MAP_ROWS - 1), min(max(column, 0), MAP_COLUMNS - 1)] = sign

        if record.channel is not None:
            for place_m in record.channel.place_m:
                put(place_m, " ")
        else:
            if record.scenario.geometry.kind == "crossing":
                grid[:, MAP_COLUMNS // 2] = " "
            grid[MAP_ROWS // 2] = " "
        for place_m in record.line.place_m[: record.now : record.scenario.decision_ticks]:
            put(place_m, ".")
        for cell, place_m in enumerate(record.site_m):
            put(place_m, cell_sign(cell))
        put(record.site_m[record.serving], "#")
        for event in record.line.events:
            if event.what != "handover":
                put(event.place_m, "x")
        put(record.line.place_m[record.now], "@")
        return grid

    def _cell_lines(self, count: int) -> list[str]:
        record = self._record
        rsrp_dbm, sight = record.rsrp_dbm[record.now], record.sight()
        measured_dbm, sinr_db = record.measured_dbm, record.sinr_db[record.now]
        lines = [f"  cell  dBm  heard {RSRP.low:g}{'':{BAR - 6}}{RSRP.high:g}  SINR"]
        for cell in record.shown_cells(min(TEXT_CELLS, count - 1)):
            bar = "=" * round(BAR * RSRP.share(rsrp_dbm[cell]))
            mark = "#" if cell == record.serving else cell_sign(cell)
            lines.append(
                f"{mark} {cell:3d} {rsrp_dbm[cell]:6.0f} {measured_dbm[cell]:6.0f} {bar:.<{BAR}} {sinr_db[cell]:5.1f}"
                f" {('sight', '', 'block', '', '')[sight[cell]]}"
            )
        return lines
