"""The backward induction of `bounds`, compiled: each base station's best series of sets at given prices.

States of a cell: sets with up to `named` lasting jobs by who these are, and by how many brief ones are there; and of
sets with more lasting jobs only the size. States are numbered within the cell: m brief jobs beside the named set g have
the number g (briefs + 1) + m. Named sets are numbered by how many they are: nobody, single ones, pairs, triples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True)
inlined: Any = njit(cache=True, inline="always")
MOST = 3
"""The largest `named`."""


@inlined
def _choose(n, k):
    """How many sets of k of n there are, k up to 3."""
    if k == 0:
        return 1
    if k == 1:
        return n
    return n * (n - 1) // 2 if k == 2 else n * (n - 1) * (n - 2) // 6


@inlined
def _sets(n, named):
    """How many sets of up to `named` of n there are."""
    count = 0
    for k in range(named + 1):
        count += _choose(n, k)
    return count


@inlined
def _pair(n, a, b):
    """The number of {a, b}, in any order."""
    low, high = min(a, b), max(a, b)
    return 1 + n + high * (high - 1) // 2 + low


@inlined
def _triple(n, a, b, c):
    """The number of {a, b, c}, a < b and c anywhere."""
    low, high = min(a, c), max(b, c)
    middle = a + b + c - low - high
    first = 1 + n + n * (n - 1) // 2
    return first + high * (high - 1) * (high - 2) // 6 + middle * (middle - 1) // 2 + low


@compiled
def _members(n, number, found):
    """Put the members of a numbered set of n into `found` (3,); returns how many."""
    if number == 0:
        return 0
    if number < 1 + n:
        found[0] = number - 1
        return 1
    rest, high = number - 1 - n, 1
    if rest < n * (n - 1) // 2:
        while (high + 1) * high // 2 <= rest:
            high += 1
        found[0], found[1] = rest - high * (high - 1) // 2, high
        return 2
    rest -= n * (n - 1) // 2
    high = 2
    while (high + 1) * high * (high - 1) // 6 <= rest:
        high += 1
    rest -= high * (high - 1) * (high - 2) // 6
    middle = 1
    while (middle + 1) * middle // 2 <= rest:
        middle += 1
    found[0], found[1], found[2] = rest - middle * (middle - 1) // 2, middle, high
    return 3


@compiled
def _rank(bits, price, free, size, order, worth):
    """Sort `order`, its first `free` pieces, by what each adds to a set of `size`; `worth` receives how much."""
    for k in range(free):  # insertion: almost sorted already, from the size before
        i = order[k]
        w = bits[i] / size - price[i]
        j = k
        while j > 0 and worth[j - 1] < w:
            worth[j], order[j] = worth[j - 1], order[j - 1]
            j -= 1
        worth[j], order[j] = w, i


@compiled
def _fill(slots, lasting, free, brief, order, worth, chosen):
    """The most that `slots` of the `free` ranked pieces add, `lasting` of them no brief ones; marks them in `chosen`.

    -inf where they are too few.
    """
    total = 0.0
    for k in range(free):
        i = order[k]
        if slots > 0 and (not brief[i] or slots > lasting):
            total += worth[k]
            slots -= 1
            if not brief[i] and lasting > 0:
                lasting -= 1
            chosen[i] = True
    return total if slots == 0 and lasting == 0 else -np.inf


@compiled
def _few(bits, price, forced, which, size, many, chosen):
    """The most that `many` of the brief pieces `which` add to a set of `size`; marks them in `chosen`; -inf: none."""
    total, left = 0.0, many
    for i in which:
        chosen[i] = forced[i]
        if forced[i]:
            total += bits[i] / size - price[i]
            left -= 1
    if left < 0 or many > len(which):
        return -np.inf
    for _ in range(left):
        best, most = -1, -np.inf
        for i in which:
            if not chosen[i] and bits[i] / size - price[i] > most:
                best, most = i, bits[i] / size - price[i]
        chosen[best] = True
        total += most
    return total


@compiled
def best_plans(station, cell, leave, join, onward, fresh, brief, bits, price, forced, named, taken):
    """Sum over base stations of the best series of sets; `taken` (piece,) becomes whether it is in its cell's set.

    Backward induction over the cells of a base station, with the states of the module's text, `named` from 1 to 3.
    Named jobs stay while they last, and others come only where they begin. Numbers of brief ones, and sizes of larger
    sets, fall by no more than the jobs that end and rise by no more than those that begin. bits, price, forced, onward,
    fresh, brief: (piece,).
    """
    total = 0.0
    cells = len(cell) - 1
    lasting, briefs = np.zeros(cells, np.int64), np.zeros(cells, np.int64)
    local = np.zeros(len(bits), np.int64)  # number of a piece among the lasting or the brief ones of its cell
    most_cells, most = 0, 0
    for b in range(len(station) - 1):
        most_cells = max(most_cells, station[b + 1] - station[b])
        size = 0
        for c in range(station[b], station[b + 1]):
            for i in range(cell[c], cell[c + 1]):
                if brief[i]:
                    local[i] = briefs[c]
                    briefs[c] += 1
                else:
                    local[i] = lasting[c]
                    lasting[c] += 1
            size += _sets(lasting[c], named) * (briefs[c] + 1) + max(cell[c + 1] - cell[c] - named, 0)
        most = max(most, size)
    value, then = np.empty(most), np.empty(most, np.int32)
    base = np.zeros(most_cells + 1, np.int64)
    order, worth = np.zeros(len(bits), np.int64), np.zeros(len(bits))
    chosen = np.zeros(len(bits), np.bool_)
    must = np.zeros(cells, np.int64)
    widest = int(briefs.max()) + 1 if cells else 1
    best_of, who = np.empty((MOST + 1, widest)), np.zeros((MOST + 1, widest), np.int64)
    few = np.empty((MOST + 1, widest))
    inverse = 1.0 / np.maximum(np.arange(widest + MOST + 1), 1)
    members = np.empty(3, np.int64)
    for b in range(len(station) - 1):
        begin, end = station[b], station[b + 1]
        for c in range(begin, end):
            states = _sets(lasting[c], named) * (briefs[c] + 1) + max(cell[c + 1] - cell[c] - named, 0)
            base[c - begin + 1] = base[c - begin] + states
        for c in range(end - 1, begin - 1, -1):
            first, n, ns = cell[c], lasting[c], briefs[c]
            here, last = base[c - begin], c == end - 1
            which, bound = np.empty(ns, np.int64), np.zeros(n, np.int64)
            w, q = np.empty(n), np.empty(n)  # of lasting ones
            must_lasting = 0
            for i in range(first, cell[c + 1]):
                if brief[i]:
                    which[local[i]] = i
                else:
                    w[local[i]], q[local[i]], bound[local[i]] = bits[i], price[i], forced[i]
                    must_lasting += forced[i]
                must[c] += forced[i]
            # What follows.
            stays, new, new_lasting, new_brief, gone_lasting, gone_brief = np.full(n, -1, np.int64), -1, 0, 0, 0, 0
            ahead, n2, ns2, larger, largest = 0, 0, 0, 0, 0
            if not last:
                ahead, n2, ns2 = base[c - begin + 1], lasting[c + 1], briefs[c + 1]
                larger = ahead + _sets(n2, named) * (ns2 + 1) - named - 1  # where a set of size 0 would be
                largest = cell[c + 2] - cell[c + 1]
                for i in range(first, cell[c + 1]):
                    if onward[i] < 0:
                        gone_brief += brief[i]
                        gone_lasting += not brief[i]
                    elif not brief[i]:
                        stays[local[i]] = local[onward[i]]
                for i in range(cell[c + 1], cell[c + 2]):
                    if fresh[i] and brief[i]:
                        new_brief += 1
                    elif fresh[i]:
                        new_lasting += 1
                        new = local[i]
                best_of[:] = -np.inf
                state = ahead
                for k in range(named + 1):
                    for _ in range(_choose(n2, k)):
                        for m in range(ns2 + 1):
                            if value[state] > best_of[k, m]:
                                best_of[k, m], who[k, m] = value[state], state - ahead
                            state += 1
            for k in range(named + 1):
                for m in range(ns + 1):
                    few[k, m] = _few(bits, price, forced, which, max(k + m, 1), m, chosen)

            # Sets by their named members, in the order in which they are numbered: x < y < z.
            state = here
            for k in range(named + 1):
                x, y, z = 0, 1, 2
                for _ in range(_choose(n, k)):
                    all_bits, paid, held = 0.0, 0.0, 0
                    a, d, e, left = -1, -1, -1, 0
                    for member in range(k):
                        j = x if member == 0 else (y if member == 1 else z)
                        all_bits += w[j]
                        paid += q[j]
                        held += bound[j]
                        if stays[j] >= 0:
                            if left == 0:
                                a = stays[j]
                            elif left == 1:
                                d = stays[j]
                            else:
                                e = stays[j]
                            left += 1
                    go = 0
                    if left == 1:
                        go = 1 + a
                    elif left == 2:
                        go = _pair(n2, a, d)
                    elif left == 3:
                        go = _triple(n2, a, d, e)
                    other = -1
                    if new_lasting == 1 and left < named:
                        if left == 0:
                            other = 1 + new
                        elif left == 1:
                            other = _pair(n2, a, new)
                        else:
                            other = _triple(n2, a, d, new)
                    over, several = left + new_lasting > named, new_lasting > 1
                    stay, come = ahead + go * (ns2 + 1), ahead + other * (ns2 + 1)
                    for m in range(ns + 1):
                        then[state] = 0
                        if held < must_lasting or few[k, m] == -np.inf:
                            value[state] = -np.inf
                            state += 1
                            continue
                        best, to = -np.inf, ahead
                        least2, most2 = max(m - gone_brief, 0), min(min(m, ns - gone_brief) + new_brief, ns2)
                        if last:
                            best = 0.0
                        else:
                            for m2 in range(least2, most2 + 1):
                                if value[stay + m2] > best:
                                    best, to = value[stay + m2], stay + m2
                            if other >= 0:
                                for m2 in range(least2, most2 + 1):
                                    if value[come + m2] > best:
                                        best, to = value[come + m2], come + m2
                            if over:
                                for size in range(named + 1 + least2, min(left + new_lasting + most2, largest) + 1):
                                    if value[larger + size] > best:
                                        best, to = value[larger + size], larger + size
                            if several:  # begin at once: whoever is there then
                                for more in range(left + 1, min(left + new_lasting, named) + 1):
                                    for m2 in range(least2, most2 + 1):
                                        if best_of[more, m2] > best:
                                            best, to = best_of[more, m2], ahead + who[more, m2]
                        value[state] = all_bits * inverse[k + m] - paid + few[k, m] + best
                        then[state] = to - ahead
                        state += 1
                    if k >= 1:
                        x += 1
                        if k >= 2 and x == y:
                            x, y = 0, y + 1
                            if k == 3 and y == z:
                                y, z = 1, z + 1

            # Larger sets, by their size.
            free, must_bits, must_price = 0, 0.0, 0.0
            for i in range(first, cell[c + 1]):
                if forced[i]:
                    must_bits += bits[i]
                    must_price += price[i]
                else:
                    order[first + free] = i
                    free += 1
            mine, its = order[first : cell[c + 1]], worth[first : cell[c + 1]]
            for size in range(named + 1, n + ns + 1):
                value[state], then[state] = -np.inf, 0
                if size >= must[c] and n > named:
                    _rank(bits, price, free, size, mine, its)
                    lacking = max(named + 1 - must_lasting, 0)
                    gain = must_bits / size - must_price
                    gain += _fill(size - must[c], lacking, free, brief, mine, its, chosen)
                    best, to = (0.0, 0) if last else (-np.inf, 0)
                    if not last:
                        for size2 in range(max(size - leave[c], named + 1), min(size + join[c + 1], largest) + 1):
                            if value[larger + size2] > best:
                                best, to = value[larger + size2], larger + size2 - ahead
                        for k in range(max(named + 1 - gone_lasting, 0), named + 1):
                            for m2 in range(ns2 + 1):
                                if size - leave[c] <= k + m2 <= size + join[c + 1] and best_of[k, m2] > best:
                                    best, to = best_of[k, m2], who[k, m2]
                    value[state], then[state] = gain + best, to
                state += 1
        if begin == end:
            continue
        state = int(np.argmax(value[: base[1]]))
        total += value[state]
        for c in range(begin, end):
            first, n, ns = cell[c], lasting[c], briefs[c]
            taken[first : cell[c + 1]] = forced[first : cell[c + 1]]
            if state < _sets(n, named) * (ns + 1):
                count, m = _members(n, state // (ns + 1), members), state % (ns + 1)
                which = np.empty(ns, np.int64)
                for i in range(first, cell[c + 1]):
                    if brief[i]:
                        which[local[i]] = i
                    else:
                        for k in range(count):
                            if local[i] == members[k]:
                                taken[i] = True
                _few(bits, price, forced, which, max(count + m, 1), m, taken)
            else:
                size = state - _sets(n, named) * (ns + 1) + named + 1
                free, must_lasting = n + ns - must[c], 0
                for i in range(first, cell[c + 1]):
                    must_lasting += forced[i] and not brief[i]
                mine, its = order[first : cell[c + 1]], worth[first : cell[c + 1]]
                _rank(bits, price, free, size, mine, its)
                _fill(size - must[c], max(named + 1 - must_lasting, 0), free, brief, mine, its, taken)
            state = then[base[c - begin] + state]
    return total
