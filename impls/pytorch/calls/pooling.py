"""The plain calls of pools."""

import numpy as np

from convparity.impls.pytorch.calls.common import from_last, pad, symmetric, write_layer
from convparity.impls.script_writer import Writer, places_of_largest
from convparity.impls.spec import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MaxPoolIndices,
    Pairs,
    Shape,
    asked_pairs,
    padding_pairs,
)
from convparity.impls.weights import Arrays


def _pool_padding(
    spec: MaxPool | MaxPoolIndices | AvgPool, shape: Shape
) -> tuple[Pairs, tuple[int, ...] | None]:
    """The pairs, and what ``padding=`` takes: symmetric, at most half of the kernel."""
    padding = symmetric(asked_pairs(spec, shape[1:-1]))
    if padding and any(2 * p > k for p, k in zip(padding, spec.kernel_size, strict=True)):
        padding = None
    if isinstance(spec, AvgPool) and spec.rank == 3 and spec.ceil_mode:
        padding = None  # F.avg_pool3d takes no kernel larger than its image
    return padding_pairs(spec, shape[1:-1]), padding


@write_layer.register
def _(spec: MaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, padding = _pool_padding(spec, shape)
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: pad first")
        pad(pairs, out, 'value=float("-inf")')
    none = (0,) * spec.rank
    out.call(
        f"y = F.max_pool{spec.rank}d",
        "y",
        f"{spec.kernel_size}",
        stride=(spec.stride, spec.kernel_size),
        padding=(padding or none, none),
        dilation=(spec.dilation, (1,) * spec.rank),
        ceil_mode=(spec.ceil_mode and padding is not None, False),
    )


@write_layer.register
def _(spec: AvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    pairs, padding = _pool_padding(spec, shape)
    none, name = (0,) * spec.rank, f"F.avg_pool{spec.rank}d"
    stride = (spec.stride, spec.kernel_size)
    divisor = spec.divisor_override
    uneven = spec.ceil_mode or not spec.count_include_pad
    if (padding is None and uneven) or (divisor is not None and spec.rank == 1):
        why = "padding= is symmetric, at most half of the kernel"
        out.say(f"# {why if padding is None else f'{name} has no divisor'}: sums instead")
        pad(pairs, out)
        size = int(np.prod(spec.kernel_size))
        out.call(f"y = {name}", "y", f"{spec.kernel_size}", stride=stride)
        if divisor is not None:
            out.say(f"y = y * {size} / {divisor}")
            return
        own = asked_pairs(spec, shape[1:-1])
        rest = [(0, a - b) for (_, a), (_, b) in zip(pairs, own, strict=True)]
        value = f", value={float(spec.count_include_pad)}"
        out.say(f"inside = torch.ones(1, 1, *{shape[1:-1]})")
        for each, fill in ((own, value), (rest, "")):
            if any(map(any, each)):
                out.say(f"inside = F.pad(inside, {from_last(each)}{fill})")
        out.call(f"counts = {size} * {name}", "inside", f"{spec.kernel_size}", stride=stride)
        out.say(f"y = y * ({size} / counts.round())")
        return
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: pad first")
        pad(pairs, out)
    out.call(
        f"y = {name}",
        "y",
        f"{spec.kernel_size}",
        stride=stride,
        padding=(padding or none, none),
        ceil_mode=(spec.ceil_mode and padding is not None, False),
        count_include_pad=(spec.count_include_pad or not any(padding or none), True),
        divisor_override=(divisor, None),
    )


@write_layer.register
def _(spec: GlobalAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.mean(dim={tuple(range(2, len(shape)))})")


@write_layer.register
def _(spec: AdaptiveAvgPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.adaptive_avg_pool{spec.rank}d(y, {spec.output_size})")


@write_layer.register
def _(spec: AdaptiveMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = F.adaptive_max_pool{spec.rank}d(y, {spec.output_size})")


@write_layer.register
def _(spec: GlobalMaxPool, weights: Arrays, shape: Shape, out: Writer) -> None:
    out.say(f"y = y.amax(dim={tuple(range(2, len(shape)))})")


@write_layer.register
def _(spec: MaxPoolIndices, weights: Arrays, shape: Shape, out: Writer) -> None:
    _, padding = _pool_padding(spec, shape)
    if padding is None:
        out.say("# padding= is symmetric, at most half of the kernel: NumPy counts the pixels")
        places_of_largest(spec, shape, out, y="y.numpy()", first=2)
        out.say("y = torch.from_numpy(places).to(y.dtype)")
        return
    out.call(
        f"_, places = F.max_pool{spec.rank}d",
        "y",
        f"{spec.kernel_size}",
        stride=(spec.stride, spec.kernel_size),
        padding=(padding, (0,) * spec.rank),
        dilation=(spec.dilation, (1,) * spec.rank),
        ceil_mode=(spec.ceil_mode, False),
        return_indices=(True, False),
    )
    out.say("y = places.to(y.dtype)")
