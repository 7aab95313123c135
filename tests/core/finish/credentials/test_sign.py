"""Content credentials: what a signed file says, and what is refused. Certificates are made here."""

from __future__ import annotations

import datetime
import json
import sys

import numpy as np
import pytest
from PIL import Image
from sadtalker_pack.sadtalker_core.errors import SadTalkerError
from sadtalker_pack.sadtalker_core.finish.credentials.__main__ import main
from sadtalker_pack.sadtalker_core.finish.credentials.sign import GENERATOR, MADE_BY_AI, sign_file


@pytest.fixture
def c2pa():
    return pytest.importorskip("c2pa", reason="c2pa-python is not installed")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.jpg"
    Image.fromarray(np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)).save(path)
    return path


def write_identity(folder, kind):
    """A root's and a signer's certificate, signer first, and the signer's key; their paths."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    now = datetime.datetime.now(datetime.timezone.utc)

    def named(name):
        attributes = (NameOID.ORGANIZATION_NAME, "Test"), (NameOID.COMMON_NAME, name)
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])

    def certificate(name, key, by, is_root):
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
             "decipher_only"), False
        )  # fmt: skip
        made = (
            x509.CertificateBuilder(named("root"), named(name), key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_root, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, crl_sign=is_root, **usage), True
            )
        )
        if not is_root:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        return made.sign(by, hashes.SHA256())

    root = ec.generate_private_key(ec.SECP256R1())
    key = {
        "ec": lambda: ec.generate_private_key(ec.SECP384R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa": lambda: rsa.generate_private_key(65537, 2048),
    }[kind]()
    chain = (certificate("signer", key, root, False), certificate("root", root, root, True))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(b"".join(each.public_bytes(pem) for each in chain))
    paths[1].write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return paths


@pytest.mark.parametrize("kind", ["ec", "ed25519", "rsa"])
def test_a_signed_file_says_that_it_is_made_by_ai(c2pa, tmp_path, picture, kind, capsys):
    certificate, key = write_identity(tmp_path, kind)
    assert main(["sign", str(picture), "--certificate", str(certificate), "--key", str(key)]) == 0
    signed = tmp_path / "picture-signed.jpg"
    assert capsys.readouterr().out.strip() == str(signed)
    with c2pa.Reader(str(signed)) as reader:
        assert reader.get_validation_state() == "Valid"
        store = json.loads(reader.json())
    manifest = store["manifests"][store["active_manifest"]]
    assert manifest["claim_generator_info"][0]["name"] == GENERATOR
    actions = [each["data"]["actions"] for each in manifest["assertions"] if each["label"].startswith("c2pa.actions")]
    assert [(each["action"], each["digitalSourceType"]) for each in actions[0]] == [("c2pa.created", MADE_BY_AI)]
    assert np.array_equal(np.asarray(Image.open(signed)), np.asarray(Image.open(picture)))


def test_a_change_afterwards_is_noticed(c2pa, tmp_path, picture):
    signed = tmp_path / "signed.jpg"
    sign_file(picture, signed, *write_identity(tmp_path, "ec"))
    changed = bytearray(signed.read_bytes())
    changed[-100] ^= 1
    signed.write_bytes(changed)
    with c2pa.Reader(str(signed)) as reader:
        assert reader.get_validation_state() == "Invalid"


class TestBadInput:
    def test_without_the_package_its_name_is_told(self, tmp_path, picture, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "c2pa", None)
        with pytest.raises(SadTalkerError, match="pip install c2pa-python"):
            sign_file(picture, tmp_path / "a.jpg", picture, picture)
        assert main(["sign", str(picture), "--certificate", "c", "--key", "k"]) == 1
        assert "pip install c2pa-python" in capsys.readouterr().err

    def test_a_missing_file_is_named(self, c2pa, tmp_path, picture):
        with pytest.raises(SadTalkerError, match="certificate at .*gone"):
            sign_file(picture, tmp_path / "a.jpg", tmp_path / "gone", picture)

    def test_the_original_is_not_overwritten(self, c2pa, tmp_path, picture):
        before = picture.read_bytes()
        with pytest.raises(SadTalkerError, match="another name"):
            sign_file(picture, picture, *write_identity(tmp_path, "ec"))
        assert picture.read_bytes() == before

    def test_no_key(self, c2pa, tmp_path, picture):
        certificate, _ = write_identity(tmp_path, "ec")
        with pytest.raises(SadTalkerError, match="private key in PEM form"):
            sign_file(picture, tmp_path / "a.jpg", certificate, picture)

    def test_the_key_of_another(self, c2pa, tmp_path, picture):
        certificate, _ = write_identity(tmp_path, "ec")
        other = tmp_path / "other"
        other.mkdir()
        _, key = write_identity(other, "rsa")
        with pytest.raises(SadTalkerError, match=r"picture\.jpg cannot be signed"):
            sign_file(picture, tmp_path / "a.jpg", certificate, key)
        assert not (tmp_path / "a.jpg").exists()

    def test_what_carries_no_credentials(self, c2pa, tmp_path):
        text = tmp_path / "notes.txt"
        text.write_text("no video")
        with pytest.raises(SadTalkerError, match=r"notes\.txt cannot be signed"):
            sign_file(text, tmp_path / "a.txt", *write_identity(tmp_path, "ec"))
