"""CPBD, against the software that published figures come from and on edges of known width."""

import numpy as np
import pytest
import torch
from PIL import Image
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.sharpness import Sharpness, cpbd, grey
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip
from scipy.ndimage import gaussian_filter

datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn, which librosa brings, has the pictures")
PUBLISHED = {
    "china.jpg": {0: 0.8215, 0.4: 0.8056, 0.6: 0.6815, 0.8: 0.5391, 1: 0.4032, 1.5: 0.1380, 2: 0.0219, 4: 0.0},
    "flower.jpg": {0: 0.5272, 0.4: 0.4903, 0.6: 0.3542, 0.8: 0.2556, 1: 0.1751, 1.5: 0.0444, 2: 0.0135, 4: 0.0},
}
"""What cpbd-py312 1.0.3, of PyPI, gives scikit-learn's two pictures, by the standard deviation of a Gaussian blur."""


def sample(name):
    path = next(path for path in datasets.load_sample_images().filenames if path.endswith(name))
    return np.asarray(Image.open(path).convert("L")).astype(float)


def blurred(picture, sigma):
    return gaussian_filter(picture, sigma).round() if sigma else picture


def slanted_edge(width, dark=20, bright=220):
    """An edge that rises over ``width`` pixels, turned by 10 degrees."""
    y, x = np.mgrid[:256, :256] - 127.5
    across = np.cos(np.radians(10)) * x + np.sin(np.radians(10)) * y
    return (dark + (bright - dark) * np.clip(across / width + 0.5, 0, 1)).round()


def clip_of(frames):
    return VideoClip("clip", frames, torch.full((len(frames), 478, 3), torch.nan))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_software_gives_the_same(name):
    picture = sample(name)
    found = {sigma: cpbd(blurred(picture, sigma)) for sigma in PUBLISHED[name]}
    assert found == pytest.approx(PUBLISHED[name], abs=2e-3)


def test_blur_lowers_it_at_every_step(demo_picture):
    picture = grey((demo_picture * 255).byte()[None])[0]
    found = [cpbd(blurred(picture, sigma)) for sigma in (0, 0.4, 0.6, 0.8, 1, 1.5, 2)]
    assert all(after < before for before, after in zip(found, found[1:], strict=False))
    assert found[0] > 0.5
    assert found[-1] < 0.05


@pytest.mark.parametrize(("width", "dark", "sharp"), [(1, 20, True), (4, 20, False), (1, 180, True), (4, 180, True),
                                                      (7, 180, False)])  # fmt: skip
def test_how_wide_a_sharp_edge_may_be_depends_on_its_contrast(width, dark, sharp):
    share = cpbd(slanted_edge(width, dark))
    assert share > 0.95 if sharp else share < 0.05


def test_where_there_is_no_edge_nothing_is_sharp():
    assert cpbd(np.full((256, 256), 90.0)) == 0
    step = np.repeat([20.0, 220.0], 128)[:, None].repeat(256, axis=1)
    assert cpbd(step) == 0  # edges that run along the rows are not measured


def test_the_clips_is_the_mean_of_its_frames():
    frames = [torch.from_numpy(slanted_edge(width)).byte().expand(3, -1, -1) for width in (1, 7)]
    alone = [cpbd(slanted_edge(width)) for width in (1, 7)]
    assert Sharpness().measure(clip_of(torch.stack(frames)))["cpbd"] == pytest.approx(sum(alone) / 2)


def test_no_frames():
    with pytest.raises(NotMeasuredError, match="frames"):
        Sharpness().measure(clip_of(torch.zeros(0, 3, 256, 256, dtype=torch.uint8)))
