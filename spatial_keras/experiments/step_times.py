"""How long a training step takes, of which its searches, and how much of it waits for data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass
class StepTimes:
    """What was measured at each log but the first, which has the tracing.

    Attributes:
      steps: seconds of a step.
      searches: seconds of its searches, run apart; 0 before `search_from`, empty if it never
        searches.
      data_shares: the share of a step that waits for data; of this process alone.
    """

    steps: list[float] = dataclasses.field(default_factory=list)
    searches: list[float] = dataclasses.field(default_factory=list)
    data_shares: list[float] = dataclasses.field(default_factory=list)

    @property
    def seconds_per_step(self) -> float | None:
        """The median over the logs; None before the second one, as the first has the tracing.

        Where the search begins late, the steps before and after have a median each, and this is the
        mean of these over all logs.
        """
        times = self._table()
        if not times.size:
            return None
        steps, searching = times[:, 0], times[:, 1] > 0
        phases = [part for part in (steps[~searching], steps[searching]) if part.size]
        return float(np.average([*map(np.median, phases)], weights=[*map(len, phases)]))

    @property
    def seconds_per_search(self) -> float | None:
        """The median of the time of a step's searches, run apart; None as above."""
        return _median([seconds for seconds in self.searches if seconds])

    @property
    def seconds_per_gradient(self) -> float | None:
        """The median of what a step takes beyond its searches; None as above.

        A difference, not measured by itself: the gradient step, the final warp, the wait for data.
        Of steps that search, if any do.
        """
        times = self._table()
        searching = times[times[:, 1] > 0]
        return _median((searching if len(searching) else times) @ [1, -1])

    def _table(self) -> np.ndarray:
        """Returns the seconds of a step and of its searches at each log, [logs, 2]."""
        searches = self.searches or np.zeros(len(self.steps))
        return np.stack([self.steps, searches], axis=1)

    @property
    def data_share(self) -> float | None:
        """The median of the share of a step that waits for data, since training began; as above."""
        return _median(self.data_shares)


def _median(seconds: Sequence[float] | np.ndarray) -> float | None:
    return float(np.median(seconds)) if len(seconds) else None
