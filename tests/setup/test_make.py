"""`make run` where something is missing: one sentence, before anything is installed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.architecture import MAKE_TARGET, ROOT

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def make(folder, *words):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", f"VENV={folder}/venv", *words],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def python_where(folder, trick):
    """A python3 that is like ours but for one trick."""
    path = folder / "python3"
    path.write_text(f'#!/bin/sh\nshift\nexec {shutil.which("python3")} -c "import sys; {trick}; $1"\n')
    path.chmod(0o755)
    return f"PYTHON={path}"


def sentence(ended, folder):
    assert ended.returncode != 0
    assert not (folder / "venv").exists()
    return [line for line in ended.stderr.splitlines() if not line.startswith("make: ***")]


def test_an_old_python_is_one_sentence(tmp_path):
    (line,) = sentence(
        make(tmp_path, "run", python_where(tmp_path, "sys.version_info = (3, 9, 2)")), tmp_path
    )
    assert line.startswith("clustermgr needs Python 3.11 or newer")
    assert "is 3.9" in line


def test_a_python_without_venv_is_one_sentence(tmp_path):
    trick = "sys.modules['ensurepip'] = None"
    (line,) = sentence(make(tmp_path, "run", python_where(tmp_path, trick)), tmp_path)
    assert "apt-get install python3-venv" in line


def test_no_python_is_one_sentence(tmp_path):
    (line,) = sentence(make(tmp_path, "run", "PYTHON=python3.0"), tmp_path)
    assert line.startswith("python3.0 is not installed.")


def test_make_alone_says_what_there_is(tmp_path):
    said = make(tmp_path).stdout
    targets = MAKE_TARGET.findall((ROOT / "Makefile").read_text())
    assert len(targets) >= 6
    for name, text in targets:
        assert f"make {name} " in said
        assert text.strip() in said
