"""What a measure needs beyond the pack itself, and what is said when it is not there."""

from __future__ import annotations

import importlib
from types import ModuleType

from ..errors import SadTalkerError


class NotMeasuredError(SadTalkerError):
    """A measure cannot be taken here; its text completes "not measured: needs ..."."""


def required_module(name: str, package: str) -> ModuleType:
    """Import a module that only development installs.

    Raises:
        NotMeasuredError: it is not installed; names the package on PyPI.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NotMeasuredError(f"{package} (pip install {package})") from error
