"""Every framework's output has the shape that ``output_shape`` says, at real sizes too."""

from hypothesis import given, settings
from hypothesis import strategies as st

from convparity import Conv, DepthwiseConv, SeparableConv, init_weights, output_shape
from convparity.impls.adapter import Adapter
from convparity.impls.spec import Shape, Spec
from parity_tests.support.asserts import replay, zeros
from parity_tests.support.graph_strategies import graphs
from parity_tests.support.strategies import Case, chain_cases, layer_cases


@settings(max_examples=25)  # test_outputs asks every output for its shape, too
@given(case=layer_cases | chain_cases)
def test_small(adapter: Adapter, case: Case) -> None:
    assert_shape(case, adapter)


@settings(max_examples=4)
@given(spec=graphs())
def test_graphs(adapter: Adapter, spec: tuple[Spec, Shape]) -> None:
    assert_shape(Case(*spec, 0), adapter)


@settings(max_examples=25)
@given(
    layer=st.sampled_from([Conv, DepthwiseConv, SeparableConv]),
    size=st.tuples(st.integers(20, 230), st.integers(20, 230)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.sampled_from(["valid", "same", ((0, 1), (2, 0))]),
)
def test_pictures(adapter: Adapter, layer, size, kernel, stride, padding) -> None:
    channels = (3,) if layer is DepthwiseConv else (3, 2)
    spec = layer(*channels, kernel, stride, padding)
    assert_shape(Case(spec, (1, *size, 3), 0), adapter)


def assert_shape(case: Case, adapter: Adapter) -> None:
    """One framework's shape, by running it."""
    module = adapter.build(case.spec, init_weights(case.spec, case.seed))
    got = adapter.forward(module, zeros(case.input_shape)).shape
    expected = output_shape(case.spec, case.input_shape)
    assert got == expected, f"{adapter.name}: {got}, not {expected}\n{replay(case)}"
