"""Flax's rows: each spec beside its class, the names of its fields there, and its weights.

A row is read in both directions; see ``impls/bindings.py``. A layer is nnx's own where that can
say the spec. Activations are functions in Flax: ``layers.Activation`` calls them, and they are read
as they stand, too.
"""

import inspect
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from flax import nnx

from convparity.impls.bindings import Table
from convparity.impls.errors import SpecError, quoted
from convparity.impls.flax.pooling import AvgPool, MaxPool
from convparity.impls.flax.rows import (
    activation,
    arithmetic,
    convolution,
    einsum,
    head,
    join,
    movement,
    normalisation,
    pooling,
    reduction,
    resize,
    source,
)
from convparity.impls.flax.rows.common import Function, refused, said
from convparity.impls.spec import Spec

FAMILIES = (
    convolution,
    pooling,
    normalisation,
    activation,
    head,
    resize,
    join,
    movement,
    arithmetic,
    einsum,
    reduction,
    source,
)
ROWS = [row for family in FAMILIES for row in family.ROWS]

TABLE = Table("flax", ROWS, said)
FUNCTIONS = [row for row in ROWS if isinstance(row, Function)]
# Functions that are read as the layer that takes the same arguments.
POOLS: dict[Callable[..., Any], type] = {
    nnx.max_pool: MaxPool,
    nnx.avg_pool: AvgPool,
}
SIGNATURES = {
    each: inspect.signature(each)
    for each in dict.fromkeys([*(row.gives["function"] for row in FUNCTIONS), *POOLS])
}


def read_function(function: Any, *parameters: Any) -> Spec:
    """The spec of a function, or of a partial of one: ``partial(nnx.gelu, approximate=False)``."""
    plain, keywords = function, {}
    if isinstance(function, partial) and not function.args:
        plain, keywords = function.func, function.keywords
    if any(plain is each for each in SIGNATURES):
        try:
            return _read_call(plain, *parameters, **keywords)
        except TypeError:  # arguments that it does not take, or that no spec can say
            pass
        except SpecError as error:
            raise refused(f"the function {quoted(function)}", str(error)) from error
    known = ", ".join(f"nnx.{each.__name__}" for each in SIGNATURES if hasattr(nnx, each.__name__))
    raise refused(f"the function {quoted(function)}", f"write it with one of {known}")


def _read_call(function: Callable[..., Any], *parameters: Any, **keywords: Any) -> Spec:
    """The spec of a known function with these arguments behind x; a ``TypeError`` if none is."""
    bound = SIGNATURES[function].bind(None, *parameters, **keywords)
    given = {*list(bound.arguments)[1:]}
    bound.apply_defaults()
    if function in POOLS:
        pool = POOLS[function](*bound.args[1:])
        return TABLE.read(pool, TABLE.rows_of(pool))
    call = SimpleNamespace(**bound.arguments)
    for row in [each for each in FUNCTIONS if each.gives["function"] is function]:
        if given <= {*row.needs, *row.fields.values()} and row.unmet(call) is None:
            return row.read(call)
    raise TypeError("no row has these arguments")
