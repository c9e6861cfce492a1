"""From a spec to a native module, from a module to canonical weights, from module to module."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convparity.impls import registry
from convparity.impls.overloads import typed_build, typed_convert
from convparity.impls.spec import Spec
from convparity.impls.weights import Weights


@typed_build
def build(
    spec: Spec,
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    framework: str,
    device: str = "cpu",
    dtype: str = "float32",
    algorithm: str = "auto",
) -> Any:
    """A native module of ``framework``, set for inference, that its own tools train and save.

    It is a ``torch.nn.Module`` (channels-first), a ``flax.nnx.Module`` or a ``keras.Layer``
    (channels-last). Without ``weights`` the framework initialises it. ``algorithm`` is "auto", for
    whatever was measured to be fastest for a shape on a platform, or "native", for the framework's
    own alone.
    Raises ``WeightError`` for weights that do not fit, ``UnsupportedError`` for what the framework
    cannot do.
    """
    return registry.get(framework).build(
        spec, weights, device=device, dtype=dtype, algorithm=algorithm
    )


def describe(module: Any) -> Spec:
    """The spec of a native module, read from its layers.

    Layers of the framework itself are understood as well as those of ``impls``; a module whose
    forward pass is code of its own is an ``UnsupportedError``.
    """
    return registry.owner(module).describe(module)


def dump(module: Any) -> Weights:
    """The canonical weights of a native module, as copies."""
    return registry.owner(module).dump(module)


@typed_convert
def convert(module: Any, to: str, *, share: bool = False) -> Any:
    """The same network in another framework: same spec, the same weights bit for bit.

    Each array is copied once, from the memory of ``module`` into the layout of ``to``, and the two
    modules are then independent.

    With ``share``, an array on the CPU whose bytes lie in the same order in both frameworks is not
    copied: both modules hold the same memory. From PyTorch to Flax and back these are the biases
    and the arrays of norms; from Keras to PyTorch the same; from Keras to Flax, and from one module
    to another of PyTorch or of Flax, all of them. To Keras everything is copied: its variables take
    no memory of others. PyTorch trains in place, and what it writes then shows in the other module,
    even in arrays of JAX, which count as immutable; Flax and Keras put new arrays in place of the
    old ones, and the other module keeps those. So share with a module that nobody trains any more.
    """
    source, target = registry.owner(module), registry.get(to)
    spec = source.describe(module)
    weights = source.views(module, spec)
    dtype = np.result_type(*weights.values()).name if weights else "float32"
    return target.build(spec, weights, dtype=dtype, share=share)


def apply(
    spec: Spec,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    *,
    framework: str,
    device: str = "cpu",
    dtype: str = "float32",
) -> np.ndarray:
    """Build, run, and return the output: channels-last in and out, inference."""
    adapter = registry.get(framework)
    module = adapter.build(spec, weights, device=device, dtype=dtype)
    return adapter.apply(module, spec, x)
