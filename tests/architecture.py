"""Reads the sources for the rules of test_architecture.py: imports with their lines, sizes, calls."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "clustermgr"
MAKE_TARGET = re.compile(r"^([a-z-]+):.*?## (.*)$", re.MULTILINE)
SINGLE_FILES = {"access", "celery", "errors", "logs", "meters", "notices", "ports", "secrets"}


@dataclass(frozen=True, slots=True)
class Import:
    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


@cache
def sources() -> tuple[Path, ...]:
    return tuple(sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def ring(module: str) -> str:
    """The part of the program that a module belongs to: "core", "jobs", …; "root" for single files."""
    parts = module.split(".")
    if parts[0] != "clustermgr" or len(parts) < 2:
        return ""
    if (PACKAGE / parts[1]).is_dir():
        return parts[1]
    return parts[1] if parts[1] in SINGLE_FILES else "root"


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, also those inside functions, with relative ones made absolute."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(shown(path), node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                base = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                module = ".".join([*base, module]).rstrip(".")
            yield Import(shown(path), node.lineno, module)
            # `from clustermgr import ports` imports clustermgr.ports.
            if module == "clustermgr":
                for name in node.names:
                    yield Import(shown(path), node.lineno, f"clustermgr.{name.name}")


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and length in lines, decorators not counted."""
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{shown(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def names_used(path: Path) -> Iterator[tuple[str, str]]:
    """Dotted names such as `timezone.now`, with where they stand; comments and strings do not count."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", f"{shown(path)}:{node.lineno}"
        elif isinstance(node, ast.keyword) and node.arg:
            yield f"{node.arg}=", f"{shown(path)}:{node.value.lineno}"


def comments(path: Path) -> Iterator[tuple[str, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.string, f"{shown(path)}:{token.start[0]}"
