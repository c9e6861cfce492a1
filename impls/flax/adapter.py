"""Flax: specs to ``flax.nnx`` modules and back."""

from functools import singledispatch
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from impls.adapter import Adapter, Count, Slot, find_reader
from impls.errors import UnsupportedError
from impls.flax import layers
from impls.layouts import SAME, depthwise_as_grouped
from impls.spec import (
    Activation,
    BatchNorm,
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
)
from impls.weights import Weights

FUNCTIONS = {"relu": nnx.relu, "relu6": nnx.relu6}

# ---------------------------------------------------------------- spec -> module


@singledispatch
def make(spec: Spec, dtype: Any, rngs: nnx.Rngs) -> Any:
    """The native module of a spec, as Flax initialises it."""
    raise UnsupportedError(f"flax: {type(spec).__name__} is not built yet")


def _padding(padding: Any) -> Any:
    return padding.upper() if isinstance(padding, str) else padding


@make.register
def _(spec: Conv, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Conv(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        kernel_dilation=spec.dilation,
        feature_group_count=spec.groups,
        use_bias=spec.bias,
        param_dtype=dtype,
        rngs=rngs,
    )


@make.register
def _(spec: DepthwiseConv, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.DepthwiseConv(
        spec.in_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        kernel_dilation=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        use_bias=spec.bias,
        param_dtype=dtype,
        rngs=rngs,
    )


@make.register
def _(spec: SeparableConv, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.SeparableConv(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding=_padding(spec.padding),
        kernel_dilation=spec.dilation,
        depth_multiplier=spec.depth_multiplier,
        depthwise_bias=spec.depthwise_bias,
        pointwise_bias=spec.pointwise_bias,
        param_dtype=dtype,
        rngs=rngs,
    )


@make.register
def _(spec: BatchNorm, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    norm = nnx.BatchNorm(
        spec.num_features,
        momentum=1 - spec.momentum,  # the weight of the old statistics here, of the new in a spec
        epsilon=spec.eps,
        use_fast_variance=False,  # E[x^2] - E[x]^2 cancels catastrophically for a large mean
        param_dtype=dtype,
        rngs=rngs,
    )
    for statistic in (norm.mean, norm.var):  # float32 otherwise, and so would be every output
        statistic.set_value(statistic.get_value().astype(dtype))
    return norm


@make.register
def _(spec: Activation, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.Activation(FUNCTIONS[spec.function])


@make.register
def _(spec: GlobalAvgPool, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.GlobalAvgPool()


@make.register
def _(spec: Flatten, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.Flatten()


@make.register
def _(spec: Dropout, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Dropout(spec.p, rngs=rngs)


@make.register
def _(spec: Dense, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.Linear(
        spec.in_features, spec.out_features, use_bias=spec.bias, param_dtype=dtype, rngs=rngs
    )


@make.register
def _(spec: Sequential, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    return layers.Sequential(**{name: make(child, dtype, rngs) for name, child in spec.children})


@make.register
def _(spec: Residual, dtype: Any, rngs: nnx.Rngs) -> nnx.Module:
    shortcut = None if spec.shortcut is None else make(spec.shortcut, dtype, rngs)
    return layers.Residual(make(spec.body, dtype, rngs), shortcut)


# ---------------------------------------------------------------- module -> spec


def _axes(value: Any, rank: int) -> tuple[int, ...]:
    return (value or 1,) * rank if value is None or isinstance(value, int) else tuple(value)


def _window(module: nnx.Conv) -> dict[str, Any]:
    rank = len(module.kernel_size)
    plain = (
        module.mask is None
        and _axes(module.input_dilation, rank) == (1,) * rank
        and module.conv_general_dilated is jax.lax.conv_general_dilated
    )
    known = not isinstance(module.padding, str) or module.padding in ("SAME", "VALID", "CAUSAL")
    if not (plain and known):
        raise UnsupportedError(
            "flax: nnx.Conv with a mask, an input dilation, a convolution function of its own or "
            f"padding {module.padding!r} cannot be read as a spec"
        )
    padding = module.padding
    return {
        "in_channels": module.in_features,
        "kernel_size": module.kernel_size,
        "stride": _axes(module.strides, rank),
        "padding": padding.lower() if isinstance(padding, str) else padding,
        "dilation": _axes(module.kernel_dilation, rank),
        "rank": rank,
    }


def _conv(module: nnx.Conv) -> Spec:
    return Conv(
        out_channels=module.out_features,
        groups=module.feature_group_count,
        bias=module.use_bias,
        **_window(module),
    )


def _depthwise(module: layers.DepthwiseConv) -> Spec:
    return DepthwiseConv(
        depth_multiplier=module.depth_multiplier, bias=module.use_bias, **_window(module)
    )


def _separable(module: layers.SeparableConv) -> Spec:
    return SeparableConv(
        out_channels=module.pointwise.out_features,
        depth_multiplier=module.depthwise.depth_multiplier,
        depthwise_bias=module.depthwise.use_bias,
        pointwise_bias=module.pointwise.use_bias,
        **_window(module.depthwise),
    )


def _batch_norm(module: nnx.BatchNorm) -> Spec:
    if not (module.use_scale and module.use_bias and module.axis == -1):
        raise UnsupportedError(
            "flax: nnx.BatchNorm needs use_scale=True, use_bias=True and axis=-1 to be a spec"
        )
    # 1 - (1 - p) is not p in binary: ten digits bring back what was meant
    momentum = round(1 - module.momentum, 10)
    return BatchNorm(module.num_features, module.epsilon, momentum)


def _sequential(module: Any) -> Spec:
    return Sequential({name: describe(child) for name, child in _named_layers(module).items()})


def _named_layers(module: Any) -> dict[str, Any]:
    if isinstance(module, nnx.Sequential):
        return {str(i): layer for i, layer in enumerate(module.layers)}
    return {name: getattr(module, name) for name in module.names}


READERS: dict[type, Any] = {
    nnx.Conv: _conv,
    layers.DepthwiseConv: _depthwise,
    layers.SeparableConv: _separable,
    nnx.BatchNorm: _batch_norm,
    layers.Activation: lambda module: describe(module.function),
    layers.GlobalAvgPool: lambda module: GlobalAvgPool(),
    layers.Flatten: lambda module: Flatten(),
    nnx.Dropout: lambda module: Dropout(module.rate),
    nnx.Linear: lambda module: Dense(module.in_features, module.out_features, module.use_bias),
    nnx.Sequential: _sequential,
    layers.Sequential: _sequential,
    layers.Residual: lambda module: Residual(
        describe(module.body), module.shortcut and describe(module.shortcut)
    ),
}


def describe(module: Any) -> Spec:
    """The spec of a native module, or of a bare function such as ``nnx.relu`` in a Sequential."""
    for name, function in FUNCTIONS.items():
        if module is function:
            return Activation(name)
    spec: Spec = find_reader(module, READERS, "__call__")(module)
    return spec


# ---------------------------------------------------------------- the adapter


@nnx.jit
def _run(module: Any, x: jax.Array) -> jax.Array:
    return module(x)


@nnx.jit
def _gradients(module: Any, x: jax.Array, cotangent: jax.Array) -> Any:
    def inner(module: Any, x: jax.Array) -> jax.Array:
        return jnp.vdot(module(x), cotangent)

    return nnx.grad(inner, argnums=(0, 1))(module, x)


class FlaxAdapter(Adapter):
    """``flax.nnx``, channels-last."""

    name = "flax"

    def devices(self) -> tuple[str, ...]:
        found = jax.devices()
        other = () if found[0].platform == "cpu" else found
        return ("cpu", *(f"{device.platform}:{device.id}" for device in other))

    def make(self, spec: Spec, weights: Weights | None, device: str, dtype: str) -> Any:
        kind = jnp.dtype(dtype)
        if dtype == "float64" and not jax.config.jax_enable_x64:
            raise UnsupportedError(
                "flax: JAX computes in float32 unless jax_enable_x64 is set: "
                "set JAX_ENABLE_X64=1 before the first import, or use float32"
            )
        with jax.default_device(self._device(device)):
            if weights is None:
                module = make(spec, kind, nnx.Rngs(0))
            else:  # shapes only: each initialiser would compile for every new shape
                module = nnx.eval_shape(lambda: make(spec, kind, nnx.Rngs(0)))
                for _, layer in nnx.iter_modules(module):
                    if isinstance(layer, nnx.Dropout):
                        layer.rngs = nnx.Rngs(0).dropout.fork()
                self.load(module, weights)
        module.eval()
        return module

    def describe(self, module: Any) -> Spec:
        return describe(module)

    def children(self, module: Any) -> dict[str, Any]:
        match module:
            case nnx.Sequential() | layers.Sequential():
                return _named_layers(module)
            case layers.SeparableConv():
                return {"depthwise": module.depthwise, "pointwise": module.pointwise}
            case layers.Residual():
                both = {"body": module.body, "shortcut": module.shortcut}
                return {name: child for name, child in both.items() if child is not None}
        return {}

    def own_slots(self, module: Any) -> dict[str, Slot]:
        kernel = SAME
        match module:
            case nnx.BatchNorm():
                return {
                    "scale": Slot(module.scale, SAME),
                    "offset": Slot(module.bias, SAME),
                    "mean": Slot(module.mean, SAME),
                    "variance": Slot(module.var, SAME),
                }
            case layers.DepthwiseConv():
                kernel = depthwise_as_grouped(module.depth_multiplier)
            case nnx.Conv() | nnx.Linear():
                pass
            case _:
                return {}
        slots = {"kernel": Slot(module.kernel, kernel)}
        return slots | {"bias": Slot(module.bias, SAME)} if module.use_bias else slots

    def read(self, variable: Any) -> np.ndarray:
        return self._out(variable.get_value())

    def write(self, variable: Any, array: np.ndarray) -> None:
        # a copy: on the CPU JAX may otherwise share memory with the caller's array
        variable.set_value(jnp.array(array, dtype=variable.dtype, copy=True))

    def forward(self, module: Any, x: np.ndarray) -> np.ndarray:
        return self._out(_run(module, self._in(module, x)))

    def backward(
        self, module: Any, x: np.ndarray, cotangent: np.ndarray
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        by_weight, by_x = _gradients(module, self._in(module, x), self._in(module, cotangent))
        # the gradients in the module's own structure: read like the weights they belong to
        graph, _, rest = nnx.split(module, nnx.Param, ...)
        twin = nnx.merge(graph, by_weight, rest)
        return self._out(by_x), {
            name: slot.layout.to_canonical(self.read(slot.variable))
            for name, slot in self.slots(twin).items()
            if isinstance(slot.variable, nnx.Param)
        }

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
        state = jax.tree.leaves(nnx.state(module, nnx.Param))
        if not state:  # a layer without weights runs where JAX puts it
            return jnp.asarray(array, dtype=jnp.float32)
        return jax.device_put(jnp.asarray(array, dtype=state[0].dtype), state[0].device)

    def _out(self, array: jax.Array) -> np.ndarray:
        if array.dtype == jnp.bfloat16:  # NumPy has none; float32 holds every one of them
            array = array.astype(jnp.float32)
        return np.array(array)
