"""Rules for relay selection: random, the paper's max-min rule, and the best in hindsight."""

import numpy as np

from mmwave_gym.agents import Rule


class Random(Rule):
    """A relay at random in every slot: the floor."""

    kind, label = "floor", "random"

    def act(self, seen, rng):
        return rng.choice(seen.allowed)


class MaxMin:
    """The relay whose worse hop was best in the last slot (Bletsas et al. 2006). It needs no base class."""

    kind, label = "paper", "max-min"

    def predict(self, observation, state=None, episode_start=None, deterministic=True):
        first_db, second_db, _ = np.split(observation, 3, axis=-1)
        return np.minimum(first_db, second_db).argmax(axis=-1), state


class Oracle(Rule):
    """The best in hindsight: what relay s is worth at slot t is V_t(s) = max_r rate_t(s, r) + V_t+1(r)."""

    access, kind, label = "hindsight", "ceiling", "oracle"

    def act(self, seen, rng):
        rate, slot = (seen.look()[name] for name in ("rate_bps_hz", "slot"))
        kept = 1.0 - seen.constants["switching"] * ~np.eye(rate.shape[2], dtype=bool)  # (from, to)
        value = best = np.zeros(rate[:, 0].shape, int)
        for t in range(rate.shape[1] - 1, slot.min() - 1, -1):
            worth = kept * rate[:, t, None] + value[:, None]  # (row, from, to)
            best = np.where((t == slot)[:, None], worth.argmax(axis=2), best)
            value = worth.max(axis=2)
        return best[np.arange(len(seen)), seen["serving"].argmax(axis=1)]
