"""Tracks -> the open pack's 3DMM: principal components of aligned landmarks, completed by smooth mesh harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..face.morphable import VERTICES, MorphableModel, to_picture_frame
from ..face.regions import LEFT_EYE_CORNERS, LEFT_IRIS, RIGHT_EYE_CORNERS, RIGHT_IRIS, STABLE
from ..face.topology import FaceMesh, load_face_mesh
from ..flow import EXPRESSION_SIZE, IDENTITY_SIZE
from ..geometry import angles_from_rotation, similarity_between
from .tracks import ClipTrack

MAX_ANGLE = 0.4
"""Frames whose head is turned further (radians) are left out: the landmarker's depth errors would become expression."""
EXPLAINED = 0.99
"""Share of the variance that the learned expression components must explain. What comes after is the landmarker's noise
and would take directions from the identity basis; harmonics fill the rest."""
MAX_FRAMES_A_CLIP = 120
HARMONIC_DEVIATION = 0.02
"""Prior standard deviation of the completed components, canonical units."""


@dataclass(frozen=True, slots=True)
class AlignedClip:
    """Usable frames of a clip in the canonical frame."""

    speaker: str
    vertices: Tensor
    """(F, 478, 3)"""


def build_morphable_model(clips: list[ClipTrack]) -> tuple[MorphableModel, dict[str, float]]:
    """Learn mean, expression and identity bases from tracks; also returns figures for the model card."""
    mesh = load_face_mesh()
    mirror = mirror_permutation(mesh)
    template = _initial_template(mesh)
    aligned, neutrals = _neutral_faces(clips, template)
    for _ in range(3):  # the mean shape and the alignment to it settle together
        mean = torch.stack(list(neutrals.values())).mean(0)
        template = _normalised((mean + _mirrored(mean, mirror)) / 2)
        aligned, neutrals = _neutral_faces(clips, template)
    expression, deviation = _expression_components(aligned, neutrals, mirror)
    identity, identity_deviation = _identity_components(neutrals, template, expression, mirror)
    facts = {
        "learned_expression_components": float(expression.shape[0]),
        "learned_identity_components": float(identity.shape[0]),
        "frames": float(sum(clip.vertices.shape[0] for clip in aligned)),
        "speakers": float(len(neutrals)),
    }
    expression = with_settled_signs(_complete(expression, EXPRESSION_SIZE, mesh, identity))
    identity = with_settled_signs(_complete(identity, IDENTITY_SIZE, mesh, expression))
    model = MorphableModel()
    model.mean.copy_(template)
    model.expression_basis.copy_(expression.reshape(-1, VERTICES, 3))
    model.identity_basis.copy_(identity.reshape(-1, VERTICES, 3))
    model.expression_deviation.fill_(HARMONIC_DEVIATION)[: deviation.shape[0]] = deviation
    model.identity_deviation.fill_(HARMONIC_DEVIATION)[: identity_deviation.shape[0]] = identity_deviation
    return model, facts


def with_settled_signs(components: Tensor) -> Tensor:
    """Components (K, N), each turned to the same side of a plane that no symmetry of the face lies in.

    A principal component is as good with its sign reversed, and which of both comes out depends on the last digits: a
    model made on another machine would take coefficients for their opposites.
    """
    side = components @ torch.randn(components.shape[1], generator=torch.Generator().manual_seed(0))
    return torch.where(side[:, None] < 0, -components, components)


def align_clip(clip: ClipTrack, template: Tensor) -> AlignedClip:
    """Bring a clip's usable frames to the canonical frame by their stable points."""
    points = to_picture_frame(clip.points, clip.width, clip.height)
    points = points[~points.isnan().any(-1).any(-1)]
    similarity = similarity_between(template[None, list(STABLE)], points[:, list(STABLE)])
    frontal = angles_from_rotation(similarity.rotation)[:, :2].abs().amax(1) < MAX_ANGLE
    vertices = similarity.invert(points)[frontal]
    speaker = clip.name if clip.corpus == "motion" else clip.corpus
    step = max(1, vertices.shape[0] // MAX_FRAMES_A_CLIP)
    return AlignedClip(speaker, vertices[::step])


def mirror_permutation(mesh: FaceMesh) -> Tensor:
    """Index (478,) of each vertex's partner on the other side of the face."""
    flipped = mesh.canonical * torch.tensor((-1.0, 1.0, 1.0))
    partner = torch.cdist(flipped, mesh.canonical).argmin(1)
    # Irises are not in the canonical mesh: centre, then four points around it in the order right, top, left, bottom.
    swap = (0, 3, 2, 1, 4)
    left = [RIGHT_IRIS[i] for i in swap]
    right = [LEFT_IRIS[i] for i in swap]
    irises: dict[int, int] = dict(zip((*LEFT_IRIS, *RIGHT_IRIS), (*left, *right), strict=True))
    return torch.cat((partner, torch.tensor([irises[v] for v in range(partner.shape[0], VERTICES)])))


def _initial_template(mesh: FaceMesh) -> Tensor:
    """Canonical mesh in our unit; the irises, which it lacks, are set to zero and never used for alignment."""
    vertices = torch.cat((mesh.canonical, mesh.canonical.new_zeros(VERTICES - mesh.canonical.shape[0], 3)))
    return _normalised(vertices)


def _normalised(vertices: Tensor) -> Tensor:
    return vertices / (vertices[33] - vertices[263]).norm()


def _neutral_faces(clips: list[ClipTrack], template: Tensor) -> tuple[list[AlignedClip], dict[str, Tensor]]:
    """All clips aligned to ``template``, and the median face (478, 3) of each speaker."""
    aligned = [align_clip(clip, template) for clip in clips]
    by_speaker: dict[str, list[Tensor]] = {}
    for clip in aligned:
        if clip.vertices.shape[0] >= 5:
            by_speaker.setdefault(clip.speaker, []).append(clip.vertices)
    return aligned, {speaker: torch.cat(parts).median(0).values for speaker, parts in by_speaker.items()}


def _expression_components(
    aligned: list[AlignedClip], neutrals: dict[str, Tensor], mirror: Tensor
) -> tuple[Tensor, Tensor]:
    """Principal components (E, 478 * 3) of the frames' distance from their speaker's neutral face, with deviations.

    Talkers and motion clips count half each; every frame counts with its mirror image.
    """
    covariance = torch.zeros(2, VERTICES * 3, VERTICES * 3)
    counts = torch.zeros(2)
    for clip in aligned:
        if clip.speaker not in neutrals:
            continue
        residual = clip.vertices - neutrals[clip.speaker]
        residual = torch.cat((residual, _mirrored(residual, mirror))).flatten(1)
        half = int(clip.speaker.startswith("grid"))
        covariance[half] += residual.T @ residual
        counts[half] += residual.shape[0]
    total = (covariance / counts[:, None, None]).mean(0)
    values, vectors = torch.linalg.eigh(total.double())
    values, vectors = values.flip(0).float(), vectors.flip(1).T.float()
    learned = int((values.cumsum(0) / values.sum() < EXPLAINED).sum()) + 1
    return vectors[:learned], values[:learned].sqrt()


def _identity_components(
    neutrals: dict[str, Tensor], mean: Tensor, expression: Tensor, mirror: Tensor
) -> tuple[Tensor, Tensor]:
    """Principal components (I, 478 * 3) of the speakers' neutral faces, orthogonal to the expressions."""
    faces = torch.stack([face - mean for face in neutrals.values()])
    faces = torch.cat((faces, _mirrored(faces, mirror))).flatten(1)
    faces = faces - (faces @ expression.T) @ expression
    _, singular, vectors = torch.linalg.svd(faces, full_matrices=False)
    values = singular / faces.shape[0] ** 0.5
    learned = min(int((values > HARMONIC_DEVIATION).sum()), IDENTITY_SIZE)
    return vectors[:learned], values[:learned]


def _complete(learned: Tensor, size: int, mesh: FaceMesh, used: Tensor) -> Tensor:
    """Orthonormal rows (size, 478 * 3): ``learned``, then the smoothest displacements orthogonal to it and ``used``."""
    rows = list(learned)
    taken = torch.cat((used, learned))
    for candidate in _harmonics(mesh, 2 * size):
        if len(rows) == size:
            break
        for _ in range(2):  # twice, because one Gram-Schmidt pass loses orthogonality in float32
            candidate = candidate - (taken @ candidate) @ taken
        norm = candidate.norm()
        if norm > 0.1:
            rows.append(candidate / norm)
            taken = torch.cat((taken, rows[-1][None]))
    return torch.stack(rows)


def _harmonics(mesh: FaceMesh, count: int) -> Tensor:
    """The ``count`` smoothest eigenvectors of the mesh's Laplacian, each along x, y and z, as rows (., 478 * 3)."""
    adjacency = torch.zeros(VERTICES, VERTICES)
    for a, b in ((0, 1), (1, 2), (2, 0)):
        adjacency[mesh.triangles[:, a], mesh.triangles[:, b]] = 1
    for iris, eye in ((LEFT_IRIS, LEFT_EYE_CORNERS), (RIGHT_IRIS, RIGHT_EYE_CORNERS)):
        for vertex in iris:  # an iris moves with the corners of its eye
            adjacency[vertex, list(eye)] = 1
    adjacency = torch.maximum(adjacency, adjacency.T)
    laplacian = torch.diag(adjacency.sum(1)) - adjacency
    waves = torch.linalg.eigh(laplacian.double()).eigenvectors[:, 1 : count // 3 + 2].T.float()
    rows = torch.zeros(waves.shape[0], 3, VERTICES, 3)
    for axis in range(3):
        rows[:, axis, :, axis] = waves
    return rows.flatten(0, 1).flatten(1)


def _mirrored(vertices: Tensor, mirror: Tensor) -> Tensor:
    """Reflect (..., 478, 3) at the face's plane of symmetry."""
    return vertices[..., mirror, :] * vertices.new_tensor((-1.0, 1.0, 1.0))
