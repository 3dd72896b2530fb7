"""Makes a folder of photos, a folder for each class: python tests/photos.py FOLDER [COUNT]."""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = 64
# What is on the signs, as points in [0, 1].
SIGNS = {
    "left": [
        (0.2, 0.5),
        (0.5, 0.25),
        (0.5, 0.42),
        (0.8, 0.42),
        (0.8, 0.58),
        (0.5, 0.58),
        (0.5, 0.75),
    ],
    "up": [
        (0.5, 0.2),
        (0.75, 0.5),
        (0.58, 0.5),
        (0.58, 0.8),
        (0.42, 0.8),
        (0.42, 0.5),
        (0.25, 0.5),
    ],
    "roof": [(0.5, 0.25), (0.8, 0.7), (0.2, 0.7)],
}


def photo(points: list[tuple[float, float]], seed: int) -> Image.Image:
    """Returns a photo of a sign: its place, size, colours and noise are random."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(rng.uniform(40, 120), 15, [SIZE, SIZE, 3])
    image = Image.fromarray(noise.clip(0, 255).astype(np.uint8))
    scale, start = rng.uniform(0.7, 0.9), rng.uniform(0.05, 0.15, 2)
    place = [tuple(SIZE * (start + scale * np.array(point))) for point in points]
    ImageDraw.Draw(image).polygon(place, fill=tuple(rng.integers(170, 256, 3).tolist()))
    return image.filter(ImageFilter.GaussianBlur(0.7))


def make(folder: pathlib.Path, count: int = 60) -> None:
    """Writes so many photos of each class."""
    for number, (name, points) in enumerate(SIGNS.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for seed in range(count):
            file = folder / name / f"IMG_{1000 * number + seed:04}.jpg"
            photo(points, 1000 * number + seed).save(file, quality=92)


if __name__ == "__main__":
    make(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:]))
