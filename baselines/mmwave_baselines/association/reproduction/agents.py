"""Agents of the reproduction of arXiv 2201.05983 that differ from the product's in one number.

The paper's prices, discounts and thresholds are lost, so its search tries several; `package:Class` names them in rows.
"""

from __future__ import annotations

from mmwave_baselines.association.lbh import Lbh


class Lbh20(Lbh):
    """A handover costs 20 (bit/s/Hz) s."""

    label = "LBH, c = 20"

    def __init__(self) -> None:
        super().__init__(20.0)
