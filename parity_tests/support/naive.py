"""A parity check as one would first write it: the yardstick of ``trials.throughput``.

Each framework makes a layer with its own initialiser, PyTorch's weights are copied into the other
two, all three run once as they are called in their tutorials, and ``allclose`` compares them.
"""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from convparity import Conv
from parity_tests.support.strategies import Case


@st.composite
def plain_cases(draw: Any) -> Case:
    """What each framework's own layer can say by itself: no padding, a stride or a dilation."""
    groups, each_in, each_out = (draw(st.integers(1, 3)) for _ in range(3))
    kernel = draw(st.tuples(*[st.integers(1, 4)] * 2))
    stride, dilation = draw(st.tuples(st.integers(1, 3), st.just(1)) | st.just((1, 2)))
    sizes = [draw(st.integers((k - 1) * dilation + 1, 12)) for k in kernel]
    channels = (groups * each_in, groups * each_out)
    spec = Conv(*channels, kernel, stride, "valid", dilation, groups)
    return Case(spec, (draw(st.integers(1, 3)), *sizes, channels[0]), draw(st.integers(0, 2**16)))


def naive(case: Case) -> None:
    """Judge one spec on one random input."""
    import jax.numpy as jnp
    import keras
    import torch
    from flax import nnx

    spec: Any = case.spec
    x = np.random.default_rng(case.seed).standard_normal(case.input_shape).astype(np.float32)

    by_torch = torch.nn.Conv2d(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        dilation=spec.dilation,
        groups=spec.groups,
    )
    by_flax = nnx.Conv(
        spec.in_channels,
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        padding="VALID",
        kernel_dilation=spec.dilation,
        feature_group_count=spec.groups,
        rngs=nnx.Rngs(case.seed),
    )
    by_keras = keras.layers.Conv2D(
        spec.out_channels,
        spec.kernel_size,
        spec.stride,
        dilation_rate=spec.dilation,
        groups=spec.groups,
    )
    by_keras.build(x.shape)

    kernel = by_torch.weight.detach().numpy().transpose(2, 3, 1, 0)
    bias = by_torch.bias.detach().numpy()
    by_flax.kernel.value, by_flax.bias.value = jnp.array(kernel), jnp.array(bias)
    by_keras.set_weights([kernel, bias])

    with torch.no_grad():
        first = by_torch(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).numpy()
    expected = first.transpose(0, 2, 3, 1)
    for other in (by_flax(jnp.array(x)), by_keras(x)):
        assert np.allclose(np.asarray(other), expected, rtol=1e-4, atol=1e-5)
