"""From a spec to a native module, and from a module to canonical weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convparity.impls import registry
from convparity.impls.limits import check_work
from convparity.impls.overloads import typed_build
from convparity.impls.spec import Spec
from convparity.impls.values import check_input
from convparity.impls.weights import Weights, check_mapping


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


def dump(module: Any) -> Weights:
    """The canonical weights of a native module, as copies.

    They are read from the layers' own parameters. A weight that is computed anew whenever its layer
    runs (weight norm, pruning, LoRA) is an ``UnsupportedError`` which says how to make it a plain
    one, and so is a layer with hooks or code beside its own; the module is not run.
    """
    return registry.owner(module).dump(module)


def transfer(module: Any, to: str, share: bool = False) -> Any:
    """The network that the fields of ``module`` say, in another framework, with its weights.

    What ``convert`` does when it has run the module beside what is read; this does not run it, and
    so gives a wrong network where a module does something else than its fields say. ``share`` is as
    there.
    """
    source, target = registry.owner(module), registry.get(to)
    spec = source.describe(module)
    weights = source.views(module, spec)
    return target.build(spec, weights, dtype=source.dtype(module), share=share)


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
    x = check_input(spec, x)
    check_work(spec, x.shape)
    check_mapping(weights)
    module = adapter.build(spec, weights, device=device, dtype=dtype)
    return adapter.forward(module, x)
