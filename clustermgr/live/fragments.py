"""Which rows are pushed as HTML: one line per live row. Everything else is fetched by the page itself.

A pushed row holds nothing that depends on the viewer; it is rendered once per language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.template.loader import render_to_string
from django.utils import translation

from clustermgr.core.states import SETTLED
from clustermgr.live.figures import patches
from clustermgr.notices import Progress
from clustermgr.queries import live as queries
from clustermgr.queries import rows
from clustermgr.queries.live import ToldOperation

#: More changed rows of a kind than this in one tick: the pages fetch what they show.
MOST_ROWS = 100


@dataclass(frozen=True, slots=True)
class Fragment:
    """`query(ids)` answers plain values with `id` and `cluster` (a slug); gone rows are left out."""

    name: str
    template: str
    query: Callable[[Sequence[int]], Iterable[Any]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one tick shows of a cluster: rendered rows by subject, and the operations among them."""

    html: Mapping[str, str] = field(default_factory=dict)
    patch: Mapping[str, Mapping[str, Any] | None] = field(default_factory=dict)
    operations: Sequence[ToldOperation] = ()

    @property
    def settled(self) -> list[ToldOperation]:
        return [told for told in self.operations if told.state in SETTLED]


FRAGMENTS: dict[str, Fragment] = {
    "vm": Fragment("vm", "parts/_vm_row.html", rows.vm_rows),
    "node": Fragment("node", "parts/_node_row.html", rows.node_rows),
    "operation": Fragment("operation", "parts/_operation_row.html", rows.operation_rows),
}


def render(cluster_id: int, subjects: Sequence[str], progress: Sequence[Progress], language: str) -> Shown:
    """Runs in the hub's own thread."""
    ids = _ids(subjects)
    told = queries.told_operations(cluster_id, ids.get("operation", ()))
    # The row of a VM shows its operation, whoever of the two was named.
    vms = dict.fromkeys((*ids.get("vm", ()), *(each.vm_id for each in told if each.vm_id is not None)))
    if vms:
        ids["vm"] = list(vms)
    slug = queries.slug_of(cluster_id) if ids else ""
    figures = {each.operation: each.figures for each in progress}
    html: dict[str, str] = {}
    with translation.override(language):
        patch = _patch(progress, told)
        for kind, wanted in ids.items():
            if kind in FRAGMENTS and len(wanted) <= MOST_ROWS:
                html.update(_rows(slug, FRAGMENTS[kind], wanted, kind, figures))
    return Shown(html, patch, told)


def _patch(
    progress: Sequence[Progress], told: Sequence[ToldOperation]
) -> dict[str, Mapping[str, Any] | None]:
    """Figures of what runs; None for what ended, so that no page lays its last figures over the new row."""
    patch: dict[str, Mapping[str, Any] | None] = {}
    patch.update(patches((each.operation, each.vm, each.figures) for each in progress))
    for each in told:
        if each.state in SETTLED:
            patch |= {f"operation:{each.id}": None, **({f"vm:{each.vm_id}": None} if each.vm_id else {})}
    return patch


def _rows(
    slug: str, fragment: Fragment, ids: Sequence[int], kind: str, figures: Mapping[int, Mapping[str, Any]]
) -> dict[str, str]:
    return {
        f"{kind}:{row.id}": render_to_string(
            fragment.template, {fragment.name: _newest(row, figures)}
        ).strip()
        for row in fragment.query(ids)
        if row.cluster == slug
    }


def _newest(row: Any, figures: Mapping[int, Mapping[str, Any]]) -> Any:
    """The row with the figures just heard: its own are written only once a second."""
    if isinstance(row, rows.OperationRow) and row.active and row.id in figures:
        return replace(row, progress=dict(figures[row.id]))
    if isinstance(row, rows.VmRow) and row.operation is not None:
        return replace(row, operation=_newest(row.operation, figures))
    return row


def _ids(subjects: Iterable[str]) -> dict[str, list[int]]:
    ids: dict[str, list[int]] = {}
    for subject in subjects:
        kind, _, number = subject.partition(":")
        if number.isdigit():
            ids.setdefault(kind, []).append(int(number))
    return ids
