import pytest
import torch
from sadtalker_pack.benchmarks import plain_renderer
from sadtalker_pack.sadtalker_core.packs.official.blocks import coordinate_grid
from sadtalker_pack.sadtalker_core.packs.official.dense_motion import DenseMotion, keypoint_heat

SIZE = 32
"""Cells of a side: the least that can be halved five times."""


@pytest.fixture(scope="module")
def network():
    """Weights with which some motions fall below the least share and others above it."""
    torch.manual_seed(0)
    network = DenseMotion().eval().requires_grad_(False)
    network.mask.weight.mul_(60)
    return network


@pytest.fixture
def features():
    return torch.randn(1, 32, 16, SIZE, SIZE)


@pytest.fixture
def keypoints():
    return torch.rand(3, 15, 3) * 1.6 - 0.8


def test_grid_runs_from_corner_to_corner():
    grid = coordinate_grid(3, 5, 9, torch.zeros(0))
    assert grid.shape == (3, 5, 9, 3)
    assert grid[0, 0, 0].tolist() == [-1, -1, -1]
    assert grid[2, 4, 8].tolist() == [1, 1, 1]
    assert grid[1, 2, 6].tolist() == [0.5, 0, 0]  # x, y, z


def test_heat_is_a_bell_around_each_keypoint():
    grid = coordinate_grid(16, SIZE, SIZE, torch.zeros(0))
    heat = keypoint_heat(grid[3, 10, 20].expand(1, 15, 3), torch.zeros(16, SIZE, SIZE))
    assert heat.shape == (1, 15, 16, SIZE, SIZE)
    assert heat[0, 7, 3, 10, 20] == 1
    assert heat[0, 7, 3, 10, 23].item() == pytest.approx(torch.tensor(-50 * (6 / 31) ** 2).exp().item(), rel=1e-4)


def test_heat_holds_no_denormal_numbers():
    heat = keypoint_heat(torch.rand(2, 15, 3) * 2 - 1, torch.zeros(16, SIZE, SIZE))
    assert ((heat == 0) | (heat > torch.finfo(heat.dtype).tiny)).all()
    assert (heat == 0).any()


def test_as_the_plain_formulation(network, features, keypoints):
    source, driving = keypoints[0], keypoints[1:]
    motion = network(network.prepare(features, source), driving)
    deformation, occlusion = plain_renderer.move(network, features.expand(2, -1, -1, -1, -1), source, driving)
    assert torch.allclose(motion.deformation, deformation, atol=1e-4)
    assert torch.allclose(motion.occlusion, occlusion, atol=1e-5)


def test_small_shares_are_left_out_and_not_made_up_for(network, features, keypoints):
    """The same keypoints move nothing, so each voxel's place is its own times the sum of the shares that remain."""
    logits = {}
    handle = network.mask.register_forward_hook(lambda module, inputs, output: logits.update(mask=output))
    motion = network(network.prepare(features, keypoints[0]), keypoints[:1])
    handle.remove()
    shares = logits["mask"].softmax(1)
    kept = (shares * (shares >= 1e-3)).sum(1)[0, ..., None]
    assert kept.min() < 0.9999
    expected = coordinate_grid(16, SIZE, SIZE, features) * kept
    assert torch.allclose(motion.deformation[0], expected, atol=1e-5)


def test_frames_of_a_batch_do_not_mix(network, features, keypoints):
    source = network.prepare(features, keypoints[0])
    together = network(source, keypoints)
    for frame in range(3):
        alone = network(source, keypoints[frame : frame + 1])
        assert torch.allclose(together.deformation[frame], alone.deformation[0], atol=1e-4)
        assert torch.allclose(together.occlusion[frame], alone.occlusion[0], atol=1e-5)
