"""Inception v3 as FID knows it, TensorFlow's of 2015; layout of ``pt_inception-2015-12-05-6726825d.pth``.

It differs from torchvision's, on which it is built: borders do not count in average pools, the last block takes the
largest neighbours instead of the mean, and the classifier, of which nothing is used, has 1008 outputs.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F
from torchvision.models.inception import Inception3, InceptionA, InceptionC, InceptionE

from ...checks import check_shape

PICTURE_SIZE = 299
FEATURES = 2048
_CLASSES = 1008


class FeatureInception(Inception3):
    """Pictures -> features of the last pool."""

    def __init__(self) -> None:
        super().__init__(num_classes=_CLASSES, aux_logits=False, init_weights=False)
        self.Mixed_5b = _BlockA(192, pool_features=32)
        self.Mixed_5c = _BlockA(256, pool_features=64)
        self.Mixed_5d = _BlockA(288, pool_features=64)
        self.Mixed_6b = _BlockC(768, channels_7x7=128)
        self.Mixed_6c = _BlockC(768, channels_7x7=160)
        self.Mixed_6d = _BlockC(768, channels_7x7=160)
        self.Mixed_6e = _BlockC(768, channels_7x7=192)
        self.Mixed_7b = _BlockE(1280)
        self.Mixed_7c = _LastBlock(2048)

    def features(self, pictures: Tensor) -> Tensor:
        """Features (B, 2048) of pictures (B, 3, H, W), RGB in [0, 1], which are resized to 299 pixels."""
        check_shape("Inception's pictures", pictures, "B 3 H W")
        size = (PICTURE_SIZE, PICTURE_SIZE)
        # Without antialiasing and in half pixels, as in the software that published figures come from.
        x = 2 * F.interpolate(pictures, size, mode="bilinear", align_corners=False) - 1
        for name, layer in self.named_children():
            if name not in ("dropout", "fc"):
                x = layer(x)
        return x.flatten(1)


class _BlockA(InceptionA):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_inner_average(x))]


class _BlockC(InceptionC):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_inner_average(x))]


class _BlockE(InceptionE):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(_inner_average(x))]


class _LastBlock(InceptionE):
    def _forward(self, x: Tensor) -> list[Tensor]:
        return [*super()._forward(x)[:-1], self.branch_pool(F.max_pool2d(x, 3, 1, 1))]


def _inner_average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
