"""The parts of a run from its configuration: the set S, the warp, the network, the RobustModel."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from spatial_keras import data, evaluation, models, zoo
from spatial_keras.classifiers import examination
from spatial_keras.configuration import choices, shared_options
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.flag import percentage
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.geometry.warp import SpatialWarp
from spatial_keras.models import batch_norm
from spatial_keras.training import optimizers
from spatial_keras.training.robust_model import RobustModel
from spatial_keras.training.worst_of_k import WorstOfK

# What a network takes from its training images, it takes from about so many of them.
_IMAGES_TO_ADAPT_TO = 5000
POLICIES = {"none": "float32", "float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def transformations(
    config: RunConfig | EvaluateConfig, height: int, width: int
) -> TransformationSet:
    """Returns the set S for images of a size, of shifts in pixels or in percent of the size.

    Raises:
      ValueError: shifts are too large.
    """
    further = shared_options.further_axes(config)
    shift = 3.0 if config.max_translation is None else config.max_translation
    rotation = 30.0 if config.max_rotation is None else config.max_rotation
    if isinstance(shift, str):
        share = percentage(shift) / 100
        return TransformationSet.of_size(height, width, share, rotation, **further)
    if shift > min(height, width) / 2:
        raise ValueError(
            f"--max_translation must be half the image's size at most, {min(height, width) / 2:g} "
            f"pixels, got {shift:g}."
        )
    return TransformationSet(shift, shift, rotation, **further)


def warp(config: RunConfig, xla: bool, differentiable: bool = False) -> SpatialWarp:
    """Returns what applies the transformations of a run; see SpatialWarp.fastest."""
    return SpatialWarp.fastest(xla=xla, differentiable=differentiable, fill=config.fill or "black")


def drawing_search(config: RunConfig, input_shape: tuple[int, int, int]) -> WorstOfK:
    """Returns the search for pictures of what breaks a run whose training does not search."""
    box = transformations(config, *input_shape[:2])
    return WorstOfK(10, box, warp(config, xla=False))


def uses_xla(config: RunConfig | EvaluateConfig) -> bool:
    """Returns whether to compile with XLA; "auto" means it where there is a GPU."""
    if getattr(config, "sync_batch_norm", False):
        return False
    if config.xla != "auto":
        return config.xla == "on"
    # On CPUs oneDNN without XLA was the faster one, on both stacks: scripts/benchmark.py xla.
    return bool(tf.config.list_physical_devices("GPU"))


def load_classifier(model: str, unsafe: bool = False) -> Callable[..., tf.Tensor]:
    """Returns the classifier that `--model` names: one of the zoo, or a file's.

    Args:
      model: "zoo:" and a name, or a path.
      unsafe: as for `evaluation.load`.
    """
    if model.startswith(choices.ZOO):
        return zoo.load(model)
    return evaluation.load(model, unsafe)


def build_classifier(config: RunConfig, dataset: data.Dataset) -> tf.keras.Model:
    """Returns the run's network for these images, with its first weights.

    Raises:
      ValueError, TypeError: it cannot be built, or read, or is for other images or classes.
    """
    tf.keras.mixed_precision.set_global_policy(POLICIES[config.mixed_precision])
    tf.keras.utils.set_random_seed(config.seed)
    classifier = _first_classifier(config, dataset)
    return batch_norm.synchronized(classifier) if config.sync_batch_norm else classifier


def _first_classifier(config: RunConfig, dataset: data.Dataset) -> tf.keras.Model:
    if config.is_model_file or config.is_of_zoo:
        classifier = load_classifier(config.model, config.unsafe)
        examination.check_fits(classifier, dataset.input_shape, dataset.num_classes)
        return classifier
    classifier = models.get(
        config.model,
        num_classes=dataset.num_classes,
        input_shape=dataset.input_shape,
        **({"weights": config.weights} if config.is_application else {"width": config.width}),
    )
    # Not the first ones: the images of a folder come class by class.
    every = max(1, len(dataset.train_images) // _IMAGES_TO_ADAPT_TO)
    models.adapt(classifier, dataset.train_images[::every])
    return classifier


def build_model(
    config: RunConfig, classifier: tf.keras.Model, dataset: data.Dataset
) -> RobustModel:
    """Returns the compiled RobustModel that trains the classifier on images of a data set."""
    defense, xla = config.row, uses_xla(config)
    optimizer = optimizers.get(
        config.optimizer,
        config.learning_rate,
        config.steps,
        config.weight_decay,
        config.schedule,
    )
    weight = {} if config.lambda_ is None else {"regularizer_weight": config.lambda_}
    model = defense.build(
        classifier,
        transformations(config, *dataset.input_shape[:2]),
        warp(config, xla, differentiable=defense.needs_gradient),
        weight_decay=0.0 if config.optimizer in optimizers.DECOUPLED else config.weight_decay,
        search_from=int(config.search_from * config.steps),
        seed=config.seed,
        xla=xla,
        **weight,
    )
    model.compile(optimizer=optimizer, jit_compile=False)
    return model
