"""Two managers with a database each over the same simulated hosts: the newer works, the older stands down."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import call_command

from clustermgr.actions import standing, vms
from clustermgr.errors import ActionRefused
from tests.jobs.conftest import Stage
from tests.jobs.test_stamps import cluster, stamps, swept
from tests.jobs.test_watch import Watch
from tests.twins import second_manager


def epochs(stage: Stage) -> set[str]:
    return {stamps(stage, name)[0].split()[1] for name in ("web", "db", "app", "idle")}


def test_a_restored_database_looks_only_and_after_its_take_over_the_older_stands_down(
    stage: Stage, tmp_path: Path
) -> None:
    swept(stage, Watch(stage))
    call_command("backup", str(tmp_path / "file"))
    with second_manager(tmp_path / "twin.sqlite3"):
        call_command("restore", str(tmp_path / "file"))
        swept(stage, Watch(stage, "second"))
        assert "restored from a backup" in cluster(stage).stood_down_reason
        assert epochs(stage) == {"epoch=1"}
        standing.take_over(actor=stage.actor, cluster=cluster(stage), confirm="Test")
        stage.run()
        assert epochs(stage) == {"epoch=2"}
    swept(stage, Watch(stage, "first again"), 15)
    assert "its marker (epoch 2, session 1) lies on csv1" in cluster(stage).stood_down_reason
    with pytest.raises(ActionRefused, match="takes no orders"):
        vms.shut_down(actor=stage.actor, vm=stage.vm("web"))
    standing.take_over(actor=stage.actor, cluster=cluster(stage), confirm="Test")
    stage.run()
    assert epochs(stage) == {"epoch=3"}
    with second_manager(tmp_path / "twin.sqlite3"):
        swept(stage, Watch(stage, "second again"), 15)
        assert cluster(stage).rivals == {standing.installation().manager_id: 3}
    assert cluster(stage).stood_down_at is None


def test_two_strangers_on_the_same_hosts(stage: Stage, tmp_path: Path) -> None:
    """The second never heard of the first: it finds its stamps when it looks, and touches nothing."""
    swept(stage, Watch(stage))
    call_command("backup", str(tmp_path / "file"))
    before = stamps(stage, "web")
    with second_manager(tmp_path / "twin.sqlite3"):
        call_command("restore", str(tmp_path / "file"))
        standing.Installation.objects.update(manager_id="stranger")
        type(stage.cluster).objects.update(stood_down_at=None, stood_down_by="")
        swept(stage, Watch(stage, "second"), 20)
        assert "another manager" in cluster(stage).stood_down_reason
    assert stamps(stage, "web") == before
    assert cluster(stage).stood_down_at is None
