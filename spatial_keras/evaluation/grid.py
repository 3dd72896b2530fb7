"""Grid accuracy without the passes that cannot change it, and the full map on disk."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Sequence

import numpy as np

from spatial_keras.evaluation.judge import Judge
from spatial_keras.evaluation.point_order import PointOrder
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.support import files
from spatial_keras.training import grid_search

# Called with (passes done, passes open at most, surviving images).
OnProgress = Callable[[int, int, int], None]

KEPT = 5
_MAP = ("margins", "losses", "grid")
# Images are taken in blocks, so that memory does not grow with the grid.
_NUMBERS_IN_MEMORY = 8_000_000
_SECONDS_BETWEEN_SAVES = 30


@dataclasses.dataclass(eq=False)
class WorstPoints:
    """The most damaging points of each image, as far as images have been judged.

    Attributes:
      margins: the smallest margins, ascending, float32 [n, kept].
      points: where they are, int [n, kept].
      passes: passes so far.
      done: how many images, from the first on, are finished.
      block: margins of the block of images at work, float32 [images, points], NaN where not judged.
      identity: of what is evaluated.
    """

    margins: np.ndarray
    points: np.ndarray
    passes: int
    done: int
    block: np.ndarray
    identity: str

    def save(self, path: pathlib.Path) -> None:
        """Writes all to a file, whole or not at all."""
        files.write_arrays(path, **{k: np.asarray(v) for k, v in vars(self).items()})

    @classmethod
    def restore(cls, path: pathlib.Path) -> WorstPoints | None:
        """Returns what `save` wrote; None if it is damaged, so that one starts anew."""
        try:
            with np.load(path) as arrays:
                state = {name: arrays[name] for name in arrays.files}
            scalars = {name: state[name].item() for name in ("passes", "done", "identity")}
            return cls(**{**state, **scalars})
        except Exception:  # a damaged file raises all kinds
            return None


def points_of(
    transformations: TransformationSet, counts: Sequence[int] | None = None
) -> tuple[tuple[int, ...], np.ndarray]:
    """Returns the numbers of a grid's points along the axes of S, and the points, [points, axes].

    Args:
      transformations: the set S.
      counts: these numbers; the axes' own by default.

    Raises:
      TypeError, ValueError: see `grid_search.counts_of`.
    """
    counts = grid_search.counts_of(transformations, counts)
    return counts, transformations.grid(counts)


def worst_points(
    judge: Judge,
    number: int,
    grid: np.ndarray,
    natural_margins: np.ndarray | None = None,
    partial: pathlib.Path | None = None,
    on_progress: OnProgress | None = None,
    identity: str = "",
    untouched: np.ndarray | float = 0.0,
) -> WorstPoints:
    """Judges every image at the points of a grid until one breaks it.

    Batches hold pairs of a point and an image that survived so far; `PointOrder` says which.
    The images broken are those of the exhaustive evaluation.

    Args:
      judge: judges pairs.
      number: how many images.
      grid: transformations, float32 [points, axes].
      natural_margins: margins of the untouched images, float32 [n], if known.
      partial: a file that keeps the state of a killed evaluation; if it exists, this continues
        from there.
      on_progress: called after each pass.
      identity: tells whether the state in `partial` is of the same evaluation.
      untouched: the transformation that leaves images as they are, [axes].

    Raises:
      ValueError: it is not.
    """
    size = max(judge.batch_size, _NUMBERS_IN_MEMORY // len(grid))
    offsets = grid - untouched
    (middle,) = np.nonzero((offsets == 0).all(axis=1))

    def new_block(start: int) -> np.ndarray:
        block = np.full([min(size, number - start), len(grid)], np.nan, np.float32)
        if natural_margins is not None and len(middle):
            block[:, middle[0]] = natural_margins[start : start + len(block)]
        return block

    state = None
    if partial is not None and partial.exists():
        state = WorstPoints.restore(partial)
        if state is not None:
            _check_identity(partial, state.identity, identity)
    if state is None:
        shape = [number, min(KEPT, len(grid))]
        nothing = np.zeros(shape, np.float32), np.zeros(shape, int)
        state = WorstPoints(*nothing, 0, 0, new_block(0), identity)
    while state.done < number:
        _judge_block(judge, grid, PointOrder(offsets, state.block), state, partial, on_progress)
        stop = state.done + len(state.block)
        state.margins[state.done : stop], state.points[state.done : stop] = _smallest(state.block)
        state.done, state.block = stop, new_block(stop)
    return state


def _judge_block(
    judge: Judge,
    grid: np.ndarray,
    order: PointOrder,
    state: WorstPoints,
    partial: pathlib.Path | None,
    on_progress: OnProgress | None,
) -> None:
    later = (len(state.margins) - state.done - len(state.block)) * len(grid)
    before = int((state.margins[: state.done, 0] >= 0).sum())
    saved = time.monotonic()
    images, points = order.next(judge.batch_size)
    while len(images):
        margins = judge(images + state.done, grid[points]).margins
        order.record(images, points, margins)
        state.passes += len(images)
        if on_progress:
            standing = before + int(order.standing.sum()) + later // len(grid)
            on_progress(state.passes, order.open + later, standing)
        if partial is not None and time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
            state.save(partial)
            saved = time.monotonic()
        images, points = order.next(judge.batch_size)


def _smallest(block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest margins of each row, ascending, and where they are.

    A row that was broken soon has fewer margins than are kept; its smallest then fills the rest.
    """
    values = np.where(np.isnan(block), np.inf, block)
    points = np.argsort(values, axis=1, kind="stable")[:, :KEPT]
    margins = np.take_along_axis(values, points, axis=1)
    missing = np.isinf(margins)
    return np.where(missing, margins[:, :1], margins), np.where(missing, points[:, :1], points)


def write_map(
    judge: Judge,
    number: int,
    grid: np.ndarray,
    folder: pathlib.Path,
    on_progress: OnProgress | None = None,
    identity: str = "",
) -> WorstPoints:
    """Writes margin and loss of every image at every point into a folder, chunk by chunk.

    The folder gets its name when it is complete; a killed call continues where it was.

    Args:
      judge: judges pairs.
      number: how many images.
      grid: transformations, float32 [points, axes].
      folder: gets `margins.npy` and `losses.npy`, float32 [n, points], and `grid.npy`.
      on_progress: called after each pass.
      identity: tells whether what a killed call left is of the same evaluation.

    Returns:
      The worst points of the whole grid for every image.

    Raises:
      ValueError: it is not.
    """
    partial = folder.with_name(f".partial-{folder.name}")
    partial.mkdir(parents=True, exist_ok=True)
    shape = (number, len(grid))
    rows_done = partial / "rows.txt"
    start = _rows_done(rows_done, number)
    begun = start is not None
    if begun:
        _check_identity(partial, (partial / "identity.txt").read_text(), identity)
    files.write_text(partial / "identity.txt", identity)
    arrays = [_map_array(partial / f"{name}.npy", shape, begun) for name in ("margins", "losses")]
    np.save(partial / "grid.npy", grid)
    start = start or 0
    passes = start * len(grid)

    def on_pass(pairs: int) -> None:
        nonlocal passes
        passes += pairs
        if on_progress:
            on_progress(passes, number * len(grid) - passes, number)

    rows = -(-16 * judge.batch_size // len(grid))
    for first in range(start, number, rows):
        images = np.arange(first, min(first + rows, number))
        pairs = np.repeat(images, len(grid)), np.tile(grid, [len(images), 1])
        verdicts = judge(*pairs, on_pass)
        for array, values in zip(arrays, (verdicts.margins, verdicts.losses)):
            array[images] = values.reshape(len(images), len(grid))
            array.flush()
        files.write_text(rows_done, str(images[-1] + 1))
    os.replace(partial, folder)
    for name in ("rows.txt", "identity.txt"):
        (folder / name).unlink()
    blocks = [_smallest(arrays[0][first : first + rows]) for first in range(0, number, rows)]
    margins, worst = (np.concatenate(part) for part in zip(*blocks))
    no_block = np.empty([0, len(grid)], np.float32)
    return WorstPoints(margins, worst, passes, number, no_block, identity)


def read_map(folder: pathlib.Path, number: int) -> dict[str, np.ndarray] | None:
    """Returns what `write_map` wrote, by name; None if it is not there, or is damaged.

    Args:
      folder: that it wrote.
      number: how many images it is of.
    """
    try:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _MAP}
    except (OSError, ValueError, EOFError):
        return None
    shape = (number, len(arrays["grid"]))
    return arrays if arrays["margins"].shape == arrays["losses"].shape == shape else None


def join_maps(
    maps: Sequence[dict[str, np.ndarray]], places: Sequence[np.ndarray], folder: pathlib.Path
) -> None:
    """Writes the map of all images, of those of parts of them.

    Args:
      maps: what `read_map` gives for each part.
      places: of each part, which of all images it is of, int [n].
      folder: gets what `write_map` writes.
    """
    folder.mkdir()
    np.save(folder / "grid.npy", maps[0]["grid"])
    shape = (sum(map(len, places)), len(maps[0]["grid"]))
    for name in ("margins", "losses"):
        whole = _map_array(folder / f"{name}.npy", shape, False)
        for part, rows in zip(maps, places):
            whole[rows] = part[name]
        whole.flush()


def _rows_done(file: pathlib.Path, number: int) -> int | None:
    """Returns how many rows a killed call has written; None if that is not known."""
    try:
        rows = int(file.read_text())
    except (OSError, ValueError):
        return None
    return rows if 0 <= rows <= number else None


def _map_array(file: pathlib.Path, shape: tuple[int, int], begun: bool) -> np.memmap:
    if begun:
        return np.lib.format.open_memmap(file, "r+", dtype=np.float32, shape=shape)
    array = np.lib.format.open_memmap(file, "w+", dtype=np.float32, shape=shape)
    # Now, as a full disk would end the process without a word later.
    with files.failures_named(file):
        files.reserve(file)
    return array


def _check_identity(place: pathlib.Path, found: str, identity: str) -> None:
    if found != identity:
        raise ValueError(
            f"{place} was begun with another classifier, other images or another grid: remove it "
            "to start anew."
        )
