"""Bodies of any size and kind over ASGI: what is larger than a form never arrives."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator

from clustermgr.web import bodies
from clustermgr.web.bodies import BodyLimit

MULTIPART = b"multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'


def post(parts: list[bytes], kind: bytes = bodies.FORM) -> tuple[int, str]:
    """Status and page for a chunked form, sent to the console's own application."""

    async def play() -> tuple[int, str]:
        from clustermgr.asgi import application

        headers = [(b"host", b"localhost"), (b"content-type", kind), (b"origin", b"http://localhost")]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/sign-in/",
            "query_string": b"",
            "headers": headers,
        }
        tab = ApplicationCommunicator(application, {**scope, "http_version": "1.1"})
        for number, part in enumerate(parts, 1):
            more = number < len(parts)
            await tab.send_input({"type": "http.request", "body": part, "more_body": more})
        start, body = await tab.receive_output(5), await tab.receive_output(5)
        await tab.wait(5)
        return start["status"], body["body"].decode()

    return async_to_sync(play)()


@pytest.mark.parametrize(
    ("first", "kind"), [(b"username=", bodies.FORM), (FILE, MULTIPART), (b"", b"application/json")]
)
@pytest.mark.django_db
def test_more_than_a_form_is_refused_whatever_it_is(
    first: bytes, kind: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A stranger without the form's token is refused for that; here the size is what matters.
    monkeypatch.setattr("django.middleware.csrf.CsrfViewMiddleware._check_token", lambda *_: None)
    status, page = post([first, *[b"x" * 500_000] * 20], kind)
    assert status == 413
    assert "larger than 1 MB" in page


def test_the_first_bytes_of_an_endless_body_are_enough() -> None:
    seen: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((dict(scope["headers"]), await receive()))

    async def endless() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    async_to_sync(BodyLimit(application))({"type": "http", "headers": []}, endless, None)
    headers, message = seen[0]
    assert bodies.PATIENCE < int(headers[b"content-length"]) < bodies.PATIENCE + 1_000_001
    assert message == {"type": "http.request", "body": b"", "more_body": False}


def test_a_form_that_fits_arrives_as_it_was_sent() -> None:
    seen: list[Any] = []
    sent = [{"body": b"a=1&", "more_body": True}, {"body": b"b=2"}]

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", **sent.pop(0)}

    async_to_sync(BodyLimit(application))({"type": "http", "headers": []}, receive, None)
    assert seen == [b"a=1&b=2"]
