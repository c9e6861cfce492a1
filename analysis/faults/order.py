"""The order of layers: two neighbours of a chain that run the wrong way round."""

from itertools import pairwise

from convparity.analysis.faults.fault import Faulty, Neighbours, fault
from convparity.impls.errors import SpecError
from convparity.impls.spec import (
    Activation,
    BatchNorm,
    Dropout,
    Identity,
    InputNorm,
    Sequential,
    Shape,
    Spec,
    is_one_layer,
    output_shape,
    parameter_shapes,
)

NORMS = BatchNorm | InputNorm


def _kind(spec: Spec) -> str:
    """What the order is said of."""
    if isinstance(spec, NORMS):
        return "norm"
    if isinstance(spec, Activation):
        return "activation"
    kernels = [name for name in parameter_shapes(spec) if name.rpartition(".")[2] == "kernel"]
    return "linear" if kernels and is_one_layer(spec) else "other"


NAMED = [{"norm", "activation"}, {"norm", "linear"}, {"linear", "activation"}]


def _of(*kinds: str) -> Neighbours:
    return lambda first, second: {_kind(first), _kind(second)} == {*kinds}


def _any_other(first: Spec, second: Spec) -> bool:
    """Dropout changes nothing, and of two equal layers without weights nobody knows the order."""
    if isinstance(first, Dropout | Identity) or isinstance(second, Dropout | Identity):
        return False
    if first == second and not parameter_shapes(first):
        return False
    return {_kind(first), _kind(second)} not in NAMED


def _exchange(id: str, title: str, neighbours: Neighbours, hides: str, reference: str = "") -> None:
    """Register that two neighbours are exchanged, wherever both orders fit the input."""

    def make(spec: Sequential, shape: Shape, place: str) -> Faulty | None:
        """Every such pair of ``spec`` from the first layer on, or the one that starts at a name."""
        wrong, told, moved = spec, list[str](), set[str]()
        for (name, first), (other, second) in pairwise(spec.children):
            if place not in ("", name) or name in moved or not neighbours(first, second):
                continue
            tried = _swapped(wrong, name, other)
            if _fits(tried, shape):
                wrong = tried
                told.append(f"{other} before {name}")
                moved |= {name, other}
        return Faulty(wrong, ", ".join(told)) if told else None

    fault(id, title, Sequential, hides=hides, reference=reference, neighbours=neighbours)(make)


def _swapped(spec: Sequential, name: str, other: str) -> Sequential:
    """The same layers under the same names, these two in the place of each other."""
    children, instead = dict(spec.children), {name: other, other: name}
    return Sequential({n: children[n] for n in (instead.get(n, n) for n, _ in spec.children)})


def _fits(spec: Spec, shape: Shape) -> bool:
    try:
        output_shape(spec, shape)
    except SpecError:
        return False
    return True


_exchange(
    "order-01",
    "norm and activation in the wrong order",
    _of("norm", "activation"),
    hides="no network that has them as neighbours",
    reference="iCaRL #5",
)
_exchange(
    "order-02",
    "convolution and norm in the wrong order",
    _of("linear", "norm"),
    hides="convolutions of other channels than they take are refused",
)
_exchange(
    "order-03",
    "convolution and activation in the wrong order",
    _of("linear", "activation"),
    hides="convolutions of one positive tap without a bias",
)
_exchange(
    "order-04",
    "two neighbours of other kinds exchanged",
    _any_other,
    hides="layers that commute, as flattening and most others; elsewhere its shape may show it",
)
