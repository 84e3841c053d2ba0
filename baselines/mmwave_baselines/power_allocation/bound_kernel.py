"""What the bound of `bounds` is computed with, compiled by numba: one node of its search tree.

Notation of `bounds`: y = ln p, t_i(y) = y_i - ln(sum_j F_ij e^{y_j} + eta_i). A node says of each user whether it is
`SERVED` with t_i in [low_i, high_i], `GIVEN_UP` (its base station then sends its least power) or `OPEN` (either), and
has a box of powers. Arrays: F (A, A), all others (A,).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True)

OPEN, SERVED, GIVEN_UP = 0, 1, 2
LN2 = np.log(2.0)
OUTWARD = 1e-10
"""Relative: every limit that is derived moves out by this much, thousands of times the rounding of a few sums."""
LOWERED = 1e-7
"""Relative: powers proposed as a floor are lowered by this, so that noise leaves room in the check for its rounding."""
STEEPEST = 5.0
"""Slope, in bit/s/Hz, that holds t_i above `low_i` while the dual is solved; a steeper one does not converge."""


@compiled
def capacity(t):
    """log2(1 + e^t)."""
    return np.log1p(np.exp(t)) / LN2 if t < 30.0 else t / LN2


@compiled
def conjugate(weight, kind, low, high, least, missed):
    """Largest of f(t) - weight t over what is allowed: f is convex, so at an end of an interval.

    least: the smallest t of the box, where a user that is not served may be. missed: what that costs.
    """
    if kind == GIVEN_UP:
        return -missed
    most = max(capacity(low) - weight * low, capacity(high) - weight * high)
    if kind == OPEN:
        most = max(most, -missed - weight * least)
    return most


@compiled
def envelope(kind, low, high, least, missed, slope, height):
    """Fill three lines (slope, height) whose least is the concave envelope of f over the allowed t."""
    top, bottom = capacity(high), capacity(low)
    slope[0], height[0] = 0.0, top
    slope[1] = (top - bottom) / (high - low) if high - low > 1e-9 else 1.0
    height[1] = bottom - slope[1] * low
    if kind == SERVED:
        slope[2], height[2] = max(STEEPEST, slope[1]), bottom - max(STEEPEST, slope[1]) * low
        return
    steep = (bottom + missed) / (low - least)
    if steep >= slope[1]:
        slope[2], height[2] = steep, bottom - steep * low
    else:
        slope[1] = (top + missed) / (high - least)
        height[1] = top - slope[1] * high
        slope[2], height[2] = slope[1], height[1]


@compiled
def smooth(slope, height, t, mu):
    """A smooth least of three lines at t, by a barrier of weight mu: value, first and second derivative."""
    a, b, c = slope[0] * t + height[0], slope[1] * t + height[1], slope[2] * t + height[2]
    s = min(a, b, c) - mu
    for _ in range(30):
        over = mu / (a - s) + mu / (b - s) + mu / (c - s) - 1.0
        s -= over / (mu / (a - s) ** 2 + mu / (b - s) ** 2 + mu / (c - s) ** 2)
        if abs(over) < 1e-9:
            break
    wa, wb, wc = mu / (a - s), mu / (b - s), mu / (c - s)
    va, vb, vc = wa * wa, wb * wb, wc * wc
    mean = (va * slope[0] + vb * slope[1] + vc * slope[2]) / (va + vb + vc)
    curve = va * (slope[0] - mean) ** 2 + vb * (slope[1] - mean) ** 2 + vc * (slope[2] - mean) ** 2
    value = s + mu * np.log((a - s) * (b - s) * (c - s))
    return value, wa * slope[0] + wb * slope[1] + wc * slope[2], -curve / mu


@compiled
def merit(F, eta, y, y_low, y_high, users, slope, height, mu):
    """The barrier problem's value at y: smooth envelopes of the users, and the box."""
    p = np.exp(y)
    total = 0.0
    for i in users:
        load = eta[i]
        for j in range(len(eta)):
            load += F[i, j] * p[j]
        total += smooth(slope[i], height[i], y[i] - np.log(load), mu)[0]
        total += mu * np.log((y[i] - y_low[i]) * (y_high[i] - y[i]))
    return total


@compiled
def newton(F, eta, y, y_low, y_high, users, slope, height, mu):
    """One Newton step of the barrier problem: its value, gradients with and without the box, step, t and weights.

    Returns value, gradient of sum w_i t_i (users,), the step (users,), decrement, t (A,) and w (A,).
    """
    n, m = len(eta), len(users)
    p = np.exp(y)
    t, w = np.zeros(n), np.zeros(n)
    worth, curve, share = np.empty(m), np.empty(m), np.empty((m, m))
    value = 0.0
    for a in range(m):
        i = users[a]
        load = eta[i]
        for j in range(n):
            load += F[i, j] * p[j]
        t[i] = y[i] - np.log(load)
        gain, w[i], curve[a] = smooth(slope[i], height[i], t[i], mu)
        worth[a] = w[i]
        value += gain + mu * np.log((y[i] - y_low[i]) * (y_high[i] - y[i]))
        for b in range(m):
            share[a, b] = F[i, users[b]] * p[users[b]] / load
    charged = np.dot(worth, share)
    pull = worth - charged
    own = np.eye(m) - share  # slopes of t in y
    hessian = -np.dot(own.T, curve.reshape(-1, 1) * own) - np.dot(share.T, worth.reshape(-1, 1) * share)
    gradient = pull.copy()
    for a in range(m):
        below, above = 1.0 / (y[users[a]] - y_low[users[a]]), 1.0 / (y_high[users[a]] - y[users[a]])
        gradient[a] += mu * (below - above)
        hessian[a, a] += charged[a] + mu * (below * below + above * above) + 1e-10
    step = np.linalg.solve(hessian, gradient)
    return value, pull, step, (gradient * step).sum(), t, w


@compiled
def certified(kind, low, high, least, missed, w, t, pull, users, y, y_low, y_high):
    """The proven bound that weights w (A,) and a point y give, with the rounding of its sums added."""
    total, size = 0.0, 1.0
    for i in range(len(w)):
        part = conjugate(w[i], kind[i], low[i], high[i], least[i], missed) + w[i] * t[i]
        total += part
        size += abs(part) + 2.0 * abs(w[i] * t[i])
    for a in range(len(users)):
        i = users[a]
        part = max(pull[a] * (y_high[i] - y[i]), pull[a] * (y_low[i] - y[i]))
        total += part
        size += abs(part)
    return total + OUTWARD * size


@compiled
def relaxed(slope, height, t, users, given_up):
    """What the envelopes have at t (A,), less what users that are given up cost: no bound can be less."""
    total = -given_up
    for i in users:
        total += (slope[i] * t[i] + height[i]).min()
    return total


@compiled
def solve_node(F, eta, y_low, y_high, kind, low, high, least, missed, y, barriers, enough, close):
    """The least proven bound found at a node, with its point y (A,) and weights w (A,).

    Newton on the barrier problem for each of `barriers`, from y; any point on the way is a bound. Stops at `enough`, or
    where the bound cannot come down to it and is above what it can be by less than `close` of that distance.
    """
    n = len(eta)
    users = np.flatnonzero(kind != GIVEN_UP)
    slope, height = np.zeros((n, 3)), np.zeros((n, 3))
    best, best_y, best_w = np.inf, y.copy(), np.zeros(n)
    y = y.copy()
    for i in range(n):
        if kind[i] == GIVEN_UP:
            y[i] = y_low[i]
        else:
            envelope(kind[i], low[i], high[i], least[i], missed, slope[i], height[i])
            pad = 1e-3 * (y_high[i] - y_low[i])
            y[i] = min(max(y[i], y_low[i] + pad), y_high[i] - pad)
    for mu in barriers:
        for _ in range(8):
            value, pull, step, decrement, t, w = newton(F, eta, y, y_low, y_high, users, slope, height, mu)
            bound = certified(kind, low, high, least, missed, w, t, pull, users, y, y_low, y_high)
            if bound < best:
                best, best_y, best_w = bound, y.copy(), w
            reached = relaxed(slope, height, t, users, missed * (n - len(users)))
            if best <= enough or best - reached < close * (reached - enough):
                return best, best_y, best_w
            size = 1.0
            for a in range(len(users)):
                room = y_high[users[a]] - y[users[a]] if step[a] > 0.0 else y_low[users[a]] - y[users[a]]
                if step[a] != 0.0:
                    size = min(size, 0.95 * room / step[a])
            for _ in range(20):
                tried = y.copy()
                tried[users] += size * step
                gained = merit(F, eta, tried, y_low, y_high, users, slope, height, mu)
                if gained >= value + 0.1 * size * decrement - 1e-12:
                    break
                size *= 0.5
            y = tried
            if decrement < 0.3 * mu:
                break
    return best, best_y, best_w


@compiled
def loosest(F, eta, p_low, p_high, kind, low, high, missed, y):
    """The user whose envelope lies farthest above its term at y (A,), and its t."""
    t = y - np.log(F @ np.exp(y) + eta)
    least = np.log(p_low) - np.log(F @ p_high + eta)
    slope, height = np.empty(3), np.empty(3)
    worst, user = -np.inf, 0
    for i in range(len(eta)):
        if kind[i] == GIVEN_UP:
            continue
        envelope(kind[i], low[i], high[i], least[i], missed, slope, height)
        above = (slope * t[i] + height).min()
        if t[i] >= low[i]:
            above -= capacity(t[i])
        else:
            above = above + missed if kind[i] == OPEN else 0.0
        if above > worst:
            worst, user = above, i
    return user, t[user]


# ---------------------------------------------------------------------- which powers and SINRs are left


@compiled
def endless(F, kind, low, v):
    """Whether v >= 0 (A,) proves that no powers serve all: e^{low_i} (F v)_i > v_i wherever v_i > 0.

    Then s v <= T(s v) there for every s, so that powers which serve all would be above every s v (see `raise_floor`).
    The negative part of Newton's solution is such a v where the interference alone is too much.
    """
    heard = F @ v
    for i in range(len(v)):
        if v[i] > 0.0 and (kind[i] != SERVED or np.exp(low[i]) * heard[i] * (1.0 - 1e-12) <= v[i]):
            return False
    return v.max() > 0.0


@compiled
def raise_floor(F, eta, p_low, p_high, kind, low):
    """Powers that all allowed ones reach at least: `p_low` rises in place. False: proven that none is allowed.

    Of the interference function T(p)_i = e^{low_i} (F p + eta)_i for SERVED users, any q with q <= max(p_low, T(q)) is
    nowhere above powers that are allowed (Yates, IEEE JSAC 1995). Newton proposes q, this inequality is checked.
    """
    n = len(eta)
    p, active = p_low.copy(), np.zeros(n, np.bool_)
    for _ in range(n + 1):
        need = np.where(kind == SERVED, np.exp(low) * (F @ p + eta), 0.0)
        now = active | (need > p * (1.0 + OUTWARD))
        if (now == active).all():
            break
        active = now
        system, right = np.eye(n), p_low.copy()
        for i in range(n):
            if active[i]:
                system[i] -= np.exp(low[i]) * F[i]
                right[i] = np.exp(low[i]) * eta[i]
        q = np.linalg.solve(system, right)
        if (q < 0.0).any() and endless(F, kind, low, np.maximum(-q, 0.0)):
            return False
        if (q < p * (1.0 - 1e-9)).any():
            break
        q = np.maximum(q * (1.0 - LOWERED), p_low)
        need = np.where(kind == SERVED, np.exp(low) * (F @ q + eta), 0.0) * (1.0 - 1e-13)
        if (q > np.maximum(p_low, need)).any():
            break
        p = q
        if (p > p_high * (1.0 + OUTWARD)).any():
            return False
    for _ in range(60):  # from any such q its own T is one, too
        need = np.where(kind == SERVED, np.exp(low) * (F @ p + eta), 0.0) * (1.0 - 1e-14)
        if not (need > p * (1.0 + 1e-6)).any():
            break
        p = np.maximum(p, need)
        if (p > p_high * (1.0 + OUTWARD)).any():
            return False
    for i in range(n):
        if kind[i] == SERVED:
            p_low[i] = min(p[i], p_high[i])
    return True


@compiled
def tighten(F, eta, p_low, p_high, kind, low, high):
    """Shrink a node's limits to what they imply of each other, in place. False: proven that nothing is left."""
    for _ in range(3):
        if not raise_floor(F, eta, p_low, p_high, kind, low):
            return False
        moved = False
        load = F @ p_low + eta
        for i in range(len(eta)):
            if kind[i] == GIVEN_UP:
                p_high[i] = p_low[i]
                continue
            high[i] = min(high[i], np.log(p_high[i] / load[i]) + OUTWARD)
            if high[i] < low[i]:
                if kind[i] == SERVED:
                    return False
                kind[i], p_high[i], moved = GIVEN_UP, p_low[i], True
        for j in range(len(eta)):
            if kind[j] != SERVED:
                continue
            room = p_high[j] * np.exp(-low[j]) - load[j] + OUTWARD * load[j]
            if room < 0.0:
                return False
            for i in range(len(eta)):
                if F[j, i] > 0.0 and kind[i] != GIVEN_UP:
                    most = (p_low[i] + room / F[j, i]) * (1.0 + OUTWARD)
                    if most < p_high[i] * (1.0 - 1e-3):
                        p_high[i], moved = most, True
        if not moved:
            break
    return True


@compiled
def reduce(kind, low, high, least, missed, w, excess):
    """Drop what cannot be in a solution better than the bound less `excess`, by the weights of its proof, in place.

    A user's term f(t) - w t below its largest by more than `excess` takes the whole bound below the best known.
    """
    excess = excess * (1.0 + OUTWARD) + OUTWARD
    for i in range(len(w)):
        if kind[i] == GIVEN_UP:
            continue
        level = conjugate(w[i], kind[i], low[i], high[i], least[i], missed) - excess
        at_low, at_high = capacity(low[i]) - w[i] * low[i], capacity(high[i]) - w[i] * high[i]
        if kind[i] == OPEN and -missed - w[i] * least[i] < level:
            kind[i] = SERVED
        if at_high < level <= at_low:
            a, b = low[i], high[i]
            for _ in range(40):
                middle = 0.5 * (a + b)
                if capacity(middle) - w[i] * middle >= level:
                    a = middle
                else:
                    b = middle
            high[i] = b + OUTWARD
        elif kind[i] == SERVED and at_low < level <= at_high:
            a, b = low[i], high[i]
            for _ in range(40):
                middle = 0.5 * (a + b)
                if capacity(middle) - w[i] * middle >= level:
                    b = middle
                else:
                    a = middle
            low[i] = a - OUTWARD
