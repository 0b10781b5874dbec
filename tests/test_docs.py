"""The documents say what is true: named tests and files exist, generated text is fresh, limits are kept."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.architecture import MAKE_TARGET, ROOT

DOCS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
COVERAGE = (ROOT / "docs" / "coverage.md").read_text()
REQUIREMENTS = [*(f"R{number}" for number in range(1, 16)), *(f"C{number}" for number in range(1, 5))]


def coverage_row(requirement: str) -> str:
    rows = [line for line in COVERAGE.splitlines() if line.startswith(f"| {requirement} |")]
    assert len(rows) == 1, f"docs/coverage.md needs one row for {requirement}"
    return rows[0].rsplit("|", 2)[1]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_each_requirement_names_tests_that_exist_or_says_not_yet(requirement):
    shown_by = coverage_row(requirement)
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", shown_by)
    assert named or "not yet" in shown_by
    for file, name in named:
        assert (ROOT / file).is_file(), f"{file} does not exist"
        assert not name or re.search(rf"def {name}\(", (ROOT / file).read_text()), f"{file} has no {name}"


def test_the_readme_is_read_in_a_few_minutes():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_make_target_in_the_readme_exists_and_every_target_says_what_it_is_for():
    makefile = (ROOT / "Makefile").read_text()
    targets = dict(MAKE_TARGET.findall(makefile))
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= set(targets), f"no such target: {named - set(targets)}"
    assert all(text.strip() for text in targets.values())


def test_states_are_written_from_the_tables():
    spec = importlib.util.spec_from_file_location("make_states", ROOT / "docs" / "make_states.py")
    make_states = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_states)
    written = (ROOT / "docs" / "states.md").read_text()
    assert written == make_states.text(), "run: python docs/make_states.py"


def test_decisions_are_numbered_without_gaps_and_have_the_three_parts():
    paths = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in paths] == list(range(1, len(paths) + 1))
    for path in paths:
        text = path.read_text()
        assert all(f"**{part}.**" in text for part in ("Context", "Choice", "Consequence")), path.name


def test_every_package_of_the_program_has_its_paragraph():
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = {path.parent.name for path in (ROOT / "clustermgr").glob("*/__init__.py")}
    missing = [name for name in packages - {"management", "migrations"} if f"**{name}**" not in text]
    assert not missing, f"docs/architecture.md says nothing of {', '.join(missing)}"
