"""What the training loops share about loss terms."""

from __future__ import annotations

from torch import Tensor


def running_means(means: dict[str, float], terms: dict[str, Tensor], decay: float = 0.98) -> dict[str, float]:
    """Exponential running mean of each named loss term; the first value starts it."""
    values = {name: float(term.detach()) for name, term in terms.items()}
    return {name: decay * means.get(name, value) + (1 - decay) * value for name, value in values.items()}
