"""The decoder's cheaper order of computing is the plain one, checked in double precision; so are its gradients."""

import pytest
import torch
from sadtalker_pack.benchmarks import plain_renderer
from sadtalker_pack.sadtalker_core.packs.official.spade import (
    FEATURES,
    SpadeBlock,
    UpSpadeBlock,
    convolve_enlarged,
    normalise,
)
from torch import nn
from torch.nn import functional as F

DOUBLE = {"dtype": torch.float64}
LAYOUTS = [torch.contiguous_format, torch.channels_last]


def close(ours, expected):
    return ours.shape == expected.shape and torch.allclose(ours, expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("size", [(5, 7), (1, 1), (1, 4)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_convolution_of_an_enlarged_map(factor, size, layout):
    conv = nn.Conv2d(3, 4, 3, padding=1, **DOUBLE)
    x = torch.randn(2, 3, *size, **DOUBLE).contiguous(memory_format=layout)
    assert close(convolve_enlarged(x, conv, factor), conv(F.interpolate(x, scale_factor=factor)))


def test_channels_stay_last_for_a_single_frame():
    """Or each convolution that follows would copy the map."""
    x = torch.randn(1, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    enlarged = convolve_enlarged(x, nn.Conv2d(3, 8, 3, padding=1), 2)
    assert enlarged.stride() == torch.empty(1, 8, 8, 8).contiguous(memory_format=torch.channels_last).stride()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_normalise(layout):
    x = (5 + 3 * torch.randn(2, 3, 8, 6, **DOUBLE)).contiguous(memory_format=layout)
    assert close(normalise(x), F.instance_norm(x))


def middle(features_size):
    return SpadeBlock(6, 6).double(), torch.randn(2, 6, *features_size, **DOUBLE), lambda x: x


def first_up(features_size):
    return UpSpadeBlock(6, 4).double(), torch.randn(2, 6, *features_size, **DOUBLE), enlarge


def second_up(features_size):
    height, width = features_size
    return UpSpadeBlock(6, 4).double(), torch.randn(2, 6, 2 * height, 2 * width, **DOUBLE), enlarge


def enlarge(x):
    return F.interpolate(x, scale_factor=2)


@pytest.mark.parametrize("case", [middle, first_up, second_up])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_blocks(case, layout):
    block, x, resize = case((5, 4))
    x, features = (each.contiguous(memory_format=layout) for each in (x, torch.randn(2, FEATURES, 5, 4, **DOUBLE)))
    assert close(block(x, features), plain_renderer.spade_block(block, resize(x), features))


@pytest.mark.parametrize("case", [middle, first_up, second_up])
def test_gradients(case):
    block, x, resize = case((3, 3))
    x, features = x.requires_grad_(), torch.randn(2, FEATURES, 3, 3, **DOUBLE, requires_grad=True)
    weights = (x, features, *block.parameters())
    ours = torch.autograd.grad(block(x, features).square().sum(), weights)
    plain = torch.autograd.grad(plain_renderer.spade_block(block, resize(x), features).square().sum(), weights)
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)
