"""What a module did in one run, held against what was read from it.

Each layer is judged on what it was itself given, and each composite on whether it gave its layers
what its steps say. So nothing drifts from layer to layer: in a network of any depth, and in any
dtype, a layer that does something else is seen by itself and named.
"""

from collections import deque
from typing import Any

import numpy as np

from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.rounded import UNIT_ROUNDOFF, Rounded, exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from convparity.impls.errors import UnsupportedError
from convparity.impls.recording import Call, Value
from convparity.impls.spec import (
    Composite,
    Dense,
    Join,
    Spec,
    Step,
    fold_steps,
    is_one_layer,
    named,
)
from convparity.impls.weights import Arrays

# an exact value that a module gave, or what rounding may make of one that nobody saw
Known = np.ndarray | Rounded


class Witness:
    """Judges the calls of one run; ``weights`` are those that were read, by dotted name."""

    def __init__(self, adapter: Adapter, weights: Arrays, direct: bool) -> None:
        self.adapter, self.direct = adapter, direct
        self.weights: dict[str, dict[str, np.ndarray]] = {"": dict(weights)}  # by path
        for name, array in weights.items():
            parts = name.split(".")
            for end in range(1, len(parts)):
                inside = self.weights.setdefault(".".join(parts[:end]), {})
                inside[".".join(parts[end:])] = array

    def judge(self, call: Call, spec: Spec, path: str = "") -> None:
        """Raise ``UnsupportedError`` at the first layer that did not do what ``spec`` says."""
        if isinstance(spec, Composite) and not is_one_layer(spec):
            self._composite(call, spec, path)
        else:
            self._layer(call, spec, path)

    # -- layers

    def _layer(self, call: Call, spec: Spec, path: str) -> None:
        given, made = self._arrays(call, spec, path)
        arrays = [each.array for each in given if each.array is not None]
        for each in given:
            self._check_dtype(call, each, made, path)
        weights = self.weights.get(path, {})
        target = trace(spec, weights, *(self._exact(x, made.dtype) for x in arrays))
        what = "what it gives is not what its fields say"
        if isinstance(spec, Dense) and arrays[0].ndim > 2:
            what += " (in a spec a dense layer acts on the channels of an image, or on its axis)"
        self._check(made, target, path, what)

    def _arrays(self, call: Call, spec: Spec, path: str) -> tuple[list[Value], Value]:
        """What a layer was given and made: one array each, of a join several."""
        given, made = self._given(call, path), self._made(call, path)
        if len(given) != 1 and not isinstance(spec, Join):
            raise self._refused(path, "it is not given one array")
        if len(made) != 1:
            raise self._refused(path, f"it gives {len(made)} arrays, not one")
        return given, made[0]

    def _given(self, call: Call, path: str) -> list[Value]:
        """The arrays that a module was given."""
        found = [leaf for value in call.given for leaf in value.leaves()]
        if not found or any(leaf.array is None for leaf in found):
            raise self._refused(path, "it is given something else than arrays")
        return found

    def _made(self, call: Call, path: str, spec: Spec | None = None) -> list[Value]:
        """The arrays that a module made, in the order of the results of ``spec``."""
        found = [] if call.output is None else call.output.leaves()
        if isinstance(spec, Composite) and call.output is not None:
            parts = dict(call.output.parts)
            keys = [each if each.isdigit() else repr(each) for each in spec.results]
            if parts.keys() == {f"[{key}]" for key in keys}:  # a mapping may come in any order
                found = [parts[f"[{key}]"] for key in keys]
        if not found or any(leaf.array is None for leaf in found):
            kind = "nothing" if not found else f"a {found[0].dtype}"
            raise self._refused(path, f"it gives {kind}, not one array")
        return found

    def _check_dtype(self, call: Call, given: Value, made: Value, path: str) -> None:
        """Raise where a layer computes in less than what it is given and holds."""
        slots = self.adapter.slots(call.module).values()
        held = {self.adapter.dtype_of(slot.variable) for slot in slots}
        known = [UNIT_ROUNDOFF[each] for each in {*held, given.dtype} if each in UNIT_ROUNDOFF]
        if made.dtype not in UNIT_ROUNDOFF or any(UNIT_ROUNDOFF[made.dtype] > u for u in known):
            weights = f" and weights of {', '.join(sorted(held))}" if held else ""
            raise self._refused(
                path, f"it gives {made.dtype} of an input of {given.dtype}{weights}"
            )

    def _exact(self, x: np.ndarray, dtype: str) -> Rounded:
        return exact_input(x, dtype, self.direct)

    # -- composites

    def _composite(self, call: Call, spec: Composite, path: str) -> None:
        given, made = self._given(call, path), self._made(call, path, spec)
        if len(given) != len(spec.sources) or len(made) != len(spec.results):
            raise self._refused(
                path,
                f"it takes {len(given)} arrays and gives {len(made)}, its layers "
                f"{len(spec.sources)} and {len(spec.results)}",
            )
        children = self.adapter.children(call.module)
        pending = deque(call.inside)

        def visit(step: Step, values: list[Known]) -> Any:
            if step.joins and step.child not in children:
                return self._joined(step, values, made[0].dtype)
            below = step.path(path)
            if not pending or pending[0].module is not children[str(step.child)]:
                raise self._refused(path, f"it does not run {step.child!r} where its layers say so")
            inner = pending.popleft()
            taken, gave = self._given(inner, below), self._made(inner, below, step.spec)
            if len(taken) != len(values):
                raise self._refused(below, f"it is given {len(taken)} arrays, not {len(values)}")
            for name, found, value in zip(step.inputs, taken, values, strict=True):
                self._check(found, value, below, f"its input is not the value of {name}")
            self.judge(inner, step.spec, below)
            arrays = [each.array for each in gave]
            return arrays[0] if named(step, arrays).keys() == {step.name} else arrays

        start: list[Any] = [each.array for each in given]
        ends = fold_steps(spec, start, visit)
        if pending:
            raise self._refused(path, "it runs more layers, or one more often, than it says")
        gave = [ends] if list(spec.results) == [""] else ends
        for found, end in zip(made, gave, strict=True):
            self._check(found, end, path, "it does not give what its last layer gives")

    def _joined(self, step: Step, values: list[Known], dtype: str) -> Rounded:
        return trace(step.spec, {}, *(self._rounded(each, dtype) for each in values))

    def _rounded(self, value: Known, dtype: str) -> Rounded:
        return value if isinstance(value, Rounded) else self._exact(value, dtype)

    # -- verdicts

    def _check(self, found: Value, expected: Known, path: str, otherwise: str) -> None:
        """Raise ``otherwise`` unless ``found`` is the value, or within the bound of one."""
        assert found.array is not None
        if isinstance(expected, Rounded):
            verdict = precision(found.array, expected)
            # the proved bound alone: what a module computes is asked here, not how precisely
            if verdict.problem is not None or not verdict.share <= 1:
                raise self._refused(path, f"{otherwise}: {verdict}")
        elif not np.array_equal(found.array, expected, equal_nan=True):
            raise self._refused(path, otherwise)

    def _refused(self, path: str, what: str) -> UnsupportedError:
        where = f"layer {path!r}" if path else "the module"
        return UnsupportedError(
            f"{self.adapter.name}: {where} cannot be read as a spec, as it was run and does "
            f"something else: {what}. Something beside its fields changes it (code that was put in "
            "the place of its own, a context, an array in place of another): mend that, or write "
            "the spec and load its weights",
            place=(path, what),
        )
