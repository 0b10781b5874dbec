"""The OpenAPI document against the application: whatever it allows, and much that it does not, is no 5xx."""

from __future__ import annotations

from types import SimpleNamespace

import hypothesis
import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from clustermgr.api.urls import api
from tests import worlds
from tests.api.conftest import token_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
CHECKS = [not_a_server_error]
document = schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix="/api/v1/"))
document.app = WSGIHandler()
document.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.fixture
def token(world: SimpleNamespace, clock: object) -> str:
    return token_of(worlds.admin())


@document.parametrize()
@hypothesis.settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_nothing_that_the_document_allows_breaks_the_server(case: schemathesis.Case, token: str) -> None:
    # Names that exist, so that requests get further than “unknown”.
    if "cluster" in case.path_parameters and len(str(case.path_parameters["cluster"])) % 2:
        case.path_parameters["cluster"] = "c1"
    if "vm" in case.path_parameters and len(str(case.path_parameters["vm"])) % 2:
        case.path_parameters["vm"] = "web01"
    answer = case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)
    assert answer.status_code != 401
