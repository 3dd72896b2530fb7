"""The flags of an evaluation: their types, ranges, groups and help."""

from __future__ import annotations

import dataclasses

from spatial_keras.configuration import choices, shared_options
from spatial_keras.configuration.options import Config, option
from spatial_keras.configuration.run_options import LARGEST_SEED, MOST_CANDIDATES
from spatial_keras.training import grid_search

MEASURES = ("natural", "random", "worst_of_k", "gradient", "grid", "attack", "profile")


@dataclasses.dataclass(frozen=True)
class EvaluateOptions(Config):
    """Each field is a flag of evaluate.py, which --help documents."""

    run: str | None = option(
        None,
        "Classifier",
        "Folder of a run of train.py; also of one that has not finished.",
        is_path=True,
        recorded=False,
    )
    model: str | None = option(
        None,
        "Classifier",
        "A .keras, .h5, .tflite or .onnx file, the folder of a SavedModel or zoo:NAME, of the zoo, "
        "in the place of --run.",
        is_path=True,
        recorded=False,
    )
    unsafe: bool = option(
        False,
        "Classifier",
        "Load a model even if it may run code of whoever wrote it, as one with a Lambda layer may.",
        recorded=False,
    )
    input_range: tuple[float, ...] = option(
        (0.0, 255.0),
        "Classifier",
        "What the model expects for black and white, e.g. 0,1 or -1,1.",
        count=2,
    )
    outputs: str = option(
        "auto",
        "Classifier",
        "What the model gives.",
        choices=("auto", "logits", "probabilities"),
    )

    dataset: str | None = option(
        None,
        "Data",
        "digits, folder:PATH, or an image set of TensorFlow Datasets; default: as --run, or those "
        "that zoo:NAME was trained on.",
        is_path=True,
    )
    data_dir: str | None = shared_options.data_dir()
    image_size: int | None = shared_options.image_size("as --run")
    test_fraction: float | None = shared_options.test_fraction()
    crop: float | None = shared_options.crop("as --run, or all of it")
    skip_damaged: bool | None = shared_options.skip_damaged()
    stream: str = shared_options.stream()
    limit: int | None = option(
        None, "Data", "Evaluate the first test images only, this many; default: all.", low=1
    )

    measures: tuple[str, ...] = option(
        MEASURES, "Measures", "What to measure.", choices=MEASURES, distinct=True
    )
    max_rotation: float | None = option(
        None,
        "Measures",
        "Largest rotation either way, in degrees; default: as --run, or 30.",
        low=0,
        most=180,
    )
    max_translation: float | str | None = option(
        None,
        "Measures",
        "Largest shift in each direction, in pixels or in % of the image's size; default: as "
        "--run, or 3.",
        low=0,
        percent=True,
    )
    max_zoom: float | None = shared_options.further("max_zoom", "Measures", "as --run")
    max_shear: float | None = shared_options.further("max_shear", "Measures", "as --run")
    max_pitch: float | None = shared_options.further("max_pitch", "Measures", "as --run")
    max_yaw: float | None = shared_options.further("max_yaw", "Measures", "as --run")
    quarter_turns: bool | None = shared_options.further("quarter_turns", "Measures", "as --run")
    flip: bool | None = shared_options.further("flip", "Measures", "as --run")
    field_of_view: float | None = shared_options.further(
        "field_of_view", "Measures", "as --run, or 60"
    )
    fill: str | None = shared_options.fill("Measures", "as --run, or black")
    composition: str = option(
        "sequential",
        "Measures",
        "Interpolate after the rotation and again after the shift, or once.",
        choices=choices.COMPOSITIONS,
    )
    draws: int = option(
        10, "Measures", "Draws per image, of random accuracy.", low=1, most=MOST_CANDIDATES
    )
    k: int = option(
        10, "Measures", "Draws per image, of the worst of k.", low=1, most=MOST_CANDIDATES
    )
    gradient_steps: int = option(
        10, "Measures", "Steps of each ascent of S-PGD.", low=1, most=MOST_CANDIDATES
    )
    gradient_restarts: int = option(
        1, "Measures", "Ascents per image of S-PGD.", low=1, most=MOST_CANDIDATES
    )
    grid_counts: tuple[int, ...] | None = option(
        None,
        "Measures",
        "The grid's points along each axis of S; default: 5,5,31, and 3 along each further one.",
        low=1,
        check=grid_search.check_counts,
    )
    attack_steps: int = option(
        10,
        "Measures",
        "Gradient steps of the attack from each of up to five grid points.",
        low=1,
        most=MOST_CANDIDATES,
    )
    attack_refinements: int = option(
        50, "Measures", "Random steps of the attack.", low=0, most=MOST_CANDIDATES
    )
    seed: int = option(0, "Measures", "Of all draws.", low=0, high=LARGEST_SEED)
    map: bool = option(
        False,
        "Measures",
        "Evaluate the whole grid without pruning, and keep margin and loss of every image at "
        "every point beside the output.",
    )

    profile_images: int = option(
        500,
        "Measures",
        "Of how many images, drawn at random, to find where in S they break, unless --map knows.",
        low=1,
    )

    fail_under: tuple[str, ...] | None = option(
        None,
        "Gates",
        "What must be reached, such as grid:0.8,natural:95%; else the exit code is 1.",
        recorded=False,
    )
    fail_under_interval: bool = option(
        False,
        "Gates",
        "Judge by the lower end of the 95% interval.",
        recorded=False,
    )
    compare: str | None = option(
        None,
        "Gates",
        "The JSON file of another evaluation of the same images, to compare with by pairs; where "
        "this one is worse the exit code is 1.",
        is_path=True,
        recorded=False,
    )
    tolerance: float = option(
        0.0,
        "Gates",
        "By how much an accuracy may be lower than that of --compare, in [0, 1].",
        low=0,
        high=1,
        recorded=False,
    )
    junit: str | None = option(
        None,
        "Gates",
        "An XML file to write for continuous integration, a test case for each measure.",
        is_path=True,
        recorded=False,
    )
    markdown: str | None = option(
        None,
        "Gates",
        "A Markdown file to write, for the summary of a pull request.",
        is_path=True,
        recorded=False,
    )

    batch_size: int | None = option(
        None,
        "Execution",
        "Images per pass, of all replicas together; default: 256 for each, 512 on GPUs.",
        low=1,
        most=65_536,
    )
    xla: str = shared_options.xla("the passes")
    distribute: str = shared_options.distribute()
    worker_timeout: int | None = shared_options.worker_timeout()

    output: str | None = option(
        None,
        "Output",
        "The JSON file to write, and beside it a CSV file with a line per image; default: "
        "evaluation.json in the run's folder, or MODEL_evaluation.json beside the model.",
        is_path=True,
        recorded=False,
    )
    card: str | None = option(
        None,
        "Output",
        "A JSON file to write too: what there is to know of the classifier, as of the zoo's.",
        is_path=True,
        recorded=False,
    )
    resume: bool = option(
        False, "Output", "Continue where this evaluation was killed.", recorded=False
    )
    shard: str | None = option(
        None,
        "Output",
        "Evaluate a part of the images only, e.g. 2/8, the second of eight parts.",
        recorded=False,
    )
    merge: bool = option(
        False,
        "Output",
        "Put the parts that --shard evaluated together: no image is evaluated.",
        recorded=False,
    )
