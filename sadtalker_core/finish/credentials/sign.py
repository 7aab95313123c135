"""Signs a finished file with c2pa-python, the library of the Content Authenticity Initiative, which is optional."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import SadTalkerError

MADE_BY_AI = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""What IPTC calls pictures made by a trained network."""
GENERATOR = "SadTalker Stages"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


def sign_file(source: Path, signed: Path, certificate: Path, key: Path) -> None:
    """Write ``signed``, a copy of the video or picture ``source`` that says in a signed note that AI made it.

    The note is a C2PA manifest with the action c2pa.created. Nothing is asked over the network, so that there is no
    time stamp of an authority.

    Args:
        certificate: PEM file with the certificates from the signer's to that of its root.
        key: PEM file with the signer's private key, without a password: EC, Ed25519 or RSA.

    Raises:
        SadTalkerError: c2pa-python is not installed, a file is missing, or the library refuses one.
    """
    c2pa = _library("c2pa")
    for what, path in (("file to sign", source), ("certificate", certificate), ("key", key)):
        if not path.is_file():
            raise SadTalkerError(f"Expected the {what} at {path}, but there is no such file.")
    if signed.resolve() == source.resolve():
        raise SadTalkerError(f"The signed copy cannot replace {source} itself. Give it another name.")
    key_bytes = key.read_bytes()
    manifest = {
        "claim_generator_info": [{"name": GENERATOR}],
        "title": signed.name,
        "assertions": [
            {
                "label": "c2pa.actions",
                "data": {"actions": [{"action": "c2pa.created", "digitalSourceType": MADE_BY_AI}]},
            }
        ],
    }
    info = c2pa.C2paSignerInfo(_algorithm(key_bytes, key), certificate.read_bytes(), key_bytes, None)
    signed.parent.mkdir(parents=True, exist_ok=True)
    try:
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(manifest) as builder:
            builder.sign_file(source, signed, signer)
    except c2pa.C2paError as error:
        signed.unlink(missing_ok=True)  # what the library had begun to write
        raise SadTalkerError(
            f"{source} cannot be signed: {error}. It must be a video or picture of a kind that carries C2PA, such as "
            "mp4; the certificates must be those of the key, signer first, and for signing documents."
        ) from error


def _algorithm(key_bytes: bytes, path: Path) -> str:
    """The name that C2PA has for the way of signing with a key."""
    serialization = _library("cryptography.hazmat.primitives.serialization")
    try:
        key: Any = serialization.load_pem_private_key(key_bytes, None)
    except (ValueError, TypeError) as error:
        raise SadTalkerError(f"Expected a private key in PEM form without a password in {path}; {error}") from error
    kind = type(key).__name__
    if "Ed25519" in kind:
        return "ed25519"
    if "RSA" in kind:
        return "ps256"
    curve = getattr(getattr(key, "curve", None), "name", "none")
    if curve not in _CURVES:
        raise SadTalkerError(f"Expected an EC key ({', '.join(_CURVES)}), an Ed25519 or RSA key; {path} has {kind}.")
    return _CURVES[curve]


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise SadTalkerError(
            "Content credentials need the package c2pa-python, which does not come with this pack. Install it with: "
            "pip install c2pa-python"
        ) from error
