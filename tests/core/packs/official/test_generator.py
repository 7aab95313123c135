import json

import pytest
import torch
from sadtalker_pack.benchmarks import plain_renderer
from sadtalker_pack.sadtalker_core.errors import ShapeError
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop, Keypoints
from sadtalker_pack.sadtalker_core.packs.official.keypoints import KeypointDetector
from sadtalker_pack.sadtalker_core.packs.official.renderer import NeuralRenderer, resize_frames
from sadtalker_pack.sadtalker_core.render.frames import frames_at_once, render_frames
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.goldens import SHIPPED
from sadtalker_pack.tests.support.render_networks import official_generator_shapes

SIZE = 128
"""The least that the networks can halve seven times."""


def portrait(width=SIZE, height=SIZE, cropped=None):
    """A face whose frames have the given size."""
    cropped = torch.rand(3, SIZE, SIZE) if cropped is None else cropped
    own = Coefficients("bfm09", 25, torch.zeros(1, 64), torch.zeros(1, 6))
    crop = Crop(0, 0, SIZE, SIZE, width, height)
    return source_face(cropped, cropped, crop, torch.zeros(478, 3), torch.zeros(80), own)


@pytest.fixture(scope="module")
def renderer():
    torch.manual_seed(0)
    return NeuralRenderer().eval().requires_grad_(False)


@pytest.fixture
def keypoints():
    source = torch.rand(15, 3) * 1.6 - 0.8
    return Keypoints(source, source + 0.1 * torch.randn(3, 15, 3), 25)


def test_as_the_plain_formulation(renderer, keypoints):
    face = portrait()
    frames = renderer.render(renderer.prepare(face, keypoints.source), keypoints.driving[:2])
    plain = plain_renderer.render(renderer.generator, face.cropped[None], keypoints.source, keypoints.driving[:2])
    assert frames.shape == (2, 3, SIZE, SIZE)
    assert (frames - plain).abs().max() < 1e-4
    assert (frames[0] - frames[1]).abs().max() > 1e-3


def test_frames_do_not_depend_on_their_batch(renderer, keypoints):
    face, encoded = portrait(), []
    handle = renderer.generator.first.register_forward_hook(lambda *call: encoded.append(1))
    together = render_frames(renderer, face, keypoints, batch_size=3)
    alone = render_frames(renderer, face, keypoints, batch_size=1)
    handle.remove()
    assert torch.allclose(together, alone, atol=1e-4)
    assert len(encoded) == 2  # once a clip
    assert together.min() >= 0
    assert together.max() <= 1


def test_frames_take_the_proportions_of_the_crop(renderer, keypoints):
    face = portrait(SIZE, 96)
    prepared = renderer.prepare(face, keypoints.source)
    square = renderer.generator(prepared.features, prepared.motion, keypoints.driving[:1])
    frames = renderer.render(prepared, keypoints.driving[:1])
    assert frames.shape == (1, 3, 96, SIZE)
    assert torch.equal(frames, resize_frames(square, SIZE, 96))


def test_square_frames_are_not_resampled():
    frames = torch.rand(1, 3, 8, 8)
    assert resize_frames(frames, 8, 8) is frames


def test_resizing_keeps_a_ramp_even():
    """Pixel centres lie at half numbers, so that nothing moves."""
    ramp = ((torch.arange(8) + 0.5) / 8).expand(1, 3, 8, 8)
    resized = resize_frames(ramp, 16, 4)
    assert torch.allclose(resized[0, 0, 0, 1:-1], (torch.arange(16)[1:-1] + 0.5) / 16)


def test_wrong_shapes_are_refused(renderer, keypoints):
    with pytest.raises(ShapeError, match="cropped portrait"):
        renderer.prepare(portrait(cropped=torch.rand(3, SIZE, SIZE // 2)), keypoints.source)
    with pytest.raises(ShapeError, match="15, 3"):
        renderer.prepare(portrait(), torch.zeros(478, 3))
    with pytest.raises(ShapeError, match="B, 15, 3"):
        renderer.render(renderer.prepare(portrait(), keypoints.source), torch.zeros(1, 478, 3))


def test_batches_stay_within_memory():
    assert frames_at_once(NeuralRenderer, 256**2) == 2
    assert frames_at_once(NeuralRenderer, 512**2) == 1


def test_tensors_are_those_of_the_official_files():
    """And nothing else: modules are built without memory, so that any further tensor would stay empty."""
    components = json.loads((SHIPPED / "manifest.json").read_text())["components"]
    with torch.device("meta"):
        generator, detector = NeuralRenderer().generator, KeypointDetector()
    found = {"generator": official_generator_shapes(generator)}
    found["kp_extractor"] = {name: tuple(tensor.shape) for name, tensor in detector.state_dict().items()}
    for component, shapes in found.items():
        official = components[component]["state_dict"]
        assert shapes == {name: tuple(facts["shape"]) for name, facts in official.items()}
    held = [*generator.buffers(), *detector.buffers(), *generator.parameters(), *detector.parameters()]
    assert len(held) == len(generator.state_dict()) + len(detector.state_dict())
