"""Raw operations of ``keras.ops``, and Python's operators, in Functional models: as specs.

Keras has no public names for their classes; each is known by that of its class.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras.src.activations import activations
from keras.src.ops import nn
from keras.src.ops import numpy as arrays

from convparity.impls.adapter import find_reader
from convparity.impls.errors import quoted
from convparity.impls.keras.rows.arithmetic import numbers
from convparity.impls.keras.rows.common import refused
from convparity.impls.keras.rows.movement import permuted, reshaped
from convparity.impls.spec import (
    Activation,
    Add,
    Clamp,
    Concat,
    Divide,
    Maximum,
    Minimum,
    Multiply,
    Pad,
    Power,
    Reduce,
    Rescale,
    Slice,
    Spec,
    Subtract,
)

Number = float | tuple[float, ...]
MODES: dict[str, Any] = {"constant": "zeros", "reflect": "reflect"}


def describe_operation(operation: Any) -> Spec:
    """The spec of a raw operation, as the model calls it."""
    if not any(each in READERS for each in type(operation).__mro__):
        raise refused(operation, "no spec says what this operation of keras.ops computes")
    spec: Spec = find_reader(operation, READERS, "call")(operation)
    return spec


def _operands(operation: Any) -> list[Any]:
    asked = operation._inbound_nodes[0].arguments
    return [*asked.args, *asked.kwargs.values()]


def _is_computed(value: Any) -> bool:
    return isinstance(value, keras.KerasTensor)


def _constant(operation: Any, value: Any) -> Number:
    """A number that it is given, or one a channel, which stands for itself in every run."""
    if isinstance(value, keras.Variable):
        raise refused(
            operation,
            f"it takes the variable {quoted(value.name)}, which is no layer's: let a layer hold it",
        )
    (x, *_) = operation._inbound_nodes[0].input_tensors
    array = keras.ops.convert_to_numpy(value)
    found: Number = numbers(operation, array)
    if array.ndim > len(x.shape) or (isinstance(found, tuple) and len(found) != x.shape[-1]):
        raise refused(
            operation,
            f"it takes numbers of shape {quoted(array.shape)} beside a value of {x.shape}: a spec "
            "has one, or one a channel",
        )
    return found


def _each(function: Callable[[float], float], value: Number) -> Number:
    return tuple(map(function, value)) if isinstance(value, tuple) else function(value)


def _of_two(
    join: type[Spec],
    with_number: Callable[[Any, Number], Spec],
    number_first: Callable[[Any, Number], Spec] | None = None,
) -> Callable[[Any], Spec]:
    """The reader of what takes two values, or a value and a number."""

    def read(operation: Any) -> Spec:
        first, second = _operands(operation)
        if _is_computed(first) and _is_computed(second):
            return join()
        if _is_computed(first):
            return with_number(operation, _constant(operation, second))
        return (number_first or with_number)(operation, _constant(operation, first))

    return read


def _one(operation: Any, value: Number) -> float:
    if isinstance(value, tuple):
        raise refused(operation, "it takes one number a channel, and a spec has one here")
    return value


def _divided(operation: Any, value: Number) -> Spec:
    if 0.0 in (value if isinstance(value, tuple) else (value,)):
        raise refused(operation, "it divides by 0")
    return Rescale(_each(lambda number: 1 / number, value))


def _reciprocal(operation: Any, value: Number) -> Spec:
    if value != 1.0:
        raise refused(operation, "it divides a number by a value: divide 1 by it, then multiply")
    return Power(-1.0)


def _power(operation: Any) -> Spec:
    first, second = _operands(operation)
    if not _is_computed(first) or _is_computed(second):
        raise refused(operation, "its exponent is no number")
    exponent = _one(operation, _constant(operation, second))
    if exponent.is_integer():
        raise refused(
            operation,
            f"it takes its value to the power of {exponent:g} by a library's function, which "
            "rounds more than products do: multiply, or use ops.square",
        )
    return Power(exponent)


def _clamp(operation: Any) -> Spec:
    low, high = (
        None if each is None else _one(operation, _constant(operation, each))
        for each in (operation.x_min, operation.x_max)
    )
    return Clamp(low, high)


def _axes(operation: Any, axes: Any) -> list[int]:
    """Axes as a spec says them: that of the channels is -1."""
    n = len(operation._inbound_nodes[0].input_tensors[0].shape)
    if axes is None:
        raise refused(operation, "it is over all axes, the batch too: name the axes")
    given = axes if isinstance(axes, list | tuple) else [axes]
    return [-1 if axis % n == n - 1 else axis % n for axis in given]


def _reduce(function: Any) -> Callable[[Any], Spec]:
    def read(operation: Any) -> Spec:
        if getattr(operation, "initial", None) is not None:
            raise refused(operation, "it begins with an initial value")
        return Reduce(function, _axes(operation, operation.axis), keepdims=operation.keepdims)

    return read


def _along(function: Any) -> Callable[[Any], Spec]:
    def read(operation: Any) -> Spec:
        (axis,) = _axes(operation, operation.axis)
        return Activation(function, axis=axis)

    return read


def _activation(function: Any, attribute: str | None = None) -> Callable[[Any], Spec]:
    def read(operation: Any) -> Spec:
        return Activation(function, None if attribute is None else getattr(operation, attribute))

    return read


def _relu(operation: Any) -> Spec:
    """That of ``keras.activations.relu``, which has a slope and limits."""
    slope, limit, threshold = (
        getattr(operation, name) for name in ("negative_slope", "max_value", "threshold")
    )
    if threshold or (slope and limit is not None):
        raise refused(operation, f"no spec has its slope {slope}, limit {limit}, from {threshold}")
    if slope:
        return Activation("leaky_relu", slope)
    return Activation("relu") if limit is None else Clamp(0.0, limit)


def _transposed(operation: Any) -> Sequence[int]:
    n = len(operation.input.shape)
    order = range(n - 1, -1, -1) if operation.axes is None else operation.axes
    return [axis % n for axis in order]


def _swapped(operation: Any) -> Sequence[int]:
    n = len(operation.input.shape)
    order = list(range(n))
    one, other = operation.axis1 % n, operation.axis2 % n
    order[one], order[other] = other, one
    return order


def _moved(operation: Any) -> Sequence[int]:
    n = len(operation.input.shape)
    source, places = (
        [axis % n for axis in each] for each in (operation.source, operation.destination)
    )
    order = [axis for axis in range(n) if axis not in source]
    for place, axis in sorted(zip(places, source, strict=True)):
        order.insert(place, axis)
    return order


def _item(operation: Any) -> Spec:
    """One range of one axis."""
    _, key = _operands(operation)
    key = list(key) if isinstance(key, list | tuple) else [key]
    n = len(operation.input.shape)
    if ... in key:
        at = key.index(...)
        key[at : at + 1] = [slice(None)] * (n - len(key) + 1)
    ranges = {at: each for at, each in enumerate(key) if each != slice(None)}
    whole = [each for each in ranges.values() if not isinstance(each, slice)]
    if whole or len(ranges) != 1:
        raise refused(
            operation, "a spec takes one range of one axis: index one axis, as x[..., a:b]"
        )
    ((axis, taken),) = ranges.items()
    (at,) = _axes(operation, axis)
    return Slice(at, taken.start or 0, taken.stop, 1 if taken.step is None else taken.step)


def _pad(operation: Any) -> Spec:
    pairs = list(operation.pad_width)
    if len(pairs) == 1:  # of every axis
        pairs *= len(operation.input.shape)
    batch, *pixels, channels = [tuple(pair) for pair in pairs]
    if batch != (0, 0) or operation.mode not in MODES:
        raise refused(operation, f"no spec pads the batch, or by mode={quoted(operation.mode)}")
    values = [each for each in _operands(operation)[1:] if each is not None]
    fill = _one(operation, _constant(operation, values[0])) if values else 0.0
    return Pad(pixels, MODES[operation.mode], fill, channels)


def _named(page: Any, readers: dict[str, Callable[[Any], Spec]]) -> dict[type, Any]:
    """The readers of the classes that this release of Keras has."""
    return {getattr(page, name): each for name, each in readers.items() if hasattr(page, name)}


_add = _of_two(Add, lambda _, c: Rescale(1.0, c))
_subtract = _of_two(
    Subtract,
    lambda _, c: Rescale(1.0, _each(lambda number: -number, c)),
    lambda _, c: Rescale(-1.0, c),
)
_divide = _of_two(Divide, _divided, _reciprocal)

READERS: dict[type, Callable[[Any], Spec]] = {
    **_named(
        arrays,
        {
            "Add": _add,
            "Subtract": _subtract,
            "Multiply": _of_two(Multiply, lambda _, c: Rescale(c)),
            "Divide": _divide,
            "TrueDivide": _divide,
            "Maximum": _of_two(Maximum, lambda op, c: Clamp(low=_one(op, c))),
            "Minimum": _of_two(Minimum, lambda op, c: Clamp(high=_one(op, c))),
            "Negative": lambda _: Rescale(-1.0),
            "Power": _power,
            "Square": lambda _: Power(2.0),
            "Reciprocal": lambda _: Power(-1.0),
            "Clip": _clamp,
            "Absolute": _activation("abs"),
            "Abs": _activation("abs"),
            "Tanh": _activation("tanh"),
            "Concatenate": lambda op: Concat(_axes(op, op.axis)[0]),
            "Mean": _reduce("mean"),
            "Sum": _reduce("sum"),
            "Max": _reduce("max"),
            "Amax": _reduce("max"),
            "Min": _reduce("min"),
            "Amin": _reduce("min"),
            "Var": _reduce("var"),
            "Std": _reduce("std"),
            "Reshape": lambda op: reshaped(op, op.input.shape, op.output.shape),
            "Squeeze": lambda op: reshaped(op, op.input.shape, op.output.shape),
            "ExpandDims": lambda op: reshaped(op, op.input.shape, op.output.shape),
            "Transpose": lambda op: permuted(op, _transposed(op)),
            "Swapaxes": lambda op: permuted(op, _swapped(op)),
            "Moveaxis": lambda op: permuted(op, _moved(op)),
            "GetItem": _item,
            "Pad": _pad,
        },
    ),
    **_named(
        nn,
        {
            "Relu": _activation("relu"),
            "Relu6": _activation("relu6"),
            "Sigmoid": _activation("sigmoid"),
            "Softplus": _activation("softplus"),
            "Softsign": _activation("softsign"),
            "SoftShrink": _activation("soft_shrink", "threshold"),
            "HardShrink": _activation("hard_shrink", "threshold"),
            "TanhShrink": _activation("tanhshrink"),
            "Silu": _activation("silu"),
            "LogSigmoid": _activation("log_sigmoid"),
            "LeakyRelu": _activation("leaky_relu", "negative_slope"),
            "HardSigmoid": _activation("hard_sigmoid"),
            "HardSilu": _activation("hard_swish"),
            "Elu": _activation("elu", "alpha"),
            "Selu": _activation("selu"),
            "Celu": _activation("celu", "alpha"),
            "Gelu": lambda op: Activation("gelu_tanh" if op.approximate else "gelu"),
            "HardTanh": lambda _: Clamp(-1.0, 1.0),
            "Softmax": _along("softmax"),
            "LogSoftmax": _along("log_softmax"),
        },
    ),
    **_named(activations, {"ReLU": _relu}),
}
