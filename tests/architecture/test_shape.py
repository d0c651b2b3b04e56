"""Files and functions stay small, say what they are for, and leave to others what is theirs."""

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import Module, modules

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
POSITIONAL_MAX = 4
HAND_WRITTEN = [module for module in modules() if not module.is_migration]

# The places where whatever happens is caught, so that the process goes on.
CATCHING = {
    "cgii.web.app",
    "cgii.web.failures",
    "cgii.web.middleware",
    "cgii.worker",
    "cgii.examination",
}
COMMITTING = {"cgii.store.database"}
CLOCKS = {"cgii.base.clock"}
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "handler", "common", "misc"}


def names_of(module: Module) -> Iterator[str]:
    """The words of a module's own name and of its classes' and functions' names."""
    yield from module.name.split(".")
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from re.sub(r"([a-z])([A-Z])", r"\1_\2", node.name).lower().split("_")


def test_files_are_at_most_400_lines() -> None:
    lengths = {str(module.path): module.text.count("\n") for module in HAND_WRITTEN}

    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_functions_are_at_most_60_lines() -> None:
    long = [
        f"{module.at(node)} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for module in HAND_WRITTEN
        for node in module.functions()
        if node.end_lineno is not None and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]

    assert long == []


def test_every_file_says_in_its_first_line_what_it_is_for() -> None:
    silent = [
        str(module.path)
        for module in modules()
        if module.text.strip() and not _first_line(module).rstrip('"').endswith((".", ":", "?"))
    ]

    assert silent == []


def test_every_public_function_and_class_says_what_it_is_for() -> None:
    silent = [
        f"{module.at(node)} {node.name}"
        for module in HAND_WRITTEN
        for node in _public(module)
        if ast.get_docstring(node) is None
    ]

    assert silent == []


def test_functions_take_at_most_four_positional_arguments() -> None:
    many = [
        f"{module.at(node)} {node.name}"
        for module in HAND_WRITTEN
        for node in module.functions()
        if _positional(node) > POSITIONAL_MAX and not _is_called_by_a_framework(node)
    ]

    assert many == []


def test_whatever_is_caught_only_where_the_process_must_go_on() -> None:
    broad = [
        module.at(node)
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
        if module.name not in CATCHING
    ]

    assert broad == []


@pytest.mark.parametrize("method", ["commit", "begin"])
def test_only_transaction_commits(method: str) -> None:
    calls = [
        module.at(node)
        for module in HAND_WRITTEN
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == method
        and "session" in ast.unparse(node.func.value).lower()
        if module.name not in COMMITTING
    ]

    assert calls == []


def test_nobody_reads_the_clock_but_the_clock() -> None:
    calls = [
        module.at(node)
        for module in HAND_WRITTEN
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("datetime.now", "datetime.utcnow", "date.today", "time.time")
        if module.name not in CLOCKS
    ]

    assert calls == []


def test_nobody_sleeps() -> None:
    calls = [
        module.at(node)
        for module in HAND_WRITTEN
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.sleep", "sleep")
    ]

    assert calls == []


def test_a_flush_says_why() -> None:
    silent = []
    for module in HAND_WRITTEN:
        lines = module.text.splitlines()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("session.flush"):
                around = lines[max(node.lineno - 2, 0) : node.lineno]
                if not any("#" in line for line in around):
                    silent.append(module.at(node))

    assert silent == []


def test_no_name_says_nothing() -> None:
    empty = [
        f"{module.path}: {word}"
        for module in modules()
        for word in names_of(module)
        if word in EMPTY_NAMES
    ]

    assert empty == []


def test_no_address_of_a_registry_or_a_machine_is_written_down() -> None:
    """Packages come from wherever the machine is set up to take them."""
    wrong = re.compile(r"registry\.npmjs|pypi\.org|pythonhosted|/" + r"work/|/root/|/home/")

    assert [str(module.path) for module in modules() if wrong.search(module.text)] == []


def _first_line(module: Module) -> str:
    return (ast.get_docstring(module.tree) or "").partition("\n")[0]


def _public(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in module.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
                    and not inner.name.startswith("_")
                    and not any("overload" in ast.unparse(d) for d in inner.decorator_list)
                )


def _positional(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return len([name for name in names if name not in ("self", "cls")])


def _is_called_by_a_framework(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Routes, commands and listeners are called by name or by the library's own rules."""
    markers = (".get", ".post", ".put", ".delete", ".command", ".listens_for", ".validator")
    decorated = any(m in ast.unparse(d) for d in node.decorator_list for m in markers)
    annotated = any(
        argument.annotation is not None and "Annotated" in ast.unparse(argument.annotation)
        for argument in node.args.args
    )
    return decorated or annotated or node.name == "settings_customise_sources"


def _is_broad(node: ast.ExceptHandler) -> bool:
    if node.type is None:
        return True
    caught = ast.unparse(node.type)
    return bool(re.search(r"\b(Base)?Exception\b", caught))


def test_this_python_reads_them_all() -> None:
    assert sys.version_info >= (3, 11)
    assert len(modules()) > 100
