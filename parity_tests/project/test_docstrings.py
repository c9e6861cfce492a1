"""Public names are explained: every argument, shape, field and error; and every example runs.

The style is Google's: sections of ``name: text``, in the order of ``ORDER``. "Shapes" is one of our
own, for the layers. That the errors are raised is asked in ``test_documented_errors.py``.
"""

import ast
import dataclasses
import doctest
import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from convparity.analysis.check.answer import Check, Finding
from convparity.analysis.cost.counting import Cost
from convparity.analysis.diagnosis.diagnose import Answer, Diagnosis
from convparity.analysis.diagnosis.suspects import Suspect
from convparity.analysis.layerwise.verdict import LayerVerdict, Layerwise
from convparity.analysis.proof.probes import Probe
from convparity.analysis.proof.trust import Trust
from convparity.analysis.proof.verdict import Place, Precision, Structure, Verdict
from convparity.impls.registry import FRAMEWORKS
from convparity.impls.spec import Spec, is_one_layer, parameter_shapes
from parity_tests.support.docstrings import FUNCTIONS, ORDER, PUBLIC, explained, sections
from parity_tests.support.root import ROOT

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FRAMEWORK = re.compile(r"\b(pytorch|torch|flax|jax|keras)\b")
CLASSES = [thing for thing in PUBLIC.values() if inspect.isclass(thing)]
SPECS = [kind for kind in CLASSES if issubclass(kind, Spec)]
EXCEPTIONS = [kind for kind in CLASSES if issubclass(kind, Exception)]
RESULTS = (Check, Cost, Diagnosis, Layerwise, Verdict)  # what public functions give
PARTS = (Answer, Finding, LayerVerdict, Place, Precision, Probe, Structure, Suspect, Trust)


def source_files() -> list[Path]:
    face = (ROOT / "src" / "convparity").glob("*.py")  # the folders in it are links
    folders = (path for name in ("impls", "analysis") for path in (ROOT / name).rglob("*.py"))
    return sorted([*folders, *face])


# ---------------------------------------------------------------- what a docstring lacks


def takes(thing: Any) -> list[str]:
    """The names of the arguments of a function, a method or a class."""
    return [name for name in inspect.signature(thing).parameters if name != "self"]


def examples(text: str) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(text)


def lacks_in_general(thing: Any, example: bool) -> Iterator[str]:
    text = inspect.getdoc(thing) or ""
    if len(text.splitlines()[0] if text else "") < 15:
        yield "a sentence that says what it is"
    if [*sections(text)] != [name for name in ORDER if name in sections(text)]:
        yield f"sections in the order of {ORDER}"
    if example and not any(each.want for each in examples(text)):
        yield "an example with what it gives"
    if bool(examples(text)) != ("Example" in sections(text)):
        yield "its examples in the section Example"


def lacks_of_call(thing: Any) -> Iterator[str]:
    """Of a function or a method."""
    found = explained(thing)
    if found.get("Args", []) != takes(thing):
        yield f"Args of {takes(thing)}, not of {found.get('Args', [])}"
    if ("Returns" in found) != (get_type_hints(thing)["return"] is not type(None)):
        yield "what it returns, or it returns nothing"
    if unknown := set(found.get("Raises", [])) - {kind.__name__ for kind in EXCEPTIONS}:
        yield f"errors that exist, not {unknown}"


def lacks_of_function(thing: Any) -> Iterator[str]:
    yield from lacks_in_general(thing, example=True)
    yield from lacks_of_call(thing)
    if not explained(thing).get("Raises"):
        yield "the errors that it raises"


def lacks_of_spec(kind: type[Spec]) -> Iterator[str]:
    yield from lacks_in_general(kind, example=True)
    if explained(kind).get("Args", []) != takes(kind):
        yield f"Args of {takes(kind)}, not of {explained(kind).get('Args', [])}"
    if takes(kind) and explained(kind).get("Raises") != ["SpecError"]:
        yield "when it raises SpecError"


def lacks_of_result(kind: type[Any]) -> Iterator[str]:
    yield from lacks_in_general(kind, example=kind in RESULTS)
    fields = [field.name for field in dataclasses.fields(kind) if field.repr]
    if explained(kind).get("Attributes", []) != fields:
        yield f"Attributes {fields}, not {explained(kind).get('Attributes', [])}"


def lacks_of_exception(kind: type[Exception]) -> Iterator[str]:
    yield from lacks_in_general(kind, example=True)
    own = [*vars(kind("a message"))]
    if explained(kind).get("Attributes", []) != own:
        yield f"Attributes {own}, not {explained(kind).get('Attributes', [])}"


def lacks_of_member(member: Any) -> Iterator[str]:
    yield from lacks_in_general(member, example=False)
    if inspect.isfunction(member):
        yield from lacks_of_call(member)


def members(kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """The public methods and properties of a class."""
    for name in dir(kind):
        member = inspect.getattr_static(kind, name)
        if not name.startswith("_") and isinstance(member, property | functools.cached_property):
            yield name, member
        elif not name.startswith("_") and inspect.isfunction(member):
            yield name, getattr(kind, name)


# ---------------------------------------------------------------- what is public


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)
def test_a_function_is_explained(function: Callable[..., Any]) -> None:
    assert list(lacks_of_function(function)) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_spec_is_explained(kind: type[Spec]) -> None:
    assert list(lacks_of_spec(kind)) == []


@pytest.mark.parametrize("kind", [kind for kind in SPECS if kind is not Spec])
def test_a_spec_says_its_shapes(kind: type[Spec]) -> None:
    """Those of its input, its output, and the weights of the spec that its example makes."""
    names: dict[str, Any] = {}
    assert failures(inspect.getdoc(kind) or "", names) == []
    made = next(value for value in names.values() if type(value) is kind)
    weights = parameter_shapes(made) if is_one_layer(made) else {}
    assert explained(kind)["Shapes"] == ["input", "output", *weights]


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_an_error_is_explained(kind: type[Exception]) -> None:
    assert list(lacks_of_exception(kind)) == []


@pytest.mark.parametrize("kind", [*RESULTS, *PARTS])
def test_a_result_is_explained(kind: type[Any]) -> None:
    assert list(lacks_of_result(kind)) == []


@pytest.mark.parametrize("kind", [*SPECS, *RESULTS, *PARTS])
def test_methods_and_properties_are_explained(kind: type[Any]) -> None:
    lacking = {name: list(lacks_of_member(member)) for name, member in members(kind)}
    assert {name: lacks for name, lacks in lacking.items() if lacks} == {}


def inside(hint: Any) -> set[Any]:
    """A type and the types of what it holds."""
    return {hint}.union(*map(inside, get_args(hint)))


def test_everything_public_is_of_a_kind_that_is_asked() -> None:
    assert {*SPECS, *EXCEPTIONS, Check} == {*CLASSES}
    hints = [get_type_hints(function)["return"] for function in FUNCTIONS]
    ours = {each for hint in hints for each in inside(hint) if inspect.isclass(each)}
    assert {each for each in ours if each.__module__.startswith("convparity")} == {Spec, *RESULTS}
    held = [hint for kind in RESULTS for hint in get_type_hints(kind).values()]
    ours = {each for hint in held for each in inside(hint) if inspect.isclass(each)}
    assert {each for each in ours if each.__module__.startswith("convparity")} <= {Spec, *PARTS}


# ---------------------------------------------------------------- the pages to copy from


def native_classes() -> Iterator[Any]:
    """The classes of each framework's layers that are made with arguments of their own."""
    names = ("layers", "movement", "pooling", "resize", "source")
    pages = [each for name in names for each in (ROOT / "impls").glob(f"*/{name}.py")]
    for path in sorted(page for page in pages if page.parent.name in FRAMEWORKS):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                for each in node.body:
                    if isinstance(each, ast.FunctionDef) and each.name == "__init__":
                        name = f"{path.parent.name}-{node.name}"
                        yield pytest.param(node, each.args, id=name)


@pytest.mark.parametrize(("node", "given"), [*native_classes()])
def test_a_native_layer_explains_its_arguments(node: ast.ClassDef, given: ast.arguments) -> None:
    """One line may explain several that are as in another class."""
    text = ast.get_docstring(node) or ""
    lines = sections(text).get("Args", [])
    found = [
        name
        for line in lines
        for name in re.split(", ", line.partition(": ")[0])
        if line and not line.startswith(" ")
    ]
    takes = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = [each.arg for each in takes if each is not None and each.arg != "self"]
    assert sorted(name.lstrip("*") for name in found) == sorted(names)


# ---------------------------------------------------------------- riddles


# Phrases that readers could not make out: each is said in plain words instead.
RIDDLES = (
    "errs by itself",
    "is none of real numbers",
    "Of weights and inputs",
    "told to stand for",
)


@pytest.mark.parametrize("riddle", RIDDLES)
def test_no_riddle_is_back(riddle: str) -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *source_files()]
    assert [path for path in pages if riddle in path.read_text(encoding="utf-8")] == []


# ---------------------------------------------------------------- the examples


def failures(text: str, names: dict[str, Any], at: str = "", line: int = 0) -> list[str]:
    """What the examples of a docstring give that it does not say."""
    test = doctest.DocTestParser().get_doctest(text, names, at, at, line)
    test.globs = names
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(test, out=said.append, clear_globs=False)
    return said


def with_examples() -> Iterator[Any]:
    """Every docstring with an example, marked where that names a framework."""
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                text = ast.get_docstring(node) or ""
                if code := "".join(each.source for each in examples(text)):
                    at = f"{path.relative_to(ROOT)}:{getattr(node, 'name', '')}"
                    marks = [pytest.mark.frameworks] if FRAMEWORK.search(code) else []
                    yield pytest.param(text, at, node.body[0].lineno, id=at, marks=marks)


@pytest.mark.parametrize(("text", "at", "line"), [*with_examples()])
def test_an_example_gives_what_it_says(text: str, at: str, line: int) -> None:
    assert failures(text, {}, at, line) == []


# ---------------------------------------------------------------- that this is seen


def right(width: int, *heights: int) -> int:
    """Multiply one width by all heights.

    Args:
        width: A number of pixels.
        *heights: Others, of which there is
            at least one.

    Returns:
        Their product.

    Raises:
        InputError: There is no height.

    Example:
        >>> 2 * 3
        6
    """
    return width * sum(heights)


WRONG = {
    "an argument is not explained": ("        width: A number of pixels.\n", ""),
    "one is explained that it does not take": ("width:", "breadth:"),
    "an argument has a name and no text": ("width: A number of pixels.", "width:"),
    "it does not say what it returns": ("Returns:\n        Their product.\n\n    ", ""),
    "it does not say what it raises": (
        "Raises:\n        InputError: There is no height.\n\n    ",
        "",
    ),
    "it raises an error that does not exist": ("InputError", "InputErorr"),
    "it has no example": (">>> 2 * 3", "2 * 3"),
    "its example does not say what it gives": ("        6\n", ""),
    "its sections are in another order": ("Returns", "Example"),
    "it does not say what it is": ("Multiply one width by all heights.", "Area."),
}


def test_a_right_docstring_lacks_nothing() -> None:
    assert list(lacks_of_function(right)) == []
    assert failures(inspect.getdoc(right) or "", {}) == []


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_docstring_is_seen(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = WRONG[mistake]
    text = right.__doc__ or ""
    assert before in text
    monkeypatch.setattr(right, "__doc__", text.replace(before, after, 1))
    assert list(lacks_of_function(right))


@pytest.mark.parametrize("wrong", [("        6\n", "        7\n"), ("2 * 3", "2 * three")])
def test_a_wrong_example_is_seen(wrong: tuple[str, str]) -> None:
    assert failures((inspect.getdoc(right) or "").replace(*(each.strip() for each in wrong)), {})


def test_fields_shapes_and_members_are_seen() -> None:
    @dataclasses.dataclass
    class Result:
        """What somebody found out.

        Attributes:
            here: It is explained.
        """

        here: int
        there: int

        @property
        def far(self) -> int:
            return 1

        def away(self, by: int) -> int:
            """The place that is so far away."""
            return by

    assert any("there" in each for each in lacks_of_result(Result))
    assert {name for name, member in members(Result) if list(lacks_of_member(member))} == {
        "far",
        "away",
    }

    class Odd(ValueError):
        """An error with something of its own."""

        def __init__(self, message: str) -> None:
            self.place = message

    assert any("place" in each for each in lacks_of_exception(Odd))
