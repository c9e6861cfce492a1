"""The first layer whose own error makes two networks differ that should be twins.

Every layer is fed what the *expected* network feeds its twin, so that what a layer inherits from
those before it is not its fault. What it gives is judged against float64 with the expected
network's weights, by the verdicts of ``judging``, on that input and on small integers.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.layerwise.trees import Node, Pair, align, read
from convparity.analysis.layerwise.verdict import LayerVerdict, Layerwise
from convparity.analysis.proof.data import LIMIT, traced
from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.node_by_node import attempt
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, round_to
from convparity.analysis.proof.shapes import asked_shape, shape_like
from convparity.analysis.proof.verdict import Precision, Structure
from convparity.impls import registry
from convparity.impls.errors import InputError, WeightError, check_name
from convparity.impls.limits import check_work
from convparity.impls.reference import run as reference
from convparity.impls.reference_convolution import as_grouped
from convparity.impls.spec import (
    Composite,
    DepthwiseConv,
    Sequential,
    Shape,
    Spec,
    Step,
    branches,
    each_shape,
    fold_steps,
    is_one_layer,
    is_one_to_one,
    together,
)
from convparity.impls.values import (
    check_choice,
    check_input,
    check_no_join,
    check_seed,
    named_parts,
    on_each,
    parts,
)
from convparity.impls.weights import Arrays, Weights

__all__ = ["first_divergence"]

# The expected network's, and the other's: an array, or a tuple of those that a graph takes.
Values = tuple[Any, Any]

PASSES = 8  # of the reference, on every layer and its rounding


def first_divergence(
    module: Any,
    expected: Any,
    x: np.ndarray | tuple[np.ndarray, ...] | None = None,
    *,
    input_shape: Shape | tuple[Shape, ...] | None = None,
    seed: int = 0,
    dtype: str = "float32",
    direct: bool = True,
) -> Layerwise:
    """Find the first layer of ``module`` that does not do what its twin in ``expected`` does.

    Each layer is fed what the expected network feeds its twin, so that it is not blamed for what
    the layers before it do. Put both networks into inference mode, as their frameworks have it.

    Args:
        module: The network in question: a native module of any framework, or ``(spec, weights)``,
            which the reference runs. Layers of its own code are judged by their outputs.
        expected: The network that is right, its weights included, of the same kinds; all of it must
            be readable as a spec.
        x: The input, channels last; None draws one of ``input_shape``. Of a graph that takes
            several values, a tuple of them.
        input_shape: ``(N, *spatial, C)``, or a tuple of shapes; needed where there is no ``x``.
        seed: An integer from 0 to 2^128 - 1, from which data are drawn.
        dtype: In which both compute: "float32", "float64", "float16" or "bfloat16".
        direct: Whether both sum products as they are; False allows the measured margin of
            transforms (Winograd, FFT).

    Returns:
        A ``Layerwise``, whose ``.first`` is the layer, or None.

    Raises:
        InputError: The layers cannot be aligned; there is neither ``x`` nor ``input_shape``; or a
            name or number is not allowed.
        UnsupportedError: One is neither a module of a known framework nor ``(spec, weights)``, or
            ``expected`` cannot be read, or is a join alone.
        SpecError: The input does not fit.
        WeightError: Weights do not fit their spec.

    Example:
        >>> import convparity as cp
        >>> net = cp.Sequential(cp.Conv(3, 8, 3), cp.Activation("relu"), cp.Conv(8, 4, 1))
        >>> right = cp.init_weights(net, seed=0)
        >>> wrong = {**right, "2.kernel": 2 * right["2.kernel"]}
        >>> found = cp.first_divergence((net, wrong), (net, right), input_shape=(2, 7, 9, 3))
        >>> found.ok, found.first.path
        (False, '2')
    """
    if x is None and input_shape is None:
        raise InputError("first_divergence needs an input x, or an input_shape to draw one for")
    check_name("dtype", dtype, UNIT_ROUNDOFF)
    check_seed(seed)
    check_choice(direct, "direct")
    truth, tried = read(expected, dtype), read(module, dtype)
    if truth.spec is None:
        registry.owner(expected).describe(expected)  # raises, and says what it cannot read
    spec = _known(truth)
    check_no_join("first_divergence", spec)
    rng = np.random.default_rng(seed)
    if x is None:
        shapes = each_shape(asked_shape(spec, input_shape))
        check_work(spec, *shapes, passes=PASSES)
        given = together([rng.standard_normal(shape) for shape in shapes])
    else:
        given = check_input(spec, x)
        check_work(spec, *each_shape(shape_like(given)), passes=PASSES)
    start = on_each(lambda each: round_to(each, dtype), given)
    walk = _Walk(rng, dtype, direct)
    walk.run(align(truth, tried), start, start, root=True)
    return Layerwise(tried.owner, truth.owner, dtype, tuple(walk.layers))


def _known(node: Node) -> Spec:
    assert node.spec is not None  # nothing inside a readable module is unreadable
    return node.spec


class _Walk:
    """Runs two aligned networks, layer by layer, and judges each layer when it has run."""

    def __init__(self, rng: np.random.Generator, dtype: str, direct: bool) -> None:
        self.rng, self.dtype, self.direct = rng, dtype, direct
        self.layers: list[LayerVerdict] = []

    def run(self, pair: Pair, x: Any, drifted: Any, root: bool = False) -> Any:
        """What both give: the expected one for ``x``, the other for its own ``drifted`` input.

        ``drifted`` is None once the other network gives nothing that its next layer could take.
        """
        if not pair.inside:
            return self._judge(pair, x, drifted)
        done, spec, outputs = len(self.layers), _known(pair.expected), (x, drifted)
        if isinstance(spec, Composite) and branches(spec):
            outputs = self._branches(pair, spec, list(zip(parts(x), parts(drifted), strict=True)))
        else:
            for inner in pair.inside:
                outputs = self.run(inner, *outputs)
        # that layers agree one by one does not say that they are put together alike
        if root or pair.module.spec is None or not isinstance(spec, Sequential):
            return self._judge(pair, x, drifted, self.layers[done:])
        return outputs

    def _branches(self, pair: Pair, spec: Composite, start: list[Values]) -> Any:
        """What the steps of both give, where they do not run one after another."""
        children = {inner.expected.name: inner for inner in pair.inside}

        def visit(step: Step, values: list[Values]) -> Any:
            if isinstance(step.spec, Composite) and not is_one_to_one(step.spec):
                return self._inside(children[str(step.child)], step.spec, values)
            if not step.joins:
                return self.run(children[str(step.child)], *values[0])
            right = self._joined(step.spec, [x for x, _ in values])
            if all(drifted is x for x, drifted in values):
                return right, right
            tried = [drifted for _, drifted in values if drifted is not None]
            return right, self._joined(step.spec, tried) if len(tried) == len(values) else None

        return fold_steps(spec, start, visit)

    def _inside(self, pair: Pair, spec: Composite, values: list[Values]) -> Any:
        """What a composite of several values gives; it is judged with the one that holds it."""
        if not pair.inside:
            raise InputError(
                f"the layers cannot be aligned: {pair.expected.owner} has {pair.expected}, of "
                f"several values, and nothing is known inside {pair.module.owner}'s "
                f"{pair.module}: compare them as outputs, or give both the same structure"
            )
        return self._branches(pair, spec, values)

    def _joined(self, join: Spec, values: list[np.ndarray]) -> np.ndarray:
        with np.errstate(all="ignore"):  # a wrong layer may give anything
            made = reference(join, {}, *(value.astype(np.float64) for value in values))
            return round_to(made, self.dtype)

    def _judge(
        self, pair: Pair, x: Any, drifted: Any, inside: list[LayerVerdict] | None = None
    ) -> Values:
        expected, module, spec = pair.expected, pair.module, _known(pair.expected)
        weights = {name: round_to(w, self.dtype) for name, w in expected.weights().items()}
        difference, weights_ok = (None, True) if inside else self._weights(pair, weights)
        target = traced(spec, weights, x, self.dtype, self.direct)
        right, own = expected.forward(x), self._attempt(module, x)
        y = own if drifted is x or drifted is None else self._attempt(module, drifted)
        integers = on_each(self._integers, x)
        drift = None if drifted is None else _distance(y, right)
        verdict = LayerVerdict(
            path=expected.path,
            module_path=module.path,
            kind=expected.kind,
            own=self._verdict(own, spec, weights, x, target),
            on_integers=self._verdict(self._attempt(module, integers), spec, weights, integers),
            expected_ok=self._verdict(right, spec, weights, x, target).status != "wrong",
            inherited=None if drifted is None else _distance(y, own),
            drift=drift,
            size=max((_size(each.value) for each in parts(target)), default=0.0),
            spec_difference=None if inside else _spec_difference(spec, module.spec),
            weight_difference=difference,
            weights_ok=weights_ok,
            follows=bool(inside) and not all(each.ok for each in inside or ()),
            pair=pair,
        )
        self.layers.append(verdict if verdict.ok else replace(verdict, x=x))
        following = on_each(lambda each: round_to(each, self.dtype), right)
        if drift is None or not isinstance(y, np.ndarray):
            return following, None
        return following, following if np.array_equal(y, right) else y

    def _attempt(self, module: Node, x: Any) -> Any:
        return attempt(lambda *inputs: module.forward(together(inputs)), *parts(x))

    def _integers(self, x: np.ndarray) -> np.ndarray:
        return round_to(self.rng.integers(-LIMIT, LIMIT, x.shape, endpoint=True), self.dtype)

    def _verdict(
        self,
        output: Any,
        spec: Spec,
        weights: Weights,
        x: Any,
        target: Any = None,
    ) -> Structure | Precision:
        """Bit equality where nothing is rounded, else the bound and the size of the error."""
        if target is None:
            target = traced(spec, weights, x, self.dtype, self.direct)
        if isinstance(output, str):
            return Structure(0, sum(each.value.size for each in parts(target)), 0.0, output)
        if all(each.exact for each in parts(target)):
            return structure(output, target)
        return precision(output, target)

    def _weights(self, pair: Pair, weights: Weights) -> tuple[str | None, bool]:
        """How the weights differ, and whether by no more than a unit in the last place."""
        if pair.module.spec is None:
            return None, True
        try:
            held = pair.module.weights()
        except WeightError as error:
            return str(error), False
        return _weight_difference(weights, held, UNIT_ROUNDOFF[self.dtype])


def _size(value: np.ndarray) -> float:
    """The root mean square."""
    return math.sqrt(np.mean(value**2)) if value.size else 0.0


def _distance(a: Any, b: Any) -> float | None:
    """The largest difference, of any output; None where there is none to measure."""
    if isinstance(a, str) or isinstance(b, str):
        return None
    mine, other = named_parts(a), named_parts(b)
    if mine.keys() != other.keys():
        return None
    gaps = [_gap(mine[name], other[name]) for name in mine]
    return None if None in gaps else max(gaps, key=lambda gap: gap or 0.0)


def _gap(a: np.ndarray, b: np.ndarray) -> float | None:
    if a.shape != b.shape:
        return None
    with np.errstate(invalid="ignore"):
        gap = abs(a.astype(np.float64) - b)
    gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, gap)
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0))


def _spec_difference(expected: Spec, module: Spec | None) -> str | None:
    """The fields in which two specs differ: ``padding is ((1, 1), (1, 1)), not 'same'``."""
    if module is None:
        return "its code is its own: judged by its output"
    if DepthwiseConv in (type(expected), type(module)):  # one with groups may stand for it
        expected, module = (
            as_grouped(each) if isinstance(each, DepthwiseConv) else each
            for each in (expected, module)
        )
    if type(expected) is not type(module):
        return f"{type(module).__name__}, not {type(expected).__name__}"
    if expected == module or not is_one_layer(expected):  # layer by layer, then
        return None
    fields = vars(expected)
    return ", ".join(
        f"{name} is {getattr(module, name)!r}, not {value!r}"
        for name, value in fields.items()
        if getattr(module, name) != value
    )


def _weight_difference(expected: Arrays, held: Arrays, u: float) -> tuple[str | None, bool]:
    notes, fine = [], True
    for name in sorted(expected.keys() & held.keys()):
        right, found = expected[name], held[name]
        if right.size != found.size:
            notes.append(f"{name} has shape {found.shape}, not {right.shape}")
            continue
        found = found.reshape(right.shape)  # a depthwise kernel may be that of a grouped one
        gap = abs(found.astype(np.float64) - right)
        if not gap.any():
            continue
        at = np.unravel_index(int(gap.argmax()), gap.shape)
        place = f"{list(map(int, at))} = {found[at]:g}, not {right[at]:g}"
        notes.append(f"{np.count_nonzero(gap)} of {gap.size} in {name}, worst {name}{place}")
        fine &= bool((gap <= 2 * u * abs(right.astype(np.float64))).all())
    return "; ".join(notes) or None, fine
