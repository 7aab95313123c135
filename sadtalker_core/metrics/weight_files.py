"""The published weights that metrics need: what the files are called, where they come from, and whether it is they.

They lie in one folder, ``models/sadtalker/evaluation``, and are never fetched nor replaced by others: figures are only
comparable if every one of them is made by the same networks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ..errors import WeightsError
from ..files.read import load_strictly, read_weights
from .requirements import NotMeasuredError
from .video_metrics import MetricResources

Network = TypeVar("Network", bound=nn.Module)
_PART = 1 << 20
"""Bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A weight file as its authors published it."""

    name: str
    origin: str
    """where it is to be had"""
    sha256: str


SYNCNET = PublishedFile(
    "syncnet_v2.model",
    "www.robots.ox.ac.uk/~vgg/software/lipsync/data/syncnet_v2.model",
    "961e8696f888fce4f3f3a6c3d5b3267cf5b343100b238e79b2659bff2c605442",
)
INCEPTION = PublishedFile(
    "pt_inception-2015-12-05-6726825d.pth",
    "github.com/mseitzer/pytorch-fid/releases/tag/fid_weights",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
ARCFACE = PublishedFile(
    "recognition_arcface_ir_se50.pth",
    "github.com/xinntao/facexlib/releases/tag/v0.1.0",
    "a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
)
ALEXNET = PublishedFile(
    "alexnet-owt-7be5be79.pth",
    "download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
)
PERCEPTUAL_HEADS = PublishedFile(
    "alex.pth",
    "lpips/weights/v0.1 of github.com/richzhang/PerceptualSimilarity",
    "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
)
PUBLISHED_FILES = (SYNCNET, INCEPTION, ARCFACE, ALEXNET, PERCEPTUAL_HEADS)


class WrongFileError(NotMeasuredError):
    """A file has the name of published weights but not their content."""


def load_network(file: PublishedFile, make: Callable[[], Network], resources: MetricResources) -> Network:
    """A network with its published weights, in inference mode, on the device of ``resources``.

    Raises:
        NotMeasuredError: the file is not in the folder; says where it comes from.
        WrongFileError: it is damaged, or another file of that name.
    """
    path = resources.weights / file.name
    if not path.is_file():
        raise NotMeasuredError(f"{file.name} in {resources.weights} (from {file.origin})")
    found = _sha256(path)
    if found != file.sha256:
        raise WrongFileError(
            f"{file.name} as it was published, with the SHA-256 {file.sha256}; the file in {resources.weights} has "
            f"{found}: fetch it again (from {file.origin})"
        )
    with torch.device("meta"):
        network = make()
    try:
        load_strictly(network, read_weights(path))
    except WeightsError as error:
        raise WrongFileError(f"{file.name} as it was published: {error}") from error
    return network.eval().requires_grad_(False).to(resources.device)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()
