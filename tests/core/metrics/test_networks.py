"""Each network against figures of the software that its file belongs to, with the same weights and inputs."""

import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.metrics.networks.arcface import ArcFace
from sadtalker_pack.sadtalker_core.metrics.networks.inception import FeatureInception
from sadtalker_pack.sadtalker_core.metrics.networks.perceptual import PerceptualDistance, PerceptualHeads
from sadtalker_pack.sadtalker_core.metrics.networks.syncnet import SyncNet
from sadtalker_pack.sadtalker_core.metrics.weight_files import ALEXNET, ARCFACE, INCEPTION, PERCEPTUAL_HEADS, SYNCNET
from sadtalker_pack.tests.support.evaluation_files import filled
from torch.nn import functional as F
from torchvision.models import AlexNet, Inception3
from torchvision.models import inception as torchvision_inception


def noise(*shape, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).random_sample(shape).astype("float32"))


def same(found, known):
    return torch.allclose(found, found.new_tensor(known), rtol=1e-3, atol=1e-3 * float(found.abs().max()))


@pytest.fixture(scope="module")
def syncnet():
    return filled(SyncNet, SYNCNET.name)


@pytest.fixture(scope="module")
def inception():
    return filled(FeatureInception, INCEPTION.name)


def test_syncnet_against_syncnet_python(syncnet):
    """Known: network of package syncnet-python 0.2.3, one window at a time."""
    lips = syncnet.lips(255 * noise(7, 3, 224, 224))
    assert lips.shape == (3, 1024)
    assert same(lips[0, :4], [-339.245758, 434.638702, 133.804932, -830.089539])
    assert same(lips[2, :4], [-409.136322, 430.058624, -17.053326, -771.322693])
    speech = syncnet.speech(20 * noise(3, 13, 20, seed=1) - 10)
    assert speech.shape == (3, 1024)
    assert same(speech[0, :4], [-10.755655, -7.622334, 0.985334, -62.308895])


def test_a_film_gives_what_its_windows_give(syncnet):
    frames = 255 * noise(8, 3, 224, 224, seed=5)
    windows = torch.cat([syncnet.lips(frames[start : start + 5]) for start in range(4)])
    assert torch.allclose(syncnet.lips(frames), windows, rtol=1e-4, atol=1e-4 * float(windows.abs().max()))


def test_inception_against_pytorch_fid(inception):
    """Known: third block of ``InceptionV3`` of package pytorch-fid 0.3.0."""
    features = inception.features(noise(2, 3, 256, 256))
    assert features.shape == (2, 2048)
    assert same(features[0, :4], [0.000000, 0.030843, 0.958124, 0.064065])
    assert same(features[1, -4:], [0.000000, 0.000000, 7.708008, 3.183865])


def test_inception_is_torchvisions_but_for_its_pools(inception, monkeypatch):
    pictures = noise(1, 3, 299, 299)
    features = inception.features(pictures)
    plain = filled(lambda: Inception3(num_classes=1008, aux_logits=False, init_weights=False), INCEPTION.name)
    plain.fc = torch.nn.Identity()
    unchanged = plain(2 * pictures - 1)
    average, pools = F.avg_pool2d, []

    def pool(x, **sizes):
        pools.append(x.shape[1])
        last = len(pools) == 9
        return F.max_pool2d(x, **sizes) if last else average(x, **sizes, count_include_pad=False)

    monkeypatch.setattr(torchvision_inception.F, "avg_pool2d", pool)
    assert torch.allclose(features, plain(2 * pictures - 1), rtol=1e-4, atol=1e-4)
    assert pools == [192, 256, 288, 768, 768, 768, 768, 1280, 2048]
    assert float((features - unchanged).abs().mean()) > 0.05 * float(features.mean())


def test_arcface_against_facexlib():
    """Known: ``Backbone`` of package facexlib 0.3.0, whose weights' file this is.

    In double precision: the rule's weights make 24 blocks amplify single precision's rounding to a tenth of the result.
    """
    arcface = filled(ArcFace, ARCFACE.name).double()
    faces = noise(2, 3, 112, 112).double()
    one, other = embeddings = arcface(faces)
    assert embeddings.shape == (2, 512)
    assert same(one[:4], [-0.010378, -0.007406, -0.014727, 0.025622])
    assert float(one @ other) == pytest.approx(0.345697, abs=1e-5)
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(2).double())
    assert torch.allclose(arcface(faces[1:])[0], other, atol=1e-6)


def test_lpips_against_lpips():
    """Known: ``LPIPS`` of package lpips 0.1.4."""
    heads = filled(PerceptualHeads, PERCEPTUAL_HEADS.name)
    distance = PerceptualDistance(filled(AlexNet, ALEXNET.name), heads)
    pictures, ground_truths = noise(2, 3, 256, 256), noise(2, 3, 256, 256, seed=1)
    assert same(distance(pictures, ground_truths), [0.215960, 0.215213])
    assert distance(pictures, pictures).tolist() == [0, 0]
    nearer = distance(pictures, pictures + 0.1 * (ground_truths - pictures))
    assert bool((nearer < distance(pictures, ground_truths)).all())


def test_inputs_of_other_sizes_are_named(syncnet):
    with pytest.raises(ShapeError, match=r"SyncNet's frames: expected shape \(T, 3, 224, 224\)"):
        syncnet.lips(torch.zeros(5, 3, 256, 256))
    with pytest.raises(ShapeError, match="SyncNet's windows of sound"):
        syncnet.speech(torch.zeros(1, 13, 16))
    with pytest.raises(ShapeError, match="ArcFace's faces"):
        ArcFace()(torch.zeros(1, 3, 256, 256))
    with pytest.raises(ShapeError, match="LPIPS's ground truths"):
        PerceptualDistance(AlexNet(), PerceptualHeads())(torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 32, 32))
