"""The properties of the suite as functions of one adapter, and which of them to try first."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from convparity.analysis.faults import activation, reduction
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.spec import (
    ACTIVATIONS,
    REDUCTIONS,
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Add,
    Average,
    AvgPool,
    BatchNorm,
    Clamp,
    Concat,
    Constant,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Divide,
    Dropout,
    Einsum,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Graph,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    Maximum,
    MaxPool,
    MaxPoolIndices,
    MaxUnpool,
    Minimum,
    Multiply,
    Pad,
    Parameter,
    Power,
    PReLU,
    Rearrange,
    Reduce,
    Rescale,
    Resize,
    RMSNorm,
    Scale,
    SeparableConv,
    Slice,
    Subtract,
)
from parity_tests.frameworks import test_bad_input, test_conversion
from parity_tests.properties import (
    test_counts,
    test_dtypes,
    test_gradients,
    test_networks_agree,
    test_not_finite,
    test_outputs,
    test_precision,
    test_relations,
    test_training,
)
from parity_tests.support import networks, operation_networks
from parity_tests.support.cells import FAMILIES
from parity_tests.support.faults import Misbehaviour

BOTH = ("layer", "network")


class Property(NamedTuple):
    """A test, run as it stands."""

    name: str
    levels: tuple[str, ...]  # where its examples are
    operation: str  # what it is there to judge
    run: Callable[[Adapter], None]

    @property
    def group(self) -> str:
        """Its column in the table of faults and properties."""
        kind = self.name.partition(":")[0].replace("_", " ")
        if kind == "outputs":
            return "outputs, networks" if self.levels == ("network",) else "outputs, layers"
        return kind


def _other(adapter: Adapter) -> Adapter:
    """A right framework to hold one against."""
    name = next(name for name in registry.FRAMEWORKS if name != adapter.name)
    return registry.get(name)


def _kernel_too_large(adapter: Adapter) -> None:
    with pytest.MonkeyPatch.context() as patch:
        test_bad_input.test_an_input_that_does_not_fit_never_reaches_the_framework(
            adapter, patch, (1, 2, 5, 2), "larger than the padded input"
        )


def _all() -> Iterator[Property]:
    def named(test: Callable[..., None], levels: tuple[str, ...], operation: str) -> Property:
        module = test.__module__.rpartition(".")[2].removeprefix("test_")
        name = f"{module}: {test.__name__.removeprefix('test_').replace('_', ' ')}"
        return Property(name, levels, operation, lambda adapter: test(adapter=adapter))

    for family in FAMILIES:
        level = ("network",) if family in ("chains", "graphs") else ("layer",)
        yield Property(
            f"outputs: {family}",
            level,
            "forward",
            lambda adapter, family=family: test_outputs.test_family([adapter], family),
        )
    yield Property(
        "outputs: moved",
        ("network",),
        "forward",
        lambda adapter: test_outputs.test_a_network_that_moves_pixels([adapter]),
    )
    yield Property(
        "outputs: several values",
        ("network",),
        "forward",
        lambda adapter: test_outputs.test_several_values(adapters=[adapter]),
    )
    yield Property(
        "precision", BOTH, "forward", lambda adapter: test_precision.test_random_specs([adapter])
    )
    yield named(test_precision.test_norms_far_from_zero, ("layer",), "forward")
    yield Property(
        "precision: networks far from zero",
        ("network",),
        "forward",
        lambda adapter: test_precision.test_networks_far_from_zero(adapter=adapter),
    )
    yield named(test_not_finite.test_layers, ("layer",), "forward")
    yield named(test_not_finite.test_networks, ("network",), "forward")
    yield named(test_gradients.test_linear, ("layer",), "backward")
    yield named(test_gradients.test_scales, ("layer",), "backward")
    yield named(test_gradients.test_max_pools, ("layer",), "backward")
    yield named(test_gradients.test_average_pools, ("layer",), "backward")
    yield named(test_gradients.test_scale_and_offset_of_norms, ("layer",), "backward")
    activations = networks.NETWORKS[4:]
    for name, spec in (
        ("network", networks.NETWORK),
        ("decoder", networks.DECODER),
        ("pooled", networks.POOLED),
        ("block", networks.BLOCK),
        ("gray", test_outputs.GRAY),
        ("row", test_outputs.ROW),
    ):
        yield Property(
            f"outputs: {name}",
            ("network",),
            "forward",
            lambda adapter, spec=spec: test_outputs.test_network([adapter], spec),
        )
        if spec in (test_outputs.GRAY, test_outputs.ROW):
            continue
        yield Property(
            f"gradients: {name}",
            ("network",),
            "backward",
            lambda adapter, spec=spec: test_gradients.test_network(
                [adapter, _other(adapter)], spec
            ),
        )
    yield Property(
        "outputs: activations",
        ("network",),
        "forward",
        lambda adapter: [test_outputs.test_network([adapter], spec) for spec in activations],
    )
    for name in operation_networks.NETWORKS:
        yield Property(
            f"outputs: {name} in a network",
            ("network",),
            "forward",
            lambda adapter, name=name: test_outputs.test_operations([adapter], name),
        )
    yield named(test_counts.test_layers, ("layer",), "count")
    yield named(test_counts.test_chains, ("network",), "count")
    yield named(test_conversion.test_build_and_dump, BOTH, "dump")
    yield named(test_conversion.test_nothing_is_shared, BOTH, "dump")
    yield named(test_conversion.test_load_overwrites_everything, BOTH, "load")
    yield named(test_training.test_layers, ("layer",), "train")
    yield named(test_training.test_scales, ("layer",), "train")
    yield named(test_training.test_statistics, ("layer",), "train")
    yield named(test_training.test_networks, ("network",), "train")
    yield named(test_training.test_statistics_in_a_network, ("network",), "train")
    yield Property("bad input: kernel", ("layer",), "apply", _kernel_too_large)
    yield named(test_bad_input.test_nor_one_that_does_not_fit_a_later_layer, ("network",), "apply")
    for name in ("scale", "batch", "output_channels", "groups", "separable", "transpose"):
        yield named(getattr(test_relations, f"test_{name}"), ("layer",), "forward")
    for dtype in ("float32", "float16"):
        yield Property(
            f"dtypes: {dtype}",
            ("layer",),
            "forward",
            lambda adapter, dtype=dtype: test_dtypes.test_exact_on_integers(
                adapter=adapter, dtype=dtype
            ),
        )
    yield Property(
        "networks agree: odd sizes",
        ("network",),
        "forward",
        lambda adapter: test_networks_agree.test_odd_sizes_and_batches([adapter]),
    )


PROPERTIES = {each.name: each for each in _all()}

_CONVS = tuple(f"outputs: convolutions of rank {rank}" for rank in (2, 1, 3))
KINDS = {
    **dict.fromkeys((Conv, DepthwiseConv, SeparableConv), _CONVS),
    ConvTranspose: ("outputs: transposed",),
    **dict.fromkeys((MaxPool, AvgPool), ("outputs: pools", "outputs: pools in a network")),
    **dict.fromkeys(
        (BatchNorm, LayerNorm, GroupNorm, InstanceNorm, RMSNorm),
        ("outputs: norms", "outputs: norms in a network"),
    ),
    **dict.fromkeys((Add, Multiply, Subtract, Concat), ("outputs: graphs",)),
    MaxUnpool: ("outputs: unpools in a network",),
    **dict.fromkeys(
        (Divide, Maximum, Minimum, Average, Einsum), ("outputs: arithmetic in a network",)
    ),
    Graph: ("outputs: graphs", "outputs: several values"),
    **{
        kind: (f"outputs: {kind.__name__}", "outputs: moved")
        for kind in (Slice, Rearrange, Pad, Resize, AdaptiveAvgPool, AdaptiveMaxPool)
    },
    **{
        kind: (f"outputs: {kind.__name__}", f"outputs: {network} in a network")
        for network, kinds in (
            ("pools", (MaxPoolIndices, GlobalMaxPool)),
            ("functions", (PReLU, Clamp)),
            ("arithmetic", (Rescale, Power)),
        )
        for kind in kinds
    },
    **dict.fromkeys((Flatten, GlobalAvgPool, Dropout), ("outputs: heads",)),
    Dense: ("outputs: heads", "outputs: dense layers in a network"),
    Parameter: ("outputs: Parameter", "outputs: graphs"),
    Constant: ("outputs: Constant", "outputs: arithmetic in a network"),
    Scale: ("outputs: scales",),
    Activation: tuple(f"outputs: {function}" for function in ACTIVATIONS),
    Reduce: (
        *(f"outputs: Reduce, {function}" for function in REDUCTIONS),
        "outputs: reductions in a network",
    ),
}


def _network_of(function: str) -> str:
    held = {getattr(layer, "function", "") for _, layer in operation_networks.FUNCTIONS.children}
    return "functions in a network" if function in held else "activations"


_NOT_FINITE = ("not_finite: layers", "not_finite: networks")
FIRST = {  # data that others do not have
    "joins-08": ("outputs: several values",),
    "precision-13": ("precision: norms far from zero", "precision: networks far from zero"),
    "precision-16": _NOT_FINITE,
    "precision-17": _NOT_FINITE,
    "grouping-07": ("outputs: gray",),
    **{f"padding-{n:02}": ("outputs: row",) for n in (4, 16, 18)},
    "layout-12": ("outputs: row",),
    "gradient-08": ("gradients: average pools", "gradients: pooled"),
    "gradient-09": ("gradients: scale and offset of norms",),
    "normalisation-16": ("outputs: decoder",),
    **{f"activation-{n:02}": ("outputs: activations",) for n in range(1, 11)},
    **{
        f"activation-{n}": (f"outputs: {name}", f"outputs: {_network_of(name)}")
        for n, _, name, _, _ in activation.WRONG_ONES
    },
    **{
        f"reduction-{n}": (f"outputs: Reduce, {name}",) for n, _, name, _, _ in reduction.WRONG_ONES
    },
    **{
        f"reduction-{n}": (f"outputs: Reduce, {f}",)
        for n, f in ((11, "var"), (12, "var"), (13, "norm"))
    },
    "activation-09": ("outputs: softmax", "outputs: functions in a network"),
    "activation-26": ("outputs: softplus", "outputs: functions in a network"),
    "arithmetic-15": ("outputs: arithmetic in a network",),
}


def ordered(fault: Misbehaviour, level: str) -> list[Property]:
    """The properties at ``level``, the likeliest to see ``fault`` first."""
    matching = [name for kind in fault.on for name in KINDS.get(kind, ())]

    def rank(each: Property) -> tuple[bool, bool, int]:
        judged = "forward" if fault.operation == "device" else fault.operation
        place = matching.index(each.name) if each.name in matching else len(matching)
        return each.name not in FIRST.get(fault.id, ()), each.operation != judged, place

    # a fault of outputs leaves the other operations right
    able = (p for p in PROPERTIES.values() if not fault.forward or p.operation == "forward")
    return sorted((p for p in able if level in p.levels), key=rank)
