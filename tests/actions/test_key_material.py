"""Keys as they are pasted and uploaded: put right where a form spoils them, else refused with the fix."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from clustermgr.actions import _key_material as keys

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def private(form: Any, encryption: Any = None) -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    plain = encryption or serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


OPENSSH, PKCS8 = serialization.PrivateFormat.OpenSSH, serialization.PrivateFormat.PKCS8
KEY = private(OPENSSH)
LOCKED = private(PKCS8, serialization.BestAvailableEncryption(b"secret"))


def pair(days: int = 30) -> tuple[str, str]:
    """A certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW - timedelta(9)).not_valid_after(NOW + timedelta(days))
    pem = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    text = key.private_bytes(serialization.Encoding.PEM, PKCS8, serialization.NoEncryption())
    return pem.decode(), text.decode()


CERT, ITS_KEY = pair()
TLS = {"tls_ca": CERT, "tls_cert": CERT, "tls_key": ITS_KEY}


def sentence(given: dict[str, str], transport: str = "ssh") -> str:
    found = keys.wrong(keys.tidy(given), transport=transport, now=NOW)
    return " ".join(f"{each.field}: {each.sentence}" for each in found)


@pytest.mark.parametrize("text", [KEY, private(PKCS8), KEY.replace("\n", "\r\n"), KEY.rstrip(), f"\n {KEY}"])
def test_a_good_key_is_taken_however_it_was_pasted(text: str) -> None:
    assert sentence({"ssh_key": text}) == ""
    assert keys.tidy({"ssh_key": text})["ssh_key"].endswith("PRIVATE KEY-----\n")
    assert "\r" not in keys.tidy({"ssh_key": text})["ssh_key"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", "not a private key, or a part of it is missing"),
        (KEY[: len(KEY) // 2], "a part of it is missing"),
        ("ssh-ed25519 AAAAC3Nz me@here", "is a public key. Give the private one"),
        ("PuTTY-User-Key-File-3: ssh-ed25519", "puttygen"),
        (CERT, "is a certificate, not a key"),
        (LOCKED, "protected by a passphrase, which nobody is there to type"),
        ("x" * 40_000, "larger than 32 kB"),
        ("\x00\x01", "not a private key"),
    ],
)
def test_a_bad_key_is_answered_with_the_rule_and_the_fix(text: str, words: str) -> None:
    said = sentence({"ssh_key": text})
    assert words in said
    assert text[:60] not in said or len(text) < 10


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tls_key": ""}, "tls_key: The client's key is missing; TLS needs all three."),
        ({"tls_ca": "nothing"}, "tls_ca: The CA certificate is not a certificate"),
        ({"tls_cert": pair(-1)[0]}, "tls_cert: The client certificate ended on 2026-03-01"),
        ({"tls_key": pair()[1]}, "tls_key: This key does not belong to the client certificate"),
        ({"tls_key": LOCKED}, "tls_key: The client's key is protected by a passphrase"),
        ({"tls_folder": "/etc/pki"}, "tls_folder: Give the certificates or the path"),
        ({"ssh_key": KEY}, "ssh_key: This is for qemu+ssh"),
    ],
)
def test_certificates_are_looked_at_as_three(changed: dict[str, str], words: str) -> None:
    assert sentence(TLS, "tls") == ""
    assert words in sentence(TLS | changed, "tls")


@pytest.mark.parametrize("path", ["id_ed25519", "~/key", "/a\nb", "/" + "x" * 300])
def test_a_path_is_whole(path: str) -> None:
    said = sentence({"ssh_key_file": path})
    assert "Give a whole path" in said
    assert said.count("printable characters") == 1
