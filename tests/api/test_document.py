"""The OpenAPI document against the application: whatever it allows, and much that it does not, is no 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from clustermgr.api.urls import api
from tests import worlds
from tests.api.conftest import token_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
# Not in requirements.txt, with which alone plain pytest must run.
schemathesis = pytest.importorskip("schemathesis")
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402

CHECKS = [not_a_server_error]


class Door:
    """The application for a caller that always brings a token: the prober leaves it out now and then."""

    def __init__(self) -> None:
        self.application = WSGIHandler()
        self.token = ""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.application({**environ, "HTTP_AUTHORIZATION": f"Bearer {self.token}"}, start_response)


door = Door()
document = schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix="/api/v1/"))
document.app = door
document.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.fixture
def inside(world: SimpleNamespace, clock: object) -> Iterator[None]:
    """An administrator's token at the door; waiting takes no time."""
    door.token = token_of(worlds.admin())
    # As Django's own test client does: the end of a request must not end the test's transaction.
    for moment in (request_started, request_finished):
        moment.disconnect(close_old_connections)
    yield
    for moment in (request_started, request_finished):
        moment.connect(close_old_connections)


@document.parametrize()
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_nothing_that_the_document_allows_breaks_the_server(case: schemathesis.Case, inside: None) -> None:
    # Names that exist, so that requests get further than “unknown”.
    if "cluster" in case.path_parameters and len(str(case.path_parameters["cluster"])) % 2:
        case.path_parameters["cluster"] = "c1"
    if "vm" in case.path_parameters and len(str(case.path_parameters["vm"])) % 2:
        case.path_parameters["vm"] = "web01"
    answer = case.call_and_validate(checks=CHECKS)
    assert answer.status_code != 401 or case.operation.method == "delete"
