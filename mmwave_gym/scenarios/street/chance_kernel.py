"""The chance of `world.StreetWorld`, compiled: routes and errors of measurements, the same numbers to the bit."""

from __future__ import annotations

from typing import Any

from numba import njit

from mmwave_gym.core.chance_kernel import rekey


@njit(cache=True)
def draw_chance(
    generator: Any, state: Any, keys: Any, causes: Any, num_maps: int, chosen: Any, uniform: Any, noise: Any
) -> None:
    """Fill `chosen` (episode,) with numbers of maps, `uniform` (episode, 3), and `noise` (episode, measurement, cell).

    keys: see `compiled.keys_of`; causes (2,) and state: see `rekey`; uniform is in [0, 1), noise is standard normal,
    both without unit.
    """
    words, counts = keys
    for i in range(len(words)):
        key = words[i, : counts[i]]
        rekey(key, causes[0], state)
        chosen[i] = generator.integers(0, num_maps)
        for j in range(uniform.shape[1]):
            uniform[i, j] = generator.random()
        rekey(key, causes[1], state)
        for measurement in range(noise.shape[1]):
            for cell in range(noise.shape[2]):
                noise[i, measurement, cell] = generator.standard_normal()
