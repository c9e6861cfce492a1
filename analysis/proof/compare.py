"""Is a port right? Two verdicts: its structure is proved exact, its precision is measured.

- **Structure**: on small integers no order of summation rounds, so every framework must give the
  reference's bits. A wrong axis, pad, group, stride or flip shows at full size.
- **Precision**: on real numbers the error must stay under a proved rounding bound, and its size is
  reported as effective bits (about 23 for float32, 11 for TF32, 8 for bfloat16). Probes (see
  ``probes``) ask each linear layer by itself whether it computes in its dtype at all.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from convparity.analysis.proof import probes
from convparity.analysis.proof.black_box import lit_structure
from convparity.analysis.proof.data import (
    exact_shape,
    is_deep,
    judged_case,
    layer_case,
    normal,
    real_case,
    traced,
)
from convparity.analysis.proof.judging import merged, precision, structure
from convparity.analysis.proof.linear_form import LINEAR, Linear
from convparity.analysis.proof.node_by_node import (
    Node,
    Output,
    calibrated,
    judge_nodes,
    node_weights,
    nodes,
    other_shape,
    run_nodes,
)
from convparity.analysis.proof.rounded import rms, round_to
from convparity.analysis.proof.shapes import asked_shape, shape_like
from convparity.analysis.proof.trust import OTHERS, constant_outputs, weakest
from convparity.analysis.proof.verdict import SCALE_LIMIT, Place, Precision, Structure, Verdict
from convparity.impls import registry
from convparity.impls.adapter import DTYPES, Adapter
from convparity.impls.errors import (
    InputError,
    check_name,
    quoted,
)
from convparity.impls.limits import check_work
from convparity.impls.reference import Implementation, run
from convparity.impls.spec import (
    Composite,
    Layer,
    Shape,
    Shapes,
    Spec,
    each_shape,
    is_one_layer,
    walk_shapes,
)
from convparity.impls.values import (
    check_choice,
    check_input,
    check_no_join,
    check_seed,
    gives_several,
    on_each,
    output_of,
    outputs_of,
    parts,
)
from convparity.impls.weights import Arrays, Weights, check_weights

__all__ = [
    "SCALE_LIMIT",
    "Place",
    "Precision",
    "Structure",
    "Verdict",
    "compare",
    "judge",
    "precision",
    "structure",
]

T = TypeVar("T")

PASSES = 6  # as many numbers are held as this many runs of the reference hold


def compare(
    spec: Spec,
    weights: Arrays | None = None,
    frameworks: str | Iterable[str] | None = None,
    x: np.ndarray | tuple[np.ndarray, ...] | None = None,
    *,
    input_shape: Shape | tuple[Shape, ...] | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: str = "float32",
    direct: bool | None = None,
) -> list[Verdict]:
    """Judge what each framework builds of a spec, against the float64 reference.

    Structure is judged on integers drawn from ``seed``, precision on ``x`` with ``weights``. In
    float32 and float64, probes ask each convolution and dense layer (of a ``SeparableConv``, both
    its steps) whether it computes in that dtype at all.

    Args:
        spec: Any layer or network.
        weights: The canonical weights; None draws them from ``seed``.
        frameworks: One name or several of "pytorch", "flax" and "keras"; None is all that are
            installed.
        x: The input, channels last; None draws one of ``input_shape``. Of a graph that takes
            several values, a tuple of them.
        input_shape: ``(N, *spatial, C)``, or a tuple of shapes; needed where there is no ``x``.
        seed: An integer from 0 to 2^128 - 1, from which data are drawn.
        device: "cpu", or one that the frameworks see, such as "gpu:0".
        dtype: "float32", "float64", "float16" or "bfloat16".
        direct: Whether the algorithm sums products as they are, so that integers and probes must be
            exact; False allows the measured margin of transforms (Winograd, FFT). None is True on
            the CPU only.

    Returns:
        A ``Verdict`` for each framework, in the order asked for.

    Raises:
        InputError: There is neither ``x`` nor ``input_shape``; a name or number is not allowed; or
            no framework is installed.
        SpecError: The input does not fit the spec.
        WeightError: The weights do not fit the spec.
        FrameworkUnavailable: A framework that is named is not installed.
        UnsupportedError: A framework cannot do what the spec asks, or lacks the device; or the spec
            is a join alone.

    Example:
        >>> import convparity as cp
        >>> spec = cp.Conv(3, 8, 3)
        >>> (verdict,) = cp.compare(spec, frameworks="pytorch", input_shape=(1, 7, 9, 3))
        >>> verdict.framework, verdict.status, str(verdict.structure)
        ('pytorch', 'ok', 'exact')
    """
    names = registry.asked(frameworks)
    x, shape = _asked("compare", spec, x, input_shape, dtype, seed, direct)
    if not names:
        raise InputError("no framework is installed: pip install 'convparity[all]'")
    adapters = [registry.get(name) for name in names]  # a missing one fails before any work
    exam = _Exam(
        spec,
        weights,
        x,
        shape,
        seed,
        dtype,
        device == "cpu" if direct is None else direct,
        inside=True,
    )
    return [
        exam.verdict(
            adapter.name,
            device,
            _built(adapter, device, dtype),
            _inside(adapter, spec, device, dtype),
        )
        for adapter in adapters
    ]


def judge(
    candidate: Implementation,
    spec: Spec,
    weights: Arrays | None = None,
    x: np.ndarray | tuple[np.ndarray, ...] | None = None,
    *,
    input_shape: Shape | tuple[Shape, ...] | None = None,
    seed: int = 0,
    name: str = "candidate",
    dtype: str = "float32",
    direct: bool = True,
) -> Verdict:
    """Judge your own implementation of a spec as ``compare`` judges a framework's.

    Of a network, each layer is also judged through the others, which are given weights that pass
    its signal on. A layer that no signal reaches is "not tested", and named.

    Args:
        candidate: ``candidate(spec, weights, x) -> y``. It takes what ``reference`` takes, ``x`` in
            ``dtype``, and must give a ``y`` of that dtype (of bfloat16, float32). It is called
            often, with several weights and sizes, and of a ``SeparableConv`` with its two steps.
        spec: Any layer or network.
        weights: The canonical weights for precision; None draws them from ``seed``.
        x: The input for precision, channels last; None draws one of ``input_shape``. Of a graph
            that takes several values, a tuple of them.
        input_shape: ``(N, *spatial, C)``, or a tuple of shapes; needed where there is no ``x``.
        seed: An integer from 0 to 2^128 - 1, from which data are drawn.
        name: What the verdict calls the candidate.
        dtype: "float32", "float64", "float16" or "bfloat16".
        direct: Whether it sums products as they are; False allows the measured margin of transforms
            (Winograd, FFT).

    Returns:
        The ``Verdict``.

    Raises:
        InputError: The candidate cannot be called, fails, or gives no array of real numbers; there
            is neither ``x`` nor ``input_shape``; or a name or number is not allowed.
        SpecError: The input does not fit the spec.
        WeightError: The weights do not fit the spec.
        UnsupportedError: The spec is a join alone.

    Example:
        >>> import convparity as cp
        >>> def port(spec, weights, x):
        ...     return cp.reference(spec, weights, x[:, ::-1]).astype("float32")  # upside down
        >>> cp.judge(port, cp.Conv(3, 8, 3), input_shape=(1, 7, 9, 3)).structure.status
        'wrong'
    """
    x, shape = _asked("judge", spec, x, input_shape, dtype, seed, direct)
    candidate = _guarded(candidate)
    verdict = _Exam(spec, weights, x, shape, seed, dtype, direct).verdict(name, "cpu", candidate)
    if not isinstance(spec, Composite):
        return verdict
    lit = lit_structure(candidate, spec, shape, seed, dtype, direct)
    if verdict.structure.status == "wrong" and lit.status != "wrong":
        return verdict  # wrong at the size that was asked for alone
    return replace(verdict, structure=lit)


def _guarded(candidate: Implementation) -> Implementation:
    """The candidate with arrays of its own, which it may overwrite."""
    if not callable(candidate):
        raise InputError(
            f"a candidate is called as candidate(spec, weights, x); {quoted(candidate)} cannot be "
            "called"
        )

    def asked(spec: Spec, weights: Arrays, x: Any) -> Any:
        own = {name: np.array(array) for name, array in weights.items()}
        get = outputs_of if gives_several(spec) else output_of
        return get(candidate, "the candidate", spec, own, on_each(np.array, x))

    return asked


def _asked(
    who: str,
    spec: Spec,
    x: Any,
    input_shape: Any,
    dtype: str,
    seed: int,
    direct: bool | None,
) -> tuple[Any, Shapes]:
    """The user's input, if there is one, and the shape to judge on, once both can be used."""
    check_no_join(who, spec)
    check_choice(direct, "direct")
    if x is not None:
        x = check_input(spec, x)
    elif input_shape is None:
        raise InputError(f"{who} needs an input x, or an input_shape to draw one for")
    shape = asked_shape(spec, input_shape) if x is None else shape_like(x)
    check_work(spec, *each_shape(shape), passes=PASSES)
    _checked(dtype, seed)
    return x, shape


def _checked(dtype: str, seed: int) -> None:
    """Raise for what no data can be drawn with."""
    check_name("dtype", dtype, DTYPES)
    check_seed(seed)


class _Exam:
    """The questions that a spec is asked, with their answers; the same for every candidate.

    ``inside`` says that the candidates' layers can be asked one by one.
    """

    def __init__(
        self,
        spec: Spec,
        weights: Arrays | None,
        x: Any,
        shape: Shapes,
        seed: int,
        dtype: str,
        direct: bool,
        inside: bool = False,
    ) -> None:
        self.spec, self.dtype, self.direct = spec, dtype, direct
        drawn_weights, drawn_x = real_case(spec, shape, seed)
        given = drawn_weights if weights is None else weights
        check_weights(spec, given)
        self.nodes: tuple[Node, ...] = ()
        if inside and isinstance(spec, Composite):
            self.nodes = nodes(spec, shape, seed, dtype, direct)
        network = isinstance(spec, Composite)
        self.exact: _Question | None = None
        trusts = [node.trust for node in self.nodes]
        if isinstance(spec, Layer):
            (exact,) = each_shape(exact_shape(spec, shape))
            case, target, seen = layer_case(spec, exact, seed, dtype, direct)
            trusts.append(seen)
            self.exact = _Question(*case, target)
        elif not is_deep(spec):
            case, target, seen = judged_case(spec, exact_shape(spec, shape), seed, dtype)
            if seen.ok:
                if not direct:
                    target = traced(spec, *case, dtype, direct)
                self.exact = _Question(*case, target)
        self.real = self._question(given, drawn_x if x is None else x)
        self.wiring: _Question | None = None
        signal = None
        if network:
            other = normal(other_shape(spec, shape), seed + 1)
            self.wiring = self._question(calibrated(spec, given, other), other)
            signal = self._signal(self.wiring)
        self.trust = weakest(trusts, signal)
        self.probes = [
            (case, layer, path)
            for path, layer, layer_shape in _probed(spec, shape)
            if dtype in probes.PROBED
            for case in probes.cases(layer, layer_shape, seed, dtype)
        ]

    def _question(self, weights: Arrays, x: Any) -> "_Question":
        # in the dtype's own values: getting there is no error of the framework's
        w = {name: round_to(np.asarray(array), self.dtype) for name, array in weights.items()}
        value = on_each(lambda each: round_to(np.asarray(each), self.dtype), x)
        with np.errstate(invalid="ignore"):  # of an x with infinities
            target = traced(self.spec, w, value, self.dtype, self.direct)
        return _Question(w, value, target)

    def _signal(self, asked: "_Question") -> float:
        """How many times what passes as rounding another input changes each output by.

        It is the first of ``OTHERS`` that changes the output.
        """
        values = [x.astype(np.float64) for x in parts(asked.x)]

        def outputs(change: Callable[[np.ndarray], np.ndarray]) -> Any:
            return parts(run(self.spec, asked.weights, *map(change, values)))

        negated, signals = outputs(OTHERS[0]), []
        for number, target in enumerate(parts(asked.target)):
            change = rms(negated[number] - target.value)
            for other in OTHERS[1:]:
                change = change or rms(outputs(other)[number] - target.value)
            passes = SCALE_LIMIT * rms(target.scale)
            if change:
                signals.append(change / passes if passes else math.inf)
            else:
                same = constant_outputs(self.spec, *(x.shape for x in values))[number]
                signals.append(math.inf if same else 0.0)
        return min(signals)

    def verdict(
        self, name: str, device: str, candidate: Implementation, inside: "_Inside | None" = None
    ) -> Verdict:
        """Ask one candidate everything; ``inside`` gives what its layers make of the nodes."""

        def judged(asked: _Question, judge: Callable[[Any, Any], T]) -> T:
            return judge(candidate(self.spec, asked.weights, asked.x), asked.target)

        found: list[Structure] = []
        if self.nodes:
            assert inside is not None  # who has nodes was asked for them
            outputs = inside(node_weights(self.nodes), self.nodes)
            found = [replace(one, layer=path) for path, one in judge_nodes(self.nodes, outputs)]
        if self.exact is not None:
            found.append(judged(self.exact, structure))
        return Verdict(
            name,
            device,
            dtype=self.dtype,
            structure=merged(found),
            precision=precision(
                candidate(self.spec, self.real.weights, self.real.x), self.real.target, self.real.x
            ),
            probes=tuple(
                probes.outcome(
                    case, layer, path, candidate(layer, case.weights, case.x), self.direct
                )
                for case, layer, path in self.probes
            ),
            wiring=None if self.wiring is None else judged(self.wiring, precision),
            trust=self.trust,
        )


class _Question(NamedTuple):
    """What a whole spec is asked, and what it must answer."""

    weights: Weights
    x: Any  # an array, or a tuple of those that a graph takes
    target: Any  # of several outputs, a tuple or a dict of them


_Inside = Callable[[Weights, tuple[Node, ...]], Iterator[Output]]


def _built(adapter: Adapter, device: str, dtype: str) -> Implementation:
    def candidate(spec: Spec, weights: Arrays, x: Any) -> Any:
        module = adapter.build(spec, weights, device=device, dtype=dtype)
        return adapter.apply(module, spec, x)

    return candidate


def _inside(adapter: Adapter, spec: Spec, device: str, dtype: str) -> _Inside:
    def layers(weights: Weights, asked: tuple[Node, ...]) -> Iterator[Output]:
        build = partial(adapter.build, weights={}, device=device, dtype=dtype)
        network = adapter.build(spec, weights, device=device, dtype=dtype)
        return run_nodes(adapter, network, asked, None if dtype == "float32" else build)

    return layers


def _probed(spec: Spec, shape: Shapes) -> Iterator[tuple[str, Linear, Shape]]:
    """The layers that probes are asked of, with their input shapes."""
    if is_one_layer(spec):
        for path, layer, shapes in walk_shapes(spec, *each_shape(shape)):
            if isinstance(layer, LINEAR):
                yield path, layer, shapes[0]
