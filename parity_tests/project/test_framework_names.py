"""Frameworks are named in their folders and in their rows of the registry, and nowhere else.

So a fourth framework is one folder, one row, one extra and one factor of tox. What counts are
identifiers, file names, and every text that the program can show: constants, parts of f-strings,
and the docstrings of commands, which are their help. The other docstrings, and comments, are prose
that may give examples.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.root import ROOT

FOLDERS = [
    row.folder.removeprefix("convparity.").replace(".", "/") + "/" for row in FRAMEWORKS.values()
]

NAME = re.compile("torch|flax|nnx|jax|keras|tensorflow", re.IGNORECASE)  # pytorch is one, too


class Exemption(NamedTuple):
    """Where frameworks may be named, and why; ``within`` is the assignment or the argument."""

    reason: str
    within: str = ""


EXEMPT = {
    "impls/registry.py": Exemption("one row a framework", within="FRAMEWORKS"),
    "impls/checkpoints/": Exemption("one file a format of weights, which its framework names"),
    "impls/overloads.py": Exemption("generated from the registry, for type checkers"),
    "impls/import_order.py": Exemption("two packages that others import, in an order that kills"),
    "impls/xla_algorithms.py": Exemption("written in JAX, for two folders that use it"),
    "analysis/catalogue/": Exemption("entries of the catalogue of differences"),
    "analysis/faults/": Exemption("a public report is named by its project", within="reference"),
    "analysis/cost/counting.py": Exemption("tools that count so", within="CONVENTIONS"),
}

SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("impls", "analysis", "src")
    for path in sorted((ROOT / package).rglob("*.py"))
    if not path.is_relative_to(ROOT / "src" / "convparity" / "impls")  # links to the two folders
    and not path.is_relative_to(ROOT / "src" / "convparity" / "analysis")
}
OUTSIDE = [path for path in SOURCES if not path.startswith(tuple(FOLDERS))]


def prose(tree: ast.AST) -> set[ast.AST]:
    """Strings that are statements: docstrings, but for those of commands."""
    commands = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[0], ast.Expr)
        if any("command" in ast.unparse(each) for each in node.decorator_list)
    }
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {each for each in strings - commands if isinstance(each, ast.Constant)}


def called(within: str, tree: ast.AST) -> set[ast.AST]:
    """Every node of what is assigned to that name, or given as that argument."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == within:
                found.update(ast.walk(value))
            case ast.keyword(arg=name, value=value) if name == within:
                found.update(ast.walk(value))
    return found


def words(node: ast.AST) -> Iterator[str]:
    """The identifiers of a node itself, or its text."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Constant(value=bytes(text)):
            yield text.decode("latin-1")
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case _:
            for field in ("id", "attr", "name", "asname", "arg", "module", "rest"):
                if isinstance(word := getattr(node, field, None), str):
                    yield word


def named(tree: ast.AST, but: set[ast.AST]) -> Iterator[str]:
    """Each word with a framework's name in it, and its line."""
    for node in ast.walk(tree):
        if node not in but:
            for word in words(node):
                if NAME.search(word):
                    yield f"{getattr(node, 'lineno', '?')}: {word}"


def exemption(path: str) -> str | None:
    """The key in ``EXEMPT`` of a file, if it has one."""
    return next((each for each in EXEMPT if path.startswith(each)), None)


def everything(path: str) -> list[str]:
    """What is named in a file, exempt or not."""
    inside = ["in the file's name"] if NAME.search(path) else []
    return inside + list(named(SOURCES[path], prose(SOURCES[path])))


def forbidden(path: str) -> list[str]:
    """What is named in a file and may not be."""
    key = exemption(path)
    if key is None:
        return everything(path)
    if not EXEMPT[key].within:
        return []
    tree = SOURCES[path]
    return list(named(tree, prose(tree) | called(EXEMPT[key].within, tree)))


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_framework_is_named(path: str) -> None:
    assert forbidden(path) == []


@pytest.mark.parametrize("key", EXEMPT)
def test_every_exemption_is_needed(key: str) -> None:
    mine = [path for path in OUTSIDE if exemption(path) == key]
    assert any(len(everything(path)) > len(forbidden(path)) for path in mine), EXEMPT[key].reason


@pytest.mark.parametrize(
    "code",
    [
        "keras_model = 1",
        "class FlaxAdapter: pass",
        "def f(torch_module): pass",
        "f(jax=1)",
        "x.tensorflow",
        "import torch",
        "import numpy as torch",
        "from flax import Module",
        "from x import nnx",
        'a = "pytorch"',
        'a = f"{b} of Keras"',
        'a = b"JAX"',
        'a = {"flax": 1}',
        "global torch",
        "try: pass\nexcept E as jax: pass",
        "match a:\n    case {**keras}: pass",
        '@command\ndef f():\n    """--frameworks keras"""',
        '@click.command()\ndef f():\n    """--frameworks keras"""',
    ],
)
def test_what_counts(code: str) -> None:
    tree = ast.parse(code)
    assert list(named(tree, prose(tree)))


@pytest.mark.parametrize(
    "code",
    ['"""PyTorch"""', 'def f():\n    """Keras."""', 'class A:\n    """Flax."""', "a = 1  # JAX"],
)
def test_what_is_prose(code: str) -> None:
    tree = ast.parse(code)
    assert list(named(tree, prose(tree))) == []


def test_an_exemption_within_a_name_is_no_wider() -> None:
    tree = ast.parse('FRAMEWORKS = {"flax": 1}\nOTHERS = {"keras": 1}\nfault(reference="torch #1")')
    assert list(named(tree, called("FRAMEWORKS", tree))) == ["2: keras", "3: torch #1"]
    assert list(named(tree, called("reference", tree))) == ["1: flax", "2: keras"]
