"""Models exported to TensorFlow Lite and ONNX, as functions of arrays: black boxes."""

from __future__ import annotations

import abc
import contextlib
import functools
import hashlib
import importlib
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from spatial_keras.support import files

_MOST_BYTES = 1 << 31


class ExportedModel(abc.ABC):
    """A model in a file for another program than TensorFlow, which runs it.

    It is called with images [batch, height, width, channels], also where it takes [batch, channels,
    height, width], and however many it takes at once. Where it takes or gives integers that stand
    for numbers they are computed from these, and back.

    Args:
      content: of the file.

    Attributes:
      digest: a hash of the content.
    """

    def __init__(self, content: bytes) -> None:
        self.digest = hashlib.sha256(content).hexdigest()

    @property
    @abc.abstractmethod
    def shape(self) -> Sequence[int | None]:
        """The shape of the input; None where it may be any."""

    @abc.abstractmethod
    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the outputs by name, float32, for images of that shape, float32."""

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the outputs by name for images [batch, height, width, channels]."""
        images = np.asarray(images, np.float32)
        turned = np.moveaxis(images, -1, 1)
        if not _fits(self.shape[1:], images.shape[1:]) and _fits(self.shape[1:], turned.shape[1:]):
            images = turned
        size = self.shape[0] or len(images)
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            # The last one may be too short for a model that takes a certain number.
            rows = np.minimum(np.arange(size), len(part) - 1)
            parts.append({name: out[: len(part)] for name, out in self.run(part[rows]).items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _fits(shape: Sequence[int | None], images: Sequence[int]) -> bool:
    return len(shape) == len(images) and all(a in (None, b) for a, b in zip(shape, images))


def _quantized(values: np.ndarray, kind: Any, scale: float, zero: int) -> np.ndarray:
    """Returns numbers as a model takes them: as such, or as the integers that stand for them."""
    if not np.issubdtype(kind, np.integer):
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values / (scale or 1) + zero), limits.min, limits.max).astype(kind)


class TFLiteModel(ExportedModel):
    """A model of TensorFlow Lite.

    Args:
      content: of the file.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._interpreter = _lite("interpreter").Interpreter(model_content=content)
        (self._input,) = _one(self._interpreter.get_input_details())
        shape = self._input.get("shape_signature", self._input["shape"])
        self._shape = [None if size < 0 else int(size) for size in shape]
        self._batch: tuple[int, ...] | None = None

    @property
    def shape(self) -> Sequence[int | None]:
        """See `ExportedModel`."""
        return self._shape

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """See `ExportedModel`."""
        index = self._input["index"]
        if self._batch != images.shape:
            self._interpreter.resize_tensor_input(index, images.shape)
            self._interpreter.allocate_tensors()
            self._batch = images.shape
        scaled = _quantized(images, self._input["dtype"], *self._input["quantization"])
        self._interpreter.set_tensor(index, scaled)
        self._interpreter.invoke()
        found = {}
        for output in self._interpreter.get_output_details():
            values = self._interpreter.get_tensor(output["index"]).astype(np.float32)
            scale, zero = output["quantization"]
            found[output["name"]] = (values - zero) * np.float32(scale) if scale else values
        return found


class ONNXModel(ExportedModel):
    """A model of ONNX.

    Args:
      content: of the file. Weights in files beside it are not read.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors, which are raised, too
        self._session = runtime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        (self._input,) = _one(self._session.get_inputs())
        self._kind = _KINDS[self._input.type]

    @property
    def shape(self) -> Sequence[int | None]:
        """See `ExportedModel`."""
        return [size if isinstance(size, int) else None for size in self._input.shape]

    def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """See `ExportedModel`."""
        given = {self._input.name: _quantized(images, self._kind, 1, 0)}
        names = [output.name for output in self._session.get_outputs()]
        found = self._session.run(names, given)
        return {name: np.asarray(out, np.float32) for name, out in zip(names, found)}


_KINDS = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8, "tensor(int8)": np.int8,
}  # fmt: skip


def _one(inputs: Sequence[Any]) -> Sequence[Any]:
    if len(inputs) != 1:
        raise ValueError(f"it must take images alone, it takes {len(inputs)} inputs")
    return inputs


class ExportedFile:
    """A `.tflite` or `.onnx` file.

    Args:
      path: the file.

    Raises:
      ValueError: the package that runs it is not there.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._is_lite = path.suffix == ".tflite"
        _lite("interpreter") if self._is_lite else _runtime()

    @functools.cached_property
    def _content(self) -> bytes:
        return files.regular(self._path, _MOST_BYTES).read_bytes()

    def dangers(self) -> list[str]:
        """Returns what it does that is not known to be harmless.

        Operations of TensorFlow Lite and of ONNX compute. Beside them a file for TensorFlow Lite
        may name others, among which are TensorFlow's that write files; those of ONNX would have to
        be registered, which they are not.
        """
        if not self._is_lite:
            return []
        model = _lite("schema_py_generated").Model.GetRootAs(self._content, 0)
        codes = (model.OperatorCodes(number) for number in range(model.OperatorCodesLength()))
        names = {code.CustomCode() for code in codes} - {None, b""}
        return [f"the operation {name.decode(errors='replace')}" for name in sorted(names)]

    def load(self, unsafe: bool) -> ExportedModel:
        """Returns the model, as a function."""
        return (TFLiteModel if self._is_lite else ONNXModel)(self._content)


def _lite(module: str) -> Any:
    """Returns a module of TensorFlow Lite, wherever it is."""
    for place in ("ai_edge_litert", "tensorflow.lite.python"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(f"{place}.{module}")
    raise _missing(".tflite files", "ai-edge-litert")


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _missing(".onnx files", "onnxruntime") from error
    return onnxruntime


def _missing(what: str, package: str) -> ValueError:
    return ValueError(f"{what} need the package {package}: pip install {package}.")
