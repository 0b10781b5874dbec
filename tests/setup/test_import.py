"""What `manage.py import_cluster` says when it cannot take hosts in: one sentence, and nothing is made."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from clustermgr.models import Cluster
from clustermgr.supervisor import first_start, installation

pytestmark = pytest.mark.django_db


def test_a_lab_that_is_not_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERMGR_KVM_LAB", str(tmp_path / "none"))
    with pytest.raises(CommandError, match=r"^The KVM lab is not up\. Bring it up first: make kvm-lab$"):
        call_command("import_cluster", "--kvm-lab")


def test_a_driver_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    monkeypatch.delitem(sys.modules, "clustermgr.drivers.libvirt.driver", raising=False)
    described = tmp_path / "cluster.json"
    node = {"name": "n1", "driver": "libvirt", "address": "qemu+tcp://n1/system"}
    described.write_text(json.dumps({"cluster": "c1", "nodes": [node]}))
    with pytest.raises(CommandError, match=r"lacks libvirt-python, .* Install it: "):
        call_command("import_cluster", str(described))
    assert not Cluster.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_installation_for_hosts_of_ones_own_begins_empty(tmp_path: Path) -> None:
    first_start.prepare(installation.read({"HOSTS": "none"}, tmp_path), print)
    assert not Cluster.objects.exists()
