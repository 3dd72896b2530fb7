"""RobustModel: a classifier whose training step searches the worst transformations first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from spatial_keras.classifiers import assertions, examination
from spatial_keras.classifiers.images import of_batch
from spatial_keras.support import compat, validation
from spatial_keras.training import batches, losses, replicas
from spatial_keras.training.reported_model import ReportedModel
from spatial_keras.training.search import Search, register_with_keras
from spatial_keras.training.step_images import StepImages, fold
from spatial_keras.training.step_loss import CROSS_ENTROPY_ON, StepLoss

# The arguments that are objects with configurations of their own.
_OBJECTS = ("classifier", "search", "objective", "cross_entropy_objective", "regularizer")
register_with_keras()


@tf.keras.utils.register_keras_serializable("spatial_keras")
class RobustModel(ReportedModel):
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

    Reported are `loss`, `cross_entropy`, `regularizer` (with a regularizer), `worst_accuracy` (with
    a search), the metrics of `compile` and `natural_accuracy` (in training only where natural
    images are in the batch).

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

    Attributes:
      train_steps: how many training steps were taken, a weight of int64; the draws go by it.

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
        self.cross_entropy_objective = (
            None
            if cross_entropy_objective is None
            else losses.get_objective(cross_entropy_objective)
        )
        self.regularizer = losses.get_regularizer(regularizer)
        self.regularizer_weight = validation.check_range(
            "regularizer_weight", regularizer_weight, 0
        )
        self.search_from = validation.check_integer("search_from", search_from, 0)
        self.shift = validation.check_integer("shift", shift, 0)
        self.weight_decay = validation.check_range("weight_decay", weight_decay, 0)
        self.seed = validation.check_integer("seed", seed, 0, 2**31 - 1)
        self.xla = xla
        natural = self.cross_entropy in ("natural", "both") or self.regularizer is not None
        self._create_metrics(self.regularizer is not None, self.search is not None, natural)
        self.train_steps = compat.add_count(self, "train_steps")
        self._check_parts()
        self._functions = replicas.CompiledFunctions()
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
        self._makes_images.check(self._examined.input_shape, self.xla)

    def build(self, input_shape: Any) -> None:
        """Has nothing to make: the classifier is built."""
        self.built = True

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the classifier's outputs for the images as they are."""
        return self.classifier(examination.prepared(self.classifier, images), training=training)

    def logits(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns logits [batch, classes], whatever the classifier's outputs are."""
        return self._examined.outputs.to_logits(self.call(images, training=training))

    def fit(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Trains as tf.keras.Model.fit, once what is given is found to be right.

        Raises:
          ValueError: images or labels are not what may be trained on.
        """
        if "validation_data" in kwargs:
            held_out = kwargs["validation_data"]
            kwargs["validation_data"] = batches.examine(held_out, None, self._examined)
        with assertions.in_one_line():
            return super().fit(batches.examine(x, y, self._examined), y, *args, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Evaluates as tf.keras.Model.evaluate, on natural and worst-case images; see `fit`."""
        if "_use_cached_eval_dataset" not in kwargs:  # which `fit` has examined
            x = batches.examine(x, y, self._examined)
        with self._evaluation(), assertions.in_one_line():
            return super().evaluate(x, y, *args, **kwargs)

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Searches, assembles the images, and takes one gradient step."""
        images, labels, weights = batches.unpack(data, self._examined)
        images = replicas.check(images)
        # Not the optimizer's count, which stands still while gradients are accumulated, or where
        # loss scaling skips a step, and begins anew with each optimizer.
        step = tf.cast(self.train_steps, tf.int32)
        seed = fold(tf.stack([self.seed, step]), 0)  # 0: draws of one replica are as ever
        made = self._compiled(self._step_images)(images, labels, seed, step)
        terms, logits, gradients = self._compiled(self._gradients)(made, labels, weights)
        compat.apply_gradients(self.optimizer, gradients, self.classifier.trainable_variables)
        replicas.average(self.classifier.non_trainable_variables)
        with tf.control_dependencies([images]):  # a batch that cannot be read is no step
            self.train_steps.assign_add(1)
        return self._report(images, labels, weights, terms, logits)

    def test_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Evaluates on natural and worst-case images; each batch gets the draws of its place."""
        images, labels, weights = batches.unpack(data, self._examined)
        # Images since the last reset.
        seen = tf.cast(self._cross_entropy_mean.count, tf.int32) * replicas.number()
        seed = fold(tf.stack([self.seed, -1]), seen)
        made = self._compiled(self._step_images)(images, labels, seed)
        logits = self._logits(made, training=False)
        terms = self._terms(labels, logits, weights)
        with self._evaluation():
            return self._report(images, labels, weights, terms, logits)

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

        Raises:
          ValueError: the model has no search.
        """
        if self.search is None:
            raise ValueError("worst_transformations needs a model with a search, it has none.")
        images = of_batch(images, self._examined.input_shape)
        return self.search(self.logits, images, labels, objective or self.objective, seed)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._functions(function, self.optimizer, self.loss) if self.xla else function

    @property
    def _makes_images(self) -> StepImages:
        return StepImages(
            self.search,
            self.objective,
            self.cross_entropy_objective,
            self._trains_on_natural,
            self.search_from,
            self.shift,
        )

    def _step_images(
        self, images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, step: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        return self._makes_images(self.logits, images, labels, seed, step)

    def _terms(
        self, labels: tf.Tensor, logits: dict[str, tf.Tensor], weights: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        loss = StepLoss(
            self.cross_entropy,
            self.regularizer,
            self.regularizer_weight,
            self.weight_decay,
            self._examined.outputs,
        )
        return loss(self.classifier, self.loss, labels, logits, weights)

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

    def _report(
        self,
        images: tf.Tensor,
        labels: tf.Tensor,
        weights: tf.Tensor | None,
        terms: dict[str, tf.Tensor],
        logits: dict[str, tf.Tensor],
    ) -> dict[str, tf.Tensor]:
        self._update(labels, weights, terms, logits)
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
