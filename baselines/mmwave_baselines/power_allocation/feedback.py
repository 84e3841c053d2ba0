"""Powers that each base station sets for itself: a fixed back-off, Foschini-Miljanic by feedback, and a linear rule.

The feedback rules read the field `margin_db` and others of the local observation (`observation="local"`).
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation.acting import actions
from mmwave_baselines.power_allocation.rules import Fixed
from mmwave_gym.agents.protocol import NotApplicable, RowRng
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View
from mmwave_gym.core.checks import at_least, between
from mmwave_gym.core.ranges import Allowed, Range
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear

MOST_DB = 20.0
"""Margins and balances count up to this: beyond it the direction says enough (ours)."""


class BackOff(Fixed):
    """Everybody sends so many dB below the greatest power.

    back_off_db: at least 0, ValueError otherwise. No power is below the least.
    """

    tunable: ClassVar[dict[str, Allowed]] = {"back_off_db": Range(0.0, 30.0, "dB")}

    def __init__(self, back_off_db: float = 3.0):
        at_least("back_off_db", back_off_db, 0.0)
        self.config = {"back_off_db": float(back_off_db)}
        self.label = f"back-off ({back_off_db:g} dB)"

    def act(self, seen: Seen, rng: RowRng) -> NDArray[Any]:
        high_dbm = seen.constants["power_dbm"][1]
        power_dbm = np.full((len(seen) // seen.view.num_agents, seen.view.num_agents), high_dbm)
        return actions(seen.view, db_to_linear(power_dbm - self.config["back_off_db"]))


class Feedback(Rule):
    """Base: the power of the last slot, changed by what the base station's own UE reports."""

    def remember(self, view: View) -> None:
        if "margin_db" not in {field.name for field in view.fields}:
            raise NotApplicable(f"{self.label} needs the field margin_db: a task with observation='local'.")

    def act(self, seen: Seen, rng: RowRng) -> NDArray[Any]:
        now_dbm = seen["power_dbm"][:, 0].astype(np.float64) + self.change_db(seen)
        return actions(seen.view, db_to_linear(now_dbm.reshape(-1, seen.view.num_agents)))

    def change_db(self, seen: Seen) -> FloatArray:
        """(rows,)"""
        raise NotImplementedError


class FoschiniMiljanicFeedback(Feedback):
    """Foschini-Miljanic (IEEE Trans. Veh. Technol. 42(4), 1993) by feedback: less power by what the SINR has to spare.

    target_db: SINR that is aimed at, above the required one, any. step: share of the difference in a slot, above 0 to
    1. ValueError otherwise. Who cannot be satisfied ends at the greatest power.
    """

    tunable: ClassVar[dict[str, Allowed]] = {"target_db": Range(0.0, 20.0, "dB"), "step": Range(0.1, 1.0)}

    def __init__(self, target_db: float = 0.2, step: float = 1.0):
        at_least("target_db", target_db, -100.0)
        between("step", step, 1e-6, 1.0)
        self.config = {"target_db": float(target_db), "step": float(step)}
        self.label = f"Foschini-Miljanic by feedback ({target_db:g} dB)"

    def change_db(self, seen: Seen) -> FloatArray:
        margin_db = seen["margin_db"][:, 0].astype(np.float64)
        return self.config["step"] * (self.config["target_db"] - margin_db)


class Linear(Feedback):
    """A change in dB that is linear in what the base station sees: the linear reference of power allocation. Ours.

        change = constant + margin x margin_db + balance x balance_db + pressure x pressure

    margin_db and balance_db count up to `MOST_DB`. balance_db is 0 where an own dB gains what it costs the others; the
    pressure grows while the requirement is not met. Each weight may be any number; ValueError for what is not finite.
    """

    label = "linear feedback"
    tunable: ClassVar[dict[str, Allowed]] = {
        "constant": Range(-2.0, 2.0, "dB"),
        "margin": Range(-1.0, 0.5),
        "balance": Range(-0.2, 1.0),
        "pressure": Range(0.0, 4.0, "dB"),
    }

    def __init__(self, constant: float = 0.0, margin: float = 0.0, balance: float = 0.3, pressure: float = 1.0):
        weights = {"constant": constant, "margin": margin, "balance": balance, "pressure": pressure}
        for name, value in weights.items():
            between(name, value, -1e3, 1e3)
        self.config = {name: float(value) for name, value in weights.items()}

    def change_db(self, seen: Seen) -> FloatArray:
        its = self.config
        margin_db, balance_db = (
            np.clip(seen[name][:, 0].astype(np.float64), -MOST_DB, MOST_DB) for name in ("margin_db", "balance_db")
        )
        pressed = its["pressure"] * seen["pressure"][:, 0].astype(np.float64)
        return its["constant"] + its["margin"] * margin_db + its["balance"] * balance_db + pressed
