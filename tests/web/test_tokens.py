"""The page of tokens: made and shown once, listed, revoked after a question, each rule in words."""

from __future__ import annotations

from typing import Any

import pytest

from clustermgr.access import Actor
from clustermgr.actions import tokens
from clustermgr.models import ApiToken, AuditEntry
from tests import worlds
from tests.web.asks import SCRIPT, source_of, text_of

pytestmark = pytest.mark.django_db
PAGE = "/settings/tokens/"
ORDER = {"name": "backup", "role": "viewer", "days": "30"}


def test_a_token_is_made_and_its_secret_shown_once(as_: Any) -> None:
    browser = as_("operator")
    made = browser.post(PAGE, ORDER)
    assert made.status_code == 201
    assert "it is not shown again" in text_of(made)
    secret = source_of(made).split('value="cmt_')[1].split('"')[0]
    assert tokens.use(f"cmt_{secret}", "here").role == "viewer"
    later = browser.get(PAGE)
    assert "backup" in text_of(later)
    assert secret not in source_of(later)
    assert later["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": ""}, "Give the token a name that says what uses it."),
        ({"name": "x" * 61}, "A token's name has 1 to 60 characters; this one has 61."),
        ({"name": "a\x01b"}, "character 2 is U+0001"),
        ({"name": "a\u3164b"}, "character 2 is U+3164 (hangul filler). Type the name by hand"),
        ({"days": "0"}, "A token is good for 1 to 366 days."),
        ({"days": "soon"}, "A token is good for 1 to 366 days."),
        ({"role": "king"}, "The role must be one of: viewer, operator, administrator."),
        ({"role": "administrator"}, "A token cannot have the role administrator: yours is operator."),
    ],
)
def test_a_broken_rule_is_said_and_nothing_made(wrong: dict[str, str], sentence: str, as_: Any) -> None:
    answer = as_("operator").post(PAGE, {**ORDER, **wrong})
    assert answer.status_code in {403, 422}
    assert sentence in text_of(answer)
    assert not ApiToken.objects.exists()


def test_a_name_comes_back_as_text(as_: Any) -> None:
    answer = as_("operator").post(PAGE, {**ORDER, "name": SCRIPT, "days": "0"})
    assert SCRIPT not in source_of(answer)
    assert "&lt;script&gt;" in source_of(answer)


def test_revoking_asks_first_and_is_audited(as_: Any) -> None:
    browser = as_("viewer")
    browser.post(PAGE, ORDER)
    token = ApiToken.objects.get()
    asked = browser.get(f"{PAGE}?revoke={token.pk}")
    assert "Revoke “backup” of vic?" in text_of(asked)
    done = browser.post(f"{PAGE}{token.pk}/revoke/", follow=True)
    assert "The token “backup” is revoked" in text_of(done)
    assert AuditEntry.objects.get(verb="revoke_token").username == "vic"


def test_only_an_administrator_reaches_the_tokens_of_others(as_: Any) -> None:
    vic = worlds.user("victor", "viewer")
    tokens.create(actor=Actor("victor", "viewer", "test", vic), name="his", role="viewer", days=3)
    token = ApiToken.objects.get()
    operator, admin = as_("operator"), as_("administrator")
    assert "his" not in text_of(operator.get(PAGE))
    assert operator.post(f"{PAGE}{token.pk}/revoke/").status_code == 404
    assert "victor" in text_of(admin.get(PAGE))
    assert admin.post(f"{PAGE}{token.pk}/revoke/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_by == "ana"


def test_the_menu_leads_there(as_: Any) -> None:
    worlds.cluster("c1")
    assert f'href="{PAGE}"' in source_of(as_("viewer").get("/c/c1/"))


def test_an_older_good_token_is_found_and_revoked_among_many_that_ended(as_: Any) -> None:
    admin = as_("administrator")
    vic = worlds.user("victor", "viewer")
    his, _ = tokens.create(actor=Actor("victor", "viewer", "test", vic), name="his", role="viewer", days=3)
    for n in range(101):
        words = {"name": f"n{n}", "role": "viewer", "digest": f"{n:064d}", "created_at": his.created_at}
        ApiToken.objects.create(user=vic, expires_at=his.created_at, **words)
    page = admin.get(PAGE)
    assert f"{PAGE}?revoke={his.pk}" in source_of(page)
    assert f"{PAGE}?offset=100" in source_of(page)
    far = admin.get(f"{PAGE}?offset=100&revoke={his.pk}")
    assert "Revoke “his” of victor?" in text_of(far)
    assert "n0" in text_of(far)
