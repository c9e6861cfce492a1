"""What is computed in another way than the framework's own is the same, and is what was chosen."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings

from convparity import (
    Activation,
    Conv,
    DepthwiseConv,
    SeparableConv,
    Sequential,
    build,
    init_weights,
    reference,
)
from convparity.analysis.proof.data import integer_case
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.errors import InputError
from parity_tests.support.asserts import replay
from parity_tests.support.convolution_strategies import CONVS
from parity_tests.support.strategies import Case, cases, layers

DEPTHWISE = DepthwiseConv(4, 3, stride=(2, 1), padding="same", depth_multiplier=2)
POINTWISE = Conv(4, 6, 1, stride=2)
REGULAR = Conv(4, 6, 3)
X = np.random.default_rng(5).integers(-3, 4, (2, 7, 6, 4)).astype(np.float32)


@settings(max_examples=25)
@given(case=cases(layers(*CONVS)))
def test_every_algorithm_gives_the_same(adapter: Adapter, case: Case) -> None:
    """Bit for bit on integers: outputs and gradients.

    What "auto" computes is held against the reference by every other property: here "native" is.
    """
    weights, x = integer_case(*case)
    y = reference(case.spec, weights, x)
    cotangent = np.random.default_rng(case.seed).integers(-3, 4, y.shape).astype(np.float32)
    auto, native = (
        adapter.build(case.spec, weights, algorithm=algorithm) for algorithm in ("auto", "native")
    )
    assert np.array_equal(adapter.forward(native, x), y), f"{adapter.name}\n{replay(case)}"
    by_x, by_weight = adapter.backward(auto, x, cotangent)
    native_by_x, native_by_weight = adapter.backward(native, x, cotangent)
    expected = {"x": native_by_x, **native_by_weight}
    for name, gradient in {"x": by_x, **by_weight}.items():
        same = np.array_equal(gradient, expected[name])
        assert same, f"{adapter.name}, by {name}\n{replay(case)}"


def test_an_unknown_algorithm_is_refused(adapter: Adapter) -> None:
    with pytest.raises(InputError, match=r"unknown algorithm 'fast'\. Known: auto, native"):
        adapter.build(POINTWISE, algorithm="fast")


# ---------------------------------------------------------------- PyTorch


@pytest.mark.parametrize(
    ("spec", "size", "chosen"),
    [
        (Conv(3, 6, 3), 7, True),  # a picture
        (Conv(8, 6, 3), 40, False),
        (DepthwiseConv(8, 3, stride=(2, 1), padding="same", depth_multiplier=2), 40, True),
        (DepthwiseConv(8, 3), 28, False),  # a small one
        (SeparableConv(8, 6, 3, padding="same"), 40, True),
    ],
)
def test_pytorch_works_channels_last_where_that_pays(spec, size, chosen) -> None:
    import torch

    x = torch.rand(2, spec.in_channels, size, size)
    memory = {"auto": torch.channels_last if chosen else torch.contiguous_format}
    memory["native"] = torch.contiguous_format
    for algorithm, memory_format in memory.items():
        y = build(spec, framework="pytorch", algorithm=algorithm)(x)
        assert y.is_contiguous(memory_format=memory_format), algorithm
        half = build(spec, framework="pytorch", algorithm=algorithm, dtype="bfloat16")
        assert half(x.bfloat16()).is_contiguous(), algorithm  # was not measured: left as it is


def test_pytorch_keeps_channels_last() -> None:
    import torch

    spec = Sequential(Conv(3, 8, 3), Conv(8, 6, 3), DepthwiseConv(6, 3), Conv(6, 4, 1))
    y = build(spec, framework="pytorch")(torch.rand(2, 3, 12, 11))
    assert y.is_contiguous(memory_format=torch.channels_last)


# ---------------------------------------------------------------- Flax


def flax_operations(module, x, platform: str) -> str:
    """What a compiler for ``platform``, which need not be here, is given to compile."""
    import jax
    from flax import nnx

    graph, state = nnx.split(module)

    @jax.jit
    def run(state, x):
        return nnx.merge(graph, state)(x)

    return jax.export.export(run, platforms=[platform])(state, x).mlir_module()


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.parametrize("algorithm", ["auto", "native"])
@pytest.mark.parametrize(
    ("spec", "dtype", "chosen"),
    [
        (DEPTHWISE, "float32", "multiply"),
        (POINTWISE, "float32", "dot_general"),
        (DEPTHWISE, "bfloat16", None),  # would round each sum: XLA's own does not
        (REGULAR, "float32", None),
        (Conv(4, 6, 3, groups=2), "float32", None),
        (DepthwiseConv(4, (5, 11)), "float32", None),  # more taps than pay
    ],
)
def test_flax_leaves_xla_where_the_table_says(spec, dtype, chosen, algorithm, platform) -> None:
    module = build(spec, framework="flax", algorithm=algorithm, dtype=dtype)
    text = flax_operations(module, np.zeros((2, 11, 12, 4), dtype), platform)
    if chosen is not None and algorithm == "auto" and platform == "cpu":
        assert chosen in text
        assert "convolution" not in text
    else:
        assert "convolution" in text


# ---------------------------------------------------------------- what the bench is told

LARGE, SMALL = (2, 30, 29, 6), (2, 11, 12, 6)
SAME_OR_NOT = [  # a layer, its input, and where "auto" is other code than "native"
    (Conv(3, 8, 3), (2, 11, 12, 3), {"pytorch"}),
    (Conv(6, 8, 3), LARGE, set()),
    (Conv(6, 8, 1), LARGE, {"flax"}),
    (Conv(6, 8, 3, groups=2), LARGE, set()),
    (DepthwiseConv(6, 3), LARGE, {"pytorch", "flax"}),
    (DepthwiseConv(6, 3), SMALL, {"flax"}),
    (DepthwiseConv(6, (5, 11)), LARGE, {"pytorch"}),
    (Activation("relu"), LARGE, set()),
]


@pytest.mark.parametrize(("spec", "shape", "others"), SAME_OR_NOT)
def test_where_both_are_the_same_code(adapter, spec, shape, others) -> None:
    assert adapter.chooses(spec, shape, "contiguous") == (adapter.name in others)


@pytest.mark.parametrize(("spec", "shape", "others"), SAME_OR_NOT[:-1])
def test_what_pytorch_says_of_it_is_so(spec, shape, others) -> None:
    """What is laid out anew stays channels last; and what is channels last stays as it is."""
    import torch

    batch, *spatial, channels = shape
    x = torch.rand(batch, channels, *spatial)
    for memory_format in ("contiguous", "channels_last"):
        is_so = [
            build(spec, framework="pytorch", algorithm=algorithm)(x).is_contiguous(
                memory_format=torch.channels_last
            )
            for algorithm in ("native", "auto")
        ]
        said = registry.get("pytorch").chooses(spec, shape, memory_format)
        assert (is_so[0] != is_so[1]) == said
        x = x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("spec", "shape", "others"), SAME_OR_NOT[:-1])
def test_what_flax_says_of_it_is_so(spec, shape, others) -> None:
    x = np.zeros(shape, np.float32)
    text = flax_operations(build(spec, framework="flax"), x, "cpu")
    replaced = "stablehlo.convolution" not in text
    assert registry.get("flax").chooses(spec, shape, "channels_last") == replaced


@pytest.mark.parametrize("much", [0, 1 << 30])  # its gradient image by image, too, or not
def test_flax_goes_image_by_image(monkeypatch, much: int) -> None:
    """What large images get, of small ones: bit for bit, both ways, on integers."""
    import jax

    from convparity.impls import registry, xla_algorithms

    monkeypatch.setattr(xla_algorithms, "AT_ONCE", 2 * 4 * 9 * 8 * (4 + 5))  # two images
    monkeypatch.setattr(xla_algorithms, "MUCH", much)
    jax.clear_caches()  # the size is looked up when a function is traced
    adapter = registry.get("flax")
    for batch, few in ((6, 2), (5, 1), (4, 2)):
        spec = SeparableConv(4, 5, 3, padding="same")
        weights, x = integer_case(spec, (batch, 9, 8, 4), batch)
        cotangent = np.random.default_rng(5).integers(-3, 4, (batch, 9, 8, 5)).astype(np.float32)
        found = []
        for algorithm in ("auto", "native"):
            module = adapter.build(spec, weights, algorithm=algorithm)
            by_x, by_weight = adapter.backward(module, x, cotangent)
            found.append({"y": adapter.forward(module, x), "x": by_x, **by_weight})
            text = flax_operations(module, x, "cpu")
            assert (f"tensor<{few}x9x8x5xf32>" in text) == (algorithm == "auto"), text
            assert "while" not in flax_operations(module, x, "cuda")
        for name, array in found[1].items():
            assert np.array_equal(found[0][name], array), name


def test_flax_has_second_derivatives_and_vmap() -> None:
    import jax
    from flax import nnx

    spec = Sequential({"depthwise": DEPTHWISE, "pointwise": Conv(8, 2, 1)})
    weights = init_weights(spec, seed=1)
    hessians, mapped = [], []
    for algorithm in ("auto", "native"):
        module = build(spec, weights, framework="flax", algorithm=algorithm)
        graph, state = nnx.split(module)

        def loss(x, graph=graph, state=state):
            return (nnx.merge(graph, state)(x) ** 3).sum()

        hessians.append(jax.jit(jax.hessian(loss))(X[:1, :3, :3]))
        mapped.append(jax.jit(jax.vmap(jax.grad(loss)))(X[:, None]))
    for ours, native in (hessians, mapped):
        scale = np.max(abs(native))
        assert scale > 0
        # each sums fewer than 2**10 products, once more for each derivative
        assert np.max(abs(ours - native)) <= 2**-24 * 2**12 * scale


def test_flax_forward_mode_needs_the_native_algorithm() -> None:
    import jax

    native = build(DEPTHWISE, framework="flax", algorithm="native")
    jax.jvp(native, (X,), (X,))
    with pytest.raises(TypeError, match="custom_vjp"):
        jax.jvp(build(DEPTHWISE, framework="flax"), (X,), (X,))


# ---------------------------------------------------------------- Keras on JAX

ON_JAX = """
import json, sys
import numpy as np
import convparity
from convparity.analysis.proof.data import integer_case
from convparity.impls import registry
from convparity.impls.notation import from_line

adapter = registry.get("keras")
wrong = []
for line in sys.stdin.read().splitlines():
    spec, shape = from_line(line)
    weights, x = integer_case(spec, shape, 3)
    y = convparity.reference(spec, weights, x)
    cotangent = np.random.default_rng(3).integers(-3, 4, y.shape).astype(np.float32)
    found = []
    for algorithm in ("auto", "native"):
        module = adapter.build(spec, weights, algorithm=algorithm)
        by_x, by_weight = adapter.backward(module, x, cotangent)
        found.append({"y": adapter.forward(module, x), "x": by_x, **by_weight})
    auto, native = found
    wrong += [f"{line}: y"] * (not np.array_equal(auto["y"], y))
    wrong += [f"{line}: {n}" for n in native if not np.array_equal(auto[n], native[n])]
import jax, keras
layer = adapter.build(convparity.DepthwiseConv(4, 3))
text = jax.jit(lambda x: layer(x)).lower(np.zeros((1, 5, 5, 4), "float32")).as_text()
print(json.dumps([keras.backend.backend(), "convolution" in text, wrong]))
"""
LINES = """conv2d c4>6 k3 s2 same n2 hw7x6
conv2d c4>6 k1 s2x1 p1:0x0:2 n2 hw7x6
conv2d c4>6 k3 s2 d2 g2 n2 hw7x6
conv1d c4>6 k3 s2 d2 causal n2 w7
depthwise2d c4 k3x2 s2x3 m2 same n2 hw7x6
depthwise1d c4 k3 s2 causal m2 n2 w7
depthwise3d c2 k2x3x1 s1x2x1 d2x1x1 p1 n2 dhw5x6x4
separable2d c4>6 k5 s2 m2 same nodwbias n2 hw7x6
transpose2d c4>6 k4 s3x2 p1:0x0:2 op2x1 n2 hw7x6"""


def test_keras_on_jax() -> None:
    """Another backend needs another process."""
    run = subprocess.run(
        [sys.executable, "-c", "import os; os.environ['KERAS_BACKEND'] = 'jax'" + ON_JAX],
        input=LINES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout.splitlines()[-1]) == ["jax", False, []]
