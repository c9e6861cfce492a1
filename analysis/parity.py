"""Is a port right? Two verdicts: its structure is proved exact, its precision is measured.

- **Structure**: on small integers no order of summation rounds, so every framework must give the
  reference's bits. A wrong axis, pad, group, stride or flip shows at full size.
- **Precision**: on real numbers the error must stay under a proved rounding bound, and its size is
  reported as effective bits (about 23 for float32, 11 for TF32, 8 for bfloat16). Probes (see
  ``analysis.probes``) ask each linear layer by itself whether it computes in its dtype at all.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from analysis import probes
from analysis.cases import exact_shape, integer_case, real_case
from analysis.filters import LINEAR, Linear, to_filters
from analysis.rounding import UNIT_ROUNDOFF, Rounded, exact_input, round_to, trace
from analysis.verdict import SCALE_LIMIT, Place, Precision, Structure, Verdict
from impls import registry
from impls.adapter import Adapter
from impls.errors import InputError
from impls.shapes import Shape, output_shape
from impls.spec import SeparableConv, Spec
from impls.weights import check_weights

__all__ = [
    "SCALE_LIMIT",
    "Place",
    "Precision",
    "Structure",
    "Verdict",
    "compare",
    "compare_callables",
    "judge",
    "precision",
    "structure",
]

Arrays = Mapping[str, np.ndarray]
Candidate = Callable[[Spec, Arrays, np.ndarray], np.ndarray]
Function = Callable[[np.ndarray], np.ndarray]

# What Winograd and FFT may add to a direct sum's error, as a multiple of u M: a measured margin
TRANSFORM = 64


def compare(
    spec: Spec,
    weights: Arrays | None = None,
    frameworks: Iterable[str] | None = None,
    x: np.ndarray | None = None,
    *,
    input_shape: Shape | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: str = "float32",
    direct: bool | None = None,
) -> list[Verdict]:
    """Judge each framework's build of ``spec`` against the float64 reference.

    Structure is judged on integers drawn from ``seed``; precision on ``x`` with ``weights`` (drawn
    from ``seed`` where not given). One of ``x`` and ``input_shape`` (N, *spatial, C) is needed.
    Without ``frameworks``, every installed one is judged; a missing one by name is an error.

    In float32 and float64 the probes run, too: on a convolution, transposed convolution or dense
    layer, and on the two steps of a ``SeparableConv``, each built by itself. ``direct`` says that
    the algorithm sums products as they are, so that integers and probes must be exact; without it
    one layer's transform (Winograd, FFT) is allowed its margin. By default, the CPU is direct.
    """
    names = registry.available() if frameworks is None else tuple(frameworks)
    if x is None and input_shape is None:
        raise InputError("compare needs an input x, or an input_shape to draw one for")
    shape = tuple(input_shape) if x is None else np.shape(x)  # type: ignore[arg-type]
    output_shape(spec, shape)
    if not names:
        raise InputError("no framework is installed: pip install 'convparity[pytorch]', for one")
    adapters = [registry.get(name) for name in names]  # a missing one fails before any work
    exam = _Exam(
        spec, weights, x, shape, seed, dtype, device == "cpu" if direct is None else direct
    )
    return [
        exam.verdict(adapter.name, device, _built(adapter, device, dtype)) for adapter in adapters
    ]


def judge(
    candidate: Candidate,
    spec: Spec,
    weights: Arrays | None = None,
    x: np.ndarray | None = None,
    *,
    input_shape: Shape | None = None,
    seed: int = 0,
    name: str = "candidate",
    dtype: str = "float32",
    direct: bool = True,
) -> Verdict:
    """Judge your own implementation of ``spec`` exactly as ``compare`` judges a framework's.

    ``candidate(spec, weights, x) -> y`` takes what ``impls.reference`` takes: canonical weights and
    a channels-last ``x`` of ``dtype``; it must give a ``y`` of that dtype (bfloat16 as float32). It
    is asked for ``spec`` with several weights and, of a ``SeparableConv``, for its two steps.
    """
    if x is None and input_shape is None:
        raise InputError("judge needs an input x, or an input_shape to draw one for")
    shape = tuple(input_shape) if x is None else np.shape(x)  # type: ignore[arg-type]
    output_shape(spec, shape)
    return _Exam(spec, weights, x, shape, seed, dtype, direct).verdict(name, "cpu", candidate)


def compare_callables(
    candidate: Function,
    expected: Function,
    input_shape: Shape,
    *,
    seed: int = 0,
    name: str = "candidate",
    dtype: str = "float32",
) -> Verdict:
    """Judge one black box by another: both map a channels-last ``x`` of ``dtype`` to a ``y``.

    - ``structure`` is judged on integers. Where ``expected`` answers in integers below
      ``1 / u`` (its weights are integers), it is bit equality, as in ``compare``. Elsewhere orders
      of summation differ, and up to 512 roundings of an output of this rms are allowed.
    - ``precision`` is the difference on random reals, counted in such roundings.

    Give both the same integer weights to have the structure proved. Without the weights no bound is
    known (``share`` is 0) and the arithmetic is not: outputs that cancel to far less than their
    terms look worse than they are, and a fault of both is not seen.
    """
    rng = np.random.default_rng(seed)
    integers = rng.integers(-7, 7, input_shape, endpoint=True).astype(np.float64)
    on_integers, on_reals = (
        (np.asarray(candidate(x)), _black_box(np.asarray(expected(x.copy())), dtype))
        for x in (round_to(integers, dtype), round_to(rng.standard_normal(input_shape), dtype))
    )
    reals, target = on_reals
    unbounded = replace(target, bound=np.full(target.value.shape, np.inf))
    return Verdict(name, "cpu", dtype, structure(*on_integers), precision(reals, unbounded))


def _black_box(y: np.ndarray, dtype: str) -> Rounded:
    """An output as a target: exact if it is integers, else only the size of a rounding is known."""
    target = exact_input(y, dtype)
    finite = np.where(np.isfinite(target.value), target.value, 0)
    rounding = target.u * math.sqrt(np.mean(finite**2)) if finite.size else 0.0
    integral = target.unit == 1 and float(np.max(abs(finite), initial=0)) * target.u < 1
    slack = 0.0 if integral else SCALE_LIMIT * rounding
    shape = target.value.shape
    return replace(target, bound=np.full(shape, slack), own=np.full(shape, rounding))


class _Exam:
    """The questions that a spec is asked, with their answers; the same for every candidate."""

    def __init__(
        self,
        spec: Spec,
        weights: Arrays | None,
        x: np.ndarray | None,
        shape: Shape,
        seed: int,
        dtype: str,
        direct: bool,
    ) -> None:
        self.spec, self.dtype, self.direct = spec, dtype, direct
        drawn_weights, drawn_x = real_case(spec, shape, seed)
        given = drawn_weights if weights is None else weights
        check_weights(spec, given)
        self.exact = integer_case(spec, exact_shape(spec, shape), seed, dtype)
        self.real = (  # in the dtype's own values: getting there is no error of the framework's
            {name: round_to(np.asarray(array), dtype) for name, array in given.items()},
            round_to(drawn_x if x is None else np.asarray(x), dtype),
        )
        self.targets = [
            trace(spec, w, exact_input(each, dtype)) for w, each in (self.exact, self.real)
        ]
        self.probes = [
            (case, layer, path)
            for path, layer, layer_shape in _probed(spec, shape)
            if dtype in probes.SIGNIFICAND
            for case in probes.cases(layer, layer_shape, seed, dtype)
        ]

    def verdict(self, name: str, device: str, candidate: Candidate) -> Verdict:
        """Ask one candidate everything."""
        on_integers, on_reals = (candidate(self.spec, *case) for case in (self.exact, self.real))
        return Verdict(
            name,
            device,
            self.dtype,
            structure(on_integers, self.targets[0], self._margin(self.exact)),
            precision(on_reals, self.targets[1], self._margin(self.real)),
            tuple(
                probes.outcome(
                    case, layer, path, candidate(layer, case.weights, case.x), self.direct
                )
                for case, layer, path in self.probes
            ),
        )

    def _margin(self, case: tuple[Arrays, np.ndarray]) -> np.ndarray | float:
        """What a transform may add to each output's error; of several layers it is not known."""
        if self.direct:
            return 0.0
        if not isinstance(self.spec, LINEAR):
            return math.inf
        return transform_margin(self.spec, *case, self.dtype)


def _built(adapter: Adapter, device: str, dtype: str) -> Candidate:
    def candidate(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        module = adapter.build(spec, weights, device=device, dtype=dtype)
        return adapter.apply(module, spec, x)

    return candidate


def _probed(spec: Spec, shape: Shape) -> Iterator[tuple[str, Linear, Shape]]:
    """The layers that probes are asked of, with their input shapes."""
    if isinstance(spec, LINEAR):
        yield "", spec, shape
    elif isinstance(spec, SeparableConv):
        yield "depthwise", spec.depthwise, shape
        yield "pointwise", spec.pointwise, output_shape(spec.depthwise, shape)


def transform_margin(spec: Linear, weights: Arrays, x: np.ndarray, dtype: str) -> np.ndarray:
    """64 u M for each output channel, where M sums max|x| sum|w| over its input channels, and |b|.

    Winograd and FFT mix all the pixels of a channel, so that the largest one counts everywhere.
    """
    filters = abs(to_filters(spec, weights["kernel"].astype(np.float64))).sum(axis=0)
    channels = filters.shape[0]
    largest = abs(x.astype(np.float64)).reshape(-1, x.shape[-1]).max(axis=0)
    grouped = largest.reshape(-1, channels)  # (groups, channels of one)
    size = np.einsum("gc,cgo->go", grouped, filters.reshape(channels, len(grouped), -1)).ravel()
    if spec.bias:
        size = size + abs(weights["bias"])
    return np.asarray(TRANSFORM * UNIT_ROUNDOFF[dtype] * size)


# ---------------------------------------------------------------- the two verdicts


def structure(output: np.ndarray, target: Rounded, margin: np.ndarray | float = 0.0) -> Structure:
    """Judge an output on integer data: every entry must be the reference's.

    With a ``margin`` below a half for what a transform may add, after rounding to integers.
    """
    slack = float(target.bound.max(initial=0))
    problem = _form_problem(output, target)
    if problem is not None:
        return Structure(0, target.value.size, slack, problem)
    error = _error(output, target.value)
    wrong = error > target.bound
    nearest = bool(wrong.any() and target.unit == 1 and 0 < np.max(margin) < 0.5)
    if nearest:
        wrong = np.rint(output) != target.value
    count = int(np.count_nonzero(wrong))
    worst = _place(np.where(wrong, error, -1), output, target.value) if count else None
    return Structure(count, target.value.size, slack, None, worst, nearest)


def precision(output: np.ndarray, target: Rounded, margin: np.ndarray | float = 0.0) -> Precision:
    """Judge an output on real data: under the proved bound, and of the size rounding makes.

    ``margin`` is added to the bound: what a transform may add to a direct sum's error.
    """
    problem = _form_problem(output, target)
    if problem is not None:
        return Precision(math.inf, 0, math.inf, math.inf, 0, problem)
    error = _error(output, target.value)
    bound = target.bound + margin
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(error == 0, 0, error / bound)
    shares = np.where(np.isnan(shares), np.inf, shares)
    at = np.unravel_index(int(shares.argmax()), shares.shape)
    finite = np.isfinite(target.value)
    rms_error, rms_scale = (
        math.sqrt(np.mean(each**2, where=finite)) if finite.any() else 0.0
        for each in (error, target.scale)
    )
    rho = rms_error / rms_scale if rms_error else 0.0
    mantissa = -math.log2(target.u)
    bits = mantissa - math.log2(rho) if rho else mantissa
    return Precision(
        float(error.max()),
        float(bound[at]),
        float(shares[at]),
        rho,
        max(0.0, min(mantissa, bits)),
        None,
        _place(shares, output, target.value),
    )


def _form_problem(output: np.ndarray, target: Rounded) -> str | None:
    if output.shape != target.value.shape:
        return f"shape {output.shape}, not {target.value.shape}"
    wanted = "float32" if target.dtype == "bfloat16" else target.dtype
    if output.dtype != wanted:
        return f"dtype {output.dtype}, not {wanted}"
    return None


def _error(output: np.ndarray, value: np.ndarray) -> np.ndarray:
    """|output - value|; infinite where only one of them is NaN, or an infinity is missed."""
    with np.errstate(invalid="ignore"):
        error = abs(output.astype(np.float64) - value)
    same = (output == value) | (np.isnan(output) & np.isnan(value))
    error = np.where(same, 0, error)
    return np.where(np.isnan(error), np.inf, error)


def _place(badness: np.ndarray, output: np.ndarray, value: np.ndarray) -> Place:
    at = np.unravel_index(int(badness.argmax()), badness.shape)
    return Place(tuple(map(int, at)), float(value[at]), float(output[at]))
