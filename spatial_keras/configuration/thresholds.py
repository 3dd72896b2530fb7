"""What accuracies must be at least, as a flag says it."""

from __future__ import annotations

from collections.abc import Sequence

from spatial_keras.support import validation


def parse(texts: Sequence[str], measures: Sequence[str]) -> dict[str, float]:
    """Returns what is asked of measures, of texts such as "grid:0.8" or "grid:80%".

    Args:
      texts: one for each.
      measures: the names allowed.

    Raises:
      ValueError: one is no such text.
    """
    found = {}
    for text in texts:
        name, _, number = text.partition(":")
        validation.check_name("measure", name, measures)
        try:
            least = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
        except ValueError:
            raise ValueError(f"must be MEASURE:NUMBER such as grid:0.8, got '{text}'.") from None
        found[name] = validation.check_range(f"accuracy of '{name}'", least, 0, 1)
    return found
