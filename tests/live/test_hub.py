"""From the ledger to the browser: one frame a tick, the same for all, and nothing lost for long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from clustermgr import notices
from clustermgr.actions._ledger import change
from clustermgr.live import fragments
from clustermgr.live.hub import Hub
from clustermgr.live.mailbox import Mailbox
from clustermgr.models import Cluster
from clustermgr.notices import Changed, Progress
from tests import worlds
from tests.fakes import VirtualClock
from tests.live.conftest import make_hub, run, taken

pytestmark = pytest.mark.django_db


def frames_of(
    cluster: Cluster, *heard: Any, hub: Hub | None = None, browsers: int = 1
) -> list[dict[str, Any]]:
    """What each browser gets at the next tick after these notices."""
    hub = hub or make_hub()
    boxes = [Mailbox() for _ in range(browsers)]

    async def story() -> None:
        for box in boxes:
            hub.join(cluster.pk, cluster.version, box, "en")
        for notice in heard:
            hub.hear(notice)
        await hub.tick()

    run(story)
    return [taken(box) for box in boxes]


@pytest.fixture
def cluster() -> Cluster:
    return worlds.cluster(version=4)


def test_many_samples_within_a_tick_are_one_patch(cluster: Cluster, clock: VirtualClock) -> None:
    samples = [Progress(cluster.pk, 9, 7, {"percent": float(n), "left": 3 << 30}) for n in range(50)]
    (frame,) = frames_of(cluster, *samples)
    assert [key for key, _ in frame["patch"]] == ["operation:9", "vm:7"]
    assert frame["patch"][0][1]["percent"] == 49.0
    assert frame["patch"][0][1]["left"] == "3 GB"
    assert "html" not in frame


def test_all_browsers_of_a_cluster_get_the_same_frame_rendered_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    real = fragments.render
    monkeypatch.setattr(fragments, "render", lambda *args: calls.append(args) or real(*args))
    frames = frames_of(cluster, Changed(cluster.pk, 5, ("events",)), browsers=3)
    assert frames[0]["stale"] == ["events"]
    assert frames[0] == frames[1] == frames[2]
    assert len(calls) == 1


def test_without_a_listener_nothing_is_rendered(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fragments, "render", lambda *args: pytest.fail("rendered for nobody"))
    hub, box = make_hub(), Mailbox()

    async def story() -> None:
        hub.join(cluster.pk, cluster.version, box, "en")
        hub.leave(cluster.pk, box)
        hub.hear(Changed(cluster.pk, 5, ("vm:1",)))
        await hub.tick()

    run(story)
    assert hub.rooms == {}


def test_a_change_in_the_ledger_reaches_the_page_as_its_row(
    cluster: Cluster, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = worlds.vm("web01", on=worlds.node(cluster, "hv-01"))
    heard = told(monkeypatch)
    with django_capture_on_commit_callbacks(execute=True), change(cluster.pk) as tx:
        tx.set_vm_state(vm, "paused", "Paused by its host.")
    (frame,) = frames_of(cluster, *heard)
    assert frame["cur"] == 5
    assert frame["stale"] == [f"vm:{vm.pk}"]
    assert frame["html"][0].startswith(f'<tr id="vm-{vm.pk}-row"')
    assert "Paused by its host." in frame["html"][0]


def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The wire to Redis, cut open: what was sent, as it would arrive."""
    heard: list[Any] = []
    monkeypatch.setattr(notices._wire, "send", lambda text: heard.append(notices.decode(text)))
    return heard


def test_a_row_that_cannot_be_rendered_is_left_to_the_page(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("no such template")

    monkeypatch.setattr(fragments, "render", broken)
    (frame,) = frames_of(cluster, Changed(cluster.pk, 5, ("vm:1",)))
    assert frame["stale"] == ["vm:1"]
    assert "html" not in frame


def test_a_row_of_another_cluster_is_never_pushed(cluster: Cluster) -> None:
    foreign = worlds.vm("web01", on=worlds.node(worlds.cluster("c2"), "hv-01"))
    (frame,) = frames_of(cluster, Changed(cluster.pk, 5, (f"vm:{foreign.pk}",)))
    assert "html" not in frame


@pytest.mark.parametrize(("connected", "rounds"), [(True, 2), (False, 1)])
def test_the_database_tells_what_redis_did_not(cluster: Cluster, connected: bool, rounds: int) -> None:
    hub, box = make_hub(connected=connected), Mailbox()

    async def story() -> None:
        hub.join(cluster.pk, cluster.version, box, "en")
        await Cluster.objects.filter(pk=cluster.pk).aupdate(version=6)
        for _ in range(rounds):
            await hub.compare()
        box.take()
        await hub.tick()

    run(story)
    frame = taken(box)
    assert (frame["cur"], frame["stale"]) == (6, ["*"])


def test_the_heartbeat_carries_the_version_told_and_the_time(cluster: Cluster, clock: VirtualClock) -> None:
    hub, box = make_hub(), Mailbox()

    async def story() -> None:
        hub.join(cluster.pk, cluster.version, box, "en")
        await hub.compare()

    run(story)
    assert taken(box) == {"cur": 4, "at": "2026-03-02T12:00:00.000Z"}


def test_a_settled_operation_ends_its_bars_and_late_samples_are_ignored(cluster: Cluster) -> None:
    vm = worlds.vm("web01", on=worlds.node(cluster, "hv-01"))
    done = worlds.operation(vm, state="succeeded", phase="done")
    hub = make_hub()
    settled = Changed(cluster.pk, 5, (f"operation:{done.pk}", f"vm:{vm.pk}"))
    (frame,) = frames_of(cluster, settled, hub=hub)
    assert frame["patch"] == [[f"operation:{done.pk}", None], [f"vm:{vm.pk}", None]]
    assert frames_of(cluster, Progress(cluster.pk, done.pk, vm.pk, {"percent": 99.0}), hub=hub) == [{}]


def test_the_end_of_a_migration_is_said_once(cluster: Cluster, clock: VirtualClock) -> None:
    vm = worlds.vm("web01", on=worlds.node(cluster, "hv-01"))
    running = worlds.operation(vm)
    hub, subject = make_hub(), (f"operation:{running.pk}",)
    assert frames_of(cluster, Changed(cluster.pk, 5, subject), hub=hub)[0]["say"] == (
        "Live migration of web01: started."
    )
    type(running).objects.filter(pk=running.pk).update(state="succeeded")
    clock.advance(11)
    (frame,) = frames_of(cluster, Changed(cluster.pk, 6, subject), hub=hub)
    assert frame["say"] == "Live migration of web01: done."


def test_redis_away_never_stops_the_hub() -> None:
    """The real feed against a socket that is not there: it says so and goes on trying."""
    from clustermgr.live.feed import Feed

    feed = Feed()

    async def story() -> bool:
        task = asyncio.create_task(feed.run(lambda notice: None))
        await asyncio.wait({task}, timeout=0.2)
        trying = not task.done()
        task.cancel()
        return trying and not feed.connected

    assert run(story)
