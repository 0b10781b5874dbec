"""What is typed, what comes out, and the exit status: 0 done, 1 refused or failed, 2 wrong words."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clustermgr.cli import vm
from clustermgr.cli.completion import SCRIPTS
from clustermgr.models import Operation
from clustermgr.queries.roles import SORTS
from tests import worlds
from tests.cli.conftest import clusterctl

pytestmark = pytest.mark.django_db(transaction=True)


def test_lists_are_tables_and_json(console: SimpleNamespace, ctl: Any) -> None:
    shown = ctl("vm", "list")
    assert shown.status == 0
    assert shown.out.splitlines()[0].split()[:3] == ["NAME", "STATE", "OWNER"]
    assert [line.split()[0] for line in shown.out.splitlines()[1:]] == ["busy01", "off01", "web01"]
    assert [row["name"] for row in json.loads(ctl("vm", "list", "--drift", "--json").out)] == ["off01"]
    assert len(json.loads(ctl("vm", "list", "--limit", "2", "--json").out)) == 2
    assert "hv-02" in ctl("node", "list").out


def test_a_list_of_many_pages_is_read_to_its_end(console: SimpleNamespace, ctl: Any) -> None:
    for number in range(105):
        worlds.vm(f"many{number:03}", on=console.two)
    assert len(json.loads(ctl("vm", "list", "--json", "--search", "many").out)) == 105


def test_an_order_is_given_and_named(console: SimpleNamespace, ctl: Any) -> None:
    done = ctl("vm", "live-migrate", "web01", "--to", "hv-02")
    row = Operation.objects.latest("pk")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"Live migration of web01 to hv-02 was ordered: operation {row.pk}.\n"
    assert (row.kind, row.target) == ("live_migration", console.two)
    again = ctl("vm", "start", "off01", "--json")
    assert json.loads(again.out)["kind"] == "start"


def test_a_refusal_is_one_with_its_reason(console: SimpleNamespace, ctl: Any) -> None:
    held = ctl("vm", "save", "busy01")
    assert (held.status, held.out) == (1, "")
    assert "busy01 is held by another order" in held.err
    assert f"clusterctl operation show {console.task.pk}" in held.err
    unknown = ctl("vm", "start", "nosuch", "--json")
    assert unknown.status == 1
    assert "There is no virtual machine called “nosuch”" in unknown.err
    assert json.loads(unknown.out)["findings"][0]["code"] == "unknown_vm"


@pytest.mark.parametrize(
    "words",
    [
        ("vm",),
        ("vm", "fly", "web01"),
        ("vm", "list", "--limit", "0"),
        ("vm", "list", "--limit", "-5"),
        ("event", "list", "--limit", "many"),
        ("vm", "list", "--state", "flying"),
        ("vm", "list", "--sort", "colour"),
        ("operation", "list", "--state", "off"),
        ("operation", "list", "--kind", "flight"),
        ("operation", "show", "0"),
        ("vm", "start"),
        ("vm", "targets", "web01", "--kind", "sideways"),
        ("operation", "show", "x"),
        ("vm", "set", "web01"),
        ("vm", "turn-off", "web01"),
        (),
    ],
)
def test_wrong_words_are_two(words: tuple[str, ...], console: SimpleNamespace, ctl: Any) -> None:
    wrong = ctl(*words)
    assert wrong.status == 2
    assert wrong.err
    assert Operation.objects.count() == 1


def test_a_role_is_removed_when_its_name_was_typed(console: SimpleNamespace, ctl: Any) -> None:
    wrong = ctl("vm", "remove", "web01")
    assert (wrong.status, "web01 stays on hv-01 as it is" in wrong.err) == (2, True)
    console.one.state = "down"
    console.one.save(update_fields=["state"])
    assert "hv-01 is down: web01 may run there, and keeps the stamp." in ctl("vm", "remove", "web01").err
    done = ctl("vm", "remove", "web01", "--yes")
    assert (done.status, "Removal from the cluster of web01" in done.out) == (0, True)
    assert Operation.objects.latest("pk").kind == "removal"


def test_properties_of_the_cluster_are_set(console: SimpleNamespace, ctl: Any) -> None:
    done = ctl("cluster", "set", "--live-migrations", "2", "--allow-unsafe-migration", "yes")
    assert (done.status, done.out) == (0, "Properties of C1 were saved.\n")
    console.c1.refresh_from_db()
    assert (console.c1.live_migrations_per_node, console.c1.allow_unsafe_migration) == (2, True)
    assert "Live migrations per node" in ctl("cluster", "show").out
    assert ctl("cluster", "set").status == 2
    assert "between 1 and 32" in ctl("cluster", "set", "--live-migrations", "0").err


def test_what_may_lose_data_wants_a_yes(console: SimpleNamespace, ctl: Any) -> None:
    assert "Data loss may occur" in ctl("vm", "turn-off", "web01").err
    assert ctl("vm", "turn-off", "web01", "--yes").status == 0


def test_waiting_ends_with_the_outcome(console: SimpleNamespace, ctl: Any) -> None:
    def end(**values: Any) -> threading.Timer:
        # What a worker does a moment later.
        later = threading.Timer(0.3, lambda: Operation.objects.latest("pk")._meta.model.objects.filter(
            pk=Operation.objects.latest("pk").pk).update(**values))  # fmt: skip
        later.start()
        return later

    later = end(state="succeeded", outcome="web01 now runs on hv-02.")
    done = ctl("vm", "live-migrate", "web01", "--to", "hv-02", "--wait")
    later.join()
    assert (done.status, done.out) == (0, "web01 now runs on hv-02.\n")
    later = end(state="failed", outcome="It failed.", advice="Try again.")
    failed = ctl("vm", "start", "off01", "--wait")
    later.join()
    assert (failed.status, failed.out, failed.err) == (1, "", "It failed. Try again.\n")


def test_settings_and_drift(console: SimpleNamespace, ctl: Any) -> None:
    assert ctl("vm", "set", "web01", "--priority", "high").status == 0
    console.web01.refresh_from_db()
    assert console.web01.priority == "high"
    wrong = ctl("vm", "set", "web01", "--memory", "3")
    assert (wrong.status, "multiple of 2" in wrong.err) == (1, True)
    assert "memory_mib" in ctl("vm", "drift", "off01").out
    assert ctl("vm", "refresh", "off01").status == 0
    assert "in step" in ctl("vm", "drift", "off01").out


def test_several_clusters_want_a_name(console: SimpleNamespace, ctl: Any) -> None:
    worlds.cluster("c2")
    unclear = ctl("vm", "list")
    assert (unclear.status, unclear.err) == (
        2, "There are several clusters; name one with --cluster: c1, c2.\n")  # fmt: skip
    assert "web01" in ctl("vm", "list", "--cluster", "c1").out


def test_tokens_by_command(console: SimpleNamespace, ctl: Any) -> None:
    secret = ctl("token", "create", "backup", "--role", "viewer", "--days", "3").out.strip()
    viewer = clusterctl("token", "whoami", CLUSTERCTL_TOKEN=secret)
    assert viewer.stdout == f"ana (viewer) at {console.url}\n"
    refused = clusterctl("vm", "start", "off01", CLUSTERCTL_TOKEN=secret)
    assert (refused.returncode, "needs the role operator" in refused.stderr) == (1, True)
    number = next(
        row["id"] for row in json.loads(ctl("token", "list", "--json").out) if row["name"] == "backup"
    )
    assert ctl("token", "revoke", str(number)).status == 0
    ended = clusterctl("token", "whoami", CLUSTERCTL_TOKEN=secret)
    assert (ended.returncode, "was revoked" in ended.stderr) == (1, True)


def test_text_of_others_does_not_move_the_cursor(console: SimpleNamespace, ctl: Any) -> None:
    console.web01.notes = "\x1b[2Jgone\x07"
    console.web01.save(update_fields=["notes"])
    shown = ctl("vm", "show", "web01").out
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_every_order_of_a_list_of_roles_can_be_asked_for(console: SimpleNamespace, ctl: Any) -> None:
    assert tuple(SORTS) == vm.SORTS
    turned = ctl("vm", "list", "--sort=-name", "--state", "running").out.splitlines()[1:]
    assert [line.split()[0] for line in turned] == ["web01", "busy01"]


def test_completion_knows_words_and_names(console: SimpleNamespace, ctl: Any) -> None:
    def offered(*words: str) -> list[str]:
        return ctl("__complete", *words).out.split()

    assert offered("op") == ["operation"]
    assert offered("vm", "live") == ["live-migrate"]
    assert offered("vm", "live-migrate", "we") == ["web01"]
    assert offered("vm", "live-migrate", "web01", "--to", "") == ["hv-01", "hv-02"]
    assert "--wait" in offered("vm", "start", "off01", "--")
    assert offered("token", "create", "x", "--role", "v") == ["viewer"]
    for shell in ("bash", "zsh", "fish"):
        assert "__complete" in ctl("completion", shell).out


@pytest.mark.parametrize("typed", ["my", r"my\ w", "'my w", '"my w'])
def test_a_name_with_a_space_is_completed_as_one(typed: str, console: SimpleNamespace, ctl: Any) -> None:
    worlds.vm("my web", on=console.one)
    assert ctl("__complete", "vm", "start", typed).out == "my web\n"


def test_nothing_to_complete_is_nothing(console: SimpleNamespace, ctl: Any) -> None:
    assert ctl("__complete", "vm", "start", "nosuch").out == ""


#: What is typed -> what bash puts in its place: a word, which it reads as the name again.
INSERTED = {"m": [r"my\ web", r"\*", "plain"], "'m": ["my web", "*", "plain"]}


@pytest.mark.parametrize("typed", INSERTED)
def test_bash_inserts_each_name_as_one_word_and_expands_none(typed: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    play = f"""{SCRIPTS["bash"]}
    clusterctl() {{ printf '%s\n' 'my web' '*' plain; }}
    COMP_WORDS=(clusterctl vm start "$1") COMP_CWORD=3
    _clusterctl
    printf '%s\n' "${{COMPREPLY[@]}}" """
    command = ["bash", "--norc", "-c", play, "bash", typed]
    played = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert played.stdout.splitlines() == INSERTED[typed]
