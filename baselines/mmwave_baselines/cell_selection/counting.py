"""How many states the MDP has (arXiv 1507.00387, section V, Fig. 3): the printed formulas beside enumeration.

c_k(N) should count the ways to write N as a sum of exactly k positive numbers, and C_L(N) the ways to share at most N
UEs out over the L - 1 BSs that do not serve, order aside. (16) to (18) do. (19), as printed, does not:
c_4(3..8) = 3 4 9 16 24 34, where it should be 0 1 1 2 3 5. It only touches L = 5.
"""

from __future__ import annotations

import itertools
from functools import cache
from math import comb

MOST_CELLS = 5
FORMULAS = ("printed", "repaired")


def _q(x: int) -> int:  # eq. 15
    return max(x, 0)


def c1(n: int) -> int:
    """Eq. 16: at most one positive part, summed over 0..n."""
    return n + 1


def c2(n: int) -> int:
    """Eq. 17."""
    return n // 2


def c3(n: int) -> int:
    """Eq. 18."""
    return sum(_q((n - 1 - i) // 2 - i) for i in range(n))


def c4_printed(n: int) -> int:
    """Eq. 19 with the inner differences taken for each i, as printed."""
    return sum(
        sum(_q((n - 1 - j) // 2 - j) for j in range(n)) - sum(_q((n - 2 - i - k) // 2 - k) for k in range(i))
        for i in range(n)
    )


def c4_repaired(n: int) -> int:
    """Eq. 19 with n - 2 - i - j in its first floor (ours): exact, checked by enumeration in the tests."""
    return sum(
        sum(_q((n - 2 - i - j) // 2 - j) for j in range(n)) - sum(_q((n - 2 - i - k) // 2 - k) for k in range(i))
        for i in range(n)
    )


@cache
def partitions(n: int, parts: int) -> int:
    """Ways to write n as a sum of exactly `parts` positive numbers, order aside."""
    if parts == 0 or n < parts:
        return int(n == parts == 0)
    return partitions(n - 1, parts - 1) + partitions(n - parts, parts)


def load_combinations(num_cells: int, num_ues: int, formula: str = "repaired") -> int:
    """Eq. 20, for 2 to 5 BSs. Raises ValueError."""
    if not 2 <= num_cells <= MOST_CELLS:
        raise ValueError(f"num_cells must be between 2 and {MOST_CELLS}, got {num_cells}.")
    if formula not in FORMULAS:
        raise ValueError(f"formula must be one of {', '.join(FORMULAS)}, got {formula!r}.")
    ways = {2: c2, 3: c3, 4: c4_printed if formula == "printed" else c4_repaired}
    return c1(num_ues) + sum(ways[k](num_ues - i) for i in range(num_ues) for k in range(2, num_cells))


def states(num_cells: int, num_ues: int, num_channel_states: int = 3, formula: str = "repaired") -> int:
    """Eq. 21, what Fig. 3 shows."""
    return num_channel_states**num_cells * load_combinations(num_cells, num_ues, formula)


def states_by_orbits(num_cells: int, num_ues: int, num_channel_states: int = 3) -> int:
    """States that really differ: a UE at BS 1 with any channels, the other BSs' (channel, load) pairs in any order.

    Smaller than eq. 21, which sorts loads only and counts states in which nobody is at the BS that serves. Counted by
    multiplying generating functions.
    """
    ways = [[1] + [0] * (num_ues - 1)] + [[0] * num_ues for _ in range(num_cells - 1)]  # [pairs used][UEs placed]
    for load in range(num_ues):
        grown = [[0] * num_ues for _ in range(num_cells)]
        for used, placed in itertools.product(range(num_cells), range(num_ues)):
            for more in range(num_cells - used):
                if placed + more * load < num_ues:
                    repeats = comb(num_channel_states + more - 1, more)
                    grown[used + more][placed + more * load] += ways[used][placed] * repeats
        ways = grown
    return num_channel_states * sum(ways[num_cells - 1])


def states_without_symmetry(num_cells: int, num_ues: int, num_channel_states: int = 3) -> int:
    """States of the tables of `model.Game`: K^L C(N + L - 2, L - 1)."""
    return num_channel_states**num_cells * comb(num_ues + num_cells - 2, num_cells - 1)
