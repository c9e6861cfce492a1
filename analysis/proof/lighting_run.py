"""One input and the layers that pass it on: where layers are lit, one after another.

Before the layer that is lit, signals pass in one way for all layers, and are computed once. At each
sum of branches, those that do not lead through the layer are closed by zeros, where they have
weights.
"""

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from convparity.analysis.proof.adjoint import Gradients, adjoint
from convparity.analysis.proof.certificate import Certificate, Seen, sums
from convparity.analysis.proof.linear_form import LINEAR
from convparity.analysis.proof.lit_weights import Filled
from convparity.analysis.proof.pass_through import (
    ANY,
    Passing,
    Range,
    classes_of,
    offsets,
    range_of,
)
from convparity.analysis.proof.rounded import Rounded, exact_input, round_to
from convparity.analysis.proof.rounding import trace
from convparity.analysis.proof.selection import Selection
from convparity.analysis.proof.wiring import Node, Wiring, entry
from convparity.impls.errors import UnsupportedError
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    AdaptiveMaxPool,
    Concat,
    Divide,
    Einsum,
    GlobalMaxPool,
    Join,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Multiply,
    Rearrange,
    Shape,
    Shapes,
    Slice,
    Source,
    Spec,
    dotted,
    each_shape,
    output_shape,
    packed,
    together,
)
from convparity.impls.values import gives_several
from convparity.impls.weights import Weights

MOVES = (Rearrange, Slice)  # which move channels
LARGEST = (MaxPool, MaxPoolIndices, AdaptiveMaxPool, GlobalMaxPool)  # which choose among pixels


class Lighting(NamedTuple):
    """Weights and an input that light one layer, and what the network must make of them."""

    path: str  # of the layer
    weights: Weights
    x: Any  # an array, or a tuple of those that a graph takes
    target: Any  # the output, or all of them: ``judging.structure`` compares with it


class Bounded(Rounded):
    """A value with its bound alone: no sample of independent roundings is drawn."""

    @property
    def disturbed(self) -> np.ndarray:
        """The value itself."""
        return self.value

    def then(self, value: np.ndarray, magnitude: np.ndarray, **how: object) -> "Rounded":
        """As ``Rounded.then``, without what only the sample needs."""
        plain = {"noise": lambda _: value, "variance": lambda: np.zeros(1)}
        made = super().then(value, magnitude, **{**how, **plain})  # type: ignore[arg-type]
        none = np.broadcast_to(0.0, value.shape)  # no memory
        return dataclasses.replace(made, noise=none, own=none)


class Signal(NamedTuple):
    """A value on its way."""

    traced: Rounded
    classes: np.ndarray  # of its channels: what they hold, or carry
    shadow: np.ndarray | None = None  # without the activation that is lit; None: the same
    chosen: Selection | None = None  # the filters that made it, if those of a passing layer did


class Draft(NamedTuple):
    """A lighting, and the values on the way from its layer to the output."""

    target: int
    lighting: Lighting
    follows: list[int]
    found: dict[int, Signal]
    own: list[Weights]
    closed: dict[int, set[int]]
    outputs: tuple[int, ...]  # those that the layer leads to
    rng: np.random.Generator

    @property
    def excess(self) -> float:
        """How far beyond half a unit the bound is, where it may be smaller than 1: in halves."""
        ends = (self.found[output].traced for output in self.outputs)
        return max(
            (
                float(end.bound.max(initial=0)) / (end.unit / 2)
                for end in ends
                if end.unit is not None
            ),
            default=0.0,
        )

    @property
    def smooth(self) -> bool:
        """Whether an output lies on no lattice."""
        return any(self.found[output].traced.unit is None for output in self.outputs)


class LightingRun:
    """What all lightings of one number share: the input, and the layers that pass it on."""

    def __init__(
        self,
        wiring: Wiring,
        shape: Shapes,
        seed: tuple[int, int],
        dtype: str,
        direct: bool,
        *,
        targets: Iterable[int],
        flat: bool = False,
        signed: bool = False,
    ) -> None:
        self.wiring, self.nodes, self.seed = wiring, wiring.nodes, seed
        self.dtype, self.direct, self.flat = dtype, direct, flat
        self.rng = np.random.default_rng(seed)
        inputs = [self._drawn(each, signed) for each in each_shape(shape)]
        self.x = together(inputs)
        self.before: list[Signal] = []
        self.weights: list[Weights] = []
        self.entries = [self._signal_of(x) for x in inputs]
        passing = Passing(self.rng, after=False, middle=flat)
        for i, node in enumerate(self.nodes):
            taken = [self._before(each) for each in node.inputs]
            if isinstance(node.spec, Join):
                closed = wiring.closed(i, None, seed[-1])
                taken = [
                    self._silent(j) if j in closed else each
                    for j, each in zip(node.inputs, taken, strict=True)
                ]
            found, signal = self._pass(i, taken, passing, self.weights)
            if not isinstance(node.spec, Join):
                signal = signal._replace(classes=classes_of(signal.traced.value))
            self.weights.append(found)
            self.before.append(signal)
        lit = {i for target in targets for i in (target, *wiring.moved_by(target))}
        kept = {j for i in lit for j in self.nodes[i].inputs} | set(wiring.outputs)
        # the others would fill the memory: only their shapes may be asked for
        for i in set(range(len(self.nodes))) - kept:
            self.before[i] = _empty(self.before[i])

    def _drawn(self, shape: Shape, signed: bool) -> np.ndarray:
        """One input; a flat one is constant over space."""
        own = (shape[0], *[1] * (len(shape) - 2), shape[-1]) if self.flat else shape
        return round_to(np.broadcast_to(self._integers(own, signed), shape), self.dtype)

    def _integers(self, shape: Shape, signed: bool) -> np.ndarray:
        """Integers; positive ones, which pass every activation, unless one of them is lit."""
        rng = self.rng
        if signed:
            return rng.integers(-9, 9, shape, endpoint=True).astype(np.float64)
        if any(isinstance(node.spec, LARGEST) for node in self.nodes):
            # the largest of several have the same distribution, moved: they never become one number
            return np.maximum(np.floor(1.3 * rng.gumbel(size=shape)) + 3, 1)
        return rng.integers(1, 4, shape, endpoint=True).astype(np.float64)

    def _signal_of(self, x: np.ndarray) -> Signal:
        plain = exact_input(x, self.dtype, self.direct)
        fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
        return Signal(Bounded(**fields), classes_of(x))

    def _before(self, index: int) -> Signal:
        return self.entries[entry(index)] if index < 0 else self.before[index]

    def _silent(self, index: int, target: int | None = None) -> Signal:
        """The end of a branch that is closed."""
        chain: list[int] = []
        closer = self.wiring.closer(index, target)
        self._check_closes(closer)
        while index != closer:
            chain.append(index)
            (index,) = self.nodes[index].inputs
        traced = zeros_like(self._before(index).traced)
        for each in reversed(chain):
            traced = trace(self.nodes[each].spec, {}, traced)
        return Signal(traced, np.full(traced.value.shape[-1], -1))

    def _check_closes(self, index: int | None) -> None:
        """Zeros as its weights make zeros of anything: so it is of each layer that we know."""
        if index is None or isinstance(self.nodes[index].spec, LINEAR):
            return
        node = self.nodes[index]
        (before,) = node.inputs
        x = np.random.default_rng(0).standard_normal(self._before(before).traced.value.shape)
        if run(node.spec, zero_weights(node), x).any():
            name = type(node.spec).__name__
            raise UnsupportedError(f"no way is known to close a branch that ends in {name}")

    # ------------------------------------------------------------ passing

    def _pass(
        self, index: int, inputs: list[Signal], passing: Passing, own: Sequence[Weights]
    ) -> tuple[Weights, Signal]:
        """The weights of a node that passes its inputs on, and its output.

        A layer that ran before keeps the weights that ``own`` has for it.
        """
        node = self.nodes[index]
        shadows = [s.traced.value if s.shadow is None else s.shadow for s in inputs]
        dark = all(s.shadow is None for s in inputs)
        classes, wanted = inputs[0].classes, self._wanted(index)
        values = [inputs[0].traced.value] + ([] if dark else shadows)
        if (first := self.wiring.first[index]) != index:
            traced = trace(node.spec, own[first], inputs[0].traced)
            shadow = None if dark else run(node.spec, own[first], shadows[0])
            return own[first], Signal(traced, classes_of(traced.value), shadow)
        if isinstance(node.spec, Source):
            shapes = node.spec.parameters()
            found = {name: np.full(each, self._neutral(index)) for name, each in shapes.items()}
            traced = trace(node.spec, found, inputs[0].traced)
            return found, Signal(traced, classes_of(traced.value))
        if isinstance(node.spec, LINEAR):
            chosen, classes = passing.select(node.spec, values, classes, wanted)
            traced = chosen.trace(inputs[0].traced)
            shadow = None if dark else chosen.run(shadows[0]) + chosen.bias
            return chosen.weights, Signal(traced, classes, shadow, chosen)
        found = {}
        if node.has_weights:
            found, classes = passing.weights(node.spec, values, classes, wanted)
        else:
            classes = joined(node.spec, inputs)
        traced = trace(node.spec, found, *(s.traced for s in inputs))
        shadow = None if dark else run(node.spec, found, *shadows)
        return found, Signal(traced, classes, shadow)

    def _neutral(self, index: int) -> float:
        """What a parameter holds so that signals pass where they meet it."""
        for each in self.wiring.takers[index]:
            if isinstance(self.nodes[each].spec, Multiply | Divide | Einsum):
                return 1.0
            moves = not isinstance(self.nodes[each].spec, Join) and not self.nodes[each].has_weights
            if moves and self._neutral(each):
                return 1.0
        return 0.0

    def _wanted(self, index: int) -> Range:
        """Where the next activation wants what this node makes, unless a layer between can add."""
        low, high = ANY
        for each in self.wiring.takers[index]:
            spec = self.nodes[each].spec
            own = range_of(spec)
            if own is None:
                own = ANY if offsets(spec) else self._wanted(each)
            low, high = max(low, own[0]), min(high, own[1])
        return low, high

    # ------------------------------------------------------------ one lighting

    def draft(self, target: int, limit: int) -> "Draft":
        """A lighting with integers up to ``limit``."""
        nodes, wiring = self.nodes, self.wiring
        rng = np.random.default_rng([*self.seed, target, limit])
        below, moved = wiring.below(target), wiring.moved_by(target)
        closed: dict[int, set[int]] = {}
        silent: set[int] = set()
        for i, node in enumerate(nodes):
            if isinstance(node.spec, Join):
                led = target if i in below else None
                closed[i] = wiring.closed(i, led, self.seed[-1])
                silent |= {c for j in closed[i] if (c := wiring.closer(j, led)) is not None}
        needed = wiring.needed(closed)

        own = list(self.weights)
        for i in silent:
            own[i] = zero_weights(nodes[i])
        node = nodes[target]
        (source,) = [self._before(each) for each in node.inputs]
        follows = wiring.follows(target)
        bends = [i for i in (target, *follows) if isinstance(nodes[i].spec, Activation)]
        act = nodes[bends[0]].spec if bends else None
        if node.has_weights:
            filled = Filled(rng, limit)
            own[target] = filled.weights(node.spec, source.traced.value, act)  # type: ignore[arg-type]
        traced = trace(node.spec, own[target], source.traced)
        signal = Signal(traced, np.arange(traced.value.shape[-1]))
        if bends[:1] == [target]:
            signal = signal._replace(shadow=source.traced.value)
        found: dict[int, Signal] = {target: signal}
        pools = any(isinstance(nodes[i].spec, LARGEST) for i in moved)
        passing = Passing(rng, after=True, middle=self.flat, signs=pools)
        for i in sorted(moved & needed):
            inputs = [
                self._silent(j, target) if j in closed.get(i, ()) else found.get(j, self._before(j))
                for j in nodes[i].inputs
            ]
            weights, signal = self._pass(i, inputs, passing, own)
            if bends[:1] == [i]:
                signal = signal._replace(shadow=inputs[0].traced.value)
            if nodes[i].has_weights:
                own[i] = weights
            found[i] = signal

        ends = [found.get(j, self._before(j)).traced for j in wiring.outputs]
        lighting = Lighting(nodes[target].path, self._named(own), self.x, self._given(ends))
        return Draft(
            target,
            lighting,
            follows=follows,
            found=found,
            own=own,
            closed=closed,
            outputs=tuple(j for j in dict.fromkeys(wiring.outputs) if j in found),
            rng=rng,
        )

    def silence(self, target: int) -> Lighting:
        """Zeros up to the target and within it: what errs there does not show, only what follows.

        The first layers behind it that can add give each channel a number; the others are filled.
        """
        nodes, below = self.nodes, self.wiring.below(target)
        rng = np.random.default_rng([*self.seed, target])
        own: list[Weights] = []
        found: list[Rounded] = []
        for i, node in enumerate(nodes):
            inputs = [found[j] if j >= 0 else self._before(j).traced for j in node.inputs]
            weights: Weights = {}
            if (first := self.wiring.first[i]) != i:
                weights = own[first]
            elif node.has_weights and i in below and np.ptp(inputs[0].value):
                weights = Filled(rng, 3).weights(node.spec, inputs[0].value, None)
            elif node.has_weights:
                weights = zero_weights(node)
                name = "bias" if "bias" in weights else "offset"
                if i in below and name in weights:
                    weights[name] = rng.permutation(weights[name].size) + 1.0
            own.append(weights)
            found.append(trace(node.spec, weights, *inputs))
        ends = [found[j] if j >= 0 else self._before(j).traced for j in self.wiring.outputs]
        return Lighting(nodes[target].path, self._named(own), self.x, self._given(ends))

    def _given(self, ends: list[Rounded]) -> Any:
        """The outputs, as the network gives them."""
        spec = self.wiring.spec
        return packed(spec, tuple(ends) if gives_several(spec) else ends[0])

    def _named(self, own: list[Weights]) -> Weights:
        return {
            dotted(node.path, name): np.asarray(array, dtype=np.float64)
            for node, each in zip(self.nodes, own, strict=True)
            for name, array in each.items()
        }

    def certify(self, draft: "Draft", certificate: Certificate) -> bool:
        """Go back from each output to the target, and note what was lit; whether that is new."""
        new = [self._certify(draft, each, certificate) for each in draft.outputs]
        return any(new)

    def _certify(self, draft: "Draft", end: int, certificate: Certificate) -> bool:
        target, _, follows, found, own, closed, _, rng = draft
        nodes, runs, output = self.nodes, self.wiring.runs(draft.target), draft.found[end]
        g, least = sums(output.traced, rng)
        by_output: dict[int, np.ndarray] = {end: g}
        new = False
        for i in sorted(found, reverse=True):
            if i not in by_output:
                continue
            node = nodes[i]
            inputs = [found.get(j, self._before(j)).traced.value for j in node.inputs]
            proved = i in runs or i in follows
            if (chosen := found[i].chosen) is not None:
                back = Gradients((chosen.back(inputs[0].shape, by_output[i]),), {})
            else:
                back = adjoint(node.spec, own[i], inputs, by_output[i], by_weights=proved)
            if proved:
                seen = Seen(node.spec, own[i], inputs[0], by_output[i], back.weights)
                name = f"run {runs.index(i) + 1}: " if i in runs else f"{node.path}: "
                new |= certificate.note(seen, least, "" if i == target else name)
            for j, each in zip(node.inputs, back.inputs, strict=True):
                if j in found and j not in closed.get(i, ()):
                    by_output[j] = by_output[j] + each if j in by_output else each
        if output.shadow is not None:
            differs = abs(output.shadow - output.traced.value) > 2 * output.traced.bound
            among = (nodes[i] for i in (target, *follows))
            name = next(node.path for node in among if isinstance(node.spec, Activation))
            lit = np.array([bool((differs & ~output.traced.untested).any())])
            new |= certificate.add(f"{name}: activation", lit)
        return new


def _empty(signal: Signal) -> Signal:
    """A signal of the same shape that holds one number."""
    shape = signal.traced.value.shape
    none = np.broadcast_to(np.nan, shape)
    traced = dataclasses.replace(signal.traced, value=none, bound=none, noise=none, own=none)
    return Signal(traced, signal.classes)


def zeros_like(traced: Rounded) -> Rounded:
    """Zero, exactly."""
    none = np.zeros(traced.value.shape)
    return dataclasses.replace(
        traced, value=none, bound=none, noise=none, own=none, unit=1.0, basis="exact"
    )


def zero_weights(node: Node) -> Weights:
    """Weights of a layer that makes nothing but zeros."""
    shapes = node.spec.parameters()  # type: ignore[attr-defined]
    return {name: np.full(shape, float(name == "variance")) for name, shape in shapes.items()}


def joined(spec: Spec, inputs: list[Signal]) -> np.ndarray:
    """The classes of the output of a node without weights."""
    value = inputs[0].traced.value
    made = output_shape(spec, *(s.traced.value.shape for s in inputs))
    if isinstance(spec, Concat) and made[-1] == sum(s.traced.value.shape[-1] for s in inputs):
        apart = max(s.classes.max(initial=0) for s in inputs) + 1
        parts = (np.where(s.classes < 0, -1, s.classes + apart * i) for i, s in enumerate(inputs))
        return np.concatenate(list(parts))
    if isinstance(spec, MOVES):
        return moved_classes(spec, inputs[0])
    if isinstance(spec, Einsum | MaxUnpool):
        return classes_of(run(spec, {}, *(s.traced.value for s in inputs)))
    first = inputs[0].classes
    for each in inputs[1:]:
        first = np.where(first < 0, each.classes, first)
    if made[-1] == value.shape[-1]:
        return first
    pixels, rest = divmod(made[-1], value.shape[-1])  # flattened: each pixel is a signal
    if rest or not pixels or len(made) > 2:  # the last axis is another one
        return classes_of(run(spec, {}, *(s.traced.value for s in inputs)))
    moved = np.arange(pixels)[:, None] * (first.max(initial=0) + 1) + first
    return np.where(first < 0, -1, moved).reshape(-1)


def moved_classes(spec: Spec, signal: Signal) -> np.ndarray:
    """The classes of channels that were moved, maybe to other pixels: equal where all pixels are.

    Each pixel of a class is a number, which is moved as the values are.
    """
    pixels = signal.traced.value.shape[:-1]
    places = np.arange(math.prod(pixels)).reshape(*pixels, 1) + 1
    numbers = np.where(signal.classes < 0, 0, signal.classes * places.size + places)
    moved = run(spec, {}, numbers.astype(np.float64))
    columns, classes = np.unique(moved.reshape(-1, moved.shape[-1]), axis=1, return_inverse=True)
    return np.where((columns == 0).all(axis=0)[classes], -1, classes)
