"""Orders on a virtual machine: the ones that a click in the console gives. Each is answered at once."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StrictInt

from clustermgr.actions import drift as drifts
from clustermgr.actions import removal, vms
from clustermgr.actions.repeats import Kept
from clustermgr.api.auth import actor, needs
from clustermgr.api.repeats import once
from clustermgr.api.shapes import Ordered, VmDetail, or_problem
from clustermgr.api.values import NO_CONTROLS, Body, Number, Ref
from clustermgr.api.vms import show_vm
from clustermgr.core.settings_rules import FIELDS
from clustermgr.core.states import OfflineAction
from clustermgr.queries import find
from clustermgr.queries.rows import operation_row

router = Router(tags=["orders"])
ACCEPTED = or_problem(Ordered, 202)


class Target(Body):
    """`target`: a node by id or name; left out: the best one."""

    target: Number | Ref | None = None


class MoveOrder(Target):
    """`offline_action`: for this once instead of the virtual machine's own."""

    offline_action: OfflineAction | None = None


class ShutDownOrder(Body):
    """`forced`: without waiting for slow processes of the guest."""

    forced: bool = False


class SettingsOrder(Body):
    """`version`: `config_version` as it was read; `base`: the values read then of the fields to change.

    A field that somebody else changed since is a conflict (409); other fields merge.
    """

    version: Number
    changes: dict[Ref, StrictInt | str] = Field(min_length=1, max_length=len(FIELDS))
    base: dict[Ref, StrictInt | str] = Field(default_factory=dict, max_length=len(FIELDS))


class RemovalOrder(Body):
    """`name`: the virtual machine's, once more."""

    name: str = Field(min_length=1, max_length=100, pattern=NO_CONTROLS)


class RefreshOrder(Body):
    """`fingerprint`: of the drift that was read; `fields`: what to accept, left out: all that differs."""

    fingerprint: str = Field(max_length=64, pattern=NO_CONTROLS)
    fields: list[Ref] | None = Field(default=None, max_length=50)


def _target(here: Any, order: Target | None) -> Any:
    if order is None or order.target is None:
        return None
    return find.node(here, str(order.target), status=422)


def _ordered(operation: Any) -> Status:
    row = find.operation(operation.cluster, operation.pk) if operation else None
    return Status(202, {"operation": operation_row(row) if row else None})


def _again(request: HttpRequest, kept: Kept, **values: Any) -> Status:
    return _ordered(kept.operation)


def _refreshed(request: HttpRequest, kept: Kept, *, cluster: str, **values: Any) -> Any:
    return show_vm(request, cluster, str(kept.made))


@router.post("/{cluster}/vms/{vm}/live-migrate", response=ACCEPTED, **needs("live_migrate"))
@once(_again)
def live_migrate(request: HttpRequest, cluster: Ref, vm: Ref, order: Target | None = None) -> Any:
    """Move it while it runs: memory is copied first, then it switches; clients stay connected."""
    here = find.cluster(cluster)
    row, node = find.vm(here, vm), _target(here, order)
    return _ordered(vms.live_migrate(actor=actor(request), vm=row, target=node))


@router.post("/{cluster}/vms/{vm}/quick-migrate", response=ACCEPTED, **needs("quick_migrate"))
@once(_again)
def quick_migrate(request: HttpRequest, cluster: Ref, vm: Ref, order: Target | None = None) -> Any:
    """Save it to its volume and restore it on another node; it stops for as long as that takes."""
    here = find.cluster(cluster)
    row, node = find.vm(here, vm), _target(here, order)
    return _ordered(vms.quick_migrate(actor=actor(request), vm=row, target=node))


@router.post("/{cluster}/vms/{vm}/move", response=ACCEPTED, **needs("move"))
@once(_again)
def move(request: HttpRequest, cluster: Ref, vm: Ref, order: MoveOrder | None = None) -> Any:
    """Take it offline by its offline action and bring it up elsewhere. “turn_off” may lose data."""
    here = find.cluster(cluster)
    row, node = find.vm(here, vm), _target(here, order)
    action = order.offline_action if order else None
    return _ordered(vms.move(actor=actor(request), vm=row, target=node, offline_action=action))


@router.post("/{cluster}/vms/{vm}/start", response=ACCEPTED, **needs("start"))
@once(_again)
def start(request: HttpRequest, cluster: Ref, vm: Ref) -> Any:
    """Start it where it is, restore a saved one, resume a paused one."""
    row = find.vm(find.cluster(cluster), vm)
    return _ordered(vms.start(actor=actor(request), vm=row))


@router.post("/{cluster}/vms/{vm}/shut-down", response=ACCEPTED, **needs("shut_down"))
@once(_again)
def shut_down(request: HttpRequest, cluster: Ref, vm: Ref, order: ShutDownOrder | None = None) -> Any:
    """Ask the guest to shut down."""
    row, forced = find.vm(find.cluster(cluster), vm), order.forced if order else False
    return _ordered(vms.shut_down(actor=actor(request), vm=row, forced=forced))


@router.post("/{cluster}/vms/{vm}/turn-off", response=ACCEPTED, **needs("turn_off"))
@once(_again)
def turn_off(request: HttpRequest, cluster: Ref, vm: Ref) -> Any:
    """Cut the power without asking the guest. Data loss may occur."""
    row = find.vm(find.cluster(cluster), vm)
    return _ordered(vms.turn_off(actor=actor(request), vm=row))


@router.post("/{cluster}/vms/{vm}/save", response=ACCEPTED, **needs("save"))
@once(_again)
def save(request: HttpRequest, cluster: Ref, vm: Ref) -> Any:
    """Write its memory to its volume and stop it; a start restores it."""
    row = find.vm(find.cluster(cluster), vm)
    return _ordered(vms.save(actor=actor(request), vm=row))


@router.patch("/{cluster}/vms/{vm}/settings", response=ACCEPTED, **needs("change_settings"))
@once(_again)
def change_settings(request: HttpRequest, cluster: Ref, vm: Ref, order: SettingsOrder) -> Any:
    """Change memory_mib, vcpus, notes, offline_action or priority."""
    row = find.vm(find.cluster(cluster), vm)
    return _ordered(
        vms.change_settings(
            actor=actor(request),
            vm=row,
            version=order.version,
            changes=order.changes,
            base=order.base,
        )
    )


@router.post("/{cluster}/vms/{vm}/refresh", response=or_problem(VmDetail), **needs("refresh"))
@once(_refreshed)
def refresh(request: HttpRequest, cluster: Ref, vm: Ref, order: RefreshOrder) -> Any:
    """Accept the host's configuration into the cluster's copy. The fingerprint keeps it from acting twice."""
    row = find.vm(find.cluster(cluster), vm)
    drifts.accept(actor=actor(request), vm=row, fingerprint=order.fingerprint, fields=order.fields)
    return show_vm(request, cluster, str(row.pk))


@router.post("/{cluster}/vms/{vm}/remove", response=ACCEPTED, **needs("remove_role"))
@once(_again)
def remove_role(request: HttpRequest, cluster: Ref, vm: Ref, order: RemovalOrder) -> Any:
    """Take it out of the cluster: it stays on its host as it is, and is not kept available any more."""
    here = find.cluster(cluster)
    row = find.vm(here, vm)
    return _ordered(removal.remove_role(actor=actor(request), vm=row, typed=order.name))
