"""A framework of NumPy alone: native modules that can be read, aligned, and made wrong.

``installed`` puts it into the registry for a while, so that what works on modules of any framework
is tested where none is installed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from convparity.impls import registry
from convparity.impls.adapter import Adapter, Placement, Slot
from convparity.impls.errors import UnsupportedError
from convparity.impls.layouts import SAME
from convparity.impls.recording import Call, Recorder, Value
from convparity.impls.reference import run
from convparity.impls.spec import (
    Composite,
    Spec,
    Step,
    child_weights,
    dotted,
    fold_steps,
    is_one_layer,
    packed,
)
from convparity.impls.values import gives_several, parts
from convparity.impls.weights import Arrays, Weights, init_weights

DTYPES = ("float32", "float64", "float16")


class Module:
    """A layer, or a composite that runs its children; ``code`` is a forward pass of its own."""

    def __init__(
        self,
        spec: Spec,
        weights: Arrays,
        children: Mapping[str, "Module"],
        code: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.spec, self.weights, self.children, self.code = spec, dict(weights), children, code
        self.dtype = np.dtype(np.float32)
        self.recorder: Recorder | None = None

    def __call__(self, *values: np.ndarray) -> Any:
        if self.recorder is not None:
            return self.recorder.around(self, self.run)(*values)
        return self.run(*values)

    def run(self, *values: np.ndarray) -> Any:
        if self.code is not None:
            return self.code(*values)
        if not isinstance(self.spec, Composite):
            wide = (x.astype(np.float64) for x in values)
            with np.errstate(all="ignore"):  # no framework warns of infinities
                return run(self.spec, self.weights, *wide).astype(values[0].dtype)
        return packed(self.spec, fold_steps(self.spec, values, self._step))

    def _step(self, step: Step, values: list[np.ndarray]) -> Any:
        if step.child is None:
            return run(step.spec, {}, *values)
        made = self.children[step.child](*values)
        return parts(made) if gives_several(step.spec) else made


def make(spec: Spec, weights: Arrays) -> Module:
    """A native module, with arrays of its own."""
    if not isinstance(spec, Composite):
        return Module(spec, {name: np.array(weights[name]) for name in weights}, {})
    children = {n: make(child, child_weights(weights, n)) for n, child in spec.children}
    return Module(spec, {}, children)


HERE = Placement()


class NumpyAdapter(Adapter):
    """A fourth framework: the dtype of the module between the layers, and no gradients."""

    name = "numpy"

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def make(self, spec: Spec, weights: Weights | None, place: Placement = HERE) -> Module:
        if place.dtype not in DTYPES:
            raise UnsupportedError(f"numpy: NumPy has no {place.dtype}")
        own = init_weights(spec, 0) if weights is None else weights
        module = make(spec, {name: np.asarray(own[name], place.dtype) for name in own})
        for each in _modules(module):
            each.dtype = np.dtype(place.dtype)
        return module

    def describe(self, module: Module) -> Spec:
        if module.code is not None:
            raise UnsupportedError("a module whose forward pass is its own")
        return _with_children(module)

    def children(self, module: Module) -> dict[str, Any]:
        return dict(module.children)

    def own_slots(self, module: Module) -> dict[str, Slot]:
        return {name: Slot(array, SAME) for name, array in module.weights.items()}

    def view(self, variable: np.ndarray) -> np.ndarray:
        return variable

    def write(self, variable: np.ndarray, array: np.ndarray, share: bool = False) -> None:
        variable[...] = array

    def forward(self, module: Module, x: Any) -> Any:
        return module(*(each.astype(module.dtype) for each in parts(x)))

    def record(self, module: Module, *inputs: np.ndarray) -> Call:
        recorder = Recorder(lambda value: Value(value.copy(), value.dtype.name))
        watched = list(_modules(module))
        for each in watched:
            each.recorder = recorder
        module(*inputs)
        for each in watched:
            each.recorder = None
        return recorder.roots[0]

    def watch(self, module: Module, inputs: tuple[np.ndarray, ...]) -> Call:
        return self.record(module, *inputs)

    def named_modules(self, module: Module) -> dict[str, Any]:
        found: dict[str, Any] = {"": module}
        for name, child in module.children.items():
            for path, each in self.named_modules(child).items():
                found[dotted(name, path) if path else name] = each
        return found

    def to_array(self, native: Any) -> np.ndarray:
        return np.asarray(native)

    def holds_values(self, module: Module) -> bool:
        return True

    def dtype_of(self, variable: np.ndarray) -> str:
        return variable.dtype.name

    def on_cpu(self, module: Module) -> bool:
        return True


def _modules(module: Module) -> Iterator[Module]:
    yield module
    for child in module.children.values():
        yield from _modules(child)


def _with_children(module: Module) -> Spec:
    adapter = NumpyAdapter()
    children = {name: adapter.describe(child) for name, child in module.children.items()}
    if is_one_layer(module.spec):
        return module.spec
    return module.spec.with_children(children)


@contextmanager
def installed(adapter: Adapter | None = None) -> Iterator[None]:
    """``registry`` knows it, by the package of its modules; or ``adapter`` in its place."""
    root = Module.__module__.partition(".")[0]
    row = registry.Framework("numpy", f"{__name__}:NumpyAdapter", root, {})
    get, here = registry.get, adapter or NumpyAdapter()
    with (
        patch.dict(registry.FRAMEWORKS, {"numpy": row}),
        patch.object(registry, "get", lambda name: here if name == "numpy" else get(name)),
    ):
        yield
