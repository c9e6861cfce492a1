"""Every layer in float32, as some library or processor might compute it: right, and not alike.

The shapes, paddings and windows are the reference's; the arithmetic is our own. Each intermediate
result is a float32; only a fused multiply-add is computed wider, which is what it is.
"""

import dataclasses
from functools import reduce, singledispatchmethod
from typing import Any

import numpy as np

from convparity.analysis.proof.emulation import sources
from convparity.analysis.proof.linear_form import (
    features_last,
    filters_shape,
    groups_of,
    to_filters,
)
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF
from convparity.impls.reference import run
from convparity.impls.reference_activation import activate
from convparity.impls.reference_normalisation import normalised
from convparity.impls.reference_pooling import adaptive, pool_counts, pool_windows
from convparity.impls.reference_resize import resizing
from convparity.impls.spec import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Composite,
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
    Identity,
    InputNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Pad,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    Slice,
    Source,
    Spec,
    Subtract,
    adaptive_windows,
    fold_steps,
    output_shape,
)
from convparity.impls.weights import Arrays, affine
from parity_tests.support import transforms
from parity_tests.support.operations import Choices, Operations, Terms, erring, unit_in_last_place

U = UNIT_ROUNDOFF["float32"]
# The largest error of each function in u (|x| + |y| + 1), as parity_tests.trials.margins measures
# it, rounded up. The others are sums and products.
MARGIN = {
    "elu": 2.0,
    "silu": 2.0,
    "gelu": 2.0,
    "gelu_tanh": 3.0,
    "sigmoid": 2.0,
    "hard_sigmoid": 1.0,
    "hard_swish": 1.0,
    "softplus": 4.0,
    "softmax": 2.0,
    "tanh": 2.0,
    "log_softmax": 2.0,
    "mish": 3.0,
    "selu": 2.0,
    "celu": 2.0,
    "log_sigmoid": 2.0,
    "softsign": 1.0,
    "tanhshrink": 2.0,
    "soft_shrink": 1.0,
    "quick_gelu": 2.0,
    "relu_squared": 1.0,
}
POWER = 2.0  # the same of a power, in u (1 + |e log x|) |y|


@dataclasses.dataclass(frozen=True)
class Arithmetic(Choices):
    """One way to compute in float32: a candidate, as ``judge`` takes one."""

    def __call__(self, spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        """The output of ``spec`` for a channels-last ``x``."""
        with np.errstate(over="ignore", invalid="ignore"):
            return Executor(self).run(spec, weights, np.asarray(x, dtype=np.float32))


class Executor(Operations):
    """One run of a spec."""

    def einsum(self, spec: Einsum, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Products over the axes that the result lacks, those in front, summed in one order."""
        first, second, result = spec.axes
        gone = [name for name in dict.fromkeys([*first, *second]) if name not in result]
        sizes = spec.sizes(a.shape, b.shape)
        form = [sizes[name] for name in (*gone, *result)]
        x, y = (
            np.broadcast_to(
                np.transpose(each, [axes.index(n) for n in (*gone, *result) if n in axes]).reshape(
                    [sizes[n] if n in axes else 1 for n in (*gone, *result)]
                ),
                form,
            ).reshape(-1, *form[len(gone) :])
            for each, axes in ((a, first), (b, second))
        )
        return self.total(len(x), lambda i: (x[i], y[i]))

    def run(self, spec: Spec, weights: Arrays, *values: np.ndarray) -> np.ndarray:
        """A layer or a composite, of whose weights and input the subnormals may be zero."""
        if isinstance(spec, Composite):
            return fold_steps(
                spec,
                values,
                lambda step, taken: self.run(step.spec, step.weights(weights), *taken),
            )
        if isinstance(spec, Add):
            return reduce(self.add, values)
        if isinstance(spec, Subtract):
            return self.add(values[0], -values[1])
        if isinstance(spec, Multiply):
            return reduce(self.multiply, values)
        if isinstance(spec, Concat):
            return np.concatenate(values, axis=spec.axis)
        if isinstance(spec, Divide):
            return self.divided(*values)
        if isinstance(spec, Einsum):
            return self.einsum(spec, *map(self.kept, values))
        if isinstance(spec, Maximum | Minimum):
            return run(spec, {}, *values)  # which rounds nothing
        if isinstance(spec, MaxUnpool):  # nor does it
            return run(spec, {}, *values).astype(np.float32)
        if isinstance(spec, Average):
            return self.mean_of(reduce(self.add, values), len(values))
        (x,) = values
        if isinstance(spec, Dropout | Identity):  # which compute nothing: nothing is flushed
            return x
        if isinstance(spec, Flatten):
            return x.reshape(len(x), -1)
        single = {name: self.kept(np.float32(array)) for name, array in weights.items()}
        return self.layer(spec, single, self.kept(x))

    @singledispatchmethod
    def layer(self, spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        """One layer."""
        raise NotImplementedError(f"no arithmetic is known for {type(spec).__name__}")

    @layer.register(Conv)
    @layer.register(ConvTranspose)
    @layer.register(DepthwiseConv)
    @layer.register(Dense)
    def _(self, spec: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
        if self.how.algorithm == "winograd" and transforms.has_winograd(spec):
            return self.kept(transforms.winograd(spec, weights, x))
        if self.how.algorithm == "fft" and transforms.has_fft(spec):
            return self.kept(transforms.fft(spec, weights, x))
        groups = groups_of(spec)
        taps, channels, _ = filters_shape(spec)
        w_TGO = to_filters(spec, weights["kernel"]).reshape(taps * channels, groups, -1)
        x = features_last(spec, x)
        pixels = x.reshape(len(x), -1, groups, channels)
        # a last pixel of zeros, for the taps that meet padding (-1)
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:, :1])], axis=1)
        met = pixels[:, sources(spec, (1, *x.shape[1:]))]  # (N, taps, P, groups, channels)
        x_TNPG = np.ascontiguousarray(met.transpose(1, 4, 0, 2, 3))
        x_TNPG = x_TNPG.reshape(taps * channels, *x_TNPG.shape[2:])
        y = self._with_bias(spec, weights, lambda i: (x_TNPG[i][..., None], w_TGO[i]), len(w_TGO))
        if isinstance(spec, Dense):
            return np.moveaxis(y.reshape(*x.shape[:-1], -1), -1, spec.axis)
        return y.reshape(output_shape(spec, x.shape))

    def _with_bias(self, spec: Any, weights: Arrays, terms: Terms, count: int) -> np.ndarray:
        if not spec.bias:
            return self.total(count, terms)
        bias = weights["bias"].reshape(groups_of(spec), -1)
        if not self.how.bias_first:
            return self.add(self.total(count, terms), bias)
        return self.total(count + 1, lambda i: terms(i - 1) if i else (bias, None))

    @layer.register
    def _(self, spec: Source, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.kept(run(spec, weights, x).astype(np.float32))

    @layer.register
    def _(self, spec: MaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return reduce(np.maximum, pool_windows(spec, x, -np.inf))

    @layer.register
    def _(self, spec: MaxPoolIndices, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return run(spec, weights, x).astype(np.float32)  # it compares, and computes nothing

    @layer.register
    def _(self, spec: AvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        windows = list(pool_windows(spec, x, 0))
        total = self.total(len(windows), lambda i: (windows[i], None))
        return self.mean_of(total, pool_counts(spec, x.shape))

    @layer.register
    def _(self, spec: GlobalAvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.mean(x.reshape(len(x), -1, x.shape[-1]).swapaxes(0, 1))

    @layer.register
    def _(self, spec: AdaptiveAvgPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        y = np.empty(output_shape(spec, x.shape), np.float32)
        along = zip(x.shape[1:-1], spec.output_size, strict=True)
        windows = [adaptive_windows(n, m) for n, m in along]
        for place in np.ndindex(*spec.output_size):
            edges = (axis[i] for axis, i in zip(windows, place, strict=True))
            seen = x[(slice(None), *(slice(*each) for each in edges))]
            terms = seen.reshape(len(x), -1, x.shape[-1]).swapaxes(0, 1)
            y[(slice(None), *place)] = self.mean(terms)
        return y

    @layer.register
    def _(self, spec: AdaptiveMaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return adaptive(spec, x, np.max)

    @layer.register
    def _(self, spec: GlobalMaxPool, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return np.asarray(x.max(axis=tuple(range(1, x.ndim - 1))))

    @layer.register
    def _(self, spec: Resize, weights: Arrays, x: np.ndarray) -> np.ndarray:
        for axis, matrix in enumerate(resizing(spec, x.shape), 1):
            pixels, parts = np.moveaxis(x, axis, 0), []
            for shares in matrix.astype(np.float32):
                (met,) = np.nonzero(shares)
                terms = [(pixels[j], None if shares[j] == 1 else shares[j]) for j in met]
                parts.append(self.total(len(terms), terms.__getitem__))
            x = np.stack(parts, axis)
        return x

    @layer.register
    def _(self, spec: BatchNorm, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.normalised(spec, weights, x, weights["mean"], weights["variance"])

    @layer.register
    def _(self, spec: InputNorm, weights: Arrays, x: np.ndarray) -> np.ndarray:
        form, axes = normalised(spec, x.shape)
        places = [axis for axis in range(len(form)) if axis not in axes]
        terms = x.reshape(form).transpose(*axes, *places)
        terms = terms.reshape(-1, *terms.shape[len(axes) :])
        if isinstance(spec, RMSNorm):
            moments = np.zeros(terms.shape[1:], np.float32), self.mean(terms, squared=True)
        else:
            moments = self.moments(terms)
        like = [1 if axis in axes else n for axis, n in enumerate(form)]
        mean, variance = (
            np.broadcast_to(each.reshape(like), form).reshape(x.shape) for each in moments
        )
        return self.normalised(spec, weights, x, mean, variance)

    def normalised(
        self, spec: Any, weights: Arrays, x: np.ndarray, mean: np.ndarray, variance: np.ndarray
    ) -> np.ndarray:
        affine_parts = affine(spec, weights, x.ndim)
        scale, offset = (each.astype(np.float32) for each in affine_parts)
        spread = self.add(variance, np.float32(spec.eps))
        if self.how.norm == "divided":
            normal = self.by_root(self.add(x, -mean), spread)
            return self.multiply_add(normal, scale, offset)
        factor = self.multiply(scale, self.reciprocal_root(spread))
        if self.how.norm == "folded":
            return self.multiply_add(x, factor, self.multiply_add(-mean, factor, offset))
        return self.multiply_add(self.add(x, -mean), factor, offset)

    @layer.register
    def _(self, spec: PReLU, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, x, self.multiply(x, weights["slope"]))

    @layer.register
    def _(self, spec: Clamp, weights: Arrays, x: np.ndarray) -> np.ndarray:
        limits = [None if each is None else np.float32(each) for each in (spec.low, spec.high)]
        return np.clip(x, *limits)

    @layer.register
    def _(self, spec: Scale, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.multiply(x, weights["scale"])

    @layer.register
    def _(self, spec: Activation, weights: Arrays, x: np.ndarray) -> np.ndarray:
        if spec.function == "leaky_relu":
            return np.where(x >= 0, x, self.multiply(x, np.float32(spec.alpha)))
        wide = x.astype(np.float64)
        exact = activate(spec, wide)
        if spec.function not in MARGIN:
            return exact.astype(np.float32)
        size = 2 * MARGIN[spec.function] * U * (abs(wide) + abs(exact) + 1)
        return self.kept(erring(exact, size, self.how.library_lean, self.rng))

    @layer.register
    def _(self, spec: Reduce, weights: Arrays, x: np.ndarray) -> np.ndarray:
        at, made = spec.places(x.shape), output_shape(spec, x.shape)
        count = spec.count(x.shape)
        rest = [n for i, n in enumerate(x.shape) if i not in at]
        terms = np.moveaxis(x, at, range(len(at))).reshape(count, *rest)
        if spec.function in ("max", "min"):
            return run(spec, weights, x)
        if spec.function in ("mean", "sum", "norm1"):
            sizes = abs(terms) if spec.function == "norm1" else terms
            y = self.total(count, lambda i: (sizes[i], None))
            return (self.mean_of(y, count) if spec.function == "mean" else y).reshape(made)
        if spec.function != "norm":
            terms = self.add(terms, -self.mean(terms))
        y = self.total(count, lambda i: (terms[i], terms[i]))
        if spec.function != "norm":
            y = self.mean_of(y, count - spec.correction)
        if spec.function != "var":
            exact = np.sqrt(y.astype(np.float64))
            y = self.kept(erring(exact, unit_in_last_place(exact), self.how.root_lean, self.rng))
        return y.reshape(made)

    @layer.register
    def _(self, spec: Rescale, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return self.multiply_add(x, np.float32(spec.scale), np.float32(spec.offset))

    @layer.register
    def _(self, spec: Power, weights: Arrays, x: np.ndarray) -> np.ndarray:
        if spec.exponent.is_integer():
            product = reduce(self.multiply, [x] * int(abs(spec.exponent)), np.ones_like(x))
            return self.divided(np.ones_like(x), product) if spec.exponent < 0 else product
        with np.errstate(divide="ignore"):
            exact = run(spec, {}, x.astype(np.float64))
            slope = abs(spec.exponent * np.log(np.where(x > 0, x, 1)))
        size = np.where(np.isfinite(exact), 2 * POWER * U * (1 + slope) * abs(exact), 0)
        return self.kept(erring(exact, size, self.how.library_lean, self.rng))

    @layer.register(Pad)
    @layer.register(Rearrange)
    @layer.register(Slice)
    def _(self, spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return run(spec, weights, x)  # which moves values and rounds none
