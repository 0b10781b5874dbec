"""The measurements still measure: each section once, on a tiny cluster. No test asserts a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.bench import figures, moves
from tests.bench.figures import Figure
from tests.bench.scale import ROOT
from tests.kvm import KvmLab
from tests.kvm import kvm_lab as kvm_lab


def bench(out: Path, sections: str) -> dict[str, Figure]:
    """What a tiny `make bench` keeps. A section that broke keeps a figure without a value."""
    words = [sections, "--nodes", "3", "--vms", "9", "--quick", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *words], cwd=ROOT, capture_output=True, text=True, timeout=150
    )
    assert done.returncode == 0, done.stderr
    found = {row["name"]: Figure(**row) for row in json.loads(out.read_text())}
    broken = [name for name, each in found.items() if each.value is None and each.note != "not built yet"]
    assert not broken, done.stdout + done.stderr
    return found


def test_what_needs_no_server_is_measured(tmp_path: Path) -> None:
    found = bench(tmp_path / "bench.json", "sweep,engine")
    assert {each.command for each in found.values()} == {"make bench ONLY=sweep", "make bench ONLY=engine"}
    assert found["full snapshot and decide"].note == "not built yet"


@pytest.mark.redis
@pytest.mark.slow
def test_pages_and_the_idle_installation_are_measured(tmp_path: Path) -> None:
    found = bench(tmp_path / "bench.json", "pages,idle")
    assert found["queries of a page or fragment, most"].verdict == "met"
    assert found["idle installation, memory (PSS)"].unit == "MB"


@pytest.mark.browser
@pytest.mark.slow
def test_what_browsers_see_is_measured(tmp_path: Path) -> None:
    found = bench(tmp_path / "bench.json", "push,browser")
    assert "1 moves, 3 sockets, 2 browsers" in found["sample to pixel, p95"].note
    assert found["JavaScript of a page, compressed"].verdict == "met"


@pytest.mark.qemu
@pytest.mark.slow
def test_moves_of_real_guests_are_measured(kvm_lab: KvmLab, transactional_db: None) -> None:
    kvm_lab.unmanage()
    call_command("import_cluster", str(kvm_lab.layout.description), verbosity=0)
    found = moves.Pairs()
    for who in ("ours", "virsh"):
        moves.one_move(kvm_lab, who, found)
    assert all(len(found.totals[who]) == len(found.pauses[who]) == 1 for who in ("ours", "virsh"))


def test_an_unknown_section_is_named_with_those_that_there_are() -> None:
    words = [sys.executable, "-m", "tests.bench", "pages,speed"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no section called speed" in done.stderr


def test_a_figure_measured_again_takes_its_former_place(tmp_path: Path) -> None:
    kept = tmp_path / "bench.json"
    figures.keep(kept, [Figure("one", 1.0, "s", 2), Figure("two", 2.0, "s")])
    figures.keep(kept, [Figure("one", 3.0, "s", 2, "make bench ONLY=x")])
    rows = json.loads(kept.read_text())
    assert [(row["name"], row["value"]) for row in rows] == [("one", 3.0), ("two", 2.0)]
    assert set(rows[0]) == {"name", "value", "unit", "budget", "command", "note"}


def test_the_table_says_what_is_over_its_budget() -> None:
    text = figures.shown(
        [Figure("fast", 1.0, "s", 2), Figure("slow", 3.0, "s", 2), Figure("plan", None, "s")]
    )
    assert [line.split()[-1] for line in text.splitlines()[1:]] == ["met", "over", "-"]


def test_the_interval_holds_the_ratio_and_is_the_same_each_time() -> None:
    ours, theirs = [1.1, 1.2, 0.9, 1.0, 1.05], [1.0, 1.0, 1.0, 1.0, 1.0]
    low, high = figures.interval(ours, theirs, of=figures.median_ratio)
    assert low <= figures.median_ratio(ours, theirs) <= high
    assert (low, high) == figures.interval(ours, theirs, of=figures.median_ratio)
    assert figures.percentile(list(range(1, 101)), 0.95) == 95
