"""The lower part of a face laid into its frame."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.dub.blend import even_box, lay_over, lower_face_mask
from sadtalker_pack.sadtalker_core.face.extract import extract_face
from sadtalker_pack.sadtalker_core.flow import Crop


@pytest.fixture(scope="module")
def face(pack, demo_picture):
    return extract_face(pack.landmarker, pack.extractor, demo_picture, size=256)


def test_the_mask_shows_mouth_and_jaw_and_spares_the_eyes(face):
    mask = lower_face_mask(face.landmarks[None], face.crop)

    def at(vertex):
        x, y = face.landmarks[vertex, :2].int().tolist()
        return float(mask[y, x])

    assert mask.shape == (face.crop.height, face.crop.width)
    assert [at(vertex) for vertex in (13, 14, 17, 152, 61, 291)] == [1] * 6
    assert [at(vertex) for vertex in (159, 386, 10, 168)] == [0] * 4
    assert 0 < float(((mask > 0) & (mask < 1)).float().mean()) < 0.3
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0


def test_the_mask_holds_the_face_as_it_was_and_as_it_is_drawn(face):
    lower = face.landmarks + torch.tensor((0.0, 12.0, 0.0))
    one, both = (
        lower_face_mask(points, face.crop) for points in (face.landmarks[None], torch.stack((face.landmarks, lower)))
    )
    assert (both >= one).all()
    assert both.sum() > one.sum() + 500


def test_where_the_mask_is_0_the_picture_stays_bit_for_bit():
    picture, frame = torch.rand(3, 40, 50), torch.rand(3, 20, 30)
    mask = torch.zeros(20, 30)
    mask[5:10, 5:10], mask[10:12, 5:10] = 1.0, 0.5
    crop = Crop(10, 8, 40, 28, 30, 20)
    laid = lay_over(picture, crop, frame, mask)
    part, before = laid[:, 8:28, 10:40], picture[:, 8:28, 10:40]
    assert torch.equal(part[:, 5:10, 5:10], frame[:, 5:10, 5:10])
    assert torch.allclose(part[:, 10:12, 5:10], (before + frame)[:, 10:12, 5:10] / 2)
    outside = torch.ones(40, 50, dtype=torch.bool)
    outside[8:28, 10:40] = mask == 0
    assert torch.equal(laid[:, outside], picture[:, outside])


@pytest.mark.parametrize("box", [(3, 5, 20, 31), (4, 6, 21, 30), (0, 0, 7, 9)])
def test_boxes_become_even_and_stay_inside(box):
    even = even_box(Crop(*box, 10, 10))
    assert even.left % 2 == even.top % 2 == even.width % 2 == even.height % 2 == 0
    assert even.right <= box[2]
    assert even.bottom <= box[3]
    assert (even.right - even.left, even.bottom - even.top) == (even.width, even.height)
