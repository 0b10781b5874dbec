"""The one thread in which a hub queries and renders: the event loop never touches the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from django.db import close_old_connections

_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live")


def _fresh(function: Callable[..., Any], *args: Any) -> Any:
    close_old_connections()
    try:
        return function(*args)
    finally:
        close_old_connections()


def when_free(function: Callable[[], str]) -> Future[str]:
    """Something small, after all that waits there: whether the thread works at all."""
    return _thread.submit(function)


async def in_own_thread(function: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_thread, _fresh, function, *args)
