"""Flax: the adapter of ``flax.nnx``."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from convparity.impls import xla_algorithms
from convparity.impls.adapter import Adapter, Count, Placement, Slot
from convparity.impls.errors import InputError, UnsupportedError
from convparity.impls.flax import layers
from convparity.impls.flax.bindings import TABLE
from convparity.impls.flax.describe import describe, named_layers
from convparity.impls.flax.make import How, make, outline
from convparity.impls.layouts import copy_into
from convparity.impls.recording import Call, Recorder, Value, generators_as_they_were
from convparity.impls.spec import Conv, DepthwiseConv, Shape, Spec, parameter_shapes, together
from convparity.impls.values import inputs_of, on_each
from convparity.impls.weights import Weights

ALIGNMENT = 64  # bytes: other memory XLA copies once more


class Place(nnx.Variable):
    """Says where a module without weights runs, and in what dtype: its array is empty."""


# Pure functions of the state, not nnx.jit: that gives every variable back, committed to the device
# of x, and the next call would compile anew for arrays that are.


@jax.jit
def _run(graph: nnx.GraphDef[Any], state: Any, *inputs: jax.Array) -> Any:
    return nnx.merge(graph, state)(*inputs)


class _Seen(NamedTuple):
    """A call in a compiled run: what is no array is a part of its structure."""

    name: str  # of the module that was called, in the one that holds it
    given: tuple[Any, ...]
    made: Any
    inside: tuple["_Seen", ...]


def _flatten_seen(seen: _Seen) -> Any:
    return (seen.given, seen.made, seen.inside), seen.name


jax.tree_util.register_pytree_node(_Seen, _flatten_seen, lambda name, parts: _Seen(name, *parts))


class _Traced(Recorder):
    """Keeps traced values as they are: whatever holds them is a tree to JAX."""

    def kept(self, native: Any) -> Any:
        return native


# what was compiled lately, by what it computes: code that was changed in between computes other
COMPILED: OrderedDict[Any, Callable[..., _Seen]] = OrderedDict()
MOST = 64


def _record(graph: nnx.GraphDef[Any], state: Any, *inputs: jax.Array) -> _Seen:
    """One compiled run of the module, with what every module in it was given and made."""

    def run(graph: nnx.GraphDef[Any], state: Any, *inputs: jax.Array) -> _Seen:
        recorder = _Traced(lambda value: value)
        _watched(nnx.merge(graph, state), "", recorder)(*inputs)
        return _seen(recorder.roots[0])

    traced = jax.jit(run).lower(graph, state, *inputs)
    key = (sha256(traced.as_text().encode()).digest(), traced.in_tree, traced.out_tree)
    if key not in COMPILED:
        # for a single run: to optimise takes as long again
        COMPILED[key] = traced.compile({"xla_backend_optimization_level": 0})
        if len(COMPILED) > MOST:
            COMPILED.popitem(last=False)
    return COMPILED[key](graph, state, *inputs)


def _seen(call: Call) -> _Seen:
    return _Seen(call.module, call.given, call.output, tuple(map(_seen, call.inside)))


def _watched(module: Any, name: str, recorder: Recorder) -> Callable[..., Any]:
    """The module with its calls kept, and those of the modules inside it, by their names there."""
    composite = isinstance(module, nnx.Sequential | layers.Sequential | layers.Graph)
    run = module
    if composite:
        inner: dict[str, Any] = {
            each: _watched(child, each, recorder) for each, child in named_layers(module).items()
        }
        if isinstance(module, nnx.Sequential):
            inner = {"layers": list(inner.values())}
        run = object.__new__(type(module))
        vars(run).update(vars(module) | inner)  # past nnx, which would have its layers be modules

    def alone(*inputs: jax.Array) -> Any:
        # no fusion with what comes before or after, which would leave out a rounding between them
        return jax.lax.optimization_barrier(run(*inputs))

    return recorder.around(name, run if composite else alone)


@contextmanager
def _as_it_was(module: nnx.Module) -> Iterator[None]:
    """Afterwards modes, states and generators are what they were."""
    modes = [
        (each, name, value)
        for _, each in nnx.iter_modules(module)
        for name, value in vars(each).items()
        if name in ("deterministic", "use_running_average", "training")
    ]
    states = [
        (each, each.get_value())
        for _, each in nnx.iter_graph(module)
        if isinstance(each, nnx.Variable)
    ]
    with generators_as_they_were():
        try:
            yield
        finally:
            for each, name, value in modes:
                setattr(each, name, value)
            for variable, value in states:
                if variable.get_value() is not value:
                    variable.set_value(value)


@contextmanager
def _calls_kept(modules: Mapping[int, nnx.Module], recorder: Recorder) -> Iterator[None]:
    """Here the calls of ``modules`` are kept: in their classes, where Python looks for them."""
    running: list[int] = []

    def kept(run: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *inputs: Any, **options: Any) -> Any:
            inherited = bool(running) and running[-1] == id(self)  # by super().__call__
            if id(self) not in modules or inherited:
                return run(self, *inputs, **options)
            running.append(id(self))
            try:
                recorder.enter(self, inputs)
                output = run(self, *inputs, **options)
                recorder.leave(output)
            finally:
                running.pop()
            return output

        return call

    kinds = {type(each) for each in modules.values() if callable(each)}
    before = {kind: vars(kind).get("__call__") for kind in kinds}
    runs = {kind: kind.__call__ for kind in kinds}
    try:
        for kind in kinds:
            type.__setattr__(kind, "__call__", kept(runs[kind]))
        yield
    finally:
        for kind, own in before.items():
            if own is None:
                type.__delattr__(kind, "__call__")
            else:
                type.__setattr__(kind, "__call__", own)


def _loss(made: Any, cotangent: Any) -> jax.Array:
    """The sum of an output times its cotangent; of several outputs, of all of them."""
    return sum(jax.tree.leaves(jax.tree.map(jnp.vdot, made, cotangent)), jnp.zeros(()))


@jax.jit
def _gradients(
    graph: nnx.GraphDef[Any], trained: Any, rest: Any, x: tuple[jax.Array, ...], cotangent: Any
) -> Any:
    def inner(trained: Any, x: tuple[jax.Array, ...]) -> jax.Array:
        return _loss(nnx.merge(graph, trained, rest)(*x), cotangent)

    return jax.grad(inner, argnums=(0, 1))(trained, x)


def _image_by_image(steps: Any, x: jax.Array) -> jax.Array:
    """The steps of a separable convolution, without each seeing the whole batch."""
    if x.ndim != len(steps[0].kernel_size) + 2:  # Flax takes one image, or several batch axes
        return layers.in_order(steps, x)
    graph, weights = nnx.split(steps)

    def run(weights: Any, x: jax.Array) -> jax.Array:
        return layers.in_order(nnx.merge(graph, weights), x)

    return xla_algorithms.image_by_image(run, weights, x)


@jax.jit
def _training_gradients(
    graph: nnx.GraphDef[Any], trained: Any, rest: Any, x: tuple[jax.Array, ...], cotangent: Any
) -> Any:
    """The gradients, and what a training pass made of the other variables."""

    def inner(trained: Any) -> tuple[jax.Array, Any]:
        # variables of this trace, which alone may change in it
        module = nnx.merge(graph, trained, jax.tree.map(jnp.asarray, rest))
        value = _loss(module(*x), cotangent)
        return value, nnx.split(module, nnx.Param, ...)[2]

    return jax.grad(inner, has_aux=True)(trained)


class FlaxAdapter(Adapter):
    """``flax.nnx``, channels-last."""

    name = "flax"

    def devices(self) -> tuple[str, ...]:
        found = jax.devices()
        other = () if found[0].platform == "cpu" else found
        return ("cpu", *(f"{device.platform}:{device.id}" for device in other))

    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> Any:
        kind = jnp.dtype(place.dtype)
        if place.dtype == "float64" and not jax.config.jax_enable_x64:
            raise UnsupportedError(
                "flax: JAX computes in float32 unless jax_enable_x64 is set: "
                "set JAX_ENABLE_X64=1 before the first import, or use float32"
            )
        with jax.default_device(self._device(place.device)):
            if weights is None:
                module = make(spec, How(kind, nnx.Rngs(0)))
            else:
                module = outline(spec, kind)
                self.fill(self.slots(module), weights, place.share)
            if not jax.tree.leaves(nnx.state(module, nnx.Param)):
                # no layer's name has a hyphen
                setattr(module, "no-weights", Place(jnp.zeros(0, kind)))
            for _, layer in nnx.iter_modules(module):
                if isinstance(layer, nnx.Dropout) and weights is not None:  # no array yet either
                    layer.rngs = nnx.Rngs(0).dropout.fork()
                elif isinstance(layer, nnx.Conv) and place.algorithm == "auto":
                    layer.conv_general_dilated = xla_algorithms.conv_general_dilated
                elif isinstance(layer, layers.SeparableConv) and place.algorithm == "auto":
                    layer.run_steps = _image_by_image
        module.eval()
        return module

    def describe(self, module: Any) -> Spec:
        return describe(module)

    def children(self, module: Any) -> dict[str, Any]:
        return named_layers(module)

    def own_slots(self, module: Any) -> dict[str, Slot]:
        return TABLE.slots(module)

    def own_variables(self, module: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, nnx.Variable)
            and not isinstance(value, nnx.RngState | Place)
            and jnp.issubdtype(value.dtype, jnp.floating)
        }

    def view(self, variable: Any) -> np.ndarray:
        return self._view(variable.get_value())

    def write(self, variable: Any, array: np.ndarray, share: bool = False) -> None:
        if not (share and array.flags.c_contiguous and array.dtype == variable.dtype):
            array = _aligned_copy(array, variable.dtype)
        variable.set_value(jax.device_put(array, may_alias=True))

    def forward(self, module: Any, x: Any) -> Any:
        if not isinstance(module, nnx.Module):  # a bare function, such as nnx.relu in a Sequential
            return self._out(jax.jit(module)(jnp.asarray(x)))
        given = (self._in(module, each) for each in inputs_of(x))
        return on_each(self._out, _run(*nnx.split(module), *given))

    def record(self, module: Any, *inputs: Any) -> Call:
        known = isinstance(module, nnx.Module)
        given = tuple(
            self._in(module, x) if known and isinstance(x, np.ndarray) else jnp.asarray(x)
            for x in inputs
        )
        with generators_as_they_were(), jax.default_matmul_precision("highest"):
            if not known:
                seen = _Seen("", given, module(*given), ())
            else:
                twin = nnx.clone(module)  # the module itself is neither touched nor run
                twin.eval()
                graph, state = nnx.split(twin)
                seen = _record(graph, state, *given)
        return self._call(module, seen)

    def _call(self, module: Any, seen: "_Seen") -> Call:
        children, recorder = self.children(module), Recorder(self._value)
        return Call(
            module,
            tuple(map(recorder.kept, seen.given)),
            recorder.kept(seen.made),
            [self._call(children[inner.name], inner) for inner in seen.inside],
        )

    def _value(self, native: Any) -> Value:
        if not isinstance(native, jax.Array):
            return Value(None, type(native).__name__)
        return Value(self._out(native), native.dtype.name)

    def watch(self, module: Any, inputs: tuple[np.ndarray, ...]) -> Call:
        given = [
            self._in(module, x) if x.dtype.kind == "f" else jnp.asarray(x)  # an embedding's, e.g.
            for x in inputs
        ]
        recorder = Recorder(self._value)
        modules = {id(each): each for each in self.named_modules(module).values()}
        with _as_it_was(module), jax.default_matmul_precision("highest"):
            module.eval()
            with _calls_kept(modules, recorder):
                module(*given)
        return recorder.roots[0]

    def named_modules(self, module: Any) -> dict[str, Any]:
        found = {".".join(map(str, path)): each for path, each in nnx.iter_modules(module)}
        return dict(sorted(found.items(), key=lambda item: item[0].count(".") + bool(item[0])))

    def to_array(self, native: Any) -> np.ndarray:
        if not isinstance(native, jax.Array | np.ndarray):
            raise InputError(f"flax: an input must be an array, not {type(native).__name__}")
        return self._out(jnp.asarray(native))

    def holds_values(self, module: Any) -> bool:
        if not isinstance(module, nnx.Module):
            return True
        held = jax.tree.leaves(nnx.state(module))
        return not any(isinstance(each, jax.ShapeDtypeStruct) for each in held)

    def dtype_of(self, variable: Any) -> str:
        if not isinstance(variable, nnx.Variable):
            raise TypeError("not an nnx.Variable")
        return variable.dtype.name

    def on_cpu(self, module: Any) -> bool:
        held = jax.tree.leaves(nnx.state(module)) if isinstance(module, nnx.Module) else []
        devices = {each.platform for leaf in held for each in getattr(leaf, "devices", set)()}
        return (devices or {jax.default_backend()}) == {"cpu"}

    def backward(self, module: Any, x: Any, cotangent: Any) -> tuple[Any, dict[str, np.ndarray]]:
        graph, trained, rest = nnx.split(module, nnx.Param, ...)
        inputs = self._of_all(module, x, cotangent)
        by_weight, by_x = _gradients(graph, trained, rest, *inputs)
        # the gradients in the module's own structure: read like the weights they belong to
        twin = nnx.merge(graph, by_weight, rest)
        return together([self._out(each) for each in by_x]), {
            name: slot.layout.to_canonical(self.read(slot.variable))
            for name, slot in self.slots(twin).items()
            if isinstance(slot.variable, nnx.Param)
        }

    def _of_all(self, module: Any, x: Any, cotangent: Any) -> tuple[tuple[Any, ...], Any]:
        """Every input, and by how much each output counts."""
        given = tuple(self._in(module, each) for each in inputs_of(x))
        return given, on_each(lambda each: self._in(module, each), cotangent)

    def chooses(self, layer: Spec, input_shape: Shape, memory_format: str) -> bool:
        """Whether "auto" runs other code than "native" does: the table has an algorithm for it."""
        if isinstance(layer, DepthwiseConv):
            kernel, groups = (*layer.kernel_size, 1, layer.out_channels), layer.in_channels
        elif isinstance(layer, Conv):
            kernel, groups = parameter_shapes(layer)["kernel"], layer.groups
        else:
            return False
        return xla_algorithms.choose(kernel, groups) is not None

    def runners(
        self, module: Any, x: np.ndarray, cotangent: np.ndarray | None = None
    ) -> dict[str, Callable[[], Any]]:
        graph, trained, rest = nnx.split(module, nnx.Param, ...)

        def run(trained: Any, x: jax.Array) -> jax.Array:
            return nnx.merge(graph, trained, rest)(x)

        def differentiate(trained: Any, x: jax.Array, by_y: jax.Array) -> Any:
            return jax.vjp(run, trained, x)[1](by_y)

        inputs = [self._in(module, each) for each in (x, cotangent) if each is not None]
        compiled = jax.jit(run if cotangent is None else differentiate)
        return {"channels_last": lambda: jax.block_until_ready(compiled(trained, *inputs))}

    def train(
        self,
        module: Any,
        x: Any,
        cotangent: Any,
        *,
        steps: int = 1,
        rate: float,
        momentum: float = 0.0,
        decay: float = 0.0,
    ) -> None:
        inputs = self._of_all(module, x, cotangent)
        rule = optax.chain(optax.add_decayed_weights(decay), optax.sgd(rate, momentum or None))
        module.train()
        graph, trained, rest = nnx.split(module, nnx.Param, ...)
        memory = rule.init(trained)
        for _ in range(steps):
            gradients, rest = _training_gradients(graph, trained, rest, *inputs)
            changes, memory = rule.update(gradients, memory, trained)
            trained = optax.apply_updates(trained, changes)
        nnx.update(module, trained, rest)
        module.eval()

    def count(self, module: Any) -> Count:
        def size(*kinds: Any) -> int:
            return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, *kinds)))

        trainable = size(nnx.Param)
        return Count(trainable, trainable + size(nnx.BatchStat))

    def synchronize(self, device: str) -> None:
        jax.device_put(0, self._device(device)).block_until_ready()

    def _device(self, device: str) -> jax.Device:
        platform, _, index = device.partition(":")
        return jax.devices(platform)[int(index or 0)]

    def _in(self, module: Any, array: np.ndarray) -> jax.Array:
        held = jax.tree.leaves(nnx.state(module, (nnx.Param, Place)))
        like = held[0] if held else jnp.zeros(0, jnp.float32)  # a user's module without weights
        return jax.device_put(jnp.asarray(array, dtype=like.dtype), like.device)

    def _out(self, array: jax.Array) -> np.ndarray:
        return np.array(self._view(array))

    def _view(self, array: jax.Array) -> np.ndarray:
        if array.dtype == jnp.bfloat16:  # NumPy has none; float32 holds every one of them
            array = array.astype(jnp.float32)
        return np.asarray(array)


def _aligned_copy(array: np.ndarray, dtype: Any) -> np.ndarray:
    """A copy where JAX takes memory over as it is: at a multiple of 64 bytes, in C order."""
    size = array.size * dtype.itemsize
    room = np.empty(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    copy = room[start : start + size].view(dtype).reshape(array.shape)
    copy_into(copy, array)
    return copy
