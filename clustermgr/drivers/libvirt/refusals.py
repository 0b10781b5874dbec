"""Why a connection did not come about: what ssh, TLS and libvirt say, as sentences with what to do."""

from __future__ import annotations

import re

from clustermgr.drivers.contract import AgentDown, DriverError, HostUnreachable, Refused
from clustermgr.drivers.libvirt import handshake
from clustermgr.drivers.libvirt.signin import ALIAS

CHANGED_KEY = (
    "The host shows another host key than the pinned one. Somebody installed it anew, or another machine"
    " answers in its place. If you know why, test the connection again, compare the new key and confirm it."
)
UNKNOWN_KEY = (
    "Nobody has confirmed this host's key yet. Test the connection from here, compare the key that is shown"
    " and confirm it, or put it into the known hosts of the workers' account."
)
#: What is said -> what it means. The first that fits counts. Seen with libvirt 9.0, OpenSSH 9.2, GnuTLS 3.7.
KNOWN: tuple[tuple[str, type[DriverError], str], ...] = (
    # ssh; what it says of a pinned key names the alias under which it is pinned
    (rf"host key is known for (?!{ALIAS}\b)", Refused, UNKNOWN_KEY),
    (r"Host key verification failed|REMOTE HOST IDENTIFICATION|host key is known for", Refused, CHANGED_KEY),
    (
        r"no matching host key type",
        Refused,
        "The host no longer has a key of the pinned kind. Test the connection again and confirm the new key.",
    ),
    (
        r"error in libcrypto|invalid format",
        Refused,
        "The private key cannot be read: give it whole, from its BEGIN line to its END line.",
    ),
    (
        r"(sock|helper)\S*:.*Permission denied|authentication unavailable|polkit",
        Refused,
        "The user signed in, but may not use libvirt. Add the user to the host's group libvirt.",
    ),
    (
        r"Permission denied \(|Too many authentication failures|sign_and_send_pubkey",
        Refused,
        "The host refused the sign-in. Add the public key to the user's authorized_keys on the host, check"
        " the user's name, and use a key without passphrase.",
    ),
    (
        r"(command not found|nc: not found).*|virt-ssh-helper: not found|nc: command",
        AgentDown,
        "The host let us in, but has no libvirt. Install its libvirt daemon.",
    ),
    # TLS
    (
        r"Cannot read CA certificate|Cannot read client (certificate|key)|Unable to (load|import) .*cert",
        Refused,
        "The certificates for this host are missing or cannot be read. Give the CA's certificate, a client"
        " certificate and its key.",
    ),
    (
        r"client certificate .* has expired|Our own certificate.*expired",
        Refused,
        "The manager's own certificate has expired. Make a new one and give it here.",
    ),
    (
        r"CA certificate .* has expired",
        Refused,
        "The certificate of the CA has expired. Make a new one, and certificates that it signs.",
    ),
    (
        r"Our own certificate",
        Refused,
        "The manager's certificate is not signed by the given CA. Give the CA that signed both sides.",
    ),
    (
        r"given key do not match",
        Refused,
        "The manager's certificate and its key do not belong together.",
    ),
    (
        r"server verification",
        Refused,
        "The host does not take the manager's certificate. See tls_allowed_dn_list in its libvirtd.conf.",
    ),
    (
        r"Failed to verify peer's certificate|TLS handshake|Certificate failed validation"
        r"|read TLS confirmation",
        Refused,
        "The host and the manager do not trust each other's certificates. Check that one CA signed both.",
    ),
    # libvirt
    (r"authentication", Refused, "The libvirt daemon asks for a sign-in that the manager does not have."),
    (
        r"Connection refused|libvirt-sock|virtqemud-sock",
        AgentDown,
        "The host answers, but its libvirt daemon does not. Start libvirtd or virtqemud on it.",
    ),
    (
        r"resolve hostname|Name or service not known|name resolution|unable to resolve",
        HostUnreachable,
        "The host's name is not known to the manager's name service. Check it, or use its IP address.",
    ),
    (r"timed out|No route to host|unreachable", HostUnreachable, "The host does not answer."),
)


def open_error(raw: str, uri: str = "") -> DriverError:
    """The contract's error for libvirt's words when `uri` could not be opened. May ask the host once more."""
    flat = " ".join(raw.split())
    if "Failed to verify peer's certificate" in flat and (reason := handshake.why(uri)):
        return Refused(reason, raw=raw)
    for pattern, kind, sentence in KNOWN:
        if re.search(pattern, flat, re.IGNORECASE):
            return kind(sentence, raw=raw)
    return HostUnreachable("The libvirt daemon could not be reached.", raw=raw)
