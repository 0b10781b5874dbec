"""Domain XML: what is read from it, its fingerprint, and edits. Needs no libvirt."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from clustermgr.drivers.contract import DiskSetting, NicSetting, Refused, VmSettings
from clustermgr.drivers.libvirt.xml import stamp
from clustermgr.drivers.libvirt.xml.fingerprint import STAMP_NAMESPACE, fingerprint
from clustermgr.drivers.libvirt.xml.patch import patch_settings
from clustermgr.drivers.libvirt.xml.settings import DiskFacts, parse_settings

GOLDEN = Path(__file__).parent / "golden"
PLAIN, RICH = (GOLDEN / name for name in ("plain.xml", "rich.xml"))


def rich() -> str:
    return RICH.read_text()


def test_settings_of_a_plain_definition() -> None:
    def facts(path: str) -> DiskFacts:
        return DiskFacts("csv1", 256) if path.startswith("/srv/csv1/") else DiskFacts()

    assert parse_settings(PLAIN.read_text(), disk_facts=facts) == VmSettings(
        name="web01",
        memory_mib=128,
        vcpus=1,
        notes="Linux with the guest agent and a web page.",
        disks=(DiskSetting("/srv/csv1/web01.qcow2", "csv1", "virtio", 256),),
        nics=(NicSetting("52:54:00:77:00:02", "lan"),),
    )


def test_settings_of_a_rich_definition() -> None:
    assert parse_settings(rich(), autostart=True) == VmSettings(
        name="db01",
        memory_mib=3072,
        vcpus=2,
        disks=(
            DiskSetting("csv1/db01.qcow2", "csv1", "virtio"),
            DiskSetting("rbd:vms/db01-log", "", "scsi", shareable=True),
        ),
        nics=(NicSetting("52:54:00:aa:bb:01", "br0"),),
        firmware="uefi",
        autostart=True,
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id='7' ", ""),
        ("<alias name='virtio-disk0'/>", ""),
        ("bus='0x04' slot='0x00'", "bus='0x05' slot='0x01'"),
        ("<seclabel type='dynamic' model='apparmor' relabel='yes'/>", ""),
        ('epoch="4"', 'epoch="5"'),
        ("type='volume' device='disk'", "device='disk' type='volume'"),
        ("\n    <emulator>", "<emulator>"),
    ],
)
def test_what_the_host_fills_in_leaves_the_fingerprint_alone(old: str, new: str) -> None:
    assert old in rich()
    assert fingerprint(rich().replace(old, new)) == fingerprint(rich())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<memory unit='GiB'>4", "<memory unit='GiB'>5"),
        ("current='2'", "current='3'"),
        ("db01.qcow2", "db02.qcow2"),
        ("<tag id='42'/>", "<tag id='43'/>"),
        ("bus='0x06' slot='0x02'", "bus='0x06' slot='0x03'"),
        ("debian/12", "debian/13"),
        ("disable_s3=1", "disable_s3=0"),
        ("passwd='secret", "passwd='other"),
        ("<shareable/>", ""),
    ],
)
def test_what_matters_changes_the_fingerprint(old: str, new: str) -> None:
    assert old in rich()
    assert fingerprint(rich().replace(old, new)) != fingerprint(rich())


def test_a_stamp_takes_the_place_of_another_and_leaves_the_rest() -> None:
    assert stamp.read(rich()) == "manager=m-1 epoch=4"
    stamped = stamp.with_stamp(rich(), "manager=m-2 epoch=1 vm=u")
    assert stamp.read(stamped) == "manager=m-2 epoch=1 vm=u"
    assert fingerprint(stamped) == fingerprint(rich())
    assert "libosinfo:os" in stamped


def test_a_definition_without_metadata_can_be_stamped() -> None:
    stamped = stamp.with_stamp(PLAIN.read_text(), "manager=m-2 epoch=1 vm=u")
    assert stamp.read(stamped) == "manager=m-2 epoch=1 vm=u"
    assert fingerprint(stamped) == fingerprint(PLAIN.read_text())
    assert stamp.read(PLAIN.read_text()) == ""


def test_a_stamp_alone_is_like_no_metadata() -> None:
    stamp = f"<metadata><s:stamp xmlns:s='{STAMP_NAMESPACE}' epoch='1'/></metadata>"
    assert fingerprint(f"<domain><name>a</name>{stamp}</domain>") == fingerprint(
        "<domain><name>a</name></domain>"
    )


def test_an_edit_leaves_the_unknown_untouched() -> None:
    patched = patch_settings(rich(), {"memory_mib": 8192, "vcpus": 6, "notes": "For <sales> & co."})
    assert patched + "\n" == (GOLDEN / "rich.patched.xml").read_text()


def test_an_edit_is_read_back() -> None:
    patched = parse_settings(patch_settings(rich(), {"memory_mib": 512, "vcpus": 1, "notes": "n"}))
    assert (patched.memory_mib, patched.vcpus, patched.notes) == (512, 1, "n")


def test_no_change_is_no_change() -> None:
    assert fingerprint(patch_settings(rich(), {})) == fingerprint(rich())


def test_empty_notes_remove_the_description() -> None:
    patched = patch_settings(PLAIN.read_text(), {"notes": ""})
    assert ET.fromstring(patched).find("description") is None


def test_fewer_processors_keep_the_maximum_for_later() -> None:
    vcpu = ET.fromstring(patch_settings(rich(), {"vcpus": 3})).find("vcpu")
    assert vcpu is not None
    assert (vcpu.text, vcpu.get("current")) == ("4", "3")
    full = ET.fromstring(patch_settings(rich(), {"vcpus": 4})).find("vcpu")
    assert full is not None
    assert (full.text, full.get("current")) == ("4", None)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"memory_mib": 0}, "at least 1"),
        ({"memory_mib": "512"}, "whole number"),
        ({"vcpus": True}, "whole number"),
        ({"vcpus": 7}, "multiple of 2"),
        ({"colour": "red"}, "cannot change: colour"),
    ],
)
def test_an_impossible_edit_names_the_rule(changes: dict[str, object], rule: str) -> None:
    with pytest.raises(Refused, match=rule):
        patch_settings(rich(), changes)


def test_memory_of_several_numa_cells_is_refused() -> None:
    numa = "<numa><cell id='0' cpus='0' memory='1'/><cell id='1' cpus='1' memory='1'/></numa></cpu>"
    with pytest.raises(Refused, match="NUMA"):
        patch_settings(rich().replace("</cpu>", numa), {"memory_mib": 1024})
