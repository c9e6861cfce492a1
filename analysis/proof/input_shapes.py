"""An input shape that fits a spec: what its first layers ask for, and as small as tells something.

The axes of an image differ, one even and one odd, so that a change of axes, and a pad that depends
on the parity of a size, can be seen.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import dropwhile, islice, product
from typing import Any

from convparity.impls.errors import SpecError
from convparity.impls.spec import (
    AvgPool,
    Composite,
    Concat,
    Constant,
    Conv,
    Dense,
    DepthwiseConv,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Join,
    LayerNorm,
    MaxPool,
    MaxPoolIndices,
    Parameter,
    Rearrange,
    Reduce,
    RMSNorm,
    Shape,
    Slice,
    Source,
    Spec,
    fold_steps,
    output_shape,
    parameter_axes,
    walk,
    window_extent,
)

BATCH = 2
CHANNELS_ARE = ("in_channels", "num_features", "in_features")
MADE = ("out_channels", "out_features")
VECTORS = 31  # the batch where there is no image
CHANNELS = (5, 3, 2, 1, 4, 6, 7, 8)  # where no layer asks for any
ENOUGH = 40  # pixels an axis: a kernel that larger images alone would fill is not waited for
# the least by the number of axes, so that hundreds of values reach where activations bend
LEAST = {1: 31, 2: 7, 3: 5}
SIZES = (*range(5, 10), *range(11, ENOUGH, 4), *range(41, 140, 8), *range(145, 530, 16))
WINDOWS = (Conv, DepthwiseConv, MaxPool, MaxPoolIndices, AvgPool)
# more of them where a pattern splits an axis into factors
DIVISIBLE = sorted({*SIZES, *range(10, 65), *range(96, 530, 32)})
MOST = 512  # the largest size an axis where a dense layer fixes how many pixels there must be


@lru_cache(maxsize=256)
def fitting_shape(spec: Spec) -> Shape | None:
    """A channels-last shape that fits ``spec``; None where none was found.

    The smallest, from ``LEAST`` pixels an axis on, whose every window lies in its image at least
    once, if that takes no more than ``ENOUGH`` pixels an axis; else one of about that size.
    """
    first = _first_layer(spec)
    if sized := [layer for _, layer in walk(spec) if _has_other_axes(layer)]:
        shapes = _of_its_sizes(sized[0], spec)
        if (found := next((shape for shape in shapes if _fits(spec, shape)), None)) is not None:
            return found
    if isinstance(first, Rearrange):
        return next((shape for shape in _split_evenly(first) if _fits(spec, shape)), None)
    for (channels,), rank in product(_channels(spec), _ranks(spec)):
        if rank == 0:
            shape = (VECTORS, channels)
            if _fits(spec, shape):
                return shape
            continue
        found = _sizes(spec, rank, channels) or _sizes_for_dense(spec, rank, channels)
        if found is not None:  # what is added to it may ask for more, and take less
            return max((found, *_of_its_sources(spec)), key=math.prod)
    if isinstance(first, Slice):  # its ends may be far apart, or meet in small inputs alone
        alike = ((BATCH, *(n,) * (ndim - 1)) for n in (4, 3, 2, 1, *SIZES) for ndim in (4, 2, 3, 5))
        return next((shape for shape in alike if _fits(spec, shape)), None)
    return next(_of_its_sources(spec), None)


def _of_its_sources(spec: Spec) -> Iterator[Shape]:
    """Inputs in the shapes of what a network holds by itself, of the channels that it may have."""
    shapes = [layer.shape for _, layer in walk(spec) if isinstance(layer, Constant | Parameter)]
    for shape in shapes:
        for channels in (shape[-1], *(each for (each,) in _channels(spec))):
            if _fits(spec, found := (BATCH, *shape[:-1], channels)):
                yield found
                break


def fitting_shapes(spec: Spec) -> tuple[Shape, ...] | None:
    """``fitting_shape`` for each input of ``spec``; where there are several, of one size."""
    if not isinstance(spec, Composite) or len(spec.sources) == 1:
        shape = fitting_shape(spec)
        return None if shape is None else (shape,)
    asked = _channels(spec)
    for rank in dict.fromkeys((*_ranks(spec), 0, 1, 2, 3)):
        for n in (*SIZES, *range(4, 0, -1)) if rank else (0,):
            batch = BATCH if rank else VECTORS
            for channels in asked:
                shapes = tuple((batch, *range(n, n + rank), each) for each in channels)
                if _fits(spec, *shapes):
                    return shapes
    return None


def _fits(spec: Spec, *shapes: Shape) -> bool:
    try:
        output_shape(spec, *shapes)
    except SpecError:
        return False
    return True


def _first_layer(spec: Spec) -> Spec | None:
    return next((layer for _, layer in walk(spec) if not isinstance(layer, Composite)), None)


def _split_evenly(first: Rearrange) -> Iterator[Shape]:
    """Shapes that a pattern takes, of several numbers of axes where it has "..."."""
    known = dict(first.sizes)
    for ndim in (4, 2, 3, 5):
        try:
            before, _ = first.axes(ndim)
        except SpecError:
            continue
        each = [math.prod(known.get(name, 1) for name in axis) for axis in before]
        fixed = [all(name in known for name in axis) for axis in before]
        batch = VECTORS if ndim == 2 else BATCH * each[0]
        for n, channels in product((*range(5, 10), 4, 3, 2, 1), range(1, 17)):
            wanted = (batch, *range(n, n + ndim - 2), each[-1] * channels)
            yield tuple(
                size if whole else -(-least // size) * size
                for size, whole, least in zip(each, fixed, wanted, strict=True)
            )


def _ranks(spec: Spec) -> Iterable[int]:
    """The numbers of spatial axes that the first layers which say one ask for."""
    for _, layer in walk(spec):
        if isinstance(layer, Dense):
            return (0, 2, 1, 3)
        if hasattr(layer, "rank"):
            return (layer.rank,)
        if isinstance(layer, Flatten | GlobalAvgPool | GlobalMaxPool | Rearrange):
            break
    return (2, 0, 1, 3)


def _channels(spec: Spec) -> list[tuple[int, ...]]:
    """What the channels of each input of ``spec`` may be, the likeliest first.

    The first layer that an input reaches unmixed says it; behind a flatten nothing more is said.
    One that meets other values before is of a number that occurs in the spec, or of a small one.
    """
    said = _said_channels(spec)
    occur = [
        number
        for _, layer in walk(spec)
        for name in (*CHANNELS_ARE, *MADE)
        if (number := _number(layer, name)) is not None
    ]
    # beside other values those of the spec; alone, behind a flatten, few make a large image
    any_number = dict.fromkeys((*CHANNELS, *occur) if len(said) == 1 else (*occur, *CHANNELS))
    ways = product(*(any_number if each is None else (each,) for each in said))
    return list(islice(ways, MOST))


def _said_channels(spec: Spec) -> tuple[int | None, ...]:
    """The channels that layers say of each input; None where none does."""
    sources = len(spec.sources) if isinstance(spec, Composite) else 1
    found: dict[int, int] = {}

    def visit(step: Spec, *carried: int | None) -> Any:
        """Which input's channels a value has: those of the input by this number, or of none."""
        if isinstance(step, Composite):
            return fold_steps(step, carried, lambda each, values: visit(each.spec, *values))
        if isinstance(step, Join):
            return (
                None if isinstance(step, Concat | Einsum) else next(filter(_known, carried), None)
            )
        if isinstance(step, Source):
            return None
        says = (_number(step, name) for name in CHANNELS_ARE)
        said = next(filter(_known, says), None)
        if carried[0] is not None and said is not None:
            found.setdefault(carried[0], said)
        mixes = hasattr(step, "in_channels") or isinstance(step, Flatten | Rearrange)
        mixes = mixes or (isinstance(step, Dense) and step.axis == -1)
        mixes = mixes or (isinstance(step, Slice) and step.axis == -1)
        mixes = mixes or (isinstance(step, Reduce) and -1 in step.axes)
        return None if mixes else carried[0]

    visit(spec, *range(sources))
    return tuple(map(found.get, range(sources)))


def _number(layer: Spec, name: str) -> int | None:
    """A number of channels that a layer has in a field; no size of other axes."""
    found: int | None = getattr(layer, name, None)
    return None if _has_other_axes(layer) else found


def _has_other_axes(layer: Spec) -> bool:
    """Whether a layer asks for the sizes of other axes than that of the channels alone."""
    if isinstance(layer, Dense):
        return layer.axis != -1
    return isinstance(layer, LayerNorm | RMSNorm) and layer.axes != -1


def _of_its_sizes(layer: Any, spec: Spec) -> Iterator[Shape]:
    """Images of the sizes that a layer along their axes asks for, and larger ones that shrink."""
    own = ((layer.axis,), (layer.in_features,)) if isinstance(layer, Dense) else None
    axes, sizes = own or parameter_axes(layer)
    said = [each for (each,) in _channels(spec)]
    for factor, ndim, channels in product((1, 2, 4, 8, 16, 32), (4, 3, 5, 2), said):
        shape = [BATCH, *range(5, 5 + ndim - 2), channels]
        for axis, size in zip(axes, sizes, strict=True):
            if -ndim < axis < ndim:
                shape[axis] = size if axis % ndim == ndim - 1 else size * factor
        yield tuple(shape)


def _known(value: int | None) -> bool:
    return value is not None


# ---------------------------------------------------------------- sizes that any layer takes


def _sizes(spec: Spec, rank: int, channels: int) -> Shape | None:
    """Unequal sizes, from the smallest on."""
    largest = None
    enough = (BATCH, *range(ENOUGH - 7, ENOUGH - 7 + rank), channels)
    if _filled(spec, enough) is False:  # smaller ones are not filled either
        return enough
    split = any(isinstance(layer, Rearrange) for _, layer in walk(spec))
    larger = [n for n in (DIVISIBLE if split else SIZES) if n >= LEAST[rank]]
    for n in (*larger, *range(LEAST[rank] - 1, 0, -1)):  # smaller ones where no other fits
        for sizes in _unequal(n, rank):
            shape = (BATCH, *sizes, channels)
            filled = _filled(spec, shape)
            if filled or (filled is False and n > ENOUGH - 8):
                return shape
            if filled is not None and (largest is None or shape > largest):
                largest = shape
    return largest


def _unequal(n: int, rank: int) -> Iterator[Shape]:
    yield tuple(range(n, n + rank))
    if rank > 1:
        yield (n,) * rank  # where axes must be equal


def _filled(spec: Spec, shape: Shape) -> bool | None:
    """Whether every window of a layer lies in its image at one place of it; None: it misfits."""
    filled = True

    def visit(step: Spec, *shapes: Shape) -> Shape:
        nonlocal filled
        if isinstance(step, Composite):
            return fold_steps(step, shapes, lambda each, values: visit(each.spec, *values))
        made: Shape = output_shape(step, *shapes)
        if isinstance(step, WINDOWS):
            extent, spatial = window_extent(step), shapes[0][1:-1]
            filled = filled and all(k <= n for k, n in zip(extent, spatial, strict=True))
        return made

    try:
        visit(spec, shape)
    except SpecError:
        return None
    return filled


# ---------------------------------------------------------------- sizes that a dense layer asks for


def _sizes_for_dense(spec: Spec, rank: int, channels: int) -> Shape | None:
    """Sizes whose pixels, flattened, are as many features as the dense layer behind them takes."""
    layers = (layer for _, layer in walk(spec))
    behind = dropwhile(lambda layer: not isinstance(layer, Flatten), layers)
    dense = (layer for layer in behind if isinstance(layer, Dense) and layer.axis in (-1, 1))
    asked = next((layer.in_features for layer in dense), None)
    if asked is None:
        return None
    return _product_of_axes(spec, rank, channels, asked)


def _product_of_axes(spec: Spec, rank: int, channels: int, asked: int) -> Shape | None:
    """The axes of an image do not see each other: what each size becomes is found out by itself."""

    @cache
    def flattened(sizes: Shape) -> Shape | None:
        return _flattened(spec, (BATCH, *sizes, channels))

    some = next((n for n in SIZES if flattened((n,) * rank) is not None), None)
    if some is None:
        return None
    features = flattened((some,) * rank)
    assert features is not None
    pixels, rest = divmod(asked, features[-1])
    if rest:
        return None

    def becomes(axis: int, n: int) -> int:
        """The size of an axis at the flatten, from that at the input; 0 where none fits."""
        found = flattened(tuple(n if each == axis else some for each in range(rank)))
        return 0 if found is None else found[1 + axis]

    def sizes_for(axis: int, wanted: int) -> list[int]:
        """The smallest sizes of an axis that become ``wanted``: larger ones become no less."""
        first = bisect_left(range(MOST), wanted, key=lambda n: becomes(axis, n + 1)) + 1
        return [n for n in range(first, min(first + 3, MOST + 1)) if becomes(axis, n) == wanted]

    divisors = [n for n in range(1, pixels + 1) if pixels % n == 0]
    ways = [way for way in product(divisors, repeat=rank) if math.prod(way) == pixels]
    ways.sort(key=lambda way: (max(way), way))
    for way in ways[:MOST]:
        each_axis = [sizes_for(axis, wanted) for axis, wanted in enumerate(way)]
        for sizes in sorted(product(*each_axis), key=lambda sizes: (-len({*sizes}), sizes)):
            if _fits(spec, shape := (BATCH, *sizes, channels)):
                return shape
    return None


def _flattened(spec: Spec, shape: Shape) -> Shape | None:
    """What reaches the first flatten; None where a layer before it does not take its input."""
    reached: list[Shape] = []

    def visit(step: Spec, *shapes: Shape) -> Shape:
        if reached:
            return shapes[0]
        if isinstance(step, Composite):
            return fold_steps(step, shapes, lambda each, values: visit(each.spec, *values))
        if isinstance(step, Flatten):
            reached.append(shapes[0])
            return shapes[0]
        return output_shape(step, *shapes)

    try:
        visit(spec, shape)
    except SpecError:
        return None
    return reached[0] if reached else None
