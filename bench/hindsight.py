"""How long solving episodes in hindsight takes: readable and compiled recursions in turns."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from bench.measure import Row, in_turns, ratio, seconds
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng


def hindsight_time(quick: bool) -> list[Row]:
    """One episode of a street and of UDN handover, as the rewards of training and the ceilings need it."""
    try:
        from mmwave_baselines.handover.oracle import best_changes
        from mmwave_baselines.handover.training.shaping import hindsight_values
        from mmwave_baselines.street.oracle import bound, solve
    except ImportError as error:
        return [Row("hindsight: ms an episode", None, "-", f"not measured: {error}")]
    street, handover = make_scenario("street"), make_scenario("handover")
    drive, walk = (scenario.draw([EpisodeRng(EpisodeKey(0))]) for scenario in (street, handover))
    known = drive.sinr_db, drive.rsrp_dbm, street.constants()
    rates = walk.efficiency_bps_hz[:, : handover.horizon], walk.departure, 7.5, 0.7
    works: dict[str, tuple[str, Callable[[], Any]]] = {
        "street, bound (rewards)": ("<= 0.2", lambda: bound(*known)),
        "street, solve (ceiling)": ("-", lambda: solve(*known)),
        "handover, values (rewards)": ("-", lambda: hindsight_values(*rates)),
        "handover, plan (ceiling)": ("-", lambda: best_changes(*rates, False, 0, range(handover.horizon))),
    }
    rows = []
    for name, (goal, work) in works.items():

        def once(choice: str, times: int, work: Callable[[], Any] = work) -> Callable[[], float]:
            def play() -> None:
                os.environ["MMWAVE_NUMBA"] = choice
                for _ in range(times):
                    work()

            return lambda: seconds(play) / times

        before = os.environ.get("MMWAVE_NUMBA")
        once("1", 1)()  # compiles
        costs = in_turns({"readable": once("0", 1), "compiled": once("1", 20)}, 4 if quick else 20)
        os.environ.pop("MMWAVE_NUMBA")
        if before is not None:
            os.environ["MMWAVE_NUMBA"] = before
        value, spread = ratio(costs["readable"], costs["compiled"])
        ms = {kind: 1e3 * min(cost) for kind, cost in costs.items()}
        rows.append(Row(f"hindsight, {name}: ms an episode", ms["compiled"], goal, "compiled, one episode a call"))
        setup = f"{ms['readable']:.3g} / {ms['compiled']:.3g} ms, one episode a call"
        rows.append(Row(f"hindsight, {name}: readable / compiled", value, "-", setup, spread))
    return rows
