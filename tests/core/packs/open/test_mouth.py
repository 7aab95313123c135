"""The painted inside of a mouth: what belongs to the skull stays with it, what belongs to the jaw goes down with it."""

import pytest
import torch
from sadtalker_pack.sadtalker_core.packs.open.mouth import mouth_colours, paint_mouth

LIPS, SKIN = torch.tensor((0.7, 0.35, 0.35)), torch.tensor((0.8, 0.6, 0.5))


@pytest.fixture
def colours():
    return mouth_colours(LIPS, SKIN)


def column(colours, *, dropped, u=0.03, rim=0.2):
    """Brightness (N,) down a column of the mouth, from above the seam to below it, with the jaw so far down."""
    v_skull = torch.linspace(-0.1, 0.5, 240)[None]
    across = torch.full_like(v_skull, u)
    painted = paint_mouth(colours, across, v_skull, v_skull - dropped, torch.full_like(v_skull, rim))
    return v_skull[0], painted[0].mean(1)


def test_teeth_are_brighter_than_the_rest_and_take_the_light_of_the_skin():
    light, dark = mouth_colours(LIPS, SKIN), mouth_colours(LIPS, 0.4 * SKIN)
    for colours in (light, dark):
        assert colours.teeth.mean() > 1.1 * max(part.mean() for part in (colours.cavity, colours.gum, colours.lip))
    assert dark.teeth.mean() < 0.8 * light.teeth.mean()
    warm = mouth_colours(LIPS, torch.tensor((0.9, 0.6, 0.4))).teeth
    assert warm[0] > warm[1] > warm[2]


def test_colours_stay_in_range(colours):
    u, v = torch.meshgrid(torch.linspace(-1.2, 1.2, 60), torch.linspace(-0.4, 0.8, 60), indexing="ij")
    for dropped in (0.0, 0.2, 0.6):
        picture = paint_mouth(colours, u, v, v - dropped, (0.3 - v.abs()).clamp_min(0))
        assert picture.shape == (60, 60, 3)
        assert picture.min() >= 0
        assert picture.max() <= 1


def test_upper_teeth_stay_when_the_jaw_drops(colours):
    """The lowest bright place of the upper row lies at the same height, whatever the jaw does."""
    edges = []
    for dropped in (0.15, 0.3, 0.45):
        v, light = column(colours, dropped=dropped)
        above = v < 0.12
        edges.append(float(v[above][light[above] > 0.5 * light.max()].max()))
    assert max(edges) - min(edges) < 0.01
    assert 0.05 < edges[0] < 0.12


def test_lower_teeth_go_down_with_the_jaw(colours):
    places = []
    for dropped in (0.25, 0.35):
        v, light = column(colours, dropped=dropped)
        below = v > 0.13
        places.append(float(v[below][light[below].argmax()]))
    assert places[1] - places[0] == pytest.approx(0.1, abs=0.03)


def test_deeper_is_darker(colours):
    _, near = column(colours, dropped=0.4, u=0.8, rim=0.02)
    _, deep = column(colours, dropped=0.4, u=0.8, rim=0.2)
    assert deep[150:].mean() < near[150:].mean()


def test_left_and_right_are_alike(colours):
    v = torch.linspace(-0.1, 0.4, 50)[None].expand(2, -1)
    u = torch.tensor([[-0.37], [0.37]]).expand(-1, 50)
    left, right = paint_mouth(colours, u, v, v - 0.3, torch.full_like(v, 0.1))
    assert torch.allclose(left, right, atol=1e-5)
