"""What tells whether an outcome, or what a killed evaluation left, is of the same evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras.classifiers import loading
from spatial_keras.evaluation.outcome import Outcome


class Identity:
    """Hashes of all that the margin of an image under a transformation depends on.

    Args:
      classifier: whose weights are hashed anew each time, as they may change.
      settings: of warp and classifier, as text.
      arrays: images, labels and what else there is.
    """

    def __init__(self, classifier: Any, settings: str, arrays: Sequence[np.ndarray]) -> None:
        self._classifier = classifier
        self._data = _hash(settings.encode() + b"".join(_hash(a).encode() for a in arrays))

    def source(self) -> str:
        """Returns the hash of the evaluation as it is now."""
        return _hash((self._data + loading.fingerprint(self._classifier)).encode())

    def at(self, points: np.ndarray) -> str:
        """Returns the hash of the evaluation at these transformations, [points, 3]."""
        return self.source() + _hash(points)

    def check(self, name: str, outcome: Outcome) -> None:
        """Raises ValueError if an outcome, of this name, is of another evaluation."""
        if outcome.source != self.source():
            raise ValueError(
                f"'{name}' must be an outcome of this evaluator: the one given is of another "
                "classifier (or of other weights), or of other images."
            )


def _hash(data: bytes | np.ndarray) -> str:
    data = data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes()
    return hashlib.sha256(data).hexdigest()
