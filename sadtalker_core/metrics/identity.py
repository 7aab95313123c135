"""Is it still the same person? Cosine of dlib's face embedding (PyPI ``dlib-bin``, ``face_recognition_models``).

Its weights are in the public domain; they and the packages serve development only and are not shipped.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .requirements import NotMeasuredError, required_module

EMBEDDING_FILE = "dlib_face_recognition_resnet_model_v1.dat"
LANDMARK_FILE = "shape_predictor_5_face_landmarks.dat"
_PACKAGES = "dlib-bin face_recognition_models"


class FaceEmbedder:
    """dlib's detector, five-point alignment and residual network.

    Raises:
        NotMeasuredError: the packages are not installed.
    """

    def __init__(self) -> None:
        self._dlib: Any = required_module("dlib", _PACKAGES)
        folder = _model_folder()
        self._detector = self._dlib.get_frontal_face_detector()
        self._landmarks = self._dlib.shape_predictor(str(folder / LANDMARK_FILE))
        self._network = self._dlib.face_recognition_model_v1(str(folder / EMBEDDING_FILE))

    def embed(self, picture: Tensor) -> Tensor | None:
        """Embedding (128,) of the largest face of a picture (3, H, W) in [0, 1]; None if it finds none."""
        pixels = np.ascontiguousarray((picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())
        boxes = self._detector(pixels, 0)
        if not boxes:
            return None
        shape = self._landmarks(pixels, max(boxes, key=lambda box: box.area()))
        return torch.tensor(list(self._network.compute_face_descriptor(pixels, shape)))


def identity_similarities(source: Tensor, others: Iterable[Tensor]) -> Tensor:
    """Cosine (N,) of an embedding (D,) with each of others."""
    rows = list(others)
    if not rows:
        return source.new_zeros(0)
    return torch.cosine_similarity(torch.stack(rows), source[None], dim=1)


def _model_folder() -> Path:
    # The package itself imports a part of setuptools that newer ones lack; only its files are wanted.
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or not spec.submodule_search_locations:
        raise NotMeasuredError(f"{_PACKAGES} (pip install {_PACKAGES})")
    return Path(spec.submodule_search_locations[0]) / "models"
