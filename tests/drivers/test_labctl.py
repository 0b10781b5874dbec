"""labctl: every verb does what it says, and says clearly what it cannot do."""

from __future__ import annotations

import json

import pytest

from clustermgr.drivers.contract import DomainState
from clustermgr.drivers.lab.labctl import main
from clustermgr.drivers.lab.store import Store
from clustermgr.drivers.lab.world import World
from tests.drivers.lab_case import Case


def run(case: Case, line: str) -> int:
    return main(line.split(), case.world)


def test_list_shows_hosts_and_vms(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(case, "list") == 0
    shown = capsys.readouterr().out
    assert "n1  up  16 processors, 65536 MiB" in shown
    assert "web" in shown
    assert "running" in shown


def test_json_is_for_programs(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    run(case, "--json list")
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert [node["name"] for node in nodes] == ["n1", "n2", "n3"]
    assert nodes[0]["vms"][0]["state"] == "running"


def test_set_edits_behind_the_managers_back(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(case, "vm set web --memory 8192 --processors 4 --notes bigger") == 0
    assert "memory_mib from its next start" in capsys.readouterr().out
    saved = case.host("n1").read_config(case.web).saved
    assert (saved.memory_mib, saved.vcpus, saved.notes) == (8192, 4, "bigger")


def test_another_managers_stamp_is_planted_and_taken_away(case: Case) -> None:
    assert run(case, "vm stamp web other-manager --epoch 7") == 0
    stamp = f"manager=other-manager epoch=7 vm={case.web}"
    read = case.host("n1").read_config(case.web)
    assert (read.stamp, read.running_stamp) == (stamp, stamp)
    assert run(case, "vm stamp web") == 0
    assert case.host("n1").read_config(case.web).stamp == ""


def test_a_vm_is_stopped_and_started(case: Case) -> None:
    assert run(case, "vm stop web") == 0
    assert case.after(11).where() == {}
    assert run(case, "vm start web") == 0
    assert case.after(1).where() == {"n1": "running"}
    assert run(case, "vm turn-off web") == 0
    assert case.where() == {}


def test_a_saved_vm_goes_on_where_it_stood() -> None:
    case = Case(state="saved")
    assert run(case, "vm start web") == 0
    assert case.after(10).where() == {"n1": "running"}
    assert case.world.saved_file(case.web) == ""


def test_crash_hang_and_dirty(case: Case) -> None:
    assert run(case, "vm dirty web 250") == 0
    assert run(case, "vm hang web") == 0
    assert run(case, "vm heal web") == 0
    assert run(case, "vm crash web") == 0
    assert case.world.copies(case.web)[0].state is DomainState.CRASHED


@pytest.mark.parametrize(
    ("bad", "good"), [("power-off", "power-on"), ("cut", "mend"), ("agent-off", "agent-on")]
)
def test_what_breaks_a_host_has_what_mends_it(case: Case, bad: str, good: str) -> None:
    assert run(case, f"node {bad} n1") == 0
    assert run(case, f"node {good} n1") == 0
    assert case.after(121).host("n1").ping()


def test_a_storage_path_is_cut_and_mended(case: Case) -> None:
    assert run(case, "storage cut n1 csv1") == 0
    assert case.after(3).where() == {"n1": "paused_io"}
    assert run(case, "storage mend n1 csv1") == 0


def test_the_host_can_be_worked_on_while_its_network_is_cut(case: Case) -> None:
    run(case, "node cut n1")
    assert run(case, "vm turn-off web") == 0


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("vm stop nobody", "There is no VM called “nobody”"),
        ("node power-off n9", "There is no simulated host called “n9”."),
        ("storage cut n1 csv9", "There is no volume called “csv9”"),
        ("vm set web", "Nothing to change"),
        ("vm set web --processors 999", "Processors must be a whole number from 1 to 16"),
        ("vm dirty web -5", "A dirty rate lies between"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    case: Case, capsys: pytest.CaptureFixture[str], line: str, sentence: str
) -> None:
    assert run(case, line) == 1
    assert capsys.readouterr().err.startswith(sentence)


def test_a_command_that_is_none_is_a_usage_error(case: Case) -> None:
    with pytest.raises(SystemExit) as ended:
        run(case, "node explode n1")
    assert ended.value.code == 2


def test_an_empty_store_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"], World(Store.memory())) == 1
    assert "Start the demonstration first" in capsys.readouterr().err
