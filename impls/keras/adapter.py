"""Keras 3: build, read, write and run its layers and models."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np

from convparity.impls.adapter import Adapter, Count, Placement, Slot
from convparity.impls.errors import InputError, SpecError, UnsupportedError
from convparity.impls.keras import layers
from convparity.impls.keras.bindings import TABLE
from convparity.impls.keras.describe import children, describe
from convparity.impls.keras.functional import Functional, as_called, by_name, is_raw, tensors_of
from convparity.impls.keras.make import make
from convparity.impls.keras.variables import given
from convparity.impls.recording import Call, Recorder, Value, generators_as_they_were
from convparity.impls.spec import Conv, DepthwiseConv, Shape, Spec, dotted
from convparity.impls.values import inputs_of, on_each
from convparity.impls.weights import Weights


class KerasAdapter(Adapter):
    """Keras 3 on whichever backend ``KERAS_BACKEND`` names, channels-last."""

    name = "keras"

    def devices(self) -> tuple[str, ...]:
        found = keras.distribution.list_devices()
        return ("cpu", *(device for device in found if not device.startswith("cpu")))

    def make(self, spec: Spec, weights: Weights | None, place: Placement) -> Any:
        # nothing is shared: a Keras variable is another framework's, and TensorFlow's copies
        with keras.device(place.device):
            module = make(spec, place.dtype, self.children, weights)
            for layer in module._flatten_layers():
                if isinstance(layer, layers.AnyWindow):
                    layer.algorithm = place.algorithm
        return module

    def describe(self, module: Any) -> Spec:
        return describe(module)

    def children(self, module: Any) -> dict[str, Any]:
        return children(module)

    def own_slots(self, module: Any) -> dict[str, Slot]:
        return TABLE.slots(module)

    def own_variables(self, module: Any) -> dict[str, Any]:
        held = (*module._trainable_variables, *module._non_trainable_variables)
        return {each.name: each for each in held if "float" in str(each.dtype)}

    def view(self, variable: Any) -> np.ndarray:
        if keras.backend.backend() == "tensorflow" and variable.dtype != "bfloat16":
            return np.asarray(memoryview(variable.value.value()))  # what follows copies twice
        return _widened(keras.ops.convert_to_numpy(variable.value))

    def write(self, variable: Any, array: np.ndarray, share: bool = False) -> None:
        variable.assign(given(array, variable.dtype))

    def forward(self, module: Any, x: Any) -> Any:
        native = [self._in(module, each) for each in inputs_of(x)]
        for each in inputs_of(x):
            if 0 in each.shape:  # TensorFlow's convolutions return uninitialised memory for it
                raise SpecError(
                    f"keras: every size of an input must be at least 1, not {each.shape}"
                )
        given = _as_called(module, native)
        # predict_on_batch traces a model, which takes longer than a graph's few runs
        if isinstance(module, keras.Model) and not isinstance(module, Functional):
            return on_each(self._out, module.predict_on_batch(given))
        return on_each(self._out, module(given, training=False))

    def record(self, module: Any, *inputs: Any) -> Call:
        given = (self._in(module, x) if isinstance(x, np.ndarray) else x for x in inputs)
        return self._watched(module, self._parts(module).values(), *given)

    def watch(self, module: Any, inputs: tuple[np.ndarray, ...]) -> Call:
        watched = {id(each): each for each in self.named_modules(module).values()}
        given = [  # integers, as of an embedding, stay what they are
            self._in(module, x) if x.dtype.kind == "f" else keras.ops.convert_to_tensor(x)
            for x in inputs
        ]
        return self._watched(module, watched.values(), *given)

    def _watched(self, module: Any, parts: Iterable[Any], *inputs: Any) -> Call:
        recorder = Recorder(self._value)
        with _as_it_was(module), ExitStack() as watched:
            for each in parts:
                # as the instance's own, past Keras, which would track it
                before = vars(each).get("call")
                vars(each)["call"] = recorder.around(each, each.call, _given_to(each))
                watched.callback(_put_back, each, before)
            given = [keras.ops.copy(each) for each in inputs]
            if isinstance(module, Functional) or (len(given) > 1 and _takes_a_list(module)):
                module(_as_called(module, given), training=False)
            else:
                module(*given, training=False)
        return recorder.roots[0]

    def named_modules(self, module: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def visit(module: Any, path: str) -> None:
            if path in found:
                return
            found[path] = module
            for name, part in _inside(module).items():
                visit(part, dotted(path, name))

        visit(module, "")
        return found

    def input_shapes(self, module: Any) -> tuple[tuple[int | None, ...], ...] | None:
        # a functional model refuses other sizes than those of its inputs, and so does a reshape
        held = module.layers if isinstance(module, keras.Sequential) else [module]
        fixed = any(isinstance(each, Functional | keras.layers.Reshape) for each in held)
        if not fixed or not module.built or not isinstance(module, keras.Model):
            return None
        return tuple(tuple(x.shape) for x in module.inputs)

    def to_array(self, native: Any) -> np.ndarray:
        if not keras.ops.is_tensor(native) and not isinstance(native, np.ndarray):
            raise InputError(f"keras: an input must be a tensor, not {type(native).__name__}")
        return self._out(native)

    def _parts(self, module: Any) -> dict[int, Any]:
        """The module and every one inside it, once."""
        found = {id(module): module}
        for child in self.children(module).values():
            found |= self._parts(child)
        return found

    def _value(self, native: Any) -> Value:
        if not keras.ops.is_tensor(native):
            return Value(None, type(native).__name__)
        return Value(self._out(native), keras.backend.standardize_dtype(native.dtype))

    def holds_values(self, module: Any) -> bool:
        return True

    def dtype_of(self, variable: Any) -> str:
        if not isinstance(variable, keras.Variable):
            raise TypeError("not a keras.Variable")
        return keras.backend.standardize_dtype(variable.dtype)

    def on_cpu(self, module: Any) -> bool:
        return self.devices() == ("cpu",)

    def backward(self, module: Any, x: Any, cotangent: Any) -> tuple[Any, dict[str, np.ndarray]]:
        trained = {n: s for n, s in self.slots(module).items() if s.variable.trainable}
        variables = [slot.variable for slot in trained.values()]
        inputs = (on_each(lambda each: self._in(module, each), given) for given in (x, cotangent))
        by_x, by_weight = self._ways()(module, variables, *inputs, training=False)
        return on_each(self._out, by_x), {
            name: slot.layout.to_canonical(self._out(gradient))
            for (name, slot), gradient in zip(trained.items(), by_weight, strict=True)
        }

    def _ways(self) -> Any:
        """The gradients of this backend."""
        ways = {"tensorflow": self._backward_by_tensorflow, "jax": self._backward_by_jax}
        backend = keras.backend.backend()
        if backend not in ways:
            raise UnsupportedError(
                f"keras: gradients on the {backend} backend are not built yet: "
                f"set KERAS_BACKEND to {' or '.join(ways)}, or ask that framework itself"
            )
        return ways[backend]

    def _backward_by_tensorflow(
        self, module: Any, variables: list[Any], x: Any, cotangent: Any, training: bool
    ) -> tuple[Any, list[Any]]:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            for each in inputs_of(x):
                tape.watch(each)
            y = module(_as_called(module, inputs_of(x)), training=training)
        by_x, by_weight = tape.gradient(
            y,
            [x, [variable.value for variable in variables]],
            output_gradients=cotangent,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,  # of the place of a pixel
        )
        return by_x, by_weight

    def _backward_by_jax(
        self, module: Any, variables: list[Any], x: Any, cotangent: Any, training: bool
    ) -> tuple[Any, list[Any]]:
        import jax

        others = module.non_trainable_variables

        @jax.jit
        def run(x: Any, values: list[Any]) -> Any:
            state = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=state) as scope:
                y = module(_as_called(module, inputs_of(x)), training=training)
            moved = [scope.get_current_value(variable) for variable in others]
            return y, [
                old.value if new is None else new for old, new in zip(others, moved, strict=True)
            ]

        values = [variable.value for variable in variables]
        _, gradients, moved = jax.vjp(run, x, values, has_aux=True)
        by_x, by_weight = gradients(cotangent)
        if training:
            for variable, value in zip(others, moved, strict=True):
                variable.assign(value)
        return by_x, by_weight

    def chooses(self, layer: Spec, input_shape: Shape, memory_format: str) -> bool:
        """Whether "auto" runs other code than "native" does: on JAX alone it may."""
        return isinstance(layer, Conv | DepthwiseConv) and keras.backend.backend() == "jax"

    def runners(
        self, module: Any, x: np.ndarray, cotangent: np.ndarray | None = None
    ) -> dict[str, Callable[[], Any]]:
        inputs = [self._in(module, each) for each in (x, cotangent) if each is not None]
        if keras.backend.backend() == "jax":
            return {"channels_last": self._runner_by_jax(module, *inputs)}
        self._ways()  # raises for another backend than TensorFlow
        import tensorflow as tf

        variables = module.trainable_variables

        @tf.function(autograph=False)
        def compute(x: Any, cotangent: Any = None) -> Any:
            if cotangent is None:
                return module(x, training=False)
            return self._backward_by_tensorflow(module, variables, x, cotangent, training=False)

        def run() -> Any:
            found = compute(*inputs)
            tf.test.experimental.sync_devices()
            return found

        return {"channels_last": run}

    def _runner_by_jax(self, module: Any, *inputs: Any) -> Callable[[], Any]:
        import jax

        variables = module.trainable_variables
        values = [variable.value for variable in variables]

        def forward(values: list[Any], x: Any) -> Any:
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return module(x, training=False)

        @jax.jit
        def compute(values: list[Any], x: Any, cotangent: Any = None) -> Any:
            if cotangent is None:
                return forward(values, x)
            return jax.vjp(forward, values, x)[1](cotangent)

        return lambda: jax.block_until_ready(compute(values, *inputs))

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
        variables = module.trainable_variables
        optimizer = keras.optimizers.SGD(rate, momentum, weight_decay=decay or None)
        inputs = [on_each(lambda each: self._in(module, each), given) for given in (x, cotangent)]
        for _ in range(steps):
            _, gradients = self._ways()(module, variables, *inputs, training=True)
            optimizer.apply(gradients, variables)

    def count(self, module: Any) -> Count:
        # not count_params(), which refuses a model that still waits for its first input
        by_kind = (module.trainable_weights, module.weights)
        return Count(*(sum(math.prod(v.shape) for v in kind) for kind in by_kind))

    def synchronize(self, device: str) -> None:
        with keras.device(device):
            keras.ops.convert_to_numpy(keras.ops.zeros(()))

    def _in(self, module: Any, array: np.ndarray) -> Any:
        return keras.ops.convert_to_tensor(np.array(array), dtype=self._dtype(module))

    def _dtype(self, module: Any) -> str:
        """What the module computes in; a Sequential does not know it, its layers do."""
        if module.weights:
            return module.weights[0].dtype
        if isinstance(module, Functional):
            return str(module.inputs[0].dtype)
        children = self.children(module)
        return self._dtype(next(iter(children.values()))) if children else module.compute_dtype

    def _out(self, tensor: Any) -> np.ndarray:
        return np.array(_widened(keras.ops.convert_to_numpy(tensor)))


def _as_called(module: Any, inputs: Sequence[Any]) -> Any:
    """Several inputs are given as one list, or as a functional model was made with them."""
    if isinstance(module, Functional):
        return as_called(module, inputs)
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _takes_a_list(module: Any) -> bool:
    """A graph and a join take several inputs as one list."""
    return isinstance(module, (layers.Graph, *layers.MERGES))


def _given_to(module: Any) -> Callable[..., Any] | None:
    """What counts as the inputs of a model or a raw operation, of all that it is called with."""
    if not (isinstance(module, Functional) or is_raw(module)):
        return None
    return lambda *inputs, **options: tuple(tensors_of(module, (inputs, options)))


def _put_back(module: Any, call: Any) -> None:
    if call is None:
        vars(module).pop("call", None)
    else:
        vars(module)["call"] = call


def _inside(module: Any) -> dict[str, Any]:
    """The layers that a layer holds: of a model of layers by their names, else by attribute."""
    if isinstance(module, keras.Sequential | Functional):
        return by_name(module.layers)
    found: dict[str, Any] = {}
    for name, value in vars(module).items():
        if not name.startswith("_"):
            found |= _layers_in(name, value)
    known = {id(each) for each in found.values()}
    others = getattr(module, "_layers", None) or []
    return found | {each.name: each for each in others if id(each) not in known}


def _layers_in(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, keras.layers.Layer):
        return {name: value}
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    return {
        key: layer
        for each, inner in items
        for key, layer in _layers_in(f"{name}.{each}", inner).items()
    }


@contextmanager
def _as_it_was(module: Any) -> Iterator[None]:
    """Afterwards statistics, seeds and generators are what they were; nothing computes in TF32."""
    held = keras.ops.convert_to_numpy
    kept = [(each, np.array(held(each))) for each in module.non_trainable_variables]
    backend = keras.backend.backend()
    with ExitStack() as restored:
        restored.enter_context(generators_as_they_were())
        if backend == "tensorflow":
            import tensorflow as tf

            switch = tf.config.experimental.enable_tensor_float_32_execution
            restored.callback(switch, tf.config.experimental.tensor_float_32_execution_enabled())
            switch(False)
        elif backend == "jax":
            import jax

            restored.enter_context(jax.default_matmul_precision("highest"))
        try:
            yield
        finally:
            for variable, before in kept:
                if not np.array_equal(held(variable), before):
                    variable.assign(before)


def _widened(array: np.ndarray) -> np.ndarray:
    """NumPy has no bfloat16; float32 holds every one of them."""
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array
