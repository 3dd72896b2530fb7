"""The theorem's numbers against closed forms, against all predictors, and from below."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy import optimize

from spatial_keras import theory

EVERY_LOSS = pytest.mark.parametrize("loss", theory.LOSSES)


def random_setting(seed, number=7, reachable=None):
    rng = np.random.default_rng(seed)
    if reachable is None:
        reachable = (rng.random([number, number]) < 0.3) | np.eye(number, dtype=bool)
    return theory.Problem(
        rng.dirichlet(np.ones(number)), rng.uniform(0.05, 0.95, number), reachable
    )


def is_partition(reachable):
    """Whether an adversary's sets are equal or disjoint, as the orbits of a group are."""
    return all(np.array_equal(reachable[i], reachable[j]) for i, j in np.argwhere(reachable))


def entropy(chance):
    return -(chance * np.log(chance) + (1 - chance) * np.log(1 - chance))


def chain():
    """Four points in a row; each may move by one. The labels of the two halves differ."""
    reachable = theory.ball(np.arange(4.0)[:, None], 1)
    return theory.Problem(np.array([0.4, 0.1, 0.1, 0.4]), np.array([0.1, 0.1, 0.9, 0.9]), reachable)


def risk_in_loops(problem, predictor, loss, robust):
    losses = {
        "error": lambda f, y: 1 - f if y else f,
        "cross_entropy": lambda f, y: -np.log(f if y else 1 - f),
    }
    total = 0.0
    for x, mass in enumerate(problem.masses):
        points = np.flatnonzero(problem.reachable[x]) if robust else [x]
        for label in (0, 1):
            chance = problem.label_probabilities[x]
            worst = max(losses[loss](predictor[i], label) for i in points)
            total += mass * (chance if label else 1 - chance) * worst
    return total


@EVERY_LOSS
def test_the_risks_are_their_definitions(loss):
    problem = random_setting(0)
    predictor = np.random.default_rng(1).uniform(0.1, 0.9, 7)
    for robust, risk in ((False, theory.natural_risk), (True, theory.robust_risk)):
        expected = risk_in_loops(problem, predictor, loss, robust)
        assert risk(problem, predictor, loss) == pytest.approx(expected, rel=1e-12)


def test_a_label_that_never_comes_costs_nothing():
    problem = theory.Problem(np.ones(1), np.ones(1), np.eye(1, dtype=bool))
    assert theory.natural_risk(problem, np.ones(1), "cross_entropy") == 0
    assert theory.robust_risk(problem, np.zeros(1), "cross_entropy") == np.inf


# The theorem.


@EVERY_LOSS
@pytest.mark.parametrize("seed", range(5))
def test_robustness_to_a_group_costs_nothing(seed, loss):
    rng = np.random.default_rng(seed)
    permutation = np.arange(9)
    permutation[:7] = rng.permutation(7)
    orbits = theory.orbits(permutation)
    # The first point of an orbit stands for it, so the label depends on the orbit alone.
    chances = rng.uniform(0.05, 0.95, 9)[orbits.argmax(axis=1)]
    problem = theory.Problem(rng.dirichlet(np.ones(9)), chances, orbits)
    robust = theory.robust_minimizer(problem, loss)
    least = theory.natural_risk(problem, theory.natural_minimizer(problem, loss), loss)
    assert theory.natural_risk(problem, robust, loss) == pytest.approx(least, abs=1e-6)
    assert theory.robust_risk(problem, robust, loss) == pytest.approx(least, abs=1e-6)


@EVERY_LOSS
def test_a_ball_that_reaches_another_label_costs_accuracy(loss):
    problem = chain()
    predictor = theory.robust_minimizer(problem, loss)
    # By hand: halves (u, u, 1 - u, 1 - u); the inner points may show either half.
    best = 0.0 if loss == "error" else (0.1 * 0.4 + 0.1) / 0.5
    np.testing.assert_allclose(predictor, [best, best, 1 - best, 1 - best], atol=1e-5)
    natural = theory.natural_risk(problem, predictor, loss)
    least = theory.natural_risk(problem, theory.natural_minimizer(problem, loss), loss)
    if loss == "error":
        assert natural == pytest.approx(0.1, abs=1e-6) and least == pytest.approx(0.1, abs=1e-12)
        assert theory.robust_risk(problem, predictor) == pytest.approx(0.28, abs=1e-6)
    else:
        by_hand = -(0.1 * np.log(best) + 0.9 * np.log(1 - best))
        assert natural == pytest.approx(by_hand, abs=1e-7)
        assert least == pytest.approx(entropy(0.1), abs=1e-12) and natural > least + 0.09


@EVERY_LOSS
def test_one_orbit_of_all_points_pools_them(loss):
    problem = random_setting(2, reachable=np.ones([7, 7], bool))
    mean = problem.masses @ problem.label_probabilities
    risk = theory.robust_risk(problem, theory.robust_minimizer(problem, loss), loss)
    expected = min(mean, 1 - mean) if loss == "error" else entropy(mean)
    assert risk == pytest.approx(expected, abs=1e-6)


@EVERY_LOSS
def test_without_an_adversary_both_minimizers_are_one(loss):
    problem = random_setting(3, reachable=np.eye(7, dtype=bool))
    np.testing.assert_allclose(
        theory.robust_minimizer(problem, loss), theory.natural_minimizer(problem, loss), atol=1e-5
    )


# Two independent ways.


@pytest.mark.parametrize("seed", range(4))
def test_the_error_is_the_least_of_all_deterministic_predictors(seed):
    # The program's matrix is totally unimodular: some deterministic predictor is optimal.
    problem = random_setting(seed)
    every = [np.array(one, float) for one in itertools.product((0, 1), repeat=7)]
    robust = np.array([theory.robust_risk(problem, one) for one in every])
    natural = np.array([theory.natural_risk(problem, one) for one in every])
    found = theory.robust_minimizer(problem)
    assert theory.robust_risk(problem, found) == pytest.approx(robust.min(), abs=1e-6)
    expected = natural[robust < robust.min() + 1e-9].min()
    assert theory.natural_risk(problem, found) == pytest.approx(expected, abs=1e-5)
    assert natural.min() == pytest.approx(
        theory.natural_risk(problem, theory.natural_minimizer(problem)), abs=1e-12
    )


def bound_from_below(problem, tangents=400):
    """The robust cross-entropy by tangents of softplus below it: a linear program in logits."""
    number = len(problem.masses)
    at = np.linspace(-6, 6, tangents)
    slope = 1 / (1 + np.exp(-at))
    rows, limits = [], []
    # Variables: logits z, then for each point the worst loss for label 0 and for label 1.
    for x, i in np.argwhere(problem.reachable):
        for label, sign in ((0, 1), (1, -1)):
            row = np.zeros([tangents, 3 * number])
            row[:, i] = sign * slope
            row[:, number * (1 + label) + x] = -1
            rows.append(row)
            limits.append(slope * at - np.logaddexp(0, at))
    masses, chances = problem.masses, problem.label_probabilities
    costs = np.concatenate([np.zeros(number), masses * (1 - chances), masses * chances])
    found = optimize.linprog(
        costs, np.concatenate(rows), np.concatenate(limits), bounds=(-6, 6), method="highs"
    )
    return found.fun


@pytest.mark.parametrize("seed", range(3))
def test_no_predictor_has_a_smaller_robust_cross_entropy(seed):
    problem = random_setting(seed, 5)
    predictor = theory.robust_minimizer(problem, "cross_entropy")
    risk = theory.robust_risk(problem, predictor, "cross_entropy")
    assert bound_from_below(problem) <= risk + 1e-9
    assert risk == pytest.approx(bound_from_below(problem), abs=1e-4)


def test_of_all_robust_minimizers_the_most_accurate_one():
    # Point 2 is reached by none, so its value is free; the others are one orbit.
    reachable = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    problem = theory.Problem(np.full(3, 1 / 3), np.array([0.2, 0.4, 0.7]), reachable)
    found = theory.robust_minimizer(problem, "cross_entropy")
    np.testing.assert_allclose(found, [0.3, 0.3, 0.7], atol=1e-5)


# The trade-off and the example.


def test_the_trade_off_runs_from_the_robust_to_the_natural_minimizer():
    problem = theory.circles()[1]["ball"]
    curve = theory.trade_off(problem, 7)
    ends = theory.robust_minimizer(problem), theory.natural_minimizer(problem)
    for found, predictor in zip(curve[[0, -1]], ends):
        risks = theory.natural_risk(problem, predictor), theory.robust_risk(problem, predictor)
        np.testing.assert_allclose(found, risks, atol=1e-5)
    assert (np.diff(curve[:, 0]) < 0).all() and (np.diff(curve[:, 1]) > 0).all()
    assert (np.diff(curve[:, 0], 2) > -1e-5).all()  # convex: no mixture of two ends beats it


def test_the_numbers_of_the_documentation():
    _, settings = theory.circles()
    risks = {}
    for name, problem in settings.items():
        for loss in theory.LOSSES:
            least = theory.natural_risk(problem, theory.natural_minimizer(problem, loss), loss)
            robust = theory.robust_minimizer(problem, loss)
            risks[name, loss] = least, theory.natural_risk(problem, robust, loss)
    for name, partition in (("rotations", True), ("ball", False), ("label turns", True)):
        assert is_partition(settings[name].reachable) == partition
    chances = np.array([0.1, 0.2, 0.3])
    assert risks["rotations", "error"] == pytest.approx([chances.mean()] * 2, abs=1e-6)
    mean_entropy = entropy(chances).mean()
    assert risks["rotations", "cross_entropy"] == pytest.approx([mean_entropy] * 2, abs=1e-6)
    assert risks["ball", "error"] == pytest.approx([0.2, 0.333], abs=5e-4)
    assert risks["ball", "cross_entropy"] == pytest.approx([mean_entropy, 0.6302], abs=5e-5)
    assert risks["label turns", "error"] == pytest.approx([0.2312, 0.2938], abs=5e-5)
    # One orbit is like the other: the label's probability over all of it.
    turned = settings["label turns"]
    mean = turned.masses @ turned.label_probabilities
    assert risks["label turns", "error"][1] == pytest.approx(1 - mean, abs=1e-6)
    assert risks["label turns", "cross_entropy"][1] == pytest.approx(entropy(mean), abs=1e-6)


def test_balls_that_overlap_within_a_label_cost_nothing():
    points, settings = theory.circles()
    problem = dataclasses.replace(settings["ball"], reachable=theory.ball(points, 0.5))
    assert not is_partition(problem.reachable)
    risk = theory.natural_risk(problem, theory.robust_minimizer(problem))
    assert risk == pytest.approx(0.2, abs=1e-6)


# Groups and balls.


def test_orbits_are_what_the_generated_group_reaches():
    generators = [np.array([1, 2, 0, 3, 4, 5]), np.array([0, 1, 2, 4, 3, 5])]
    group = {tuple(range(6))}
    while True:
        larger = group | {tuple(g[list(one)]) for one in group for g in generators}
        if larger == group:
            break
        group = larger
    expected = np.array([[any(one[i] == j for one in group) for j in range(6)] for i in range(6)])
    found = theory.orbits(*generators)
    np.testing.assert_array_equal(found, expected)
    assert is_partition(found)


def test_a_ball_holds_its_border_and_is_no_partition():
    points = np.array([[0.0, 0.0], [0.1, 0.3], [0.2, 0.6]])
    np.testing.assert_array_equal(theory.ball(points, 0.3), [[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    assert not is_partition(theory.ball(points, 0.3))
    assert is_partition(theory.ball(points, 0.1))


# Refusals.

HALVES, EYE = np.array([0.5, 0.5]), np.eye(2, dtype=bool)


def test_what_is_no_setting_is_refused():
    for arguments, message in [
        ((HALVES, HALVES, np.eye(3, dtype=bool)), r"reachable \[n, n\] with n = 2"),
        ((np.array([]), np.array([]), np.zeros([0, 0])), "n = 0"),
        ((np.array([0.5, 0.6]), HALVES, EYE), "sum to 1"),
        ((np.array([1.5, -0.5]), HALVES, EYE), "positive"),
        ((HALVES, np.array([0.5, np.nan]), EYE), r"in \[0, 1\]"),
        ((HALVES, HALVES, ~EYE), "reach itself"),
    ]:
        with pytest.raises(ValueError, match=message):
            theory.Problem(*arguments)


def test_other_mistakes_are_refused():
    problem = theory.Problem(HALVES, np.array([0, 0.5]), EYE)
    with pytest.raises(ValueError, match=r"label_probabilities in \(0, 1\)"):
        theory.robust_minimizer(problem, "cross_entropy")
    with pytest.raises(ValueError, match="did you mean 'error'"):
        theory.natural_risk(problem, HALVES, "eror")
    with pytest.raises(ValueError, match=r"permutation of 0..2"):
        theory.orbits(np.array([0, 0, 1]))
    with pytest.raises(ValueError, match="radius must be at least 0"):
        theory.ball(np.zeros([1, 2]), -1)
