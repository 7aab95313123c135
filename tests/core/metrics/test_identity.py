import pytest
import torch
from sadtalker_pack.sadtalker_core.metrics import requirements
from sadtalker_pack.sadtalker_core.metrics.identity import FaceEmbedder, identity_similarities
from sadtalker_pack.sadtalker_core.metrics.requirements import NotMeasuredError


def test_cosines_of_known_vectors():
    source = torch.tensor([2.0, 0.0])
    others = [torch.tensor([5.0, 0.0]), torch.tensor([0.0, 1.0]), torch.tensor([-1.0, 0.0]), torch.tensor([1.0, 1.0])]
    assert torch.allclose(identity_similarities(source, others), torch.tensor([1, 0, -1, 0.70711]), atol=1e-4)
    assert identity_similarities(source, []).shape == (0,)


def test_without_dlib(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(requirements.importlib, "import_module", missing)
    with pytest.raises(NotMeasuredError, match="pip install dlib-bin face_recognition_models"):
        FaceEmbedder()


def test_a_face_is_like_itself_and_nothing_has_no_face(demo_picture):
    try:
        embedder = FaceEmbedder()
    except NotMeasuredError as error:
        pytest.skip(f"needs {error}")
    portrait = embedder.embed(demo_picture)
    assert portrait.shape == (128,)
    darker = embedder.embed(0.8 * demo_picture)
    same, other = identity_similarities(portrait, [portrait, darker])
    assert float(same) == pytest.approx(1, abs=1e-6)
    assert float(other) > 0.95
    assert embedder.embed(torch.zeros(3, 256, 256)) is None
