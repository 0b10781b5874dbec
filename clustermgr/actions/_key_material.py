"""Keys and certificates as an administrator gives them: checked, tidied, sealed. Nothing here tells them.

A form sends CRLF, an editor drops the last line's end: both are put right. What cannot be used is refused
with the rule and the fix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from clustermgr.core.findings import Finding, field_finding
from clustermgr.secrets import seal

TLS_TEXTS = ("tls_ca", "tls_cert", "tls_key")
TEXTS = ("ssh_key", *TLS_TEXTS)
PATHS = ("ssh_key_file", "tls_folder")
SECRETS = TEXTS + PATHS
LARGEST = 32 * 1024
LONGEST_PATH = 300
LABELS = {
    "ssh_key": "The private key",
    "tls_ca": "The CA certificate",
    "tls_cert": "The client certificate",
    "tls_key": "The client's key",
}


def tidy(given: Mapping[str, str]) -> dict[str, str]:
    """What was given, without empty fields, with line ends as files have them."""
    found = {name: str(given.get(name, "")) for name in SECRETS}
    texts = {name: found[name].replace("\r\n", "\n").replace("\r", "\n").strip() for name in TEXTS}
    paths = {name: found[name].strip() for name in PATHS}
    return {name: text + "\n" for name, text in texts.items() if text} | {k: v for k, v in paths.items() if v}


def wrong(given: Mapping[str, str], *, transport: str, now: datetime) -> list[Finding]:
    """Why what `tidy` gave cannot be used with this transport; a finding per field, never with its text."""
    found = [*_misplaced(given, transport), *_too_much(given), *_paths(given)]
    if found:
        return found
    if "ssh_key" in given:
        found += _of("ssh_key", _private(given["ssh_key"], "ssh_key"))
    tls = [name for name in TLS_TEXTS if name in given]
    if tls and len(tls) < 3:
        missing = [name for name in TLS_TEXTS if name not in given]
        return found + [
            field_finding(name, f"{LABELS[name]} is missing; TLS needs all three.") for name in missing
        ]
    return found + (_tls(given, now) if tls else [])


def means(given: Mapping[str, str], transport: str) -> str:
    """What it is, in words that a page may show."""
    if "ssh_key" in given:
        return "uploaded ssh key"
    if "ssh_key_file" in given:
        return "ssh key in a file of the workers"
    if "tls_key" in given:
        return "uploaded TLS certificate"
    if "tls_folder" in given:
        return "TLS certificate in a folder of the workers"
    return {"ssh": "the workers' own ssh keys", "tls": "the workers' own TLS certificate"}.get(
        transport, "no sign-in"
    )


def sealed(given: Mapping[str, str]) -> str:
    """For a column; empty when there is nothing to keep."""
    return seal(json.dumps(dict(given))) if given else ""


def _misplaced(given: Mapping[str, str], transport: str) -> list[Finding]:
    for_ssh = [name for name in given if name.startswith("ssh_") and transport != "ssh"]
    for_tls = [name for name in given if name.startswith("tls_") and transport != "tls"]
    return [
        field_finding(name, f"This is for {kind}, and the address does not use it. Leave it empty.")
        for names, kind in ((for_ssh, "qemu+ssh"), (for_tls, "qemu+tls"))
        for name in names
    ]


def _too_much(given: Mapping[str, str]) -> list[Finding]:
    rule = f"is larger than {LARGEST // 1024} kB, which no key is. Give the key's own file."
    found = [
        field_finding(name, f"{LABELS[name]} {rule}") for name in TEXTS if len(given.get(name, "")) > LARGEST
    ]
    if "ssh_key" in given and "ssh_key_file" in given:
        found.append(field_finding("ssh_key_file", "Give the key itself or the path of its file, not both."))
    if "tls_folder" in given and any(name in given for name in TLS_TEXTS):
        found.append(
            field_finding("tls_folder", "Give the certificates or the path of their folder, not both.")
        )
    return found


def _paths(given: Mapping[str, str]) -> list[Finding]:
    rule = (
        "Give a whole path, such as /etc/clustermgr/id_ed25519: it begins with “/” and has at most "
        f"{LONGEST_PATH} printable characters. The file lies on the machines where the workers run."
    )
    return [
        field_finding(name, rule)
        for name in PATHS
        if name in given
        and not (
            given[name].startswith("/") and given[name].isprintable() and len(given[name]) <= LONGEST_PATH
        )
    ]


def _of(name: str, sentence: str) -> list[Finding]:
    return [field_finding(name, sentence)] if sentence else []


def _private(text: str, name: str) -> str:
    """Why this text is no private key that a program can use, or nothing."""
    try:
        _loaded(text)
    except TypeError:
        return (
            f"{LABELS[name]} is protected by a passphrase, which nobody is there to type. Give a key without "
            "one: make a copy and run ssh-keygen -p -N '' -f COPY, or make a key for this purpose alone."
        )
    except (ValueError, UnsupportedAlgorithm):
        return _not_private(text, name)
    return ""


def _loaded(text: str) -> Any:
    content = text.encode("utf-8", "replace")
    if "BEGIN OPENSSH PRIVATE KEY" in text:
        return serialization.load_ssh_private_key(content, None)
    return serialization.load_pem_private_key(content, None)


def _not_private(text: str, name: str) -> str:
    if text.startswith(("ssh-", "ecdsa-", "sk-")) or "PUBLIC KEY" in text:
        return (
            f"{LABELS[name]} is a public key. Give the private one: the file of the same name without .pub."
        )
    if text.startswith("PuTTY-User-Key-File"):
        turn = "puttygen KEY.ppk -O private-openssh -o KEY"
        return f"{LABELS[name]} is in PuTTY's format. Turn it over first: {turn}"
    if "BEGIN CERTIFICATE" in text:
        return (
            f"{LABELS[name]} is a certificate, not a key. Give the file that begins with a PRIVATE KEY line."
        )
    return (
        f"{LABELS[name]} is not a private key, or a part of it is missing. Give the whole file, from its "
        "line BEGIN … PRIVATE KEY to its line END … PRIVATE KEY."
    )


def _tls(given: Mapping[str, str], now: datetime) -> list[Finding]:
    authority, certificate = _certificate(given["tls_ca"]), _certificate(given["tls_cert"])
    found = [
        field_finding(
            name,
            f"{LABELS[name]} is not a certificate. Give the whole PEM file, with its BEGIN CERTIFICATE line.",
        )
        for name, read in (("tls_ca", authority), ("tls_cert", certificate))
        if read is None
    ]
    found += _of("tls_key", _private(given["tls_key"], "tls_key"))
    if found or authority is None or certificate is None:
        return found
    if certificate.not_valid_after_utc <= now:
        ended = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
        found += _of("tls_cert", f"{LABELS['tls_cert']} ended on {ended}. Give one that is still good.")
    if _public(certificate.public_key()) != _public(_loaded(given["tls_key"]).public_key()):
        found += _of(
            "tls_key", "This key does not belong to the client certificate. Give the two of one pair."
        )
    return found


def _certificate(text: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(text.encode("utf-8", "replace"))
    except ValueError:
        return None


def _public(key: Any) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.PEM, form))
