"""One schedule, one rule: what is said in one place is not spelled out again elsewhere."""

import ast
from collections.abc import Iterator

import pytest

from convparity.impls.registry import FRAMEWORKS
from parity_tests.support.root import ROOT

SOURCES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text())
    for package in ("impls", "analysis")
    for path in sorted((ROOT / package).rglob("*.py"))
}


def named(tree: ast.AST) -> Iterator[str]:
    """Every name that the code of a file uses, imports or defines; no text of a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name):
                yield name.rpartition(".")[2]


def naming(name: str) -> list[str]:
    """The files whose code names it."""
    return [path for path, tree in SOURCES.items() if name in named(tree)]


# ---------------------------------------------------------------- composites

# How steps are wired is asked of ``Composite.steps``; these say it, read it as text, or build it.
WIRING = ("impls/spec/", "impls/notation/", "impls/networks/")


def test_no_pass_over_a_network_knows_a_residual() -> None:
    """It asks ``spec.steps``, by ``fold_steps`` for one."""
    assert [path for path in naming("Residual") if not path.startswith(WIRING)] == []


# Where a separable convolution is the subject; elsewhere it is a composite like any other, and
# ``is_one_layer`` tells it from those that are said by their children.
SEPARABLE = {
    "impls/pytorch/rows/convolution.py": "its row",
    "impls/flax/layers.py": "is the native class",
    "impls/flax/rows/convolution.py": "its row",
    "impls/flax/adapter.py": "runs it by a faster algorithm",
    "impls/flax/describe.py": "knows its children",
    "impls/keras/rows/convolution.py": "its row",
    "analysis/faults/grouping.py": "faults between its two steps",
    "analysis/faults/parameters.py": "faults of the biases of its two steps",
    "analysis/faults/stride.py": "the fault of a stride in its second step",
    "analysis/cost/counting.py": "twins: the regular convolution and the separable one",
    "analysis/showcase/chapters.py": "the main job is a regular layer beside a separable one",
    "analysis/bench/growth.py": "measures a regular layer beside a separable one",
    "analysis/catalogue/entries/striding.py": "shows which frameworks have a class of that name",
}


def test_only_what_is_about_separable_convolutions_names_them() -> None:
    assert {path for path in naming("SeparableConv") if not path.startswith(WIRING)} == {*SEPARABLE}


# ---------------------------------------------------------------- one spelling


def is_named(node: ast.AST, name: str) -> bool:
    """The name itself, or an attribute called so."""
    return getattr(node, "id", getattr(node, "attr", None)) == name


def defines_arrays(tree: ast.AST) -> Iterator[int]:
    """The lines that give ``Arrays`` a meaning other than by an import."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets):
                names = targets
            case ast.AnnAssign(target=target):
                names = [target]
            case _:
                continue
        if any(is_named(name, "Arrays") for name in names):
            yield node.lineno


def spells_implementation(tree: ast.AST) -> Iterator[int]:
    """The lines with ``Callable[[Spec, ..., np.ndarray], np.ndarray]``."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(
                value=kind, slice=ast.Tuple(elts=[ast.List(elts=[spec, _, x]), y])
            ) if is_named(kind, "Callable"):
                if is_named(spec, "Spec") and is_named(x, "ndarray") and is_named(y, "ndarray"):
                    yield node.lineno


def joins_paths(tree: ast.AST) -> Iterator[int]:
    """The lines with ``f"{path}.{name}" if path else name``, or ``f"{path}." if path else ""``."""
    for node in ast.walk(tree):
        match node:
            case ast.IfExp(
                test=test,
                body=ast.JoinedStr(
                    values=[ast.FormattedValue(value=path), ast.Constant(value="."), *_]
                ),
            ) if ast.dump(test) == ast.dump(path):
                yield node.lineno


ONCE = {
    "impls/weights.py": defines_arrays,  # impls.weights.Arrays
    "impls/reference.py": spells_implementation,  # impls.reference.Implementation, a protocol
    "impls/spec/base.py": joins_paths,  # impls.spec.dotted
}


@pytest.mark.parametrize("home", ONCE)
def test_one_spelling(home: str) -> None:
    """Another file takes it from its home."""
    found = {path: list(ONCE[home](tree)) for path, tree in SOURCES.items() if path != home}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_these_rules_see_what_they_forbid() -> None:
    tree = ast.parse(
        "from convparity.impls.spec import Residual\n"
        "Arrays = Mapping[str, np.ndarray]\n"
        "Right = Callable[[Spec, Arrays, np.ndarray], np.ndarray]\n"
        'inside = f"{path}.{name}" if path else name\n'
        'prefix = f"{self.path}." if self.path else ""\n'
        '"""Residual and SeparableConv, in words alone"""\n'
        "isinstance(spec, spec_module.SeparableConv)\n"
    )
    assert {"Residual", "SeparableConv"} <= set(named(tree))
    assert "SeparableConv" not in set(named(ast.parse('"""SeparableConv"""')))
    assert list(defines_arrays(tree)) == [2]
    assert list(spells_implementation(tree)) == [3]
    assert list(joins_paths(tree)) == [4, 5]


def test_the_one_spelling_is_there() -> None:
    assert list(defines_arrays(SOURCES["impls/weights.py"]))
    assert list(joins_paths(SOURCES["impls/spec/base.py"]))
    assert "Implementation" in named(SOURCES["impls/reference.py"])


# ---------------------------------------------------------------- calls


MOST_POSITIONAL = 7  # of more arguments nobody can tell which is which
LISTS = {"call"}  # a script's: it takes the lines of what it writes


def many_positional(tree: ast.AST) -> Iterator[int]:
    """The lines of calls with more arguments by position."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and not any(is_named(node.func, each) for each in LISTS):
            by_position = [each for each in node.args if not isinstance(each, ast.Starred)]
            if len(by_position) > MOST_POSITIONAL:
                yield node.lineno


def test_arguments_are_named_where_there_are_many() -> None:
    found = {path: list(many_positional(tree)) for path, tree in SOURCES.items()}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert list(
        many_positional(ast.parse("f(1, 2, 3, 4, 5, 6, 7)\ng(1, 2, 3, 4, 5, 6, 7, 8)"))
    ) == [2]


# ---------------------------------------------------------------- small files


MOST_LINES = 500
COPIED_WHOLE = "layers.py"  # of a framework: users copy it


def long_files() -> set[str]:
    """The Python files with more lines."""
    folders = ("impls", "analysis", "parity_tests", "src/convparity")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {
        path.relative_to(ROOT).as_posix()
        for path in paths
        if len(path.read_text().splitlines()) > MOST_LINES
    }


def test_no_file_is_long() -> None:
    """Of what would be longer, each family is a file."""
    longer = {f"impls/{name}/{COPIED_WHOLE}" for name in FRAMEWORKS}
    assert long_files() - longer == set()
    assert long_files() & longer, "these are long: what counts lines sees none"


# ---------------------------------------------------------------- the tests

TESTS = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
    for path in sorted((ROOT / "parity_tests").rglob("test_*.py"))
}


def imported_tests(tree: ast.AST) -> Iterator[str]:
    """The files of tests that a file imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names):
                found = [f"{module}.{alias.name}" for alias in names]
            case _:
                continue
        for name in found:
            if name.startswith("parity_tests.") and ".test_" in name:
                yield name


def test_no_test_imports_another() -> None:
    """What tests share lies in ``parity_tests/support``."""
    found = {path: list(imported_tests(tree)) for path, tree in TESTS.items()}
    assert {path: names for path, names in found.items() if names} == {}
    seen = ast.parse("import parity_tests.core.test_spec\nfrom parity_tests.core import test_fold")
    assert list(imported_tests(seen)) == [
        "parity_tests.core.test_spec",
        "parity_tests.core.test_fold",
    ]


def marks(tree: ast.AST) -> Iterator[int]:
    """The lines that say ``pytest.mark.frameworks``."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr="frameworks"):
                yield node.lineno


def test_a_folder_says_whether_its_tests_need_the_frameworks() -> None:
    """No test of core/ does; all of properties/ and frameworks/ do, and need not say so."""
    found = {path: list(marks(tree)) for path, tree in TESTS.items()}
    said = ("core", "properties", "frameworks")
    assert not [path for path, lines in found.items() if lines and path.split("/")[1] in said]
    assert {path.split("/")[1] for path, lines in found.items() if lines} <= {
        "cli",
        "project",
        "meta",
    }
    assert list(marks(ast.parse("import pytest\n\n\n@pytest.mark.frameworks\ndef f(): ..."))) == [4]


def test_what_is_no_test_lies_elsewhere() -> None:
    """In ``meta``, ``core``, ``cli``, ``properties`` and ``frameworks`` are tests alone."""
    for folder in ("core", "properties", "frameworks", "cli", "meta"):
        files = {path.name for path in (ROOT / "parity_tests" / folder).rglob("*.py")}
        assert files
        assert [name for name in files if not name.startswith("test_")] == [], folder
    for folder in ("support", "trials"):
        files = {path.name for path in (ROOT / "parity_tests" / folder).rglob("*.py")}
        assert files
        assert [name for name in files if name.startswith("test_")] == [], folder
