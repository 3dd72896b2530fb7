"""One of several parts of the images that are evaluated."""

from __future__ import annotations

import dataclasses
import re

import numpy as np


@dataclasses.dataclass(frozen=True)
class Shard:
    """One of several parts of the images.

    Attributes:
      number: which one, from 1 on.
      count: how many there are.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def places(self, images: int) -> np.ndarray:
        """Returns which of so many images it takes, int [n].

        They lie apart, as images often lie in the order of their classes, which take unlike times.

        Raises:
          ValueError: there are fewer images than parts.
        """
        if self.count > images:
            raise ValueError(
                f"--shard={self}: there can be {images} parts at most, as many as images."
            )
        return np.arange(images)[self.rows]

    @property
    def rows(self) -> slice:
        """Which of all images it takes, as a slice: of the whole nothing is copied."""
        return slice(self.number - 1, None, self.count)

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Returns the part that a text such as "2/8" names.

        Raises:
          ValueError: it names none.
        """
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        shard = cls(int(found[1]), int(found[2])) if found else None
        if shard is None or not 1 <= shard.number <= shard.count:
            raise ValueError(
                "--shard must be NUMBER/COUNT, with a number from 1 to COUNT, such as 2/8, the "
                f"second of eight parts, got '{text}'."
            )
        return shard


WHOLE = Shard(1, 1)
