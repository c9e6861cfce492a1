"""What is wrong with a port: the known faults that give the very output that it gave.

Each fault is put into the reference, and what that gives is compared with what was seen: on
integers, bit for bit; on real numbers, under the rounding bound of the wrong layer. Where no fault
explains it alone, two at once are tried.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convparity.analysis.diagnosis.suspects import (
    Observation,
    Suspect,
    explains,
    prediction,
    right,
    same,
    singles,
    together,
)
from convparity.analysis.layerwise.verdict import LayerVerdict, Layerwise
from convparity.analysis.proof.data import exact_shape, integer_case
from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.rounding import exact_input, trace
from convparity.impls import registry
from convparity.impls.errors import InputError, UnsupportedError
from convparity.impls.spec import Shape, Spec, output_shape
from convparity.impls.weights import Arrays, check_weights

__all__ = ["Answer", "Diagnosis", "diagnose", "diagnose_layers", "summary"]

SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """A fault, or two at once, that explains what was seen, and others that nobody could tell."""

    suspect: Suspect
    alike: tuple[Suspect, ...] = ()  # the same output on this spec, whatever the data

    @property
    def ids(self) -> frozenset[tuple[str, ...]]:
        """The faults of every explanation in this line."""
        return frozenset(each.ids for each in (self.suspect, *self.alike))

    def __str__(self) -> str:
        text = f"matches: {self.suspect}"
        if self.alike:
            text += f"; indistinguishable here: {'; '.join(map(str, self.alike))}"
        return text


@dataclass(frozen=True)
class Diagnosis:
    """The faults that explain an output, the likeliest first; ``str`` is a line for each."""

    right: bool  # there is nothing to explain
    answers: tuple[Answer, ...]
    faults: int  # so many were tried
    pairs: int
    complete: bool  # False: the time was up

    def __str__(self) -> str:
        if self.right:
            return "nothing is wrong: the output is right"
        if self.answers:
            return "\n".join(map(str, self.answers))
        tried = f"{self.faults} faults and {self.pairs} pairs of them tried"
        if not self.complete:
            tried += ", then the time was up"
        return f"matches no known fault, nor two at once ({tried})"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "right": self.right,
            "answers": [
                {"text": str(answer), "faults": sorted(answer.ids)} for answer in self.answers
            ],
            "faults": self.faults,
            "pairs": self.pairs,
            "complete": self.complete,
            "text": str(self),
        }


def diagnose(
    port: Any,
    spec: Spec,
    weights: Arrays | None = None,
    x: np.ndarray | None = None,
    *,
    input_shape: Shape | None = None,
    seed: int = 0,
    seconds: float = SECONDS,
) -> Diagnosis:
    """Name the faults that explain what ``port`` makes of ``spec``.

    ``port`` is one of

    - a wrong output, channels-last, of ``weights`` and ``x``;
    - a native module of any framework, which should have ``weights``: it is run on ``x``, or on
      random numbers, and on small integers;
    - a callable ``port(spec, weights, x) -> y`` like ``convparity.reference``: it is asked with
      integer weights and inputs, so that the match is exact.

    One of ``x`` and ``input_shape`` (N, *spatial, C) is needed. The search for two faults at once
    ends after ``seconds``.
    """
    if x is None and input_shape is None:
        raise InputError("diagnose needs an input x, or an input_shape to draw one for")
    shape = tuple(input_shape) if x is None else np.shape(x)  # type: ignore[arg-type]
    output_shape(spec, shape)
    if weights is not None:
        check_weights(spec, weights)
    seen = list(_observe(port, spec, weights, x, shape, seed))
    return _explain(spec, seen, seconds)


def _observe(
    port: Any, spec: Spec, weights: Arrays | None, x: np.ndarray | None, shape: Shape, seed: int
) -> list[Observation]:
    if isinstance(port, np.ndarray):
        if weights is None or x is None:
            raise InputError("to explain an output, diagnose needs the weights and the input x")
        return [Observation(weights, _float32(x), _float32(port))]
    forward = _forward(port)
    if forward is not None:
        if weights is None:
            raise InputError("diagnose needs the weights that the module should have")
        drawn = np.random.default_rng(seed).standard_normal(shape)
        integers = integer_case(spec, shape, seed)[1]
        inputs = [integers, _float32(drawn if x is None else x)]
        return [Observation(weights, each, np.asarray(forward(each.copy()))) for each in inputs]
    if not callable(port):
        raise InputError(
            f"a {type(port).__name__} is no port: give an output, a native module, "
            "or a callable port(spec, weights, x)"
        )
    cases = [integer_case(spec, exact_shape(spec, shape), each) for each in (seed, seed + 1)]
    return [Observation(w, each, np.asarray(port(spec, w, each.copy()))) for w, each in cases]


def _float32(array: np.ndarray) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise InputError(f"an array of {array.dtype} is none of real numbers")
    return array.astype(np.float32)


def _forward(port: Any) -> Callable[[np.ndarray], np.ndarray] | None:
    try:
        adapter = registry.owner(port)
    except UnsupportedError:
        return None
    return lambda x: adapter.forward(port, x)


# ---------------------------------------------------------------- the search


def _explain(spec: Spec, seen: list[Observation], seconds: float) -> Diagnosis:
    """Search one fault, then two at once, for as long as there is time."""
    if all(_is_right(spec, each) for each in seen):
        return Diagnosis(True, (), 0, 0, True)
    end, shape = time.monotonic() + seconds, seen[0].x.shape
    unchanged = [right(spec, each.weights, each.x) for each in seen]
    found: list[Suspect] = []
    telling: dict[bytes, Suspect] = {}
    tried = 0
    for suspect in singles(spec, shape):
        if time.monotonic() > end:
            return Diagnosis(False, _answers(spec, shape, found), tried, 0, False)
        tried += 1
        given = [prediction(suspect.faulty, each.weights, each.x) for each in seen]
        if any(y is None for y in given) or all(map(same, given, unchanged)):  # type: ignore[arg-type]
            continue
        if _all_explained(suspect, given, seen, unchanged):
            found.append(suspect)
        telling.setdefault(_key(given), suspect)
    pairs, complete = 0, True
    if not found:
        suspects = list(telling.values())
        pairs, complete = _search_pairs(spec, shape, suspects, seen, unchanged, found, end)
    return Diagnosis(False, _answers(spec, shape, found), tried, pairs, complete)


def _search_pairs(
    spec: Spec,
    shape: Shape,
    suspects: list[Suspect],
    seen: list[Observation],
    unchanged: list[np.ndarray],
    found: list[Suspect],
    end: float,
) -> tuple[int, bool]:
    """Add every pair that explains what was seen; how many were tried, and whether all were.

    Of faults that give the same, one stands for all.
    """
    tried = 0
    indices = range(len(suspects))
    for i, j in sorted(((i, j) for i in indices for j in indices if i != j), key=sum):
        if time.monotonic() > end:
            return tried, False
        tried += 1
        both = together(spec, shape, suspects[i], suspects[j])
        if both is None:
            continue
        first = prediction(both.faulty, seen[0].weights, seen[0].x)
        if first is None or not explains(both.faulty, first, seen[0], unchanged[0]):
            continue
        rest = [prediction(both.faulty, each.weights, each.x) for each in seen[1:]]
        if _all_explained(both, [first, *rest], seen, unchanged):
            found.append(both)
    return tried, True


def _all_explained(
    suspect: Suspect,
    given: list[np.ndarray | None],
    seen: list[Observation],
    unchanged: list[np.ndarray],
) -> bool:
    return all(
        y is not None and explains(suspect.faulty, y, each, correct)
        for y, each, correct in zip(given, seen, unchanged, strict=True)
    )


def _is_right(spec: Spec, seen: Observation) -> bool:
    target = trace(spec, seen.weights, exact_input(seen.x))
    return (structure if target.exact else precision)(seen.y, target).ok


def _key(given: list[np.ndarray | None]) -> bytes:
    return b"|".join(
        b"" if y is None else repr((y.shape, y.dtype.str)).encode() + y.tobytes() for y in given
    )


def _answers(spec: Spec, shape: Shape, found: list[Suspect]) -> tuple[Answer, ...]:
    """Those that give the same on other data, too, in one line; each fault once in it."""
    lines: dict[bytes, dict[tuple[str, ...], Suspect]] = {}
    cases = [integer_case(spec, shape, seed) for seed in (1001, 1002)]
    for suspect in found:
        key = _key([prediction(suspect.faulty, *case) for case in cases])
        lines.setdefault(key, {}).setdefault(tuple(sorted(suspect.ids)), suspect)
    return tuple(
        Answer(first, tuple(others))
        for first, *others in (line.values() for line in lines.values())
    )


# ---------------------------------------------------------------- networks


def diagnose_layers(found: Layerwise, *, seconds: float = SECONDS) -> dict[str, Diagnosis]:
    """Diagnose each layer that errs by itself, with its own input, the first divergence first.

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
        first = diagnosis.answers[0].suspect.ids if diagnosis.answers else None
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
    drawn = _float32(np.random.default_rng(0).standard_normal(x.shape))
    try:
        seen = [
            Observation(weights, each, np.asarray(layer.pair.module.forward(each.copy())))
            for each in (x, integer_case(spec, x.shape, 0)[1], drawn)
        ]
    except Exception:  # each framework raises its own; the divergence says that it fails
        return Diagnosis(False, (), 0, 0, True)
    return _explain(spec, seen, seconds)
