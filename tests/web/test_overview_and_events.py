"""What the overview says needs attention, and how events are found again."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

from django.test import Client

from clustermgr.core.states import Level, NodeState, OperationState, VmState, VolumeKind
from clustermgr.models import VolumeAccess
from clustermgr.ports import clock
from clustermgr.queries.overview import overview
from tests import worlds
from tests.api.conftest import token_of
from tests.web.asks import REGION, text_of


def texts(world: SimpleNamespace) -> list[str]:
    world.c1.refresh_from_db()
    return [each.text for each in overview(world.c1).attention]


def test_the_worst_stands_first(world: SimpleNamespace) -> None:
    world.two.state = NodeState.DOWN
    world.two.save()
    worlds.vm("bad01", on=world.one, state=VmState.FAILED)
    VolumeAccess.objects.filter(node=world.one).update(reachable=False)
    assert set(texts(world)[:2]) == {"hv-02 is down", "bad01 has failed"}
    assert set(texts(world)[2:]) == {
        "The configuration of off01 differs from its host's",
        "hv-01 does not reach the volume csv1",
    }


def test_a_node_that_is_gone_is_one_thing_whatever_was_on_it(world: SimpleNamespace) -> None:
    world.drift.delete()
    world.two.state, world.two.state_reason = NodeState.DOWN, "No answer for 12 s."
    world.two.save()
    for n in range(8):
        worlds.vm(f"lost{n}", on=world.two, state=VmState.UNMONITORED)
    [told] = overview(world.c1).attention
    assert (told.text, told.ref) == ("hv-02 is down", world.two.pk)
    assert told.detail == "No answer for 12 s. 8 roles are unmonitored."


def test_a_node_that_comes_back_says_what_goes_on(world: SimpleNamespace) -> None:
    world.drift.delete()
    world.two.state = NodeState.JOINING
    world.two.save()
    worlds.vm("lost01", on=world.two, state=VmState.UNMONITORED)
    [told] = overview(world.c1).attention
    assert (told.text, told.level) == ("hv-02 is joining", Level.INFO)
    assert told.detail.startswith("It answers again; its virtual machines are being compared")
    assert told.detail.endswith("1 role is unmonitored.")


def test_a_cluster_whose_hosts_are_read_for_the_first_time_is_starting(db: None, ana: Client) -> None:
    c1 = worlds.cluster("c1")
    worlds.node(c1, "hv-01", state=NodeState.JOINING, hypervisor="")
    c1.watch.heard_at = None
    c1.watch.save()
    shown = text_of(ana.get("/c/c1/"))
    assert "Health Starting 2 things to look at" in shown
    assert "0 up of 1 1 joining" in shown
    assert "The hosts have not been looked at yet" in shown
    assert "hv-01 is joining" in shown
    roles = text_of(ana.get("/c/c1/roles/"))
    assert "Starting. hv-01 is being read; the virtual machines there appear here after that." in roles
    assert "It is being read for the first time" in text_of(ana.get("/c/c1/nodes/"))


def test_programs_hear_that_a_cluster_is_starting(db: None, client: Client) -> None:
    worlds.node(worlds.cluster("c1"), "hv-01", state=NodeState.JOINING, hypervisor="")
    header = {"Authorization": f"Bearer {token_of(worlds.admin())}"}
    assert client.get("/api/v1/clusters/c1", headers=header).json()["health"] == "starting"


def test_a_node_without_roles_that_is_down_counts_none(world: SimpleNamespace) -> None:
    world.drift.delete()
    world.two.state, world.two.state_reason = NodeState.DOWN, "No heartbeat since 10:00 UTC."
    world.two.save()
    assert [each.detail for each in overview(world.c1).attention] == ["No heartbeat since 10:00 UTC."]


def test_only_its_owner_must_reach_a_cluster_disk(world: SimpleNamespace, ana: Client) -> None:
    world.drift.delete()
    disk = worlds.volume(world.c1, "disk1", VolumeKind.DISK, owner=world.one)
    # So does libvirt tell a pool that is not active on a host.
    VolumeAccess.objects.filter(volume=disk, node=world.two).update(active=False, reachable=False)
    assert texts(world) == []
    assert "No access" not in text_of(ana.get(world.url + "storage/volumes/"))
    assert "No access" not in text_of(ana.get(f"{world.url}nodes/{world.two.pk}/"))
    VolumeAccess.objects.filter(volume=disk, node=world.one).update(active=False, reachable=False)
    assert texts(world) == ["hv-01 does not reach its cluster disk disk1"]
    assert "No access" in text_of(ana.get(world.url + "storage/volumes/"))


def test_what_roles_were_given_and_what_a_host_uses_are_told_apart(
    world: SimpleNamespace, ana: Client
) -> None:
    world.c1.nodes.update(memory_mib=1 << 20, memory_used_mib=1 << 19, cpu_percent=1.0)
    shown = text_of(ana.get(world.url))
    assert "Assigned memory <1% 8 GB of 2048 GB If hv-01 fails: <1%" in shown
    assert "Memory in use" in shown
    assert "50% of 1024 GB" in shown


def test_nothing_is_healthy_while_nobody_watches(world: SimpleNamespace, ana: Client) -> None:
    world.drift.delete()
    assert "Healthy" in text_of(ana.get(world.url))
    world.c1.watch.heard_at = clock().now() - timedelta(minutes=2)
    world.c1.watch.save()
    shown = text_of(ana.get(world.url))
    assert "The hosts are not being watched" in shown
    assert "Healthy" not in shown


def test_a_failed_order_stands_there_until_a_later_one_ended(world: SimpleNamespace) -> None:
    now = clock().now()
    failed = {"state": OperationState.FAILED, "finished_at": now, "outcome": "No answer."}
    worlds.operation(world.web01, **failed)
    assert "Live migration of web01 failed" in texts(world)
    worlds.operation(world.web01, state=OperationState.SUCCEEDED, finished_at=now)
    assert "Live migration of web01 failed" not in texts(world)


def test_figures_that_are_old_say_so(world: SimpleNamespace, ana: Client) -> None:
    world.c1.watch.heard_at = clock().now() - timedelta(minutes=5)
    world.c1.watch.save()
    world.one.observed_at = clock().now() - timedelta(minutes=5)
    world.one.save()
    shown = text_of(ana.get(world.url + "roles/"))
    assert "Last known: Running" in shown
    assert "as of" in shown


def test_events_are_found_by_level_node_role_and_text(world: SimpleNamespace, ana: Client) -> None:
    worlds.event(world.c1, "node_down", Level.ERROR, node=world.two, params={"reason": "no power."})
    url = world.url + "events/?"
    assert "hv-02 is down: no power." in text_of(ana.get(url + "level=warning"))
    assert "web01 was started" not in text_of(ana.get(url + "level=warning"))
    assert "hv-02 is down" in text_of(ana.get(f"{url}node={world.two.pk}"))
    assert "web01 was started on hv-01." in text_of(ana.get(f"{url}role={world.web01.pk}"))
    assert "web01 was started on hv-01." in text_of(ana.get(url + "q=was+started"))
    assert "No event matches this filter." in text_of(ana.get(url + "q=nonsense"))


def test_an_event_shows_its_cause_and_what_it_led_to(world: SimpleNamespace, ana: Client) -> None:
    down = worlds.event(world.c1, "node_down", Level.ERROR, node=world.two, params={"reason": "no power."})
    worlds.event(world.c1, "vm_unmonitored", Level.WARNING, vm=world.web01, node=world.two, cause=down)
    assert "web01 is unmonitored: hv-02 does not answer." in text_of(ana.get(f"{world.url}events/{down.pk}/"))


def test_new_events_are_offered_not_pushed(world: SimpleNamespace, ana: Client) -> None:
    url = f"{world.url}events/?newest={world.event.pk}&region=new-events"
    assert "new event" not in text_of(ana.get(url, headers=REGION))
    worlds.event(world.c1, "vm_started", vm=world.web01)
    assert "1 new event: show" in text_of(ana.get(url, headers=REGION))


def test_older_events_are_paged_by_a_stable_cursor(world: SimpleNamespace, ana: Client) -> None:
    for _ in range(105):
        worlds.event(world.c1, "vm_started", vm=world.web01)
    first = ana.get(world.url + "events/").content.decode()
    cursor = first.split("before=")[1].split('"')[0]
    second = ana.get(f"{world.url}events/?before={cursor}").content.decode()
    assert first.count('class="level-') == 100
    assert second.count('class="level-') == 6


def test_a_simulated_node_says_so(world: SimpleNamespace, ana: Client, settings: object) -> None:
    settings.LAB_CONSOLE_URL = "http://127.0.0.1:8001/"  # type: ignore[attr-defined]
    shown = ana.get(f"{world.url}nodes/{world.one.pk}/").content.decode()
    assert "Simulated" in shown
    assert "http://127.0.0.1:8001/" in shown


def test_the_audit_holds_refusals_too(world: SimpleNamespace, ana: Client) -> None:
    ana.post(f"{world.url}roles/{world.web01.pk}/move/", {"target": world.one.pk})
    shown = text_of(ana.get(world.url + "audit/?refused=1"))
    assert "web01 is already on hv-01." in shown
    assert "web 127.0.0.1" in shown
