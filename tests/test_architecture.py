"""The rules that keep the rings apart and the files small. The import table is data; the walk is below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture import PACKAGE, ROOT, comments, functions, imports, names_used, ring, shown, sources

ANY_ENTRANCE = {"web", "api", "live", "cli", "jobs"}

#: What each part may import of the others, besides itself and SHARED (docs/architecture.md).
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "secrets": {"root"},
    "celery": {"jobs"},
    "ports": {"celery"},
    "errors": {"core"},
    "drivers": {"core"},
    "models": {"core"},
    "access": {"models", "core"},
    "notices": {"models", "core"},
    "queries": {"models", "access", "core"},
    "actions": {"queries", "models", "access", "notices", "core"},
    "jobs": {"actions", "queries", "models", "access", "notices", "drivers", "core", "celery"},
    "web": {"actions", "queries", "models", "access", "core"},
    "api": {"actions", "queries", "access", "core"},
    "cli": {"core"},
    "live": {"queries", "models", "access", "notices", "core"},
    "kvmlab": set(),
    # The last entrance: it watches the others, and /metrics has the API's guard.
    "monitor": {"api", "live", "queries", "access", "core"},
    "supervisor": {"actions", "models"},
}
#: Set-up commands stand above the rings: they seed hosts and start processes.
ABOVE = {"management", "root", ""}
SHARED = {"errors", "logs", "meters", "ports", "secrets"}

#: Files that may touch time and chance themselves, each with its reason.
OWN_TIME = {
    "clustermgr/ports.py": "it is the port",
    "clustermgr/kvmlab": "runs beside the program and waits for real daemons",
}
FORBIDDEN = {
    "datetime.now",
    "datetime.utcnow",
    "timezone.now",
    "date.today",
    "datetime.today",
    "time.time",
    "time.sleep",
    "time.monotonic",
    "asyncio.sleep",
    "uuid.uuid1",
    "uuid.uuid4",
    "auto_now=",
    "auto_now_add=",
}
FORBIDDEN_MODULES = {"random"}
ALWAYS_EAGER = re.compile(r"task_always_eager", re.IGNORECASE)

LONGEST_FILE, LONGEST_FUNCTION = 400, 50
LONGEST_TEMPLATE, LONGEST_STYLE = 120, 200
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|hsla|oklch|oklab|lab|lch|hwb)\(")
INLINE = re.compile(
    r"""<style\b|\sstyle\s*=|<script(?![^>]*\bsrc=)[^>]*>|\son[a-z]+\s*=\s*["']""", re.IGNORECASE
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def _allowed(path: Path, module: str) -> bool:
    here, there = ring(_module(path)), ring(module)
    return here in ABOVE or there in {"", here} | SHARED | MAY_IMPORT.get(here, set())


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _under(place: str, folders: dict[str, str]) -> bool:
    return any(place.startswith(folder) for folder in folders)


def _in(folder: str, *endings: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in endings)


def test_imports_follow_the_rings():
    against = [
        str(found)
        for path in sources()
        for found in imports(path)
        if found.module.startswith("clustermgr") and not _allowed(path, found.module)
    ]
    assert not against, "\n".join(against)


def test_the_core_is_pure():
    import sys

    known = sys.stdlib_module_names | {"clustermgr"}
    outside = [
        str(found)
        for path in sources()
        if ring(_module(path)) == "core"
        for found in imports(path)
        if found.module.split(".")[0] not in known
        or found.module.split(".")[0] in {"logging", "socket", "subprocess", "time", "os"}
    ]
    assert not outside, "\n".join(outside)


def test_only_its_driver_and_the_lab_of_real_nodes_import_libvirt():
    inside = "clustermgr/drivers/libvirt/"
    outside = [
        str(found)
        for path in sources()
        for found in imports(path)
        if found.module.split(".")[0] in {"libvirt", "libvirt_qemu", "libvirtmod"}
        and not found.file.startswith(inside)
    ]
    assert not outside, "\n".join(outside)


def test_time_and_chance_enter_by_the_ports_alone():
    used = [
        f"{place} uses {name}"
        for path in sources()
        for name, place in names_used(path)
        if name in FORBIDDEN and not _under(place, OWN_TIME)
    ]
    used += [
        str(found)
        for path in sources()
        for found in imports(path)
        if found.module.split(".")[0] in FORBIDDEN_MODULES and not _under(found.file, OWN_TIME)
    ]
    assert not used, "\n".join(used)


def test_no_task_runs_in_its_callers_place():
    assert not [shown(path) for path in sources() if ALWAYS_EAGER.search(path.read_text())]


def test_no_part_asks_which_driver_it_has():
    asks = re.compile(r"""driver\s*(?:==|!=|in)\s*[("'{\[]""")
    allowed = "clustermgr/drivers/registry.py"
    found = [shown(path) for path in sources() if shown(path) != allowed and asks.search(path.read_text())]
    assert not found, "\n".join(found)


def test_files_and_functions_stay_small():
    long = [
        f"{shown(path)} has {count} lines"
        for path in sources()
        if (count := len(path.read_text().splitlines())) > LONGEST_FILE
    ]
    long += [
        f"{place} has {count} lines"
        for path in sources()
        for place, count in functions(path)
        if count > LONGEST_FUNCTION
    ]
    assert not long, "\n".join(long)


def test_nothing_is_left_unfinished():
    left = [
        f"{place} {text}" for path in sources() for text, place in comments(path) if UNFINISHED.search(text)
    ]
    left += [
        f"{shown(path)} raises NotImplementedError"
        for path in sources()
        if "NotImplementedError" in path.read_text()
    ]
    assert not left, "\n".join(left)


def test_every_module_says_what_it_owns():
    silent = [
        shown(path)
        for path in sources()
        if path.read_text().strip() and not path.read_text().lstrip().startswith(('"""', "#!"))
    ]
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize(
    ("folder", "ending", "longest"),
    [("templates", ".html", LONGEST_TEMPLATE), ("static/css", ".css", LONGEST_STYLE)],
)
def test_pages_and_styles_stay_small(folder, ending, longest):
    long = [
        f"{shown(path)} has {count} lines"
        for path in _in(folder, ending)
        if (count := len(path.read_text().splitlines())) > longest
    ]
    assert not long, "\n".join(long)


def test_colours_are_named_in_tokens_alone():
    found = [
        f"{shown(path)}:{number} {match.group()}"
        for path in [*_in("static", ".css", ".js"), *_in("templates", ".html")]
        if path.name != "tokens.css"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (
            match := COLOUR.search(re.sub(r"""(href|data-[\w-]+|id|for|aria-\w+)="[^"]*"|&#\d+;""", "", line))
        )
    ]
    assert not found, "\n".join(found)


def test_pages_hold_no_inline_code_or_style():
    pages = [*_in("templates", ".html"), *(path for path in PACKAGE.rglob("*.html"))]
    found = [
        f"{shown(path)}: {match.group().strip()}"
        for path in pages
        for match in INLINE.finditer(path.read_text())
    ]
    assert not found, "\n".join(found)
