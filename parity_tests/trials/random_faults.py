"""Single faults of one layer, at random places: what a port, or its weights, can get wrong.

The registry of ``analysis.faults`` holds what ports are known to have; these are of every kind that
an output can show, many of them in one tap, one channel or one row alone.
"""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from convparity.analysis.faults import Faulty
from convparity.analysis.faults.fault import own
from convparity.analysis.proof.linear_form import filters_shape, to_filters, to_kernel
from convparity.analysis.proof.lit_weights import Filled
from convparity.impls.errors import SpecError
from convparity.impls.reference import run
from convparity.impls.spec import (
    ACTIVATIONS,
    PADDING_MODES,
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Layer,
    LayerNorm,
    MaxPool,
    Scale,
    Shape,
    output_shape,
)
from convparity.impls.weights import Arrays

Windowed = Conv | DepthwiseConv | ConvTranspose | MaxPool | AvgPool


def random_faults(layer: Layer, rng: np.random.Generator) -> Iterator[Faulty]:
    """One fault of each kind that the layer can have; ``detail`` is the kind."""
    if isinstance(layer, Conv | ConvTranspose | Dense | DepthwiseConv):
        yield from _kernel_faults(layer, rng)
        yield from _filter_faults(layer, rng)
    if isinstance(layer, Windowed):
        yield from _window_faults(layer, rng)
    if isinstance(layer, BatchNorm | LayerNorm | GroupNorm | Scale):
        yield from _norm_faults(layer, rng)
    if isinstance(layer, Activation):
        yield Faulty(layer, "activation missing", run=lambda right, w, x: x)
        others = [name for name in ACTIVATIONS if name != layer.function]
        yield Faulty(Activation(others[rng.integers(len(others))]), "another activation")
        if layer.function in ("relu", "relu6"):
            near = Activation("relu6" if layer.function == "relu" else "relu")
            yield Faulty(near, "ReLU and ReLU6")
        if layer.function == "silu":
            yield Faulty(Activation("hard_swish"), "another SiLU")
    if isinstance(layer, Flatten):
        yield Faulty(
            layer,
            "flatten order",
            run=lambda right, w, x: np.moveaxis(x, -1, 1).reshape(len(x), -1),
        )
    if isinstance(layer, GlobalAvgPool):
        yield Faulty(
            layer,
            "maximum for mean",
            run=lambda right, w, x: x.max(axis=tuple(range(1, x.ndim - 1))),
        )


def equivalent(layer: Layer, faulty: Faulty, shape: Shape, *, positive: bool = False) -> bool:
    """Whether the fault does not change the layer's float64 output on dense integers of its own.

    They are drawn here, and are not those of any proof; ``positive`` where nothing below zero ever
    reaches the layer. One that would give another shape, which anybody would see, counts as
    equivalent, too.
    """
    rng = np.random.default_rng(0)
    x = rng.integers(0 if positive else -7, 7, shape, endpoint=True).astype(np.float64)
    weights: Arrays = {}
    if layer.parameters():
        weights = Filled(rng, 47).weights(layer, x, None)
    if output_shape(layer, shape) != _shape_of(faulty, shape):
        return True
    return bool((faulty.output(run, weights, x) == run(layer, weights, x)).all())


def _shape_of(faulty: Faulty, shape: Shape) -> Shape | None:
    """What the wrong layer gives for an input of a shape; None where it refuses it."""
    try:
        return output_shape(faulty.spec, shape)
    except SpecError:
        return None


# ---------------------------------------------------------------- kernels


def _filters(layer: Any, change: Callable[[np.ndarray], None]) -> Callable[[Arrays], Arrays]:
    """The weights with a kernel whose filters (taps, input channels, filters) were changed."""

    def changed(kernel: np.ndarray) -> np.ndarray:
        filters = to_filters(layer, kernel).copy()
        change(filters)
        return to_kernel(layer, filters)

    return own("kernel", changed)


def _kernel_faults(layer: Any, rng: np.random.Generator) -> Iterator[Faulty]:
    taps, channels, out = filters_shape(layer)
    n = taps * channels
    j = int(rng.integers(out))
    if n > 1:
        a, b = rng.choice(n, 2, replace=False)

        def exchanged(filters: np.ndarray) -> None:
            flat = filters.reshape(n, out)
            flat[[a, b], j] = flat[[b, a], j]

        yield Faulty(layer, "two taps exchanged", weights=_filters(layer, exchanged))
    at = int(rng.integers(n))

    def off_by_one(filters: np.ndarray) -> None:
        flat = filters.reshape(n, out)
        step = abs(flat[flat != 0]).min(initial=abs(flat).max())
        flat[at, j] += step

    yield Faulty(layer, "one weight off by a step", weights=_filters(layer, off_by_one))
    if channels > 1:
        c, d = rng.choice(channels, 2, replace=False)

        def dropped(filters: np.ndarray) -> None:
            filters[:, c] = 0

        def repeated(filters: np.ndarray) -> None:
            filters[:, c] += filters[:, d]
            filters[:, d] = 0

        def rolled(filters: np.ndarray) -> None:
            filters[:] = np.roll(filters, 1, axis=1)

        yield Faulty(layer, "input channel dropped", weights=_filters(layer, dropped))
        yield Faulty(layer, "input channel repeated", weights=_filters(layer, repeated))
        yield Faulty(layer, "input channels rolled", weights=_filters(layer, rolled))
    sizes = getattr(layer, "kernel_size", ())
    for axis, k in enumerate(sizes):
        if k > 1:
            flip = own("kernel", partial(np.flip, axis=axis))
            yield Faulty(layer, f"flipped axis {axis}", weights=flip)
    if len(sizes) > 1 and sizes[-1] == sizes[-2] > 1:
        last = len(sizes) - 1
        turned = own("kernel", lambda kernel: kernel.swapaxes(last, last - 1))
        yield Faulty(layer, "H and W exchanged", weights=turned)


def _filter_faults(layer: Any, rng: np.random.Generator) -> Iterator[Faulty]:
    out = filters_shape(layer)[2]
    if out > 1:
        a, b = rng.choice(out, 2, replace=False)

        def exchanged(y: np.ndarray) -> np.ndarray:
            y = y.copy()
            y[..., [a, b]] = y[..., [b, a]]
            return y

        def repeated(y: np.ndarray) -> np.ndarray:
            y = y.copy()
            y[..., a] = y[..., b]
            return y

        yield Faulty(layer, "two filters exchanged", after=exchanged)
        yield Faulty(layer, "output channel repeated", after=repeated)

    def dropped(y: np.ndarray) -> np.ndarray:
        y = y.copy()
        y[..., out - 1] = 0
        return y

    yield Faulty(layer, "output channel dropped", after=dropped)
    if layer.bias:
        yield Faulty(layer, "bias missing", weights=own("bias", np.zeros_like))
        if out > 1:
            yield Faulty(layer, "bias rolled", weights=own("bias", partial(np.roll, shift=1)))
    groups = getattr(layer, "groups", 1)
    if groups > 1:
        each = layer.in_channels // groups

        def interleaved(x: np.ndarray) -> np.ndarray:
            return x.reshape(*x.shape[:-1], each, groups).swapaxes(-1, -2).reshape(x.shape)

        yield Faulty(layer, "groups interleaved", before=interleaved)


# ---------------------------------------------------------------- windows


def _window_faults(layer: Any, rng: np.random.Generator) -> Iterator[Faulty]:
    def other(detail: str, **fields: Any) -> Iterator[Faulty]:
        with suppress(SpecError):  # no such layer: "same" knows no output_padding, for one
            yield Faulty(dataclasses.replace(layer, **fields), detail)

    half = tuple(k // 2 for k in layer.kernel_size)
    if layer.padding == "same":
        yield from other("k//2 for SAME", padding=half)
    elif layer.padding == tuple((h, h) for h in half):
        yield from other("SAME for k//2", padding="same")
    if not isinstance(layer.padding, str):
        moved = tuple((max(low - 1, 0), high + min(low, 1)) for low, high in layer.padding)
        yield from other("padding moved", padding=moved)
    if hasattr(layer, "padding_mode"):
        modes = [mode for mode in PADDING_MODES if mode != layer.padding_mode]
        yield from other("padding mode", padding_mode=modes[rng.integers(len(modes))])
    if hasattr(layer, "dilation"):
        yield from other("dilation", dilation=tuple(d + 1 for d in layer.dilation))
        yield from other("no dilation", dilation=1)
    if isinstance(layer, AvgPool):
        yield from other("padding counted", count_include_pad=not layer.count_include_pad)
    if isinstance(layer, MaxPool | AvgPool):
        pool = MaxPool if isinstance(layer, AvgPool) else AvgPool
        window = (layer.kernel_size, layer.stride, layer.padding)
        wrong = pool(*window, rank=layer.rank, ceil_mode=layer.ceil_mode)
        yield Faulty(wrong, "another pool")
    if max(layer.stride) > 1 and not isinstance(layer, ConvTranspose):
        axis = 1 + next(i for i, each in enumerate(layer.stride) if each > 1)

        def phase(x: np.ndarray) -> np.ndarray:
            n = x.shape[axis]
            return np.take(x, [*range(1, n), n - 1], axis=axis)

        yield Faulty(layer, "stride phase", before=phase)


# ---------------------------------------------------------------- norms


def _norm_faults(layer: Any, rng: np.random.Generator) -> Iterator[Faulty]:
    names = list(layer.parameters())
    name = names[rng.integers(len(names))] if names else ""
    if names and layer.num_features != 1:
        rolled = own(name, partial(np.roll, shift=1))
        yield Faulty(layer, "statistics or affine rolled", weights=rolled)
    if hasattr(layer, "eps"):
        eps = 1e-5 if layer.eps != 1e-5 else 1e-3
        yield Faulty(dataclasses.replace(layer, eps=eps), "eps")
    if isinstance(layer, BatchNorm):
        yield Faulty(layer, "mean missing", weights=own("mean", np.zeros_like))
        yield Faulty(layer, "variance missing", weights=own("variance", np.ones_like))
        if layer.offset:
            yield Faulty(
                layer,
                "mean and offset exchanged",
                weights=lambda w: {**w, "mean": w["offset"], "offset": w["mean"]},
            )
    if not isinstance(layer, Scale):
        if "scale" in names:
            yield Faulty(layer, "scale missing", weights=own("scale", np.ones_like))
        if "offset" in names:
            yield Faulty(layer, "offset missing", weights=own("offset", np.zeros_like))
