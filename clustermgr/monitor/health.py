"""`/health/live` and `/health/ready`, in front of Django: they need neither its threads nor a known Host."""

from __future__ import annotations

import json
from typing import Any

from clustermgr.monitor.checks import OK, Check, all_checks, answers

LIVE, READY = "/health/live", "/health/ready"


class Health:
    """Answers both addresses, and passes on everything else."""

    def __init__(self, application: Any, checks: dict[str, Check] | None = None) -> None:
        self.application = application
        self.checks = checks or all_checks()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] not in (LIVE, READY):
            return await self.application(scope, receive, send)
        if scope["method"] not in ("GET", "HEAD"):
            return await _answer(send, 405, {"error": "Only GET and HEAD."})
        if scope["path"] == LIVE:
            return await _answer(send, 200, {"live": True})
        found = await answers(self.checks)
        ready = all(answer == OK for answer in found.values())
        return await _answer(send, 200 if ready else 503, {"ready": ready, "checks": found})


async def _answer(send: Any, status: int, body: dict[str, Any]) -> None:
    content = json.dumps(body, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(content)).encode()),
        *([(b"allow", b"GET, HEAD")] if status == 405 else ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
