"""A second meaning of every layer, which shares no code with ``impls`` but the specs.

It has its own padding arithmetic (TensorFlow's documented formula), lets SciPy correlate each pair
of channels, dilates by putting zeros into the kernel, strides by slicing, takes its elementary
functions from SciPy, and loops over everything else.
"""

import re
from fractions import Fraction
from itertools import product
from math import copysign, exp, floor, fsum, inf, log, nan, prod
from typing import Any

import numpy as np
from scipy import special
from scipy.signal import correlate

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Residual,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Sequential,
    Slice,
    Spec,
    Subtract,
)
from convparity.impls.spec import Join


def oracle(spec: Spec, weights: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    match spec:
        case Conv():
            y = convolved(spec, weights["kernel"], spec.groups, x)
            return y + weights["bias"] if spec.bias else y
        case DepthwiseConv():
            y = convolved(spec, one_group_a_channel(weights["kernel"]), spec.in_channels, x)
            return y + weights["bias"] if spec.bias else y
        case ConvTranspose():
            y = spread(spec, weights["kernel"], x)
            return y + weights["bias"] if spec.bias else y
        case SeparableConv():
            kernel = one_group_a_channel(weights["depthwise.kernel"])
            y = convolved(spec, kernel, spec.in_channels, x)
            if spec.depthwise_bias:
                y = y + weights["depthwise.bias"]
            y = matmul(y, weights["pointwise.kernel"].reshape(y.shape[-1], -1))
            return y + weights["pointwise.bias"] if spec.pointwise_bias else y
        case Dense():
            y = matmul(x, weights["kernel"])
            return y + weights["bias"] if spec.bias else y
        case BatchNorm():
            y = np.empty(x.shape)
            for c in range(x.shape[-1]):
                mean, variance = float(weights["mean"][c]), float(weights["variance"][c])
                y[..., c] = (x[..., c] - mean) / (variance + spec.eps) ** 0.5
            return with_parameters(y, weights, [-1])
        case LayerNorm() | RMSNorm():
            axes = [spec.axes] if isinstance(spec.axes, int) else [*spec.axes]
            last = range(-len(axes), 0)
            moved = np.moveaxis(x, axes, last)
            y = np.empty(moved.shape)
            for place in np.ndindex(*moved.shape[: -len(axes)]):
                y[place] = standardised(moved[place], spec.eps, isinstance(spec, LayerNorm))
            return with_parameters(np.moveaxis(y, last, axes), weights, axes)
        case GroupNorm():
            y = np.empty(x.shape)
            each = spec.num_features // spec.num_groups
            for n, first in product(range(len(x)), range(0, spec.num_features, each)):
                group = (n, ..., slice(first, first + each))
                y[group] = standardised(x[group], spec.eps)
            return with_parameters(y, weights, [-1])
        case InstanceNorm():
            y = np.empty(x.shape)
            for n, c in product(range(len(x)), range(x.shape[-1])):
                y[n, ..., c] = standardised(x[n, ..., c], spec.eps)
            return with_parameters(y, weights, [-1])
        case Scale():
            factors = [float(factor) for factor in weights["scale"]]
            return np.stack([x[..., c] * factor for c, factor in enumerate(factors)], axis=-1)
        case Activation():
            return activated(spec, x.astype(float))
        case MaxPool() | MaxPoolIndices() | AvgPool():
            return pooled(spec, x)
        case Dropout() | Identity():
            return x
        case Clamp(low=low, high=high):
            least = -np.inf if low is None else low
            most = np.inf if high is None else high
            return np.array([sorted((least, v, most))[1] for v in x.flat], float).reshape(x.shape)
        case PReLU():
            slopes = [float(slope) for slope in weights["slope"]] * x.shape[-1]
            parts = [x[..., c] * np.where(x[..., c] < 0, slopes[c], 1) for c in range(x.shape[-1])]
            return np.stack(parts, axis=-1)
        case AdaptiveAvgPool():
            return adapted(spec, x, lambda seen: fsum(seen) / len(seen))
        case AdaptiveMaxPool():
            return adapted(spec, x, max)
        case Resize():
            return resized(spec, x)
        case GlobalMaxPool():
            largest = np.full((len(x), x.shape[-1]), -np.inf)
            for n, *_, c in np.ndindex(*x.shape):
                largest[n, c] = max(float(seen) for seen in x[n, ..., c].flat)
            return largest
        case GlobalAvgPool():
            batch, *spatial, channels = x.shape
            total = np.zeros((batch, channels))
            for pixel in product(*map(range, spatial)):
                total += x[(slice(None), *pixel)]
            return total / np.prod(spatial)
        case Flatten():  # the last axis runs fastest: channels, then W, then H
            indices = list(product(*map(range, x.shape[1:])))
            return np.array([[sample[index] for index in indices] for sample in x])
        case Slice():
            return sliced(spec, x)
        case Pad():
            return padded(spec, x.astype(float))
        case Rearrange():
            return rearranged(spec, x)
        case Rescale(scale=scale, offset=offset):
            channels = range(x.shape[-1])
            factor, more = (each if isinstance(each, tuple) else None for each in (scale, offset))
            parts = [
                x[..., c] * (factor[c] if factor else scale) + (more[c] if more else offset)
                for c in channels
            ]
            return np.stack(parts, axis=-1)
        case Reduce():
            return reduced(spec, x.astype(float))
        case Power(exponent=exponent):
            return np.vectorize(lambda each: powered(each, exponent), otypes=[float])(x)
        case Sequential():
            for name, child in spec.layers:
                x = oracle(child, inside(weights, name), x)
            return x
        case Residual():
            across = x
            if spec.shortcut is not None:
                across = oracle(spec.shortcut, inside(weights, "shortcut"), x)
            return oracle(spec.body, inside(weights, "body"), x) + across
        case Graph(
            outputs=str(last)
        ):  # of one value: ``parity_tests/core/test_graph.py`` has others
            values = {spec.inputs[0]: x}
            for name, node, inputs, child in spec.nodes:
                taken = [values[each] for each in inputs]
                own = inside(weights, str(child))
                joins = isinstance(node, Join)
                values[name] = joined(node, taken) if joins else oracle(node, own, taken[0])
            return values[last]
    raise AssertionError(f"the oracle does not know {spec}")


def joined(spec: Join, values: list[np.ndarray]) -> np.ndarray:
    match spec:
        case Add():
            return sum(values[1:], values[0])
        case Subtract():
            return values[0] - values[1]
        case Multiply():
            return prod(values[1:], start=values[0])
        case Concat():
            return np.concatenate(values, spec.axis)
        case Einsum():
            return summed(spec, *values)
        case Divide():
            return np.vectorize(quotient, otypes=[float])(*values)
        case Maximum() | Minimum():
            best = max if isinstance(spec, Maximum) else min
            return np.vectorize(lambda *each: best(each), otypes=[float])(*values)
        case Average():
            return np.vectorize(lambda *each: fsum(each) / len(each), otypes=[float])(*values)
    raise AssertionError(f"the oracle does not know {spec}")


def summed(spec: Einsum, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every place of all axes at once: one product each."""
    first, second, result = (side.split() for side in re.split(",|->", spec.pattern))
    sizes = dict(zip([*first, *second], [*a.shape, *b.shape], strict=True))
    y = np.zeros([sizes[name] for name in result])
    for place in product(*map(range, sizes.values())):
        at = dict(zip(sizes, place, strict=True))
        one, other = (tuple(at[name] for name in axes) for axes in (first, second))
        y[tuple(at[name] for name in result)] += float(a[one]) * float(b[other])
    return y


def reduced(spec: Reduce, x: np.ndarray) -> np.ndarray:
    """Place by place, of a list of numbers each."""
    gone = {axis if axis > 0 else x.ndim + axis for axis in spec.axes}
    y = np.empty([1 if i in gone else n for i, n in enumerate(x.shape)])
    for place in np.ndindex(*y.shape):
        seen = [slice(None) if i in gone else at for i, at in enumerate(place)]
        numbers = x[tuple(seen)].ravel().tolist()
        mean = fsum(numbers) / len(numbers)
        variance = fsum((each - mean) ** 2 for each in numbers) / max(
            len(numbers) - spec.correction, 1
        )
        y[place] = {
            "mean": mean,
            "sum": fsum(numbers),
            "max": max(numbers),
            "min": min(numbers),
            "var": variance,
            "std": variance**0.5,
            "norm": fsum(each * each for each in numbers) ** 0.5,
            "norm1": fsum(map(abs, numbers)),
        }[spec.function]
    return y if spec.keepdims else y[tuple(0 if i in gone else slice(None) for i in range(x.ndim))]


def quotient(a: float, b: float) -> float:
    """As IEEE 754 has it where ``b`` is 0."""
    if b:
        return a / b
    return copysign(inf, a) * copysign(1, b) if a else nan


def powered(x: float, exponent: float) -> float:
    """Of a whole exponent by fractions, which never round."""
    if exponent == int(exponent):
        if x == 0 and exponent < 0:
            return copysign(inf, x) if exponent % 2 else inf
        return float(Fraction(float(x)) ** int(exponent))
    if x < 0:
        return nan
    return exp(exponent * log(x)) if x else 0.0 if exponent > 0 else inf


def inside(weights: dict[str, np.ndarray], child: str) -> dict[str, np.ndarray]:
    return {
        name[len(child) + 1 :]: array
        for name, array in weights.items()
        if name.split(".")[0] == child
    }


def matmul(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Over the last axis, term by term."""
    y = np.zeros((*x.shape[:-1], kernel.shape[-1]))
    for i, o in np.ndindex(*kernel.shape):
        y[..., o] += x[..., i] * float(kernel[i, o])
    return y


def one_group_a_channel(kernel: np.ndarray) -> np.ndarray:
    """(*k, C, M) to (*k, 1, C * M)."""
    channels, multiplier = kernel.shape[-2:]
    filters = [kernel[..., [c], m] for c in range(channels) for m in range(multiplier)]
    return np.stack(filters, axis=-1)


def convolved(spec: Any, kernel: np.ndarray, groups: int, x: np.ndarray) -> np.ndarray:
    """``kernel`` is (*k, in/groups, out)."""
    every = tuple(slice(None, None, step) for step in spec.stride)
    dilated = np.zeros(
        [(k - 1) * d + 1 for k, d in zip(spec.kernel_size, spec.dilation, strict=True)]
        + list(kernel.shape[-2:])
    )
    dilated[tuple(slice(None, None, step) for step in spec.dilation)] = kernel
    padded = x.astype(float)
    for axis, size in enumerate(x.shape[1:-1]):
        low, high = pads(spec, axis, size)
        padded = lengthened(padded, axis + 1, low, high, spec.padding_mode)
    taken, made = kernel.shape[-2], kernel.shape[-1] // groups
    samples = []
    for sample in padded:
        channels = []
        for out in range(groups * made):
            first = out // made * taken  # of the channels that this output's group takes
            dense = sum(
                correlate(sample[..., first + i], dilated[..., i, out], "valid", "direct")
                for i in range(taken)
            )
            channels.append(dense[every])
        samples.append(np.stack(channels, axis=-1))
    return np.stack(samples)


def pads(spec: Any, axis: int, size: int) -> tuple[int, int]:
    """https://www.tensorflow.org/api_docs/python/tf/nn, "Notes on padding"."""
    stride, filter_size = spec.stride[axis], spec.kernel_size[axis]
    filter_size += (filter_size - 1) * (spec.dilation[axis] - 1)
    match spec.padding:
        case "valid":
            return 0, 0
        case "causal":  # no output sees a later input
            return filter_size - 1, 0
        case "same":
            rest = size % stride
            total = max(filter_size - (rest or stride), 0)
            return total // 2, total - total // 2
    return spec.padding[axis]


def lengthened(x: np.ndarray, axis: int, low: int, high: int, mode: str) -> np.ndarray:
    """``x`` with ``low`` and ``high`` more entries along ``axis``, each looked up in ``x``."""
    n = x.shape[axis]
    entries = []
    for place in range(-low, n + high):
        match mode:
            case "reflect":  # there and back again, the borders once each
                source = place % max(2 * n - 2, 1)
                source = min(source, 2 * n - 2 - source)
            case "circular":
                source = place % n
            case _:
                source = min(max(place, 0), n - 1)
        entry = np.take(x, source, axis)
        entries.append(0 * entry if mode == "zeros" and source != place else entry)
    return np.stack(entries, axis)


def spread(spec: ConvTranspose, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Each pixel meets each tap, and lands where the convolution would have seen it from.

    ``kernel`` is (*k, out/groups, in).
    """
    low, sizes = [], []
    for axis, n in enumerate(x.shape[1:-1]):
        stride = spec.stride[axis]
        extent = (spec.kernel_size[axis] - 1) * spec.dilation[axis] + 1
        if spec.padding == "same":  # the pads of the convolution of n * stride pixels to n
            low.append(pads(spec, axis, n * stride)[0])
            sizes.append(n * stride)
        else:
            first, last = (0, 0) if spec.padding == "valid" else spec.padding[axis]
            low.append(first)
            sizes.append((n - 1) * stride + extent + spec.output_padding[axis] - first - last)
    y = np.zeros((len(x), *sizes, spec.out_channels))
    made, taken = kernel.shape[-2], kernel.shape[-1] // spec.groups
    for pixel, tap in product(np.ndindex(*x.shape[1:-1]), np.ndindex(*spec.kernel_size)):
        at = tuple(
            p * s + t * d - first
            for p, s, t, d, first in zip(pixel, spec.stride, tap, spec.dilation, low, strict=True)
        )
        if not all(0 <= place < size for place, size in zip(at, sizes, strict=True)):
            continue
        for i, o in product(range(spec.in_channels), range(made)):
            to = i // taken * made + o  # outputs of the group that the input is in
            y[(slice(None), *at, to)] += x[(slice(None), *pixel, i)] * float(kernel[(*tap, o, i)])
    return y


def pooled(spec: Any, x: np.ndarray) -> np.ndarray:
    """The largest, its place, or the mean of what each window sees; padding holds none."""
    windows = []  # for each axis, the places that each output sees
    counted = []  # and how many of its places lie in the image or its padding
    for axis, n in enumerate(x.shape[1:-1]):
        k, stride = spec.kernel_size[axis], spec.stride[axis]
        step = 1 if isinstance(spec, AvgPool) else spec.dilation[axis]
        reach = (k - 1) * step + 1
        match spec.padding:
            case "valid":
                low, high = 0, 0
            case "same":
                total = max(reach - (n % stride or stride), 0)
                low, high = total // 2, total - total // 2
            case _:
                low, high = spec.padding[axis]
        starts = [*range(-low, n + high - reach + 1, stride)]
        left = n + high > starts[-1] + reach  # are there places behind the last window?
        if spec.ceil_mode and left and starts[-1] + stride < n:
            starts.append(starts[-1] + stride)
        seen = [range(start, start + reach, step) for start in starts]
        windows.append([[p for p in each if 0 <= p < n] for each in seen])
        counted.append([sum(-low <= p < n + high for p in each) for each in seen])
    y = np.empty((len(x), *map(len, windows), x.shape[-1]))
    for n, *at, c in np.ndindex(*y.shape):
        places = [*product(*(axis[i] for axis, i in zip(windows, at, strict=True)))]
        values = [float(x[(n, *place, c)]) for place in places]
        if isinstance(spec, MaxPoolIndices):
            first = places[values.index(max(values))]
            y[(n, *at, c)] = int(np.ravel_multi_index(first, x.shape[1:-1]))
            continue
        if isinstance(spec, MaxPool):
            y[(n, *at, c)] = max(values)
            continue
        all_of_them = prod(axis[i] for axis, i in zip(counted, at, strict=True))
        number = all_of_them if spec.count_include_pad else len(values)
        y[(n, *at, c)] = fsum(values) / (spec.divisor_override or number)
    return y


def adapted(spec: Any, x: np.ndarray, together: Any) -> np.ndarray:
    """``together`` of the pixels that lie in each place's share of the image, even in part."""
    windows = [
        [[p for p in range(n) if p < (at + 1) * n / m and p + 1 > at * n / m] for at in range(m)]
        for n, m in zip(x.shape[1:-1], spec.output_size, strict=True)
    ]
    y = np.empty((len(x), *spec.output_size, x.shape[-1]))
    for n, *at, c in np.ndindex(*y.shape):
        places = product(*(axis[i] for axis, i in zip(windows, at, strict=True)))
        y[(n, *at, c)] = together([float(x[(n, *place, c)]) for place in places])
    return y


def sliced(spec: Slice, x: np.ndarray) -> np.ndarray:
    """Entry by entry, with the places of the ends worked out."""
    axis = spec.axis if spec.axis > 0 else x.ndim + spec.axis
    n = x.shape[axis]
    first = spec.start + n if spec.start < 0 else spec.start
    end = n if spec.stop is None else spec.stop + n if spec.stop < 0 else spec.stop
    kept = [i for i in range(n) if first <= i < end and (i - max(first, 0)) % spec.step == 0]
    return np.stack([x.take(i, axis) for i in kept], axis)


def padded(spec: Pad, x: np.ndarray) -> np.ndarray:
    """Axis by axis: some entries fewer, then others looked up, or all of one value."""
    for axis, (low, high) in enumerate((*spec.pads, spec.channels), 1):
        x = np.stack(
            [x.take(i, axis) for i in range(-min(low, 0), x.shape[axis] + min(high, 0))], axis
        )
        low, high, n = max(low, 0), max(high, 0), x.shape[axis]
        x = lengthened(x, axis, low, high, spec.mode)
        if spec.mode == "zeros":
            np.moveaxis(x, axis, 0)[:low] = np.moveaxis(x, axis, 0)[low + n :] = spec.value
    return x


def rearranged(spec: Rearrange, x: np.ndarray) -> np.ndarray:
    """Value by value: the counters of all factors say where each comes from, and where it goes.

    The place on an axis with the factors a, b, c is ``(a * B + b) * C + c``.
    """
    before, after = (
        [word.strip("()").split() for word in re.findall(r"\(.*?\)|\S+", side)]
        for side in spec.pattern.split("->")
    )
    if ["..."] in before:
        dots = [f"dot{i}" for i in range(x.ndim - len(before) + 1)]
        at = before.index(["..."])
        before[at : at + 1] = [[dot] for dot in dots]
        if ["..."] in after:
            at = after.index(["..."])
            after[at : at + 1] = [[dot] for dot in dots]
        after = [
            [name for each in axis for name in (dots if each == "..." else [each])]
            for axis in after
        ]
    sizes = {"1": 1, **dict(spec.sizes)}
    for axis, whole in zip(before, x.shape, strict=True):
        for name in axis:
            if name not in sizes:
                others = [sizes[other] for other in axis if other != name]
                sizes[name] = whole // int(np.prod(others))

    def place(axes: list[list[str]], counters: dict[str, int]) -> tuple[int, ...]:
        at = []
        for axis in axes:
            found = 0
            for name in axis:
                found = found * sizes[name] + counters[name]
            at.append(found)
        return tuple(at)

    y = np.empty([int(np.prod([sizes[name] for name in axis])) for axis in after], x.dtype)
    for values in product(*(range(size) for size in sizes.values())):
        counters = dict(zip(sizes, values, strict=True))
        y[place(after, counters)] = x[place(before, counters)]
    return y


def resized(spec: Resize, x: np.ndarray) -> np.ndarray:
    """Each place's position in the input as a fraction, then the shares of the pixels there."""
    for axis in range(spec.rank):
        n = x.shape[axis + 1]
        by = None if spec.scale is None else spec.scale[axis]
        m = spec.size[axis] if by is None else int(n * by)
        parts = []
        for place in range(m):
            shares = pixels_of(spec, place, n, m, by if isinstance(by, float) else None)
            parts.append(sum(share * np.take(x, j, axis + 1) for j, share in shares))
        x = np.stack(parts, axis + 1)
    return x


def with_parameters(y: np.ndarray, weights: dict[str, np.ndarray], axes: list[int]) -> np.ndarray:
    """Times the scale and plus the offset of a norm, which lie along these axes, if it has them."""
    moved = np.moveaxis(y, axes, range(-len(axes), 0))
    if "scale" in weights:
        moved = moved * weights["scale"].astype(float)
    if "offset" in weights:
        moved = moved + weights["offset"].astype(float)
    return np.moveaxis(moved, range(-len(axes), 0), axes)


def pixels_of(spec: Resize, place: int, n: int, m: int, by: Any) -> list[tuple[int, float]]:
    """The pixels that one place is made of, and the share of each."""
    middle = place + Fraction(1, 2)
    step = Fraction(n, m)
    if by is not None and not (m == n and (spec.method == "linear" or spec.antialias)):
        step = 1 / Fraction(by)
    if spec.method.startswith("nearest"):
        exact = spec.method == "nearest-exact"
        if by is not None and (exact or m not in (n, 2 * n)):  # PyTorch's own arithmetic
            times = np.float32(1 / by)
            at = np.float32(float(middle) * float(times)) if exact else np.float32(place) * times
            return [(min(int(at), n - 1), 1.0)]
        at = (middle if exact else place) * Fraction(n, m)
        return [(max(j for j in range(n) if j <= at), 1.0)]
    if spec.method == "area":
        met = [j for j in range(n) if j * m < (place + 1) * n and (j + 1) * m > place * n]
        return [(j, 1 / len(met)) for j in met]
    at = middle * step - Fraction(1, 2)
    if spec.align_corners:
        at = Fraction(place * (n - 1), m - 1) if m > 1 else Fraction(0)
    if spec.antialias:
        wide = max(step, Fraction(1))
        shares = [float(kernel(spec.method, abs(at - j) / wide, -2)) for j in range(n)]
        return [(j, share / fsum(shares)) for j, share in enumerate(shares)]
    if spec.method == "linear":
        at = min(max(at, Fraction(0)), Fraction(n - 1))
    met = range(floor(at) - 1, floor(at) + 3)
    shares = [float(kernel(spec.method, abs(at - j), Fraction(-4, 3))) for j in met]
    return [(min(max(j, 0), n - 1), share) for j, share in zip(met, shares, strict=True)]


def kernel(method: str, d: Fraction, a: Any) -> Fraction:
    """A triangle, or Keys' cubic with 1 / a."""
    if method == "linear":
        return max(1 - d, Fraction(0))
    if d <= 1:
        return 1 - d**2 * (3 + 1 / Fraction(a)) + d**3 * (2 + 1 / Fraction(a))
    return (d - 1) * (d - 2) ** 2 / Fraction(a) if d < 2 else Fraction(0)


def standardised(values: np.ndarray, eps: float, centred: bool = True) -> np.ndarray:
    """With mean 0 and variance 1, nearly; not centred, with mean square 1."""
    mean = fsum(values.flat) / values.size if centred else 0.0
    variance = fsum((value - mean) ** 2 for value in values.flat) / values.size
    return (values - mean) / (variance + eps) ** 0.5


def activated(spec: Activation, x: np.ndarray) -> np.ndarray:
    """From the papers' definitions and SciPy's functions."""
    sixth = np.array([min(max(value + 3, 0), 6) / 6 for value in x.flat]).reshape(x.shape)
    match spec.function:
        case "relu":
            return x * (x > 0)
        case "relu6":
            return np.array([min(max(value, 0), 6) for value in x.flat]).reshape(x.shape)
        case "leaky_relu":
            return x * (x > 0) + spec.alpha * x * (x < 0)
        case "elu":
            return x * (x > 0) + spec.alpha * special.expm1(x * (x < 0))
        case "silu":
            return x * special.expit(x)
        case "gelu":
            return x * special.ndtr(x)
        case "gelu_tanh":
            return x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)))
        case "sigmoid":
            return special.expit(x)
        case "hard_sigmoid":
            return sixth
        case "hard_swish":
            return x * sixth
        case "softplus":
            return -special.log_expit(-x * spec.alpha) / spec.alpha
        case "softmax":
            return special.softmax(x, axis=spec.axis)
        case "log_softmax":
            return special.log_softmax(x, axis=spec.axis)
        case "mish":
            return x * np.tanh(-special.log_expit(-x))
        case "selu":  # from the fixed point that its paper asks for
            tail, pi = special.erfc(0.5**0.5) * np.e**0.5, np.pi
            alpha = (2 / pi) ** 0.5 / (1 - tail)
            squares = 2 * special.erfc(2**0.5) * np.e**2 + pi * tail**2 - 2 * (2 + pi) * tail
            scale = (1 - tail) * (2 * pi / (squares + pi + 2)) ** 0.5
            return scale * (x * (x > 0) + alpha * special.expm1(x * (x < 0)))
        case "celu":
            return x * (x > 0) + spec.alpha * special.expm1(x * (x < 0) / spec.alpha)
        case "log_sigmoid":
            return special.log_expit(x)
        case "softsign":
            return np.sign(x) - np.sign(x) / (1 + abs(x))
        case "tanhshrink":
            return x + 1 - 2 * special.expit(2 * x)
        case "soft_shrink":
            return np.sign(x) * np.maximum(abs(x) - spec.alpha, 0)
        case "hard_shrink":
            return x * ((x > spec.alpha) | (x < -spec.alpha))
        case "quick_gelu":
            return x * special.expit(1.702 * x)
        case "relu_squared":
            return x * x * (x > 0)
        case "abs":
            return np.maximum(x, -x)
        case "tanh":
            return 2 * special.expit(2 * x) - 1
    raise AssertionError(f"the oracle does not know {spec}")
