"""Results of runs that nobody trained, for tests of what reads results."""

from __future__ import annotations

import pathlib

from spatial_keras.configuration import options
from spatial_keras.configuration.run_config import RunConfig
from spatial_keras.results.run_results import Accuracies, Results, Timing

FLAGS = {"dataset": "digits", "model": "resnet8", "width": "0.25", "steps": "800"}
VERSIONS = {"python": "3.11.7", "tensorflow": "2.15.1", "machine": "x86_64"}


def results(
    defense: str = "std",
    seed: int = 0,
    grid: float = 0.8,
    natural: float = 0.97,
    random: float = 0.9,
    images: int = 360,
    train_images: int | str = 1437,
    train_grid: float | None = None,
    timing: Timing | None = None,
    **flags: str,
) -> Results:
    """Returns the results of a run with these flags; `train_images` is one if it is a text."""
    texts = {**FLAGS, "defense": defense, "seed": str(seed), **flags}
    if isinstance(train_images, str):
        texts["train_images"] = train_images
    return Results(
        options.from_texts(RunConfig, texts),
        Accuracies(natural, random, grid, images),
        int(train_images),
        None if train_grid is None else Accuracies(grid=train_grid),
        timing or Timing(seconds_per_step=0.1, train_seconds=12.345),
        versions=VERSIONS,
    )


def write(folder: pathlib.Path, found: Results | str | None) -> None:
    """Makes the folder of a run with these results: a text as it is, none if there are none."""
    folder.mkdir(parents=True)
    (folder / "run.flags").write_text("--seed=0\n")
    if found is not None:
        text = found if isinstance(found, str) else found.to_json()
        (folder / "results.json").write_text(text)
