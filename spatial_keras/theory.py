"""The paper's theorem that robustness to a group costs no accuracy, on finitely many points.

All is exact: two labels, 0 and 1, a distribution over n points, and for each point the set of
points that an adversary may turn it into. A predictor is the probability that it gives to label 1,
in [0, 1], for every point.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import optimize, sparse, special

from spatial_keras.support import validation

# error: the probability of giving the wrong label; cross_entropy: in nats.
LOSSES = ("error", "cross_entropy")
# What a robust risk may exceed the smallest one by and still count as it.
_TOLERANCE = 1e-9


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A distribution and an adversary.

    Attributes:
      masses: P(x), positive, [n].
      label_probabilities: P(y = 1 | x), [n].
      reachable: whether the adversary may turn the point of the row into that of the column, bool
        [n, n]; every point into itself.

    Raises:
      ValueError: the arrays do not go together, or are no probabilities.
    """

    masses: np.ndarray
    label_probabilities: np.ndarray
    reachable: np.ndarray

    def __post_init__(self) -> None:
        number = len(self.masses)
        shapes = [np.shape(self.label_probabilities), np.shape(self.reachable)]
        if not number or shapes != [(number,), (number, number)]:
            raise ValueError(
                f"label_probabilities must be [n] and reachable [n, n] with n = {number} >= 1, "
                f"got {' and '.join(str(list(shape)) for shape in shapes)}."
            )
        if not (np.all(self.masses > 0) and np.isclose(np.sum(self.masses), 1)):
            raise ValueError("masses must be positive and sum to 1.")
        if not np.all((self.label_probabilities >= 0) & (self.label_probabilities <= 1)):
            raise ValueError("label_probabilities must be in [0, 1].")
        if not np.all(np.diagonal(self.reachable)):
            raise ValueError("reachable must have every point reach itself.")


def orbits(*generators: np.ndarray) -> np.ndarray:
    """Returns what the group that permutations generate turns every point into.

    Args:
      *generators: permutations of the numbers 0..n-1, [n]: point i moves to generator[i].

    Returns:
      The sets of an adversary, bool [n, n].

    Raises:
      ValueError: a generator is not a permutation.
    """
    number = len(generators[0])
    for generator in generators:
        if not np.array_equal(np.sort(generator), np.arange(number)):
            raise ValueError(f"a generator must be a permutation of 0..{number - 1}.")
    edges = np.tile(np.arange(number), len(generators)), np.concatenate(generators)
    graph = sparse.coo_array((np.ones(len(edges[0])), edges), shape=(number, number))
    _, orbit = sparse.csgraph.connected_components(graph, directed=False)
    return orbit[:, None] == orbit


def ball(points: np.ndarray, radius: float) -> np.ndarray:
    """Returns which of the points [n, d] lie in the l-infinity ball around each: bool [n, n]."""
    validation.check_range("radius", radius, 0)
    # As far as rounding: points on the border belong to it.
    return np.abs(points[:, None] - points).max(axis=-1) <= radius * (1 + 1e-9)


def natural_risk(problem: Problem, predictor: np.ndarray, loss: str = "error") -> float:
    """Returns the expected loss at the points themselves."""
    return _risk(problem, *_losses(predictor, loss))


def robust_risk(problem: Problem, predictor: np.ndarray, loss: str = "error") -> float:
    """Returns the expected largest loss over what the adversary may turn each point into."""
    worst = [np.where(problem.reachable, one, 0).max(axis=1) for one in _losses(predictor, loss)]
    return _risk(problem, *worst)


def natural_minimizer(problem: Problem, loss: str = "error") -> np.ndarray:
    """Returns the predictor of least natural risk, for both losses found point by point."""
    validation.check_name("loss", loss, LOSSES)
    chances = np.asarray(problem.label_probabilities, float)
    return (chances > 0.5).astype(float) if loss == "error" else chances


def robust_minimizer(problem: Problem, loss: str = "error") -> np.ndarray:
    """Returns a predictor of least robust risk; of all of them, one of least natural risk.

    Args:
      problem: the distribution and the adversary. For the cross-entropy the label probabilities
        must be within (0, 1).
      loss: "error", a linear program, or "cross_entropy", a convex one.
    """
    validation.check_name("loss", loss, LOSSES)
    if loss == "cross_entropy":
        return _robust_cross_entropy(problem)
    program = _ErrorProgram(problem)
    return program.best_natural(program.least_robust_risk())


def trade_off(problem: Problem, number: int = 21) -> np.ndarray:
    """Returns the least natural error at each robust error from the least one on.

    Args:
      problem: the distribution and the adversary.
      number: how many robust errors, evenly spaced to that of the natural minimizer.

    Returns:
      (natural error, robust error) from the robust to the natural minimizer, [number, 2].
    """
    validation.check_integer("number", number, 2)
    program = _ErrorProgram(problem)
    last = robust_risk(problem, natural_minimizer(problem))
    limits = np.linspace(program.least_robust_risk(), last, number)
    predictors = [program.best_natural(limit) for limit in limits]
    return np.array([(natural_risk(problem, f), robust_risk(problem, f)) for f in predictors])


def circles() -> tuple[np.ndarray, dict[str, Problem]]:
    """Returns the example of docs/theory.md: three circles of twelve points, upright ones likelier.

    Returns:
      The points [36, 2], and the settings by name: "rotations", whose label depends on the circle
      alone; "ball", the same distribution with an l-infinity ball; and "label turns", the rotations
      with a label that depends on the angle.
    """
    radius = np.repeat([1.0, 1.6, 2.2], 12)
    angle = np.tile(np.arange(12) * np.pi / 6, 3)
    points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    masses = np.exp(np.cos(angle)) / np.exp(np.cos(angle)).sum()
    by_circle = np.repeat([0.1, 0.8, 0.3], 12)
    by_angle = 0.55 + 0.35 * np.cos(angle)
    turned = np.arange(36).reshape(3, 12)
    turns = orbits(np.roll(turned, -1, axis=1).ravel())
    return points, {
        "rotations": Problem(masses, by_circle, turns),
        "ball": Problem(masses, by_circle, ball(points, 0.55)),
        "label turns": Problem(masses, by_angle, turns),
    }


def _losses(predictor: np.ndarray, loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns each point's loss for the labels 0 and 1, each [n]."""
    validation.check_name("loss", loss, LOSSES)
    predictor = np.asarray(predictor, float)
    if loss == "error":
        return predictor, 1 - predictor
    with np.errstate(divide="ignore"):
        return -np.log1p(-predictor), -np.log(predictor)


def _risk(problem: Problem, loss_0: np.ndarray, loss_1: np.ndarray) -> float:
    chances = np.asarray(problem.label_probabilities)
    # A label that never comes costs nothing, even where its loss is infinite.
    return float(problem.masses @ (_product(1 - chances, loss_0) + _product(chances, loss_1)))


def _product(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.multiply(weights, values, out=np.zeros(len(weights)), where=weights > 0)


def _distinct_sets(problem: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the adversary's m sets, bool [m, n], and the masses of labels 0 and 1 there, [m]."""
    sets, index = np.unique(problem.reachable, axis=0, return_inverse=True)
    chances = np.asarray(problem.label_probabilities)
    weights = problem.masses * (1 - chances), problem.masses * chances
    return (sets, *(np.bincount(index.ravel(), one, len(sets)) for one in weights))


class _ErrorProgram:
    """The errors as a linear program, solved by HiGHS.

    Its variables are the predictor [n] and, for each set, bounds of its smallest and of its largest
    value there, [m] each: the worst error is 1 minus the one for label 1, the other for label 0.
    """

    def __init__(self, problem: Problem) -> None:
        sets, mass_0, mass_1 = _distinct_sets(problem)
        number = sets.shape[1]
        of_set, of_point = np.nonzero(sets)
        pairs = np.arange(len(of_set))
        ones = np.ones(len(pairs))
        picks_set = sparse.csr_array((ones, (pairs, of_set)), shape=(len(pairs), len(sets)))
        picks_point = sparse.csr_array((ones, (pairs, of_point)), shape=(len(pairs), number))
        self._bounds_hold = sparse.block_array(
            [[-picks_point, picks_set, None], [picks_point, None, -picks_set]], format="csr"
        )
        nothing = np.zeros(len(sets))
        chances = np.asarray(problem.label_probabilities)
        self._natural = np.concatenate([problem.masses * (1 - 2 * chances), nothing, nothing])
        self._robust = np.concatenate([np.zeros(number), -mass_1, mass_0])
        self._label_1, self._number = mass_1.sum(), number

    def least_robust_risk(self) -> float:
        return self._solve(self._robust, self._bounds_hold).fun + self._label_1

    def best_natural(self, robust_risk_at_most: float) -> np.ndarray:
        """Returns the predictor of least natural risk within a limit of the robust risk."""
        rows = sparse.vstack([self._bounds_hold, sparse.csr_array(self._robust[None])])
        limit = robust_risk_at_most - self._label_1 + _TOLERANCE
        return self._solve(self._natural, rows, limit).x[: self._number]

    def _solve(
        self, costs: np.ndarray, rows: sparse.csr_array, last: float = 0.0
    ) -> optimize.OptimizeResult:
        limits = np.zeros(rows.shape[0])
        limits[-1] = last
        found = optimize.linprog(costs, rows, limits, bounds=(0, 1), method="highs")
        if not found.success:
            raise RuntimeError(f"the linear program was not solved: {found.message}")
        return found


def _robust_cross_entropy(problem: Problem) -> np.ndarray:
    """Returns the robust minimizer for the cross-entropy.

    In logits the worst losses are softplus(highest) and softplus(-lowest) over each set. Such
    bounds have a predictor between them if no lowest one lies above the highest one of a set that
    shares a point. They are unique, as softplus is strictly convex, and leave to each point an
    interval, of which the predictor takes the value closest to P(y = 1 | x).
    """
    chances = np.asarray(problem.label_probabilities, float)
    if not np.all((chances > 0) & (chances < 1)):
        raise ValueError("the cross-entropy needs label_probabilities in (0, 1).")
    sets, mass_0, mass_1 = _distinct_sets(problem)
    lowest, highest = np.nonzero(sets.astype(int) @ sets.T)
    rows = np.zeros([len(lowest), 2 * len(sets)])
    rows[np.arange(len(lowest)), lowest] = -1
    rows[np.arange(len(lowest)), len(sets) + highest] = 1

    def risk(bounds: np.ndarray) -> tuple[float, np.ndarray]:
        low, high = np.split(bounds, 2)
        value = mass_1 @ np.logaddexp(0, -low) + mass_0 @ np.logaddexp(0, high)
        slopes = -mass_1 * special.expit(-low), mass_0 * special.expit(high)
        return value, np.concatenate(slopes)

    found = optimize.minimize(
        risk, np.zeros(2 * len(sets)), jac=True, method="SLSQP",
        constraints={"type": "ineq", "fun": rows.__matmul__, "jac": lambda _: rows},
        options={"maxiter": 1000, "ftol": 1e-13},
    )  # fmt: skip
    if not found.success:
        raise RuntimeError(f"the convex program was not solved: {found.message}")
    low, high = np.split(found.x, 2)
    lower = np.where(sets, low[:, None], -np.inf).max(axis=0)
    upper = np.where(sets, high[:, None], np.inf).min(axis=0)
    return special.expit(np.clip(special.logit(chances), lower, upper))
