"""The header of orders that may be sent again, for each route that changes something."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from pydantic import BaseModel

from clustermgr.actions import repeats
from clustermgr.api.auth import actor
from clustermgr.api.values import Key

View = Callable[..., Any]


def once(again: View) -> Callable[[View], View]:
    """A route that takes `Idempotency-Key`. The same call again is not made: `again(request, kept, **values)`
    answers it, with what was kept of the first and the values of the path and the body."""

    def with_key(view: View) -> View:
        @wraps(view)
        def entered(request: HttpRequest, key: str | None = None, **values: Any) -> Any:
            if key is not None:
                said = {name: _plain(value) for name, value in values.items()}
                request.auth = repeats.sent(actor(request), key, view.__name__, said)  # type: ignore[attr-defined]
            return repeats.once(
                actor(request),
                lambda: view(request, **values),
                lambda kept: again(request, kept, **values),
            )

        entered.__signature__ = _signature(view)  # type: ignore[attr-defined]
        return entered

    return with_key


def _signature(view: View) -> inspect.Signature:
    """That of the view with the header; its types as such, since they are written in the view's module."""
    found = inspect.signature(view, eval_str=True)
    key = inspect.Parameter("key", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Key)
    return found.replace(parameters=[*found.parameters.values(), key])


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
