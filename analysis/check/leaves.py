"""The layers of a network as they ran: what each was given and made, whatever code holds them."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from convparity.analysis.proof.judging import precision
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from convparity.impls.errors import ConvparityError, InputError
from convparity.impls.recording import Call
from convparity.impls.spec import BatchNorm, Join, Layer, Spec, dotted
from convparity.impls.weights import Weights


@dataclass(frozen=True)
class Leaf:
    """One layer in one run: it runs no other layer that could be seen."""

    adapter: Adapter
    path: str  # in the user's module
    module: Any
    inputs: tuple[np.ndarray, ...]  # channels-last; none where it was given something else, too
    y: np.ndarray | None
    dtype: str
    spec: (
        Layer | Join | None
    )  # None where its code is its own, or it does something else than it says
    weights: Weights
    why: str = ""  # there is no spec
    raw: Weights = field(default_factory=dict)  # its own variables, of a layer that cannot be read

    @property
    def x(self) -> np.ndarray | None:
        """The one array that it was given; None where it was not one."""
        return self.inputs[0] if len(self.inputs) == 1 else None

    @property
    def weighs(self) -> bool:
        """It holds weights."""
        return bool(self.weights or self.raw)

    @property
    def moves(self) -> bool:
        """It only moves what it is given, if that: the numbers are the same, in some order.

        Where they are then is seen by what reaches the next layer.
        """
        x, y = self.x, self.y
        if self.weighs or x is None or y is None or x.dtype != y.dtype or x.size != y.size:
            return False
        return np.array_equal(np.sort(x, axis=None), np.sort(y, axis=None), equal_nan=True)

    def gives(self, *inputs: np.ndarray) -> np.ndarray:
        """What the layer makes of other inputs, at inference."""
        made = self.adapter.watch(self.module, inputs).output
        if made is None or made.array is None:
            raise InputError("it gives no single array")
        return made.array

    @property
    def kind(self) -> str:
        """What it is, in one word."""
        return type(self.module).__name__ if self.spec is None else type(self.spec).__name__


def paths(adapter: Adapter, module: Any) -> dict[int, str]:
    """The dotted path of every module inside one, by its ``id``; of one used twice, the first."""
    found: dict[int, str] = {}
    for path, each in adapter.named_modules(module).items():
        found.setdefault(id(each), path)
    return found


def leaves(adapter: Adapter, call: Call, named: dict[int, str], direct: bool) -> list[Leaf]:
    """The innermost calls of a run, in order; each is read, and judged by what it did."""
    return [_leaf(adapter, each, named, direct) for each in innermost(call)]


def innermost(call: Call) -> Iterator[Call]:
    """The calls that have no call inside."""
    if not call.inside:
        yield call
    for inner in call.inside:
        yield from innermost(inner)


def given(call: Call) -> tuple[np.ndarray, ...]:
    """The arrays that a module was given, if it was given nothing else."""
    found = [leaf.array for value in call.given for leaf in value.leaves()]
    arrays = tuple(array for array in found if array is not None)
    return arrays if len(arrays) == len(found) else ()


def _leaf(adapter: Adapter, call: Call, named: dict[int, str], direct: bool) -> Leaf:
    inputs = given(call)
    y = None if call.output is None else call.output.array
    dtype = "" if call.output is None else call.output.dtype
    spec: Spec | None = None
    weights: Weights = {}
    why = ""
    try:
        spec = adapter.describe(call.module)
        weights = adapter.dump(call.module)
    except ConvparityError as error:
        spec, why = None, str(error)
    if spec is not None and not isinstance(spec, Layer | Join):
        spec, why = None, "it runs its layers in a way that cannot be seen"
    if isinstance(spec, Layer) and (len(inputs) != 1 or y is None):
        spec, why = None, "it takes or gives more than one array"
    if isinstance(spec, Join) and (not inputs or y is None):
        spec, why = None, "it takes something else than arrays, or gives more than one"
    if spec is not None:
        assert y is not None
        spec = _of_rank(spec, inputs[0])
        try:  # a layer may do something else than its fields say
            exact = (exact_input(x, dtype, direct) for x in inputs)
            judged = precision(y, trace(spec, weights, *exact))
        except (ConvparityError, ValueError) as error:
            spec, why = None, str(error)
        else:
            if judged.status == "wrong":
                spec, why = None, f"it does not do what its fields say: {judged}"
    path = named.get(id(call.module), "")
    if spec is None and len(inputs) > 1:  # how its code takes them apart is not known
        inputs = ()
    raw = variables(adapter, call.module) if spec is None else {}
    weights = {} if spec is None else weights
    return Leaf(
        adapter,
        path,
        module=call.module,
        inputs=inputs,
        y=y,
        dtype=dtype,
        spec=spec,
        weights=weights,
        why=why,
        raw=raw,
    )


def _of_rank(spec: Layer | Join, x: np.ndarray) -> Layer | Join:
    """A norm that knows no rank by itself has that of what it was given."""
    rank = min(max(x.ndim - 2, 1), 3)
    if not isinstance(spec, BatchNorm) or spec.rank == rank:
        return spec
    return replace(spec, rank=rank)


def variables(adapter: Adapter, module: Any) -> Weights:
    """What a native module holds itself, in its own layout."""
    return {name: adapter.read(each) for name, each in adapter.own_variables(module).items()}


def beside(adapter: Adapter, module: Any, found: list[Leaf]) -> list[str]:
    """The paths of variables that belong to no layer that was seen to run."""
    seen = {
        id(each)
        for leaf in found
        for each in (leaf.module, *adapter.named_modules(leaf.module).values())
    }
    return [
        dotted(path, name)
        for path, each in adapter.named_modules(module).items()
        if id(each) not in seen
        for name in variables(adapter, each)
    ]
