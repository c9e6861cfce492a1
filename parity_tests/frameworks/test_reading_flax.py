"""Modules of Flax that deceive are refused; right ones are read, and none is changed by it."""

from functools import partial
from typing import Any

import numpy as np
import pytest

from convparity import Activation, AvgPool, Conv, Dense, MaxPool, Sequential, convert, describe
from parity_tests.support.reading import assert_refused, net

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


@pytest.mark.parametrize("name", ["get_value", "__call__", "a helper", "on the instance"])
def test_flax_code_in_the_place_of_its_own(name: str) -> None:
    from flax import nnx

    module, message = flax_overrides()[name]
    assert_refused(nnx.Sequential(nnx.relu, module), f"in layer '1': .*{message}")


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


def test_flax_a_dense_layer_on_an_image() -> None:
    from flax import nnx

    rngs = nnx.Rngs(0)
    module = nnx.Sequential(nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.Linear(4, 6, rngs=rngs))
    conv = Conv(3, 4, 3, padding="same")
    assert describe(module) == Sequential(conv, Dense(4, 6))


# ---------------------------------------------------------------- nothing is changed


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
