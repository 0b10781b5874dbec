"""What changed in a definition: the places, values where they cannot be secrets, and nothing else."""

from __future__ import annotations

import json

import pytest

from clustermgr.core.definition_diff import told

XML = """<domain type='kvm' id='{id}'><uuid>1</uuid><name>web01</name>
  <metadata><note xmlns='urn:x'>{note}</note></metadata>
  <clock offset='{clock}'/><on_reboot>{reboot}</on_reboot>
  <devices>
    <disk type='network'><source><cookies><cookie name='c'>{cookie}</cookie></cookies></source>
      <target dev='vda' bus='virtio'/><alias name='{alias}'/></disk>
    <interface type='bridge'><mac address='52:54:00:00:00:01'/><model type='{card}'/></interface>
    <graphics type='vnc' port='{port}' passwd='{passwd}'/>{more}
  </devices>
  <commandline xmlns='urn:qemu'><arg value='{arg}'/></commandline></domain>"""
WORDS = {
    "id": "1",
    "note": "a",
    "clock": "utc",
    "reboot": "restart",
    "cookie": "c00kie",
    "alias": "x",
    "card": "virtio",
    "port": "5900",
    "passwd": "s3cret",
    "more": "",
    "arg": "password=hunter2",
}


def changed(**words: str) -> tuple[str, str] | None:
    return told(XML.format(**WORDS), XML.format(**{**WORDS, **words}))


@pytest.mark.parametrize(
    ("words", "ours", "theirs"),
    [
        ({"clock": "localtime"}, "clock/@offset: utc", "clock/@offset: localtime"),
        ({"reboot": "destroy"}, "on_reboot: restart", "on_reboot: destroy"),
        ({"port": "5901"}, "devices/graphics/@port: 5900", "devices/graphics/@port: 5901"),
        (
            {"card": "e1000"},
            "devices/interface[52:54:00:00:00:01]/model/@type: virtio",
            "devices/interface[52:54:00:00:00:01]/model/@type: e1000",
        ),
        (
            {"more": "<watchdog model='i6300esb'/>"},
            "devices/watchdog/@model: –",
            "devices/watchdog/@model: i6300esb",
        ),
    ],
)
def test_each_place_is_told_with_both_values(words: dict[str, str], ours: str, theirs: str) -> None:
    assert changed(**words) == (ours, theirs)


@pytest.mark.parametrize("name", ["passwd", "cookie", "arg", "note"])
def test_what_may_be_secret_is_told_by_its_place_alone(name: str) -> None:
    said = changed(**{name: "0ther-word"})
    assert said is not None
    assert said[0] == said[1]
    assert said[0].endswith(": not shown")
    assert "0ther-word" not in repr(said)
    assert WORDS[name] not in said[0].removesuffix(": not shown").split("/")


def test_what_each_host_fills_in_is_no_difference() -> None:
    assert changed(alias="ua", id="7") is None


def test_many_differences_are_counted() -> None:
    said = changed(more="".join(f"<sound model='m{n}'/>" for n in range(20)))
    assert said is not None
    assert said[1].splitlines()[-1] == "and 8 more"
    assert len(said[1].splitlines()) == 13


def test_definitions_of_simulated_hosts_are_read_too() -> None:
    ours, theirs = {"firmware": "bios", "stamp": "1"}, {"firmware": "uefi", "stamp": "2"}
    assert told(json.dumps(ours), json.dumps(theirs)) == ("firmware: bios", "firmware: uefi")


@pytest.mark.parametrize("text", ["", "<broken", "[]", "nonsense"])
def test_what_cannot_be_read_tells_nothing(text: str) -> None:
    assert told(text, XML.format(**WORDS)) is None
