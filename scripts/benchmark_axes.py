"""What further axes of S cost; `benchmark.py axes` shows it."""

import benchmark_timing as timing
import numpy as np

from spatial_keras import TransformationSet, data, zoo
from spatial_keras.evaluation import Evaluator

_PAPERS = TransformationSet()
_ALL = TransformationSet(3, 3, 30, 1.2, 10, 10, 15, 15)
# Small enough that images survive, each of which needs all points.
_SMALL = TransformationSet(max_zoom=1.05, max_pitch=2, max_yaw=2)
_COUNTS, _IMAGES = (3, 3, 7, 3, 3, 3), 60


def measure_axes(rounds: int) -> list[tuple[str, str, str]]:
    """A step along all continuous axes against the default's, and what pruning a grid saves."""
    sets = {"all": _ALL, "papers": _PAPERS}
    steps = {
        name: timing.training_step(timing.build(transformations=box)) for name, box in sets.items()
    }
    seconds = timing.interleaved(steps, rounds)
    rows = [
        (
            "step along all continuous axes / of the default S",
            timing.ratio(seconds["all"], seconds["papers"]),
            "at most 1.10",
        ),
        ("  seconds", ", ".join(f"{k} {np.median(v):.3f}" for k, v in seconds.items()), ""),
    ]
    for name in ("digits_resnet8_std", "digits_resnet8_wo10_kl"):
        three, six = (saved(name, box) for box in (_PAPERS, _SMALL))
        rows.append(
            (f"passes a pruned grid saves, 6 axes, {name}", f"{six:.1%}", f"at least {three:.1%}")
        )
    return rows


def saved(name: str, box: TransformationSet) -> float:
    """Returns which share of the passes of a grid a classifier of the zoo is spared."""
    digits = data.get("digits")
    images, labels = digits.test_images[:_IMAGES], digits.test_labels[:_IMAGES]
    evaluator = Evaluator(zoo.load(name), images, labels, transformations=box)
    grid = evaluator.grid(_COUNTS[: len(box.axes)])
    return 1 - grid.passes / grid.exhaustive
