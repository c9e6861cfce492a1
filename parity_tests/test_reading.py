"""What is read from a module is what the module does, or the module is refused.

Each deceptive kind by itself, by framework; right modules are read, and none is changed by it.
"""

import random
from collections.abc import Callable
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    InputError,
    LayerNorm,
    MaxPool,
    Residual,
    SeparableConv,
    Sequential,
    UnsupportedError,
    WeightError,
    build,
    convert,
    describe,
    dump,
    init_weights,
    output_shape,
)
from convparity.analysis.proof.fitting import fitting_shape
from convparity.impls import networks, registry
from convparity.impls.adapter import Adapter
from parity_tests.asserts import replay
from parity_tests.strategies import Case, chain_cases, layer_cases

frameworks = pytest.mark.frameworks

OTHER = {"pytorch": "flax", "flax": "keras", "keras": "pytorch"}


def assert_refused(module: Any, message: str, inputs: Any = None) -> None:
    """Neither described nor converted."""
    other = OTHER[registry.owner(module).name]
    for read in (
        lambda: describe(module, inputs),
        lambda: convert(module, to=other, inputs=inputs),
    ):
        with pytest.raises(UnsupportedError, match=message):
            read()


def net(framework: str) -> Any:
    """A network of the framework's own layers, none of which begins with a default."""
    if framework == "pytorch":
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Sequential(nn.BatchNorm2d(4), nn.ReLU6(), nn.Dropout(0.5)),
            nn.Conv2d(4, 5, 3, stride=2, bias=False),
        )
    if framework == "flax":
        from flax import nnx

        rngs = nnx.Rngs(0)
        return nnx.Sequential(
            nnx.Conv(3, 4, (3, 3), rngs=rngs),
            nnx.Sequential(nnx.BatchNorm(4, rngs=rngs), nnx.relu6, nnx.Dropout(0.5, rngs=rngs)),
            nnx.Conv(4, 5, (3, 3), 2, padding="VALID", use_bias=False, rngs=rngs),
        )
    import keras
    from keras import layers

    inner = keras.Sequential([layers.BatchNormalization(), layers.ReLU(6.0), layers.Dropout(0.5)])
    first = layers.Conv2D(4, 3, padding="same")
    model = keras.Sequential([first, inner, layers.Conv2D(5, 3, 2, use_bias=False)])
    model.build((None, None, None, 3))
    return model


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


@frameworks
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


@frameworks
@pytest.mark.parametrize(
    "name", ["forward hook", "forward pre-hook", "with keywords", "inner", "inner pre-hook"]
)
def test_pytorch_hooks(name: str) -> None:
    module = net("pytorch")
    with hooked(name, module):
        where = "in layer '1.0': .*" if name[0] in "wi" else ""
        assert_refused(module, f"{where}a forward (pre-)?hook, .*<lambda>, runs with it")
    assert isinstance(describe(module), Sequential)


@frameworks
@pytest.mark.parametrize("name", ["global", "global pre-hook"])
def test_pytorch_global_hooks(name: str) -> None:
    module = net("pytorch")
    with hooked(name, module):
        assert_refused(module, "a global forward (pre-)?hook, .*<lambda>, runs with it")


@frameworks
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


@frameworks
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


@frameworks
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


@frameworks
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


@frameworks
def test_pytorch_a_dense_layer_on_an_image() -> None:
    """torch's acts on the last axis, W; those of the others on C."""
    import torch
    from torch import nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(6, 6))
    assert_refused(module, "no input was found that fits .* on an image each framework takes")
    x = torch.ones(1, 3, 8, 8)
    assert_refused(module, "runs on an input of .* which does not fit", x)
    alone = nn.Linear(5, 5)
    assert describe(alone) == Dense(5, 5)
    assert_refused(alone, "Dense takes an input of 2 axes", torch.ones(1, 5, 5, 5))


@frameworks
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


@frameworks
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


@frameworks
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


# ---------------------------------------------------------------- Flax


def flax_arithmetic() -> dict[str, tuple[Any, str]]:
    import jax.numpy as jnp
    from flax import nnx
    from jax import lax

    rngs, size = nnx.Rngs(0), (3, 3)

    def narrow(arrays: Any, **options: Any) -> Any:
        return [None if a is None else a.astype(jnp.bfloat16) for a in arrays]

    def doubled(*arguments: Any, **options: Any) -> Any:
        return 2 * lax.conv_general_dilated(*arguments, **options)

    def squared(*arguments: Any, **options: Any) -> Any:
        return lax.dot_general(*arguments, **options) ** 2

    def conv(**options: Any) -> Any:
        return nnx.Conv(3, 4, size, rngs=rngs, **options)

    def dense(**options: Any) -> Any:
        return nnx.Linear(3, 4, rngs=rngs, **options)

    half = jnp.bfloat16
    changed = conv()
    changed.dtype = half
    return {
        "promote_dtype": (conv(promote_dtype=narrow), "promote_dtype="),
        "promote_dtype of dense": (dense(promote_dtype=narrow), "promote_dtype="),
        "promote_dtype of a norm": (
            nnx.BatchNorm(3, promote_dtype=narrow, use_running_average=True, rngs=rngs),
            "promote_dtype=",
        ),
        "dot_general": (dense(dot_general=squared), "dot_general="),
        "conv_general_dilated": (conv(conv_general_dilated=doubled), "conv_general_dilated="),
        "preferred_element_type": (conv(preferred_element_type=half), "preferred_element_type="),
        "precision": (dense(precision=lax.DotAlgorithmPreset.BF16_BF16_F32), "precision="),
        "dtype": (conv(dtype=half), "computes in bfloat16 with a kernel of float32"),
        "dtype, changed": (changed, "computes in bfloat16 with a kernel of float32"),
        "dtype of dense": (dense(dtype=jnp.float16), "computes in float16 with a kernel of flo"),
        "dtype of a norm": (nnx.LayerNorm(3, dtype=half, rngs=rngs), "computes in bfloat16"),
        "transposed": (nnx.ConvTranspose(3, 4, size, dtype=half, rngs=rngs), "computes in bfl"),
        "mask": (conv(mask=jnp.zeros((3, 3, 3, 4))), "with a mask"),
    }


@frameworks
@pytest.mark.parametrize(
    "name",
    [
        *("promote_dtype", "promote_dtype of dense", "promote_dtype of a norm", "dot_general"),
        *("conv_general_dilated", "preferred_element_type", "precision", "dtype"),
        *("dtype, changed", "dtype of dense", "dtype of a norm", "transposed", "mask"),
    ],
)
def test_flax_arithmetic_of_its_own(name: str) -> None:
    from flax import nnx

    module, message = flax_arithmetic()[name]
    assert_refused(nnx.Sequential(nnx.relu, module), f"in layer '1': .*{message}")


@frameworks
def test_flax_what_changes_no_result_is_read() -> None:
    import jax.numpy as jnp
    from flax import nnx

    rngs, ones = nnx.Rngs(0), nnx.initializers.ones
    conv = nnx.Conv(
        3, 4, (3, 3), padding=1, precision="highest", dtype=jnp.float32, kernel_init=ones, rngs=rngs
    )
    assert describe(conv) == Conv(3, 4, 3, padding=1)
    norms = nnx.Sequential(nnx.LayerNorm(6, rngs=rngs), nnx.GroupNorm(6, 2, rngs=rngs))
    assert isinstance(describe(norms), Sequential)  # with a fast variance, as by default


@frameworks
def test_flax_functions_are_read_with_their_arguments() -> None:
    from flax import nnx

    from convparity.impls.flax import layers

    read = {
        nnx.gelu: Activation("gelu_tanh"),
        partial(nnx.gelu, approximate=False): Activation("gelu"),
        layers.Activation(nnx.gelu, False): Activation("gelu"),
        nnx.leaky_relu: Activation("leaky_relu", 0.01),
        partial(nnx.leaky_relu, negative_slope=0.2): Activation("leaky_relu", 0.2),
        layers.Activation(nnx.elu, 0.5): Activation("elu", 0.5),
        partial(nnx.softmax, axis=-1): Activation("softmax"),
        partial(nnx.max_pool, window_shape=(2, 3)): MaxPool((2, 3), 1),
        partial(
            nnx.avg_pool, window_shape=(3,), strides=(2,), padding="SAME", count_include_pad=False
        ): AvgPool(3, 2, "same", count_include_pad=False, rank=1),
    }
    for function, spec in read.items():
        assert describe(nnx.Sequential(function)) == Sequential({"0": spec})


@frameworks
def test_flax_paddings_that_fill_by_half_the_kernel() -> None:
    from flax import nnx

    for name in ("REFLECT", "CIRCULAR"):
        conv = nnx.Conv(2, 3, (4, 3), 2, padding=name, kernel_dilation=(1, 2), rngs=nnx.Rngs(0))
        pairs, mode = ((1, 2), (2, 2)), name.lower()
        assert describe(conv) == Conv(2, 3, (4, 3), 2, pairs, (1, 2), padding_mode=mode)


def flax_overrides() -> dict[str, tuple[Any, str]]:
    from flax import nnx

    from convparity.impls.flax import layers

    class Read(nnx.Param):
        def get_value(self, **options: Any) -> Any:
            return 2 * super().get_value(**options)

    class Called(nnx.Conv):
        def __call__(self, x: Any) -> Any:
            return -super().__call__(x)

    class Pads(layers.Conv):
        def _pad_width(self, shape: Any) -> Any:
            return [(0, 0), (2, 0), (2, 0), (0, 0)]

    rngs, size = nnx.Rngs(0), (3, 3)
    read = nnx.Conv(3, 3, size, rngs=rngs)
    read.kernel = Read(read.kernel.get_value())
    options = {"padding": ((1, 1), (1, 1)), "padding_mode": "edge", "rngs": rngs}
    set_on = layers.Conv(3, 3, size, **options)
    set_on._pad_width = lambda shape: [(0, 0), (2, 0), (2, 0), (0, 0)]
    return {
        "get_value": (read, "kernel is computed when it is read"),
        "__call__": (Called(3, 3, size, rngs=rngs), "Called cannot be read as a spec"),
        "a helper": (Pads(3, 3, size, **options), "Pads .* replaces _pad_width of Conv"),
        "on the instance": (set_on, "_pad_width was set on the instance"),
    }


@frameworks
@pytest.mark.parametrize("name", ["get_value", "__call__", "a helper", "on the instance"])
def test_flax_code_in_the_place_of_its_own(name: str) -> None:
    from flax import nnx

    module, message = flax_overrides()[name]
    assert_refused(nnx.Sequential(nnx.relu, module), f"in layer '1': .*{message}")


@frameworks
def test_flax_a_class_that_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    from flax import nnx

    module, right = net("flax"), nnx.BatchNorm.__call__
    with monkeypatch.context() as patch:
        patch.setattr(nnx.BatchNorm, "__call__", lambda *given: 1.01 * right(*given))
        assert_refused(module, r"layer '1.0'.* BatchNorm\.__call__ was put in the place of")
    with monkeypatch.context() as patch:
        function = nnx.nn.normalization._normalize
        patch.setattr(nnx.nn.normalization, "_normalize", lambda *a: 1.01 * function(*a))
        assert_refused(module, "layer '1.0' .* does something else")


@frameworks
def test_flax_a_dense_layer_on_an_image() -> None:
    from flax import nnx

    rngs = nnx.Rngs(0)
    module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Linear(4, 6, rngs=rngs))
    assert_refused(module, "no input was found that fits")
    assert_refused(module, "runs on an input of .* does not fit", np.ones((1, 5, 5, 3), "float32"))


# ---------------------------------------------------------------- Keras


def keras_layers() -> dict[str, tuple[Any, str]]:
    from keras import layers

    class Convolves(layers.Conv2D):
        def convolution_op(self, x: Any, kernel: Any) -> Any:
            return 2 * super().convolution_op(x, kernel)

    class Called(layers.ReLU):
        def __call__(self, *given: Any, **options: Any) -> Any:
            return -super().__call__(*given, **options)

    class Kernel(layers.Dense):
        @property
        def kernel(self) -> Any:
            return 2 * super().kernel

    quantized, adapted = layers.Dense(4), layers.Dense(4)
    for layer in (quantized, adapted):
        layer.build((None, 3))
    quantized.quantize("int8")
    adapted.enable_lora(2)
    called = layers.Conv2D(4, 3)
    called.call = lambda x: x
    biased = layers.Conv2D(4, 3)
    biased.convolution_op = lambda x, kernel: x
    return {
        "int8": (quantized, "it was quantized, to int8"),
        "lora": (adapted, "computed from another and two of LoRA"),
        "convolution_op": (Convolves(4, 3), "Convolves .* replaces convolution_op of Conv2D"),
        "__call__": (Called(), "Called .* replaces __call__ of ReLU"),
        "kernel": (Kernel(4), "Kernel .* replaces kernel of Dense"),
        "call": (called, "call was set on the instance"),
        "its convolution_op": (biased, "convolution_op was set on the instance"),
        "mixed_bfloat16": (layers.Conv2D(4, 3, dtype="mixed_bfloat16"), "computes in bfloat16"),
        "mixed_float16": (layers.Dense(4, dtype="mixed_float16"), "computes in float16 with weigh"),
        "mixed norm": (layers.BatchNormalization(dtype="mixed_bfloat16"), "computes in bfloat16"),
        "activation": (layers.Conv2D(4, 3, activation="relu"), "activation inside"),
        "activation of dense": (layers.Dense(4, activation="tanh"), "activation inside"),
        "max_value": (layers.ReLU(5.0), "needs max_value=None or 6.0, not 5.0"),
        "keepdims": (layers.GlobalAveragePooling2D(keepdims=True), "keepdims=False"),
    }


@frameworks
@pytest.mark.parametrize(
    "name",
    [
        *("int8", "lora", "convolution_op", "__call__", "kernel", "call", "its convolution_op"),
        *("mixed_bfloat16", "mixed_float16", "mixed norm", "activation", "activation of dense"),
        *("max_value", "keepdims"),
    ],
)
def test_keras_layers_that_do_something_else(name: str) -> None:
    import keras

    layer, message = keras_layers()[name]
    flat = isinstance(layer, keras.layers.Dense)
    model = keras.Sequential([keras.layers.ReLU(), layer])
    if "call" not in name:
        model.build((None, 3) if flat else (None, 9, 8, 3))
    elif not layer.built:
        layer.build((None, 9, 8, 3))
    assert_refused(model, f"in layer '{layer.name}': .*{message}")


@frameworks
def test_keras_a_quantized_network_or_a_policy_for_all() -> None:
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.ReLU()])
    model.quantize("int8")
    assert_refused(model, "in layer 'dense.*': .* quantized, to int8")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = net("keras")
    finally:
        keras.config.set_dtype_policy("float32")
    assert_refused(model, r"computes in bfloat16 with weights of float32 \(policy 'mixed_bfloat16'")


@frameworks
def test_keras_attributes_that_were_changed_later() -> None:
    """Where two attributes say the same thing, and one was changed, the run tells."""
    import keras

    ours = build(Conv(3, 4, 3, 2), framework="keras")
    ours.strides = (1, 1)
    assert_refused(ours, "does something else: what it gives is not what its fields say: shape")
    dense = keras.layers.Dense(4, bias_initializer="ones")
    dense.build((None, 3))
    dense.use_bias = False
    assert_refused(dense, "does something else")
    native = keras.layers.Conv2D(4, 3)
    native.build((None, 9, 8, 3))
    native.strides = (2, 1)
    assert describe(native) == Conv(3, 4, 3, (2, 1))


@frameworks
def test_keras_a_model_that_runs_other_layers_than_it_lists() -> None:
    import keras

    model = keras.Sequential([keras.Input((9, 8, 3)), keras.layers.ReLU(), keras.layers.ReLU(6.0)])
    assert describe(model).children[1][1] == Activation("relu6")
    model._layers.pop()
    assert_refused(model, "the module .* it does not give what its last layer gives")


@frameworks
def test_keras_a_class_that_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    module, right = net("keras"), keras.layers.BatchNormalization.call
    name = module.layers[1].layers[0].name
    with monkeypatch.context() as patch:
        patch.setattr(
            keras.layers.BatchNormalization, "call", lambda *a, **k: right(*a, **k) * 1.01
        )
        assert_refused(module, rf"layer '.*\.{name}'.* was put in the place of")
    with monkeypatch.context() as patch:
        function = keras.ops.batch_normalization
        patch.setattr(
            keras.src.ops, "batch_normalization", lambda *a, **k: function(*a, **k) * 1.01
        )
        assert_refused(module, rf"layer '.*\.{name}' .* does something else")


# ---------------------------------------------------------------- any framework


@frameworks
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


@pytest.mark.frameworks
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


@frameworks
@settings(max_examples=12)
@given(case=layer_cases | chain_cases)
def test_right_modules_are_read(adapter: Adapter, case: Case) -> None:
    """In training mode, too: what is judged is inference."""
    module = adapter.build(case.spec, init_weights(case.spec, case.seed))
    if adapter.name != "keras":
        module.train()
    assert describe(module) == case.spec, replay(case)


@frameworks
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


@frameworks
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


@frameworks
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


@frameworks
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
    with pytest.raises(InputError, match="one input so far, not 2"):
        describe(module, (x, x))
    with pytest.raises(InputError, match="must be a tensor"):
        describe(module, "x")
    with pytest.raises(UnsupportedError, match=r"cannot be run.*inputs="):
        describe(module, x[:, :1, :, :1])


@frameworks
def test_weights_that_are_no_numbers_are_no_case_for_a_run(adapter: Adapter) -> None:
    spec = Sequential(Conv(3, 4, 3), BatchNorm(4))
    module = adapter.build(spec, init_weights(spec, 0))
    slot = adapter.slots(module)["1.mean"]
    adapter.write(slot.variable, np.full(4, np.nan, np.float32))
    for read in (describe, lambda module: convert(module, to="pytorch")):
        with pytest.raises(WeightError, match="holds 4 NaN"):
            read(module)


@frameworks
def test_shapes_without_values_are_described_and_not_converted() -> None:
    import torch
    from torch import nn

    with torch.device("meta"):
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert describe(module) == Sequential(Conv(3, 4, 3), BatchNorm(4))
    with pytest.raises(UnsupportedError, match="shapes without values"):
        convert(module, to="flax")


# ---------------------------------------------------------------- an input that fits


@settings(max_examples=200)
@given(case=layer_cases | chain_cases)
def test_a_shape_is_found_for_every_spec(case: Case) -> None:
    shape = fitting_shape(case.spec)
    assert shape is not None, replay(case)
    output_shape(case.spec, shape)
    assert shape[0] > 1


@pytest.mark.parametrize("name", ["mobilenet_v1", "efficientnet_lite0"])
def test_a_deep_network_gets_a_small_image_with_unequal_sides(name: str) -> None:
    _, height, width, channels = fitting_shape(networks.get(name).spec)
    assert channels == 3
    assert height != width
    assert 32 <= min(height, width) <= max(height, width) <= 40


def test_a_dense_layer_behind_a_flatten_fixes_the_pixels() -> None:
    vgg = Sequential(
        *(Conv(3, 4, 3, padding=1), MaxPool(2), Conv(4, 4, 3, padding=1), MaxPool(2)),
        *(Conv(4, 8, 3, 2), Flatten(), Dense(8 * 42, 10)),
    )
    shape = fitting_shape(vgg)
    assert output_shape(vgg, shape) == (2, 10)
    assert {6, 7} == set(
        output_shape(
            vgg.with_children(
                dict(vgg.children[:5]) | {"5": Activation("relu"), "6": Activation("relu")}
            ),
            shape,
        )[1:-1]
    )
    assert fitting_shape(Sequential(Conv(3, 4, 3), Flatten(), Dense(7, 2))) is None
    assert fitting_shape(Sequential(Conv(3, 4, 3), Dense(4, 2))) is None


# ---------------------------------------------------------------- nothing is changed


@frameworks
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


@frameworks
def test_pytorch_is_left_as_it_was_when_the_run_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    module = net("pytorch").train()
    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "hardtanh", lambda *given, **options: 1 / 0)
        assert_refused(module, "cannot be run.*ZeroDivisionError")
    assert all(each.training for each in module.modules())
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())


@frameworks
def test_flax_is_left_as_it_was() -> None:
    import jax
    from flax import nnx

    def held(leaf: Any) -> np.ndarray:
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.array(jax.random.key_data(leaf) if is_key else leaf)

    module = net("flax")
    module.train()
    graph, state = nnx.split(module)
    before = list(map(held, jax.tree.leaves(state)))
    count = int(module.layers[1].layers[2].rngs.count[...])
    describe(module)
    convert(module, to="flax")
    again, after = nnx.split(module)
    assert again == graph  # modes are a part of it
    assert module.layers[1].layers[0].use_running_average is False
    assert module.layers[1].layers[2].deterministic is False
    assert int(module.layers[1].layers[2].rngs.count[...]) == count
    leaves = map(held, jax.tree.leaves(after))
    assert all(np.array_equal(old, new) for old, new in zip(before, leaves, strict=True))


@frameworks
def test_keras_is_left_as_it_was() -> None:
    import keras
    from keras.src.random.seed_generator import global_seed_generator

    module = net("keras")
    module(np.ones((2, 9, 8, 3), np.float32), training=True)
    held = keras.ops.convert_to_numpy
    before = [np.array(held(variable)) for variable in module.variables]
    seeds = [np.array(held(each.state)) for each in module.layers[1].layers[2]._seed_generators]
    assert len(seeds) == 1
    keras.utils.set_random_seed(7)
    keras.random.normal((3,))  # now there is a global generator
    drawn = np.array(held(global_seed_generator().state))
    describe(module)
    assert np.array_equal(held(global_seed_generator().state), drawn)
    after = [held(variable) for variable in module.variables]
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
    now = [np.array(held(each.state)) for each in module.layers[1].layers[2]._seed_generators]
    assert np.array_equal(now, seeds)
    assert not any("call" in vars(layer) for layer in module._flatten_layers())
