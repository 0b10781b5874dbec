"""Addresses of hosts: what may be typed, and what may not."""

from __future__ import annotations

import pytest

from clustermgr.core.addresses import BadAddress, compose, for_migration, parse


@pytest.mark.parametrize(
    ("text", "transport", "user", "host", "port"),
    [
        ("qemu+ssh://root@hv-01.example/system", "ssh", "root", "hv-01.example", 22),
        ("qemu+ssh://hv-01:2222/system", "ssh", "", "hv-01", 2222),
        ("qemu+tls://hv-01.example/system", "tls", "", "hv-01.example", 16514),
        ("qemu://hv-01.example/system", "tls", "", "hv-01.example", 16514),
        ("qemu+tcp://10.77.0.11/system", "tcp", "", "10.77.0.11", 16509),
        ("qemu+ssh://vm_admin@[FD00::1]:22/system", "ssh", "vm_admin", "fd00::1", 22),
        ("qemu:///system", "unix", "", "", 0),
        ("lab:hv-01", "lab", "", "hv-01", 0),
    ],
)
def test_an_address_in_its_parts(text: str, transport: str, user: str, host: str, port: int) -> None:
    read = parse(f" {text} ")
    assert (read.transport, read.user, read.host, read.port) == (transport, user, host, port)
    assert parse(read.text) == read


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Write the host's address"),
        ("hv-01", "begins with qemu+ssh"),
        ("http://hv-01/system", "begins with qemu+ssh"),
        ("qemu+libssh2://hv-01/system", "is not offered"),
        ("qemu+ext://hv-01/system", "is not offered"),
        ("qemu+ssh://hv-01/session", "must end in /system"),
        ("qemu+ssh://hv-01", "must end in /system"),
        ("qemu+ssh:///system", "The host is missing"),
        ("qemu+ssh://root@/system", "The host is missing"),
        ("qemu+ssh://hv-01/system?command=/bin/sh", "takes no parameters (here: command)"),
        ("qemu+ssh://hv-01/system?socket=/tmp/x", "takes no parameters"),
        ("qemu+tls://hv-01/system?no_verify=1", "takes no parameters"),
        ("qemu+tls://hv-01/system?x", "takes no parameters"),
        ("qemu+unix:///system?socket=/tmp/x", "takes no parameters"),
        ("qemu+unix://hv-01/system", "takes no host"),
        ("qemu+ssh://root:secret@hv-01/system", "no password"),
        ("qemu+ssh://-oProxyCommand=x@hv-01/system", "is no user name"),
        ("qemu+ssh://-oProxyCommand=x/system", "is no host name"),
        ("qemu+ssh://hv_01.-a/system", "is no host name"),
        ("qemu+ssh://hv%2d01/system", "is no host name"),
        ("qemu+tls://root@hv-01/system", "signs in no user"),
        ("qemu+ssh://hv-01:0/system", "from 1 to 65535"),
        ("qemu+ssh://hv-01:70000/system", "port or the host"),
        ("qemu+ssh://hv-01:ssh/system", "port or the host"),
        ("qemu+ssh://10.0.0.300/system", "not a valid IP address"),
        ("qemu+ssh://[fe80::1%25eth0]/system", "one interface"),
        ("qemu+ssh://hv 01/system", "no blanks"),
        ("qemu+ssh://hv-01/system\n?command=x", "no blanks"),
        ("qemu+ssh://hvö/system", "letters, digits and signs"),
        ("qemu+ssh://hv-01/system#", "no # in it"),
        ("qemu+ssh://" + "a" * 300 + "/system", "at most 300"),
        ("lab:", "simulated host"),
        ("lab:../x", "simulated host"),
    ],
)
def test_an_address_that_is_not_taken_says_why(text: str, says: str) -> None:
    with pytest.raises(BadAddress) as wrong:
        parse(text)
    assert says in str(wrong.value)


def test_a_socket_may_be_named_by_whoever_stands_at_the_machine() -> None:
    read = parse("qemu+unix:///system?socket=/run/lab/n1/libvirt-sock", sockets=True)
    assert (read.socket, read.host) == ("/run/lab/n1/libvirt-sock", "")
    for text in ("qemu+unix:///system?socket=/a&mode=direct", "qemu+unix:///system?socket=a"):
        with pytest.raises(BadAddress):
            parse(text, sockets=True)


def test_parts_become_an_address() -> None:
    assert compose("ssh", " hv-01 ", user="root", port=2222) == "qemu+ssh://root@hv-01:2222/system"
    assert compose("tls", "fd00::1") == "qemu+tls://[fd00::1]/system"
    with pytest.raises(BadAddress):
        compose("ssh", "hv-01/system?command=x#")


def test_other_hosts_use_the_same_way_where_there_is_one() -> None:
    assert for_migration(parse("qemu+tcp://hv-01/system")) == "qemu+tcp://hv-01/system"
    assert for_migration(parse("qemu:///system")) == ""
