"""Modules of PyTorch that deceive are refused; right ones are read, and none is changed by it."""

import random
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from convparity import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    MaxPool,
    Sequential,
    UnsupportedError,
    build,
    convert,
    describe,
    dump,
    init_weights,
    output_shape,
)
from convparity.impls import registry
from parity_tests.support.reading import assert_refused, net

# ---------------------------------------------------------------- PyTorch


def computed(name: str) -> tuple[Any, Callable[[], None]]:
    """A layer whose weight is computed anew at each run, and what makes it plain again."""
    from torch import nn
    from torch.nn import utils
    from torch.nn.utils import parametrizations, parametrize, prune

    class Doubled(nn.Module):
        def forward(self, weight: Any) -> Any:
            return 2 * weight

    layer = nn.Conv2d(3, 4, 3)
    match name:
        case "weight_norm":
            utils.weight_norm(layer)
            return layer, lambda: utils.remove_weight_norm(layer)
        case "spectral_norm":
            utils.spectral_norm(layer)
            return layer, lambda: utils.remove_spectral_norm(layer)
        case "prune":
            prune.l1_unstructured(layer, "weight", 0.5)
            return layer, lambda: prune.remove(layer, "weight")
        case "prune the bias":
            prune.random_unstructured(layer, "bias", 0.5)
            return layer, lambda: prune.remove(layer, "bias")
        case "parametrized weight_norm":
            parametrizations.weight_norm(layer)
        case "parametrized spectral_norm":
            parametrizations.spectral_norm(layer)
        case "parametrized":
            parametrize.register_parametrization(layer, "weight", Doubled())
    return layer, lambda: parametrize.remove_parametrizations(layer, "weight")


COMPUTED = (
    *("weight_norm", "spectral_norm", "prune", "prune the bias"),
    *("parametrized weight_norm", "parametrized spectral_norm", "parametrized"),
)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("name", COMPUTED)
def test_pytorch_a_weight_that_is_computed(name: str) -> None:
    """It is neither read stale nor loaded in vain; made plain, it is read."""
    import torch
    from torch import nn

    layer, make_plain = computed(name)
    module = nn.Sequential(nn.ReLU(), layer)
    with torch.no_grad():  # what loading a checkpoint does: the attribute is stale from here on
        for parameter in layer.parameters():
            parameter += 1
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    message = "in layer '1': .* is computed from other parameters .*: make it a plain parameter by"
    assert_refused(module, message)
    with pytest.raises(UnsupportedError, match=message):
        dump(module)
    spec = Sequential(Activation("relu"), Conv(3, 4, 3))
    with pytest.raises(UnsupportedError, match=message):
        registry.get("pytorch").load(module, init_weights(spec, 0))
    after = module.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    module(torch.ones(1, 3, 5, 5))  # the old ones compute the weight before a run
    make_plain()
    assert describe(module) == spec
    assert np.array_equal(
        dump(module)["1.kernel"], np.moveaxis(_array(layer.weight), (0, 1), (3, 2))
    )


def _array(tensor: Any) -> np.ndarray:
    return tensor.detach().numpy()


@contextmanager
def hooked(name: str, module: Any) -> Any:
    """A hook of one kind in ``module``."""
    from torch.nn.modules import module as torch_module

    inner = module[1][0]
    handle = {
        "forward hook": lambda: module.register_forward_hook(lambda m, x, y: 2 * y),
        "forward pre-hook": lambda: module.register_forward_pre_hook(lambda m, x: (2 * x[0],)),
        "with keywords": lambda: inner.register_forward_hook(
            lambda m, x, k, y: 2 * y, with_kwargs=True
        ),
        "inner": lambda: inner.register_forward_hook(lambda m, x, y: 2 * y),
        "inner pre-hook": lambda: inner.register_forward_pre_hook(lambda m, x: (x[0] + 1,)),
        "global": lambda: torch_module.register_module_forward_hook(lambda m, x, y: 2 * y),
        "global pre-hook": lambda: torch_module.register_module_forward_pre_hook(
            lambda m, x: (2 * x[0],)
        ),
        "backward": lambda: inner.register_full_backward_hook(lambda m, x, y: None),
        "backward pre-hook": lambda: module.register_full_backward_pre_hook(lambda m, y: None),
        "state dict": lambda: module.register_state_dict_post_hook(lambda *_: None),
    }[name]()
    yield
    handle.remove()


@pytest.mark.parametrize(
    "name", ["forward hook", "forward pre-hook", "with keywords", "inner", "inner pre-hook"]
)
def test_pytorch_hooks(name: str) -> None:
    module = net("pytorch")
    with hooked(name, module):
        where = "in layer '1.0': .*" if name[0] in "wi" else ""
        assert_refused(module, f"{where}a forward (pre-)?hook, .*<lambda>, runs with it")
    assert isinstance(describe(module), Sequential)


@pytest.mark.parametrize("name", ["global", "global pre-hook"])
def test_pytorch_global_hooks(name: str) -> None:
    module = net("pytorch")
    with hooked(name, module):
        assert_refused(module, "a global forward (pre-)?hook, .*<lambda>, runs with it")


@pytest.mark.parametrize("name", ["backward", "backward pre-hook", "state dict"])
def test_pytorch_hooks_of_other_passes_are_fine(name: str) -> None:
    module = net("pytorch")
    spec = describe(module)
    with hooked(name, module):
        assert describe(module) == spec


def pytorch_overrides() -> dict[str, tuple[Any, str]]:
    from torch import nn

    class Convolves(nn.Conv2d):
        def _conv_forward(self, *arguments: Any) -> Any:
            return 2 * super()._conv_forward(*arguments)

    class Called(nn.ReLU):
        def __call__(self, x: Any) -> Any:
            return -super().__call__(x)

    class Backwards(nn.Sequential):
        def __iter__(self) -> Any:
            return iter(list(self._modules.values())[::-1])

    class Looks(nn.Conv2d):
        def __getattr__(self, name: str) -> Any:
            found = super().__getattr__(name)
            return 2 * found if name == "weight" else found

    class Stays(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> Any:
            return super().train(True)

    class Checks(nn.BatchNorm2d):
        def _check_input_dim(self, x: Any) -> None:
            x.mul_(2)

    def instance(name: str, value: Any) -> Any:
        layer = nn.Conv2d(3, 3, 3)
        setattr(layer, name, value)
        return layer

    reversed_ = Backwards(nn.Conv2d(3, 3, 3), nn.ReLU())
    return {
        "_conv_forward": (Convolves(3, 3, 3), "Convolves .* replaces _conv_forward of Conv2d"),
        "__call__": (Called(), "Called .* replaces __call__ of ReLU"),
        "__iter__": (reversed_, "Backwards .* replaces __iter__ of Sequential"),
        "__getattr__": (Looks(3, 3, 3), "Looks .* replaces __getattr__ of Conv2d"),
        "train": (Stays(3), "Stays .* replaces train of BatchNorm2d"),
        "_check_input_dim": (Checks(3), "Checks .* replaces _check_input_dim of BatchNorm2d"),
        "forward": (instance("forward", lambda x: x), "forward was set on the instance"),
        "its _conv_forward": (
            instance("_conv_forward", lambda x, w, b: x),
            "_conv_forward was set on the instance",
        ),
        "compiled": (instance("_compiled_call_impl", lambda x: x), "read it before compile"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("_conv_forward", "__call__", "__iter__", "__getattr__", "train", "_check_input_dim"),
        *("forward", "its _conv_forward", "compiled"),
    ],
)
def test_pytorch_code_in_the_place_of_its_own(name: str) -> None:
    from torch import nn

    module, message = pytorch_overrides()[name]
    assert_refused(module, message)
    assert_refused(nn.Sequential(nn.ReLU(), module), f"in layer '1': .*{message}")


def test_pytorch_a_subclass_that_changes_no_forward_pass_is_read() -> None:
    from torch import nn

    class Named(nn.Conv2d):
        """Made and printed in another way."""

        def __init__(self, channels: int) -> None:
            super().__init__(channels, channels, 3)
            self.note = "mine"

        def extra_repr(self) -> str:
            return self.note

        def reset_parameters(self) -> None:
            nn.init.ones_(self.weight)

        def more(self) -> int:
            return self.out_channels

    assert describe(nn.Sequential(Named(3))) == Sequential(Conv(3, 3, 3))


def test_pytorch_attributes_that_were_changed_later() -> None:
    """What a forward pass reads is read; what it does not read any more is refused."""
    import torch
    from torch import nn

    for name, value, needed in (("max_val", 5.0, 6), ("min_val", -1.0, 0)):
        act = nn.ReLU6()
        setattr(act, name, value)
        assert_refused(act, f"ReLU6.* needs {name}={needed}, not {value}")
    conv = nn.Conv2d(3, 3, 3)
    conv.padding, conv.stride, conv.dilation = 1, (2, 1), 2
    spec = describe(conv)
    assert spec == Conv(3, 3, 3, (2, 1), 1, 2)
    assert conv(torch.ones(1, 3, 9, 8)).shape[2:] == output_shape(spec, (1, 9, 8, 3))[1:-1]
    conv = nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect")
    assert describe(conv) == Conv(3, 3, 3, padding=1, padding_mode="reflect")
    conv.padding = (2, 2)
    assert_refused(conv, r"padding=\(2, 2\) was set later, and what it pads is still \[1, 1, 1, 1")
    conv = nn.Conv2d(3, 3, 3, padding=1)
    conv.padding_mode = "circular"
    assert describe(conv) == Conv(3, 3, 3, padding=1, padding_mode="circular")
    norm = nn.BatchNorm2d(3)
    norm.eps, norm.momentum = 1e-3, 0.25
    assert describe(norm) == BatchNorm(3, 1e-3, 0.25)
    pool = build(MaxPool(3, 2, "same"), framework="pytorch")
    pool.padding = 1
    assert_refused(pool, "needs padding=0 beside a pad_first")


def test_pytorch_a_dense_layer_on_an_image() -> None:
    """torch's acts on the last axis, W; it is read where layers before it say how many axes."""
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(6, 6))
    assert describe(module) == Sequential(Conv(3, 4, 3), Dense(6, 6, axis=-2))
    alone = nn.Linear(5, 5)
    assert describe(alone) == Dense(5, 5)
    image = torch.randn(1, 5, 5, 5)
    assert_refused(alone, "does something else.*acts on the channels of an image", image)


def test_pytorch_a_layer_that_writes_into_its_input() -> None:
    """In a residual block the sum then meets another x."""
    from torch import nn

    from convparity.impls.pytorch import layers

    steps = [("body", "body", ["<input>"]), ("add", "add", ["body", "<input>"])]

    def block(inplace: bool) -> Any:
        body = nn.Sequential(nn.ReLU(inplace=inplace), nn.Conv2d(3, 3, 3, padding=1))
        return nn.Sequential(layers.Graph({"body": body}, steps))

    assert isinstance(describe(block(False)), Sequential)
    assert_refused(block(True), "layer '0' .* does something else")
    chain = nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2))
    assert describe(chain) == Sequential(Conv(3, 3, 3), Activation("relu"), MaxPool(2))


def test_pytorch_a_tensor_with_arithmetic_of_its_own() -> None:
    """Nothing of the layer tells it."""
    import torch
    from torch import nn

    class Noisy(torch.nn.Parameter):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            with torch._C.DisableTorchFunctionSubclass():
                made = func(*args, **(kwargs or {}))
                return made * 2 if func is torch.conv2d else made

    module = nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 3))
    module[1].weight = Noisy(module[1].weight.detach())
    assert_refused(module, "layer '1' .* does something else: what it gives is not what its fields")


def test_pytorch_a_class_or_a_context_that_changes_all(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch import nn

    module = net("pytorch")
    with torch.autocast("cpu", torch.bfloat16):
        assert_refused(module, "layer '0' .* it gives bfloat16 of an input of float32")
    right = nn.BatchNorm2d.forward
    with monkeypatch.context() as patch:
        patch.setattr(nn.modules.batchnorm._BatchNorm, "forward", lambda m, x: 1.01 * right(m, x))
        assert_refused(module, r"layer '1.0'.* _BatchNorm\.forward was put in the place of")
    with monkeypatch.context() as patch:
        function = nn.functional.batch_norm
        patch.setattr(nn.functional, "batch_norm", lambda *a, **k: 1.01 * function(*a, **k))
        assert_refused(module, "layer '1.0' .* does something else")
    with monkeypatch.context() as patch:
        patch.setattr(nn.Sequential, "forward", lambda module, x: module[0](x))
        assert_refused(module, r"Sequential\.forward was put in the place of")
    assert isinstance(describe(module), Sequential)


# ---------------------------------------------------------------- nothing is changed


def test_pytorch_is_left_as_it_was() -> None:
    import torch

    module = net("pytorch").train()
    module[1][1].eval()  # not all alike
    x = torch.ones(2, 3, 9, 8)
    module(x).sum().backward()
    modes = [each.training for each in module.modules()]
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    grads = [parameter.grad for parameter in module.parameters()]
    kept = [grad.clone() for grad in grads]
    versions = [parameter._version for parameter in module.parameters()]
    torch.manual_seed(7), np.random.seed(7), random.seed(7)  # noqa: NPY002
    expected = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    torch.manual_seed(7), np.random.seed(7), random.seed(7)  # noqa: NPY002
    describe(module)
    convert(module, to="pytorch")
    found = torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    assert torch.equal(found[0], expected[0])
    assert np.array_equal(found[1], expected[1])
    assert found[2] == expected[2]
    assert [each.training for each in module.modules()] == modes
    after = module.state_dict()
    assert list(after) == list(state)
    assert all(torch.equal(after[name], state[name]) for name in state)
    assert module[1][0].num_batches_tracked == 1
    assert all(p.grad is grad for p, grad in zip(module.parameters(), grads, strict=True))
    assert all(torch.equal(grad, old) for grad, old in zip(grads, kept, strict=True))
    assert [parameter._version for parameter in module.parameters()] == versions
    for each in module.modules():
        assert not each._forward_hooks
        assert not each._forward_pre_hooks
        assert "forward" not in vars(each)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


def test_pytorch_is_left_as_it_was_when_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    module = net("pytorch").train()
    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "hardtanh", lambda *given, **options: 1 / 0)
        assert_refused(module, "cannot be run.*ZeroDivisionError")
    assert all(each.training for each in module.modules())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())
