"""Is the user's twin a right port of the user's module? Both are run as they are."""

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from convparity.analysis.check.answer import Check, Finding
from convparity.analysis.check.leaves import Leaf, beside, given, innermost, leaves, paths
from convparity.analysis.check.measured import Measure, moved, roundoff
from convparity.analysis.check.pairs import (
    Pair,
    align,
    differences,
    flattened_rows,
    join_apart,
    unread,
    with_zeros_outside,
)
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import FROM_USER_CODE, ConvparityError, InputError, in_one_line, quoted
from convparity.impls.limits import check_numbers
from convparity.impls.recording import Call, generators_as_they_were
from convparity.impls.spec import dotted
from convparity.impls.values import real_array

__all__ = ["Check", "check"]

Inputs = tuple[np.ndarray, ...]
Place = tuple[int, int]  # an axis, and where it is moved
Outputs = dict[str, np.ndarray]  # by how each is got out of what the module gives; "": it is that

MOVES = 3  # runs on moved inputs, from which the size of rounding is learnt
EXAMPLES = 2  # of the inputs on which the layers are judged one by one
LARGER = "inputs that are larger"
IN_ANOTHER_ORDER = "takes its values in another order"
FACTOR = 16.0  # so that activations which bend far from zero bend, too
MORE = 3  # examples more in another batch


def check(module: Any, twin: Any, inputs: Any, twin_inputs: Any = None) -> Check:
    """Judge whether ``twin`` computes what ``module`` computes; where it does not, say where.

    Both run at inference; their modes, statistics and random state are afterwards what they were.

    - The wholes must agree on the inputs, on others of their size, on another batch, on larger
      numbers, on another image size if both take one, and again when they are called again: a twin
      that ignores its input, gives back what it gave before, or reads a clock or a seed is wrong.
    - Their layers are aligned by name, by their weights, or by order and kind. Each pair has its
      weights compared bit by bit, and the twin's gets what the module's got: it must give what
      float64 gives of the module's fields and weights, within the proved rounding bound.
    - What reaches each layer must be the same in both: else they are wired in two ways.
    - What cannot be read is "not tested": a layer whose code is its own, or variables that belong
      to no layer which ran. Of two layers of one class, their variables are compared bit by bit.

    Args:
        module: A native module of any of the three frameworks, with any code of its own.
        twin: Another one, of the same framework or another.
        inputs: What you call ``module`` with: a native tensor in its own layout, or a tuple of
            them.
        twin_inputs: What you call ``twin`` with; None is the same data, images permuted to its
            layout.

    Returns:
        A ``Check``: ``.status`` is "proved", "wrong" or "not tested", ``.ok`` whether it is
        "proved", ``.first`` the path in ``module`` of the first layer that differs, ``.cause`` what
        differs.

    Raises:
        UnsupportedError: One of the two is not a module of a known framework.
        InputError: One of the two fails on its inputs, or they are not arrays of numbers.

    Example:
        >>> import convparity as cp
        >>> import torch
        >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.ReLU())
        >>> twin = cp.convert(module, to="flax")
        >>> print(cp.check(module, twin, torch.randn(2, 3, 9, 9)))
        flax's Sequential as a twin of pytorch's Sequential: proved
          2 layers agree one by one, and the wholes on 5 inputs
    """
    source, target = _Subject(module), _Subject(twin)
    mine = source.inputs(inputs)
    theirs = mine if twin_inputs is None else target.inputs(twin_inputs)
    return _Checking(source, target, mine, theirs).answer()


class _Subject:
    """One of the two, and how it is run."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.adapter: Adapter = registry.owner(module)
        self.name = f"{self.adapter.name}'s {type(module).__name__}"
        for path, part in self.adapter.named_modules(module).items():
            for name, value in vars(part).items():
                if isinstance(value, np.ndarray):  # a framework would work, or print, for minutes
                    check_numbers(value.shape, f"{self.name}: {quoted(dotted(path, name))}")

    def inputs(self, inputs: Any) -> Inputs:
        """What the user calls it with, as channels-last arrays."""
        each = tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
        if not each:
            raise InputError("inputs are empty: give what you call the module with")
        found = tuple(map(self._input, each))
        for x in found:
            if not x.ndim:
                raise InputError(
                    "an input has no axis, so that no batch can be drawn: give arrays of examples, "
                    "and numbers as attributes of the module"
                )
        return found

    def _input(self, value: Any) -> np.ndarray:
        try:
            check_numbers(tuple(np.shape(value)), "an input")
            array = self.adapter.to_array(value)
        except ConvparityError:
            raise
        except FROM_USER_CODE as error:
            raise InputError(
                f"an input, a {type(value).__name__}, is no array of numbers "
                f"({in_one_line(error)}): give what you call the module with"
            ) from error
        return real_array(array, "an input")

    def run(self, inputs: Inputs, seed: int = 0) -> Call:
        """One run at inference, with other global seeds than before."""
        with generators_as_they_were(), self.adapter.seeded(seed):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002 (the user's may read the global one)
            return self.adapter.watch(self.module, tuple(x.copy() for x in inputs))

    def attempt(self, inputs: Inputs, seed: int = 0) -> Call | str:
        """The run, or why there is none."""
        try:
            call = self.run(inputs, seed)
        except FROM_USER_CODE as error:  # each framework raises its own
            return f"it fails: {in_one_line(error)}"
        if any(np.iscomplexobj(each) for each in _outputs(call).values()):
            return "it gives complex numbers, which are not compared: give their real parts"
        return call


def _outputs(call: Call) -> Outputs:
    return {} if call.output is None else call.output.arrays()


def _output(key: str) -> str:
    """The name of an output in what is measured: no layer's path begins so."""
    return f"<output>{key}"


class _Checking:
    """The questions, in order; ``answer`` asks them."""

    def __init__(self, module: _Subject, twin: _Subject, inputs: Inputs, other: Inputs) -> None:
        self.module, self.twin = module, twin
        self.inputs, self.other = inputs, other
        self.same_data = len(inputs) == len(other) and all(
            a.shape == b.shape and np.array_equal(a, b, equal_nan=True)
            for a, b in zip(inputs, other, strict=True)
        )
        self.wrong: list[Finding] = []
        self.untested: list[Finding] = []
        self.notes: list[str] = []
        self.places: dict[str, Place] = {}  # of the axes of an output of the twin's
        self.runs = 0
        self.join: Finding | None = None  # a join behind all layers that agree, with no twin

    def answer(self) -> Check:
        """Ask everything."""
        calls = []
        for subject, inputs in ((self.module, self.inputs), (self.twin, self.other)):
            call = subject.attempt(inputs)
            if isinstance(call, str):
                shapes = ", ".join(str(x.shape) for x in inputs)
                raise InputError(f"{subject.name} on inputs of {shapes} (channels-last): {call}")
            calls.append(call)
        first, second = calls
        right, found = _outputs(first), _outputs(second)
        layers = 0
        if not right or not found:
            which = self.twin if right else self.module
            self.untested.append(Finding(None, f"{which.name} gives no array"))
        elif not any(np.isfinite(x).any() for x in self.inputs):
            self.untested.append(Finding(None, "the inputs hold no finite number"))
        else:
            measure = self._measure(self.inputs, first)
            self._again(right, found, measure)
            wholes = list(self._wholes(right, found, measure))
            layers = self._layers(measure)
            if not wholes and self.wrong and self.wrong[0].around:
                why = "the outputs agree nevertheless: code around it may make up for it"
                self.untested += [replace(each, what=f"{each.what}; {why}") for each in self.wrong]
                self.wrong = []
            elif wholes and not self.wrong:
                self.wrong += wholes if self.join is None else [self.join, *wholes]
            elif wholes:
                self.notes += [f"so the outputs differ: {wholes[0]}"]
            elif self.wrong:
                self.notes.append("the outputs on these inputs agree up to rounding nevertheless")
        return Check(
            self.module.name,
            self.twin.name,
            tuple(self.wrong),
            tuple(self.untested),
            tuple(self.notes),
            layers,
            self.runs,
        )

    # -- the wholes

    def _measure(self, inputs: Inputs, first: Call) -> Measure:
        """What rounding makes of the outputs."""
        made = [] if first.output is None else first.output.dtypes()
        u = roundoff([*made, *(value.dtype for value in first.given)])
        measure = Measure(u)
        runs = [
            self.module.attempt(tuple(moved(x, u, seed) for x in inputs), seed)
            for seed in range(MOVES)
        ]
        others = [_outputs(run) for run in runs if isinstance(run, Call)]
        for key, array in _outputs(first).items():
            measure.learn(_output(key), array, [other.get(key) for other in others])
        return measure

    def _again(self, right: Outputs, found: Outputs, measure: Measure) -> None:
        """The same inputs once more, with other seeds."""
        for subject, inputs, before in (
            (self.module, self.inputs, right),
            (self.twin, self.other, found),
        ):
            call = subject.attempt(inputs, seed=1)
            if isinstance(call, str):
                what = f"{subject.name}, called again: {call}"
            else:
                if _again(measure, before, _outputs(call)):
                    continue
                what = f"{subject.name} gives another output when it is called again"
            (self.wrong if subject is self.twin else self.untested).append(Finding(None, what))

    def _wholes(self, right: Outputs, found: Outputs, measure: Measure) -> Iterator[Finding]:
        """Where the outputs differ, on the inputs and on others."""
        self.runs = 1
        if (gap := self._gap(measure, right, found)) is not None:
            yield Finding(None, f"the outputs differ: {gap}")
        told: set[str] = set()
        for number, (what, inputs, other) in enumerate(self._variants()):
            turn = -1 if number % 2 else 1  # the twin first, every other time
            asked = ((self.module, inputs), (self.twin, other))[::turn]
            mine, theirs = [subject.attempt(each, seed=2) for subject, each in asked][::turn]
            if isinstance(mine, str):
                continue  # the module itself does not take it
            expected = _outputs(mine)
            if isinstance(theirs, str):
                if what == "another image size":
                    self.notes.append("the twin takes no other image size, as the module does")
                else:
                    yield Finding(None, f"on {what} {theirs}")
                continue
            self.runs += 1
            told |= {
                key for key, y in right.items() if measure.tells(_output(key), y, expected.get(key))
            }
            own = self._measure(inputs, mine) if what == LARGER else measure
            if (gap := self._gap(own, expected, _outputs(theirs))) is not None:
                yield Finding(None, f"on {what} the outputs differ: {gap}")
        if not told:
            self.untested.append(
                Finding(
                    None,
                    "another input does not change the module's outputs by even a hundred times "
                    "what passes as rounding, which shows nothing: give other inputs, weights "
                    "that are not zero, and both in float32",
                )
            )
        elif dull := right.keys() - told:
            self.notes.append(f"no input changes its outputs {', '.join(sorted(dull))}")

    def _gap(self, measure: Measure, right: Outputs, found: Outputs) -> str | None:
        """How the outputs differ by more than rounding; None where they do not.

        A twin may give them in another kind of container, then in the same order, and with the
        channels in another place.
        """
        if len(right) != len(found):
            return f"{len(found)} of them, not {len(right)}"
        keys = right if right.keys() == found.keys() else found
        for (key, expected), other in zip(right.items(), keys, strict=True):
            gap = measure.difference(_output(key), expected, self._placed(key, found[other]))
            place = None if gap is None else _place(measure, key, expected, found[other])
            if place is not None and key not in self.places:
                self.places[key] = place
                self.notes.append("the twin's output has its axes in another order")
            elif gap is not None:
                return f"{key}: {gap}" if key else gap
        return None

    def _placed(self, key: str, y: np.ndarray) -> np.ndarray:
        place = self.places.get(key)
        return y if place is None or y.ndim < 3 else np.moveaxis(y, *place)

    def _variants(self) -> Iterator[tuple[str, Inputs, Inputs]]:
        """Other inputs, for both."""
        n = len(self.inputs[0]) if self.inputs[0].ndim else 1
        if not self.same_data:  # how the twin's follow from the module's is not known
            if n < 2:
                return
            yield (
                "the examples in another order",
                tuple(np.roll(x, 1, axis=0) for x in self.inputs),
                tuple(np.roll(x, 1, axis=0) for x in self.other),
            )
            yield (
                "another batch",
                tuple(x[1:] for x in self.inputs),
                tuple(x[1:] for x in self.other),
            )
            return
        drawn = tuple(_drawn(x, 1) for x in self.inputs)
        yield "other inputs", drawn, drawn
        shifted = tuple(_drawn(x, 2) for x in self.inputs)
        more = tuple(
            np.concatenate([x, *[y[:1]] * MORE]) for x, y in zip(drawn, shifted, strict=True)
        )
        yield "another batch", more, more
        if all(x.dtype.kind == "f" for x in self.inputs):
            large = tuple((FACTOR * x).astype(x.dtype) for x in shifted)
            yield LARGER, large, large
        if any(x.ndim > 2 for x in self.inputs):
            larger = tuple(_larger(x, y) for x, y in zip(drawn, shifted, strict=True))
            yield "another image size", larger, larger

    # -- layer by layer

    def _layers(self, measure: Measure) -> int:
        few, other = (tuple(x[:EXAMPLES] for x in each) for each in (self.inputs, self.other))
        first, second = self.module.attempt(few), self.twin.attempt(other)
        if isinstance(first, str) or isinstance(second, str):  # of a batch that they fix
            few, other = self.inputs, self.other
            first, second = self.module.attempt(few), self.twin.attempt(other)
        if isinstance(first, str) or isinstance(second, str):
            self.untested.append(
                Finding(None, "the layers could not be judged: no run was like the first")
            )
            return 0
        mine, theirs = (
            leaves(
                subject.adapter,
                call,
                paths(subject.adapter, subject.module),
                subject.adapter.on_cpu(subject.module),
            )
            for subject, call in ((self.module, first), (self.twin, second))
        )
        self._learn(measure, few, mine)
        pairs, left, over = align(mine, theirs)
        before: tuple[int, ...] = ()
        for each in pairs:
            pair = with_zeros_outside(each)
            if not self.wrong and (found := self._reached(pair, measure, before)):
                self.wrong.append(join_apart(mine, theirs, pairs, each) or found)
                break
            self.wrong += differences(pair, measure, before)
            if (why := unread(pair)) is not None and not self.wrong:
                self.untested.append(why)
            y = pair.module.y
            if y is not None and y.ndim > 2:
                before = y.shape
        self.join = join_apart(mine, theirs, pairs, None)
        for leaf in left:
            what = f"no layer of the twin was found that stands for {leaf.kind}"
            self.untested.append(Finding(leaf.path, f"{what}: {leaf.why}" if leaf.why else what))
        for leaf in over:
            what = f"the twin's {leaf.kind} {leaf.path!r} stands for no layer"
            self.untested.append(Finding(None, f"{what}: {leaf.why}" if leaf.why else what))
        for subject, ran in ((self.module, mine), (self.twin, theirs)):
            if held := beside(subject.adapter, subject.module, ran):
                some = ", ".join(held[:3]) + (" and more" if len(held) > 3 else "")
                what = "which no layer that ran holds: what its code makes of them cannot be seen"
                self.untested.append(Finding(None, f"{subject.name} holds {some}, {what}"))
        if not pairs:
            self.untested.append(Finding(None, "no layers were seen that could be compared"))
        return len(pairs)

    def _learn(self, measure: Measure, few: Inputs, mine: list[Leaf]) -> None:
        """What rounding makes of what reaches each layer, and of what it gives."""
        runs = []
        for seed in range(MOVES):
            call = self.module.attempt(tuple(moved(x, measure.u, seed) for x in few), seed)
            if isinstance(call, Call):
                runs.append(list(innermost(call)))
        for i, leaf in enumerate(mine):
            others = [run[i] for run in runs if len(run) == len(mine)]
            reached = [given(each) for each in others]
            for number, x in enumerate(leaf.inputs):
                same = (each for each in reached if len(each) == len(leaf.inputs))
                measure.learn(_input(leaf, number), x, [each[number] for each in same])
            measure.learn(leaf.path, leaf.y, [each.output and each.output.array for each in others])

    def _reached(self, pair: Pair, measure: Measure, before: tuple[int, ...]) -> Finding | None:
        """Whether what reaches a layer is something else in the twin, though all before agree."""
        mine, twin = pair.module, pair.twin
        gap = self._gap_of_inputs(measure, mine, twin)
        if gap is None:
            return None
        if gap == IN_ANOTHER_ORDER:
            return Finding(mine.path, f"the twin's {twin.kind} {gap}", around=True)
        rows, a, b = flattened_rows(mine, before), mine.x, twin.x
        ordered = None if rows is None or a is None else a[:, rows]
        if ordered is not None and measure.same_value(_input(mine, 0), ordered, b):
            return None
        return Finding(
            mine.path,
            "what reaches it is something else in the twin, though every layer before it agrees: "
            "what lies between them differs (an activation, a pooling, an addition, an order); "
            f"{gap}",
            around=True,
        )

    def _gap_of_inputs(self, measure: Measure, mine: Leaf, twin: Leaf) -> str | None:
        """How what reaches two layers differs; a join may take its values in another order."""
        if not mine.inputs or not twin.inputs:
            return None
        if len(mine.inputs) != len(twin.inputs):
            return f"{len(twin.inputs)} values, not {len(mine.inputs)}"
        gaps = [
            measure.difference(_input(mine, number), x, y)
            for number, (x, y) in enumerate(zip(mine.inputs, twin.inputs, strict=True))
        ]
        first = next((gap for gap in gaps if gap is not None), None)
        if first is None or len(gaps) == 1:
            return first
        left = list(twin.inputs)
        for number, x in enumerate(mine.inputs):
            same = (i for i, y in enumerate(left) if measure.same_value(_input(mine, number), x, y))
            found = next(same, None)
            if found is None:
                return first
            left.pop(found)
        return None if measure.same_value(mine.path, mine.y, twin.y) else IN_ANOTHER_ORDER


def _input(leaf: Leaf, number: int) -> str:
    """The name of a layer's input in what is measured."""
    return f"{leaf.path}<{number}"


def _again(measure: Measure, before: Outputs, again: Outputs) -> bool:
    """Whether a module gave the same once more."""
    return before.keys() == again.keys() and all(
        measure.same_value(_output(key), y, again[key]) for key, y in before.items()
    )


def _place(measure: Measure, key: str, right: np.ndarray, y: np.ndarray) -> Place | None:
    """The move of one axis that makes an output the right one, if one does."""
    if y.ndim < 3:
        return None
    for place in ((-1, 1), (1, -1)):
        if measure.same_value(_output(key), right, np.moveaxis(y, *place)):
            return place
    return None


def _drawn(x: np.ndarray, seed: int) -> np.ndarray:
    """Another input like ``x``: of its mean and deviation, or of its very numbers."""
    rng = np.random.default_rng(seed)
    if x.dtype.kind != "f":
        return rng.permuted(x.ravel()).reshape(x.shape)
    finite = x[np.isfinite(x)].astype(np.float64)
    mean, spread = (finite.mean(), finite.std()) if finite.size else (0.0, 0.0)
    return (mean + (spread or 1.0) * rng.standard_normal(x.shape)).astype(x.dtype)


def _larger(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``x`` with one pixel more along each spatial axis, taken from ``y``."""
    if x.ndim < 3:
        return x
    for axis in range(1, x.ndim - 1):
        y = np.concatenate([y, np.take(y, [0], axis=axis)], axis=axis)
    found = y.copy()
    found[tuple(slice(size) for size in x.shape)] = x
    return found
