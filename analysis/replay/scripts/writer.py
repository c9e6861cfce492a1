"""The parts of a script that are the same in every framework: its steps, arrays and verdict."""

import base64
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from convparity.analysis.proof.compare import SCALE_LIMIT
from convparity.analysis.proof.rounded import Rounded
from convparity.impls.errors import UnsupportedError
from convparity.impls.notation import to_line
from convparity.impls.script_writer import WIDTH, Writer
from convparity.impls.spec import (
    Add,
    Composite,
    Concat,
    Join,
    Multiply,
    Shape,
    Spec,
    Step,
    Subtract,
    fold_steps,
    named,
    output_shape,
)
from convparity.impls.weights import Arrays

WriteLayer = Callable[[Spec, Arrays, Shape, Writer], None]
Concatenate = Callable[[list[str], int, int], str]  # the call that does it along a canonical axis

LITERAL = 4_000  # characters: an array of more is written in base64

UNPACK = '''

def unpack(text, dtype):
    """The numbers that are written in base64, to keep the script short."""
    return np.frombuffer(base64.b64decode(text), dtype)

'''


@dataclass
class Value:
    """A value while a script is written: the variable that holds it."""

    variable: str
    shape: Shape
    takers: int = 0  # steps that have still to take it, and outputs that are it


class Script(Writer):
    """A script while it is written, of a layer or of a composite of any depth."""

    def __init__(self, composite: bool, concat: Concatenate) -> None:
        super().__init__(composite)
        self.concat = concat
        self.held: Value | None = None  # the last value, which is in y
        self.kept = 0

    def write(
        self, spec: Spec, weights: Arrays, inputs: list[Value], layer: WriteLayer, path: str = ""
    ) -> Any:
        """Add the lines that compute ``spec``; its value, or a tuple of several.

        Every step makes a new ``y``; an old one that is still needed gets a name before.
        """
        if not isinstance(spec, Composite):
            return self._step(spec, weights, inputs, layer, path)
        takers = Counter(name for step in spec.steps for name in step.inputs)
        takers.update(spec.results.values())
        for name, value in zip(spec.sources, inputs, strict=True):
            value.takers += takers[name]

        def visit(step: Step, values: list[Value]) -> Any:
            for value in values:
                value.takers -= 1
            made = self.write(step.spec, step.weights(weights), values, layer, step.path(path))
            for name, value in named(step, made).items():
                value.takers += takers[name]
            return made

        made = fold_steps(spec, inputs, visit)
        for value in made if isinstance(made, tuple) else (made,):
            value.takers -= 1
        return made

    def _step(
        self, spec: Spec, weights: Arrays, inputs: list[Value], layer: WriteLayer, path: str
    ) -> Value:
        """A layer or a join."""
        taken, lines = [value.variable for value in inputs], []
        if self.held is not None and self.held.takers:
            self.kept += 1
            self.held.variable = f"kept_{self.kept}"
            lines.append(f"{self.held.variable} = y")
        if isinstance(spec, Join):
            lines.append(f"y = {self._joined(spec, taken, len(inputs[0].shape))}")
        elif taken != ["y"]:
            lines.append(f"y = {taken[0]}")
        if lines:
            self.say("", *lines)
        shapes = [value.shape for value in inputs]
        if not isinstance(spec, Join):
            if self.composite:
                self.say("", f"# {path}: {to_line(spec)}")
            layer(spec, weights, shapes[0], self)
            self.layers += 1
        self.held = Value("y", output_shape(spec, *shapes))
        return self.held

    def _joined(self, join: Join, taken: list[str], ndim: int) -> str:
        y_first = sorted(taken, key="y".__ne__)  # the order of two does not count
        match join:
            case Add():
                return " + ".join(y_first)
            case Multiply():
                return " * ".join(y_first)
            case Subtract():
                return " - ".join(taken)
            case Concat():
                return self.concat(taken, join.axis, ndim)
        raise UnsupportedError(f"no script is known for {type(join).__name__}")


# ---------------------------------------------------------------- arrays as text


def declaration(name: str, array: np.ndarray, comment: str) -> str:
    """``name = np.array(...)``: a literal to read, or base64 where that would be long."""
    kind = "np.float32" if array.dtype == np.float32 else "np.float64"
    literal = ", ".join(map(_number, array.ravel()))
    if len(literal) <= LITERAL:
        text = f"np.array([{literal}], {kind})"
        if len(text) + len(name) > WIDTH - 20:
            text = "\n".join(["np.array([", _wrapped(literal), f"], {kind})"])
    else:
        compact = _compact(array)
        coded = base64.b64encode(compact.tobytes()).decode()
        parts = "\n".join(f'    "{part}"' for part in textwrap.wrap(coded, WIDTH - 8))
        text = f'unpack(\n{parts},\n    "{compact.dtype.str}",\n).astype({kind})'
    shaped = f".reshape{array.shape!r}" if array.ndim != 1 else ""
    return f"{name} = {text}{shaped}  # {comment}"


def _number(value: np.floating[Any]) -> str:
    """The shortest text that reads back as this very number."""
    if value == np.rint(value) and abs(value) < 1e9:
        return str(int(value))
    short = str(value)
    # Python reads a float64 first: in rare cases that takes more digits
    return short if type(value)(float(short)) == value else repr(float(value))


def _wrapped(literal: str) -> str:
    return textwrap.fill(literal, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _compact(array: np.ndarray) -> np.ndarray:
    """The same numbers in the smallest dtype that holds them all."""
    for dtype in ("<i1", "<i2", "<i4", "<f4"):
        with np.errstate(invalid="ignore"):
            small = array.astype(dtype)
        if np.array_equal(small, array):
            return small
    return array.astype("<f8")


# ---------------------------------------------------------------- the verdict


def verdict(
    target: Rounded, native: Callable[[np.ndarray], np.ndarray], axes: str
) -> tuple[str, bool]:
    """The lines that hold ``got`` against the reference, and whether every bit counts.

    ``native`` moves the axes of an output as the framework has them; ``axes`` names them.
    """
    value = native(target.value)
    if not np.isfinite(target.bound).all():
        raise UnsupportedError("no script is written where no bound is known of what is computed")
    if not target.bound.any():
        return (
            f"""
# The output in float64. In float32 it is exact too, in whatever order sums are taken.
{declaration("expected", value.astype(np.float32), axes)}

assert got.dtype == np.float32, f"expected float32, got {{got.dtype}}"
np.testing.assert_array_equal(
    got, expected, err_msg="expected the exact result: ACTUAL is the framework's, DESIRED is right"
)
print("right: every bit is as expected")
""",
            True,
        )
    size = float(np.sqrt(np.mean(target.scale**2))) * SCALE_LIMIT
    bound = native(target.bound)
    if (bound.max() - bound.min()) <= 0.01 * bound.max():
        bound = bound.max()
    text = _upwards(bound)
    return (
        f"""
# The output in float64, and the most that rounding to float32 on the way can change (proved).
{declaration("expected", value, axes)}
{text}
rms_bound = {size * 1.005:.2e}  # of the error's root mean square: what float32 makes, and a margin

assert got.dtype == np.float32, f"expected float32, got {{got.dtype}}"
assert got.shape == expected.shape, f"expected the shape {{expected.shape}}, got {{got.shape}}"
error = abs(got.astype(np.float64) - expected)
at = np.unravel_index(np.argmax(error - bound), error.shape)
rms = np.sqrt(np.mean(error**2))
print(f"largest error {{error.max():.2e}}, root mean square {{rms:.2e}}")
assert (error <= bound).all(), f"at {{at}}: expected {{expected[at]}}, got {{got[at]}}"
assert rms <= rms_bound, f"expected an error of at most {{rms_bound}} (rms), got {{rms}}"
print("right: the error is one that float32 makes")
""",
        False,
    )


def _upwards(bound: Any) -> str:
    """``bound = ...`` in three digits, never below its value."""
    if np.ndim(bound) == 0:
        return f"bound = {bound * 1.005:.2e}"
    rounded = np.array([float(f"{each:.2e}") for each in bound.ravel() * 1.005])
    return declaration("bound", rounded.reshape(bound.shape), "of |got - expected|")
