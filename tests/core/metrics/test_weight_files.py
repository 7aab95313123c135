import pickle
import re

import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics.networks.arcface import ArcFace
from sadtalker_pack.sadtalker_core.metrics.networks.inception import FeatureInception
from sadtalker_pack.sadtalker_core.metrics.networks.perceptual import PerceptualHeads
from sadtalker_pack.sadtalker_core.metrics.networks.syncnet import SyncNet
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError
from sadtalker_pack.sadtalker_core.metrics.video_metrics import MetricResources
from sadtalker_pack.sadtalker_core.metrics.weight_files import (
    ALEXNET,
    ARCFACE,
    INCEPTION,
    PERCEPTUAL_HEADS,
    PUBLISHED_FILES,
    SYNCNET,
    WrongFileError,
    load_network,
)
from sadtalker_pack.tests.support.evaluation_files import (
    described,
    layouts,
    published_tensors,
    write_published_network,
)
from torchvision.models import AlexNet

NETWORKS = {
    SYNCNET: SyncNet,
    INCEPTION: FeatureInception,
    ARCFACE: ArcFace,
    ALEXNET: AlexNet,
    PERCEPTUAL_HEADS: PerceptualHeads,
}


@pytest.fixture
def here(tmp_path):
    return MetricResources(tmp_path, torch.device("cpu"))


def test_every_published_file_is_known():
    assert set(NETWORKS) == set(PUBLISHED_FILES)
    assert {file.name for file in PUBLISHED_FILES} == set(layouts())
    for file in PUBLISHED_FILES:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        in_name = re.search(r"-([0-9a-f]{8})\.pth$", file.name)
        assert in_name is None or file.sha256.startswith(in_name[1])


@pytest.mark.parametrize("file", PUBLISHED_FILES, ids=lambda file: file.name)
@pytest.mark.parametrize(("zipped", "counters"), [(False, False), (True, True)])
def test_a_file_of_the_published_layout_fills_its_network(here, file, zipped, counters):
    write_published_network(file, here.weights, zipped=zipped, counters=counters)
    network = load_network(described(file, here.weights), NETWORKS[file], here)
    tensors = published_tensors(file.name)
    held = network.state_dict()
    assert set(held) == set(tensors)
    assert all(torch.equal(held[key], tensor) for key, tensor in tensors.items())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_missing_file_is_named_with_its_folder_and_origin(here):
    with pytest.raises(NotMeasuredError) as caught:
        load_network(SYNCNET, SyncNet, here)
    assert str(caught.value) == f"syncnet_v2.model in {here.weights} (from {SYNCNET.origin})"
    assert not isinstance(caught.value, WrongFileError)


def test_another_file_of_the_name_is_refused(here):
    write_published_network(PERCEPTUAL_HEADS, here.weights)
    with pytest.raises(WrongFileError, match=f"SHA-256 {PERCEPTUAL_HEADS.sha256}.*fetch it again") as caught:
        load_network(PERCEPTUAL_HEADS, PerceptualHeads, here)
    assert described(PERCEPTUAL_HEADS, here.weights).sha256 in str(caught.value)


class Marker:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "cannot be read as a torch checkpoint"),
        (b"<html>not found</html>", "cannot be read as a torch checkpoint"),
        (pickle.dumps({"weight": Marker()}, 2), "needs code to be run in order to be read, which is refused"),
    ],
    ids=["empty", "web page", "code"],
)
def test_a_file_that_holds_no_weights_is_refused(here, capsys, content, reason):
    (here.weights / SYNCNET.name).write_bytes(content)
    with pytest.raises(WrongFileError, match=reason):
        load_network(described(SYNCNET, here.weights), SyncNet, here)
    assert capsys.readouterr().out == ""


def test_a_file_of_another_network_is_refused(here):
    tensors = dict(published_tensors(PERCEPTUAL_HEADS.name))
    tensors["lin5.model.1.weight"] = tensors.pop("lin0.model.1.weight")
    torch.save(tensors, here.weights / PERCEPTUAL_HEADS.name)
    with pytest.raises(WrongFileError, match=r"Missing: lin0.model.1.weight\. Unexpected: lin5"):
        load_network(described(PERCEPTUAL_HEADS, here.weights), PerceptualHeads, here)
