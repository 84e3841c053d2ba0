"""The optimisation methods of power allocation against closed forms, linear programming and brute force."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.sparse import csr_array

from mmwave_baselines.power_allocation import optimisation as opt
from mmwave_baselines.power_allocation.optimisation import Network
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig

BOX_MW = (float(db_to_linear(-10.0)), float(db_to_linear(35.0)))  # paper, Table I
QOS = 2.83
ROWS_M = ((180, 150, 3, 35), (165, 180, 3, 30), (150, 200, 4, 35), (160, 240, 3, 35), (150, 280, 3, 35))
LAYOUT_M = np.array([(x + i * step, y) for x, y, count, step in ROWS_M for i in range(count)], dtype=float)


def draw(count: int, size: int, radius_m: float, seed: int, qos: float = QOS) -> Network:
    """Random base stations of the authors' sixteen, NLOS interferers with 8.7 dB of shadowing, Friis own links."""
    rng = np.random.default_rng(seed)
    bs = np.stack([LAYOUT_M[rng.permutation(16)[:size]] for _ in range(count)])
    away, angle = radius_m * np.sqrt(rng.random((count, size))), 2 * np.pi * rng.random((count, size))
    ue = bs + np.stack([away * np.cos(angle), away * np.sin(angle)], axis=-1)
    distance = np.maximum(np.linalg.norm(ue[:, :, None] - bs[:, None], axis=-1), 1.0)
    loss_db = 72.0 + 29.2 * np.log10(distance) + 8.7 * rng.standard_normal(distance.shape)
    own_db = 20.0 * np.log10(4.0 * np.pi * np.diagonal(distance, axis1=1, axis2=2) * 28e9 / 3e8)
    return Network(
        gain=db_to_linear(-loss_db) * ~np.eye(size, dtype=bool),
        own_gain=db_to_linear(-own_db),
        noise_mw=np.full((count, size), 1e-12),
        qos_sinr=qos,
        power_mw=BOX_MW,
        present=np.ones((count, size), dtype=bool),
    )


def feasible_draw(count: int, size: int, radius_m: float, seed: int) -> Network:
    network = draw(2 * count, size, radius_m, seed)
    return network.take(np.flatnonzero(opt.feasible(network))[:count])


def random_powers(network: Network, seed: int = 0) -> np.ndarray:
    return np.exp(np.random.default_rng(seed).uniform(*np.log(BOX_MW), network.present.shape))


def sum_rate(network: Network, power_mw: np.ndarray) -> np.ndarray:
    return opt.capacity_bps_hz(network, power_mw).sum(axis=1)


METHODS = {
    "full": opt.full_power,
    "fm": opt.foschini_miljanic,
    "max_min": lambda network: opt.max_min_sinr(network)[0],
    "wmmse": opt.wmmse,
    "sca": opt.sca,
    "coordinate_ascent": lambda network: opt.coordinate_ascent(network, restarts=3),
    "repair": lambda network: opt.repair(network, random_powers(network)),
}


def two(forward: float, backward: float, noise_mw: float) -> Network:
    return Network(
        gain=np.array([[[0.0, forward], [backward, 0.0]]]),
        own_gain=np.ones((1, 2)),
        noise_mw=np.full((1, 2), noise_mw),
        qos_sinr=QOS,
        power_mw=BOX_MW,
        present=np.ones((1, 2), dtype=bool),
    )


def test_alone_a_base_station_sends_at_full_power():
    network = draw(5, 1, 30.0, seed=0)
    for name in ("max_min", "wmmse", "sca", "coordinate_ascent"):
        np.testing.assert_allclose(METHODS[name](network), BOX_MW[1], rtol=1e-4, err_msg=name)
    expected = np.log2(1.0 + BOX_MW[1] * network.own_gain / network.noise_mw)
    np.testing.assert_allclose(opt.capacity_bps_hz(network, opt.full_power(network)), expected)
    # q x noise / gain is far below Pmin here
    np.testing.assert_allclose(opt.foschini_miljanic(network), BOX_MW[0])


def test_two_without_noise_share_the_geometric_mean_of_their_couplings():
    network = two(0.03, 0.0007, noise_mw=1e-15)
    power, least = opt.max_min_sinr(network)
    assert least[0] == pytest.approx(1.0 / np.sqrt(0.03 * 0.0007), rel=1e-6)
    np.testing.assert_allclose(opt.sinr(network, power)[0], least[0], rtol=1e-6)
    assert power[0, 0] / power[0, 1] == pytest.approx(np.sqrt(0.03 / 0.0007), rel=1e-6)


def test_max_min_where_the_floor_binds():
    # without a floor p_0 / p_1 = sqrt(F_01 / F_10) = 1e5, more than the box of 45 dB allows
    network = two(1.0, 1e-10, noise_mw=1e-15)
    power, least = opt.max_min_sinr(network)
    assert power[0, 1] == pytest.approx(BOX_MW[0])
    assert least[0] == pytest.approx(BOX_MW[1] / BOX_MW[0], rel=1e-6)


def test_max_min_is_the_closed_form_over_all_base_stations():
    network = draw(20, 6, 30.0, seed=1)
    expected = np.full(20, np.inf)
    for n in range(20):
        for i in range(6):
            matrix = network.gain[n] / network.own_gain[n][:, None]
            matrix[:, i] += network.noise_mw[n] / network.own_gain[n] / BOX_MW[1]
            expected[n] = min(expected[n], 1.0 / np.abs(np.linalg.eigvals(matrix)).max())
    power, least = opt.max_min_sinr(network)
    inside = (power > BOX_MW[0] * 1.001).all(axis=1)
    assert inside.any()
    np.testing.assert_allclose(least[inside], expected[inside], rtol=1e-8)
    assert (least <= expected * (1 + 1e-8)).all()


@pytest.mark.parametrize("radius_m", [10.0, 50.0])
def test_nothing_has_a_better_worst_user_than_max_min(radius_m):
    network = draw(12, 6, radius_m, seed=2)
    _, least = opt.max_min_sinr(network)
    for name, method in METHODS.items():
        power = method(network)
        assert (power >= BOX_MW[0] * (1 - 1e-9)).all(), name
        assert (power <= BOX_MW[1] * (1 + 1e-9)).all(), name
        assert (opt.sinr(network, power).min(axis=1) <= least * (1 + 1e-6)).all(), name


def test_foschini_miljanic_is_below_every_power_that_satisfies_all():
    network = feasible_draw(8, 4, 60.0, seed=3)
    least = opt.foschini_miljanic(network, margin=0.0)
    assert opt.satisfied(network, least).all()
    assert (least > 1.01 * BOX_MW[0]).any()
    many = network.take(np.repeat(np.arange(len(network)), 4000))
    tried = random_powers(many)
    good = opt.satisfied(many, tried).all(axis=1)
    assert good.sum() > 100
    assert (tried[good] >= np.repeat(least, 4000, axis=0)[good] * (1 - 1e-9)).all()


def test_foschini_miljanic_where_it_is_impossible_is_the_fixed_point_of_clipped_updates():
    network = draw(60, 8, 50.0, seed=4)
    network = network.take(~opt.feasible(network))
    power = opt.foschini_miljanic(network, margin=0.0)
    np.testing.assert_allclose(np.clip(QOS * power / opt.sinr(network, power), *BOX_MW), power, rtol=1e-8)
    assert (power == BOX_MW[1]).any(axis=1).all()


@pytest.mark.parametrize(("size", "radius_m", "qos"), [(2, 60.0, 30.0), (5, 50.0, 10.0), (14, 30.0, 2.83)])
def test_feasible_agrees_with_linear_programming(size, radius_m, qos):
    network = draw(80, size, radius_m, seed=5, qos=qos)
    network = replace(network, power_mw=(20.0, BOX_MW[1]))  # a floor that matters
    answer = opt.feasible(network)
    assert 0 < answer.sum() < len(answer)
    for n in range(len(network)):
        cross = network.gain[n] / network.own_gain[n][:, None]
        program = linprog(
            np.ones(size),
            A_ub=qos * cross - np.eye(size),
            b_ub=-qos * network.noise_mw[n] / network.own_gain[n],
            bounds=(20.0, BOX_MW[1]),
        )
        assert answer[n] == (program.status == 0), (n, program.message)


@pytest.mark.parametrize("share", [1e-6, 1e-3])
def test_feasible_ends_at_the_max_min_sinr(share):
    network = draw(20, 8, 30.0, seed=16)
    for n, least in enumerate(opt.max_min_sinr(network)[1]):
        for qos, answer in ((least * (1 - share), True), (least * (1 + share), False)):
            one = replace(network.take([n]), qos_sinr=float(qos))
            assert opt.feasible(one)[0] == answer
            assert n > 2 or opt.satisfied(one, opt.sca(one, starts=1)).all() == answer


@pytest.mark.parametrize(("size", "count"), [(3, 12), (4, 4)])
@pytest.mark.parametrize("radius_m", [10.0, 30.0, 50.0])
def test_sca_reaches_brute_force(size, count, radius_m):
    network = feasible_draw(count, size, radius_m, seed=6)
    grid, power = opt.brute_force(network, levels=32 if size == 3 else 24), opt.sca(network)
    assert opt.satisfied(network, power).all()
    reached = opt.satisfied(network, grid).all(axis=1)
    ratio = (sum_rate(network, power) / sum_rate(network, grid))[reached]
    assert ratio.min() > 0.999
    assert ratio.max() < 1.05


@pytest.mark.parametrize("size", [8, 14])
@pytest.mark.parametrize("radius_m", [10.0, 30.0])
def test_sca_is_not_below_the_other_methods(size, radius_m):
    network = feasible_draw(12, size, radius_m, seed=7)
    power = opt.sca(network)
    best = sum_rate(network, power)
    assert opt.satisfied(network, power).all()
    for name, method in METHODS.items():
        other = method(network)
        valid = opt.satisfied(network, other).all(axis=1)
        assert (best >= 0.999 * sum_rate(network, other))[valid].all(), name
    assert (best > 1.02 * sum_rate(network, METHODS["max_min"](network))).all()


def test_wmmse_beats_full_power_without_qos():
    network = draw(12, 8, 30.0, seed=8)
    assert (sum_rate(network, opt.wmmse(network)) >= sum_rate(network, opt.full_power(network)) * (1 - 1e-9)).all()


def test_coordinate_ascent_finds_the_best_grid_point_of_small_networks():
    network = feasible_draw(10, 3, 30.0, seed=9)
    ratio = sum_rate(network, opt.coordinate_ascent(network)) / sum_rate(network, opt.brute_force(network))
    assert ratio.max() <= 1 + 1e-9
    assert ratio.min() > 0.99


def test_sca_satisfies_whom_it_admits_where_not_all_can_be():
    network = draw(60, 8, 50.0, seed=10)
    network = network.take(~opt.feasible(network))
    chosen, power = opt.admitted(network), opt.sca(network)
    assert (chosen.sum(axis=1) < 8).all()
    assert opt.satisfied(network, power)[chosen].all()
    served = opt.satisfied(network, power)
    assert (served.sum(axis=1) >= opt.satisfied(network, opt.foschini_miljanic(network)).sum(axis=1)).all()
    for n in range(len(network)):  # nobody who was dropped could have come too
        for ue in np.flatnonzero(~chosen[n]):
            target = np.where(chosen[n] | (np.arange(8) == ue), QOS, 0.0)[None]
            assert not opt.least_powers(network.take([n]), target)[1][0]


def test_giving_up_a_user_never_pays_what_the_metric_charges_for_it():
    """Satisfied rates of the best powers for all but one user, against those for all: the task's ranking is honest."""
    network = feasible_draw(3, 14, 30.0, seed=6)
    size = network.present.shape[1]
    everybody = sum_rate(network, opt.sca(network, 1))
    gain = []
    for given_up in range(size):
        chosen = np.ones((len(network), size), bool)
        chosen[:, given_up] = False
        sinr = opt.sinr(network, opt.sca(network, 1, chosen=chosen))
        gain.append(np.where(chosen, np.log2(1.0 + sinr), 0.0).sum(axis=1) - everybody)
    assert 0.0 < np.max(gain) < PowerAllocationConfig(ue_radius_m=30.0, missed_bps_hz=None).missed(size)


@pytest.mark.parametrize("start", ["full", "wmmse", "random"])
def test_repair_satisfies_all_where_that_is_feasible(start):
    network = feasible_draw(20, 10, 30.0, seed=11)
    power = random_powers(network) if start == "random" else METHODS[start](network)
    before = opt.satisfied(network, power).all(axis=1)
    repaired = opt.repair(network, power)
    assert not before.all()
    assert opt.satisfied(network, repaired).all()
    np.testing.assert_array_equal(repaired[before], power[before])
    assert sum_rate(network, repaired).sum() > sum_rate(network, opt.foschini_miljanic(network)).sum()


@pytest.mark.parametrize("start", ["full", "wmmse", "fm", "random"])
def test_repair_never_harms_where_not_all_can_be_satisfied(start):
    network = draw(60, 10, 40.0, seed=12)
    network = network.take(~opt.feasible(network))
    power = random_powers(network) if start == "random" else METHODS[start](network)
    repaired = opt.repair(network, power)
    before, after = opt.satisfied(network, power), opt.satisfied(network, repaired)
    assert (after.sum(axis=1) >= before.sum(axis=1)).all()
    assert after.sum() > before.sum()
    served = [(opt.capacity_bps_hz(network, p) * ok).sum(axis=1) for p, ok in ((power, before), (repaired, after))]
    assert (served[1] >= served[0] * (1 - 1e-9)).all()


def padded(network: Network, places: np.ndarray, size: int) -> Network:
    """The same networks among absent base stations whose gains are noise."""
    rng = np.random.default_rng(0)
    count = len(network)
    gain, own = rng.random((count, size, size)), rng.random((count, size))
    noise, present = rng.random((count, size)), np.zeros((count, size), dtype=bool)
    gain[:, places[:, None], places] = network.gain
    own[:, places], noise[:, places], present[:, places] = network.own_gain, network.noise_mw, True
    return replace(network, gain=gain, own_gain=own, noise_mw=noise, present=present)


@pytest.mark.parametrize("name", sorted(set(METHODS) - {"coordinate_ascent", "repair"}))
def test_absent_base_stations_change_nothing(name):
    network = draw(6, 5, 40.0, seed=13)
    places = np.array([0, 2, 3, 6, 7])
    wide = padded(network, places, 8)
    power, expected = METHODS[name](wide), METHODS[name](network)
    # the random starts of sca fall on other base stations
    np.testing.assert_allclose(power[:, places], expected, rtol=2e-3 if name == "sca" else 1e-6)
    assert (np.delete(power, places, axis=1) == 0).all()
    np.testing.assert_array_equal(opt.feasible(wide), opt.feasible(network))
    np.testing.assert_allclose(opt.max_min_sinr(wide)[1], opt.max_min_sinr(network)[1], rtol=1e-8)
    np.testing.assert_array_equal(opt.admitted(wide)[:, places], opt.admitted(network))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_batched_equals_one_by_one(name):
    network = draw(6, 8, 60.0, seed=14, qos=6.0)
    assert 0 < opt.feasible(network).sum() < 6
    if name == "repair":
        power = random_powers(network)
        alone = [opt.repair(network.take([n]), power[[n]]) for n in range(6)]
        together = opt.repair(network, power)
    else:
        alone = [METHODS[name](network.take([n])) for n in range(6)]
        together = METHODS[name](network)
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-9)


def test_penalty_optimum_reaches_sca_on_a_larger_network_dense_and_sparse():
    rng = np.random.default_rng(15)
    bs = rng.random((60, 2)) * np.sqrt(60 / 120e-6)
    ue = bs + rng.uniform(-10.0, 10.0, (60, 2))
    distance = np.maximum(np.linalg.norm(ue[:, None] - bs, axis=-1), 1.0)
    gain = db_to_linear(-(72.0 + 29.2 * np.log10(distance) + 8.7 * rng.standard_normal(distance.shape)))
    own = db_to_linear(-20.0 * np.log10(4.0 * np.pi * np.diag(distance) * 28e9 / 3e8))
    noise = np.full(60, 1e-12)
    network = Network(
        gain=gain[None],
        own_gain=own[None],
        noise_mw=noise[None],
        qos_sinr=QOS,
        power_mw=BOX_MW,
        present=np.ones((1, 60), dtype=bool),
    )
    assert opt.feasible(network)[0]
    dense = opt.penalty_optimum(gain, own, noise, QOS, BOX_MW)
    sparse = opt.penalty_optimum(csr_array(gain), own, noise, QOS, BOX_MW)
    np.testing.assert_allclose(sparse, dense, rtol=1e-3)
    ratio = sum_rate(network, dense[None]) / sum_rate(network, opt.sca(network))
    assert 0.995 < ratio[0] < 1.001
    assert opt.satisfied(network, dense[None]).all()


def test_brute_force_refuses_large_networks():
    with pytest.raises(ValueError, match="at most 4"):
        opt.brute_force(draw(1, 5, 10.0, seed=0))
