"""The verdict: what an evaluation found, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping

from spatial_keras.evaluation import intervals
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.support import tables

# Measure -> what is said of S under it; the first that there is counts, the strictest.
_UNDER = {
    "attack": "under all {}",
    "grid": "under all {}",
    "gradient": "under the worst found of {}",
    "worst_of_k": "under the worst found of {}",
    "random": "under random {}",
}
# Of fewer images the intervals stand beside the accuracies.
_FEW = 1000


def sentence(
    accuracies: Mapping[str, float],
    images: int,
    transformations: TransformationSet,
    height: int,
    width: int,
    half: float | None = None,
) -> str:
    """Returns what was found, for people, in one sentence.

    Such as "98% right as they are; 7% under all rotations up to 30 degrees and shifts up to 3 of
    224 pixels; half of what breaks does so within 8 degrees and 0.8 pixels." Of fewer than 1,000
    images every accuracy has its 95% interval, Wilson's.

    Args:
      accuracies: by the name of the measure, in [0, 1], e.g. "natural" and "grid".
      images: how many they are of.
      transformations: the set S.
      height: of the images, in pixels.
      width: of the images, in pixels.
      half: how far from the identity half of the images that S breaks are broken, as a share of the
        bounds; None if that is not known.
    """

    def share(name: str) -> str:
        text = tables.percent(accuracies[name])
        if images >= _FEW:
            return text
        ends = intervals.wilson(round(accuracies[name] * images), images)
        low, high = (tables.rounded(100 * end, 0) for end in ends)
        return f"{text} ({low} to {high})"

    parts = []
    if "natural" in accuracies:
        parts.append(f"{share('natural')} right as they are")
    for name in [name for name in _UNDER if name in accuracies][:1]:
        right = "" if parts else " right"
        under = _UNDER[name].format(transformations.words(height, width))
        parts.append(f"{share(name)}{right} {under}")
    if half is not None:
        parts.append(f"half of what breaks does so within {transformations.amounts(half)}")
    of_few = f" In brackets 95% intervals, of {images} images." if images < _FEW else ""
    return f"{'; '.join(parts)}.{of_few}"
