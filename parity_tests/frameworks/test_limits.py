"""What takes more than a machine has is refused before a framework allocates it."""

from typing import Any

import numpy as np
import pytest

import convparity
from convparity import Dense, InputError, init_weights


def test_nor_by_a_framework(adapter: Any) -> None:
    for spec in (Dense(2**31 - 1, 2**31 - 1), Dense(2**16, 2**14 + 1)):
        for call in (
            lambda spec=spec: adapter.build(spec),
            lambda spec=spec: init_weights(spec, 0),
        ):
            with pytest.raises(InputError, match=r"Dense has .* weights.*set CONVPARITY_LIMIT"):
                call()
    large = np.broadcast_to(np.float32(1), (2**10, 2**10, 2**6, 8))
    with pytest.raises(InputError, match="numbers at once"):
        convparity.apply(convparity.Activation("relu"), {}, large, framework=adapter.name)


def test_nor_by_a_field_of_a_module_that_is_run(adapter: Any) -> None:
    """An array that repeats itself takes no memory, until a framework works through it."""
    spec = convparity.Sequential(convparity.Conv(2, 3, 3), convparity.Activation("relu"))
    module = adapter.build(spec)
    path, layer = next(iter(adapter.children(module).items()))
    vars(layer)["a_field"] = np.broadcast_to(np.float32(1), (2**20, 2**10, 2**5, 2))
    where = rf"{path}\.a_field' of shape .*CONVPARITY_LIMIT"
    with pytest.raises(InputError, match=where):
        convparity.check(module, adapter.build(spec), np.ones((1, 4, 4, 2), np.float32))


def test_nor_by_the_run_beside_a_module() -> None:
    """What is drawn for it fits its fields, which may ask for anything."""
    from torch import nn

    for module in (nn.ConvTranspose2d(1, 1, 1, stride=30_000), nn.Conv2d(1, 1, 1, padding=8000)):
        with pytest.raises(InputError, match=r"numbers at once.*CONVPARITY_LIMIT"):
            convparity.describe(module.eval())
