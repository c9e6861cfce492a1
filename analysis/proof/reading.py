"""Reading a native module, and running it once beside what was read.

What a module's fields say is not always what it does: hooks, replaced methods, parametrisations,
policies. The readers of ``impls`` refuse those that they can see. What they cannot see shows when
the module runs: on an input that fits, each of its layers must give what float64 gives of what was
read, up to the proved rounding bound. What was not seen to do that is not described or converted.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from convparity.analysis.proof.input_shapes import fitting_shapes, shapes_as_asked
from convparity.analysis.proof.rounded import round_to
from convparity.analysis.proof.witness import Witness
from convparity.impls import registry
from convparity.impls.adapter import Adapter
from convparity.impls.convert import transfer
from convparity.impls.errors import (
    FROM_USER_CODE,
    InputError,
    SpecError,
    UnsupportedError,
    in_one_line,
    quoted,
)
from convparity.impls.limits import check_work
from convparity.impls.overloads import typed_convert
from convparity.impls.recording import Call
from convparity.impls.spec import Composite, Spec, output_shape
from convparity.impls.weights import check_weights

__all__ = ["convert", "describe"]

EXAMPLES = 2  # of the user's inputs: no layer's examples see each other at inference
SPREAD = 3.0  # the deviation of a drawn input, to reach where activations bend


def describe(module: Any, inputs: Any = None) -> Spec:
    """Read the spec of a native module, and see that it is what the module does.

    The module runs once, at inference, and each layer is held against the float64 reference of what
    was read, under the proved rounding bound of the module's dtype. Its training mode, statistics
    and random state are afterwards what they were. One of shapes without values (JAX's
    ``eval_shape``, torch's "meta" device) cannot run: what its fields say is returned.

    Args:
        module: A module of any of the three frameworks, made of the framework's own layers or of
            those that ``build`` makes.
        inputs: What you call the module with: a native tensor in its own layout, or a tuple of one.
            None draws a small input of the shape that the first layers ask for.

    Returns:
        The spec; ``dump`` gives its weights.

    Raises:
        UnsupportedError: It is not a module of a known framework; the forward pass is code of its
            own; something attached to a layer changes what it computes; it was seen to do something
            else than its fields say; or no input that fits was found. The message names the layer.
        InputError: ``inputs`` is not one tensor with values.
        WeightError: A weight is NaN or infinite, or does not fit its layer.

    Example:
        >>> import convparity as cp
        >>> from torch import nn
        >>> cp.describe(nn.Conv2d(3, 8, 3))
        Conv(in_channels=3, out_channels=8, kernel_size=(3, 3), stride=(1, 1), padding='valid', ...)
    """
    adapter = registry.owner(module)
    spec = adapter.describe(module)
    if adapter.holds_values(module):
        _witness(adapter, module, spec, inputs)
    return spec


@typed_convert
def convert(module: Any, to: str, inputs: Any = None, share: bool = False) -> Any:
    """Make the same network in another framework: the same spec, and the same weights bit for bit.

    The module runs once, as in ``describe``: one that does something else than its fields say is
    refused. Each array is copied once, from the memory of ``module`` into the layout of ``to``; the
    new module has the dtype of the old one's weights.

    With ``share``, an array on the CPU whose bytes lie in the same order in both frameworks is not
    copied: both modules hold the same memory. From PyTorch to Flax and back these are the biases
    and the arrays of norms; from Keras to PyTorch the same; from Keras to Flax, and within PyTorch
    or Flax, all of them; to Keras, none. PyTorch trains in place, and what it writes then shows in
    the other module, even in arrays of JAX, which count as immutable; Flax and Keras put new arrays
    in place of the old ones. So share with a module that nobody trains any more.

    Args:
        module: A module of any of the three frameworks.
        to: "pytorch", "flax" or "keras"; "torch" and "jax" are understood.
        inputs: What you call ``module`` with, as in ``describe``.
        share: Whether memory may be shared instead of copied.

    Returns:
        The native module, set for inference.

    Raises:
        UnsupportedError: ``module`` cannot be read, as in ``describe``, or ``to`` cannot do what it
            does.
        InputError: The framework is not known, or ``inputs`` is not one tensor with values.
        WeightError: A weight is NaN or infinite, or does not fit its layer.
        FrameworkUnavailable: The framework ``to`` is not installed.

    Example:
        >>> import convparity as cp
        >>> from torch import nn
        >>> cp.convert(nn.Conv2d(3, 8, 5), to="flax").kernel.shape
        (5, 5, 3, 8)
    """
    source = registry.owner(module)
    registry.get(to)  # an unknown or a missing one fails before any work
    spec = source.describe(module)
    source.check_values(module)
    _witness(source, module, spec, inputs)
    return transfer(module, to, share)


def _witness(adapter: Adapter, module: Any, spec: Spec, inputs: Any) -> None:
    """Run the module, and raise unless each layer does what ``spec`` and its weights say."""
    weights = adapter.views(module, spec)
    check_weights(spec, weights)
    witness = Witness(adapter, weights, adapter.on_cpu(module))
    for call in _runs(adapter, module, spec, inputs):
        witness.judge(call, spec)


def _runs(adapter: Adapter, module: Any, spec: Spec, inputs: Any) -> Iterator[Call]:
    """On a drawn input, and on the user's if there are; then the drawn one need not fit."""
    if inputs is None:
        yield _run(adapter, module, spec, _drawn(adapter, module, spec))
        return
    given = _given(spec, inputs)
    for array in map(adapter.to_array, given):
        if not np.any(np.isfinite(array) & (array != 0)):
            raise InputError(
                "inputs hold no finite number but zero, which tells nothing: give others"
            )
    yield _run(adapter, module, spec, given)
    try:
        drawn = _run(adapter, module, spec, _drawn(adapter, module, spec))
    except UnsupportedError:  # it takes no input but such as the user's
        return
    yield drawn


def _run(adapter: Adapter, module: Any, spec: Spec, given: tuple[Any, ...]) -> Call:
    """One run, on inputs that fit the spec."""
    said = " and ".join(str(tuple(each.shape)) for each in given)
    try:
        call = adapter.record(module, *given)
    except FROM_USER_CODE as error:  # each framework raises its own
        raise UnsupportedError(
            f"{adapter.name}: the module cannot be run, so that nothing shows that it does what "
            f"its fields say: on an input of {said} it fails with "
            f"{in_one_line(error, 200)}. Give what you call it with as inputs=, or mend the module"
        ) from error
    seen = [leaf.array for value in call.given for leaf in value.leaves()]
    arrays = [array for array in seen if array is not None]
    if len(arrays) == len(seen):
        try:
            output_shape(spec, *(array.shape for array in arrays))
        except SpecError as error:
            raise UnsupportedError(
                f"{adapter.name}: the module runs on an input of {said}, which does "
                f"not fit what was read from it: {error}. (In a spec a dense layer acts on the "
                "channels; of an image each framework takes another axis.)"
            ) from None
    return call


def _given(spec: Spec, inputs: Any) -> tuple[Any, ...]:
    """The inputs of a network, with few examples."""
    each = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    takes = len(spec.sources) if isinstance(spec, Composite) else 1
    if len(each) != takes:
        what = "one input" if takes == 1 else f"{takes} inputs"
        raise InputError(f"the module takes {what}, not {len(each)}: give as many")
    return tuple(map(_few, each))


def _few(inputs: Any) -> Any:
    """An input, with few examples."""
    if not getattr(inputs, "shape", ()):
        raise InputError(f"inputs must be a tensor of the module's framework, not {quoted(inputs)}")
    try:
        return inputs[:EXAMPLES]
    except FROM_USER_CODE:  # it has a shape, and no values
        raise InputError(f"inputs must be a tensor with values, not {quoted(inputs)}") from None


def _drawn(adapter: Adapter, module: Any, spec: Spec) -> tuple[np.ndarray, ...]:
    asked = adapter.input_shapes(module)
    shapes = fitting_shapes(spec) if asked is None else shapes_as_asked(spec, asked)
    if shapes is None:
        raise UnsupportedError(
            f"{adapter.name}: no input was found that fits what was read from the module, so that "
            "it could be run beside it: give what you call it with, as inputs=. (In a spec a dense "
            "layer acts on the channels; of an image each framework takes another axis.)"
        )
    check_work(spec, *shapes)
    rng, dtype = np.random.default_rng(0), adapter.dtype(module)
    return tuple(round_to(rng.standard_normal(shape) * SPREAD, dtype) for shape in shapes)
