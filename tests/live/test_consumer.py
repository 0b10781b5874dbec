"""Who may listen to what, and what a socket does with messages that no page of ours would send."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from clustermgr import meters
from clustermgr.live import consumer
from clustermgr.models import Membership
from clustermgr.notices import Changed
from tests import worlds
from tests.live.conftest import Tab, in_tab

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]


def answer(user: Any, *messages: dict[str, Any], text: str | None = None) -> list[dict[str, Any]]:
    """Everything that a tab hears: on arrival, and after each message."""

    async def story(tab: Tab) -> list[dict[str, Any]]:
        heard = [await tab.hear()]
        for message in messages:
            await tab.say(**message)
            heard.append(await tab.hear())
        if text is not None:
            await tab.say(text)
            heard.append(await tab.hear())
        return heard

    return in_tab(user, story)


def test_nobody_is_told_to_sign_in() -> None:
    assert answer(None) == [{"closed": consumer.SIGN_IN}]


def test_an_account_without_a_role_is_refused() -> None:
    assert answer(worlds.outsider()) == [{"closed": consumer.NOT_ALLOWED}]


def test_a_viewer_is_greeted_with_the_version_of_the_interface() -> None:
    hello = answer(worlds.viewer())[0]
    assert len(hello["hello"]["assets"]) == 12


def test_a_page_from_before_the_last_change_is_told_to_fetch_everything() -> None:
    cluster = worlds.cluster(version=18)
    heard = answer(worlds.viewer(), {"type": "sub", "topics": [f"cluster:{cluster.pk}"], "cur": 17})
    assert (heard[1]["cur"], heard[1]["stale"]) == (18, ["*"])


def test_a_cluster_that_is_not_there_is_refused() -> None:
    worlds.cluster()
    heard = answer(worlds.viewer(), {"type": "sub", "topics": ["cluster:999"]})
    assert heard[1] == {"closed": consumer.NOT_ALLOWED}


GARBAGE = [
    "",
    "{",
    "7",
    "[]",
    "null",
    '{"type":"order","verb":"turn_off"}',
    '{"type":[]}',
    '{"type":"sub"}',
    '{"type":"sub","topics":"cluster:1"}',
    '{"type":"sub","topics":[]}',
    '{"type":"sub","topics":[7]}',
    '{"type":"sub","topics":["vm:1"]}',
    '{"type":"sub","topics":["cluster:-1"]}',
    '{"type":"sub","topics":["cluster:1"],"cur":"x"}',
    '{"type":"sub","topics":["cluster:99999999999999999999"]}',
    "[" * 2000,
]


@pytest.mark.parametrize("text", GARBAGE)
def test_a_message_that_is_not_understood_closes_the_socket(text: str) -> None:
    assert answer(worlds.viewer(), text=text)[1] == {"closed": consumer.BAD_MESSAGE}


def test_a_message_that_is_too_long_closes_the_socket() -> None:
    text = json.dumps({"type": "pong", "more": "x" * consumer.LONGEST_MESSAGE})
    assert answer(worlds.viewer(), text=text)[1] == {"closed": consumer.TOO_LONG}


def test_binary_messages_close_the_socket() -> None:
    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        await tab.say(binary=b"\x00\x01")
        return await tab.hear()

    assert in_tab(worlds.viewer(), story) == {"closed": consumer.BAD_MESSAGE}


def test_a_tab_that_never_stops_talking_is_cut_off() -> None:
    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        for _ in range(consumer.MOST_MESSAGES + 1):
            await tab.say(type="pong")
        return await tab.hear()

    assert in_tab(worlds.viewer(), story) == {"closed": consumer.TOO_MANY}


def test_a_tab_that_goes_out_of_sight_before_any_news_holds_nobody_up() -> None:
    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        await tab.say(type="rate", hidden=True)
        await tab.say(type="order")
        return await tab.hear()

    assert in_tab(worlds.viewer(), story) == {"closed": consumer.BAD_MESSAGE}


#: The second is another program on the same machine: cookies do not know ports, the check must.
@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:9999", "null", ""])
def test_another_site_cannot_open_the_socket(origin: str) -> None:
    async def story(tab: Tab) -> bool:
        return tab.accepted

    assert in_tab(worlds.viewer(), story, origin=origin) is False


def test_losing_the_role_ends_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        await Membership.objects.all().adelete()
        return await tab.hear()

    monkeypatch.setattr(consumer, "RIGHTS_S", 0.01)
    assert in_tab(worlds.viewer(), story) == {"closed": consumer.NOT_ALLOWED}


def test_signing_out_ends_the_news(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.sessions.models import Session

    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        await Session.objects.all().adelete()
        return await tab.hear()

    monkeypatch.setattr(consumer, "RIGHTS_S", 0.01)
    assert in_tab(worlds.viewer(), story) == {"closed": consumer.SIGN_IN}


def test_a_database_that_is_away_for_a_moment_does_not_end_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [DatabaseError("database is locked")]

    def role(user: Any) -> None:
        if away:
            raise away.pop()

    async def story(tab: Tab) -> dict[str, Any]:
        await tab.hear()
        monkeypatch.setattr(consumer, "role_of", role)
        return await tab.hear()

    monkeypatch.setattr(consumer, "RIGHTS_S", 0.01)
    assert in_tab(worlds.viewer(), story) == {"closed": consumer.NOT_ALLOWED}


def test_news_of_one_cluster_never_reaches_a_page_of_another() -> None:
    async def story(tab: Tab) -> list[dict[str, Any]]:
        await tab.hear()
        await tab.say(type="sub", topics=[f"cluster:{mine.pk}"], cur=0)
        heard = [await tab.hear()]
        tab.hub.hear(Changed(other.pk, 2, ("theirs",)))
        tab.hub.hear(Changed(mine.pk, 2, ("ours",)))
        heard.append(await tab.hear())
        return heard

    mine, other = worlds.cluster("c1"), worlds.cluster("c2")
    heard = in_tab(worlds.viewer(), story)
    assert heard[1]["stale"] == ["ours"]


FIRST_QUERIES = {"on arrival": (consumer, "_refused"), "when it subscribes": (consumer.queries, "versions")}


@pytest.mark.parametrize("when", FIRST_QUERIES)
def test_a_socket_whose_query_fails_leaves_nothing_behind(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> Any:
        raise OperationalError("the database is away")

    cluster, before, left = worlds.cluster(), meters.SOCKETS._value.get(), []

    async def story(tab: Tab) -> None:
        if when != "on arrival":
            await tab.hear()
            await tab.say(type="sub", topics=[f"cluster:{cluster.pk}"])
        with pytest.raises(OperationalError):
            await tab.hear()
        await asyncio.sleep(0)  # a task that was cancelled takes one turn to end
        left.extend(task for task in asyncio.all_tasks() if "LiveConsumer" in repr(task))

    monkeypatch.setattr(*FIRST_QUERIES[when], away)
    with pytest.raises(OperationalError):
        in_tab(worlds.viewer(), story)
    assert left == []
    assert meters.SOCKETS._value.get() == before
