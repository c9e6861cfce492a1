"""From a spec to a native module, and from a module to canonical weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from convparity.impls import registry
from convparity.impls.limits import check_work
from convparity.impls.overloads import typed_build
from convparity.impls.spec import Spec
from convparity.impls.values import check_input, inputs_of
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
    """Make a native module of a spec, set for inference; its framework's tools train and save it.

    Args:
        spec: Any layer or network.
        weights: The canonical weights, by the names of ``parameter_shapes(spec)``; they are copied.
            Without them the framework initialises the module.
        framework: "pytorch", "flax" or "keras"; "torch" and "jax" are understood.
        device: "cpu", or one that the framework sees, such as "gpu:0".
        dtype: Of the weights: "float32", "float64", "float16" or "bfloat16".
        algorithm: "auto" chooses what was measured to be fastest for a shape on a platform;
            "native" keeps the framework's own.

    Returns:
        A ``torch.nn.Module``, which takes images ``(N, C, *spatial)``; or a ``flax.nnx.Module`` or
        ``keras.Layer``, which take ``(N, *spatial, C)``. Of Keras a chain is a ``Sequential``, and
        another graph a Functional ``Model`` wherever the spec says how many axes and channels each
        input has: a layer reaches it before other values do. Any other is one layer with its
        wiring inside, and so is a graph of which Keras would lose something: a single value in a
        tuple, or the name of the input of a mere chain.

    Raises:
        SpecError: ``spec`` is not a spec.
        WeightError: The weights do not fit the spec, or the dtype has infinity for one of them.
        UnsupportedError: The framework cannot do this, or lacks the device or the dtype.
        InputError: The framework or the algorithm is not known, or the weights exceed the limit.
        FrameworkUnavailable: The framework is not installed.

    Example:
        >>> import convparity as cp
        >>> spec = cp.Conv(3, 8, 5, padding="same")
        >>> module = cp.build(spec, cp.init_weights(spec, seed=0), framework="pytorch")
        >>> module.weight.shape
        torch.Size([8, 3, 5, 5])
    """
    return registry.get(framework).build(
        spec, weights, device=device, dtype=dtype, algorithm=algorithm
    )


def dump(module: Any) -> Weights:
    """Read the canonical weights of a native module.

    They are read from the parameters of its layers; the module is not run.

    Args:
        module: A module of any of the three frameworks, such as ``build`` and ``convert`` make.

    Returns:
        A copy of each weight, channels last, by its canonical name.

    Raises:
        UnsupportedError: It is not a module of a known framework, or a layer cannot be read: it has
            code or hooks of its own, or computes a weight whenever it runs (weight norm, pruning,
            LoRA). The message names the layer, and says how to make a plain one of it.
        WeightError: A weight is NaN or infinite, or does not fit its layer.

    Example:
        >>> import convparity as cp
        >>> from torch import nn
        >>> {name: array.shape for name, array in cp.dump(nn.Conv2d(3, 8, 5)).items()}
        {'kernel': (5, 5, 3, 8), 'bias': (8,)}
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
    """Build a spec in a framework, run it once at inference, and return the output.

    Args:
        spec: Any layer or network.
        weights: The canonical weights: an array for each name of ``parameter_shapes(spec)``.
        x: The input, channels last: ``(N, *spatial, C)`` or ``(N, features)``; of a graph that
            takes several values, a tuple of them.
        framework: "pytorch", "flax" or "keras"; "torch" and "jax" are understood.
        device: "cpu", or one that the framework sees, such as "gpu:0".
        dtype: Of the weights and the input: "float32", "float64", "float16" or "bfloat16".

    Returns:
        The output, channels last, of shape ``output_shape(spec, x.shape)``; of a graph with several
        outputs, a tuple or a dict of them.

    Raises:
        SpecError: ``x`` does not fit the spec.
        WeightError: The weights do not fit the spec, or the dtype has infinity for one of them.
        UnsupportedError: The framework cannot do this, or lacks the device or the dtype.
        InputError: ``x`` is not an array of real numbers, the framework is not known, or a layer
            takes more than the limit.
        FrameworkUnavailable: The framework is not installed.

    Example:
        >>> import convparity as cp
        >>> import numpy as np
        >>> weights = {"kernel": np.array([1, 10]).reshape(2, 1, 1)}
        >>> spec = cp.Conv(1, 1, 2, bias=False, rank=1)
        >>> x = np.array([1, 2, 3]).reshape(1, 3, 1)
        >>> cp.apply(spec, weights, x, framework="keras").ravel().tolist()
        [21.0, 32.0]
    """
    adapter = registry.get(framework)
    x = check_input(spec, x)
    check_work(spec, *(each.shape for each in inputs_of(x)))
    check_mapping(weights)
    module = adapter.build(spec, weights, device=device, dtype=dtype)
    return adapter.forward(module, x)
