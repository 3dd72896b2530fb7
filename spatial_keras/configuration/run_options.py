"""The flags of a run: their types, ranges, groups and help."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from spatial_keras.configuration import choices, options, shared_options
from spatial_keras.configuration.flag import Flag, Option
from spatial_keras.configuration.options import Config, option
from spatial_keras.training import grid_search
from spatial_keras.training.search import SEARCHES, Search

LARGEST_SEED = 2**31 - 1
# By default: the paper's; and of folders, which may hold few images.
STEPS, LEAST_STEPS = 80_000, 1_000
# What nobody can mean, and no memory holds.
MOST_CANDIDATES = Search.most_candidates
# What a search says of an argument that is a flag, beside its name, kind and help.
_LIMITS = ("count", "choices", "low", "most", "check")


def _search_flags() -> Iterator[Flag]:
    """Yields the flags that searches have for their arguments."""
    for search in SEARCHES.values():
        for name, argument in search.flags().items():
            limits = {limit: getattr(argument, limit) for limit in _LIMITS}
            about = Option("Defense", argument.help, **limits)
            is_tuple = argument.per_axis or argument.count is not None
            yield Flag(name, name, argument.kind, is_tuple, None, about)


@dataclasses.dataclass(frozen=True)
class RunOptions(Config):
    """Each field is a flag of train.py, which --help documents."""

    dataset: str = option(
        "digits",
        "Data",
        "digits, folder:PATH, or an image set of TensorFlow Datasets.",
        is_path=True,
    )
    data_dir: str | None = shared_options.data_dir()
    train_images: int | None = option(
        None,
        "Data",
        "Train on this many of the training images, of each class equally many, drawn by --seed; "
        "default: all.",
        low=1,
    )
    mirror: bool | None = option(
        None,
        "Data",
        "Mirror a random half of the training images, whatever S is (--flip is a part of S); "
        "default: where that keeps the class.",
    )
    test_images: int | None = option(
        None,
        "Data",
        "Evaluate on the first test images only, this many; default: all.",
        low=1,
    )
    validation_images: int | None = option(
        None,
        "Data",
        "Hold this many training images out, and evaluate on them instead of the test images.",
        low=1,
    )
    training_accuracy_images: int | None = option(
        None,
        "Data",
        "Measure natural and grid accuracy on this many training images too; default: on none.",
        low=1,
    )
    test_grid_counts: tuple[int, ...] | None = option(
        None,
        "Data",
        "Points along each axis of S of the grid that grid accuracy is on; default: 5,5,31, and 3 "
        "along each further one.",
        low=1,
        check=grid_search.check_counts,
    )
    image_size: int | None = shared_options.image_size("their own")
    test_fraction: float | None = shared_options.test_fraction()
    crop: float | None = shared_options.crop("all of it")
    skip_damaged: bool | None = shared_options.skip_damaged()
    stream: str = shared_options.stream()

    model: str = option(
        "resnet32",
        "Network",
        "resnet8, resnet14, resnet20, ... (6n + 2), the same after stn_, etn_ or g_, "
        "or vgg11, vgg13, vgg16, vgg19; or airbench; or keras:NAME, a network of "
        "tf.keras.applications, e.g. keras:MobileNetV3Small; or a .keras or .h5 file or zoo:NAME, "
        "a classifier of the zoo, whose weights are trained on.",
        is_path=True,
    )
    weights: str | None = option(
        None,
        "Network",
        "Of keras:NAME: an .h5 file of its weights to begin with; of ImageNet's 1000 classes all "
        "but the last layer.",
        is_path=True,
    )
    unsafe: bool = option(
        False,
        "Network",
        "Load the model's file even if it may run code of whoever wrote it, as one with a Lambda "
        "layer may.",
        recorded=False,
    )
    width: float = option(
        1.0,
        "Network",
        "Multiplies the widths of the network's stages.",
        low=0,
        most=64,
        exclusive_low=True,
    )

    defense: str = option(
        "wo10_kl",
        "Defense",
        "A row of the table of defenses, with any k, or pgd5_ or grid_ in its place.",
    )
    lambda_: float | None = option(
        None, "Defense", "Weight of the regularizer; default: the paper's.", low=0
    )
    search_from: float = option(
        0.0,
        "Defense",
        "Share of the steps that transform at random instead of searching; the rest search.",
        low=0,
        high=1,
        exclusive_high=True,
    )
    search_options: tuple[tuple[str, Any], ...] = options.registered(_search_flags)
    max_rotation: float = option(
        30.0, "Defense", "Largest rotation either way, in degrees.", low=0, most=180
    )
    max_translation: float | str = option(
        3.0,
        "Defense",
        "Largest shift in each direction, in pixels or in % of the image's size.",
        low=0,
        percent=True,
    )
    max_zoom: float | None = shared_options.further("max_zoom", "Defense")
    max_shear: float | None = shared_options.further("max_shear", "Defense")
    max_pitch: float | None = shared_options.further("max_pitch", "Defense")
    max_yaw: float | None = shared_options.further("max_yaw", "Defense")
    quarter_turns: bool | None = shared_options.further("quarter_turns", "Defense")
    flip: bool | None = shared_options.further("flip", "Defense")
    field_of_view: float | None = shared_options.further("field_of_view", "Defense")

    fill: str | None = shared_options.fill("Defense", "black, the paper's")
    steps: int = option(
        STEPS,
        "Training",
        "Training steps; of folder:PATH by default as many as show each image 100 times, but "
        f"{LEAST_STEPS:,} at least and {STEPS:,} at most.",
        low=1,
    )
    epochs: int | None = option(
        None,
        "Training",
        "In the place of --steps: how often each training image is seen.",
        low=1,
        most=10**6,
        recorded=False,
    )
    batch_size: int = option(
        64, "Training", "Unique images per step, of all replicas together.", low=1
    )
    optimizer: str = option(
        "momentum",
        "Training",
        "momentum, nesterov, adam, sgdw, adamw, or Addons' lamb, novograd, radam or yogi.",
    )
    learning_rate: float = option(
        0.1, "Training", "The largest of the schedule.", low=0, exclusive_low=True
    )
    schedule: str = option(
        "paper",
        "Training",
        "Of the learning rate. paper: a tenth after 1/2 of the steps, a hundredth after 3/4; "
        "cosine: rises in the first 1/5 of the steps, then falls to 0 along a cosine.",
        choices=choices.SCHEDULES,
    )
    weight_decay: float = option(
        2e-4,
        "Training",
        "Weight of the sum of ||kernel||^2 / 2 in the loss; with sgdw and adamw instead the share "
        "of all weights, times the learning rate, that a step takes off.",
        low=0,
    )
    seed: int = option(
        0,
        "Training",
        "Of the weights, the data's order and all draws.",
        low=0,
        high=LARGEST_SEED,
    )

    xla: str = shared_options.xla("the search and the gradient")
    mixed_precision: str = option(
        "none",
        "Execution",
        "Compute in 16 bits; on CPUs narrow networks are slower with it.",
        choices=choices.PRECISIONS,
    )
    distribute: str = shared_options.distribute()
    worker_timeout: int | None = shared_options.worker_timeout()
    sync_batch_norm: bool | None = option(
        None,
        "Execution",
        "BatchNorm normalizes over the images of all replicas together; without XLA.",
    )

    max_time: str | None = option(
        None,
        "Execution",
        "End after this time as Ctrl-C does, with a checkpoint, e.g. 2h or 1h30m; exit code 124.",
        recorded=False,
    )

    output_dir: str | None = option(
        None,
        "Output",
        "Folder of the run, in which the same command continues; default: "
        "runs/DATASET/MODEL_DEFENSE_seedSEED.",
        is_path=True,
        recorded=False,
    )
    checkpoint_every: int = option(500, "Output", "Steps between checkpoints.", low=1)
    log_every: int = option(100, "Output", "Steps between TensorBoard's logs.", low=1)
    profile_steps: tuple[int, ...] | None = option(
        None,
        "Output",
        "First and last step to profile for TensorBoard, from when the command starts, e.g. 10,20.",
        count=2,
        low=2,
        recorded=False,
    )
