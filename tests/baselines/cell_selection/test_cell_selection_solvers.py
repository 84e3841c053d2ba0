"""Solvers of cell selection against slow and obvious ones, on games small enough for them."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from mmwave_baselines.cell_selection import counting
from mmwave_baselines.cell_selection.best_response import best_response
from mmwave_baselines.cell_selection.bounds import joint_bound, potential_bound
from mmwave_baselines.cell_selection.joint import measure, table_of
from mmwave_baselines.cell_selection.joint_value import solve_joint
from mmwave_baselines.cell_selection.loads import FRAMES, load_law
from mmwave_baselines.cell_selection.model import Game, swaps
from mmwave_baselines.cell_selection.reproduction.policies import steady_state
from mmwave_baselines.cell_selection.team_bound import DelayedSharing, local_bound, pasts_up_to_names
from mmwave_baselines.cell_selection.team_exact import ExactTeam, mirror_descent
from mmwave_baselines.cell_selection.team_rollouts import Observations, estimate, improve, measure_shared
from mmwave_baselines.cell_selection.value_iteration import policy_law, value_iteration
from mmwave_gym.agents.protocol import NotApplicable
from mmwave_gym.scenarios.cell_selection.config import PRINTED_MATRIX

TWO_STATES = ((0.7, 0.3), (0.2, 0.8))


def rule_table(game, rule, tie="random"):
    """Table (C, L, M, L) of the paper's Load, Rate or Channel; ties "random", "stay" (then lowest) or "lowest"."""
    rate = np.array(game.rate_bps_hz)[game.links][:, None, None, :]
    serving = np.eye(game.num_cells)[None, :, None, :]
    others = game.loads[None, None].astype(float)
    score = {"channel": rate + 0 * others + 0 * serving, "rate": rate / (others + 1.0) + 0 * serving}
    score["load"] = 0 * rate - others - serving  # eq. 4's U counts the UE in its own cell
    best = score[rule] >= score[rule].max(axis=-1, keepdims=True) - 1e-9
    if tie == "stay":
        best = np.where((best & (serving > 0)).any(axis=-1, keepdims=True), best & (serving > 0), best)
    if tie != "random":
        best = best & (best.cumsum(axis=-1) == 1)
    return best / best.sum(axis=-1, keepdims=True)


def printed(num_ues: int, handover_cost: float = 0.1, ratio: float = 0.14, num_cells: int = 3) -> Game:
    """The paper's channel with rates in units of the LOS rate."""
    return Game.of(PRINTED_MATRIX, (1.0, ratio, 0.0), num_ues=num_ues, num_cells=num_cells, handover_cost=handover_cost)


def small(num_ues: int, handover_cost: float = 0.3, num_cells: int = 2) -> Game:
    return Game.of(TWO_STATES, (1.0, 0.3), num_ues=num_ues, num_cells=num_cells, handover_cost=handover_cost)


def random_policies(game: Game, seed: int = 0) -> list:
    shape = (game.num_ues, len(game.links), len(game.loads))
    return list(np.random.default_rng(seed).integers(game.num_cells, size=shape))


# ---------------------------------------------------------------- the MDP of one UE


def test_state_space_and_stationary_law():
    game = printed(3)
    assert len(game.links) * len(game.loads) == 162
    np.testing.assert_allclose(game.stationary, [0.1735, 0.6377, 0.1887], atol=5e-5)
    np.testing.assert_allclose(game.stationary @ game.matrix, game.stationary, atol=1e-14)


@pytest.mark.parametrize("frame", FRAMES)
def test_load_law_is_a_kernel(frame):
    game = printed(4)
    law = load_law(game, random_policies(game)[1:], frame)
    assert (law >= 0.0).all()
    np.testing.assert_allclose(law.sum(axis=1), 1.0, atol=1e-12)


def _choice_by_hand(game, policy, loads):
    """Eq. 12, averaged over the names of the cells that do not serve."""
    chance = np.zeros(game.num_cells)
    orders = list(itertools.permutations(range(1, game.num_cells)))
    for order in [(0, *o) for o in orders]:
        m = game.index_of_loads(np.asarray(loads)[list(order)])
        for c in range(len(game.links)):
            chance[order[policy[c, m]]] += game.links_law[c] / len(orders)
    return chance


def test_same_frame_law_by_hand():
    game = printed(3)
    _, first, second = random_policies(game, 1)
    law = load_law(game, [first, second], "same")
    for m, loads in enumerate(game.loads):
        expected = np.zeros(len(game.loads))
        one, two = (_choice_by_hand(game, p, loads) for p in (first, second))
        for i, j in itertools.product(range(3), repeat=2):
            expected[game.index_of_loads(np.bincount([i, j], minlength=3))] += one[i] * two[j]
        np.testing.assert_allclose(law[m], expected, atol=1e-12)


def test_own_frame_laws_by_hand():
    game = printed(4)
    policies = random_policies(game, 2)[1:]
    exact, mean = (load_law(game, policies, f"own-{how}") for how in ("exact", "mean"))

    def at_seat(policy, loads, b):  # asked at cell b, in the network's names
        seen = loads.copy()
        seen[b] -= 1
        seen[0] += 1
        names = swaps(3)[b]
        return _choice_by_hand(game, policy, seen[names])[names]

    for m, loads in enumerate(game.loads):
        seats = np.repeat(np.arange(3), loads)
        expected = {"exact": np.zeros(len(game.loads)), "mean": np.zeros(len(game.loads))}
        for order in itertools.permutations(range(3)):
            rows = [at_seat(policies[x], loads, b) for x, b in zip(order, seats, strict=True)]
            average = [np.mean([at_seat(p, loads, b) for p in policies], axis=0) for b in seats]
            for goal in itertools.product(range(3), repeat=3):
                to = game.index_of_loads(np.bincount(goal, minlength=3))
                expected["exact"][to] += np.prod([r[g] for r, g in zip(rows, goal, strict=True)]) / 6
                expected["mean"][to] += np.prod([r[g] for r, g in zip(average, goal, strict=True)]) / 6
        np.testing.assert_allclose(exact[m], expected["exact"], atol=1e-12)
        np.testing.assert_allclose(mean[m], expected["mean"], atol=1e-12)


def _dense(game, law, reward_kind):
    """Kernel (a, s, s') and reward (a, s), state by state from eqs. 8-11; s = channels * M + loads."""
    c, m, cells = len(game.links), len(game.loads), game.num_cells
    kernel, reward = np.zeros((cells, c * m, c * m)), np.zeros((cells, c * m))
    for a, (i, links), (j, loads) in itertools.product(range(cells), enumerate(game.links), enumerate(game.loads)):
        price = 1.0 if a == 0 else 1.0 - game.handover_cost
        for n, after in enumerate(game.loads):
            load = loads[a] if reward_kind == "prev" else after[a]
            mean = sum(p * r for p, r in zip(game.matrix[links[a]], game.rate_bps_hz, strict=True))
            reward[a, i * m + j] += law[j, n] * price * mean / (load + 1)
            names = swaps(cells)[a]
            for links_after in itertools.product(range(len(game.matrix)), repeat=cells):
                chance = np.prod([game.matrix[x, y] for x, y in zip(links, links_after, strict=True)]) * law[j, n]
                to = game.index_of_links(np.array(links_after)[names]) * m + game.index_of_loads(after[names])
                kernel[a, i * m + j, to] += chance
    return kernel, reward


@pytest.mark.parametrize(("game", "kind"), [(printed(3, num_cells=2), "prev"), (small(4, 0.2, 3), "next")])
def test_value_iteration_is_the_textbooks(game, kind):
    law = load_law(game, random_policies(game, 3)[1:], "own-mean")
    kernel, reward = _dense(game, law, kind)
    np.testing.assert_allclose(kernel.sum(axis=2), 1.0, atol=1e-12)
    value = np.zeros(kernel.shape[1])
    for _ in range(400):
        value = (reward + 0.9 * kernel @ value).max(axis=0)
    worth = game.reward(law if kind == "next" else None)
    found = value_iteration(game, law, worth, 0.9, 1e-10)
    np.testing.assert_allclose(found.value.ravel(), value, atol=1e-9)
    q = reward + 0.9 * kernel @ value
    np.testing.assert_allclose(q[found.action.ravel(), np.arange(q.shape[1])], value, atol=1e-8)
    by_span = value_iteration(game, law, worth, 0.9, 1e-10, "span")
    assert by_span.sweeps < found.sweeps / 3
    np.testing.assert_array_equal(by_span.action, found.action)
    stationary = policy_law(game, law, found.action)
    chain = kernel[found.action.ravel(), np.arange(q.shape[1])]
    np.testing.assert_allclose(stationary.ravel() @ chain, stationary.ravel(), atol=1e-11)
    assert stationary.sum() == pytest.approx(1.0)


def test_ties_stay_then_take_the_lowest_name():
    game = Game.of(np.eye(2), (1.0, 0.0), num_ues=1, handover_cost=0.0)
    law = np.ones((1, 1))
    action = value_iteration(game, law, game.reward()).action[:, 0]
    for links, chosen in zip(game.links.tolist(), action.tolist(), strict=True):
        assert chosen == (0 if links[0] == 0 or 0 not in links else links.index(0))


# ---------------------------------------------------------------- Algorithm 1


def test_best_response_ends_where_nobody_changes():
    game = printed(3)
    found = best_response(game, seed=1)
    assert found.converged
    assert found.cycle == 0
    for ue in range(3):
        law = load_law(game, [found.policies[x] for x in range(3) if x != ue])
        answer = value_iteration(game, law, game.reward(), 0.9, 1e-8, "span").action
        np.testing.assert_array_equal(answer, found.policies[ue])


def test_simultaneous_answers_oscillate():
    found = best_response(printed(6, 0.3), seed=0, simultaneous=True)
    assert not found.converged
    assert found.cycle == 2
    assert best_response(printed(6, 0.3), seed=0).converged


def test_algorithm_1_can_cycle_and_says_so():
    """N = 4 at 10 % cost: whoever is asked changes, and after five rounds all is as it was."""
    found = best_response(printed(4, 0.1), seed=0)
    assert not found.converged
    assert found.cycle == 5
    rounds = found.updates // 4
    before = best_response(printed(4, 0.1), seed=0, max_rounds=rounds - 5)
    np.testing.assert_array_equal(found.policies, before.policies)
    assert before.cycle == 0  # cut off before anything was repeated


def test_ues_end_with_policies_of_their_own_and_starts_end_elsewhere():
    first, second = (best_response(printed(6, 0.3), seed=seed) for seed in (0, 1))
    assert first.converged
    assert second.converged
    assert len({policy.tobytes() for policy in first.policies}) > 1
    assert {p.tobytes() for p in first.policies} != {p.tobytes() for p in second.policies}


@pytest.mark.parametrize("num_ues", [1, 2, 3, 4, 5, 6])
def test_there_are_policies_for_every_number_of_ues_present(num_ues):
    game = printed(6).with_ues(num_ues)
    for frame, reward in (("same", "prev"), ("own-mean", "next")):
        found = best_response(game, frame=frame, reward=reward)
        assert found.policies.shape == (num_ues, 27, comb(num_ues + 1, 2))
        assert found.converged or found.cycle


def test_stationary_law_of_a_lone_ue_is_what_it_plays():
    """Alone, a UE's model is the world: shares of its slots by the law and by a long chain."""
    game = printed(1, 0.1)
    policy = best_response(game).policies[0]
    law = policy_law(game, load_law(game, []), policy)
    assert law.shape == (27, 1)  # nobody else, one load
    assert law.sum() == pytest.approx(1.0)
    steady = steady_state(game, law, policy)
    played = measure(game, table_of(game, game.to_network(policy)), slots=400, num_chains=2000)
    assert steady["handovers"] == pytest.approx(played.handovers, abs=0.003)
    assert sum(steady["chosen"]) == pytest.approx(1.0)
    earned = game.reward()[policy.ravel(), np.arange(27), 0] @ law[:, 0]
    assert earned == pytest.approx(played.sum_rate_bps_hz, abs=0.003)
    assert steady["alone"] == pytest.approx(1.0)


def test_random_starts_are_reproduced():
    first, again, other = (best_response(small(3), seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first.policies, again.policies)
    assert first.changes != other.changes


def test_one_cell_of_table_one():
    """The paper's gain over Channel at N = 3, 10 %: 42 % (Table I)."""
    game = printed(3)
    policies = best_response(game, seed=0).policies
    tables = np.stack([table_of(game, game.to_network(p)) for p in policies])
    mdp, channel = (measure(game, t, slots=100, num_chains=600) for t in (tables, rule_table(game, "channel")))
    assert 100.0 * (mdp.sum_rate_bps_hz / channel.sum_rate_bps_hz - 1.0) == pytest.approx(42.0, abs=3.0)


@pytest.mark.parametrize(
    ("rule", "tie", "handovers"),
    [("load", "random", 1.0), ("channel", "random", 0.598), ("channel", "stay", 0.311), ("channel", "lowest", 0.42)],
)
def test_rules_hand_over_as_often_as_the_chain_says(rule, tie, handovers):
    game = printed(3)
    assert measure(game, rule_table(game, rule, tie), 60, 500).handovers / 3 == pytest.approx(handovers, abs=0.012)


# ---------------------------------------------------------------- the joint game


def _joint(game):
    """Reward (s, a) and kernel (s, a) -> channels, of the joint game without symmetry; s = seats * C^N + channels."""
    n, c = game.num_ues, len(game.links)
    seats = list(itertools.product(range(game.num_cells), repeat=n))
    channels = list(itertools.product(range(c), repeat=n))
    step = game.mix(np.eye(c))
    after = np.array([[np.prod([step[x, y] for x, y in zip(k, to, strict=True)]) for to in channels] for k in channels])
    reward = np.zeros((len(seats), len(channels), len(seats)))
    for (i, p), (j, k), (b, a) in itertools.product(enumerate(seats), enumerate(channels), enumerate(seats)):
        for u in range(n):
            price = 1.0 if a[u] == p[u] else 1.0 - game.handover_cost
            reward[i, j, b] += price * game.expected_rate_bps_hz[game.links[k[u]][a[u]]] / a.count(a[u])
    return reward, after


@pytest.mark.parametrize("game", [small(1, 0.5), small(2, 0.3), small(3, 0.2), small(2, 0.3, 3)])
def test_joint_optimum_is_that_of_plain_value_iteration(game):
    reward, after = _joint(game)
    value = np.zeros(reward.shape[:2])
    for _ in range(200):
        value = (reward + (value @ after.T).T[None]).max(axis=2)
        gain, value = value[0, 0], value - value[0, 0]
    found = solve_joint(game, 1e-5)
    assert found.low_bps_hz - 1e-6 <= gain <= found.high_bps_hz + 1e-6


def test_joint_optimum_of_one_ue_is_the_best_of_all_policies():
    game = small(1, 0.5)
    reward, after = _joint(game)
    best = -np.inf
    for choice in itertools.product(range(2), repeat=8):
        policy = np.array(choice).reshape(2, 4)  # seat, channels
        chain = np.zeros((2, 4, 2, 4))
        for p, k in itertools.product(range(2), range(4)):
            chain[p, k, policy[p, k]] = after[k]
        law = np.linalg.matrix_power(0.5 * (chain.reshape(8, 8) + np.eye(8)), 4096)
        best = max(best, float((law @ np.take_along_axis(reward, policy[..., None], axis=2).ravel()).max()))
    found = solve_joint(game, 1e-6)
    assert found.low_bps_hz - 1e-6 <= best <= found.high_bps_hz + 1e-6


def test_joint_optimum_of_the_paper():
    """1.1559 at a rate ratio of .161 and 10 %."""
    found = solve_joint(printed(3, 0.1, 0.161), 1e-4)
    assert found.low_bps_hz == pytest.approx(1.1559, abs=1e-4)
    assert found.high_bps_hz - found.low_bps_hz < 1e-4


def test_a_joint_game_too_large_says_so():
    with pytest.raises(NotApplicable, match="proven bound"):
        solve_joint(printed(6))


@pytest.mark.parametrize("game", [small(2, 0.3), small(3, 0.5), printed(2, 0.3)])
def test_joint_bound_holds_for_every_potential(game):
    found = solve_joint(game, 1e-5)
    zero = np.zeros((len(game.links), game.num_cells))
    free = solve_joint(Game(game.transition, game.rate_bps_hz, game.num_ues, game.num_cells, 0.0), 1e-5)
    assert potential_bound(game, zero) == pytest.approx(free.high_bps_hz, abs=2e-5)
    for seed in range(3):
        potential = np.random.default_rng(seed).normal(scale=0.1, size=zero.shape)
        assert potential_bound(game, potential) >= found.low_bps_hz
    bound = joint_bound(game, steps=60, samples=200).sum_rate_bps_hz
    assert found.low_bps_hz <= bound < free.low_bps_hz  # and the descent gains something


# ---------------------------------------------------------------- local policies


def _random_chances(game, ues, seed=0):
    shape = (ues, len(game.links), game.num_cells, len(game.loads))
    return np.random.default_rng(seed).dirichlet(np.ones(game.num_cells), size=shape)


@pytest.mark.parametrize("game", [small(2, 0.3), small(3, 0.2)])
def test_exact_team_reward_against_simulation(game):
    policy = _random_chances(game, game.num_ues)
    exact = ExactTeam(game).evaluate(policy).sum_rate_bps_hz
    simulated = measure(game, policy, slots=300, num_chains=1000)
    assert exact == pytest.approx(simulated.sum_rate_bps_hz, abs=5.0 * simulated.error_bps_hz)


def test_team_gradient_is_the_finite_difference():
    game = small(2, 0.3)
    team, policy = ExactTeam(game), _random_chances(game, 2, 1)
    slope, weight = team.gradient(policy, team.evaluate(policy, 1e-12))
    np.testing.assert_allclose(weight.reshape(2, -1).sum(axis=1), 1.0, atol=1e-9)
    rng = np.random.default_rng(2)
    for _ in range(6):
        at = tuple(rng.integers(size) for size in policy.shape[:-1])
        up, down = policy.copy(), policy.copy()
        change = np.array([1e-4, -1e-4])
        up[at] += change
        down[at] -= change
        difference = team.evaluate(up, 1e-12).sum_rate_bps_hz - team.evaluate(down, 1e-12).sum_rate_bps_hz
        assert difference == pytest.approx(2e-4 * (slope[at][0] - slope[at][1]), rel=1e-4, abs=1e-10)


def test_local_policies_lie_between_the_rules_and_the_bounds():
    game = small(2, 0.3)
    policy, value = mirror_descent(game, iterations=15)
    team = ExactTeam(game)
    assert team.evaluate(policy).sum_rate_bps_hz == pytest.approx(value, abs=1e-3)
    assert value > team.evaluate(rule_table(game, "channel", "stay")[None]).sum_rate_bps_hz + 0.02
    tight = local_bound(game, np.zeros(2)).sum_rate_bps_hz
    assert value <= tight <= local_bound(game).sum_rate_bps_hz + 1e-12
    # A third of the pairs of deterministic policies that look at the channels only, 16 each.
    rules = [np.eye(2)[list(rule)] for rule in itertools.product(range(2), repeat=4)]
    shape = (2, 4, 2, 2, 2)
    for one, two in list(itertools.combinations_with_replacement(rules, 2))[::3]:
        tables = np.broadcast_to(np.stack([one, two])[:, :, None, None, :], shape)
        assert team.evaluate(tables, 1e-5).sum_rate_bps_hz <= tight + 1e-6


@pytest.mark.parametrize(("game", "w"), [(small(2, 0.3), 0.1), (small(3, 0.3), 0.05), (small(3, 0.0), 0.0)])
def test_team_problems_of_the_local_bound_are_solved_exactly(game, w):
    """Against all rules of all UEs at all seats."""
    potential = np.array([w, 0.0])
    team = DelayedSharing(game, potential)
    for pasts in list(pasts_up_to_names(game))[::3]:
        assert team.best(pasts) == pytest.approx(_team_values(game, potential, pasts).max(), abs=1e-12)


def _team_values(game, potential, pasts):
    """Expected payoff of a slot for every choice of seat and rule by each of N UEs, (32, …, 32)."""
    n, ahead = game.num_ues, game.matrix @ potential
    step = game.mix(np.eye(4))
    options = []
    for past in pasts:
        rate, share, extra = [], [], []
        for seat, rule in itertools.product(range(2), itertools.product(range(2), repeat=4)):
            one_hot, law = np.eye(2)[list(rule)], step[past]
            price = np.where(np.arange(2) == seat, 1.0, 1.0 - game.handover_cost)
            rate.append(law @ (one_hot * game.expected_rate_bps_hz[game.links] * price))
            share.append(law @ one_hot)
            extra.append(law @ (one_hot * ahead[game.links]).sum(axis=1) - law @ potential[game.links[:, seat]])
        options.append((np.array(rate), np.array(share), np.array(extra)))
    total = np.zeros((32,) * n)
    for u, (rate, _, extra) in enumerate(options):
        along = [1] * n
        along[u] = 32
        total = total + extra.reshape(along)
        for cell, there in itertools.product(range(2), itertools.product(range(2), repeat=n)):
            if there[u]:
                part = rate[:, cell].reshape(along) / sum(there)
                for v, (_, share, _) in enumerate(options):
                    if v != u:
                        chance = share[:, cell] if there[v] else 1.0 - share[:, cell]
                        part = part * np.moveaxis(chance.reshape((32,) + (1,) * (n - 1)), 0, v)
                total = total + part
    return total


def test_pasts_up_to_names_lose_nothing():
    game = small(3)
    pasts = pasts_up_to_names(game)
    assert sum(pasts.values()) == pytest.approx(1.0)
    assert len(pasts) < 4**3


def test_potentials_outside_the_proof_are_refused():
    with pytest.raises(ValueError, match="rise"):
        DelayedSharing(small(2), np.array([0.0, 1.0]))
    with pytest.raises(NotApplicable, match="2 or 3 UEs"):
        DelayedSharing(small(4))


def test_rollouts_estimate_the_exact_gradient():
    game = small(2, 0.3)
    team, observations = ExactTeam(game), Observations(game)
    policy = observations.pooled(_random_chances(game, 1, 4).reshape(-1, 2)) / 2.0
    shaped = policy.reshape(1, 4, 2, 2, 2)
    slope, weight = team.gradient(shaped, team.evaluate(shaped))
    exact = (slope.sum(axis=0) / weight.sum(axis=0)[..., None]).reshape(-1, 2)
    found = estimate(observations, policy, 400, np.random.default_rng(0), num_chains=1000, depth=6, every=4)
    visits = observations.pooled(np.repeat(found.visits[:, None], 2, axis=1))
    worth = observations.pooled(found.reward) / visits
    assert visits.min() > 3000
    np.testing.assert_allclose(np.diff(worth), np.diff(exact), atol=0.03)


@pytest.mark.parametrize("memory", [False, True])
def test_permuted_observations_keep_their_meaning(memory):
    observations = Observations(printed(3), memory)
    for where, name in observations.permuted:
        assert sorted(where.tolist()) == list(range(observations.count))
        assert sorted(name.tolist()) == [0, 1, 2]
    table = np.random.default_rng(0).random((observations.count, 3))
    pooled = observations.pooled(table)
    where, name = observations.permuted[3]
    np.testing.assert_allclose(pooled[where][:, name], pooled)
    assert pooled.sum() == pytest.approx(6 * table.sum())


def test_learning_by_rollouts_beats_the_papers_policy():
    game = printed(3, 0.1, 0.161)
    observations = Observations(game)
    chances = improve(observations, iterations=4, slots=80_000, num_chains=1000, rate=80.0)
    assert measure_shared(observations, chances, slots=80, num_chains=1000)[0] > 0.96  # mdp earns 0.955 to 0.9625


# ---------------------------------------------------------------- counting


def states_by_enumeration(num_cells, num_ues, num_channel_states=3):
    """What `states_by_orbits` counts, listed one by one."""
    total = 0
    for elsewhere in range(num_ues):  # the serving BS has at least this UE
        total += _multisets(num_cells - 1, elsewhere, num_channel_states)
    return num_channel_states * total


def _multisets(cells, ues, num_channel_states):
    """Multisets of `cells` pairs (channel, load) whose loads sum to `ues`, listed one by one."""
    pairs = [(load, channel) for load in range(ues + 1) for channel in range(num_channel_states)]
    chosen = itertools.combinations_with_replacement(pairs, cells)
    return sum(sum(load for load, _ in some) == ues for some in chosen)


def test_printed_counts_and_what_they_should_be():
    for n in range(1, 16):
        assert counting.c2(n) == counting.partitions(n, 2)
        assert counting.c3(n) == counting.partitions(n, 3)
        assert counting.c4_repaired(n) == counting.partitions(n, 4)
    assert [counting.c4_printed(n) for n in range(3, 9)] == [3, 4, 9, 16, 24, 34]
    assert counting.load_combinations(3, 3) == 6
    assert counting.states(3, 3) == 162


@pytest.mark.parametrize("cells", [2, 3, 4, 5])
def test_load_combinations_are_partitions_with_few_parts(cells):
    for n in range(1, 9):
        shared = {
            tuple(sorted(loads, reverse=True))
            for loads in itertools.product(range(n + 1), repeat=cells - 1)
            if sum(loads) <= n
        }
        assert counting.load_combinations(cells, n) == len(shared)


@pytest.mark.parametrize("cells", [2, 3, 4])
def test_orbits_by_listing(cells):
    for n in range(1, 6):
        assert counting.states_by_orbits(cells, n) == states_by_enumeration(cells, n)
    game = Game.of(PRINTED_MATRIX, (1.0, 0.1, 0.0), num_ues=4, num_cells=cells)
    assert counting.states_without_symmetry(cells, 4) == len(game.links) * len(game.loads)
    names = {
        (k[0], n[0], tuple(sorted(zip(k[1:], n[1:], strict=True))))
        for k in game.links.tolist()
        for n in game.loads.tolist()
    }
    assert counting.states_by_orbits(cells, 4) == len(names)
