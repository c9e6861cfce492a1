"""A layer has its meaning, its bound, a row in each framework, and a strategy that draws it.

Without these it does not work, and ``test_new_layer.py`` adds one with no more. Those of the
project itself also have a script, a row in the table of support and two second opinions: this file
says what a new one lacks. All else has a default that holds for any layer.
"""

import dataclasses
import re
from itertools import product
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import convparity
from convparity.analysis.cost import counting
from convparity.analysis.proof import adjoint, data, functions, rounded, rounding, trust
from convparity.analysis.report import support
from convparity.impls import reference, spec
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.notation import from_line, to_line, words
from convparity.impls.notation.json_form import TYPES
from convparity.impls.registry import FRAMEWORKS, script
from convparity.impls.spec import (
    ACTIVATIONS,
    Activation,
    Composite,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    Identity,
    Join,
    Layer,
    MaxUnpool,
    Shape,
    Source,
    walk,
)
from convparity.impls.weights import init_weights
from parity_tests.support import any_specs, executor, oracle, strategies
from parity_tests.support.activation_oracle import activated
from parity_tests.support.cells import FAMILIES

KINDS = [kind for kind in vars(spec).values() if isinstance(kind, type)]
LAYERS = [kind for kind in KINDS if issubclass(kind, Layer) and kind not in (Layer, Source)]
JOINS = [kind for kind in KINDS if issubclass(kind, Join) and kind is not Join]
COMPOSITES = [kind for kind in KINDS if issubclass(kind, Composite) and kind is not Composite]


# Where a layer has an entry of its own; and what a join has, which has no defaults.
OF_BOTH = {
    "a meaning in impls/reference.py": reference.run,
    "a bound in analysis/proof/rounding.py": rounding.trace,
}
OF_LAYERS = {f"a script of {name}": script(name).write_layer for name in FRAMEWORKS}
OF_JOINS = {
    "a backward pass in analysis/proof/adjoint.py": adjoint.adjoint,
}


def knows(dispatcher: Any, kind: type) -> bool:
    return dispatcher.dispatch(kind) is not dispatcher.dispatch(object)


@pytest.mark.parametrize("who", [*OF_BOTH, *OF_LAYERS])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has(who: str, kind: type[Layer]) -> None:
    assert knows({**OF_BOTH, **OF_LAYERS}[who], kind), f"{kind.__name__} lacks {who}"


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has_an_arithmetic(kind: type[Layer]) -> None:
    known = knows(vars(executor.Executor)["layer"].dispatcher, kind)
    moves_alone = kind in (Dropout, Identity, Flatten)  # whose numbers nothing computes
    assert known or moves_alone, (
        f"{kind.__name__} lacks an entry in parity_tests/support/executor.py"
    )


@pytest.mark.parametrize("who", [*OF_BOTH, *OF_JOINS])
@pytest.mark.parametrize("kind", JOINS)
def test_a_join_has(who: str, kind: type[Join]) -> None:
    assert knows({**OF_BOTH, **OF_JOINS}[who], kind), f"{kind.__name__} lacks {who}"


@pytest.mark.parametrize("kind", JOINS)
def test_a_join_says_its_largest(kind: type[Join]) -> None:
    """From which the integers are drawn that still fit behind it."""
    arguments = {
        # every axis is in the result: of one product, as ``largest`` says it
        Einsum: ("n h w, n h w -> n w h",),
        MaxUnpool: (1, 1, 0, 1),
    }
    join = kind(*arguments.get(kind, ()))
    rng = np.random.default_rng(0)
    for sizes in ((2, 3, 5), (3, 1, 1), (1, 4, 2)):
        sizes = sizes[: join.arity or 3]
        inputs = [rng.integers(-n, n, (4, 5, 6), endpoint=True).astype(float) for n in sizes]
        if kind is Divide:  # nothing bounds what is divided by 0
            inputs[1][inputs[1] == 0] = 1
        if kind is MaxUnpool:  # the first pixel is one of any output
            inputs[1][:] = 0
        largest = join.largest(*sizes)
        assert abs(reference.run(join, {}, *inputs)).max() <= largest
        ends = [(n, -n, 1.0, -1.0) for n in sizes]
        if kind is MaxUnpool:
            ends[1] = (0.0,)
        extremes = ([np.full((1, 2, 3), each) for each in way] for way in product(*ends))
        assert max(abs(reference.run(join, {}, *each)).max() for each in extremes) == largest


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_has_a_meaning_and_a_bound(function: str) -> None:
    layer, x = Activation(function), np.linspace(-4, 4, 18).reshape(3, 6)  # type: ignore[arg-type]
    assert reference.run(layer, {}, x).shape == x.shape, f"{function} lacks a case in activate"
    target = rounding.trace(layer, {}, rounded.exact_input(x))
    assert np.isfinite(target.bound).all()
    assert function in functions.EXACT or target.bound.all()
    assert activated(layer, x).shape == x.shape


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has_text_forms_and_is_drawn(kind: type[Layer]) -> None:
    assert kind in TYPES.values()
    assert kind in {word.type for word in words.WORDS.values()}
    assert kind in any_specs.LAYERS
    drawn = {*strategies.MAKERS, *strategies.HEADS}
    assert kind in drawn, f"{kind.__name__} lacks a strategy in parity_tests/support/strategies.py"


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_judged_and_public(kind: type[Layer]) -> None:
    cells = {cell for family in FAMILIES.values() for cell in family.cells}
    assert kind.__name__ in {word for cell in cells for word in re.findall(r"\w+", cell)}
    shown = (from_line(support.line(row, rank=1))[0] for row in support.ROWS)
    assert kind in {type(layer) for spec in shown for _, layer in walk(spec)}
    assert kind.__name__ in convparity.__all__


# ---------------------------------------------------------------- a layer that was forgotten


class Forgotten(Layer):
    """No more than a layer cannot be without."""

    def output_shape(self, input_shape: Shape, /) -> Shape:
        return input_shape

    def parameters(self) -> dict[str, Shape]:
        return {"weight": (3,)}


@pytest.mark.parametrize("missing", ["output_shape", "parameters"])
def test_a_layer_without_its_facts_cannot_be_made(missing: str) -> None:
    facts = {name: value for name, value in vars(Forgotten).items() if name != missing}
    facts = {name: facts[name] for name in ("output_shape", "parameters") if name in facts}
    with pytest.raises(TypeError, match=missing):
        type("Incomplete", (Layer,), facts)()


@pytest.mark.parametrize(
    "ask",
    [
        lambda layer: reference.reference(layer, {"weight": np.ones(3)}, np.ones((1, 3))),
        lambda layer: rounding.trace(layer, {}, rounded.exact_input(np.ones((1, 3)))),
        lambda layer: data.integer_case(layer, (1, 3), 0),
        lambda layer: adjoint.adjoint(layer, {}, [np.ones((1, 3))], np.ones((1, 3))),
        lambda layer: trust.lit(layer, init_weights(layer, 0), np.ones((1, 3))),
        lambda layer: executor.Arithmetic()(layer, {}, np.ones((1, 3))),
        lambda layer: oracle.oracle(layer, {}, np.ones((1, 3))),
        to_line,
        *(
            lambda layer, name=name: script(name).write_layer(layer, {}, (1, 3), None)
            for name in FRAMEWORKS
        ),
    ],
)
def test_a_layer_that_was_forgotten_is_an_error(ask: Any) -> None:
    with pytest.raises((NotImplementedError, SpecError, AssertionError), match="Forgotten"):
        ask(Forgotten())


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_layer_without_a_script_is_unsupported(name: str) -> None:
    with pytest.raises(UnsupportedError, match="no script is known for Forgotten"):
        script(name).write_layer(Forgotten(), {}, (1, 3), None)


@dataclasses.dataclass(frozen=True)
class Kernelled(Forgotten):
    """A layer with a kernel that does not say what it costs."""

    def parameters(self) -> dict[str, Shape]:
        return {"kernel": (3, 3)}


def test_no_cost_is_made_up() -> None:
    assert counting.total_cost(Forgotten(), (1, 3)).macs == 0  # one number a channel
    with pytest.raises(UnsupportedError, match="Kernelled does not say how often it uses its ker"):
        counting.total_cost(Kernelled(), (1, 3))


# ---------------------------------------------------------------- their fields


def parts(hint: Any) -> set[Any]:
    """A type and everything inside it."""
    return {hint}.union(*map(parts, get_args(hint))) if hint is not Any else {Any}


@pytest.mark.parametrize("kind", [*LAYERS, *JOINS, *COMPOSITES])
def test_a_field_has_a_real_type(kind: type[Any]) -> None:
    assert dataclasses.is_dataclass(kind)
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        assert not {Any, object} & parts(hints[field.name]), field.name
    for name, hint in get_type_hints(kind.__init__).items():
        assert not {Any, object} & parts(hint), f"__init__ takes any {name}"
