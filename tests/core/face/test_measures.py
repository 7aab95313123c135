import torch
from sadtalker_pack.sadtalker_core.face.measures import eye_closure, eye_opening
from sadtalker_pack.sadtalker_core.face.regions import LEFT_EYE, RIGHT_EYE


def test_opening_does_not_depend_on_size_place_or_turn(pack):
    mean = pack.vertices.mean[None]
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    assert torch.allclose(eye_opening(37.0 * mean @ turn + 5.0), eye_opening(mean), atol=1e-4)


def test_opening_is_height_over_width():
    points = torch.zeros(1, 478, 3)
    for ring in (LEFT_EYE, RIGHT_EYE):
        points[0, ring[8], 0] = 2.0
        for index in (3, 4, 5):
            points[0, ring[index], 1] = 0.5
    assert eye_opening(points).tolist() == [0.25]


def test_closure_counts_from_the_usual_opening():
    opening = torch.full((100,), 0.3)
    opening[40:44] = torch.tensor([0.1875, 0.075, 0.0, 0.1875])
    closure = eye_closure(opening)
    assert torch.allclose(closure[40:44], torch.tensor([0.5, 1.0, 1.0, 0.5]))
    assert float(closure.sum()) == 3.0
