"""What the page does with news: numbers in place, rows by id, and nothing swapped under your hands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.stub import Stub

pytestmark = pytest.mark.browser

ROW = (
    '<tr id="vm-7-row" data-live="vm:7"><th><a href="/r/7">{name}</a></th>'
    '<td><progress max="100" value="{percent}" data-f="percent"></progress>'
    '<span data-f="percent">{percent}%</span></td><td><input type="checkbox" name="ids" value="7"></td></tr>'
)
LIST = (
    '<section id="list" data-region data-keys="vm:*" data-url="/list"><table>'
    + ROW.format(name="web01", percent=10)
    + "</table></section>"
)
FORM = (
    '<section id="form" data-region data-keys="vm:7" data-url="/form"><p>{text}</p>'
    '<input id="notes" value="old"><button id="b">x</button></section>'
)


def figures(percent: float) -> list[Any]:
    return [["vm:7", {"percent": percent, "percent_text": f"{percent:.0f}%"}]]


def test_figures_are_patched_in_place_and_never_run_backwards(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.send(patch=figures(42))
    stub.send(patch=figures(41))
    assert page.eval_on_selector("progress", "p => p.value") == 42
    assert stub.asked == []


def test_a_pushed_row_keeps_focus_tick_and_figures(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.send(patch=figures(42))
    page.check("input[name=ids]")
    page.focus("a[href='/r/7']")
    stub.send(html=[ROW.format(name="web01 (new)", percent=40)])
    assert page.inner_text("th") == "web01 (new)"
    assert page.is_checked("input[name=ids]")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/r/7"
    assert page.eval_on_selector("progress", "p => p.value") == 42


def test_figures_of_an_ended_operation_are_forgotten(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.send(patch=figures(42))
    stub.send(patch=[["vm:7", None]], html=[ROW.format(name="web01", percent=0)])
    assert page.eval_on_selector("progress", "p => p.value") == 0


def test_a_marked_text_stays_marked(page: Any) -> None:
    stub = Stub(page, LIST)
    page.evaluate(
        "getSelection().setBaseAndExtent(...['th a'].flatMap(s => "
        "{ const t = document.querySelector(s).firstChild; return [t, 1, t, 4]; }))"
    )
    stub.send(html=[ROW.format(name="web01", percent=40)])
    assert page.evaluate("getSelection().toString()") == "eb0"


def test_a_stale_region_fetches_itself_once(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.answers["/list"] = LIST.replace("web01", "web02")
    stub.send(stale=["vm:8"])
    stub.send(stale=["vm:9"])
    page.wait_for_selector("text=web02")
    assert stub.asked == ["/list"]


def test_a_sample_is_fetched_by_what_shows_that_one_role_and_not_by_lists(page: Any) -> None:
    stub = Stub(page, LIST + FORM.format(text="one"))
    stub.answers["/form"] = FORM.format(text="two")
    stub.send(stale=["vm:7~"])
    page.wait_for_selector("text=two")
    assert stub.asked == ["/form"]


def test_keys_that_no_region_shows_are_ignored(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.send(stale=["node:1", "events"])
    page.wait_for_timeout(300)
    assert stub.asked == []


def test_a_list_whose_rows_are_pushed_is_fetched_only_for_rows_that_it_lacks(page: Any) -> None:
    stub = Stub(page, LIST.replace("data-region", "data-region data-rows"))
    stub.answers["/list"] = LIST.replace("data-region", "data-region data-rows")
    stub.send(html=[ROW.format(name="web01", percent=40)], stale=["vm:7"])
    page.wait_for_timeout(300)
    assert stub.asked == []
    stub.send(stale=["vm:8"])
    page.wait_for_function("() => clustermgrLive.fetched === 1")


def test_a_field_being_edited_is_never_swapped_but_offered(page: Any) -> None:
    stub = Stub(page, FORM.format(text="one"))
    stub.answers["/form"] = FORM.format(text="two")
    page.fill("#notes", "mine")
    stub.send(stale=["vm:7"])
    page.wait_for_selector("text=This has changed")
    assert page.input_value("#notes") == "mine"
    assert page.inner_text("p") == "one"
    page.click("text=This has changed")
    page.wait_for_selector("text=two")


def test_a_row_that_changes_during_a_fetch_is_fetched_again(page: Any) -> None:
    stub = Stub(page, LIST)
    held: list[Any] = []
    page.route("**/list", lambda route: held.append(route))
    stub.send(stale=["vm:8"])
    page.wait_for_function("() => clustermgrLive.applied === 1")
    while not held:
        page.wait_for_timeout(20)
    stub.send(html=[ROW.format(name="newest", percent=40)])
    page.unroute("**/list")
    stub.answers["/list"] = LIST.replace("web01", "newest")
    held[0].fulfill(body=LIST.replace("web01", "older"))
    page.wait_for_function("() => clustermgrLive.fetched === 2")
    assert page.inner_text("th") == "newest"


def test_a_page_behind_the_heartbeat_fetches_its_regions(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.answers["/list"] = LIST
    stub.send(cur=9)
    page.wait_for_function("() => clustermgrLive.fetched === 1")
    assert page.evaluate("clustermgrLive.cursor") == 9


def test_announcements_are_said_politely(page: Any) -> None:
    Stub(page, LIST).send(say="Live migration of web01: done.")
    page.wait_for_selector("#announcer:text('Live migration of web01: done.')")


def test_the_page_subscribes_with_its_cursor_and_nothing_else(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    assert stub.heard == [{"type": "sub", "topics": ["cluster:1"], "cur": 4}]
    assert page.inner_text("#live-pill") == "Live"


def test_a_lost_socket_is_said_and_found_again(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    stub.answering = False
    stub.hang_up()
    stub.state("reconnecting")
    assert "Data as of" in page.inner_text("#live-bar")
    stub.answering = True
    stub.state("live")
    assert page.is_hidden("#live-bar")


#: Chance gives its most, each pause before an attempt is written down, and none is waited out.
IMPATIENT = """() => {
  window.pauses = [];
  const later = window.setTimeout;
  Math.random = () => 1;
  window.setTimeout = (act, ms) => {
    if (act.name !== "connect") { return later(act, ms); }
    pauses.push(ms);
    return later(act, 5);
  };
}"""


def test_attempts_become_rarer_but_never_rarer_than_five_seconds(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    stub.answering = False
    page.evaluate(IMPATIENT)
    stub.hang_up()
    page.wait_for_function("() => pauses.length > 6")
    assert page.evaluate("pauses.slice(0, 6)") == [500, 1000, 2000, 4000, 5000, 5000]


def test_without_a_socket_the_page_polls_and_without_that_it_says_offline(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    stub.answering = False
    body = {"cur": 4, "at": "2026-03-02T12:00:00.000Z", "patch": figures(55)}
    stub.answers["/c/c1/live"] = json.dumps(body)
    stub.hang_up()
    page.wait_for_function("() => document.querySelector('progress').value === 55", timeout=15000)
    assert stub.asked[0] == "/c/c1/live?since=4"
    assert page.evaluate("clustermgrLive.state") == "reconnecting"
    del stub.answers["/c/c1/live"]
    page.evaluate("clustermgrLive.poll()")
    stub.state("offline")
    assert page.get_attribute("#live-bar", "role") == "alert"


@pytest.mark.parametrize("code", [4401, 4403])
def test_an_ended_session_is_said_and_nothing_is_tried_again(page: Any, code: int) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    stub.hang_up(code)
    stub.state("signed-out")
    assert page.is_visible("text=Sign in again")
    page.wait_for_timeout(700)
    assert len(stub.sockets) == 1


def test_another_version_of_the_interface_asks_to_reload(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.state("live")
    stub.answers["assets"] = "b2"
    stub.hang_up()
    page.wait_for_selector("text=The dashboard was updated.")


def test_a_row_that_is_no_row_of_ours_does_no_harm(page: Any) -> None:
    stub = Stub(page, LIST)
    stub.send(html=["<tr><td>no id</td></tr>", "plain text", '<div id="vm-7-row">wrong</div>', ""])
    assert page.inner_text("th") == "web01"


def test_a_page_whose_object_left_is_loaded_anew_as_a_whole(page: Any) -> None:
    stub = Stub(page, FORM.format(text="It is here."))
    stub.answers["/form"] = (404, "")
    stub.body = "<p id='gone'>It left.</p>"
    with page.expect_navigation():
        stub.send(stale=["vm:7"])
    assert page.inner_text("#gone") == "It left."


POLLED = (
    '<div id="health" data-region data-keys="health" data-url="/health" data-every="0.5" data-age="{age}">'
    '<p role="alert">{text} <a href="/management">Management</a> '
    '<time datetime="2026-03-02T12:00:00.000Z" data-as="time" title="x">12:00:00 UTC</time></p></div>'
    '<p><input id="half" value=""></p>'
)


def asked_twice(page: Any) -> None:
    number = page.evaluate("clustermgrLive.fetched")
    page.wait_for_function("n => clustermgrLive.fetched > n + 1", arg=number)


def test_a_polled_region_that_says_the_same_is_left_alone(page: Any) -> None:
    stub = Stub(page, POLLED.format(text="One.", age="fresh"))
    stub.answers["/health"] = POLLED.format(text="One.", age="fresh")
    page.evaluate("window.before = document.querySelector('[role=alert]')")
    asked_twice(page)
    assert page.evaluate("window.before === document.querySelector('[role=alert]')")
    assert page.evaluate("clustermgrLive.swapped") == 0


def test_a_polled_region_that_changes_keeps_the_focus(page: Any) -> None:
    stub = Stub(page, POLLED.format(text="One.", age="fresh"))
    page.focus("[href='/management']")
    stub.answers["/health"] = POLLED.format(text="Two.", age="fresh")
    page.wait_for_selector("text=Two.")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "/management"


def test_a_session_that_ended_is_said_by_a_polled_region_and_what_was_written_stays(page: Any) -> None:
    stub = Stub(page, POLLED.format(text="One.", age="fresh"))
    page.fill("#half", "half-writ")
    stub.answers["/health"] = (401, "")
    stub.state("signed-out")
    assert page.input_value("#half") == "half-writ"
    assert page.url.endswith("/page")
    asked = len(stub.asked)
    page.wait_for_timeout(1200)
    assert len(stub.asked) == asked


def test_states_that_have_grown_old_are_fetched_though_nobody_tells(page: Any) -> None:
    stub = Stub(page, POLLED.format(text="One.", age="fresh") + LIST)
    stub.answers["/list"] = LIST.replace("web01", "Last known: web01")
    stub.answers["/health"] = POLLED.format(text="One.", age="unknown")
    page.wait_for_selector("text=Last known: web01")
    assert stub.asked.count("/list") == 1


UNANSWERED = '<div id="toasts"></div><script src="/static/js/app.js"></script>'
SAY = """([name, verb]) => document.dispatchEvent(
    new CustomEvent(name, { detail: { requestConfig: { verb } } }))"""


@pytest.mark.parametrize("name", ["htmx:sendError", "htmx:timeout"])
def test_an_order_without_an_answer_may_have_been_taken(page: Any, name: str) -> None:
    Stub(page, UNANSWERED)
    page.evaluate(SAY, [name, "post"])
    assert "Look at Tasks before you order again." in page.inner_text("#toasts")
    assert "Nothing was ordered" not in page.inner_text("#toasts")


def test_a_look_without_an_answer_ordered_nothing(page: Any) -> None:
    Stub(page, UNANSWERED)
    page.evaluate(SAY, ["htmx:sendError", "get"])
    assert page.inner_text("#toasts div div") == "The console does not answer. Try again in a moment."


def test_a_row_from_which_an_order_is_on_its_way_waits_for_the_answer(page: Any) -> None:
    stub = Stub(page, LIST)
    page.evaluate("document.getElementById('vm-7-row').classList.add('htmx-request')")
    stub.send(html=[ROW.format(name="web01 (old news)", percent=40)])
    stub.send(html=[ROW.format(name="web01 (new)", percent=50)])
    assert page.inner_text("th") == "web01"
    page.evaluate(
        "document.getElementById('vm-7-row').classList.remove('htmx-request');"
        "document.body.dispatchEvent(new Event('htmx:afterRequest', { bubbles: true }))"
    )
    assert page.inner_text("th") == "web01 (new)"


def test_a_region_from_which_an_order_is_on_its_way_is_fetched_again_after_it(page: Any) -> None:
    stub = Stub(page, FORM.format(text="Before."))
    stub.answers["/form"] = FORM.format(text="After.")
    page.evaluate("document.getElementById('b').classList.add('htmx-request')")
    stub.send(stale=["vm:7"])
    page.wait_for_function("() => clustermgrLive.fetched > 0")
    assert page.inner_text("#form p") == "Before."
    page.evaluate("document.getElementById('b').classList.remove('htmx-request')")
    page.wait_for_selector("text=After.")
