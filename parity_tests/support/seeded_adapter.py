"""A right adapter with one fault in it: a wrong framework, behind the same seam.

Outputs are those of the framework itself on what the fault makes of a layer; where a fault is of
another operation, that operation is wrong and the others are right. Forward and backward passes are
told apart: a fault of outputs leaves the gradients as they are.
"""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from convparity.analysis.faults import Faulty, seed
from convparity.impls import registry
from convparity.impls.adapter import Adapter, Count, Placement, Slot
from convparity.impls.errors import SpecError, UnsupportedError
from convparity.impls.recording import Call
from convparity.impls.spec import (
    INPUT,
    Composite,
    Shape,
    Shapes,
    Spec,
    child_weights,
    dotted,
    is_one_layer,
    number_of_inputs,
    output_shape,
    together,
    walk_shapes,
)
from convparity.impls.values import on_each, parts
from convparity.impls.weights import Weights, check_weights
from parity_tests.support.faults import Misbehaviour, Misport, Step, operations

OTHER_DEVICE = "gpu:0"
LEVELS = ("layer", "network")


def level_of(spec: Spec) -> str:
    """A separable convolution is one layer to whoever ports it."""
    return "layer" if is_one_layer(spec) else "network"


def _there(place: Placement) -> Placement:
    """On the device that the other one, which is wrong, really is."""
    return replace(place, device=place.device.replace(OTHER_DEVICE, "cpu"))


class Seeded:
    """A module of a wrong framework: what it was built from, and the right one once it is asked."""

    def __init__(
        self, adapter: "SeededAdapter", spec: Spec, weights: Weights | None, place: Placement
    ) -> None:
        self.adapter, self.spec, self.place = adapter, spec, place
        self.weights, self.kept = weights, None
        self.level = level_of(spec)  # of a layer inside a network, too: the network's
        self._native: Any = None

    def inside(self, name: str, native: Any) -> "Seeded":
        """A child, which has the faults that it has in the whole."""
        spec = dict(self.spec.children)[name]
        child = Seeded(self.adapter, spec, child_weights(self.current, name), self.place)
        child.level, child._native = self.level, native
        return child

    @property
    def native(self) -> Any:
        if self._native is None:
            self._native = self.adapter.real.make(self.spec, self.weights, _there(self.place))
        return self._native

    @property
    def current(self) -> Weights:
        """The weights that it holds."""
        if self.weights is None:
            self.weights = self.adapter.real.dump(self.native)
        return self.weights


def _native(module: Any) -> Any:
    """The right module that it is, or a child of one."""
    return module.native if isinstance(module, Seeded) else module


class Outputs:
    """Right outputs of one framework, kept: faults are tried on the same examples again and again.

    A right module is built for what was not asked before.
    """

    def __init__(self, real: Adapter, most: int = 20_000) -> None:
        self.real, self.most = real, most
        self.known: OrderedDict[Any, Any] = OrderedDict()

    def __call__(self, spec: Spec, weights: Any, x: Any, place: Placement) -> Any:
        held = tuple((name, w.dtype.char, np.asarray(w).tobytes()) for name, w in weights.items())
        inputs = tuple((each.dtype.char, each.shape, hash(each.tobytes())) for each in parts(x))
        key = (spec, hash(held), inputs, place)
        if key not in self.known:
            check_weights(spec, weights)
            module = self.real.make(spec, {n: np.asarray(w) for n, w in weights.items()}, place)
            self.known[key] = self.real.forward(module, x)
            if len(self.known) > self.most:
                self.known.popitem(last=False)
        return on_each(np.copy, self.known[key])


class SeededAdapter(Adapter):
    """One framework with one fault, in its layers or in its networks alone."""

    def __init__(
        self, outputs: Outputs, fault: Misbehaviour | None, level: str | None = None
    ) -> None:
        self.real, self.outputs, self.fault, self.level = outputs.real, outputs, fault, level
        self.name = self.real.name  # type: ignore[misc]
        self.seeded = 0  # how often the fault was there to be seen

    # -- where the fault is

    def _faulty(self, module: Seeded, shape: Shapes) -> Faulty | None:
        fault = self.fault
        if fault is None or self.level not in (None, module.level):
            return None
        there = fault.forward or (
            fault.operation == "device" and module.place.device == OTHER_DEVICE
        )
        return seed(module.spec, shape, fault) if there else None

    def _operations(self, module: Seeded, field: str) -> list[tuple[str, Misport]]:
        """The faults of another operation, with the paths of their layers."""
        fault = self.fault
        if fault is None or fault.forward or self.level not in (None, module.level):
            return []
        found = operations(module.spec, fault)
        kept = [each for each in found if getattr(each[1], field) not in (None, False)]
        self.seeded += bool(kept)
        return kept

    # -- the operations

    def devices(self) -> tuple[str, ...]:
        more = self.fault is not None and self.fault.operation == "device"
        return (*self.real.devices(), *((OTHER_DEVICE,) if more else ()))

    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> Seeded:
        if weights is not None:
            weights = {name: np.array(array) for name, array in weights.items()}
        return Seeded(self, spec, weights, place)

    def describe(self, module: Seeded) -> Spec:
        return self.real.describe(module.native)

    def children(self, module: Seeded) -> dict[str, Any]:
        found = self.real.children(_native(module))
        if not isinstance(module, Seeded):
            return found
        return {name: module.inside(name, child) for name, child in found.items()}

    def own_slots(self, module: Seeded) -> dict[str, Slot]:
        return self.real.own_slots(_native(module))

    def read(self, variable: Any) -> np.ndarray:
        return self.real.read(variable)

    def view(self, variable: Any) -> np.ndarray:
        return self.real.read(variable)

    def write(self, variable: Any, array: np.ndarray, *how: Any) -> None:
        self.real.write(variable, array, *how)

    def load(self, module: Seeded, weights: Weights) -> None:  # type: ignore[misc]
        check_weights(self.real.describe(module.native), weights)
        new = {name: np.array(array) for name, array in weights.items()}
        for path, faulty in self._operations(module, "write"):
            for name in _own(new, path):
                old = module.current[name]
                new[name] = faulty.write(name.rpartition(".")[2], old, new[name])
        self.real.load(module.native, new)
        module.weights, module.kept = None, None

    def dump(self, module: Seeded) -> Weights:  # type: ignore[misc]
        weights = dict(self.real.dump(module.native))
        for path, faulty in self._operations(module, "read"):
            for name in _own(weights, path):
                weights[name] = faulty.read(name.rpartition(".")[2], weights[name])
        if self._operations(module, "view"):
            module.kept = module.kept or weights
            return dict(module.kept)
        return weights

    def views(self, module: Seeded, spec: Spec) -> Weights:  # type: ignore[misc]
        return self.dump(module)

    def apply(self, module: Seeded, spec: Spec, x: Any) -> Any:  # type: ignore[misc]
        try:
            output_shape(spec, *map(np.shape, parts(x) if number_of_inputs(spec) > 1 else (x,)))
        except SpecError:
            if not self._operations(module, "accepts"):
                raise
            return np.zeros(0, np.float32)
        return self.forward(
            module, on_each(np.asarray, x) if number_of_inputs(spec) > 1 else np.asarray(x)
        )

    def forward(self, module: Any, x: Any) -> Any:
        if not isinstance(module, Seeded):  # a part of a right module
            return self.real.forward(module, x)
        place = _there(module.place)

        def right(spec: Spec, weights: Any, x: Any) -> Any:
            return self.outputs(spec, weights, on_each(np.asarray, x), place)

        faulty = self._faulty(module, together([np.shape(each) for each in parts(x)]))
        if faulty is not None:
            try:
                with np.errstate(invalid="ignore", over="ignore"):
                    y = faulty.output(right, module.current, x)
            except (SpecError, UnsupportedError):  # no such port of this framework
                faulty = None
            else:
                self.seeded += 1
                return y
        y = right(module.spec, module.current, x)
        if self._operations(module, "overwrites"):
            x[...] = 0
        return y

    # a module of it is run as the right one: reading looks for faults of the user's code

    def record(self, module: Seeded, *inputs: Any) -> Call:
        return self._as_seeded(self.real.record(module.native, *inputs), module)

    def _as_seeded(self, call: Call, module: Seeded) -> Call:
        call.module = module
        return call

    def watch(self, module: Seeded, inputs: tuple[np.ndarray, ...]) -> Call:
        return self._as_seeded(self.real.watch(module.native, inputs), module)

    def named_modules(self, module: Seeded) -> dict[str, Any]:
        return {**self.real.named_modules(module.native), "": module}

    def to_array(self, native: Any) -> np.ndarray:
        return self.real.to_array(native)

    def holds_values(self, module: Seeded) -> bool:
        return self.real.holds_values(module.native)

    def dtype_of(self, variable: Any) -> str:
        return self.real.dtype_of(variable)

    def on_cpu(self, module: Seeded) -> bool:
        return True

    def backward(
        self, module: Seeded, x: np.ndarray, cotangent: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        by_x, by_weight = self.real.backward(module.native, x, cotangent)
        for path, faulty in self._operations(module, "gradients"):
            names = _own(by_weight, path)
            prefix = dotted(path, "")
            found = {name.removeprefix(prefix): by_weight[name] for name in names}
            first = _is_first(module.spec, path)
            wrong = faulty.gradients({**found, "x": by_x} if first else found, len(x))
            by_x = wrong["x"] if first else by_x
            by_weight |= {prefix + name: g for name, g in wrong.items() if name != "x"}
        return by_x, by_weight

    def train(self, module: Seeded, x: np.ndarray, cotangent: np.ndarray, **how: Any) -> None:
        before = dict(self.real.dump(module.native))
        if steps := self._operations(module, "step"):
            self._descend(module, steps, x, cotangent, **how)
        elif trained := dict(self._operations(module, "train")):
            layers = {path: faulty.train for path, faulty in trained.items()}
            twin = self.real.build(replaced(module.spec, layers), before)
            self.real.train(twin, x, cotangent, **how)
            self.real.load(module.native, self.real.dump(twin))
        else:
            self.real.train(module.native, x, cotangent, **how)
        after = dict(self.real.dump(module.native))
        for path, faulty in self._operations(module, "trained"):
            prefix, shape = dotted(path, ""), _shape_at(module.spec, path, x.shape)
            old, new = (child_weights(each, path) if path else each for each in (before, after))
            after |= {prefix + n: w for n, w in faulty.trained(old, new, shape).items()}
        self.real.load(module.native, after)
        module.weights = None

    def _descend(
        self,
        module: Seeded,
        wrong: list[tuple[str, Misport]],
        x: np.ndarray,
        cotangent: np.ndarray,
        steps: int = 1,
        **options: float,
    ) -> None:
        """SGD by hand, on the framework's gradients: its own cannot be made wrong."""
        options = {"momentum": 0.0, "decay": 0.0} | options
        weights = dict(self.real.dump(module.native))
        velocity = {name: np.zeros_like(array) for name, array in weights.items()}
        for _ in range(steps):
            _, gradients = self.real.backward(module.native, x, cotangent)
            for name, gradient in gradients.items():
                step = Step(weights[name], velocity[name], gradient, **options)
                rules = [f.step for path, f in wrong if name in _own(gradients, path)]
                weights[name], velocity[name] = rules[0](step) if rules else step.right()
            self.real.load(module.native, weights)

    def runners(self, module: Seeded, x: np.ndarray, cotangent: np.ndarray | None = None) -> Any:
        return self.real.runners(module.native, x, cotangent)

    def count(self, module: Seeded) -> Count:
        trainable, total = self.real.count(module.native)
        for _, faulty in self._operations(module, "count"):
            trainable, total = faulty.count(trainable, total)
        return Count(trainable, total)

    def synchronize(self, device: str) -> None:
        self.real.synchronize("cpu")


def _own(names: Any, path: str) -> list[str]:
    """The weights at or below a path."""
    return [name for name in names if not path or name.startswith(f"{path}.")]


def _is_first(spec: Spec, path: str) -> bool:
    """Whether the layer at ``path`` alone sees the input, so that its gradient is the input's."""
    if not path:
        return True
    if not isinstance(spec, Composite):
        return False
    first, *others = [step for step in spec.steps if INPUT in step.inputs]
    if others or first.child != path.partition(".")[0]:
        return False
    return _is_first(first.spec, path.partition(".")[2])


def replaced(spec: Spec, layers: dict[str, Spec]) -> Spec:
    """The network with other layers at some paths."""
    if "" in layers:
        return layers[""]
    children = {}
    for name, child in spec.children:
        inner = {
            path.removeprefix(name).removeprefix("."): layer
            for path, layer in layers.items()
            if path == name or path.startswith(f"{name}.")
        }
        children[name] = replaced(child, inner) if inner else child
    return spec.with_children(children)


def _shape_at(spec: Spec, path: str, shape: Shape) -> Shape:
    """The shape that reaches the layer at ``path``."""
    return next(shapes[0] for at, _, shapes in walk_shapes(spec, shape) if at == path)


@contextmanager
def installed(adapter: SeededAdapter) -> Iterator[SeededAdapter]:
    """The registry hands the wrong framework out under its name, as long as this lasts."""
    get, owner = registry.get, registry.owner

    def get_seeded(name: str) -> Adapter:
        return adapter if name == adapter.name else get(name)

    def owner_seeded(module: Any) -> Adapter:
        return module.adapter if isinstance(module, Seeded) else owner(module)

    with mock.patch.multiple(registry, get=get_seeded, owner=owner_seeded):
        yield adapter
