"""The program's own source as trees, read once for the tests of this folder."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "cgii"


@dataclass(frozen=True)
class Module:
    """One file: its dotted name, its path below the root, its text and tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_migration(self) -> bool:
        """Whether Alembic wrote most of it."""
        return "migrations.versions" in self.name

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function, also those inside classes and functions."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def at(self, node: ast.AST) -> str:
        """`path:line`, for messages."""
        return f"{self.path}:{getattr(node, 'lineno', 0)}"


@dataclass(frozen=True)
class Import:
    """One imported module, wherever in the file the import stands."""

    module: Module
    target: str  # "cgii.base.limits", "sqlalchemy.orm"
    line: int

    def __str__(self) -> str:
        return f"{self.module.path}:{self.line} imports {self.target}"


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the program."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        inside = path.relative_to(ROOT)
        name = ".".join(inside.with_suffix("").parts).removesuffix(".__init__")
        found.append(Module(name, inside, text, ast.parse(text)))
    return tuple(found)


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every file; `from cgii.base import limits` is one of cgii.base.limits."""
    names = {module.name for module in modules()}
    found = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module.at(node)}: a relative import"
                base = node.module or ""
                deeper = (f"{base}.{alias.name}" for alias in node.names)
                targets = sorted({name if name in names else base for name in deeper})
            else:
                continue
            found += [Import(module, target, node.lineno) for target in targets]
    return tuple(found)
