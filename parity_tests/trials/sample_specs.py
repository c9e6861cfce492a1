"""How specs say torch's functions: the spec, the weights and the input of a call of each.

Each function here takes what torch's of its name takes. What has channels is moved channels last;
a function that knows none, such as softmax or pad, sees its values as they lie, behind a new batch
of 1.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import convparity as cp
from convparity.impls.errors import UnsupportedError
from convparity.impls.layouts import CHANNELS_FIRST


class Said(NamedTuple):
    """A call of a torch function, as a spec."""

    spec: cp.Spec
    weights: dict[str, np.ndarray]
    x: Any  # channels last, with a batch; a tuple where the spec takes several values
    canonical: Callable[[Any], Any]  # torch's own output, in the axes of the spec's
    dtype: str = "float32"


def array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def weights(**named: Tensor | None) -> dict[str, np.ndarray]:
    """The arrays of those that are there."""
    return {name: array(each) for name, each in named.items() if each is not None}


# ---------------------------------------------------------------- where values lie


def channels_last(tensor: Tensor, rank: int) -> tuple[np.ndarray, Callable[[Any], Any]]:
    """An image of (N, C, *spatial) or (C, *spatial), and the way for what becomes of it."""
    alone = tensor.ndim == rank + 1

    def moved(each: Tensor | tuple[Tensor, ...]) -> Any:
        if isinstance(each, tuple):
            return tuple(map(moved, each))
        return np.moveaxis(array(each[None] if alone else each), 1, -1)

    return moved(tensor), moved


def as_it_lies(tensor: Tensor) -> tuple[np.ndarray, Callable[[Any], Any]]:
    """All values behind a batch of 1; a single number is one feature."""

    def moved(each: Any) -> Any:
        if isinstance(each, tuple):
            return tuple(map(moved, each))
        return array(each).reshape(1, *(each.shape or (1,)))

    return moved(tensor), moved


def refuse(*why: object) -> None:
    raise UnsupportedError(" ".join(map(str, why)))


# ---------------------------------------------------------------- windows


def _kernel(weight: Tensor, bias: Tensor | None) -> dict[str, np.ndarray]:
    found = {"kernel": CHANNELS_FIRST.to_canonical(array(weight))}
    return found | weights(bias=bias)


def conv(rank: int) -> Callable[..., Said]:
    def said(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Said:
        x, moved = channels_last(input, rank)
        spec = cp.Conv(
            weight.shape[1] * groups,
            weight.shape[0],
            tuple(weight.shape[2:]),
            stride=each_axis(stride),
            padding=padding if isinstance(padding, str) else each_axis(padding),
            dilation=each_axis(dilation),
            groups=groups,
            bias=bias is not None,
            rank=rank,
        )
        return Said(spec, _kernel(weight, bias), x, moved)

    return said


def conv_transpose(rank: int) -> Callable[..., Said]:
    def said(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> Said:
        x, moved = channels_last(input, rank)
        spec = cp.ConvTranspose(
            weight.shape[0],
            weight.shape[1] * groups,
            tuple(weight.shape[2:]),
            stride=each_axis(stride),
            padding=each_axis(padding),
            output_padding=each_axis(output_padding),
            groups=groups,
            bias=bias is not None,
            dilation=each_axis(dilation),
            rank=rank,
        )
        return Said(spec, _kernel(weight, bias), x, moved)

    return said


def each_axis(value: Any) -> Any:
    """One int an axis; torch's tuple of one stands for all of them."""
    if isinstance(value, tuple | list):
        return value[0] if len(value) == 1 else tuple(value)
    return value


def avg_pool(rank: int) -> Callable[..., Said]:
    def said(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Said:
        x, moved = channels_last(input, rank)
        spec = cp.AvgPool(
            each_axis(kernel_size),
            each_axis(stride or None),
            each_axis(padding),
            count_include_pad=count_include_pad,
            rank=rank,
            ceil_mode=ceil_mode,
            divisor_override=divisor_override,
        )
        return Said(spec, {}, x, moved)

    return said


def max_pool(rank: int) -> Callable[..., Said]:
    def said(
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Said:
        x, moved = channels_last(input, rank)
        window = {
            "kernel_size": each_axis(kernel_size),
            "stride": each_axis(stride or None),
            "padding": each_axis(padding),
            "dilation": each_axis(dilation),
            "ceil_mode": ceil_mode,
            "rank": rank,
        }
        pool = cp.MaxPool(**window)
        if not return_indices:
            return Said(pool, {}, x, moved)
        nodes = {"largest": (pool, "x"), "places": (cp.MaxPoolIndices(**window), "x")}
        both = cp.Graph(nodes, outputs=("largest", "places"))

        def of_floats(made: Any) -> Any:
            largest, places = made
            return moved((largest, places.to(largest.dtype)))

        return Said(both, {}, x, of_floats)

    return said


# ---------------------------------------------------------------- norms


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Said:
    if training or running_mean is None or running_var is None:
        refuse("a batch norm by the statistics of the batch is training")
    spec = cp.BatchNorm(
        input.shape[1],
        eps=eps,
        rank=max(1, input.ndim - 2),
        scale=weight is not None,
        offset=bias is not None,
    )
    x, moved = channels_last(input, input.ndim - 2)
    named = weights(scale=weight, offset=bias, mean=running_mean, variance=running_var)
    return Said(spec, named, x, moved)


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Said:
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    spec = cp.InstanceNorm(
        input.shape[1], eps=eps, scale=weight is not None, offset=bias is not None
    )
    x, moved = channels_last(input, input.ndim - 2)
    return Said(spec, weights(scale=weight, offset=bias), x, moved)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Said:
    spec = cp.GroupNorm(
        num_groups, input.shape[1], eps=eps, scale=weight is not None, offset=bias is not None
    )
    x, moved = channels_last(input, input.ndim - 2)
    return Said(spec, weights(scale=weight, offset=bias), x, moved)


def layer_norm(
    input: Tensor,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Said:
    sizes = tuple(normalized_shape)
    spec = cp.LayerNorm(
        sizes,
        eps=eps,
        axes=tuple(range(-len(sizes), 0)),
        scale=weight is not None,
        offset=bias is not None,
    )
    x, moved = as_it_lies(input)
    return Said(spec, weights(scale=weight, offset=bias), x, moved)


# ---------------------------------------------------------------- sizes, borders


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Said:
    rank = input.ndim - 2
    x, moved = channels_last(input, rank)
    if scale_factor is not None and recompute_scale_factor:  # then it says the size alone
        factors = np.broadcast_to(scale_factor, rank)
        size = [int(n * by) for n, by in zip(input.shape[2:], factors, strict=True)]
        scale_factor = None
    spec = cp.Resize(
        size=None if size is None else each_axis(size),
        scale=None if scale_factor is None else each_axis(scale_factor),
        method=mode,
        align_corners=bool(align_corners),
        rank=rank,
        antialias=antialias,
    )
    return Said(spec, {}, x, moved)


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Said:
    """The last axes that it pads are the spatial ones, of one channel; those before, the batch."""
    pairs = [tuple(pad[i : i + 2]) for i in range(0, len(pad), 2)][::-1]
    padded = len(pairs)
    batch, sizes = input.shape[: input.ndim - padded], input.shape[input.ndim - padded :]
    spec = cp.Pad(
        pairs,
        mode={"constant": "zeros"}.get(mode, mode),  # type: ignore[arg-type]
        value=value or 0.0,
    )

    def moved(each: Tensor) -> Any:
        return array(each).reshape(math.prod(batch), *each.shape[len(batch) :], 1)

    return Said(spec, {}, array(input).reshape(math.prod(batch), *sizes, 1), moved)


# ---------------------------------------------------------------- functions of each value


def softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Said:
    return _softmax("softmax", input, dim, dtype)


def log_softmax(input: Tensor, dim: int, dtype: torch.dtype | None = None) -> Said:
    return _softmax("log_softmax", input, dim, dtype)


def _softmax(function: Any, input: Tensor, dim: int, dtype: torch.dtype | None) -> Said:
    x, moved = as_it_lies(input)
    axis = dim % max(input.ndim, 1) - x.ndim + 1
    spec = cp.Activation(function, axis=axis)
    if dtype is None:
        return Said(spec, {}, x, moved)
    name = str(dtype).removeprefix("torch.")
    return Said(spec, {}, x.astype(name), moved, name)


def function(name: Any, alpha: str | None = None, **only: object) -> Callable[..., Said]:
    """A function without parameters, or with one number, called ``alpha`` there."""

    def said(input: Tensor, *given: float, **how: Any) -> Said:
        how |= dict(zip([alpha] if alpha else [], given, strict=False))
        how = {key: value for key, value in how.items() if key != "inplace"}
        number = {} if alpha is None or alpha not in how else {"alpha": how.pop(alpha)}
        for key, value in how.items():
            if key not in only or only[key] != value:
                refuse(f"{key}={value}")
        x, moved = as_it_lies(input)
        return Said(cp.Activation(name, **number), {}, x, moved)

    return said


def gelu(input: Tensor, *, approximate: str = "none") -> Said:
    return function("gelu" if approximate == "none" else "gelu_tanh")(input)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Said:
    if threshold < 20:
        refuse(f"beyond {threshold}, the threshold, it is no softplus")
    return function("softplus", "beta")(input, beta=beta)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Said:
    x, moved = as_it_lies(input)
    return Said(cp.Clamp(min_val, max_val), {}, x, moved)


def prelu(input: Tensor, weight: Tensor) -> Said:
    if input.ndim < 2:
        x, moved = as_it_lies(input)
    else:
        x, moved = channels_last(input, input.ndim - 2)
    slopes = weight.reshape(-1)
    return Said(cp.PReLU(len(slopes)), {"slope": array(slopes)}, x, moved)


SPECS: dict[str, Callable[..., Said]] = {
    **{f"conv{rank}d": conv(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": conv_transpose(rank) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": avg_pool(rank) for rank in (1, 2, 3)},
    **{f"max_pool{rank}d": max_pool(rank) for rank in (1, 2, 3)},
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "instance_norm": instance_norm,
    "interpolate": interpolate,
    "pad": pad,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "relu": function("relu"),
    "relu6": function("relu6"),
    "leaky_relu": function("leaky_relu", "negative_slope"),
    "elu": function("elu", "alpha"),
    "celu": function("celu", "alpha"),
    "selu": function("selu"),
    "silu": function("silu"),
    "mish": function("mish"),
    "gelu": gelu,
    "hardsigmoid": function("hard_sigmoid"),
    "hardswish": function("hard_swish"),
    "hardtanh": hardtanh,
    "softplus": softplus,
    "logsigmoid": function("log_sigmoid"),
    "softsign": function("softsign"),
    "softshrink": function("soft_shrink", "lambd"),
    "hardshrink": function("hard_shrink", "lambd"),
    "tanhshrink": function("tanhshrink"),
    "prelu": prelu,
    "tanh": function("tanh"),
    "sigmoid": function("sigmoid"),
}


def said(op: str, input: Tensor, *args: Any, **how: Any) -> Said:
    """A call of a torch function as a spec; a ``ConvparityError`` where none says it."""
    if not input.numel():
        refuse("an input without a value")
    return SPECS[op](input, *args, **how)
