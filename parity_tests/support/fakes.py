"""An adapter without a framework: the reference itself, rounded to float32, and made wrong."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from convparity.impls.adapter import Adapter, Placement, Slot
from convparity.impls.layouts import SAME
from convparity.impls.reference import reference
from convparity.impls.spec import Spec
from convparity.impls.weights import Weights


class Held(NamedTuple):
    """One weight of a module, which is a spec and its weights."""

    weights: Weights
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.weights[self.name].shape


class FakeAdapter(Adapter):
    """Runs ``reference``; ``fault`` changes its output."""

    def __init__(self, name: str, fault: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        self.name = name  # type: ignore[misc]
        self.fault = fault or (lambda y: y)

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> Any:
        return spec, dict(weights or {})

    def forward(self, module: Any, x: np.ndarray) -> np.ndarray:
        return self.fault(reference(*module, x).astype(np.float32))

    def describe(self, module: Any) -> Spec:
        return module[0]

    def children(self, module: Any) -> dict[str, Any]:
        return {}

    def own_slots(self, module: Any) -> dict[str, Slot]:
        _, weights = module
        return {name: Slot(Held(weights, name), SAME) for name in weights}

    def view(self, variable: Any) -> np.ndarray:
        raise NotImplementedError

    def write(self, variable: Any, array: np.ndarray, share: bool = False) -> None:
        variable.weights[variable.name] = array

    def record(self, module: Any, inputs: Any) -> Any:
        raise NotImplementedError

    def watch(self, module: Any, inputs: Any) -> Any:
        raise NotImplementedError

    def named_modules(self, module: Any) -> dict[str, Any]:
        raise NotImplementedError

    def to_array(self, native: Any) -> np.ndarray:
        raise NotImplementedError

    def holds_values(self, module: Any) -> bool:
        raise NotImplementedError

    def dtype_of(self, variable: Held) -> str:
        return "float32"

    def on_cpu(self, module: Any) -> bool:
        raise NotImplementedError
