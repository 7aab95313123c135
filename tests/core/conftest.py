"""What many tests of the core share: the open pack, and the published files of SadTalker, written once a run."""

from __future__ import annotations

import os
import shutil

import pytest
from sadtalker_pack.sadtalker_core.packs.open.load import load_open_pack
from sadtalker_pack.tests.support.official_files import SINGLE_FILE, write_published

LARGE, SMALL = SINGLE_FILE.format(size=512), SINGLE_FILE.format(size=256)


@pytest.fixture(scope="session")
def pack():
    """The open pack. Nobody may change it: tests that need another one take ``dataclasses.replace``."""
    return load_open_pack()


@pytest.fixture(scope="session")
def model(pack):
    """The open pack's 3DMM."""
    return pack.vertices


@pytest.fixture(scope="session")
def landmarker(pack):
    return pack.landmarker


@pytest.fixture
def tmp_path(tmp_path):
    """Removed at once: published files are large, and pytest would keep those of the last three runs."""
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
