"""What a hub holds between two frames, without Redis, database or browser."""

from __future__ import annotations

import pytest

from clustermgr import notices
from clustermgr.live.announce import PAUSE_S, Announcer, Told
from clustermgr.live.frame import MOST_ENTRIES, Frame, everything_stale
from clustermgr.live.mailbox import Mailbox
from clustermgr.live.news import News, Taken
from clustermgr.notices import Changed, Progress


def changed(version: int, *subjects: str) -> Changed:
    return Changed(1, version, subjects)


def progress(percent: float, operation: int = 9) -> Progress:
    return Progress(1, operation, 7, {"percent": percent})


def test_a_notice_survives_the_wire() -> None:
    for notice in (changed(5, "vm:7", "events"), progress(12.5)):
        assert notices.decode(notices.encode(notice)) == notice


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '{"type":"Changed"}', '{"type":"Gossip"}', b"\xff\xfe", '{"type":[]}'],
)
def test_garbage_on_the_channel_is_no_notice(text: str | bytes) -> None:
    assert notices.decode(text) is None


def test_only_the_newest_figures_of_an_operation_are_kept() -> None:
    news = News.since(4)
    for percent in (1.0, 2.0, 3.0):
        news.progress(progress(percent))
    assert news.take() == Taken(["operation:9"], [], [progress(3.0)], False)
    news.progress(progress(4.0))
    assert news.take() == Taken([], [], [progress(4.0)], False)
    assert not news.waiting


def test_a_row_is_rendered_again_when_its_move_stops_converging() -> None:
    news = News.since(4)
    for converging in (True, True, False, False):
        news.progress(Progress(1, 9, 7, {"percent": 5.0, "converging": converging}))
        news.figures.clear()
        if converging:
            news.take()
    assert news.take().subjects == ["operation:9"]


def test_subjects_are_named_once_and_the_cursor_follows() -> None:
    news = News.since(4)
    news.changed(changed(5, "vm:7", "events"))
    news.changed(changed(6, "vm:7"))
    assert news.take().subjects == ["vm:7", "events"]
    assert news.told == 6


def test_samples_bring_no_new_version_and_make_no_list_stale() -> None:
    news = News.since(4)
    news.changed(changed(4, "vm:7", "vm:8"))
    news.changed(changed(5, "vm:8"))
    taken = news.take()
    assert (taken.subjects, taken.samples) == (["vm:8"], ["vm:7"])


def test_commits_that_arrive_out_of_order_leave_no_hole() -> None:
    news = News.since(4)
    news.changed(changed(6, "vm:2"))
    assert news.cursor == 4
    news.changed(changed(5, "vm:1"))
    assert news.cursor == 6


def test_a_lost_notice_is_found_at_the_second_comparison() -> None:
    news = News.since(4)
    news.compare(5, patient=True)
    assert not news.lost
    news.compare(5, patient=True)
    assert news.lost
    assert news.take().lost
    assert news.told == 5


def test_a_notice_that_is_only_late_is_not_taken_for_lost() -> None:
    news = News.since(4)
    news.compare(5, patient=True)
    news.changed(changed(5, "vm:7"))
    news.compare(5, patient=True)
    assert not news.lost


def test_without_redis_the_first_comparison_already_tells() -> None:
    news = News.since(4)
    news.compare(5, patient=False)
    assert news.lost


def test_figures_of_a_settled_operation_come_too_late() -> None:
    news = News.since(4)
    news.settled([9])
    news.progress(progress(99.0))
    assert not news.waiting


def test_a_slow_browser_gets_the_newest_of_everything_in_one_frame() -> None:
    box = Mailbox()
    for second, percent in enumerate((10, 20, 30)):
        frame = Frame(cur=second, at=str(second), patch={"vm:7": {"percent": percent}}, stale=("vm:7",))
        box.put(frame, frame.text())
    assert box.take() == '{"cur":2,"at":"2","patch":[["vm:7",{"percent":30}]],"stale":["vm:7"]}'
    assert box.take() is None


def test_too_much_for_one_frame_becomes_fetch_everything() -> None:
    frame = Frame(cur=1, at="1", html={f"vm:{n}": "<tr>" for n in range(MOST_ENTRIES)})
    merged = frame.then(Frame(cur=2, at="2", html={"vm:x": "<tr>"}))
    assert (merged.html, merged.stale, merged.cur) == ({}, ("*",), 2)
    assert merged.then(frame).stale == everything_stale(2, "2").stale


def test_the_announcer_speaks_at_most_once_in_ten_seconds_and_merges() -> None:
    announcer = Announcer()
    announcer.changed(Told(1, "live_migration", "web01", "running"))
    assert announcer.due(0) == ("Live migration of web01: started.",)
    announcer.figures(1, 51)
    announcer.figures(1, 60)
    announcer.changed(Told(1, "live_migration", "web01", "succeeded"))
    assert announcer.due(PAUSE_S - 1) == ()
    said = announcer.due(PAUSE_S)
    assert said == ("Live migration of web01: 50 percent.", "Live migration of web01: done.")
    assert announcer.due(PAUSE_S * 3) == ()
