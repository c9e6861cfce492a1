"""Every layer is known to everything that asks what a layer is; one that is not is an error."""

import dataclasses
import importlib
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import convparity
from convparity.analysis.cost import counting
from convparity.analysis.proof import adjoint, data, rounding, trust
from convparity.analysis.report import support
from convparity.impls import reference, spec, weights
from convparity.impls.errors import SpecError
from convparity.impls.notation import from_line, to_line, words
from convparity.impls.notation.json_form import TYPES
from convparity.impls.registry import FRAMEWORKS
from convparity.impls.spec import Composite, Join, Layer, Shape, walk
from parity_tests import any_specs, strategies
from parity_tests.cells import FAMILIES

KINDS = [kind for kind in vars(spec).values() if isinstance(kind, type)]
LAYERS = [kind for kind in KINDS if issubclass(kind, Layer) and kind is not Layer]
JOINS = [kind for kind in KINDS if issubclass(kind, Join) and kind is not Join]
COMPOSITES = [kind for kind in KINDS if issubclass(kind, Composite) and kind is not Composite]


def script_writer(framework: str) -> Any:
    module = importlib.import_module(f"convparity.analysis.replay.scripts.{framework}")
    return module.write_layer


# Whoever asks what a layer is; and those who ask it of a join, too.
OF_BOTH = {
    "the reference": reference.run,
    "a rounding bound": rounding.trace,
    "drawn integers": vars(data._Draw)["layer"].dispatcher,
    "a cost": counting._cost,
    "a backward pass": adjoint.adjoint,
}
OF_LAYERS = {
    "a trust": trust.lit,
    **{f"a {name} script": script_writer(name) for name in FRAMEWORKS},
}


def knows(dispatcher: Any, kind: type) -> bool:
    return dispatcher.dispatch(kind) is not dispatcher.dispatch(object)


@pytest.mark.parametrize("who", [*OF_BOTH, *OF_LAYERS])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has(who: str, kind: type[Layer]) -> None:
    assert knows({**OF_BOTH, **OF_LAYERS}[who], kind), f"{kind.__name__} lacks {who}"


@pytest.mark.parametrize("who", OF_BOTH)
@pytest.mark.parametrize("kind", JOINS)
def test_a_join_has(who: str, kind: type[Join]) -> None:
    assert knows(OF_BOTH[who], kind), f"{kind.__name__} lacks {who}"


@pytest.mark.frameworks
@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_made_in(name: str, kind: type[Layer]) -> None:
    folder = FRAMEWORKS[name].adapter.rpartition(".")[0]
    table = importlib.import_module(f"{folder}.bindings").TABLE
    assert kind in {row.spec for row in table.rows}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_has_text_forms_and_is_drawn(kind: type[Layer]) -> None:
    assert kind in TYPES.values()
    assert kind in {word.type for word in words.WORDS.values()}
    assert kind in any_specs.LAYERS
    assert kind in {*strategies.MAKERS, *strategies.HEADS}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_judged_and_public(kind: type[Layer]) -> None:
    cells = {cell for family in FAMILIES.values() for cell in family.cells}
    assert kind.__name__ in {word for cell in cells for word in cell.split()}
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
        lambda layer: rounding.trace(layer, {}, rounding.exact_input(np.ones((1, 3)))),
        lambda layer: data.integer_case(layer, (1, 3), 0),
        lambda layer: adjoint.adjoint(layer, {}, [np.ones((1, 3))], np.ones((1, 3))),
        lambda layer: trust.lit(layer, {}, np.ones((1, 3))),
        lambda layer: weights.init_weights(layer, 0),
        lambda layer: counting.total_cost(layer, (1, 3)),
        to_line,
        *(
            lambda layer, name=name: script_writer(name)(layer, {}, (1, 3), None)
            for name in FRAMEWORKS
        ),
    ],
)
def test_a_layer_that_was_forgotten_is_an_error(ask: Any) -> None:
    with pytest.raises((NotImplementedError, SpecError), match="Forgotten"):
        ask(Forgotten())


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
