import numpy as np
import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics.fid import FeatureStatistics, FrechetInceptionDistance, frechet_distance
from sadtalker_pack.sadtalker_core.metrics.networks.inception import FeatureInception
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import VideoClip
from sadtalker_pack.sadtalker_core.metrics.weight_files import INCEPTION
from sadtalker_pack.tests.support.evaluation_files import filled
from scipy.linalg import sqrtm


def statistics(features, batches=1):
    found = FeatureStatistics(features.shape[1])
    for batch in np.array_split(features, batches):
        found.add(torch.from_numpy(batch))
    return found


def gaussian(count, features, seed, offset=0.0):
    random = np.random.RandomState(seed)
    mixing = random.standard_normal((features, features))
    return random.standard_normal((count, features)) @ mixing + offset


def test_batches_give_the_statistics_of_all():
    features = gaussian(500, 12, 0, offset=1000.0)
    found = statistics(features, batches=37)
    assert found.count == 500
    assert np.allclose(found.mean, features.mean(0), rtol=1e-12)
    assert np.allclose(found.covariance, np.cov(features, rowvar=False), rtol=1e-9)


def test_distance_of_separate_axes():
    """Independent axes: the sum over them of (m - n)² + (s - t)²."""
    corners = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * np.sqrt(3) / 2  # unit variances
    one, other = corners * (2, 5) + (1, 0), corners * (3, 1) + (0, 7)
    assert frechet_distance(statistics(one), statistics(other)) == pytest.approx(1 + 49 + 1 + 16)


def test_against_scipys_root():
    one, other = gaussian(300, 16, 1), gaussian(400, 16, 2, offset=0.5)
    a, b = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    known = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet_distance(statistics(one), statistics(other)) == pytest.approx(known, rel=1e-9)


def test_singular_covariances():
    """Three points in fifty dimensions: laid over each other but for a shift."""
    points = gaussian(3, 50, 3)
    assert frechet_distance(statistics(points), statistics(points + 0.2)) == pytest.approx(50 * 0.04, rel=1e-6)


@pytest.fixture(scope="module")
def inception():
    return filled(FeatureInception, INCEPTION.name)


def clip_of(frames, real=None):
    points = torch.zeros(len(frames), 478, 3)
    ground_truth = None if real is None else VideoClip("real", real, torch.zeros(len(real), 478, 3))
    return VideoClip("made", frames, points, ground_truth=ground_truth)


def pictures(count, seed):
    return torch.from_numpy(np.random.RandomState(seed).randint(0, 256, (count, 3, 256, 256)).astype(np.uint8))


def test_equal_sets_are_at_0_and_others_are_not(inception):
    metric = FrechetInceptionDistance(inception)
    frames = pictures(4, 0)
    metric.add(clip_of(frames[:3], frames.flip(0)[:2]))
    metric.add(clip_of(frames[3:], frames.flip(0)[2:]))
    found = metric.result()
    assert found["fid_frames"] == 4
    assert abs(found["fid"]) < 1e-3
    metric.add(clip_of(frames[:1] // 4, pictures(1, 7)))
    assert metric.result()["fid"] > 1


def test_what_is_too_little(inception):
    metric = FrechetInceptionDistance(inception)
    with pytest.raises(NotMeasuredError, match="two frames"):
        metric.result()
    with pytest.raises(NotMeasuredError, match="a ground truth video"):
        metric.add(clip_of(pictures(2, 0)))
    metric.add(clip_of(pictures(0, 0), pictures(0, 0)))
    with pytest.raises(NotMeasuredError, match="two frames"):
        metric.result()
