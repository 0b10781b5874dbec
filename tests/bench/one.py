"""Measures one section in a process of its own: `python -m tests.bench.one pages SEED FOLDER OUT [quick]`."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tests.bench import figures


def main() -> None:
    section, seed, folder, out, *quick = sys.argv[1:]
    module = import_module(f"tests.bench.{section}")
    measured = module.measure(Path(seed), Path(folder), **(module.QUICK if quick else {}))
    for figure in measured:
        figures.append(Path(out), replace(figure, command=f"make bench ONLY={section}"))


if __name__ == "__main__":
    main()
