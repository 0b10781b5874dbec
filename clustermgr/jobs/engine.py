"""The engine's task: what failed is decided about, on every change that matters and every few seconds."""

from __future__ import annotations

from clustermgr.actions.recovery import failed_vms, recover
from clustermgr.celery import app
from clustermgr.models import Cluster


@app.task(name="clustermgr.jobs.engine.decide")
def decide(cluster_id: int) -> None:
    """One round for one cluster. Two rounds at once are harmless: one order per VM."""
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    for vm in failed_vms(cluster) if cluster else ():
        recover(vm)


@app.task(name="clustermgr.jobs.engine.decide_all")
def decide_all() -> None:
    for cluster_id in Cluster.objects.values_list("pk", flat=True):
        decide(cluster_id)
