import pytest
from sadtalker_pack.sadtalker_core.errors import SadTalkerError


@pytest.fixture(scope="session")
def synthesiser():
    """espeak-ng, ready to speak; tests that need it are skipped without it."""
    from sadtalker_pack.sadtalker_core.training import phoneme_speech

    try:
        phoneme_speech.voices()
    except SadTalkerError as error:
        pytest.skip(str(error))
    return phoneme_speech
