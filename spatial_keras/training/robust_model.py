"""RobustModel: a classifier whose training step searches the worst transformations first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from spatial_keras.classifiers import examination
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.support import compat, validation
from spatial_keras.training import batches, losses, replicas
from spatial_keras.training.search import Search, register_with_keras

CROSS_ENTROPY_ON = ("natural", "worst", "both", "half")
# The arguments that are objects with configurations of their own.
_OBJECTS = ("classifier", "search", "objective", "cross_entropy_objective", "regularizer")
register_with_keras()
# Places in the seed of a step, so that its draws are independent of each other.
_SHIFT, _SEARCH, _CROSS_ENTROPY_SEARCH = range(3)


@tf.keras.utils.register_keras_serializable("spatial_keras")
class RobustModel(tf.keras.Model):
    """Trains any classifier to withstand the worst transformations of its images.

    One training step takes a batch, searches for each image a bad transformation in S with the
    network in inference mode, forms one batch of natural and worst-case images, and takes one
    gradient step (in training mode) on

        mean cross-entropy + regularizer_weight * mean regularizer
        + weight_decay * sum of ||kernel||^2 / 2

    (paper, equation 3). `compile`, `fit`, `evaluate`, `predict`, `save` are Keras's. Images are
    pixel values 0..255, [batch, height, width, channels]; labels are class numbers, or
    distributions over the classes (one-hot, soft). `compile` may be given `loss`, a Loss of
    (labels, outputs), to take the place of the cross-entropy, and further `metrics`, which see
    the outputs for the natural images (or for the worst-case ones where the training batch has no
    natural ones). Outputs are what the classifier gives: logits, or probabilities where it ends in
    a softmax or a single sigmoid unit; everything else is computed on logits.

    Reported are `loss`, `cross_entropy`, `regularizer` (with a regularizer), `natural_accuracy`
    (in training only where natural images are in the batch) and `worst_accuracy` (with a search).

    Args:
      classifier: a built model, functional or not, that maps images to logits or probabilities
        [batch, classes], or to one unit for two classes; it stays as it is, `model.classifier`.
      search: finds the worst transformations; None trains on natural images only.
      cross_entropy: which images the cross-entropy is taken on: "natural", "worst", "both", or
        "half", the second half of the worst-case images, as the authors' code does without a
        regularizer; the first half then takes part in BatchNorm alone.
      objective: what the search maximizes: "ce", "kl", "l2" or an Objective.
      cross_entropy_objective: if given, the images for the cross-entropy are searched for apart,
        with this objective.
      regularizer: "kl", "l2" or a Loss called with (natural logits, worst-case logits).
      regularizer_weight: lambda, at least 0.
      search_from: the first training step that searches; in those before it the worst-case images
        are transformed at random, which costs no pass of the network. The regularizer compares
        with these all the same.
      shift: in training, images are shifted by up to this many whole pixels each way; a search
        starts from the shifted ones.
      weight_decay: the weight of the kernels' squares, at least 0.
      seed: of all draws, together with the step and the image's place in the batch: under
        tf.distribute, in the batch of all replicas.
      xla: compile the search and the gradient computation with XLA inside the step, which also
        works under tf.distribute; needs a warp other than "op".

    Raises:
      TypeError: the classifier is no Keras model.
      ValueError: arguments that do not go together.
    """

    def __init__(  # noqa: PLR0913 - the parts of the paper's table, in the manner of Keras
        self,
        classifier: tf.keras.Model,
        search: Search | None = None,
        *,
        cross_entropy: str = "worst",
        objective: str | losses.Objective = "ce",
        cross_entropy_objective: str | losses.Objective | None = None,
        regularizer: str | tf.keras.losses.Loss | None = None,
        regularizer_weight: float = 1.0,
        search_from: int = 0,
        shift: int = 0,
        weight_decay: float = 0.0,
        seed: int = 0,
        xla: bool = False,
        **kwargs: Any,
    ) -> None:
        # Without autocast: a mixed precision policy would round pixel values to 16 bits.
        super().__init__(autocast=False, **kwargs)
        self._examined = examination.examine(classifier)
        self.classifier = classifier
        self.search = search
        self.cross_entropy = validation.check_name("cross_entropy", cross_entropy, CROSS_ENTROPY_ON)
        self.objective = losses.get_objective(objective)
        self.cross_entropy_objective = cross_entropy_objective and losses.get_objective(
            cross_entropy_objective
        )
        self.regularizer = losses.get_regularizer(regularizer)
        self.regularizer_weight = validation.check_range("lambda", regularizer_weight, 0)
        self.search_from = validation.check_integer("search_from", search_from, 0)
        self.shift = validation.check_integer("shift", shift, 0)
        self.weight_decay = validation.check_range("weight_decay", weight_decay, 0)
        self.seed = validation.check_integer("seed", seed, 0, 2**31 - 1)
        self.xla = xla
        self._check_parts()
        self._create_metrics()
        self._evaluating = False
        # Keras saves, exports and restores optimizers only of what has been called.
        self(tf.keras.Input(self._examined.input_shape))

    def _check_parts(self) -> None:
        needs_search = self.cross_entropy != "natural" or self.regularizer is not None
        if needs_search and self.search is None:
            raise ValueError(
                "cross_entropy on worst-case images and a regularizer need a search, got None."
            )
        if self.search is not None and not needs_search:
            raise ValueError(
                "a search needs cross_entropy 'worst' or 'both', or a regularizer; got neither."
            )
        if self.cross_entropy_objective and (
            self.cross_entropy == "natural" or self.regularizer is None
        ):
            raise ValueError(
                "cross_entropy_objective needs a regularizer and cross_entropy 'worst' or 'both'."
            )
        for objective in self.objectives:
            self.search.check_objective(objective)
        height, width, _ = self._examined.input_shape
        if self.search is not None and None not in (height, width):
            self.search.transformations.check_fits(height, width)
        if self.xla and self.search is not None and self.search.warp.implementation == "op":
            raise ValueError("xla needs a warp with implementation 'gather', got 'op'.")

    def _create_metrics(self) -> None:
        self._loss_mean = tf.keras.metrics.Mean("loss")
        self._cross_entropy_mean = tf.keras.metrics.Mean("cross_entropy")
        self._natural_accuracy = tf.keras.metrics.Mean("natural_accuracy")
        if self.regularizer is not None:
            self._regularizer_mean = tf.keras.metrics.Mean("regularizer")
        if self.search is not None:
            self._worst_accuracy = tf.keras.metrics.Mean("worst_accuracy")

    def build(self, input_shape: Any) -> None:
        """Has nothing to make: the classifier is built."""
        self.built = True

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the classifier's outputs for the images as they are."""
        return self.classifier(images, training=training)

    def logits(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits [batch, classes], whatever the classifier's outputs are."""
        return self._examined.outputs.to_logits(self.classifier(images, training=training))

    def fit(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Trains as tf.keras.Model.fit, once the arrays given are found to be right.

        Raises:
          ValueError: images or labels are not what may be trained on.
        """
        batches.check_arrays(x, y, self._examined)
        with batches.mistakes_in_one_line():
            if self.jit_compile:
                batches.check_first_batch(x, self._examined)
            return super().fit(x, y, **kwargs)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Searches, assembles the batch, and takes one gradient step."""
        images, labels, weights = batches.unpack(data, self._examined)
        step = tf.cast(self.optimizer.iterations, tf.int32)
        seed = _fold(tf.stack([self.seed, step]), 0)  # 0: draws of one replica are as ever
        batch = self._compiled(self._batch)(images, labels, seed, step)
        terms, logits, gradients = self._compiled(self._gradients)(batch, labels, weights)
        compat.apply_gradients(self.optimizer, gradients, self.classifier.trainable_variables)
        replicas.average(self.classifier.non_trainable_variables)
        return self._report(images, labels, weights, terms, logits)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates on natural and worst-case images; each batch gets the draws of its place."""
        images, labels, weights = batches.unpack(data, self._examined)
        # Images since the last reset.
        seen = tf.cast(self._cross_entropy_mean.count, tf.int32) * replicas.number()
        seed = _fold(tf.stack([self.seed, -1]), seen)
        batch = self._compiled(self._batch)(images, labels, seed)
        logits = self._logits(batch, training=False)
        return self._report(images, labels, weights, self._terms(labels, logits, weights), logits)

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as tf.keras.Model.evaluate, on natural and worst-case images."""
        # `metrics` has to name what test_step reports, and train_step may report less.
        self._evaluating = True
        try:
            with batches.mistakes_in_one_line():
                return super().evaluate(*args, **kwargs)
        finally:
            self._evaluating = False

    @property
    def metrics(self) -> list[tf.keras.metrics.Metric]:
        """What is reported, now: in training, or within `evaluate`."""
        # Keras's own mean of the loss is not fed by a train_step of one's own.
        metrics = [self._loss_mean] + [m for m in super().metrics if m.name != "loss"]
        if self._trains_on_natural or self._evaluating:
            return metrics
        return [m for m in metrics if m is not self._natural_accuracy]

    @property
    def objectives(self) -> tuple[losses.Objective, ...]:
        """What the searches of a step maximize, one objective each."""
        if self.search is None:
            return ()
        return tuple(filter(None, (self.objective, self.cross_entropy_objective)))

    def worst_transformations(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        seed: tf.Tensor,
        objective: losses.Objective | None = None,
    ) -> tf.Tensor:
        """Returns what the search finds for the images: parameters, float32 [batch, axes].

        Args:
          images: pixel values 0..255, [batch, height, width, channels].
          labels: class numbers [batch].
          seed: two integers.
          objective: what to maximize; the model's `objective` by default.
        """
        images, objective = batches.to_images(images, self._examined), objective or self.objective
        return self.search(self.logits, images, labels, objective, seed)

    @property
    def _trains_on_natural(self) -> bool:
        return self.cross_entropy in ("natural", "both") or self.regularizer is not None

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(function, jit_compile=True) if self.xla else function

    def _batch(
        self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, step: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Returns the images that a step needs, by name; each [batch, height, width, channels].

        Of the training step with this number, or of an evaluation (None), which always searches.

        All of the images shifted first, in training, if `shift`. "natural": these; "worst": found
        with `objective`; "worst_for_cross_entropy": found with `cross_entropy_objective`.
        """
        batch = {}
        images = _shifted(images, 0 if step is None else self.shift, _fold(seed, _SHIFT))
        if self._trains_on_natural or step is None:
            batch["natural"] = images
        if self.search is not None:
            batch["worst"] = self._worst(images, labels, self.objective, _fold(seed, _SEARCH), step)
        if self.cross_entropy_objective:
            seed = _fold(seed, _CROSS_ENTROPY_SEARCH)
            batch["worst_for_cross_entropy"] = self._worst(
                images, labels, self.cross_entropy_objective, seed, step
            )
        return batch

    def _worst(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        objective: losses.Objective,
        seed: tf.Tensor,
        step: tf.Tensor | None,
    ) -> tf.Tensor:
        def find() -> tf.Tensor:
            return self.search(self.logits, images, labels, objective, seed)

        def draw() -> tf.Tensor:
            return self.search.transformations.sample_batch(seed, tf.shape(images)[0])

        always = step is None or not self.search_from
        parameters = find() if always else tf.cond(step < self.search_from, draw, find)
        return self.search.warp(images, tf.stop_gradient(parameters))

    def _logits(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """Runs all images of the batch through the network together: one BatchNorm batch."""
        logits = self.logits(tf.concat(list(batch.values()), axis=0), training)
        return dict(zip(batch, tf.split(logits, len(batch))))

    def _gradients(
        self, batch: dict[str, tf.Tensor], labels: tf.Tensor, weights: tf.Tensor | None
    ) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            logits = self._logits(batch, training=True)
            terms = self._terms(labels, logits, weights)
            # Optimizers add up the gradients of the replicas.
            loss = compat.scale_loss(self.optimizer, terms["loss"] / replicas.number())
        return terms, logits, tape.gradient(loss, self.classifier.trainable_variables)

    def _terms(
        self, labels: tf.Tensor, logits: dict[str, tf.Tensor], weights: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Returns the loss and its parts, scalars; means divide by the batch size, as in Keras."""
        worst = logits.get("worst_for_cross_entropy", logits.get("worst"))
        on = {"natural": [logits.get("natural")], "worst": [worst]}
        on["both"], on["half"] = on["natural"] + on["worst"], on["worst"]
        values = [self._cross_entropy(labels, each) for each in on[self.cross_entropy]]
        judged = _second_half(labels, weights) if self.cross_entropy == "half" else weights
        terms = {"cross_entropy": losses.mean(tf.add_n(values) / len(values), judged)}
        loss = terms["cross_entropy"]
        if self.regularizer is not None:
            value = self.regularizer.call(logits["natural"], logits["worst"])
            terms["regularizer"] = losses.mean(value, weights)
            loss += self.regularizer_weight * terms["regularizer"]
        if self.weight_decay:
            loss += self.weight_decay * sum(tf.nn.l2_loss(k) for k in self._kernels())
        # A classifier may bring penalties of its own.
        for penalty in self.classifier.losses:
            loss += tf.cast(penalty, loss.dtype)
        return {"loss": loss, **terms}

    def _kernels(self) -> list[tf.Variable]:
        # In Keras 2.15 a variable's name begins with its layer's.
        variables = self.classifier.trainable_variables
        return [v for v in variables if "kernel" in v.name.split("/")[-1]]

    def _cross_entropy(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        if not self.loss:
            return losses.cross_entropy(labels, logits)
        if not isinstance(self.loss, tf.keras.losses.Loss):
            raise ValueError(
                "compile takes no loss (cross-entropy on logits) or a tf.keras.losses.Loss of "
                f"class numbers and logits, got {self.loss!r}."
            )
        outputs = self._examined.outputs
        if self.loss.get_config().get("from_logits") is outputs.probabilities:
            kind = "probabilities" if outputs.probabilities else "logits"
            raise ValueError(
                f"the classifier gives {kind}: {self.loss.name} needs "
                f"from_logits={not outputs.probabilities}."
            )
        if outputs.single and labels.shape.rank == 1:
            labels = labels[:, None]
        return self.loss.call(labels, outputs.from_logits(tf.cast(logits, tf.float32)))

    def _report(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        terms: dict[str, tf.Tensor],
        logits: dict[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        size = tf.shape(labels)[0]
        self._loss_mean.update_state(terms["loss"], size)
        self._cross_entropy_mean.update_state(terms["cross_entropy"], size)
        if "regularizer" in terms:
            self._regularizer_mean.update_state(terms["regularizer"], size)
        if "natural" in logits:
            self._natural_accuracy.update_state(losses.hits(labels, logits["natural"]), weights)
        if "worst" in logits:
            self._worst_accuracy.update_state(losses.hits(labels, logits["worst"]), weights)
        outputs = self._examined.outputs.from_logits(next(iter(logits.values())))
        return self.compute_metrics(images, labels, outputs, weights)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        serialize = tf.keras.utils.serialize_keras_object
        return {
            **super().get_config(),
            **{name: serialize(getattr(self, name)) for name in _OBJECTS},
            "cross_entropy": self.cross_entropy,
            "regularizer_weight": self.regularizer_weight,
            "search_from": self.search_from,
            "shift": self.shift,
            "weight_decay": self.weight_decay,
            "seed": self.seed,
            "xla": self.xla,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RobustModel:
        """Builds the model from its configuration."""
        config = dict(config)
        for name in _OBJECTS:
            config[name] = tf.keras.utils.deserialize_keras_object(config[name], custom_objects)
        return cls(**config)


def _second_half(labels: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Returns weights, [batch], under which a mean over the batch is that over its second half."""
    size = tf.shape(labels)[0]
    chosen = tf.cast(tf.range(size) >= size // 2, tf.float32)
    chosen *= tf.cast(size, tf.float32) / tf.reduce_sum(chosen)
    return chosen if weights is None else chosen * weights


def _fold(seed: tf.Tensor, data: int | tf.Tensor) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, data, alg="philox")


def _shifted(images: tf.Tensor, shift: int, seed: tf.Tensor) -> tf.Tensor:
    if not shift:
        return images
    box = TransformationSet(shift, shift, 0)
    return SpatialWarp()(images, box.sample_batch(seed, tf.shape(images)[0], whole_pixels=True))
