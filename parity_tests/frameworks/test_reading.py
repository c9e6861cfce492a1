"""What is read from a module is what the module does, or the module is refused.

In every framework; the deceptions that one of them makes possible have a file each."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    InputError,
    LayerNorm,
    Residual,
    SeparableConv,
    Sequential,
    UnsupportedError,
    WeightError,
    convert,
    describe,
    init_weights,
)
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from parity_tests.support.asserts import replay
from parity_tests.support.reading import OTHER, assert_refused, net
from parity_tests.support.strategies import Case, chain_cases, layer_cases

# ---------------------------------------------------------------- any framework


def test_the_steps_of_a_separable_convolution_are_looked_at(adapter: Adapter) -> None:
    """They are one layer in the spec, and two modules that others can lay hands on."""
    spec = Sequential(Activation("relu"), SeparableConv(3, 4, 3))
    module = adapter.build(spec, init_weights(spec, 0))
    step = adapter.children(adapter.children(module)["1"])["pointwise"]
    where = r"in layer '1\.pointwise': .*"
    if adapter.name == "pytorch":
        step.register_forward_hook(lambda module, x, y: 2 * y)
        assert_refused(module, where + "a forward hook")
    elif adapter.name == "flax":
        step.preferred_element_type = np.float32
        assert_refused(module, where + "preferred_element_type=")
    else:
        step.convolution_op = lambda x, kernel: x
        assert_refused(module, where + "convolution_op was set on the instance")


def test_inputs_that_tell_nothing_are_refused_and_others_not_trusted_alone(monkeypatch) -> None:
    import torch
    from torch import nn

    x = torch.randn(1, 3, 7, 8)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    for useless in (0 * x, x * float("nan")):
        with pytest.raises(InputError, match="tells nothing"):
            convert(net, to="pytorch", inputs=useless)

    assert describe(net, inputs=1e-30 * x) == describe(net)
    patched = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x.clamp(0, 6))
    with pytest.raises(UnsupportedError, match=r"ReLU\.forward was put in the place"):
        convert(patched, to="pytorch", inputs=x)


# ---------------------------------------------------------------- right modules


@settings(max_examples=12)
@given(case=layer_cases | chain_cases)
def test_right_modules_are_read(adapter: Adapter, case: Case) -> None:
    """In training mode, too: what is judged is inference."""
    module = adapter.build(case.spec, init_weights(case.spec, case.seed))
    if adapter.name != "keras":
        module.train()
    assert describe(module) == case.spec, replay(case)


def test_a_sum_of_many_is_given_its_bound(adapter: Adapter) -> None:
    """However a framework sums thousands of pixels, one after the other too."""
    spec = Sequential(ConvTranspose(2, 2, 3, 3, rank=3), Activation("relu"), GlobalAvgPool())
    assert describe(adapter.build(spec, init_weights(spec, 0))) == spec


HALVES = Sequential(
    Conv(3, 8, 3, 2, "same", bias=False),
    BatchNorm(8),
    Activation("silu"),
    Residual(Sequential(LayerNorm(8), SeparableConv(8, 8, 3, padding="same"))),
    DepthwiseConv(8, 3, padding=1, padding_mode="reflect"),
    GlobalAvgPool(),
    Dense(8, 4),
)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_modules_of_other_dtypes_are_judged_in_theirs(adapter: Adapter, dtype: str) -> None:
    import jax

    if adapter.name == "flax" and dtype == "float64":
        pytest.skip("JAX has no float64 unless it is told before it is imported")
    module = adapter.build(HALVES, init_weights(HALVES, 0), dtype=dtype)
    assert describe(module) == HALVES
    other = {"pytorch": "keras", "flax": "pytorch", "keras": "pytorch"}[adapter.name]
    twin = convert(module, to=other)
    assert registry.get(other).dtype(twin) == dtype
    assert not jax.config.jax_enable_x64


def test_what_halves_see(adapter: Adapter) -> None:
    """A fault of one unit in one weight of a deep network is seen in bfloat16, too."""
    module = adapter.build(HALVES, init_weights(HALVES, 0), dtype="bfloat16")
    views = type(adapter).views

    def wrong(self: Adapter, module: Any, spec: Any) -> Any:
        weights = dict(views(self, module, spec))
        weights["4.kernel"] = weights["4.kernel"][::-1]
        return weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(adapter), "views", wrong)
        with pytest.raises(UnsupportedError, match=r"layer '4' .* does something else"):
            describe(module)


@pytest.mark.parametrize("framework", registry.FRAMEWORKS)
def test_inputs_are_what_the_module_is_called_with(framework: str) -> None:
    module = net(framework)
    spec = describe(module)
    x: Any = np.random.default_rng(0).standard_normal((3, 9, 8, 3)).astype(np.float32)
    if framework == "pytorch":
        import torch

        x = torch.from_numpy(np.moveaxis(x, -1, 1).copy())
    for inputs in (x, (x,), [x]):
        assert describe(module, inputs) == spec
    assert describe(convert(module, OTHER[framework], x)) is not None
    with pytest.raises(InputError, match="takes one input, not 2"):
        describe(module, (x, x))
    with pytest.raises(InputError, match="must be a tensor"):
        describe(module, "x")
    with pytest.raises(UnsupportedError, match=r"cannot be run.*inputs="):
        describe(module, x[:, :1, :, :1])


def test_weights_that_are_no_numbers_are_no_case_for_a_run(adapter: Adapter) -> None:
    spec = Sequential(Conv(3, 4, 3), BatchNorm(4))
    module = adapter.build(spec, init_weights(spec, 0))
    slot = adapter.slots(module)["1.mean"]
    adapter.write(slot.variable, np.full(4, np.nan, np.float32))
    for read in (describe, lambda module: convert(module, to="pytorch")):
        with pytest.raises(WeightError, match="holds 4 NaN"):
            read(module)


def test_shapes_without_values_are_described_and_not_converted() -> None:
    import torch
    from torch import nn

    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert describe(module) == Sequential(Conv(3, 4, 3), BatchNorm(4))
    with pytest.raises(UnsupportedError, match="shapes without values"):
        convert(module, to="flax")
