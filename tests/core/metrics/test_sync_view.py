import torch
from sadtalker_pack.sadtalker_core.metrics.sync_view import cut_sync_view, sync_boxes


def face(x, y, width, height):
    """Landmarks (478, 3) that fill a box around (x, y)."""
    points = torch.zeros(478, 3)
    points[:, 0] = x + width * torch.linspace(-0.5, 0.5, 478)
    points[:, 1] = y + height * torch.linspace(-0.5, 0.5, 478).flip(0)
    return points


def ramps(height, width):
    """Red grows by one each column, green each row."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((columns, rows, torch.zeros_like(rows))) / 255


def test_a_box_is_the_larger_side_of_the_face():
    boxes = sync_boxes(torch.stack([face(60, 80, 40, 50)] * 20))
    assert torch.allclose(boxes, torch.tensor([60.0, 80.0, 25.0], dtype=torch.float64).expand(20, 3), atol=1e-4)


def test_boxes_move_evenly_where_no_face_was_found_and_keep_steady():
    faces = torch.stack([face(60 + 2 * t, 80, 40, 50) for t in range(40)])
    faces[10:14] = torch.nan
    faces[0] = torch.nan
    faces[25] = face(200, 10, 90, 90)  # a slip of the detector
    boxes = sync_boxes(faces)
    assert torch.allclose(boxes[6:-6, 0], 60 + 2.0 * torch.arange(6, 34).double(), atol=2.01)
    assert torch.allclose(boxes[8:18, 0], 60 + 2.0 * torch.arange(8, 18).double(), atol=1e-4)
    assert torch.allclose(boxes[:, 2], torch.tensor(25.0, dtype=torch.float64), atol=1e-4)
    assert not boxes.isnan().any()


def test_a_view_reaches_two_fifths_aside_and_four_fifths_below():
    """A face of 160 pixels is seen in 224, one pixel for one: from its upper end, 32 aside, 64 below."""
    view = cut_sync_view(ramps(256, 256), torch.tensor([120.0, 90.0, 80.0]))
    assert view.shape == (3, 224, 224)
    assert view.dtype == torch.uint8
    assert view[0, 0].tolist() == list(range(8, 232))
    assert view[1, :, 0].tolist() == list(range(10, 234))


def test_beyond_the_picture_it_is_grey():
    view = cut_sync_view(torch.zeros(3, 100, 100), torch.tensor([50.0, 50.0, 80.0]))
    inside = torch.zeros(224, 224, dtype=torch.bool)
    inside[30:130, 62:162] = True
    assert bool((view[:, inside] == 0).all())
    assert bool((view[:, ~inside] == 110).all())
