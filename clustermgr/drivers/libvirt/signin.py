"""An address and credentials as the URI that libvirt opens: ssh with a pinned host key, TLS with its files.

The URI and every command line hold paths only. docs/decisions/ says why ssh goes through a wrapper.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from clustermgr.core.addresses import Address, BadAddress, parse
from clustermgr.drivers.contract import Credentials, Refused
from clustermgr.drivers.libvirt import keys

ALIAS = "pinned"  # the name in its known_hosts file, whatever its address
HOST_KEY = re.compile(
    r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-\S+@openssh\.com) ([\w+/]+={0,3})(?: .*)?",
    re.ASCII,
)
LOCKED_KEY = (
    "The private key has a passphrase, and nobody is there to type it. Give a key without one, made for the"
    " manager: ssh-keygen -t ed25519 -N '' -f manager-key"
)
CERTIFICATES = ("cacert.pem", "clientcert.pem", "clientkey.pem")

#: ssh never asks, never waits for ever, trusts the pinned key alone and offers nothing but its key.
#: FATAL: libvirt drops what ssh says when it is longer than 1024 bytes, as the warning of a changed key is.
#: 5 s x 3: a host that fell silent ends the ssh process after 15 s, also when nobody waits for it any more.
CONFIG = """Host *
BatchMode yes
ConnectTimeout 10
ConnectionAttempts 1
ServerAliveInterval 5
ServerAliveCountMax 3
StrictHostKeyChecking yes
UserKnownHostsFile "{folder}/known_hosts"
GlobalKnownHostsFile /dev/null
HostKeyAlias pinned
CheckHostIP no
UpdateHostKeys no
VerifyHostKeyDNS no
PreferredAuthentications publickey
ClearAllForwardings yes
ForwardAgent no
ForwardX11 no
ControlMaster no
ControlPath none
PermitLocalCommand no
EscapeChar none
RequestTTY no
LogLevel FATAL
"""
ONLY_KEY = """IdentitiesOnly yes
IdentityAgent none
IdentityFile "{key}"
"""
#: Never asking and never waiting for ever hold for the account's own configuration, too.
OWN_ACCOUNT = (
    "-o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=5 -o ServerAliveCountMax=3",
    "-o StrictHostKeyChecking=yes -o ForwardAgent=no -o ForwardX11=no -o LogLevel=FATAL",
)


def read_address(text: str) -> Address:
    """Raises Refused: an address of a row that was never looked at by a form opens nothing either."""
    try:
        return parse(text, sockets=True)
    except BadAddress as wrong:
        raise Refused(str(wrong)) from wrong


def uri_for(text: str, credentials: Credentials | None = None) -> str:
    """What to open. Writes the key material into this process's private folder. Raises Refused."""
    address, given = read_address(text), credentials or Credentials()
    if address.transport == "ssh":
        return f"{address.text}?no_tty=1&command={quote(str(_ssh_program(given)), safe='/')}"
    if address.transport == "tls":
        folder = _certificates(given)
        return f"{address.text}?pkipath={quote(str(folder), safe='/')}" if folder else address.text
    return address.text


# -- ssh --
def _ssh_program(given: Credentials) -> Path:
    """A program of one line that is ssh with our configuration, and nobody else's.

    A host of which nothing is given (it was imported) is signed in to as the workers' account does by itself,
    with its own known hosts; where a host key is pinned and no key given, with that account's keys.
    """
    ssh = shutil.which("ssh")
    if ssh is None:
        raise Refused("The program ssh is missing on the manager's machine. Install openssh-client there.")
    if given == Credentials():
        return keys.keep({"ssh": _wrapper(ssh, *OWN_ACCOUNT)}, programs=frozenset({"ssh"})) / "ssh"
    config, files = CONFIG, {"known_hosts": known_hosts(given.host_key)}
    files["ssh"] = _wrapper(ssh, "-F", '"${0%/*}/config"')
    if given.ssh_key.strip():
        files["key"] = private_key(given.ssh_key)
        config += ONLY_KEY.format(key="{folder}/key")
    elif given.ssh_key_file.strip():
        config += ONLY_KEY.format(key=_escaped(_readable_key(given.ssh_key_file.strip())))
    files["config"] = config
    return keys.keep(files, programs=frozenset({"ssh"})) / "ssh"


def _wrapper(ssh: str, *words: str) -> str:
    return f'#!/bin/sh\nexec {shlex.quote(ssh)} {" ".join(words)} "$@"\n'


def known_hosts(host_key: str) -> str:
    """The pinned lines under our alias. Raises Refused when there is none, or one that is no public key."""
    lines = [line.strip() for line in host_key.splitlines() if line.strip()]
    if not lines:
        raise Refused(
            "The host's key is not confirmed yet. Test the connection, compare the key, and confirm it."
        )
    return "".join(f"{ALIAS} {plain(line)}\n" for line in lines)


def plain(line: str) -> str:
    """A public key without its comment: "ssh-ed25519 AAAA…"."""
    found = HOST_KEY.fullmatch(line)
    if found is None:
        raise Refused(f"“{line[:40]}” is no public host key. It looks like: ssh-ed25519 AAAA…")
    return f"{found[1]} {found[2]}"


def private_key(text: str) -> str:
    """Tidied. Raises Refused for what ssh would refuse without saying why."""
    if re.match(r"\s*(ssh-|ecdsa-|sk-)", text):
        raise Refused("This is a public key. Give the private one: it begins with -----BEGIN.")
    if "PRIVATE KEY-----" not in text:
        raise Refused("This is no private key: it begins with -----BEGIN … PRIVATE KEY-----.")
    body = re.sub(r"-----[^-]*-----|\s", "", text)
    with suppress(ValueError):
        opened = base64.b64decode(body)
        # OpenSSH's own format names the cipher right after its first 15 bytes.
        if opened.startswith(b"openssh-key-v1") and opened[15:23] != b"\0\0\0\4none":
            raise Refused(LOCKED_KEY)
    if "ENCRYPTED" in text:
        raise Refused(LOCKED_KEY)
    return tidy(text)


def tidy(pem: str) -> str:
    """As OpenSSH wants it: no carriage returns of an upload, one line feed at the end."""
    return pem.replace("\r\n", "\n").replace("\r", "\n").strip() + "\n"


def _readable_key(text: str) -> str:
    path = Path(text)
    if not path.is_absolute() or not text.isprintable() or '"' in text or "\\" in text:
        raise Refused(f"{text!r} is no path of a key: it begins with / and has no quotes in it.")
    try:
        with path.open("rb") as file:
            file.read(1)
        open_to_others = path.stat().st_mode & 0o077 and path.stat().st_uid == os.geteuid()
    except OSError as error:
        raise Refused(
            f"The key file {text} cannot be read on the manager's machine: {error.strerror}. Every machine"
            " with workers needs it, readable for the manager's user.",
            raw=str(error),
        ) from error
    if open_to_others:
        raise Refused(f"Others may read the key file {text}, so ssh does not use it. Run: chmod 600 {text}")
    return text


def _escaped(path: str) -> str:
    """ssh_config replaces % and ${} in paths."""
    if "${" in path:
        raise Refused(f"{path} is no path of a key: it may not hold ${{.")
    return path.replace("%", "%%")


# -- TLS --
def _certificates(given: Credentials) -> Path | None:
    """The folder of the client's certificates; None leaves the machine's own to libvirt (/etc/pki)."""
    texts = (given.tls_ca, given.tls_cert, given.tls_key)
    if any(text.strip() for text in texts):
        lacks = [
            name
            for name, text in zip(("CA's certificate", "certificate", "private key"), texts, strict=True)
            if not text.strip()
        ]
        if lacks:
            raise Refused(
                f"TLS needs the CA's certificate, a certificate and its key; missing: {', '.join(lacks)}."
            )
        return keys.keep({name: tidy(text) for name, text in zip(CERTIFICATES, texts, strict=True)})
    if not given.tls_folder.strip():
        return None
    folder = Path(given.tls_folder.strip())
    if not folder.is_absolute():
        raise Refused(f"{folder} is no path of a folder: it begins with /.")
    unreadable = [name for name in CERTIFICATES if not os.access(folder / name, os.R_OK)]
    if unreadable:
        raise Refused(
            f"{', '.join(unreadable)} cannot be read in {folder} on the manager's machine. Every machine with"
            " workers needs them, readable for the manager's user."
        )
    return folder
