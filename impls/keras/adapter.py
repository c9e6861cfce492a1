"""Keras 3: specs to Keras layers and models, and back."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import singledispatch
from typing import Any

import keras
import numpy as np

from impls.adapter import Adapter, Count, Slot, find_reader
from impls.errors import UnsupportedError
from impls.keras import layers
from impls.layouts import SAME
from impls.shapes import parameter_shapes
from impls.spec import (
    Activation,
    BatchNorm,
    Composite,
    Conv,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Residual,
    SeparableConv,
    Sequential,
    Spec,
    walk,
)
from impls.weights import Weights

# ---------------------------------------------------------------- spec -> module


@singledispatch
def make(spec: Spec, **common: Any) -> Any:
    """The native layer or model of a spec, not built yet; ``common`` is its name and its dtype."""
    raise UnsupportedError(f"keras: {type(spec).__name__} is not built yet")


@make.register
def _(spec: Conv, **common: Any) -> Any:
    return layers.Conv2D(
        spec.out_channels,
        spec.kernel_size,
        strides=spec.stride,
        padding=spec.padding,
        dilation_rate=spec.dilation,
        groups=spec.groups,
        use_bias=spec.bias,
        **common,
    )


@make.register
def _(spec: DepthwiseConv, **common: Any) -> Any:
    return layers.DepthwiseConv2D(
        spec.kernel_size,
        strides=spec.stride,
        padding=spec.padding,
        dilation_rate=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        use_bias=spec.bias,
        **common,
    )


@make.register
def _(spec: SeparableConv, **common: Any) -> Any:
    return layers.SeparableConv2D(
        spec.out_channels,
        spec.kernel_size,
        strides=spec.stride,
        padding=spec.padding,
        dilation_rate=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        depthwise_bias=spec.depthwise_bias,
        pointwise_bias=spec.pointwise_bias,
        **common,
    )


@make.register
def _(spec: BatchNorm, **common: Any) -> Any:
    # Keras's momentum is the weight of the old statistics, a spec's of the new
    return keras.layers.BatchNormalization(momentum=1 - spec.momentum, epsilon=spec.eps, **common)


@make.register
def _(spec: Activation, **common: Any) -> Any:
    return keras.layers.ReLU({"relu": None, "relu6": 6.0}[spec.function], **common)


@make.register
def _(spec: GlobalAvgPool, **common: Any) -> Any:
    return keras.layers.GlobalAveragePooling2D(data_format="channels_last", **common)


@make.register
def _(spec: Flatten, **common: Any) -> Any:
    return keras.layers.Flatten(data_format="channels_last", **common)


@make.register
def _(spec: Dropout, **common: Any) -> Any:
    return keras.layers.Dropout(spec.p, **common)


@make.register
def _(spec: Dense, **common: Any) -> Any:
    return keras.layers.Dense(spec.out_features, use_bias=spec.bias, **common)


@make.register
def _(spec: Sequential, name: str | None = None, **common: Any) -> Any:
    children = [make(child, name=child_name, **common) for child_name, child in spec.children]
    return keras.Sequential(children, name=name)


@make.register
def _(spec: Residual, name: str | None = None, **common: Any) -> Any:
    shortcut = spec.shortcut and make(spec.shortcut, name="shortcut", **common)
    return layers.Residual(make(spec.body, name="body", **common), shortcut, name=name, **common)


# ---------------------------------------------------------------- building


def input_shape(spec: Spec) -> tuple[int | None, ...] | None:
    """What ``spec`` can be built for: sizes open, channels known; None if it takes any channels."""
    for _, layer in walk(spec):
        match layer:
            case Conv() | DepthwiseConv():
                return (None,) * (layer.rank + 1) + (layer.in_channels,)
            case BatchNorm():
                return (None,) * (layer.rank + 1) + (layer.num_features,)
            case Dense():
                return (None, layer.in_features)
            case Flatten() | GlobalAvgPool():
                return None  # what comes after says nothing about what comes in
    return None


# where each layer keeps the initialiser of each canonical weight
INITIALIZERS = {
    "kernel": "kernel_initializer",
    "depthwise kernel": "depthwise_initializer",
    "bias": "bias_initializer",
    "scale": "gamma_initializer",
    "offset": "beta_initializer",
    "mean": "moving_mean_initializer",
    "variance": "moving_variance_initializer",
}


@contextmanager
def born_with(layer: Any, spec: Spec, weights: Weights) -> Iterator[None]:
    """Let ``layer`` be built with ``weights`` in place of its initialisers, which it then keeps."""
    kept = {}
    for name in parameter_shapes(spec):
        kind = "depthwise kernel" if isinstance(spec, DepthwiseConv) and name == "kernel" else name
        attribute, array = INITIALIZERS[kind], weights[name]
        kept[attribute] = getattr(layer, attribute)
        setattr(layer, attribute, lambda shape, dtype=None, array=array: array.astype(dtype))
    yield
    for attribute, initializer in kept.items():
        setattr(layer, attribute, initializer)


# ---------------------------------------------------------------- module -> spec


def _require(module: Any, **needed: Any) -> None:
    for attribute, value in needed.items():
        if getattr(module, attribute, value) != value:
            raise UnsupportedError(
                f"keras: {type(module).__name__} {module.name!r} cannot be read as a spec: "
                f"it needs {attribute}={value!r}, not {getattr(module, attribute)!r}"
            )


def _window(module: Any) -> dict[str, Any]:
    _require(module, data_format="channels_last")
    if module.activation is not keras.activations.linear:
        raise UnsupportedError(
            f"keras: {type(module).__name__} {module.name!r} has an activation inside: "
            "give it a layer of its own"
        )
    if not module.built:
        raise UnsupportedError(f"keras: {module.name!r} is not built: call it on an input first")
    return {
        "in_channels": module.input_spec.axes[-1],
        "kernel_size": module.kernel_size,
        "stride": getattr(module, "asked_strides", module.strides),
        "padding": getattr(module, "asked_padding", module.padding),
        "dilation": module.dilation_rate,
        "rank": module.rank,
    }


def _conv(module: Any) -> Spec:
    return Conv(
        out_channels=module.filters,
        groups=module.groups,
        bias=module.use_bias,
        **_window(module),
    )


def _depthwise(module: Any) -> Spec:
    return DepthwiseConv(
        depth_multiplier=module.depth_multiplier, bias=module.use_bias, **_window(module)
    )


def _separable(module: layers.SeparableConv2D) -> Spec:
    return SeparableConv(
        out_channels=module.pointwise.filters,
        depth_multiplier=module.depthwise.depth_multiplier,
        depthwise_bias=module.depthwise.use_bias,
        pointwise_bias=module.pointwise.use_bias,
        **_window(module.depthwise),
    )


def _native_separable(module: Any) -> Spec:
    return SeparableConv(
        out_channels=module.filters,
        depth_multiplier=module.depth_multiplier,
        depthwise_bias=False,
        pointwise_bias=module.use_bias,
        **_window(module),
    )


def _batch_norm(module: Any) -> Spec:
    _require(module, center=True, scale=True)
    if not module.built:
        raise UnsupportedError(f"keras: {module.name!r} is not built: call it on an input first")
    ndim = module.input_spec.ndim
    if module.axis not in (-1, ndim - 1):
        raise UnsupportedError(
            f"keras: {module.name!r} normalises axis {module.axis}, not the last"
        )
    # 1 - (1 - p) is not p in binary: ten digits bring back what was meant
    return BatchNorm(
        module.moving_mean.shape[0], module.epsilon, round(1 - module.momentum, 10), ndim - 2
    )


def _relu(module: Any) -> Spec:
    _require(module, negative_slope=0.0, threshold=0.0)
    if module.max_value not in (None, 6):
        raise UnsupportedError(f"keras: ReLU {module.name!r} stops at {module.max_value}, not at 6")
    return Activation("relu" if module.max_value is None else "relu6")


def _global_avg_pool(module: Any) -> Spec:
    _require(module, data_format="channels_last", keepdims=False)
    return GlobalAvgPool()


def _flatten(module: Any) -> Spec:
    _require(module, data_format="channels_last")
    return Flatten()


def _dense(module: Any) -> Spec:
    if module.activation is not keras.activations.linear:
        raise UnsupportedError(
            f"keras: Dense {module.name!r} has an activation inside: give it a layer of its own"
        )
    if not module.built:
        raise UnsupportedError(f"keras: {module.name!r} is not built: call it on an input first")
    in_features, out_features = module.kernel.shape
    return Dense(in_features, out_features, module.use_bias)


READERS: dict[type, Any] = {
    keras.layers.Conv2D: _conv,
    layers.Conv2D: _conv,
    keras.layers.DepthwiseConv2D: _depthwise,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
    keras.layers.SeparableConv2D: _native_separable,
    keras.layers.BatchNormalization: _batch_norm,
    keras.layers.ReLU: _relu,
    keras.layers.GlobalAveragePooling2D: _global_avg_pool,
    keras.layers.Flatten: _flatten,
    keras.layers.Dropout: lambda module: Dropout(module.rate),
    keras.layers.Dense: _dense,
    keras.Sequential: lambda module: Sequential(
        {layer.name: describe(layer) for layer in module.layers}
    ),
    layers.Residual: lambda module: Residual(
        describe(module.body), None if module.shortcut is None else describe(module.shortcut)
    ),
}


def describe(module: Any) -> Spec:
    """The spec of a native layer or model."""
    spec: Spec = find_reader(module, READERS, "call")(module)
    return spec


# ---------------------------------------------------------------- the adapter


class KerasAdapter(Adapter):
    """Keras 3 on whichever backend ``KERAS_BACKEND`` names, channels-last."""

    name = "keras"

    def devices(self) -> tuple[str, ...]:
        found = keras.distribution.list_devices()
        return ("cpu", *(device for device in found if not device.startswith("cpu")))

    def make(self, spec: Spec, weights: Weights | None, device: str, dtype: str) -> Any:
        with keras.device(device):
            module = make(spec, dtype=dtype)
            self._build(module, spec, weights)
        return module

    def _build(self, module: Any, spec: Spec, weights: Weights | None, path: str = "") -> None:
        """Build from the leaves up: behind a Flatten, Keras could not tell a Dense's inputs."""
        children = self.children(module)
        for name, child in spec.children if isinstance(spec, Composite) else ():
            self._build(children[name], child, weights, f"{path}{name}.")
        shape = input_shape(spec)
        if shape is None:  # Keras builds it when it sees its first input
            return
        if weights is None or isinstance(spec, Composite):
            module.build(shape)
        else:
            own = {name: weights[path + name] for name in parameter_shapes(spec)}
            with born_with(module, spec, own):
                module.build(shape)

    def describe(self, module: Any) -> Spec:
        return describe(module)

    def children(self, module: Any) -> dict[str, Any]:
        match module:
            case keras.Sequential():
                return {layer.name: layer for layer in module.layers}
            case layers.SeparableConv2D():
                return {"depthwise": module.depthwise, "pointwise": module.pointwise}
            case layers.Residual():
                both = {"body": module.body, "shortcut": module.shortcut}
                return {name: child for name, child in both.items() if child is not None}
        return {}

    def own_slots(self, module: Any) -> dict[str, Slot]:
        match module:
            case keras.layers.BatchNormalization():
                return {
                    "scale": Slot(module.gamma, SAME),
                    "offset": Slot(module.beta, SAME),
                    "mean": Slot(module.moving_mean, SAME),
                    "variance": Slot(module.moving_variance, SAME),
                }
            case keras.layers.SeparableConv2D():
                slots = {
                    "depthwise.kernel": Slot(module.depthwise_kernel, SAME),
                    "pointwise.kernel": Slot(module.pointwise_kernel, SAME),
                }
                bias = "pointwise.bias"
            case keras.layers.Conv2D() | keras.layers.DepthwiseConv2D() | keras.layers.Dense():
                slots, bias = {"kernel": Slot(module.kernel, SAME)}, "bias"
            case _:
                return {}
        return slots | {bias: Slot(module.bias, SAME)} if module.use_bias else slots

    def read(self, variable: Any) -> np.ndarray:
        return self._out(variable.value)

    def write(self, variable: Any, array: np.ndarray) -> None:
        variable.assign(np.array(array))

    def forward(self, module: Any, x: np.ndarray) -> np.ndarray:
        native = self._in(module, x)
        if isinstance(module, keras.Model):
            return self._out(module.predict_on_batch(native))
        return self._out(module(native, training=False))

    def backward(
        self, module: Any, x: np.ndarray, cotangent: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        if keras.backend.backend() != "tensorflow":
            raise UnsupportedError(
                f"keras: gradients on the {keras.backend.backend()} backend are not built yet: "
                "set KERAS_BACKEND=tensorflow, or ask that framework itself"
            )
        import tensorflow as tf

        native = tf.Variable(self._in(module, x))
        trained = {n: s for n, s in self.slots(module).items() if s.variable.trainable}
        with tf.GradientTape() as tape:
            y = module(native, training=False)
        by_x, *by_weight = tape.gradient(
            y,
            [native, *(slot.variable.value for slot in trained.values())],
            output_gradients=self._in(module, cotangent),
        )
        return self._out(by_x), {
            name: slot.layout.to_canonical(self._out(gradient))
            for (name, slot), gradient in zip(trained.items(), by_weight, strict=True)
        }

    def count(self, module: Any) -> Count:
        trainable = sum(int(np.prod(v.shape)) for v in module.trainable_variables)
        return Count(trainable, module.count_params() if module.weights else 0)

    def synchronize(self, device: str) -> None:
        with keras.device(device):
            keras.ops.convert_to_numpy(keras.ops.zeros(()))

    def _in(self, module: Any, array: np.ndarray) -> Any:
        dtype = module.weights[0].dtype if module.weights else "float32"
        return keras.ops.convert_to_tensor(np.array(array), dtype=dtype)

    def _out(self, tensor: Any) -> np.ndarray:
        array = keras.ops.convert_to_numpy(tensor)
        # NumPy has no bfloat16; float32 holds every one of them
        return np.array(array, dtype=np.float32 if array.dtype.name == "bfloat16" else None)
