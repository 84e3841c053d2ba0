"""The picture of cell selection: links and loads now, what each UE receives, and the last slots as a lane a UE.

Colour is the state of a link and nothing else; the links in use are strong, the others pale.
"""

from __future__ import annotations

from mmwave_gym.rendering.canvas import Frame, Layer, Point
from mmwave_gym.rendering.colours import FAINT, GREY, INK, LINE, WHITE, Colour, blend
from mmwave_gym.scenarios.cell_selection.scene import MOST_CELLS, MOST_UES, PAGE_SLOTS, Record

LEFT, RIGHT = 20, 940
TILES = (78, 408)  # left and right edge of the table of links
BAR = (436, 626)
NUMBERS = (690, 770, 850, RIGHT)  # right edges of the columns
TABLE_TOP, TABLE_HEIGHT = 124, 292
LANES = (78, RIGHT)
LANES_BOTTOM = 690
GOOD, MIDDLING, NONE = (0, 158, 115), (230, 159, 0), (140, 140, 140)  # two of Okabe and Ito's colours, and grey
PALE = 0.68  # share of white in what is not used
LABELS = {"los": "LOS", "nlos": "NLOS"}


def state_colour(state: int, num_states: int) -> Colour:
    """From green over orange to grey, as links get worse."""
    if num_states == 1:
        return GOOD
    place = 2.0 * state / (num_states - 1)
    return blend(GOOD, MIDDLING, place) if place <= 1.0 else blend(MIDDLING, NONE, place - 1.0)


class CellSelectionPicture:
    """Draws what a `Record` holds."""

    def __init__(self, record: Record):
        self._record = record
        self._frame = Frame()
        config, k = record.config, len(record.states)
        self._colours = [state_colour(i, k) for i in range(k)]
        self._ues, self._cells = min(config.num_ues, MOST_UES), min(config.num_cells, MOST_CELLS)
        self._row = min(84.0, TABLE_HEIGHT / self._ues)
        self._column = min(110.0, (TILES[1] - TILES[0]) / self._cells)
        self._best_bps_hz = float(record.world.rate_bps_hz.max()) or 1.0
        self._table = Layer((round(self._cells * self._column) + 1, round(self._ues * self._row) + 1))

    def draw(self) -> Frame:
        """The frame of this moment; the next call draws into the same one."""
        self._frame.clear()
        self._draw_head()
        self._draw_legend()
        self._draw_links()
        self._draw_rates()
        self._draw_sums()
        self._draw_lanes()
        return self._frame

    # ------------------------------------------------------------------ head

    def _draw_head(self) -> None:
        frame, record = self._frame, self._record
        config = record.config
        width = frame.text("Cell selection", (LEFT, 26), 20, bold=True)
        ues = "1 UE" if config.num_ues == 1 else f"{config.num_ues} UEs"
        cells = "1 cell" if config.num_cells == 1 else f"{config.num_cells} cells"
        cost = f"a handover costs {100 * config.handover_cost:g} % of a slot"
        frame.text(f"{ues}, {cells}, {cost}", (LEFT + width + 14, 28), 13, GREY)
        width = frame.text(f"t = {record.time}", (RIGHT, 26), 20, align="right")
        progress = f"slot {record.slot} of {config.horizon}"
        frame.text(progress, (RIGHT - max(width, 130) - 14, 28), 13, GREY, align="right")

    def _draw_legend(self) -> None:
        frame, y, x = self._frame, 62.0, float(LEFT)
        x += 8 + frame.text("Link", (x, y), 12, bold=True)
        if len(self._colours) > 4:
            x += 8 + frame.text("best", (x, y), 12, GREY)
            for colour in self._colours:
                frame.box(colour, (x, y - 7, 10, 14))
                x += 10
            x += 26 + frame.text("worst", (x + 8, y), 12, GREY)
        else:
            for name, colour in zip(self._record.states, self._colours, strict=True):
                frame.box(colour, (x, y - 7, 14, 14))
                x += 34 + frame.text(LABELS.get(name, name), (x + 19, y), 12)
        frame.disc(INK, (x + 8, y), 7.0)
        x += 40 + frame.text("serves the UE", (x + 20, y), 12)
        layer = Layer((46, 18))
        self._arrow(layer, (8, 9), (30, 9), 5.0)
        layer.flush(frame.surface, (round(x), round(y) - 9))
        frame.disc(INK, (x + 37, y), 7.0)
        x += 70 + frame.text("handover", (x + 50, y), 12)
        frame.box(blend(GOOD, WHITE, PALE), (x, y - 7, 40, 14))
        frame.box(GOOD, (x, y - 7, 20, 14))
        frame.text("received / alone in the cell", (x + 47, y), 12)

    def _arrow(self, layer: Layer, start: Point, end: Point, radius: float) -> None:
        """A ring where the UE was and an arrow along the row to where it is."""
        layer.line(INK, start, end, 2.0)
        layer.ring(INK, start, radius, 2.0)
        back = -7.0 if end[0] > start[0] else 7.0
        tip = end[0], end[1]
        layer.polygon(INK, (tip, (tip[0] + back, tip[1] - 4), (tip[0] + back, tip[1] + 4)))

    # ------------------------------------------------------------------ links now

    def _middle(self, ue: int, cell: int) -> Point:
        """Of a link's tile, on the table's layer."""
        return (cell + 0.5) * self._column, (ue + 0.5) * self._row

    def _draw_links(self) -> None:
        frame, layer, now = self._frame, self._table, self._record.now
        gap = 2.0 if min(self._row, self._column) > 12 else 1.0
        radius = min(13.0, min(self._row, self._column) / 2 - gap - 1)
        layer.clear()
        for ue in range(self._ues):
            serving, before = int(now.serving[ue]), int(now.before[ue])
            for cell in range(self._cells):
                colour = self._colours[now.links[ue, cell]]
                tile = (cell * self._column, ue * self._row, self._column - gap, self._row - gap)
                layer.box(colour if cell == serving else blend(colour, WHITE, PALE), tile)
            if before != serving and max(before, serving) < self._cells:
                x, y = self._middle(ue, serving)
                end = x + (radius if before > serving else -radius), y
                self._arrow(layer, self._middle(ue, before), end, min(6.0, radius))
        layer.flush(frame.surface, (TILES[0], TABLE_TOP))
        for ue in range(self._ues):
            y = TABLE_TOP + (ue + 0.5) * self._row
            frame.text(f"UE {ue}", (LEFT, y), 13 if self._row > 16 else 11, bold=True)
            if now.serving[ue] < self._cells:
                x, y = self._middle(ue, int(now.serving[ue]))
                frame.disc(INK, (TILES[0] + x, TABLE_TOP + y), radius)
        frame.text("cell", (LEFT, TABLE_TOP - 16), 12, GREY)
        size = 13 if self._column > 24 else 10
        for cell in range(self._cells):
            at = (TILES[0] + (cell + 0.5) * self._column, TABLE_TOP - 16)
            frame.text(str(cell), at, size, bold=True, align="centre")

    # ------------------------------------------------------------------ what it brings

    def _draw_rates(self) -> None:
        frame, record, now = self._frame, self._record, self._record.now
        width = BAR[1] - BAR[0]
        frame.text("rate now", (BAR[0], TABLE_TOP - 16), 12, GREY)
        frame.text("bit/s/Hz", (NUMBERS[0], TABLE_TOP - 16), 12, GREY, align="right")
        frame.text("mean of the episode, per slot", (RIGHT, TABLE_TOP - 34), 12, GREY, align="right")
        for head, x in zip(("rate", "handovers", "outage"), NUMBERS[1:], strict=True):
            frame.text(head, (x, TABLE_TOP - 16), 12, GREY, align="right")
        columns = [record.per_slot(total) for total in (record.received_sum, record.handovers, record.outages)]
        height, size = min(22.0, self._row - 4), 13 if self._row > 16 else 11
        for ue in range(self._ues):
            y = TABLE_TOP + (ue + 0.5) * self._row - 1
            frame.box(FAINT, (BAR[0], y, width, 1))
            if record.slot:
                colour = self._colours[now.used[ue]]
                alone = float(record.world.rate_bps_hz[now.used[ue]]) / self._best_bps_hz
                share = float(now.received_bps_hz[ue]) / self._best_bps_hz
                frame.box(blend(colour, WHITE, PALE), (BAR[0], y - height / 2, width * alone, height))
                frame.box(colour, (BAR[0], y - height / 2, width * share, height))
                frame.text(f"{now.received_bps_hz[ue]:.2f}", (NUMBERS[0], y), size, bold=True, align="right")
                mean, handovers, outage = (float(values[ue]) for values in columns)
                for text, x in zip((f"{mean:.2f}", f"{handovers:.2f}", f"{outage:.0%}"), NUMBERS[1:], strict=True):
                    frame.text(text, (x, y), size, align="right")

    def _draw_sums(self) -> None:
        """Loads under the cells, sums over all UEs under the columns."""
        frame, record, now = self._frame, self._record, self._record.now
        top = TABLE_TOP + self._ues * self._row + 6
        y = top + 17
        frame.box(LINE, (LEFT, top - 4, RIGHT - LEFT, 1))
        frame.text("load", (LEFT, y), 13, GREY)
        full = self._column - 8
        for cell, load in enumerate(record.load[: self._cells].tolist()):
            x = TILES[0] + cell * self._column + 3
            frame.box(FAINT, (x, top + 3, full, 5))
            frame.box(INK, (x, top + 3, full * load / record.config.num_ues, 5))
            at = (TILES[0] + (cell + 0.5) * self._column, y + 2)
            frame.text(str(load), at, 13, INK if load else LINE, bold=load > 0, align="centre")
        hidden = record.config.num_ues - self._ues
        words = "all UEs" if not hidden else f"all UEs, {hidden} of them not shown"
        frame.text(words, (BAR[0], y), 13, GREY)
        if record.slot:
            frame.text(f"{now.received_bps_hz.sum():.2f}", (NUMBERS[0], y), 13, bold=True, align="right")
            sums = (
                f"{record.per_slot(record.received_sum).sum():.2f}",
                f"{record.per_slot(record.handovers).sum():.2f}",
                f"{record.per_slot(record.outages).mean():.0%}",
            )
            for text, x in zip(sums, NUMBERS[1:], strict=True):
                frame.text(text, (x, y), 13, align="right")

    # ------------------------------------------------------------------ the last slots

    def _draw_lanes(self) -> None:
        """A lane a UE and one for their sum. The page turns by half when it is full."""
        frame, record = self._frame, self._record
        top = TABLE_TOP + self._ues * self._row + 76
        most = self._best_bps_hz * min(record.config.num_ues, record.config.num_cells)
        width = frame.text("Received rate", (LEFT, top - 14), 13, bold=True)
        words = "in the colour of the link in use"
        frame.text(words, (LEFT + width + 14, top - 14), 12, GREY)
        scale = (
            f"number: handover to that cell     full height: {self._best_bps_hz:.2g} bit/s/Hz, for all UEs {most:.2g}"
        )
        frame.text(scale, (RIGHT, top - 14), 12, GREY, align="right")
        lane = min(110.0, (LANES_BOTTOM - top) / (self._ues + 1))
        sum_lane = max(lane, 30.0)
        lane = (LANES_BOTTOM - top - sum_lane) / self._ues if sum_lane > lane else lane
        turned = max(0, -(-(record.slot - PAGE_SLOTS) // (PAGE_SLOTS // 2)))
        first = turned * (PAGE_SLOTS // 2)  # slots before the page
        pitch = (LANES[1] - LANES[0]) / PAGE_SLOTS
        skipped = first - (record.slot - len(record.page))
        named = 11.0 if lane >= 26 else 0.0  # room for the numbers of cells
        shown = list(record.page)[skipped:] if skipped > 0 else list(record.page)
        for ue in range(self._ues):
            bottom = top + (ue + 1) * lane - 3
            frame.text(f"UE {ue}", (LEFT, bottom - lane / 2 + 2), 12 if lane > 15 else 10)
            frame.box(LINE, (LANES[0], bottom, LANES[1] - LANES[0], 1))
            room = lane - 5 - named
            for i, moment in enumerate(shown):
                x = LANES[0] + i * pitch
                colour = self._colours[moment.used[ue]]
                height = room * float(moment.received_bps_hz[ue]) / self._best_bps_hz
                frame.box(blend(colour, WHITE, PALE), (x, bottom - room, pitch - 1, room))
                frame.box(colour, (x, bottom - height, pitch - 1, height))
                if moment.handover[ue]:
                    frame.box(INK, (x - 1, bottom - room, 1, room))
                    if named:
                        frame.text(str(moment.serving[ue]), (x + 3, bottom - room - 5), 9, align="centre")
        bottom = top + self._ues * lane + sum_lane - 3
        frame.text("all UEs", (LEFT, bottom - sum_lane / 2 + 2), 12)
        frame.box(LINE, (LANES[0], bottom, LANES[1] - LANES[0], 1))
        for i, moment in enumerate(shown):
            height = (sum_lane - 5) * float(moment.received_bps_hz.sum()) / most
            frame.box(GREY, (LANES[0] + i * pitch, bottom - height, pitch - 1, height))
        frame.text("slot", (LEFT, bottom + 13), 11, GREY)
        for slot in range(first, first + PAGE_SLOTS + 1, 10):
            x = LANES[0] + (slot - first) * pitch
            frame.box(LINE, (x, bottom, 1, 5))
            frame.text(str(slot), (x, bottom + 13), 11, GREY, align="centre")
