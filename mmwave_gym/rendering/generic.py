"""Any scenario, plainly: what the first agent observes, the metrics, and rewards and metrics over time."""

from __future__ import annotations

import numpy as np

from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import ObservationField, Outcome
from mmwave_gym.rendering.recorded import RecordedScene
from mmwave_gym.rendering.text import text_of
from mmwave_gym.rendering.totals import Totals

TEXT_VALUES = 6  # of a field written out
MOST_CURVES = 5


class Record:
    """The running episode of environment 0: totals; the reward and the first metrics over time, means over agents."""

    def __init__(self, batch: Batch):
        self._batch = batch
        self.restart()

    def restart(self) -> None:
        scenario = self._batch.scenario
        self.totals = Totals(scenario.metrics, scenario.num_agents)
        names = ["reward", *(m.name for m in scenario.metrics)]
        self.curves: dict[str, list[float]] = {name: [] for name in names[: MOST_CURVES + 1]}
        self.times: list[float] = []
        self.noun = scenario.agent_noun
        self._present = self._batch.agent_ids()[0] >= 0

    def add(self, outcome: Outcome) -> None:
        acted = self._present if not self._batch.scenario.turn_based else np.ones_like(self._present)
        self.totals.add(outcome, acted)
        self.times.append(self.totals.time_s)
        for name, curve in self.curves.items():
            last = self.totals.last[name]
            curve.append(float(last[acted].mean()) if acted.any() else 0.0)
        self._present = self._batch.agent_ids()[0] >= 0

    @property
    def title(self) -> str:
        return self._batch.scenario.name.replace("_", " ")

    @property
    def state(self) -> str:
        scenario = self._batch.scenario
        agents = f"{int(self._present.sum())} of {scenario.num_agents} {self.noun}s present"
        return f"step {self.totals.num_steps}, {agents}"

    def fields(self) -> list[tuple[ObservationField, np.ndarray]]:
        """The observation of the first agent present, by field."""
        fields = self._batch.scenario.fields
        agent_slot = int(self._present.argmax())
        values = fields.split(self._batch.observe()[0, agent_slot])
        return [(field, np.asarray(values[field.name], np.float64)) for field in fields]

    def numbers(self) -> list[tuple[str, str, float, float]]:
        """Name, unit, the last step's value, the episode's: reward first, then the metrics."""
        totals = self.totals
        rows = [
            (
                "reward (mean; sum)",
                "",
                self.curves["reward"][-1] if self.times else 0.0,
                float(totals.sums["reward"].sum()),
            )
        ]
        for metric in totals.metrics:
            last = totals.last[metric.name]
            now = float(last[self._present].mean()) if self._present.any() else float(last.mean())
            rows.append((metric.name, metric.unit, now, totals.condensed(metric)))
        return rows


class GenericScene(RecordedScene[Record]):
    """See `mmwave_gym.rendering.renderer.Scene`."""

    record_type = Record
    picture_type = "generic_picture:GenericPicture"

    def text(self) -> str:
        """Fields, metrics and rewards in ASCII, always the same number of lines of the same width."""
        record = self._record
        lines = [f"{record.title}  t = {record.totals.time_s:9.3f} s  {record.state}"]
        lines.append(f"first {record.noun}'s observation")
        for field, values in record.fields():
            shown = " ".join(f"{v:8.3g}" for v in values[:TEXT_VALUES])
            more = " ..." if len(values) > TEXT_VALUES else ""
            lines.append(f"  {field.name[:16]:16} {shown}{more}")
        lines.append(f"  {'':30} {'last step':>12} {'episode':>12}")
        lines += [
            f"  {name[:30]:30} {now:12.4g} {episode:12.4g} {unit}" for name, unit, now, episode in record.numbers()
        ]
        return text_of(lines)
