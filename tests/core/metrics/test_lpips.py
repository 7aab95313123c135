import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics import lpips
from sadtalker_pack.sadtalker_core.metrics.lpips import PerceptualSimilarity, load_perceptual_distance
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import MetricResources, VideoClip
from sadtalker_pack.sadtalker_core.metrics.weight_files import ALEXNET, PERCEPTUAL_HEADS
from sadtalker_pack.tests.support.evaluation_files import described, write_published_network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluation")
    with pytest.MonkeyPatch.context() as patch:
        for name, file in (("ALEXNET", ALEXNET), ("PERCEPTUAL_HEADS", PERCEPTUAL_HEADS)):
            write_published_network(file, folder)
            patch.setattr(lpips, name, described(file, folder))
        return load_perceptual_distance(MetricResources(folder, torch.device("cpu")))


def clip_of(frames, real, same_view=True):
    ground_truth = VideoClip("real", real, torch.zeros(len(real), 478, 3))
    return VideoClip("made", frames, torch.zeros(len(frames), 478, 3), ground_truth=ground_truth, same_view=same_view)


def pictures(count):
    return torch.randint(0, 256, (count, 3, 256, 256), dtype=torch.uint8)


def test_equal_pictures_are_at_0_and_a_mean_is_taken(network):
    frames = pictures(18)
    metric = PerceptualSimilarity(network)
    assert metric.measure(clip_of(frames, frames)) == {"lpips": 0}
    real = frames.clone()
    real[17] = pictures(1)[0]
    alone = metric.measure(clip_of(frames[17:], real[17:]))["lpips"]
    assert alone > 0.01
    longer = torch.cat((real, pictures(1)))  # what only one of them has does not count
    assert metric.measure(clip_of(frames, longer))["lpips"] == pytest.approx(alone / 18, rel=1e-4)


def test_other_parts_of_the_picture_are_not_compared(network):
    with pytest.raises(NotMeasuredError, match="same part of the picture"):
        PerceptualSimilarity(network).measure(clip_of(pictures(1), pictures(1), same_view=False))


def test_either_file_is_missed(tmp_path):
    with pytest.raises(NotMeasuredError, match=r"alex\.pth in .* \(from lpips/weights/v0\.1"):
        load_perceptual_distance(MetricResources(tmp_path, torch.device("cpu")))
