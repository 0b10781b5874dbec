"""Why a host's certificate was not accepted. libvirt says only that it was not."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from clustermgr.core.addresses import PORTS

SECONDS = 3.0
CA = "/etc/pki/CA/cacert.pem"  # where libvirt looks when it is told no folder
EXPIRED, NOT_YET, WRONG_NAMES = 10, 9, {62, 64}  # OpenSSL's X509_V_ERR_*


def why(uri: str) -> str:
    """A sentence, or "" when the second look finds nothing wrong or nobody answers it. Never raises."""
    parts = urlsplit(uri)
    folder = parse_qs(parts.query).get("pkipath", [""])[0]
    authority = Path(folder, "cacert.pem") if folder else Path(CA)
    host, port = parts.hostname or "", parts.port or PORTS["tls"]
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(authority)
        with socket.create_connection((host, port), timeout=SECONDS) as plain:
            context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLCertVerificationError as refused:
        return sentence(refused.verify_code, host)
    except (
        OSError,
        ValueError,
    ):  # without our own certificate the host ends the handshake late, or not at all
        return ""
    return ""


def sentence(code: int, host: str) -> str:
    """`code`: OpenSSL's number of what is wrong with the certificate that `host` shows."""
    if code == EXPIRED:
        return (
            "The host's certificate, or its CA's, has expired. Make a new one and restart the host's daemon."
        )
    if code == NOT_YET:
        return "The host's certificate is not valid yet. Compare the clocks of the host and of the manager."
    if code in WRONG_NAMES:
        return (
            f"The host's certificate is not for {host}. Use a name that it holds, or make one for this name."
        )
    return (
        "The host's certificate is signed by another CA than the one given here. Give the CA that signed it."
    )
