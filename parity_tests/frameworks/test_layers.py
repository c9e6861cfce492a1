"""Every layer is made in every framework."""

import importlib

import pytest

from convparity.impls import spec
from convparity.impls.registry import FRAMEWORKS
from convparity.impls.spec import ACTIVATIONS, Activation, Layer, Source

KINDS = [kind for kind in vars(spec).values() if isinstance(kind, type)]
LAYERS = [kind for kind in KINDS if issubclass(kind, Layer) and kind not in (Layer, Source)]


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_is_made_in(name: str, kind: type[Layer]) -> None:
    folder = FRAMEWORKS[name].adapter.rpartition(".")[0]
    table = importlib.import_module(f"{folder}.bindings").TABLE
    assert kind in {row.spec for row in table.rows}, f"{kind.__name__} lacks a row in {folder}"


@pytest.mark.parametrize("name", FRAMEWORKS)
@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_is_made_in(name: str, function: str) -> None:
    folder = FRAMEWORKS[name].adapter.rpartition(".")[0]
    table = importlib.import_module(f"{folder}.bindings").TABLE
    lacks = f"{function} lacks a row in {folder}"
    assert any(row.fits(Activation(function)) for row in table.rows), lacks  # type: ignore[arg-type]
