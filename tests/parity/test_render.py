"""Goldens 09, 09b and 10: frames of the official renderer at 256 and 512, from the recorded keypoints.

A share of motion close to the limit below which it is left out may fall on its other side, and instance norm then
spreads the difference: after the warp the limits are statistical, and the largest error has none.
"""

import re
from dataclasses import dataclass

import pytest
import torch
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.sadtalker_core.packs.official.renderer import resize_frames
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.goldens import golden, kit, largest_error
from sadtalker_pack.tests.support.render_networks import golden_portrait, recorded_calls, rule_renderer, share_above
from torch import Tensor

GOLDEN = golden("09_render256")
BYTES = golden("09b_frame_u8")
LARGE = golden("10_render512")
LAST = kit()["chain"]["frames"].index(49)
WATCHED = ("dense_motion_network", "fourth", "decoder.G_middle_5", "decoder.up_0")


@dataclass(frozen=True)
class Rendered:
    features: Tensor
    frames: Tensor
    calls: dict


def render(size, source, driving):
    """Frames of the kit's portrait through the renderer's own interface, and what some of its parts returned."""
    own = Coefficients("bfm09", 25, torch.zeros(1, 64), torch.zeros(1, 6))
    picture = golden_portrait(size)
    crop = Crop(0, 0, size, size, size, size)
    face = source_face(picture, picture, crop, torch.zeros(478, 3), torch.zeros(80), own)
    renderer = rule_renderer()
    with recorded_calls(renderer.generator, *WATCHED) as calls:
        prepared = renderer.prepare(face, source)
        frames = renderer.render(prepared, driving)
    return Rendered(prepared.features, frames, calls)


def close_as_frames(ours, recorded, scale=1.0):
    """The specification's limits for frames; ``scale`` for intermediate maps, whose values are larger."""
    assert ours.shape == recorded.shape
    assert (ours - recorded.float()).abs().mean() < 5e-4 * scale
    return share_above(ours, recorded, 5e-3 * scale) <= 1e-3


@pytest.fixture(scope="module")
def rendered():
    return render(256, GOLDEN["kp_source"], GOLDEN["kp_driving"])


def test_features_before_the_warp(rendered):
    assert largest_error(rendered.features[0, ::4, ::4, ::4, ::4], GOLDEN["feature_3d_s4"]) < 1e-4


def test_motion(rendered):
    motion = rendered.calls["dense_motion_network"]
    assert share_above(motion.deformation[LAST, ::4, ::4, ::4], GOLDEN["deformation_f49_s4"], 1e-3) <= 1e-3
    assert share_above(motion.occlusion[LAST, 0], GOLDEN["occlusion_f49"], 1e-3) <= 1e-3


@pytest.mark.parametrize(
    ("part", "name", "step"),
    [
        ("fourth", "fourth_f49_s", (8, 4, 4)),
        ("decoder.G_middle_5", "g_middle_5_f49_s", (16, 4, 4)),
        ("decoder.up_0", "up_0_f49_s", (16, 8, 8)),
    ],
)
def test_maps_after_the_warp(rendered, part, name, step):
    channels, rows, columns = step
    ours = rendered.calls[part][LAST, ::channels, ::rows, ::columns]
    assert close_as_frames(ours, GOLDEN[name], scale=GOLDEN[name].std())


def test_frames(rendered):
    assert len(rendered.frames) == len(GOLDEN["frames_f16"])
    for ours, recorded in zip(rendered.frames, GOLDEN["frames_f16"], strict=True):
        assert close_as_frames(ours, recorded)


def test_exact_rows(rendered):
    assert close_as_frames(rendered.frames[LAST, :, 100:116], GOLDEN["frame49_rows_100_116"])


def test_eight_bit_frame(rendered):
    levels = eight_bit(rendered.frames[LAST])
    assert share_above(levels[::2], BYTES["frame49_u8_rows2"], 1) <= 1e-3


@pytest.mark.parametrize("name", [name for name in BYTES if name.startswith("resized_")])
def test_proportions_of_the_crop(rendered, name):
    width, height = (int(number) for number in re.search(r"_(\d+)x(\d+)_", name).groups())
    frames = resize_frames(rendered.frames, 256, int(256 * height / width))
    assert share_above(eight_bit(frames[LAST])[::2], BYTES[name], 1) <= 1e-3


@pytest.mark.slow
def test_frame_of_512_pixels():
    frame = render(512, LARGE["kp_source"], LARGE["kp_driving"][None]).frames[0]
    assert close_as_frames(frame[:, ::2, ::2], LARGE["frame20_s2_f16"])
    assert close_as_frames(frame[:, 200:264, 230:294], LARGE["frame20_crop"])


def eight_bit(frame):
    """(H, W, 3) whole levels, 0 to 255."""
    return (frame * 255).round().clamp(0, 255).permute(1, 2, 0)
