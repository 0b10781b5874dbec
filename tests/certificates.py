"""Certificates for tests of TLS: a CA, and what it signs. Made anew each time, nothing is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clustermgr.drivers.contract import Credentials

DAY = timedelta(days=1)


class Authority:
    """One CA. `server` and `client` give (certificate, key) as PEM."""

    def __init__(self, name: str = "Lab CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = named(name)
        builder = self._builder(self._name, self._key, days=30)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = pem(builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256()))

    def server(self, address: str, *, days: int = 30) -> tuple[str, str]:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        return self._signed(address, ExtendedKeyUsageOID.SERVER_AUTH, days, names)

    def client(self, *, days: int = 30) -> tuple[str, str]:
        return self._signed("manager", ExtendedKeyUsageOID.CLIENT_AUTH, days, None)

    def credentials(self, *, days: int = 30) -> Credentials:
        certificate, key = self.client(days=days)
        return Credentials(tls_ca=self.pem, tls_cert=certificate, tls_key=key)

    def write_server(self, folder: Path, address: str, *, days: int = 30) -> Path:
        """As the lab's nodes take them."""
        certificate, key = self.server(address, days=days)
        texts = {"cacert.pem": self.pem, "servercert.pem": certificate, "serverkey.pem": key}
        for name, text in texts.items():
            (folder / name).write_text(text)
        return folder

    def _signed(
        self, name: str, use: x509.ObjectIdentifier, days: int, names: x509.SubjectAlternativeName | None
    ) -> tuple[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(named(name), key, days=days)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return pem(builder.sign(self._key, hashes.SHA256())), private(key)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
    ) -> x509.CertificateBuilder:
        """`days` below 0: expired that long ago."""
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 20 * DAY)
            .not_valid_after(now + days * DAY)
        )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
