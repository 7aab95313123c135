"""The published files, written once a run. They are large, and pytest would keep those of the last three runs."""

from __future__ import annotations

import os
import shutil

import pytest
from sadtalker_pack.tests.support.official_files import SINGLE_FILE, write_published

LARGE, SMALL = SINGLE_FILE.format(size=512), SINGLE_FILE.format(size=256)


@pytest.fixture
def tmp_path(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Path of a published file; ``zipped`` as in ``write_published``."""
    folder = tmp_path_factory.mktemp("published")

    def find(name, *, zipped=True):
        path = folder / ("new" if zipped else "old") / name
        if not path.exists() and name == LARGE:
            os.link(find(SMALL), path)  # the same names, and by rule the same values
        elif not path.exists():
            write_published(name, path.parent, zipped=zipped)
        return path

    yield find
    shutil.rmtree(folder)


@pytest.fixture
def gather(files, tmp_path):
    """Puts published files into one folder, ``renamed`` from their names to others if wanted; gives the folder."""

    def link(*names, renamed=None, zipped=True):
        for source, target in {**dict(zip(names, names, strict=True)), **(renamed or {})}.items():
            os.link(files(source, zipped=zipped), tmp_path / target)
        return tmp_path

    return link
