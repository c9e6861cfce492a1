"""What is wrong with a port: the known faults that give the very output that it gave.

Each fault is put into the reference, and what that gives is compared with what was seen: on
integers, bit for bit; on real numbers, under the rounding bound of the wrong layer. Where no fault
explains it alone, two at once are tried. What explains it is named if it does so better than being
right, and better than chance (see ``evidence``).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from convparity.analysis.diagnosis.evidence import (
    Match,
    Question,
    bits,
    bits_needed,
    match,
    one_suffices,
)
from convparity.analysis.diagnosis.suspects import (
    Observation,
    Suspect,
    both_faults,
    prediction,
    same,
    singles,
)
from convparity.analysis.layerwise.verdict import LayerVerdict, Layerwise
from convparity.analysis.proof.data import exact_shape, integer_case, normal
from convparity.analysis.proof.shapes import asked_shape, shape_like
from convparity.impls import registry
from convparity.impls.errors import (
    FROM_USER_CODE,
    InputError,
    UnsupportedError,
    quoted,
)
from convparity.impls.limits import check_numbers, check_work
from convparity.impls.spec import Composite, Shape, Shapes, Spec, each_shape
from convparity.impls.values import (
    check_input,
    check_no_join,
    check_seed,
    gives_several,
    named_parts,
    on_each,
    output_of,
    outputs_of,
    parts,
    real_array,
)
from convparity.impls.weights import Arrays, check_weights

__all__ = ["Answer", "Diagnosis", "diagnose", "diagnose_layers", "summary"]

DAY = 86_400  # seconds
SECONDS = 10.0
FRESH = 16  # times at most that a port is asked again, where chance may explain what it gave

Ask = Callable[[int], list[Observation]]  # the port anew, on other data by their number


@dataclass(frozen=True)
class Answer:
    """An explanation of what was seen: one fault, or two at once.

    Attributes:
        suspect: The faults, with the layers where they are.
        alike: Other faults with the same output on this spec, whatever the data.
    """

    suspect: Suspect
    alike: tuple[Suspect, ...] = ()  # the same output on this spec, whatever the data

    @property
    def ids(self) -> frozenset[tuple[str, ...]]:
        """The ids of the faults of this explanation and of those alike, a tuple for each."""
        return frozenset(each.ids for each in (self.suspect, *self.alike))

    def __str__(self) -> str:
        text = f"matches: {self.suspect}"
        if self.alike:
            text += f"; indistinguishable here: {'; '.join(map(str, self.alike))}"
        return text


@dataclass(frozen=True)
class Diagnosis:
    """The faults that explain an output, the likeliest first; ``str`` has a line for each.

    Attributes:
        right: Whether the output is right, so that there is nothing to explain.
        answers: The explanations; none where none is better than chance.
        faults: How many faults were tried.
        pairs: How many pairs of faults were tried.
        complete: Whether all were tried before the time was up.
        doubtful: Faults that would give it, where too few values differ to tell it from chance.
        tested: Whether the data can tell right from wrong; where not, nothing is explained.
        weights: How a layer's weights differ from its twin's, where no fault is named.

    Example:
        >>> import convparity as cp
        >>> spec = cp.Conv(2, 3, 3, stride=2, padding="same")
        >>> port = lambda spec, weights, x: cp.reference(spec, weights, x).astype("float32")
        >>> found = cp.diagnose(port, spec, input_shape=(1, 8, 8, 2))
        >>> found.right, str(found)
        (True, 'nothing is wrong: the output is right')
    """

    right: bool  # the output is: there is nothing to explain
    answers: tuple[Answer, ...]
    faults: int  # so many were tried
    pairs: int
    complete: bool  # False: the time was up
    # they would give it, too, but so might any other fault: too little is known of the output
    doubtful: tuple[Answer, ...] = ()
    tested: bool = True  # False: the data cannot tell right from wrong, and nothing is explained
    weights: str | None = None  # how a layer's differ from its twin's, where no fault is named

    def __str__(self) -> str:
        if self.weights is None:
            return self._outputs
        if self.right:
            return f"its weights differ, and no output here shows it: {self.weights}"
        return f"{self._outputs}; its weights differ: {self.weights}"

    @property
    def _outputs(self) -> str:
        """What its outputs say."""
        if not self.tested:
            return "nothing to explain: the data cannot tell right from wrong"
        if self.right:
            return "nothing is wrong: the output is right"
        if self.answers:
            return "\n".join(map(str, self.answers))
        if self.doubtful:
            text = "; ".join(str(answer).removeprefix("matches: ") for answer in self.doubtful)
            return f"no cause is named: too few values differ to tell it from chance ({text})"
        tried = f"{self.faults} faults and {self.pairs} pairs of them tried"
        if not self.complete:
            tried += ", then the time was up"
        return f"matches no known fault, nor two at once ({tried})"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it.

        Returns:
            The fields by name, and ``text``, the diagnosis in plain words.
        """
        return {
            "right": self.right,
            "answers": [
                {"text": str(answer), "faults": sorted(answer.ids)} for answer in self.answers
            ],
            "faults": self.faults,
            "pairs": self.pairs,
            "complete": self.complete,
            "doubtful": [sorted(answer.ids) for answer in self.doubtful],
            "tested": self.tested,
            "weights": self.weights,
            "text": str(self),
        }


def diagnose(
    port: Any,
    spec: Spec,
    weights: Arrays | None = None,
    x: np.ndarray | tuple[np.ndarray, ...] | None = None,
    *,
    input_shape: Shape | tuple[Shape, ...] | None = None,
    seed: int = 0,
    seconds: float = SECONDS,
) -> Diagnosis:
    """Name the known faults that explain what a wrong port gives.

    Args:
        port: A wrong output, channels last, of ``weights`` and ``x`` (of a graph with several, a
            tuple or a dict of them); or a native module of any
            framework, which should have ``weights``, and is run; or a callable ``port(spec,
            weights, x) -> y`` like ``reference``, which is asked with integers, so that the match
            is exact.
        spec: What the port should compute.
        weights: The canonical weights that it should have; a callable needs none.
        x: The input, channels last; a callable or a module needs none, where there is an
            ``input_shape``. Of a graph that takes several values, a tuple of them.
        input_shape: ``(N, *spatial, C)``, or a tuple of shapes; needed where there is no ``x``.
        seed: An integer from 0 to 2^128 - 1, from which data are drawn.
        seconds: After how long the search for two faults at once ends.

    Returns:
        A ``Diagnosis``, whose ``answers`` are the faults, the likeliest first.

    Raises:
        UnsupportedError: ``spec`` is a join alone.
        InputError: Something that this kind of port needs is missing; it is not one of the three,
            or fails; or a number is not allowed.
        SpecError: The input does not fit the spec.
        WeightError: The weights do not fit the spec.

    Example:
        >>> import convparity as cp
        >>> wrong = cp.Conv(2, 3, 3, stride=2, padding=1)  # what is often written for "same"
        >>> port = lambda spec, weights, x: cp.reference(wrong, weights, x).astype("float32")
        >>> spec = cp.Conv(2, 3, 3, stride=2, padding="same")
        >>> print(cp.diagnose(port, spec, input_shape=(1, 8, 8, 2)))
        matches: "same" padded symmetrically at stride 2 (fault padding-03): pad (1, 1), (1, 1) ...
    """
    check_no_join("diagnose", spec)
    if x is None and input_shape is None:
        raise InputError("diagnose needs an input x, or an input_shape to draw one for")
    if x is not None:
        x = check_input(spec, x)
    shape = asked_shape(spec, input_shape) if x is None else shape_like(x)
    check_work(spec, *each_shape(shape))
    check_seed(seed)
    if not isinstance(seconds, int | float) or not 0 <= seconds <= DAY:
        raise InputError(f"seconds must be a number from 0 to {DAY}, not {quoted(seconds)}")
    if weights is not None:
        check_weights(spec, weights)
    seen, ask = _observe(port, spec, weights, x, shape, seed)
    return _explain(spec, seen, seconds, ask)


def _observe(
    port: Any, spec: Spec, weights: Arrays | None, x: Any, shape: Shapes, seed: int
) -> tuple[list[Observation], Ask | None]:
    """What the port gives, and how to ask it for more; None where that cannot be."""
    several = gives_several(spec)
    if isinstance(port, dict | tuple if several else np.ndarray):
        if weights is None or x is None:
            raise InputError("to explain an output, diagnose needs the weights and the input x")
        return _observed(spec, weights, on_each(_float32, x), on_each(_float32, port)), None
    call = outputs_of if several else output_of
    forward = _forward(port)
    if forward is not None:
        if weights is None:
            raise InputError("diagnose needs the weights that the module should have")
        integers = integer_case(spec, shape, seed)[1]
        found: list[Observation] = []
        for each in (integers, on_each(_float32, normal(shape, seed) if x is None else x)):
            y = call(forward, "the port", on_each(np.copy, each))
            found += _observed(spec, weights, each, y)
        return found, None
    if not callable(port):
        raise InputError(
            f"a {type(port).__name__} is no port: give an output, a native module, "
            "or a callable port(spec, weights, x)"
        )
    exact = exact_shape(spec, shape)

    def ask(number: int) -> list[Observation]:
        w, drawn = integer_case(spec, exact, seed + number)
        own = {name: array.copy() for name, array in w.items()}  # it may write into them
        y = call(port, "the port", spec, own, on_each(np.copy, drawn))
        return _observed(spec, w, drawn, y)

    return [*ask(0), *ask(1)], lambda number: ask(2 + number)


def _observed(spec: Spec, weights: Arrays, x: Any, y: Any) -> list[Observation]:
    """What was seen, each output by itself."""
    found = named_parts(y)
    wanted = list(spec.results) if isinstance(spec, Composite) else [""]
    if found.keys() != set(wanted):
        raise InputError(
            f"the port gives {quoted(list(found))}, and the spec says {quoted(wanted)}: give the "
            "same outputs"
        )
    return [Observation(weights, x, found[name], name) for name in wanted]


def _float32(array: np.ndarray) -> np.ndarray:
    check_numbers(np.shape(array), "an output or an input")
    return real_array(array, "an output or an input", booleans=False).astype(np.float32)


def _forward(port: Any) -> Callable[[Any], Any] | None:
    try:
        adapter = registry.owner(port)
    except UnsupportedError:
        return None
    return lambda x: adapter.forward(port, x)


# ---------------------------------------------------------------- the search


def _explain(
    spec: Spec, observed: list[Observation], seconds: float, ask: Ask | None = None
) -> Diagnosis:
    """Search one fault, then two at once, for as long as there is time."""
    seen = [Question(spec, each) for each in observed]
    if not any(each.wrong for each in seen):
        tested = all(each.status(each.seen.y) == "ok" for each in seen)
        return Diagnosis(True, (), 0, 0, True, tested=tested)
    search = _Search(spec, seen, time.monotonic() + seconds)
    search.singles()
    if not search.found and search.complete:
        search.pairs()
    needed = bits_needed(len(search.telling) + search.tried_pairs)
    found = search.convincing(needed, ask)
    shape = shape_like(observed[0].x)
    return Diagnosis(
        False,
        _answers(spec, shape, found),
        search.tried,
        search.tried_pairs,
        search.complete,
        () if found else _answers(spec, shape, [suspect for suspect, _ in search.found]),
    )


class _Search:
    """Every fault, then every two, that explains what was seen."""

    def __init__(self, spec: Spec, seen: list[Question], end: float) -> None:
        self.spec, self.seen, self.end = spec, seen, end
        self.shape = shape_like(seen[0].seen.x)
        self.found: list[tuple[Suspect, Match]] = []
        self.telling: dict[bytes, tuple[Suspect, list[np.ndarray]]] = {}
        self.tried = self.tried_pairs = 0
        self.complete = True  # the time was not up

    def _given(self, suspect: Suspect, questions: Sequence[Question]) -> list[np.ndarray | None]:
        given: list[np.ndarray | None] = []
        made: Any = None
        before = None
        for question in questions:
            if before is None or before.x is not question.seen.x:  # of several outputs, once
                made = prediction(suspect.faulty, question.seen.weights, question.seen.x)
            before = question.seen
            given.append(question.part(made))
        return given

    def singles(self) -> None:
        """Add every fault that explains what was seen; keep all that change something."""
        for suspect in singles(self.spec, self.shape):
            if time.monotonic() > self.end:
                self.complete = False
                return
            self.tried += 1
            given = self._given(suspect, self.seen)
            outputs = [y for y in given if y is not None]
            if len(outputs) < len(given) or all(
                same(y, question.correct) for y, question in zip(outputs, self.seen, strict=True)
            ):
                continue
            if (matched := match(suspect.faulty, outputs, self.seen)) is not None:
                self.found.append((suspect, matched))
            self.telling.setdefault(_key(given), (suspect, outputs))

    def pairs(self) -> None:
        """Add every two that explain what was seen; of faults that give the same, one is tried."""
        suspects = list(self.telling.values())
        indices = range(len(suspects))
        for i, j in sorted(((i, j) for i in indices for j in indices if i != j), key=sum):
            if time.monotonic() > self.end:
                self.complete = False
                return
            self.tried_pairs += 1
            (one, of_one), (other, of_other) = suspects[i], suspects[j]
            both = both_faults(self.spec, self.shape, one, other)
            if both is None:
                continue
            first = self._given(both, self.seen[:1])
            if match(both.faulty, first, self.seen[:1]) is None:
                continue
            given = [*first, *self._given(both, self.seen[1:])]
            matched = match(both.faulty, given, self.seen)
            if matched is None or any(
                one_suffices(suspect.faulty, outputs, matched, self.seen)
                for suspect, outputs in ((one, of_one), (other, of_other))
            ):
                continue
            self.found.append((both, matched))

    def convincing(self, needed: float, ask: Ask | None) -> list[Suspect]:
        """Those that no chance explains; the port is asked again, where it can be."""
        others = [given for _, given in self.telling.values()] if self.tried_pairs else []
        told = {id(s): bits(matched, self.seen, others) for s, matched in self.found}
        for number in range(FRESH if ask is not None else 0):
            if all(told[id(suspect)] >= needed for suspect, _ in self.found):
                break
            if time.monotonic() > self.end:
                break
            assert ask is not None
            fresh, kept = [Question(self.spec, each) for each in ask(number)], []
            for suspect, matched in self.found:
                if (more := match(suspect.faulty, self._given(suspect, fresh), fresh)) is not None:
                    kept.append((suspect, matched))
                    told[id(suspect)] += bits(more, fresh)
            self.found = kept
        return [suspect for suspect, _ in self.found if told[id(suspect)] >= needed]


def _key(given: list[np.ndarray | None]) -> bytes:
    """The same for the same outputs."""
    digest = blake2b()
    for y in given:
        digest.update(b"|" if y is None else repr((y.shape, y.dtype.str)).encode() + y.tobytes())
    return digest.digest()


def _answers(spec: Spec, shape: Shapes, found: list[Suspect]) -> tuple[Answer, ...]:
    """Those that give the same on other data, too, in one line; each fault once in it."""
    lines: dict[bytes, dict[tuple[str, ...], Suspect]] = {}
    cases = [integer_case(spec, shape, seed) for seed in (1001, 1002)]
    for suspect in found:
        key = _key([y for case in cases for y in parts(prediction(suspect.faulty, *case))])
        lines.setdefault(key, {}).setdefault(tuple(sorted(suspect.ids)), suspect)
    return tuple(
        Answer(first, tuple(others))
        for first, *others in (line.values() for line in lines.values())
    )


# ---------------------------------------------------------------- networks


def diagnose_layers(found: Layerwise, *, seconds: float = SECONDS) -> dict[str, Diagnosis]:
    """Diagnose each layer whose own error is more than rounding, with its own input, in order.

    The time is shared: later layers may have none left.
    """
    end = time.monotonic() + seconds
    diagnoses: dict[str, Diagnosis] = {}
    for layer in found.layers:
        left = end - time.monotonic()
        if layer.state == "WRONG" and (left > 0 or not diagnoses):
            diagnoses[layer.path] = _diagnose_layer(layer, max(left, 0.0))
    return diagnoses


def summary(diagnoses: Mapping[str, Diagnosis]) -> list[str]:
    """A line for each explanation, with all the layers that it explains."""
    layers: dict[object, list[str]] = {}
    for path, diagnosis in diagnoses.items():
        first = diagnosis.answers[0].suspect.ids if diagnosis.answers else diagnosis.weights
        layers.setdefault(first, []).append(path)
    return [
        f"{', '.join(path or 'the whole' for path in paths)}: {diagnoses[paths[0]]}"
        for paths in layers.values()
    ]


def _diagnose_layer(layer: LayerVerdict, seconds: float) -> Diagnosis:
    spec, x = layer.pair.expected.spec, layer.x
    assert spec is not None  # it was judged
    assert x is not None  # it is kept of what errs
    weights = {name: np.asarray(w) for name, w in layer.pair.expected.weights().items()}
    shape, seen = shape_like(x), []
    drawn = on_each(_float32, normal(shape, 0))
    try:
        for each in (x, integer_case(spec, shape, 0)[1], drawn):
            y = layer.pair.module.forward(on_each(np.copy, each))
            seen += _observed(spec, weights, each, on_each(np.asarray, y))
    except FROM_USER_CODE:  # each framework raises its own; the divergence says that it fails
        return Diagnosis(False, (), 0, 0, True)
    found = _explain(spec, seen, seconds)
    if not found.answers and not layer.weights_ok:
        return replace(found, weights=layer.weight_difference)
    return found
