"""What is committed survives a power cut: every connection is opened so, on both databases (safety.md 3)."""

from __future__ import annotations

import pytest
from django.db import connection

SAFE = {"sqlite": ("PRAGMA synchronous", 2), "postgresql": ("SHOW synchronous_commit", "on")}


@pytest.mark.django_db
def test_a_commit_is_on_the_disk_when_it_is_answered() -> None:
    question, full = SAFE[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(question)
        assert cursor.fetchone()[0] == full
