"""The figures of ``motion`` as rows, with the targets they are held to."""

from __future__ import annotations

from ..metrics.diversity import HeadDiversity
from ..metrics.report import Row
from .motion import Figures, HeadFigures, IdentityFigures, MouthFigures, SilenceFigures
from .phonemes import PhonemeFigures

SAME_CORPUS, OTHER_CORPORA = 0.72, 0.32
"""Targets of the opening's correlation for speakers never trained on."""
SPREAD = (0.8, 1.2)
ORDER, CLOSURE, SILENCE = 0.9, 0.85, 0.05
DIVERSITY_TOLERANCE = 0.25
IDENTITY_TOLERANCE = 0.03


def motion_rows(results: dict[str, Figures | str], *, same_corpus: bool = False) -> list[Row]:
    """Rows of the table, in the order of the results.

    Args:
        same_corpus: the clips come from the corpus that ExpNet was trained on, which asks for more.
    """
    rows: list[Row] = []
    for name, figures in results.items():
        if isinstance(figures, str):
            rows.append(Row(name, figures))
        elif isinstance(figures, MouthFigures):
            rows.extend(_mouth_rows(figures, SAME_CORPUS if same_corpus else OTHER_CORPORA))
        elif isinstance(figures, PhonemeFigures):
            rows.extend(_phoneme_rows(figures))
        elif isinstance(figures, SilenceFigures):
            rows.extend(_silence_rows(figures))
        elif isinstance(figures, HeadFigures):
            rows.extend(_head_rows(figures))
        else:
            rows.append(_identity_row(figures))
    return rows


def clip_rows(figures: MouthFigures) -> list[Row]:
    """One row a clip: correlation, spread and best lag, beside loudness."""
    return [
        Row(
            f"{clip.name}: opening, correlation at lag 0",
            f"{clip.correlation:.3f} (spread {clip.spread:.2f}, best lag {clip.best_lag:+d})",
            f"loudness {clip.loudness_correlation:.3f} (best lag {clip.loudness_best_lag:+d})",
        )
        for clip in figures.clips
    ]


def _mouth_rows(mouth: MouthFigures, target: float) -> list[Row]:
    low, high = SPREAD
    return [
        Row(
            f"mouth opening, correlation at lag 0, mean of {len(mouth.clips)} clips",
            f"{mouth.correlation:.3f}",
            f"loudness-driven mouth {mouth.loudness_correlation:.3f}",
            f"≥ {target}, and above loudness",
            mouth.correlation >= target and mouth.correlation > mouth.loudness_correlation,
        ),
        Row(
            "best common lag, frames (above 0: the prediction is late)",
            f"{mouth.best_lag:+d} (r {mouth.best_lag_correlation:.3f})",
            f"loudness-driven mouth {mouth.loudness_best_lag:+d}",
            "0",
            mouth.best_lag == 0,
        ),
        Row("spread of the opening, predicted / tracked", f"{mouth.spread:.2f}", "", f"{low} – {high}",
            low <= mouth.spread <= high),
    ]  # fmt: skip


def _phoneme_rows(figures: PhonemeFigures) -> list[Row]:
    shares = (
        ("ɑ æ a open wider than i u", figures.open_over_close, figures.open_over_close_pairs, "pairs", ORDER),
        ("u o w narrower than i e", figures.rounded_under_spread, figures.rounded_under_spread_pairs, "pairs", ORDER),
        ("lower lip at f v above other sounds'", figures.lower_lip_raised, figures.lower_lip_raised_pairs, "pairs",
         ORDER),
        ("lips closed within ±2 frames of p b m", figures.lips_closed, figures.lips_closed_cases, "cases", CLOSURE),
    )  # fmt: skip
    return [
        Row(f"synthetic speech: {name}", f"{share:.1%}", f"{count} {unit}", f"≥ {target:.0%}", share >= target)
        for name, share, count, unit, target in shares
    ]


def _silence_rows(figures: SilenceFigures) -> list[Row]:
    cases = (
        ("digital silence", figures.digital, figures.digital_worst),
        ("room noise at -50 dB", figures.noise, figures.noise_worst),
    )
    return [
        Row(f"opening in {name}, share of the speaking range", f"{share:.1%}", f"worst face {worst:.1%}",
            f"< {SILENCE:.0%}", share < SILENCE)
        for name, share, worst in cases
    ]  # fmt: skip


def _head_rows(head: HeadFigures) -> list[Row]:
    ratio = head.diversity.mean / max(head.real_diversity.mean, 1e-9)
    diversity = Row(
        "head-pose diversity over seeds and styles, degrees (pitch, yaw, roll)",
        f"{head.diversity.mean:.2f} ({_angles(head.diversity)})",
        f"real clips {head.real_diversity.mean:.2f} ({_angles(head.real_diversity)})",
        f"within {DIVERSITY_TOLERANCE:.0%} of the real clips'",
        abs(ratio - 1) <= DIVERSITY_TOLERANCE,
    )
    return [_beat_row(head.beat_align, head.real_beat_align), diversity]


def _beat_row(made: float | None, real: float | None) -> Row:
    measure, target = "Beat Align of the head to speech onsets", "≥ the real clips'"
    if made is None or real is None:
        return Row(measure, "not measured: needs librosa (pip install librosa), and onsets in the clips", "", target)
    return Row(measure, f"{made:.3f}", f"real clips {real:.3f}", target, made >= real)


def _angles(diversity: HeadDiversity) -> str:
    return f"{diversity.pitch:.2f}, {diversity.yaw:.2f}, {diversity.roll:.2f}"


def _identity_row(figures: IdentityFigures) -> Row:
    lost = f", {figures.frames_without_face} without a face" if figures.frames_without_face else ""
    return Row(
        "identity: cosine of dlib's embedding, portrait and rendered frames",
        f"{figures.rendered:.4f} ({figures.frames} frames{lost})",
        f"neighbouring frames of the clips {figures.neighbours:.4f}",
        f"within {IDENTITY_TOLERANCE} of them",
        figures.neighbours - figures.rendered <= IDENTITY_TOLERANCE,
    )
