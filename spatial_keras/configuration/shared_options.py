"""The options that training and evaluation share."""

from __future__ import annotations

import pathlib
from typing import Any

from spatial_keras.configuration import choices
from spatial_keras.configuration.options import option

LARGEST_SIZE = 2048
# Flag of what S holds beyond shifts and rotations -> what it is, and its limits.
_FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "max_zoom": ("Largest zoom, a factor, e.g. 1.2", {"low": 1, "most": 16}),
    "max_shear": ("Largest shear along x and along y, in degrees", {"low": 0, "most": 80}),
    "max_pitch": ("Largest tilt of the camera up or down, in degrees", {"low": 0, "most": 85}),
    "max_yaw": ("Largest tilt of the camera to either side, in degrees", {"low": 0, "most": 85}),
    "quarter_turns": ("Turn square images by 90, 180 and 270 degrees, too", {}),
    "flip": ("Mirror images, as one of the transformations in S, which are searched", {}),
    "field_of_view": (
        "Of the camera that tilts, along the longer side, in degrees",
        {"low": 0, "high": 180, "exclusive_low": True, "exclusive_high": True},
    ),
}
FURTHER = tuple(_FURTHER)


def data_dir() -> Any:
    """Returns the field of the folder of the TensorFlow Datasets."""
    return option(
        None,
        "Data",
        "Folder of the TensorFlow Datasets; default: theirs.",
        is_path=True,
        recorded=False,
    )


def check_data_dir(folder: str | None) -> None:
    """Raises ValueError if the folder of the TensorFlow Datasets is given and not there."""
    if folder is not None and not pathlib.Path(folder).is_dir():
        raise ValueError(f"--data_dir: there is no folder '{folder}'.")


def image_size(default: str) -> Any:
    """Returns the field of the images' size; without it they have that of `default`."""
    text = f"Resize all images to this height and width; default: {default}."
    return option(None, "Data", text, low=1, most=LARGEST_SIZE)


def test_fraction() -> Any:
    """Returns the field of the share of the images to test on."""
    return option(
        None,
        "Data",
        "Where there are no test images, in folders or a set with a split train alone: the share "
        "of each class to test on, e.g. 0.2.",
        low=0,
        high=1,
        exclusive_low=True,
        exclusive_high=True,
    )


def skip_damaged() -> Any:
    """Returns the field of whether damaged images are left out."""
    return option(None, "Data", "Of folder:PATH: leave out files that cannot be read.")


def crop(default: str) -> Any:
    """Returns the field of what is cut out of an image; without it that of `default`."""
    return option(
        None,
        "Data",
        "Cut the square in the middle out before resizing; its side as a share of the shorter side,"
        f" e.g. 0.875; default: {default}.",
        low=0,
        high=1,
        exclusive_low=True,
    )


def stream() -> Any:
    """Returns the field of whether images stay on disk."""
    return option(
        "auto",
        "Data",
        "Read images from disk when they are needed, the same ones, instead of holding them in "
        "memory; auto: where they take more than 2 GiB.",
        choices=choices.STREAMS,
        recorded=False,
    )


def fill(group: str, default: str) -> Any:
    """Returns the field of what is around an image, in a group of --help."""
    text = f"What comes in from outside of an image; default: {default}."
    return option(None, group, text, choices=choices.FILLS)


def further(name: str, group: str, default: str = "none") -> Any:
    """Returns the field of what S holds beyond shifts and rotations; see `further_axes`."""
    text, limits = _FURTHER[name]
    default = "60" if name == "field_of_view" and default == "none" else default
    return option(None, group, f"{text}; default: {default}.", **limits)


def further_axes(config: Any) -> dict[str, Any]:
    """Returns the arguments of TransformationSet that these fields of a configuration say."""
    found = {name: getattr(config, name) for name in FURTHER}
    found["max_shear_x"] = found["max_shear_y"] = found.pop("max_shear")
    return {name: value for name, value in found.items() if value is not None}


def xla(what: str) -> Any:
    """Returns the field of whether `what` is compiled with XLA."""
    text = f"Compile {what} with XLA; auto: on GPUs."
    return option("auto", "Execution", text, choices=("auto", "on", "off"))


def distribute() -> Any:
    """Returns the field of what takes part."""
    return option(
        "auto",
        "Execution",
        "mirrored: all GPUs of this machine; multi_worker: those of all machines of TF_CONFIG; "
        "auto: multi_worker with TF_CONFIG, else mirrored with several GPUs, else none.",
        choices=choices.DISTRIBUTIONS,
        recorded=False,
    )


def worker_timeout() -> Any:
    """Returns the field of how long workers wait for each other."""
    text = "Seconds that the workers of TF_CONFIG wait for each other to start; default: 600."
    return option(None, "Execution", text, low=1, recorded=False)
