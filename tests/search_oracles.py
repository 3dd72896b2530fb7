"""A tiny network and independent computations with it: the table, a search by loop, the losses.

Everything here is NumPy in float64, except the classifier itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from spatial_keras.training.losses import get_objective
from tests import oracles

CLASSES = 3
SHAPE = (12, 12, 1)
# Images that the tests of searches judge.
BATCH = 6
SEED = (3, 5)


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table: what is searched for with which objective, and what is minimized."""

    k: int | str
    cross_entropy: str
    objective: str | None
    second_objective: str | None
    regularizer: str | None
    weight: float | None


# The table of defenses; K stands for any number of candidates.
TABLE = {
    "std": Row(0, "natural", None, None, None, None),
    "std_star": Row(1, "worst", None, None, None, None),
    "woK_at": Row("K", "worst", "ce", None, None, None),
    "woK_at_mix": Row("K", "both", "ce", None, None, None),
    "woK_alp": Row("K", "worst", "ce", None, "l2", 1),
    "woK_alp_nat": Row("K", "natural", "ce", None, "l2", 1),
    "woK_alp_mix": Row("K", "both", "ce", None, "l2", 1),
    "woK_klc": Row("K", "worst", "ce", None, "kl", 8),
    "woK_klc_nat": Row("K", "natural", "ce", None, "kl", 8),
    "woK_klc_mix": Row("K", "both", "ce", None, "kl", 8),
    "woK_kl": Row("K", "worst", "kl", None, "kl", 8),
    "woK_kl_nat": Row("K", "natural", "kl", None, "kl", 8),
    "woK_kl_mix": Row("K", "both", "kl", "ce", "kl", 8),
    "woK_l2": Row("K", "worst", "l2", "ce", "l2", 1),
    "woK_l2_nat": Row("K", "natural", "l2", None, "l2", 1),
    "woK_l2_mix": Row("K", "both", "l2", "ce", "l2", 1),
}


def table(k: int) -> list[tuple[str, Row]]:
    """The rows by name, with a number in the place of K."""
    rows = TABLE.items()
    return [
        (name.replace("K", str(k)), dataclasses.replace(row, k=k if row.k == "K" else row.k))
        for name, row in rows
    ]


def row(name: str) -> Row:
    """The row of a name such as "wo3_kl_mix"."""
    k = int("".join(c for c in name.split("_")[0] if c.isdigit()) or 0)
    return dict(table(k))[name]


def searching_rows(search: str) -> list[tuple[str, Row]]:
    """The rows that search, by name, with another search in the place of woK, e.g. "grid"."""
    rows = TABLE.items()
    return [(name.replace("woK", search), row) for name, row in rows if row.k == "K"]


def classifier(
    batch_norm: bool = True, before: list | None = None, shape: tuple[int, int, int] = SHAPE, **conv
) -> tf.keras.Model:
    """Conv, BatchNorm, tanh, dense; all weights, moving statistics too, drawn with a fixed seed.

    Args:
      batch_norm: with BatchNorm.
      before: layers to put first.
      shape: the images' shape.
      **conv: arguments of the convolution.
    """
    layers = tf.keras.layers
    inputs = x = tf.keras.Input(shape)
    for layer in before or []:
        x = layer(x)
    x = layers.Conv2D(4, 3, strides=2, name="conv", **conv)(layers.Rescaling(1 / 255)(x))
    if batch_norm:
        x = layers.BatchNormalization(momentum=0.9, name="norm")(x)
    x = layers.Flatten()(layers.Activation("tanh")(x))
    model = tf.keras.Model(inputs, layers.Dense(CLASSES, name="dense")(x))
    draw = np.random.default_rng(7).normal
    model.get_layer("conv").set_weights([draw(0, 1, (3, 3, shape[-1], 4)), draw(0, 0.1, 4)])
    if batch_norm:
        norm = [draw(1, 0.1, 4), draw(0, 0.1, 4), draw(0, 0.5, 4), abs(draw(1, 0.2, 4)) + 0.1]
        model.get_layer("norm").set_weights(norm)
    dense = model.get_layer("dense")
    dense.set_weights([draw(0, 0.1, dense.kernel.shape), draw(0, 0.1, CLASSES)])
    return model


def images(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Random grey levels, uint8."""
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int) -> np.ndarray:
    """Class numbers."""
    return np.random.default_rng(count).integers(0, CLASSES, count).astype(np.int32)


# The network of `classifier()`.


def weights_of(model: tf.keras.Model) -> list[np.ndarray]:
    """Convolution's kernel and bias, BatchNorm's scale and offset, dense kernel and bias."""
    conv, dense = (model.get_layer(name).get_weights() for name in ("conv", "dense"))
    norm = model.get_layer("norm").get_weights()[:2]
    return [np.asarray(w, np.float64) for w in (*conv, *norm, *dense)]


def training_logits(weights: list[np.ndarray], batch: np.ndarray) -> np.ndarray:
    """Logits with the batch's own statistics in BatchNorm."""
    x = convolved(weights, batch)
    return _normalized_logits(weights, x, x.mean((0, 1, 2)), x.var((0, 1, 2)))


def inference_logits(model: tf.keras.Model, batch: np.ndarray) -> np.ndarray:
    """Logits with the moving statistics in BatchNorm."""
    weights, statistics = weights_of(model), model.get_layer("norm").get_weights()[2:]
    mean, variance = np.asarray(statistics, np.float64)
    return _normalized_logits(weights, convolved(weights, batch), mean, variance)


def convolved(weights: list[np.ndarray], batch: np.ndarray) -> np.ndarray:
    """What goes into BatchNorm."""
    windows = np.lib.stride_tricks.sliding_window_view(batch / 255.0, (3, 3), axis=(1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows[:, ::2, ::2], weights[0]) + weights[1]


def _normalized_logits(weights, x, mean, variance) -> np.ndarray:
    scale, offset, dense, dense_bias = weights[2:]
    x = (x - mean) / np.sqrt(variance + 1e-3) * scale + offset
    return np.tanh(x).reshape(len(x), -1) @ dense + dense_bias


# Losses per example.


def cross_entropy(labels: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """-log softmax of the label."""
    return np.log(np.exp(logits).sum(-1)) - logits[np.arange(len(labels)), labels]


def kl(natural: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """KL(natural || worst)."""
    p, q = _probabilities(natural), _probabilities(worst)
    return (p * np.log(p / q)).sum(-1)


def l2(natural: np.ndarray, worst: np.ndarray) -> np.ndarray:
    """Squared distance."""
    return ((natural - worst) ** 2).sum(-1)


def _probabilities(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) + 1e-8
    return p / p.sum(-1, keepdims=True)


# Searches.


def run(search, classifier, batch, objective="ce", seed=SEED) -> np.ndarray:
    """What a search finds for a batch of (images, labels)."""
    return np.asarray(search(classifier, *batch, get_objective(objective), tf.constant(seed)))


def of_any_size(search, classifier, objective: str) -> Callable:
    """The search as one graph for batches of any size: (images, labels, seed) -> parameters."""
    signature = [
        tf.TensorSpec([None, *SHAPE]), tf.TensorSpec([None], tf.int32), tf.TensorSpec([2], tf.int32)
    ]  # fmt: skip
    return tf.function(
        lambda images, labels, seed: search(
            classifier, images, labels, get_objective(objective), seed
        ),
        input_signature=signature,
    )


def recording_network(passes: list) -> Callable:
    """A network that notes of each pass how many images it had, and whether it was training."""

    def network(images, training):
        passes.append((len(images), training))
        return tf.repeat(tf.reduce_mean(images**2, axis=(1, 2)), CLASSES, axis=1)

    return network


def values_of(
    model: tf.keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    objective: str | Callable[[np.ndarray, np.ndarray], np.ndarray],
    warp: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function: parameters [batch, 3] -> the objective's values [batch].

    Args:
      model: `classifier()`, in inference mode.
      images: the images.
      labels: class numbers.
      objective: "ce", "kl", "l2" or a function of the natural and the warped images' logits.
      warp: of `oracles`; the two-pass one by default.
    """
    warp = warp or oracles.canvas_warp
    natural = inference_logits(model, images)
    compare = {"kl": kl, "l2": l2, "ce": lambda _, logits: cross_entropy(labels, logits)}
    function = compare.get(objective, objective)
    return lambda parameters: function(natural, inference_logits(model, warp(images, parameters)))


def worst_of(values: Callable, candidates: np.ndarray) -> np.ndarray:
    """Of candidates [batch, k, 3] each image's first of largest value."""
    each = [values(candidates[:, i]) for i in range(candidates.shape[1])]
    return candidates[np.arange(len(candidates)), np.argmax(each, axis=0)]


def climb(values: Callable, start: np.ndarray, step_sizes, bounds, steps: int) -> np.ndarray:
    """Signed ascent from `start` [batch, 3] along finite differences, clipped to the bounds."""
    point = np.asarray(start, np.float64)
    for _ in range(steps):
        offsets = 1e-6 * np.eye(3)
        slopes = np.stack([values(point + e) - values(point - e) for e in offsets], axis=1)
        point = np.clip(point + np.sign(slopes) * step_sizes, -np.array(bounds), bounds)
    return point


# Whole computations.


def worst_by_loop(model, warp, images, labels, candidates, objective) -> np.ndarray:
    """Judges every candidate of every image alone; of equal values the first counts."""

    def logits(image):
        return np.asarray(model(image[None], training=False), np.float64)

    def value(image, label, warped):
        if objective == "ce":
            return cross_entropy(np.array([label]), logits(warped))[0]
        return {"kl": kl, "l2": l2}[objective](logits(image), logits(warped))[0]

    worst = []
    for image, label, row in zip(images.astype(np.float32), labels, candidates):
        best = -np.inf
        for candidate in row:
            new = value(image, label, np.asarray(warp(image[None], candidate[None]))[0])
            if new > best:
                best, chosen = new, candidate
        worst.append(chosen)
    return np.stack(worst)


def total_loss(row, logits, labels, kernels=(), sample_weights=1.0, decay=0.0) -> dict[str, float]:
    """The loss of a row and what else is reported.

    Args:
      row: the row of the table.
      logits: of the "natural", "worst" and "second" images: those searched for with the row's
        objective and with its second objective.
      labels: class numbers.
      kernels: the kernels.
      sample_weights: one for each image.
      decay: the weight decay.
    """
    sample_weights = sample_weights * np.ones(len(labels))
    judged = logits.get("second", logits.get("worst"))
    on = {"natural": [logits.get("natural")], "worst": [judged]}
    on["both"] = [*on["natural"], *on["worst"]]
    each = [cross_entropy(labels, z) for z in on[row.cross_entropy]]
    terms = {"cross_entropy": (sample_weights * np.mean(each, 0)).mean()}
    terms["loss"] = terms["cross_entropy"] + decay * sum((k**2).sum() / 2 for k in kernels)
    if row.regularizer:
        divergence = {
            "kl": lambda: kl(logits["natural"], logits["worst"]),
            "l2": lambda: l2(logits["natural"], logits["worst"]) / 4,
        }[row.regularizer]()
        terms["regularizer"] = (sample_weights * divergence).mean()
        terms["loss"] += row.weight * terms["regularizer"]
    for name in {"natural", "worst"} & set(logits):
        hits = logits[name].argmax(-1) == labels
        terms[f"{name}_accuracy"] = (sample_weights * hits).sum() / sample_weights.sum()
    return terms


def training_terms(row, weights, parts, labels, sample_weights=1.0, decay=0.0) -> dict[str, float]:
    """`total_loss` with all images of `parts` in one BatchNorm batch; `weights`: `weights_of`."""
    logits = training_logits(weights, np.concatenate(list(parts.values())))
    logits = dict(zip(parts, np.split(logits, len(parts))))
    return total_loss(row, logits, labels, (weights[0], weights[4]), sample_weights, decay)


def names_of_parts(row: Row) -> list[str]:
    """Which images go through the network together in training."""
    natural = row.cross_entropy != "worst" or row.regularizer
    needed = {"natural": natural, "worst": row.k, "second": row.second_objective}
    return [name for name in needed if needed[name]]
