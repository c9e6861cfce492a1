"""From a spec to a native module, from a module to canonical weights, from module to module."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from impls import registry
from impls.spec import Spec
from impls.weights import Weights


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


def convert(module: Any, to: str, *, share: bool = False) -> Any:
    """The same network in another framework: same spec, the same weights bit for bit.

    Each array is copied once, from the memory of ``module`` into the layout of ``to``.
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
