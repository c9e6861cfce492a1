"""A network lit one layer at a time: the way to prove a black box that takes weights.

For each layer there are weights and an input with which the layers before it pass signals on, it
holds dense small integers itself, and the layers after it carry all of its channels to the output:
exactly, or within less than half a unit. A certificate counts what of the layer was lit (see
``certificate``): lightings follow until that is everything, or tries are used up.

What a layer without weights does is proved with the layer before it; if there is none, it is lit
itself. At each sum of branches, those that do not lead through the layer are closed by zeros, where
they have weights.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from convparity.analysis.proof.adjoint import adjoint
from convparity.analysis.proof.certificate import Certificate, Seen, sums
from convparity.analysis.proof.filled import FREE, Filled
from convparity.analysis.proof.nodes import ENTRY, Node, nodes_of, reached_from, takers
from convparity.analysis.proof.passing import ANY, Passing, Range, classes_of, offsets, range_of
from convparity.analysis.proof.rounding import Rounded, exact_input, round_to, trace
from convparity.impls.reference import run
from convparity.impls.spec import (
    Activation,
    Join,
    MaxPool,
    Shape,
    Spec,
    dotted,
    output_shape,
    under,
)
from convparity.impls.weights import Weights

TRIES = 8  # lightings of one layer at most, as long as each shows something new
LIMITS = (47, 23, 11, 5, 3, 2, 1)  # of a kernel's integers: smaller ones where rounding hides them


class Lighting(NamedTuple):
    """Weights and an input that light one layer, and what the network must make of them."""

    path: str  # of the layer
    weights: Weights
    x: np.ndarray
    target: Rounded  # the output: ``judging.structure`` compares with it


class Bounded(Rounded):
    """A value with its bound alone: no sample of independent roundings is drawn."""

    @property
    def disturbed(self) -> np.ndarray:
        """The value itself."""
        return self.value

    def then(self, value: np.ndarray, magnitude: np.ndarray, **how: object) -> "Rounded":  # type: ignore[override]
        """As ``Rounded.then``, without what only the sample needs."""
        plain = {"noise": lambda _: value, "variance": lambda: np.zeros(1)}
        return super().then(value, magnitude, **{**how, **plain})  # type: ignore[arg-type]


class Signal(NamedTuple):
    """A value on its way."""

    traced: Rounded
    classes: np.ndarray  # of its channels: what they hold, or carry
    shadow: np.ndarray | None = None  # without the activation that is lit; None: the same


class Lights:
    """Every lighting of a network, one layer after another.

    Args:
        spec: the network, of any wiring.
        shapes: input shapes; the first lighting of each layer takes the first, and so on in turn.
        seed: of all that is drawn.
        dtype: what candidates compute in.
        direct: sums are taken as they stand, see ``Rounded``.
    """

    def __init__(
        self, spec: Spec, shapes: list[Shape], seed: int, dtype: str, direct: bool
    ) -> None:
        self.spec, self.shapes, self.seed = spec, shapes, seed
        self.dtype, self.direct = dtype, direct
        self.nodes = nodes_of(spec)
        self.takers = takers(self.nodes)
        self.certificates: dict[int, Certificate] = {}
        self._rooms: dict[int, _Room] = {}

    @property
    def targets(self) -> list[int]:
        """The nodes that are lit: those with weights, and one without that comes first."""
        found = []
        for i, node in enumerate(self.nodes):
            first = node.inputs == (ENTRY,) and not isinstance(node.spec, Join)
            if has_weights(node) or first:
                found.append(i)
        return found

    def of(self, target: int, tries: int = TRIES) -> Iterator[Lighting]:
        """The lightings of one node, until everything is lit or nothing new is."""
        certificate = self.certificates.setdefault(target, Certificate())
        rung, dull = 0, 0
        for number in range(tries):
            room = self._room(number)
            while True:
                lighting, new, good = room.light(target, LIMITS[rung], certificate)
                if good or rung + 1 == len(LIMITS):
                    break
                rung += 1
            yield lighting
            dull = 0 if new else dull + 1
            if certificate.complete and (certificate.told_apart or number >= 3):
                return
            if dull >= 3:
                return

    def _room(self, number: int) -> "_Room":
        if number not in self._rooms:
            self._rooms[number] = _Room(self, self.shapes[number % len(self.shapes)], number)
        return self._rooms[number]

    @property
    def unlit(self) -> dict[str, str]:
        """By path: what of a layer was not lit, after all lightings."""
        return {
            self.nodes[i].path: str(each)
            for i, each in self.certificates.items()
            if not each.complete
        }


def has_weights(node: Node) -> bool:
    """Whether a node has weights."""
    return not isinstance(node.spec, Join) and bool(node.spec.parameters())  # type: ignore[attr-defined]


class _Room:
    """What all lightings of one number share: the input, and the layers that pass it on."""

    def __init__(self, lights: Lights, shape: Shape, number: int) -> None:
        self.lights, self.number = lights, number
        self.nodes, self.takers = lights.nodes, lights.takers
        self.rng = np.random.default_rng([lights.seed, number])
        self.x = self._input(shape)
        self.before: list[Signal] = []
        self.weights: list[Weights] = []
        self.entry = self._signal_of(self.x)
        passing = Passing(self.rng, after=False)
        for i, node in enumerate(self.nodes):
            inputs = [self._before(each) for each in node.inputs]
            if isinstance(node.spec, Join):
                closed = self._closed_at(i, keep=self._kept(i, None))
                inputs = [
                    self._silent(j, i) if j in closed else each
                    for j, each in zip(node.inputs, inputs, strict=True)
                ]
            found, signal = self._pass(i, inputs, passing)
            if not isinstance(node.spec, Join):
                signal = signal._replace(classes=classes_of(signal.traced.value))
            self.weights.append(found)
            self.before.append(signal)

    def _input(self, shape: Shape) -> np.ndarray:
        """Integers: positive ones pass every activation; signed if a layer without weights is lit."""
        rng = self.rng
        if any(isinstance(node.spec, MaxPool) for node in self.nodes):
            # the largest of several have the same distribution, moved: they never become one number
            return np.maximum(np.floor(1.3 * rng.gumbel(size=shape)) + 3, 1)
        return rng.integers(1, 4, shape, endpoint=True).astype(np.float64)

    def _signal_of(self, x: np.ndarray) -> Signal:
        plain = exact_input(round_to(x, self.lights.dtype), self.lights.dtype, self.lights.direct)
        fields = {f.name: getattr(plain, f.name) for f in dataclasses.fields(plain)}
        return Signal(Bounded(**fields), classes_of(x))

    def _before(self, index: int) -> Signal:
        return self.entry if index == ENTRY else self.before[index]

    # ------------------------------------------------------------ sums of branches

    def _kept(self, join: int, target: int | None) -> set[int]:
        """Those inputs of a join that stay open."""
        inputs = self.nodes[join].inputs
        if target is not None:
            below = reached_from(self.nodes, target) | {target}
            led = [each for each in inputs if each in below]
            if len(led) < len(inputs):
                return set(led)
        free = [each for each in inputs if self._closer(each, join, target) is None]
        return set(free) or {inputs[self.number % len(inputs)]}

    def _closer(self, index: int, join: int, target: int | None) -> int | None:
        """The layer whose zeros close the branch that ends in ``index``."""
        while index != ENTRY and index != target and len(self.takers[index]) == 1:
            node = self.nodes[index]
            if isinstance(node.spec, Join):
                return None
            if has_weights(node):
                return index
            (index,) = node.inputs
        return None

    def _closed_at(self, join: int, keep: set[int], target: int | None = None) -> set[int]:
        """The inputs of a join that are closed."""
        others = set(self.nodes[join].inputs) - keep
        return {each for each in others if self._closer(each, join, target) is not None}

    def _silent(self, index: int, join: int, target: int | None = None) -> Signal:
        """The end of a branch that is closed."""
        chain: list[int] = []
        closer = self._closer(index, join, target)
        while index != closer:
            chain.append(index)
            (index,) = self.nodes[index].inputs
        traced = zeros_like(self._before(index).traced)
        for each in reversed(chain):
            traced = trace(self.nodes[each].spec, {}, traced)
        return Signal(traced, np.full(traced.value.shape[-1], -1))

    # ------------------------------------------------------------ passing

    def _pass(
        self, index: int, inputs: list[Signal], passing: Passing
    ) -> tuple[Weights, Signal]:
        """The weights of a node that passes its inputs on, and its output."""
        node = self.nodes[index]
        shadows = [s.traced.value if s.shadow is None else s.shadow for s in inputs]
        dark = all(s.shadow is None for s in inputs)
        found: Weights = {}
        classes = joined(node.spec, inputs)
        if has_weights(node):
            values = [inputs[0].traced.value] + ([] if dark else shadows)
            found, classes = passing.weights(node.spec, values, classes, self._wanted(index))
            found = {name: np.asarray(array, np.float64) for name, array in found.items()}
        traced = trace(node.spec, found, *(s.traced for s in inputs))
        shadow = None if dark else run(node.spec, found, *shadows)
        return found, Signal(traced, classes, shadow)

    def _wanted(self, index: int) -> Range:
        """Where the next activation wants what this node makes, unless a layer between can add."""
        low, high = ANY
        for each in self.takers[index]:
            spec = self.nodes[each].spec
            own = range_of(spec)
            if own is None:
                own = ANY if offsets(spec) else self._wanted(each)
            low, high = max(low, own[0]), min(high, own[1])
        return low, high

    def _follows(self, target: int) -> list[int]:
        """The nodes without weights that are proved with a target: those right behind it."""
        found: list[int] = []
        index = target
        while len(self.takers[index]) == 1:
            (index,) = self.takers[index]
            node = self.nodes[index]
            if isinstance(node.spec, Join) or has_weights(node):
                break
            found.append(index)
        return found

    # ------------------------------------------------------------ one lighting

    def light(
        self, target: int, limit: int, certificate: Certificate
    ) -> tuple[Lighting, bool, bool]:
        """A lighting; whether it lit something new, and whether all of its outputs are tested."""
        lights, nodes = self.lights, self.nodes
        rng = np.random.default_rng([lights.seed, self.number, target, limit])
        below = reached_from(nodes, target)
        closed: dict[int, set[int]] = {}
        silent: set[int] = set()
        for i in below:
            if isinstance(nodes[i].spec, Join):
                closed[i] = self._closed_at(i, self._kept(i, target), target)
                silent |= {c for j in closed[i] if (c := self._closer(j, i, target)) is not None}
        needed = self._needed(closed)

        own = list(self.weights)
        for i in silent:
            own[i] = zero_weights(nodes[i])
        node = nodes[target]
        (source,) = [self._before(each) for each in node.inputs]
        follows = self._follows(target)
        act = next((nodes[i].spec for i in follows if isinstance(nodes[i].spec, Activation)), None)
        if has_weights(node):
            filled = Filled(rng, limit)
            own[target] = filled.weights(node.spec, source.traced.value, act)  # type: ignore[arg-type]
        traced = trace(node.spec, own[target], source.traced)
        signal = Signal(traced, np.arange(traced.value.shape[-1]))
        found: dict[int, Signal] = {target: signal}
        passing = Passing(rng, after=True)
        shaded = False
        for i in sorted(below & needed):
            inputs = [
                self._silent(j, i, target)
                if j in closed.get(i, ())
                else found.get(j, self._before(j))
                for j in nodes[i].inputs
            ]
            weights, signal = self._pass(i, inputs, passing)
            if i in follows and nodes[i].spec is act and not shaded:
                before = inputs[0].traced.value
                signal, shaded = signal._replace(shadow=before), True
            if has_weights(nodes[i]):
                own[i] = weights
            found[i] = signal

        output = found[len(nodes) - 1]
        new = self._certify(target, follows, found, own, closed, output, certificate, rng)
        everything = {
            dotted(nodes[i].path, name): round_to(np.asarray(array), "float64")
            for i, each in enumerate(own)
            for name, array in each.items()
        }
        x = round_to(self.x, "float32" if lights.dtype == "bfloat16" else lights.dtype)
        lighting = Lighting(node.path, everything, x, output.traced)
        return lighting, new, not output.traced.untested.any()

    def _needed(self, closed: dict[int, set[int]]) -> set[int]:
        """The nodes that the output depends on, where some inputs of joins are closed."""
        needed = {len(self.nodes) - 1}
        for i in range(len(self.nodes) - 1, -1, -1):
            if i in needed:
                needed |= {j for j in self.nodes[i].inputs if j not in closed.get(i, ())}
        return needed

    def _certify(
        self,
        target: int,
        follows: list[int],
        found: dict[int, Signal],
        own: list[Weights],
        closed: dict[int, set[int]],
        output: Signal,
        certificate: Certificate,
        rng: np.random.Generator,
    ) -> bool:
        """Go back from the output to the target, and note what was lit."""
        nodes = self.nodes
        g, least = sums(output.traced, rng)
        by_output: dict[int, np.ndarray] = {len(nodes) - 1: g}
        new = False
        for i in sorted(found, reverse=True):
            if i not in by_output:
                continue
            node = nodes[i]
            inputs = [found.get(j, self._before(j)).traced.value for j in node.inputs]
            back = adjoint(node.spec, own[i], inputs, by_output[i])
            if i == target or i in follows:
                seen = Seen(node.spec, own[i], inputs[0], by_output[i], back.weights)
                new |= certificate.note(seen, least, "" if i == target else f"{node.path}: ")
            for j, each in zip(node.inputs, back.inputs, strict=True):
                if j in found and j not in closed.get(i, ()):
                    by_output[j] = by_output[j] + each if j in by_output else each
        if output.shadow is not None:
            differs = abs(output.shadow - output.traced.value) > 2 * output.traced.bound
            name = next(nodes[i].path for i in follows if isinstance(nodes[i].spec, Activation))
            lit = np.array([bool((differs & ~output.traced.untested).any())])
            new |= certificate.add(f"{name}: activation", lit)
        return new


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
    first = inputs[0].classes
    for each in inputs[1:]:
        first = np.where(first < 0, each.classes, first)
    value = inputs[0].traced.value
    made = output_shape(spec, *(s.traced.value.shape for s in inputs))
    if made[-1] == value.shape[-1]:
        return first
    pixels = made[-1] // value.shape[-1]  # flattened: each pixel is a signal of its own
    moved = np.arange(pixels)[:, None] * (first.max(initial=0) + 1) + first
    return np.where(first < 0, -1, moved).reshape(-1)
