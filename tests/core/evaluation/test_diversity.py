from math import pi, radians, sqrt

import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics.diversity import head_diversity


def swing(degrees, offset=0.0):
    """Pitch swings by so many degrees, yaw twice as far, roll not at all; begins at 0."""
    phase = torch.arange(1000) / 100 * 2 * pi
    pitch = radians(degrees) * phase.sin()
    return torch.stack((pitch, 2 * pitch, torch.zeros_like(pitch)), 1) + offset


def test_known_swings():
    found = head_diversity([swing(6)])
    assert found.pitch == pytest.approx(6 / sqrt(2), rel=2e-3)
    assert found.yaw == pytest.approx(12 / sqrt(2), rel=2e-3)
    assert found.roll == 0
    assert found.mean == pytest.approx(18 / sqrt(2) / 3, rel=2e-3)


def test_where_a_portrait_looks_does_not_matter():
    assert head_diversity([swing(6), swing(6, offset=0.5)]).pitch == pytest.approx(6 / sqrt(2), rel=2e-3)


def test_heads_that_all_move_alike_are_less_diverse_than_heads_that_differ():
    alike = head_diversity([swing(3), swing(3)])
    differing = head_diversity([swing(0), swing(6)])
    assert differing.pitch > alike.pitch
