"""Standing down and up again while a rival is seen."""

from __future__ import annotations

import pytest

from clustermgr.actions import standing
from clustermgr.actions._ledger import change
from clustermgr.errors import ActionRefused
from clustermgr.models import Cluster
from clustermgr.ports import clock
from tests import worlds


@pytest.mark.django_db(transaction=True)
def test_a_rival_that_is_seen_while_somebody_resumes_is_not_wiped_away() -> None:
    c1 = worlds.usual().c1
    Cluster.objects.update(stood_down_at=clock().now(), stood_down_by="ana")
    read_before = Cluster.objects.get(pk=c1.pk)
    Cluster.objects.update(stood_down_by="", rivals={"another": 3})
    with pytest.raises(ActionRefused, match="take over"), change(c1.pk) as tx:
        standing._up(tx, read_before)
    now = Cluster.objects.get(pk=c1.pk)
    assert now.stood_down_at is not None
    assert now.rivals == {"another": 3}
