"""The driver contract on real nodes that are reached by ssh: a pinned host key, and a key given as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clustermgr.drivers import registry
from tests.doors import ssh_doors
from tests.drivers import contract_suite as suite
from tests.drivers.test_libvirt_contract import LibvirtHarness
from tests.kvm import KvmLab

pytestmark = pytest.mark.qemu

# One of each kind of call: what differs by transport is how a call is carried, not what it does.
test_facts = suite.test_a_host_tells_what_it_is
test_sight = suite.test_every_vm_is_seen_with_its_state
test_define = suite.test_a_definition_makes_the_same_vm_on_another_host
test_edit = suite.test_an_edit_changes_settings_and_fingerprint
test_start = suite.test_a_start_ends_paused_and_resume_lets_it_run
test_migration = suite.test_a_live_migration_moves_the_vm_and_its_definition
test_cancel = suite.test_a_cancelled_migration_leaves_the_vm_where_it_was
test_save = suite.test_save_writes_a_file_that_both_hosts_see_and_ends_off
test_restore = suite.test_restore_elsewhere_is_paused_and_transient_until_defined


@pytest.fixture(scope="module")
def pair(kvm_lab: KvmLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibvirtHarness]:
    folder: Path = tmp_path_factory.mktemp("ssh")
    with ssh_doors(kvm_lab, folder) as ways:
        source, target = (
            registry.connect("libvirt", ways.address(n), credentials=ways.credentials(n), deadline=20)
            for n in (1, 2)
        )
        both = LibvirtHarness(kvm_lab, source, target)
        yield both
        both.close()


@pytest.fixture
def harness(pair: LibvirtHarness) -> LibvirtHarness:
    pair.reset()
    return pair
