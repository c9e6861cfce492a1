"""The border for values: what may be an array of numbers, a shape or a seed.

Whatever a user gives passes here once. Behind it there are plain NumPy arrays of real numbers, in
the machine's order of bytes. Everything else is one error that names the value and the remedy.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convparity.impls.errors import (
    FROM_USER_CODE,
    ConvparityError,
    InputError,
    UnsupportedError,
    in_one_line,
    quoted,
)
from convparity.impls.spec import Composite, Join, Spec, check_spec, output_shape

# dtype -> the least number that is rounded to infinity: half a step above its largest
OVERFLOW = {
    "float16": 65520.0,
    "bfloat16": 2.0**128 - 2.0**119,
    "float32": 2.0**128 - 2.0**103,
    "float64": np.inf,
}


def real_array(
    value: Any, what: str, kind: type[ConvparityError] = InputError, *, booleans: bool = True
) -> np.ndarray:
    """``value`` as an array of real numbers in the machine's order of bytes; no copy if it is one.

    ``what`` names it in the error, which is of ``kind``. Taken are integers, floats and, with
    ``booleans``, truth values: as arrays, as tensors on the CPU, as nested lists. bfloat16, which
    NumPy lacks, becomes float32. Refused are None, text, dates, complex numbers, objects, ragged
    lists, masked values, and tensors whose values NumPy cannot have.
    """
    if value is None:
        raise kind(f"{what} is None: give an array of numbers")
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            hidden = np.count_nonzero(np.ma.getmaskarray(value))
            raise kind(
                f"{what} has {hidden} masked values of {value.size}, and no framework leaves any "
                "out: fill them, with x.filled(0) for one"
            )
        value = value.data
    try:
        if str(getattr(value, "dtype", "")).endswith(".bfloat16"):  # of a tensor NumPy fails on
            value = value.float()
        array = np.asarray(value)
    except FROM_USER_CODE as error:  # of a ragged list, or of a tensor that NumPy cannot read
        raise kind(
            f"{what} is no array that NumPy can read ({in_one_line(error)}): "
            "give a NumPy array of numbers"
        ) from None
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    if array.dtype.kind not in ("fiub" if booleans else "fiu") or array.dtype.itemsize > 8:
        raise kind(f"{what} has dtype {array.dtype}: give real numbers, float32 for one")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def output_of(call: Callable[..., object], what: str, *given: Any) -> np.ndarray:
    """What code of others gives, in memory of its own; an error of its own is the cause of ours."""
    return _own(_call(call, what, *given), what)


def outputs_of(call: Callable[..., object], what: str, *given: Any) -> Any:
    """``output_of`` where several are given: each array of a tuple or a dict."""
    return on_each(lambda y: _own(y, what), _call(call, what, *given))


def black_box_output(call: Callable[..., object], what: str, *given: Any) -> Any:
    """``output_of``, or ``outputs_of`` where a tuple or a dict is given."""
    y = _call(call, what, *given)
    several = isinstance(y, tuple | Mapping)
    return on_each(lambda each: _own(each, what), y) if several else _own(y, what)


def _own(y: Any, what: str) -> np.ndarray:
    return np.array(real_array(y, f"what {what} gives"))  # it may write into it again


def _call(call: Callable[..., object], what: str, *given: Any) -> Any:
    try:
        return call(*given)
    except ConvparityError:
        raise
    except FROM_USER_CODE as error:
        shape = " and ".join(str(np.shape(x)) for x in parts(given[-1]))
        raise InputError(f"{what} fails on an input of {shape}: {in_one_line(error)}") from error


def check_seed(seed: Any) -> int:
    """An integer of at least 0."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**128:
        raise InputError(f"seed must be an integer from 0 to 2^128 - 1, not {quoted(seed)}")
    return int(seed)


def check_choice(value: Any, what: str) -> None:
    """True, False, or None, for what is taken then."""
    if value is not None and not isinstance(value, bool | np.bool):
        raise InputError(f"{what} is True, False or None, not {quoted(value)}")


def check_input(spec: Spec, x: Any) -> Any:
    """``x`` as an array of real numbers that fits ``spec``: channels-last, with the batch.

    Of a graph that takes several values, a tuple of such arrays.
    """
    several = isinstance(spec, Composite) and len(spec.sources) > 1
    if several and not isinstance(x, tuple | list):
        names = ", ".join(spec.sources) if isinstance(spec, Composite) else ""
        raise InputError(f"x is a tuple of arrays, one for each of {names}, not {quoted(x)}")
    arrays = tuple(real_array(each, "x") for each in (x if several else (x,)))
    output_shape(spec, *(array.shape for array in arrays))
    return arrays if several else arrays[0]


def check_no_join(who: str, spec: Spec) -> None:
    """Raise ``UnsupportedError`` for a join by itself, which takes any number of values."""
    check_spec(spec)
    if isinstance(spec, Join):
        raise UnsupportedError(
            f"{who} judges layers and networks, and {type(spec).__name__} alone is a join: put it "
            "into a Graph, which says how many values it takes"
        )


def gives_several(spec: Spec) -> bool:
    """Whether a spec gives a tuple or a dict of values."""
    return isinstance(spec, Composite) and list(spec.results) != [""]


def inputs_of(x: Any) -> tuple[np.ndarray, ...]:
    """What ``check_input`` gives, as a tuple of arrays even where it is one."""
    return x if isinstance(x, tuple) else (x,)


def parts(value: Any) -> tuple[Any, ...]:
    """A value, or those of a tuple or a dict, in order."""
    if isinstance(value, Mapping):
        return tuple(value.values())
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def named_parts(value: Any) -> dict[str, Any]:
    """A value as "", or those of a tuple or a dict by their names; a tuple's are numbers."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | list):
        return {str(i): each for i, each in enumerate(value)}
    return {"": value}


def on_each(function: Callable[[Any], Any], value: Any) -> Any:
    """A value, or each of a tuple, a list or a dict of values, as ``function`` makes it."""
    if isinstance(value, Mapping):
        return {key: on_each(function, each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return tuple(on_each(function, each) for each in value)
    return function(value)
