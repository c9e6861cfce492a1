"""Whether a fault explains what was seen better than being right does, and better than chance.

A wrong output is close to the outputs of many faults that are as small as rounding, and an output
of few values to those of some fault by chance. A fault is a cause if

- it gives what was seen, up to rounding, and lies nearer to it than the right output does;
- a verdict calls it wrong, wherever it calls wrong what was seen;
- of two at once: neither alone gives the same up to rounding;
- what was seen says more than it takes to pick one of all the outputs that faults would give.

For the last, outputs are weighed in bits: how many different deviations could have been told from
each other. Those that follow a simple rule (a factor or an offset of the whole or of a channel,
some other amount of another fault) weigh no more than the few numbers of that rule.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from convparity.analysis.diagnosis.suspects import Observation, right, same
from convparity.analysis.faults import Faulty
from convparity.analysis.proof.data import traced
from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.rounded import Rounded, common_unit, exact_input
from convparity.analysis.proof.verdict import SCALE_LIMIT
from convparity.impls.spec import Spec
from convparity.impls.values import named_parts

# The chance that a fault which nobody knows is taken for a known one, where an output says just
# enough: one in so many. Most outputs say far more, and are then taken for none.
ODDS = 10


@dataclass(frozen=True)
class Question:
    """What was seen, beside the right answer."""

    spec: Spec
    seen: Observation

    @cached_property
    def target(self) -> Rounded:
        """The right output, and what rounding may make of it."""
        found: Rounded = self.part(traced(self.spec, self.seen.weights, self.seen.x))
        return found

    @cached_property
    def correct(self) -> np.ndarray:
        """The right output in float32."""
        found: np.ndarray = self.part(right(self.spec, self.seen.weights, self.seen.x))
        return found

    def part(self, made: Any) -> Any:
        """Of all that is given, the output that was seen; None of nothing."""
        return None if made is None else named_parts(made)[self.seen.output]

    def status(self, y: np.ndarray) -> str:
        """What a verdict says of an output: "ok", "not tested" or "wrong"."""
        return (structure if self.target.exact else precision)(y, self.target).status

    @cached_property
    def wrong(self) -> bool:
        """There is something to explain."""
        return self.status(self.seen.y) == "wrong"


@dataclass(frozen=True)
class Match:
    """A fault that gives what was seen: its outputs, and how far from them rounding reaches."""

    given: tuple[np.ndarray, ...]
    reach: tuple[np.ndarray, ...]


def match(
    faulty: Faulty, given: Iterable[np.ndarray | None], questions: Sequence[Question]
) -> Match | None:
    """How a fault explains all that was seen, by what it gives; None where it does not."""
    outputs, reach = [], []
    for y, question in zip(given, questions, strict=True):
        distance = None if y is None else _reach(faulty, y, question)
        if y is None or distance is None or (question.wrong and question.status(y) != "wrong"):
            return None
        outputs.append(y)
        reach.append(distance)
    return Match(tuple(outputs), tuple(reach))


def one_suffices(
    faulty: Faulty, given: Sequence[np.ndarray], both: Match, asked: Sequence[Question]
) -> bool:
    """Whether one of two faults by itself gives the same as both, up to rounding."""
    for y, together, question in zip(given, both.given, asked, strict=True):
        if same(y, together):
            continue
        if y.shape != together.shape or y.dtype != together.dtype:
            return False
        with np.errstate(all="ignore"):
            if precision(together, _target(faulty, y, question)).status == "wrong":
                return False
    return True


def _reach(faulty: Faulty, predicted: np.ndarray, question: Question) -> np.ndarray | None:
    """How far rounding may lie from each predicted value; None if what was seen lies farther.

    It must be nearer to what was seen than the correct output is: a fault as small as rounding
    would explain anything.
    """
    y, correct = question.seen.y, question.correct
    if same(predicted, y):
        bound = question.target.bound
        return bound if bound.shape == y.shape else np.zeros(y.shape)
    if predicted.shape != y.shape or predicted.dtype != y.dtype:
        return None
    if not _distance(predicted, y) < _distance(correct, y):
        return None
    with np.errstate(all="ignore"):
        target = _target(faulty, predicted, question)
        if target.bound.any() and precision(y, target).ok:
            return target.bound
    return None


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """The root of the summed squares of what is finite; infinite between different shapes."""
    if a.shape != b.shape:
        return np.inf
    with np.errstate(all="ignore"):
        gap = a.astype(np.float64) - b
        return float(np.sqrt(np.sum(gap**2, where=np.isfinite(gap))))


def _target(faulty: Faulty, predicted: np.ndarray, question: Question) -> Rounded:
    """What rounding may make of a wrong output."""
    seen = question.seen
    if faulty.run is not None:  # a black box: only the size of a rounding is known
        start = exact_input(predicted)
        value = predicted.astype(np.float64)
        size = start.u * np.sqrt(np.mean(value**2, where=np.isfinite(value)))
        integral = bool((value == np.rint(value)).all())  # and every sum was exact
        own = np.full(value.shape, 0.0 if integral else size)
        none = np.zeros(value.shape)
        return replace(start, value=value, bound=SCALE_LIMIT * own, own=own, noise=none)
    weights = seen.weights if faulty.weights is None else faulty.weights(seen.weights)
    x = seen.x if faulty.before is None else faulty.before(seen.x)
    target: Rounded = question.part(traced(faulty.spec, weights, x))
    after = faulty.after
    if after is None:
        return target
    value = after(target.value)
    return replace(
        target,
        value=value,
        bound=abs(after(target.value + target.bound) - after(target.value - target.bound)),
        noise=after(target.value + target.scale) - value,
        own=np.zeros(value.shape),
    )


# ---------------------------------------------------------------- how much was seen


def bits_needed(different: int) -> float:
    """The bits that it takes to pick one of so many outputs, and not to be wrong by chance."""
    return math.log2(max(different, 1) * ODDS)


def bits(
    found: Match, questions: Sequence[Question], others: Iterable[Sequence[np.ndarray | None]] = ()
) -> float:
    """What the outputs that a fault explains tell of it, at least.

    ``others`` are the outputs of other faults: another amount of one of them is one number.
    """
    seen = [_Deviation.of(*each) for each in zip(questions, found.reach, strict=True)]
    if any(each is None for each in seen):  # its very dtype is wrong, or its shape
        return math.inf
    known = [each for each in seen if each is not None]
    by_weights: dict[int, dict[str, list[_Deviation]]] = {}
    for each, question in zip(known, questions, strict=True):
        outputs = by_weights.setdefault(id(question.seen.weights), {})
        outputs.setdefault(question.seen.output, []).append(each)
    told = sum(  # several outputs may say the same
        max(_Deviation.joined(group).bits for group in outputs.values())
        for outputs in by_weights.values()
    )
    whole = _Deviation.joined([each.flat for each in known])
    for given in others:
        if whole.is_some_of(given, questions):
            told = min(told, whole.largest)
    return told


@dataclass(frozen=True)
class _Deviation:
    """How far outputs are from the right ones, and how near they are known."""

    by: np.ndarray  # (..., C)
    known_to: np.ndarray
    value: np.ndarray  # the right ones

    @staticmethod
    def of(question: Question, reach: np.ndarray) -> "_Deviation | None":
        y, value = question.seen.y, question.target.value
        if y.shape != value.shape or y.dtype != question.correct.dtype:
            return None
        with np.errstate(all="ignore"):
            by = y.astype(np.float64) - value
            by = np.where((y == value) | (np.isnan(y) & np.isnan(value)), 0.0, by)
            spacing = question.target.u * np.maximum(abs(value), question.target.tiny)
            near = np.fmax(np.fmax(reach, question.target.bound), spacing)
            unit = common_unit(y) if question.target.exact else question.target.unit
            if unit is not None and bool((abs(by - unit * np.rint(by / unit)) <= near).all()):
                near = np.fmax(near, unit / 2)  # whole numbers, of which there are few
        return _Deviation(by, near, value)

    @staticmethod
    def joined(parts: Sequence["_Deviation"]) -> "_Deviation":
        return _Deviation(*(np.concatenate([getattr(p, n) for p in parts]) for n in _FIELDS))

    @property
    def flat(self) -> "_Deviation":
        """Of one channel."""
        return _Deviation(*(getattr(self, name).reshape(-1, 1) for name in _FIELDS))

    @cached_property
    def each(self) -> np.ndarray:
        """The bits of each value by itself; a NaN or an infinity is there or is not."""
        with np.errstate(all="ignore"):
            told = np.where(
                abs(self.by) > self.known_to, np.log2(1 + abs(self.by / self.known_to)), 0
            )
        return np.where(np.isfinite(self.by), np.where(np.isfinite(told), told, 0), 1.0)

    @property
    def largest(self) -> float:
        """The bits of one number."""
        return float(self.each.max(initial=0))

    @property
    def bits(self) -> float:
        """Of the shortest description: value by value, channel by channel, as a whole."""
        channels = [
            _Deviation(*(getattr(self, name)[..., [c]] for name in _FIELDS))
            for c in range(self.by.shape[-1])
        ]
        changed = [channel for channel in channels if channel.largest]
        by_channel = sum(channel.as_one for channel in changed)
        return min(self.one_by_one, by_channel + _choices(len(channels), len(changed)), self.as_one)

    @property
    def one_by_one(self) -> float:
        """Which values differ, and by how much each."""
        changed = int(np.count_nonzero(self.each))
        return float(self.each.sum()) + _choices(self.each.size, changed)

    @property
    def as_one(self) -> float:
        """With one factor and one offset of all; value by value, where that does not do."""
        values, ones = self.value.ravel(), np.ones(self.value.size)
        told = self.one_by_one
        if not np.isfinite(self.by).all() or not np.isfinite(values).all():
            return told
        for numbers, columns in ((1, [ones]), (1, [values]), (2, [values, ones])):
            if self._follows(np.stack(columns, axis=1)):
                return min(told, numbers * self.largest)
        return told

    def is_some_of(self, given: Sequence[np.ndarray | None], asked: Sequence[Question]) -> bool:
        """It is what another fault changes, more or less of it."""
        parts = []
        for y, question in zip(given, asked, strict=True):
            if y is None or y.shape != question.target.value.shape:
                return False
            parts.append(y.astype(np.float64).ravel() - question.target.value.ravel())
        change = np.concatenate(parts)
        if not np.isfinite(change).all() or not np.isfinite(self.by).all():
            return False
        return bool(change.any()) and self._follows(change[:, None])

    def _follows(self, columns: np.ndarray) -> bool:
        """Some amounts of the columns make it, up to what is known."""
        near, by = self.known_to.ravel(), self.by.ravel()
        amounts = np.linalg.lstsq(columns / near[:, None], by / near, rcond=None)[0]
        return bool((abs(by - columns @ amounts) <= 2 * near).all())


_FIELDS = ("by", "known_to", "value")


def _choices(n: int, k: int) -> float:
    """The bits of which k of n."""
    return (math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)) / math.log(2)
