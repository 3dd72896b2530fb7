"""ONNX files of one layer, written without the package onnx: protocol buffers by hand."""

import numpy as np

FLOAT, UINT8, INT64 = 1, 2, 7


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    value = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(value)) + value


def _tensor(name: str, kind: int, values: np.ndarray) -> bytes:
    dims = b"".join(_field(1, size) for size in values.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, values.tobytes())


def _value(name: str, kind: int, shape: tuple[int | str, ...]) -> bytes:
    dims = (_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape)
    tensor = _field(1, kind) + _field(2, b"".join(dims))
    return _field(1, name) + _field(2, _field(1, tensor))


def _node(operation: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    names = b"".join(_field(1, name) for name in inputs)
    return names + _field(2, output) + _field(4, operation) + attributes


def dense(kernel: np.ndarray, bias: np.ndarray, shape: tuple, kind: int = FLOAT) -> bytes:
    """Returns a model that flattens its input, [batch, ...], and applies a dense layer.

    Args:
      kernel: [pixels, classes].
      bias: [classes].
      shape: of the input; a text is a size that may vary.
      kind: of its elements, FLOAT or UINT8.
    """
    to_float = _field(5, _field(1, "to") + _field(3, FLOAT) + _field(20, 2))
    nodes = [
        _node("Cast", ["images"], "numbers", to_float),
        _node("Reshape", ["numbers", "flat"], "pixels"),
        _node("MatMul", ["pixels", "kernel"], "products"),
        _node("Add", ["products", "bias"], "logits"),
    ]
    tensors = [
        _tensor("flat", INT64, np.array([-1, len(kernel)], np.int64)),
        _tensor("kernel", FLOAT, kernel.astype(np.float32)),
        _tensor("bias", FLOAT, bias.astype(np.float32)),
    ]
    graph = b"".join(
        [
            *(_field(1, node) for node in nodes), _field(2, "dense"),
            *(_field(5, tensor) for tensor in tensors),
            _field(11, _value("images", kind, shape)),
            _field(12, _value("logits", FLOAT, (shape[0], len(bias)))),
        ]
    )  # fmt: skip
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))
