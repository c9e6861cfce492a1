"""On integers, every framework gives the reference's output: bit for bit, unless a layer rounds.

What rounds even there (a mean, a norm, an exponential) may differ by its proved rounding bound.
Each family is judged on real numbers too, as in ``test_precision``, while its modules are there.
"""

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    Conv,
    ConvTranspose,
    Dense,
    Flatten,
    GlobalAvgPool,
    Pad,
    Rearrange,
    Residual,
    Resize,
    SeparableConv,
    Sequential,
    Slice,
    Spec,
)
from convparity.analysis.proof.compare import compare, precision
from convparity.analysis.proof.rounded import exact_input
from convparity.analysis.proof.rounding import trace
from convparity.impls.adapter import Adapter
from convparity.impls.spec import walk
from convparity.impls.weights import init_weights
from parity_tests.support import operation_networks
from parity_tests.support.asserts import assert_parity, assert_structure, coverage, note_cells
from parity_tests.support.cells import FAMILIES
from parity_tests.support.graph_strategies import doubled, graphs
from parity_tests.support.networks import NETWORKS
from parity_tests.support.strategies import Case, cases, long_chain_cases


def kinds(spec: Spec) -> list[str]:
    """What a network is made of, for its name."""
    return [getattr(layer, "function", type(layer).__name__) for _, layer in walk(spec)]


@pytest.mark.long
@pytest.mark.parametrize("name", FAMILIES)
def test_family(adapters: list[Adapter], name: str) -> None:
    family = FAMILIES[name]
    with coverage(family.cells) as seen:

        @settings(max_examples=family.examples)
        @given(family.cases)
        def outputs_equal(case: Case) -> None:
            note_cells(case, seen)
            assert_parity(case, adapters)

        outputs_equal()


@settings(max_examples=4)
@given(case=cases(graphs(6).map(doubled)))
def test_several_values(adapters: list[Adapter], case: Case) -> None:
    """Two inputs, two outputs, and a graph that runs twice."""
    assert_parity(case, adapters)


GRAY = Sequential(Conv(1, 4, 3, padding=1), Activation("tanh"), Conv(4, 3, 3, 2), Flatten())


ROW = Sequential(  # each shows a fault of padding that the pool behind it lets through
    Conv(3, 4, 3, padding="causal", dilation=2, rank=1),
    Activation("relu"),
    ConvTranspose(4, 3, 3, stride=2, padding="same", rank=1),
    GlobalAvgPool(),
    Dense(3, 3),  # square: transposed, it still fits
)


MOVED = Sequential(  # channels and pixels moved, taken, filled in, and stretched
    Rearrange("n h w (g c) -> n h w (c g)", g=2),
    Pad([(1, 2), (0, 1)], mode="reflect"),
    Slice(1, start=1, stop=10, step=2),
    Pad([(2, 0), (1, 0)], mode="replicate"),
    Resize((9, 7), method="linear"),
    Resize((7, 9), method="linear", align_corners=True),
    Resize((8, 10)),
    Pad([(0, 1), (2, -1)], value=0.5),
    Conv(6, 4, 3),
    AdaptiveAvgPool((4, 5)),
    AdaptiveMaxPool(3),
    Rearrange("n h w c -> n (h w c)"),
    Dense(36, 5),
)


def test_a_network_that_moves_pixels(adapters: list[Adapter]) -> None:
    assert_parity(Case(MOVED, (2, 9, 8, 6), 7), adapters)


@pytest.mark.parametrize(
    "spec", [GRAY, ROW, *NETWORKS], ids=lambda spec: "-".join(kinds(spec))[:40]
)
def test_network(adapters: list[Adapter], spec: Spec) -> None:
    """Each kind of layer and each activation, with others before and behind it."""
    shape = (2, 8, 3) if spec is ROW else (2, 9, 8, 1 if spec is GRAY else 3)
    assert_parity(Case(spec, shape, 7), adapters)


@pytest.mark.parametrize("name", operation_networks.NETWORKS)
def test_operations(adapters: list[Adapter], name: str) -> None:
    """Each kind of operation in a network, with an output of its own."""
    spec = operation_networks.NETWORKS[name]
    assert_parity(Case(spec, operation_networks.SHAPE, 7), adapters)


@pytest.mark.parametrize("spec", NETWORKS[:4], ids=lambda spec: "-".join(kinds(spec))[:40])
def test_any_layout_of_the_memory(adapter: Adapter, spec: Spec) -> None:
    """An input in another order of axes, backwards, or every other value of a larger one."""
    rng = np.random.default_rng(11)
    x = rng.standard_normal((2, 9, 8, 3)).astype(np.float32)
    wider = np.zeros((2, 18, 16, 6), np.float32)
    wider[:, ::2, ::2, ::2] = x
    views = [
        np.asfortranarray(x),
        np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
        wider[:, ::2, ::2, ::2],
    ]
    weights = init_weights(spec, 5)
    module, target = adapter.build(spec, weights), trace(spec, weights, exact_input(x))
    for view in views:
        assert not view.flags.c_contiguous
        assert np.array_equal(view, x)
        verdict = precision(adapter.apply(module, spec, view), target)
        assert verdict.ok, f"{view.strides}: {verdict}"


@settings(max_examples=4)
@given(case=long_chain_cases)
def test_long_chains(case: Case) -> None:
    """Layer by layer: integers would die on the way to the end.

    Some have outputs that no input changes, which is said: a mean of what was made to have none.
    """
    for verdict in compare(case.spec, input_shape=case.input_shape, seed=case.seed):
        assert verdict.structure.ok, f"{verdict}\n{case}"
        assert verdict.status != "wrong", f"{verdict}\n{case}"


def test_leaky_relu_behind_an_addition_keeps_its_slope(adapters: list[Adapter]) -> None:
    """Found by exploring: TensorFlow's fused kernel computes with a slope of its own."""
    body = Conv(2, 2, 1, padding="same")
    spec = Sequential(SeparableConv(2, 2, 1), Residual(body), Activation("leaky_relu"))
    assert_structure(Case(spec, (1, 1, 1, 2), 0), adapters)


@pytest.mark.parametrize(
    ("spec", "spatial"),
    [
        (Conv(1, 1, 2, stride=(1, 2), padding="same", bias=False), (2, 1)),
        (Conv(1, 3, 2, stride=(1, 3)), (4, 4)),
        (Conv(1, 2, (1, 1, 2), stride=(2, 1, 3), rank=3), (1, 2, 2)),
    ],
)
def test_one_channel_with_unequal_strides(
    adapters: list[Adapter], spec: Conv, spatial: tuple[int, ...]
) -> None:
    """Found by exploring: TensorFlow leaves rows of a one-column output uninitialised."""
    assert_structure(Case(spec, (2, *spatial, 1), 0), adapters)
