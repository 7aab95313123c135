import pytest
import torch
from sadtalker_pack.sadtalker_core.errors import BasisMismatchError, TrackError
from sadtalker_pack.sadtalker_core.face.regions import CHIN, LEFT_BROW, LEFT_EYE, OUTER_LIPS, RIGHT_BROW, RIGHT_EYE
from sadtalker_pack.sadtalker_core.flow import Coefficients
from sadtalker_pack.sadtalker_core.tracks.mix import BLEND_PARTS, blend, join
from sadtalker_pack.sadtalker_core.tracks.regions import REGIONS, region_projection, region_weights

FEATURES = {
    "mouth": [*OUTER_LIPS, *CHIN],
    "eyes": [*LEFT_EYE, *RIGHT_EYE],
    "brows": [*LEFT_BROW, *RIGHT_BROW],
}


def track(frames=6, fps=25.0, basis="open3", **streams):
    streams = streams or {"expression": torch.randn(frames, 64), "pose": torch.randn(frames, 6)}
    return Coefficients(basis, fps, **streams)


class TestBlend:
    @pytest.mark.parametrize("part", BLEND_PARTS)
    def test_weight_nought_is_the_first(self, part, model):
        first, second = track(), track()
        mixed = blend(first, second, 0.0, part, model)
        assert torch.equal(mixed.expression, first.expression)
        assert torch.equal(mixed.pose, first.pose)

    def test_weight_one_is_the_second(self):
        first, second = track(), track()
        mixed = blend(first, second, 1.0)
        assert torch.equal(mixed.expression, second.expression)
        assert torch.equal(mixed.pose, second.pose)

    def test_streams_apart(self):
        first, second = track(), track()
        face, head = blend(first, second, 0.25, "expression"), blend(first, second, 0.25, "head motion")
        assert torch.equal(face.pose, first.pose)
        assert torch.equal(head.expression, first.expression)
        assert torch.allclose(face.expression, 0.75 * first.expression + 0.25 * second.expression, atol=1e-6)
        assert torch.allclose(head.pose, 0.75 * first.pose + 0.25 * second.pose, atol=1e-6)


class TestRegions:
    @pytest.mark.parametrize("region", REGIONS)
    def test_features_lie_inside_their_own_region_only(self, model, region):
        weights = region_weights(model, region)
        for name, vertices in FEATURES.items():
            inside = float(weights[vertices].mean())
            assert inside > 0.85 if name == region else inside < 0.15, (name, inside)

    @pytest.mark.parametrize("region", REGIONS)
    def test_a_region_moves_as_in_the_second_and_the_rest_as_in_the_first(self, model, region, record_property):
        first = torch.randn(200, 64) * model.expression_deviation
        second = torch.randn(200, 64) * model.expression_deviation
        mixed = blend(track(expression=first), track(expression=second), 1.0, region, model).expression
        whole, moved = model.offsets(second - first), model.offsets(mixed - first)
        for name, vertices in FEATURES.items():
            wanted = whole[:, vertices] if name == region else 0.0
            error = float((moved[:, vertices] - wanted).norm() / whole[:, vertices].norm())
            record_property(f"{region}_{name}", error)
            assert error < (0.25 if name == region else 0.15), (name, error)

    @pytest.mark.parametrize("region", ["eyes", "brows"])
    def test_the_lips_stay_where_they_are(self, model, region):
        change = torch.randn(200, 64) * model.expression_deviation
        whole = model.offsets(change)[:, OUTER_LIPS].norm()
        assert model.offsets(change @ region_projection(model, region))[:, OUTER_LIPS].norm() < 0.03 * whole

    def test_half_a_region(self, model):
        first, second = track(), track()
        whole, half = (blend(first, second, weight, "eyes", model).expression for weight in (1.0, 0.5))
        assert torch.allclose(half - first.expression, (whole - first.expression) / 2, atol=1e-5)

    def test_official_tracks_have_none(self):
        with pytest.raises(TrackError, match="official ones do not.*bfm09"):
            blend(track(basis="bfm09"), track(basis="bfm09"), 1.0, "mouth")

    def test_a_model_of_another_basis(self, model):
        with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
            blend(track(basis="bfm09"), track(basis="bfm09"), 1.0, "mouth", model)

    def test_unknown_region(self, model):
        with pytest.raises(TrackError, match="mouth, eyes, brows; got 'ears'"):
            region_weights(model, "ears")


class TestJoin:
    def test_concatenated(self):
        first, second = track(4), track(3)
        joined = join(first, second)
        assert torch.equal(joined.pose, torch.cat((first.pose, second.pose)))
        assert torch.equal(joined.expression, torch.cat((first.expression, second.expression)))

    def test_crossfade(self):
        first = track(pose=torch.zeros(10, 6))
        second = track(pose=torch.ones(8, 6))
        joined = join(first, second, overlap=4 / 25)
        assert joined.pose[:, 0].tolist() == pytest.approx([0] * 6 + [0.2, 0.4, 0.6, 0.8] + [1] * 4)

    def test_the_whole_of_the_shorter_one_may_overlap(self):
        assert len(join(track(10), track(3), overlap=3 / 25)) == 10

    @pytest.mark.parametrize("overlap", [0.2, 60.0, -0.1])
    def test_longer_than_a_track(self, overlap):
        with pytest.raises(TrackError, match="only 3"):
            join(track(10), track(3), overlap)


class TestMismatch:
    @pytest.mark.parametrize("mix", [lambda a, b: blend(a, b, 0.5), join])
    def test_refused(self, mix):
        with pytest.raises(BasisMismatchError, match="open3.*bfm09"):
            mix(track(), track(basis="bfm09"))
        with pytest.raises(TrackError, match="25 and 30 frames per second.*Edit Coefficients"):
            mix(track(), track(fps=30.0))
        with pytest.raises(TrackError, match="expression, pose in the first and pose in the second"):
            mix(track(), track(pose=torch.zeros(6, 6)))
        with pytest.raises(TrackError, match="NaN or infinity in 6 of 6"):
            mix(track(), track(pose=torch.full((6, 6), torch.nan), expression=torch.zeros(6, 64)))

    def test_blend_needs_one_length(self):
        with pytest.raises(TrackError, match="6 and 9 frames.*Edit Coefficients"):
            blend(track(), track(9), 0.5)

    def test_unknown_part(self):
        with pytest.raises(TrackError, match="everything, .*got 'nose'"):
            blend(track(), track(), 0.5, "nose")
