"""Faults that no registry knows, in a random layer or chain of every family: is a name given?

A name is wrong unless the port does what the named fault does on other data, too: then nobody could
tell the two from each other, whatever the port's author did.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import seed as hypothesis_seed

from convparity.analysis.diagnosis.diagnose import Answer, Diagnosis, diagnose
from convparity.analysis.diagnosis.suspects import prediction, right, same
from convparity.analysis.proof.data import exact_shape, integer_case, real_case
from convparity.analysis.proof.judging import precision, structure
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.reference import Implementation
from convparity.impls.spec import ACTIVATIONS, Spec
from convparity.impls.weights import Arrays
from parity_tests.support.cells import FAMILIES
from parity_tests.support.strategies import Case

# what diagnose is given: one output on integers or on reals, a port that it may ask, a module
FORMS = ("ints", "reals", "port", "module")
Wrong = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]  # of y and its bound


@dataclass
class Result:
    """What the trials counted."""

    trials: int = 0
    unnamed: int = 0
    alike: int = 0  # named, and the same as the named fault on other data
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    incomplete: int = 0  # the time was up before every pair was tried


# ---------------------------------------------------------------- faults of outputs


def _at(rng: np.random.Generator, y: np.ndarray) -> tuple[int, ...]:
    return tuple(int(rng.integers(n)) for n in y.shape)


def _entry(amount: Callable[..., float], rng: Any, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """One value, off by some amount."""
    at, wrong = _at(rng, y), y.astype(np.float64)
    wrong[at] += rng.choice([-1, 1]) * amount(rng, bound[at], y)
    return wrong


def _few(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    for _ in range(3):
        y = _entry(lambda *_: float(rng.integers(1, 4)), rng, y, bound)
    return y


def _size(y: np.ndarray) -> float:
    return float(np.sqrt(np.mean(y.astype(np.float64) ** 2))) or 1.0


def _noise(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Of every size between a rounding and the outputs."""
    if rng.random() < 0.5:
        size = bound * 2.0 ** rng.uniform(-1, 6)
    else:
        size = np.full(y.shape, _size(y) * 10.0 ** rng.uniform(-6, 0))
    return np.asarray(y + size * rng.standard_normal(y.shape))


def _scaled(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return np.asarray(y * (1 + rng.choice([-1, 1]) * 2.0 ** -rng.uniform(0, 18)))


def _offset(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    if rng.random() < 0.5:
        return np.asarray(y + float(rng.integers(1, 8)) * rng.choice([-1, 1]))
    return np.asarray(y + _size(y) * 10.0 ** rng.uniform(-5, 1) * rng.choice([-1, 1]))


def _one_channel(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Another sign, factor or offset of it, or none of it at all."""
    wrong, c = y.astype(np.float64), rng.integers(y.shape[-1])
    factor, offset = ((0, 0), (-1, 0), (1.5, 0), (1, 1), (1, -2))[rng.integers(5)]
    wrong[..., c] = wrong[..., c] * factor + offset
    return wrong


def _channels_swapped(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    order = np.arange(y.shape[-1])
    a, b = rng.integers(y.shape[-1], size=2)
    order[[a, b]] = order[[b, a]]
    return y[..., order]


def _rolled(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return np.roll(y, int(rng.choice([-1, 1])), int(rng.integers(y.ndim)))


def _shuffled(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return rng.permutation(y.ravel()).reshape(y.shape)


def _clipped(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    low, high = np.quantile(y, [0.1, 0.9])
    return np.clip(y, low, high)


def _stepped(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Of few bits."""
    step = (abs(y).max() or 1.0) * 2.0 ** -rng.integers(1, 14)
    return np.asarray(np.rint(y / step) * step)


def _constant(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return np.full(y.shape, rng.choice([0.0, 1.0, float(y.mean())]))


def _unrelated(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    values = rng.standard_normal(y.shape) * _size(y)
    return np.rint(values) if bool((y == np.rint(y)).all()) else values


def _not_finite(rng: np.random.Generator, y: np.ndarray, bound: np.ndarray) -> np.ndarray:
    return _entry(lambda *_: float(rng.choice([np.nan, np.inf])), rng, y, bound)


OUTPUTS: dict[str, Wrong] = {
    "one value, a unit": partial(_entry, lambda rng, bound, y: 1.0),
    "one value, some bounds": partial(
        _entry, lambda rng, bound, y: max(bound, 1e-7 * _size(y)) * 2.0 ** rng.uniform(0.1, 8)
    ),
    "one value, any amount": partial(
        _entry, lambda rng, bound, y: _size(y) * 10.0 ** rng.uniform(-4, 1)
    ),
    "three values": _few,
    "noise": _noise,
    "scaled": _scaled,
    "offset": _offset,
    "one channel": _one_channel,
    "two channels exchanged": _channels_swapped,
    "rolled": _rolled,
    "shuffled": _shuffled,
    "clipped": _clipped,
    "few bits": _stepped,
    "constant": _constant,
    "unrelated": _unrelated,
    "not finite": _not_finite,
}

# ---------------------------------------------------------------- faults of weights and inputs


def _tap(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """One value is another one."""
    wrong = array.copy()
    at, amount = _at(rng, wrong), rng.choice([1.0, 10.0 ** rng.uniform(-4, 1)])
    wrong[at] = (wrong[at] + amount, wrong[at] - amount, 0, -wrong[at])[rng.integers(4)]
    return wrong


def _taps_exchanged(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    wrong = array.ravel().copy()
    a, b = rng.integers(wrong.size, size=2)
    wrong[[a, b]] = wrong[[b, a]]
    return wrong.reshape(array.shape)


def _array_scaled(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    return (array * (1 + rng.choice([-1, 1]) * 2.0 ** -rng.uniform(0, 12))).astype(array.dtype)


def _array_offset(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    return array + array.dtype.type(rng.choice([-1, 1]) * 2.0 ** -rng.uniform(-1, 8))


ARRAYS = {
    "one value": _tap,
    "two values exchanged": _taps_exchanged,
    "scaled": _array_scaled,
    "offset": _array_offset,
}


def _of_output(wrong: Wrong, number: int) -> Implementation:
    def port(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        target = trace(spec, weights, exact_input(x))
        y = wrong(np.random.default_rng(number), target.value, target.bound)
        return np.asarray(y).astype(np.float32)

    return port


def _of_weight(change: Any, number: int) -> Implementation:
    def port(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(number)
        name = sorted(weights)[rng.integers(len(weights))]
        wrong = change(rng, np.asarray(weights[name]))
        if name.endswith("variance"):
            wrong = abs(wrong)
        return right(spec, {**weights, name: wrong}, x)

    return port


def _of_input(change: Any, number: int) -> Implementation:
    def port(spec: Spec, weights: Arrays, x: np.ndarray) -> np.ndarray:
        return right(spec, weights, change(np.random.default_rng(number), x))

    return port


def _of_field(number: int) -> Implementation:
    """A number of the spec that is not what a framework has by default, or another function."""

    def port(spec: Any, weights: Arrays, x: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(number)
        if hasattr(spec, "eps"):
            spec = replace(spec, eps=min(0.5, spec.eps * rng.choice([0.3, 2, 7, 1000])))
        elif hasattr(spec, "function"):
            others = [name for name in ACTIVATIONS if name != spec.function]
            spec = replace(spec, function=others[rng.integers(len(others))], alpha=None)
        return right(spec, weights, x)

    return port


def _ports(number: int) -> Iterator[tuple[str, Implementation]]:
    """Every kind of unknown fault, each a function of its seed alone."""
    for name, wrong in OUTPUTS.items():
        yield f"output: {name}", _of_output(wrong, number)
    for name, change in ARRAYS.items():
        yield f"a weight: {name}", _of_weight(change, number)
        yield f"input: {name}", _of_input(change, number)
    yield "another field", _of_field(number)


# ---------------------------------------------------------------- trials


def run(trials: int, first_seed: int, seconds: float = 10.0) -> Result:
    """Diagnose ``trials`` unknown faults that a verdict calls wrong, family by family in turn."""
    result = Result()
    rng = np.random.default_rng(first_seed)
    drawn = cases(trials, first_seed)
    while result.trials < trials:
        case, number = next(drawn), int(rng.integers(2**31))
        ports = list(_ports(number))
        kind, port = ports[rng.integers(len(ports))]
        form = FORMS[rng.integers(len(FORMS))]
        spec, shape, seed = case
        case = Case(spec, exact_shape(spec, shape), seed)
        try:
            with np.errstate(all="ignore"):
                found = _trial(case, form, port, seconds)
        except (IndexError, KeyError, ValueError) as error:
            if kind.startswith("a weight"):  # there is none
                continue
            raise AssertionError(f"{kind}, {form}: {case}") from error
        if found.right:
            continue
        result.trials += 1
        result.kinds[kind] += 1
        result.incomplete += not found.complete
        if not found.answers:
            result.unnamed += 1
        elif all(_alike(case, port, answer) for answer in found.answers):
            result.alike += 1
        else:
            result.wrong.append(f"{kind}, {form}, {number}: {case}: {str(found)[:300]}")
    return result


def _trial(case: Case, form: str, port: Implementation, seconds: float) -> Diagnosis:
    spec, shape, number = case
    if form == "port":
        return diagnose(port, spec, input_shape=shape, seed=number, seconds=seconds)
    make = integer_case if form == "ints" else real_case
    weights, x = make(spec, shape, number)
    if form == "module":
        from parity_tests.support.numpy_framework import Module, installed

        module = Module(spec, weights, {}, partial(port, spec, weights))
        with installed():
            return diagnose(module, spec, weights, x, seconds=seconds)
    return diagnose(port(spec, weights, x), spec, weights, x, seconds=seconds)


def _alike(case: Case, port: Implementation, answer: Answer) -> bool:
    """On other data, the port gives what the named fault gives, up to rounding."""
    spec, shape, number = case
    for make in (integer_case, real_case):
        for more in (1, 2, 3):
            weights, x = make(spec, shape, number + more)
            y = port(spec, weights, x)
            given = prediction(answer.suspect.faulty, weights, x)
            if given is None or given.shape != y.shape:
                return False
            target = trace(spec, weights, exact_input(x))
            if same(given, y):
                continue
            target = replace(target, value=given.astype(np.float64))
            if not (structure if target.exact else precision)(y, target).ok:
                return False
    return True


def cases(count: int, first_seed: int) -> Iterator[Case]:
    """Of each family in turn; the activations are one family, and so are the reductions."""
    several = [name for name in FAMILIES if name not in ACTIVATIONS]
    families: dict[str, list[Case]] = {}
    for name in (*several, *ACTIVATIONS):
        family = "activations" if name in ACTIVATIONS else name.partition(",")[0]
        families.setdefault(family, []).extend(_drawn(name, max(10, count // 2), first_seed))
    rng = np.random.default_rng(first_seed)
    while True:
        for found in families.values():
            yield found[rng.integers(len(found))]


def _drawn(family: str, count: int, first_seed: int) -> list[Case]:
    found: list[Case] = []

    @hypothesis_seed(first_seed)
    @settings(max_examples=count, database=None, phases=[Phase.generate], deadline=None)
    @given(FAMILIES[family].cases)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found
