"""The images that a run or an evaluation takes, by its configuration."""

from __future__ import annotations

from spatial_keras import data
from spatial_keras.configuration.evaluate_config import EvaluateConfig
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.experiments import building
from spatial_keras.support import validation
from spatial_keras.training import grid_search


def load(config: RunConfig | EvaluateConfig) -> data.Dataset:
    """Returns the data set that a run or an evaluation takes its images from."""
    return data.get(
        config.dataset or "",
        config.data_dir,
        config.image_size,
        config.test_fraction,
        bool(config.skip_damaged),
        config.crop,
        config.stream,
    )


def select(config: RunConfig, images: data.Dataset) -> data.Dataset:
    """Returns the images of a data set that the run trains and is evaluated on.

    Raises:
      ValueError: they are too few or too small for the run.
    """
    if not len(images.train_labels):
        raise ValueError(f"data set '{images.name}' has no training images, only test images.")
    if config.validation_images is not None:
        images = images.hold_out(config.validation_images)
    if config.train_images is not None:
        images = images.subset(config.train_images, config.seed)
    images.training_batches(config.batch_size, config.seed)  # rejects too large a batch
    for name, there in (("test", images.test_images), ("training_accuracy", images.train_images)):
        count = getattr(config, f"{name}_images")
        if count is not None:
            flag = f"--{name}_images with data set '{images.name}'"
            validation.check_integer(flag, count, 1, len(there))
    size = images.input_shape[:2]
    box = building.transformations(config, *size)
    box.check_fits(*size)
    grid_search.counts_of(box, config.test_grid_counts)  # the last thing that a run does
    return images
