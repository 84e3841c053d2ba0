"""Relay selection: a source reaches its destination through one of several relays, in two hops of half a slot each.

Relays decode and forward, so the worse of both hops limits the rate (Bletsas et al. 2006, "A simple cooperative
diversity method based on network path selection", IEEE JSAC 24(3): their max-min criterion is the rule `max-min`).

Differences from the paper:

1. The SNRs of hops are Gaussian in dB and correlated over slots (ours), not Rayleigh and independent.
2. The SNRs seen are those of the last slot, and a change of relay costs a share of the slot (ours).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from scipy.signal import lfilter

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.ranges import Count, Range, check_ranges
from mmwave_gym.core.scenario import (
    EpisodeRng,
    Episodes,
    Metric,
    ObservationField as Field,
    ObservationFields,
    Outcome,
    Scenario,
)
from mmwave_gym.radio.units import db_to_linear

LOWEST_DB, HIGHEST_DB = -30.0, 50.0
SLOT_S = 0.01


@dataclass(frozen=True, kw_only=True)
class RelayConfig:
    """Keywords of `Relay-v0`. Errors: ValueError names keyword, value and what is allowed."""

    num_relays: Annotated[int, Count(2, 100, cost="memory and time in proportion")] = 4
    """Relays to choose from."""
    horizon: Annotated[int, Count(2, 100_000, cost="memory and time in proportion")] = 100
    """Slots of an episode."""
    correlation: Annotated[float, Range(0.0, 1.0)] = 0.95
    """Of a hop's SNR in dB from slot to slot."""
    fading_db: Annotated[float, Range(0.0, 30.0, "dB")] = 6.0
    """Standard deviation of a hop's SNR around its mean."""
    switching: Annotated[float, Range(0.0, 1.0)] = 0.2
    """Share of a slot that a change of relay costs."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass
class RelayEpisodes(Episodes):
    snr_db: NDArray[np.float32]  # (storage, slot, hop, relay)


@dataclass
class RelayState:
    slot: NDArray[np.int64]
    relay: NDArray[np.int64]  # (N,): through which the last slot went


class Relay(Scenario[RelayEpisodes, RelayState]):
    """One agent, the source, names the relay of the next slot."""

    name = "relay"
    agent_noun = "source"
    action_meaning = "the relay of the next slot"
    reward_meaning = "rate of the slot, half of log2(1 + SNR of the worse hop), less what a change costs"
    reward_unit = "bit/s/Hz"
    metrics = (
        Metric("rate_bps_hz", "bit/s/Hz", "step", "the reward"),
        Metric("changes_per_s", "1/s", "second", "changes of relay"),
    )
    num_agents = max_agent_ids = 1

    def __init__(self, config: RelayConfig):
        self.config = config
        self.horizon = config.horizon
        self.action_space = spaces.Discrete(config.num_relays)
        size, low, high = config.num_relays, LOWEST_DB, HIGHEST_DB
        self.fields = ObservationFields(
            (
                Field("first_snr_db", size, low, high, "dB", "source to each relay, last slot", per="choice"),
                Field("second_snr_db", size, low, high, "dB", "each relay to the destination, last slot", per="choice"),
                Field("serving", size, 0.0, 1.0, "1", "relay of the last slot, one-hot", per="choice"),
            )
        )

    def draw(self, rngs: Sequence[EpisodeRng]) -> RelayEpisodes:
        c = self.config
        mean = np.stack([rng["sites"].uniform(0.0, 15.0, (1, 2, c.num_relays)) for rng in rngs])
        noise = np.stack([rng["fading"].standard_normal((c.horizon + 1, 2, c.num_relays)) for rng in rngs])
        noise[:, 1:] *= np.sqrt(1.0 - c.correlation**2)
        snr_db = mean + c.fading_db * lfilter([1.0], [1.0, -c.correlation], noise, axis=1)
        return RelayEpisodes(np.arange(len(rngs)), snr_db.clip(LOWEST_DB, HIGHEST_DB).astype(np.float32))

    def start(self, episodes: RelayEpisodes) -> RelayState:
        n = len(episodes.row)
        return RelayState(np.zeros(n, np.int64), np.zeros(n, np.int64))

    def step(self, episodes: RelayEpisodes, state: RelayState, action: NDArray[Any]) -> Outcome:
        chosen = action[:, 0]
        state.slot += 1
        rate = rates(episodes.snr_db[episodes.row, state.slot])[np.arange(len(chosen)), chosen]
        changed = chosen != state.relay
        rate = np.where(changed, 1.0 - self.config.switching, 1.0) * rate
        state.relay = chosen.copy()
        return Outcome(
            reward=rate[:, None],
            terminated=np.zeros((len(chosen), 1), bool),
            truncated=state.slot >= self.horizon,
            elapsed_s=np.full(len(chosen), SLOT_S),
            metrics={"rate_bps_hz": rate.copy(), "changes_per_s": changed.astype(np.float64)},
        )

    def observe(self, episodes: RelayEpisodes, state: RelayState) -> NDArray[np.float32]:
        snr_db = episodes.snr_db[episodes.row, state.slot]
        relay = state.relay[:, None] == np.arange(self.config.num_relays)
        return np.concatenate((snr_db[:, 0], snr_db[:, 1], relay), axis=1, dtype=np.float32)[:, None]

    def reveal(self, episodes: RelayEpisodes, state: RelayState, access: str) -> dict[str, Any]:
        if access != "hindsight":
            return {}
        return {"rate_bps_hz": rates(episodes.snr_db[episodes.row, 1:]), "slot": state.slot}

    def memory(self) -> Memory:
        snrs = 2 * (self.horizon + 1) * self.config.num_relays
        return Memory(episode=4 * snrs, state=400 + 24 * self.fields.size, working=24 * snrs)

    def constants(self) -> Mapping[str, Any]:
        return {**asdict(self.config), "step_s": SLOT_S}


def rates(snr_db: NDArray[Any]) -> NDArray[np.float64]:
    """Rate in bit/s/Hz of each relay, (…, relay), for the SNRs in dB of its hops, (…, hop, relay)."""
    return 0.5 * np.log2(1.0 + db_to_linear(snr_db.min(axis=-2).astype(np.float64)))
