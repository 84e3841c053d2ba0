"""Relay selection: a source reaches its destination through one of several relays, in two hops of half a slot each.

Relays decode and forward, so the worse of both hops limits the rate (Bletsas et al. 2006, "A simple cooperative
diversity method based on network path selection", IEEE JSAC 24(3): their max-min criterion is the rule `max-min`).

Differences from the paper:

1. The SNRs of hops are Gaussian in dB and correlated over slots (ours), not Rayleigh and independent.
2. The SNRs seen are those of the last slot, and a change of relay costs a share of the slot (ours).
"""

from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
from gymnasium import spaces
from scipy.signal import lfilter

from mmwave_gym.core.memory import Memory
from mmwave_gym.core.ranges import Count, Range, check_ranges
from mmwave_gym.core.scenario import Episodes, Metric, ObservationField, ObservationFields, Outcome, Scenario
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

    def __post_init__(self):
        check_ranges(self)


@dataclass
class RelayEpisodes(Episodes):
    snr_db: np.ndarray  # (storage, slot, hop, relay)


@dataclass
class RelayState:
    slot: np.ndarray
    relay: np.ndarray  # (N,): through which the last slot went


class Relay(Scenario):
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

    def __init__(self, config):
        self.config, self.horizon = config, config.horizon
        self.action_space = spaces.Discrete(config.num_relays)
        parts = (
            ("first_snr_db", LOWEST_DB, HIGHEST_DB, "dB", "source to each relay, last slot"),
            ("second_snr_db", LOWEST_DB, HIGHEST_DB, "dB", "each relay to the destination, last slot"),
            ("serving", 0.0, 1.0, "1", "relay of the last slot, one-hot"),
        )
        fields = (ObservationField(name, config.num_relays, *other, per="choice") for name, *other in parts)
        self.fields = ObservationFields(fields)

    def draw(self, rngs):
        c = self.config
        mean = np.stack([rng["sites"].uniform(0.0, 15.0, (1, 2, c.num_relays)) for rng in rngs])
        noise = np.stack([rng["fading"].standard_normal((c.horizon + 1, 2, c.num_relays)) for rng in rngs])
        noise[:, 1:] *= np.sqrt(1.0 - c.correlation**2)
        snr_db = mean + c.fading_db * lfilter([1.0], [1.0, -c.correlation], noise, axis=1)
        return RelayEpisodes(np.arange(len(rngs)), snr_db.clip(LOWEST_DB, HIGHEST_DB).astype(np.float32))

    def start(self, episodes):
        return RelayState(*np.zeros((2, len(episodes.row)), np.int64))

    def step(self, episodes, state, action):
        chosen = action[:, 0]
        state.slot += 1
        rate = rates(episodes.snr_db[episodes.row, state.slot])[np.arange(len(chosen)), chosen]
        changed = chosen != state.relay
        rate *= np.where(changed, 1.0 - self.config.switching, 1.0)
        state.relay = chosen.copy()
        metrics = {"rate_bps_hz": rate.copy(), "changes_per_s": changed.astype(float)}
        left, elapsed_s = np.zeros((len(chosen), 1), bool), np.full(len(chosen), SLOT_S)
        return Outcome(rate[:, None], left, state.slot >= self.horizon, elapsed_s, metrics)

    def observe(self, episodes, state):
        snr_db = episodes.snr_db[episodes.row, state.slot]
        relay = state.relay[:, None] == np.arange(self.config.num_relays)
        return np.concatenate((snr_db[:, 0], snr_db[:, 1], relay), axis=1, dtype=np.float32)[:, None]

    def reveal(self, episodes, state, access):
        if access != "hindsight":
            return {}
        return {"rate_bps_hz": rates(episodes.snr_db[episodes.row, 1:]), "slot": state.slot}

    def memory(self):
        snrs = 2 * (self.horizon + 1) * self.config.num_relays
        return Memory(episode=4 * snrs, state=400 + 24 * self.fields.size, working=24 * snrs)

    def constants(self):
        return {**asdict(self.config), "step_s": SLOT_S}


def rates(snr_db):
    """Rate in bit/s/Hz of each relay, (…, relay), for the SNRs in dB of its hops, (…, hop, relay)."""
    return 0.5 * np.log2(1.0 + db_to_linear(snr_db.min(axis=-2).astype(np.float64)))
