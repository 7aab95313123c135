"""Golden 14: frames pasted back into a picture."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.finish.place.paste import paste_back
from sadtalker_pack.sadtalker_core.flow import Coefficients, Crop
from sadtalker_pack.sadtalker_core.packs.official.crops import CropGeometry
from sadtalker_pack.tests.support.faces import source_face
from sadtalker_pack.tests.support.goldens import golden, kit

GOLDEN = golden("14_paste")
PICTURE = GOLDEN["background_rgb"].permute(2, 0, 1) / 255
FRAMES = GOLDEN["frames_rgb"].permute(0, 3, 1, 2) / 255


def face_of(name):
    """The recorded box: of the extended framing that with room around the face, else the face itself."""
    recorded = kit()["paste"][name]
    height, width = PICTURE.shape[1:]
    geometry = CropGeometry(width, height, tuple(recorded["crop"]), tuple(recorded["quad"]))
    box = geometry.extended if name.startswith("ext") else geometry.face
    own = Coefficients("bfm09", 25, torch.zeros(1, 64), torch.zeros(1, 6))
    crop = Crop(*box, FRAMES.shape[3], FRAMES.shape[2])
    return source_face(PICTURE, PICTURE, crop, torch.zeros(478, 3), torch.zeros(80), own)


@pytest.mark.parametrize("name", list(kit()["paste"]))
def test_paste(name):
    recorded = GOLDEN[f"{name}.out_rgb"].permute(0, 3, 1, 2).float()
    pasted, mask = paste_back(face_of(name), FRAMES)
    difference = (255 * pasted - recorded).round().abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.02
    changed = (recorded != GOLDEN["background_rgb"].permute(2, 0, 1)).flatten(0, 1).any(0)
    assert not (changed & (mask == 0)).any()
    inside = mask.nonzero()
    recorded_corners = torch.tensor(kit()["paste"][name]["changed_bbox_yx"])
    assert (torch.stack((inside.amin(0), inside.amax(0))) - recorded_corners).abs().max() <= 1
