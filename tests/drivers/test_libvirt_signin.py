"""Keys, pinned host keys and certificates on their way into a connection; needs no host."""

from __future__ import annotations

import shutil
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from clustermgr.core.addresses import parse
from clustermgr.drivers import registry
from clustermgr.drivers.contract import AgentDown, Credentials, DriverError, HostUnreachable, Refused
from tests.certificates import Authority
from tests.doors import make_key

pytest.importorskip("libvirt", reason="libvirt-python is not installed (requirements-libvirt.txt)")

from clustermgr.drivers.libvirt import handshake, keys, probing, refusals, signin

pytestmark = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="openssh-client is not installed")

PUBLIC = "ssh-ed25519 " + "A" * 68
ADDRESS = "qemu+ssh://root@hv-01/system"


@pytest.fixture(autouse=True)
def own_var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERMGR_VAR", str(tmp_path))
    monkeypatch.setattr(keys, "_own", None)


@pytest.fixture
def key(tmp_path: Path) -> str:
    make_key(tmp_path / "given")
    return (tmp_path / "given").read_text()


def program(given: Credentials) -> Path:
    return Path(parse_qs(urlsplit(signin.uri_for(ADDRESS, given)).query)["command"][0])


def test_a_key_becomes_private_files_and_the_uri_holds_paths_only(key: str) -> None:
    given = Credentials(ssh_key=key.replace("\n", "\r\n"), host_key=PUBLIC + " comment")
    folder = program(given).parent
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"config": 0o600, "key": 0o600, "known_hosts": 0o600, "ssh": 0o700}
    assert {stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent, keys.base())} == {0o700}
    assert (folder / "key").read_text() == key
    assert (folder / "known_hosts").read_text() == f"pinned {PUBLIC}\n"
    assert key.split("\n")[1] not in signin.uri_for(ADDRESS, given)
    assert program(given).parent == folder


def test_ssh_takes_our_configuration_whole(key: str) -> None:
    shown = subprocess.run(
        [program(Credentials(ssh_key=key, host_key=PUBLIC)), "-G", "hv-01"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    wanted = ("batchmode yes", "stricthostkeychecking true", "identitiesonly yes", "connecttimeout 10")
    assert set(wanted) <= set(shown)
    assert {"serveraliveinterval 5", "serveralivecountmax 3", "hostkeyalias pinned"} <= set(shown)
    assert "globalknownhostsfile /dev/null" in shown


def test_a_host_of_which_nothing_is_given_is_still_never_asked_and_never_hangs() -> None:
    text = program(Credentials()).read_text()
    assert "BatchMode=yes" in text
    assert "StrictHostKeyChecking=yes" in text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Credentials(ssh_key="x PRIVATE KEY-----"), "not confirmed yet"),
        (Credentials(ssh_key="ssh-ed25519 AAAA", host_key=PUBLIC), "This is a public key"),
        (Credentials(ssh_key="hello", host_key=PUBLIC), "no private key"),
        (Credentials(ssh_key_file="key", host_key=PUBLIC), "is no path of a key"),
        (Credentials(ssh_key_file="/none/key", host_key=PUBLIC), "cannot be read on the manager's machine"),
        (Credentials(ssh_key_file='/a"\nProxyCommand x', host_key=PUBLIC), "is no path of a key"),
        (Credentials(ssh_key="x", host_key="hv-01 ssh-ed25519 AAAA"), "is no public host key"),
        (Credentials(ssh_key="x", host_key="@cert-authority * ssh-rsa A"), "is no public host key"),
    ],
)
def test_material_that_cannot_serve_is_refused_with_a_reason(given: Credentials, says: str) -> None:
    with pytest.raises(Refused) as no:
        signin.uri_for(ADDRESS, given)
    assert says in no.value.sentence


def test_a_key_with_a_passphrase_is_refused_since_nobody_types_it(tmp_path: Path) -> None:
    make_key(tmp_path / "locked", passphrase="open sesame")
    with pytest.raises(Refused, match="has a passphrase"):
        signin.private_key((tmp_path / "locked").read_text())


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "given"
    path.chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        signin.uri_for(ADDRESS, Credentials(ssh_key_file=str(path), host_key=PUBLIC))


def test_parameters_in_a_rows_address_open_nothing() -> None:
    with pytest.raises(Refused, match="takes no parameters"):
        signin.uri_for(ADDRESS + "?command=/tmp/evil", Credentials())


def test_certificates_become_a_folder_or_stay_in_one(tmp_path: Path) -> None:
    given = Authority().credentials()
    folder = Path(parse_qs(urlsplit(signin.uri_for("qemu+tls://hv-01/system", given)).query)["pkipath"][0])
    assert sorted(path.name for path in folder.iterdir()) == sorted(signin.CERTIFICATES)
    kept = Credentials(tls_folder=str(folder))
    assert signin.uri_for("qemu+tls://hv-01/system", kept).endswith(f"pkipath={folder}")
    for wrong in (
        Credentials(tls_ca="x"),
        Credentials(tls_folder="x"),
        Credentials(tls_folder=str(tmp_path)),
    ):
        with pytest.raises(Refused):
            signin.uri_for("qemu+tls://hv-01/system", wrong)


KEEPER = "from clustermgr.drivers.libvirt import keys; print(keys.keep({'a': 'b'}), flush=True); "


def test_files_go_with_their_process_and_those_of_a_killed_one_with_the_next(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KEEPER], capture_output=True, text=True, check=True).stdout
    assert not Path(ended.strip()).exists()
    killed = subprocess.run(
        [sys.executable, "-c", KEEPER + "import os; os.kill(os.getpid(), 9)"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert Path(killed.strip()).exists()
    mine = keys.keep({"a": "b"})
    assert not Path(killed.strip()).exists()
    keys.sweep()
    assert mine.exists()


@contextmanager
def tls_server(folder: Path, authority: Authority, address: str, days: int) -> Iterator[int]:
    """One handshake with a certificate of this kind."""
    authority.write_server(folder, address, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "servercert.pem", folder / "serverkey.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                context.wrap_socket(listening.accept()[0], server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(5)


@pytest.mark.parametrize(
    ("address", "days", "says"),
    [
        ("127.0.0.1", 30, ""),
        ("127.0.0.1", -1, "has expired"),
        ("10.0.0.9", 30, "is not for 127.0.0.1"),
    ],
)
def test_a_second_handshake_tells_what_is_wrong(tmp_path: Path, address: str, days: int, says: str) -> None:
    with tls_server(tmp_path, Authority(), address, days) as port:
        told = handshake.why(f"qemu+tls://127.0.0.1:{port}/system?pkipath={tmp_path}")
    assert bool(told) == bool(says)
    assert says in told


def test_a_second_handshake_tells_another_ca_and_never_raises(tmp_path: Path) -> None:
    with tls_server(tmp_path, Authority(), "127.0.0.1", 30) as port:
        (tmp_path / "cacert.pem").write_text(Authority("Other").pem)
        told = handshake.why(f"qemu+tls://127.0.0.1:{port}/system?pkipath={tmp_path}")
    assert "another CA" in told
    assert handshake.why("qemu+tls://127.0.0.1:1/system?pkipath=/none") == ""


@pytest.mark.parametrize(
    ("raw", "kind", "says"),
    [
        (
            "Cannot recv data: @@@\r\nHost key verification failed.",
            Refused,
            "another host key",
        ),
        (
            "Cannot recv data: No ED25519 host key is known for hv-01 and you have requested strict checking."
            "\r\nHost key verification failed.: Connection reset by peer",
            Refused,
            "Nobody has confirmed",
        ),
        ("No RSA host key is known for pinned and you have requested", Refused, "another host key"),
        ("root@hv: Permission denied (publickey).: Connection reset by peer", Refused, "authorized_keys"),
        (
            "helper: cannot connect to '/run/libvirt-sock': Permission denied",
            Refused,
            "group libvirt",
        ),
        ("cannot connect to '/var/run/libvirt/libvirt-sock': No such file", AgentDown, "daemon does not"),
        ("ssh: Could not resolve hostname nosuch: Name or service not known", HostUnreachable, "name"),
        ("Cannot read CA certificate '/etc/pki/CA/cacert.pem'", Refused, "certificates for this host"),
        ("something else", HostUnreachable, "could not be reached"),
    ],
)
def test_words_of_ssh_and_tls_become_sentences(raw: str, kind: type[DriverError], says: str) -> None:
    error = refusals.open_error(raw)
    assert (type(error), error.raw) == (kind, raw)
    assert says in error.sentence


def test_scanned_keys_are_shown_best_first_and_without_the_host() -> None:
    scanned = (
        "# hv:22 SSH-2.0\nhv ssh-rsa R\n[hv]:22 ssh-ed25519 E\nhv odd-type X\n\nhv ecdsa-sha2-nistp256 C"
    )
    assert probing.keys_of(scanned) == ("ssh-ed25519 E", "ecdsa-sha2-nistp256 C", "ssh-rsa R")


def test_what_is_missing_on_a_host_is_found() -> None:
    zero = "00000000-0000-0000-0000-000000000000"
    levels = [finding.level for finding in probing.names("localhost", zero, parse(ADDRESS))]
    assert levels == ["warning", "error"]
    assert [finding.level for finding in probing.versions("QEMU", 6_000_000, 7_002_000)] == ["error"]
    assert [finding.level for finding in probing.versions("QEMU", 9_000_000, 7_002_000)] == ["ok"]
    assert "not QEMU" in next(probing.versions("LXC", 9_000_000, 0)).what
    assert "no active storage pool" in next(probing.pools({"csv1": False})).what
    assert "disk1" in next(probing.pools({"csv1": True, "disk1": False})).what
    assert list(probing.pools({"csv1": True})) == []


def test_a_probe_of_a_port_without_ssh_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = registry.probe(
            "libvirt", f"qemu+ssh://root@127.0.0.1:{silent.getsockname()[1]}/system", deadline=1
        )
    assert "showed no ssh host key within 1 s" in found.findings[0].what
