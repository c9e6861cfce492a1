"""Programs in a source's own axes, run as they are written: NumPy, and nothing of the layout pass.

``assert_laid_out`` holds the pass to it: the graph that it makes is run by the reference, on inputs
in the graph's axes, and its outputs, brought back, must be the program's.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convparity import (
    Activation,
    Add,
    Clamp,
    Concat,
    Constant,
    Dense,
    Dropout,
    Graph,
    Identity,
    LayerNorm,
    Maximum,
    Minimum,
    Multiply,
    Parameter,
    Power,
    Reduce,
    Rescale,
    RMSNorm,
    Scale,
    Slice,
    Spec,
    Subtract,
    parameter_shapes,
    reference,
)
from convparity.impls.layout import (
    BATCH,
    Along,
    Contract,
    Expand,
    LaidOut,
    Matmul,
    Operation,
    Permute,
    Program,
    Select,
    Stack,
    View,
    lay_out,
)
from convparity.impls.reference import run

BATCHES = (2, 3)
JOINED: dict[type, Callable[..., Any]] = {
    **{Add: np.add, Multiply: np.multiply, Subtract: np.subtract},
    **{Maximum: np.maximum, Minimum: np.minimum},
}
REDUCED: dict[str, Callable[..., Any]] = {
    **{"sum": np.sum, "max": np.max, "min": np.min, "mean": np.mean, "var": np.var},
}


def own_spec(program: Program, operation: Operation) -> tuple[str, Any]:
    """The name of the operation that has the weights of this one, and what both do."""
    by_name = {each.name: each for each in program.operations}
    while isinstance(operation.what, str):
        operation = by_name[operation.what]
    return operation.name, operation.what


def weights_of(program: Program, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Small integers for the canonical weights of each spec, as the source's axes have them."""
    found = {}
    for operation in program.operations:
        what = operation.what.spec if isinstance(operation.what, Along) else operation.what
        if isinstance(what, Spec):
            for name, shape in parameter_shapes(what).items():
                low = 1 if name == "variance" else -2
                found[f"{operation.name}.{name}"] = rng.integers(low, 3, shape).astype(float)
    return found


def interpret(
    program: Program,
    weights: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
    batch: int,
) -> dict[str, np.ndarray]:
    """Every value of a program, in the source's axes."""
    values = dict(arrays)
    for operation in program.operations:
        name, what = own_spec(program, operation)
        own = {
            k.removeprefix(f"{name}."): v for k, v in weights.items() if k.startswith(f"{name}.")
        }
        values[operation.name] = _run(
            what, own, batch, *(values[each] for each in operation.inputs)
        )
    return values


def _run(what: Any, own: Mapping[str, np.ndarray], batch: int, *given: np.ndarray) -> np.ndarray:
    x = given[0] if given else np.zeros(0)
    match what:
        case Parameter():
            return own["value"]
        case Constant(values=values, shape=shape):
            return np.array(values).reshape(shape)
        case Permute(order=order):
            return x.transpose(order)
        case View(shape=shape):
            return x.reshape(sized(shape, batch))
        case Expand(shape=shape):
            new = len(shape) - x.ndim
            sizes = [x.shape[i - new] if n == -1 else n for i, n in enumerate(sized(shape, batch))]
            return np.broadcast_to(x, sizes)
        case Select(axis=axis, index=index):
            return np.take(x, index, axis)
        case Stack(axis=axis):
            return np.stack(given, axis)
        case Matmul():
            return np.matmul(*given)
        case Contract():
            return _contract(what, *given)
        case Slice(axis=axis, start=start, stop=stop, step=step):
            return np.take(x, range(x.shape[axis])[start:stop:step], axis)
        case Concat(axis=axis):
            return np.concatenate(given, axis)
        case Reduce(function=function, axes=axes, keepdims=keepdims):
            return np.asarray(REDUCED[function](x, tuple(axes), keepdims=keepdims))
        case Dense(axis=axis):
            y = np.moveaxis(x, axis, -1) @ own["kernel"] + own.get("bias", 0)
            return np.moveaxis(y, -1, axis)
        case Along(spec=spec, axis=axis):
            return np.moveaxis(run(spec, own, np.moveaxis(x, axis, -1)), -1, axis)
        case LayerNorm() | RMSNorm():
            return _norm(what, own, x)
        case Activation(function="softmax", axis=axis):
            powers = np.exp(x - x.max(axis, keepdims=True))
            return powers / powers.sum(axis, keepdims=True)
        case Activation() | Clamp() | Power() | Dropout() | Identity():
            return run(what, own, x)
        case Scale() | Rescale():
            return np.moveaxis(run(what, own, np.moveaxis(x, 1, -1)), -1, 1)
    if type(what) in JOINED:
        total = x
        for each in given[1:]:
            total = JOINED[type(what)](total, each)
        return total
    return np.moveaxis(run(what, own, np.moveaxis(x, 1, -1)), -1, 1)  # an image


def sized(shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """A shape of the program, of so many examples."""
    return tuple(n // BATCH * batch if n % BATCH == 0 else n for n in shape)


def _contract(what: Contract, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All products, then sums: an axis that one value lacks has size 1 there."""
    one, other, result = what.axes
    every = [*result, *(name for name in dict.fromkeys([*one, *other]) if name not in result)]

    def spread(axes: tuple[str, ...], x: np.ndarray) -> np.ndarray:
        order = sorted(range(len(axes)), key=lambda i: every.index(axes[i]))
        sizes = [x.shape[axes.index(name)] if name in axes else 1 for name in every]
        return x.transpose(order).reshape(sizes)

    summed = tuple(range(len(result), len(every)))
    return np.asarray((spread(one, a) * spread(other, b)).sum(summed))


def _norm(what: LayerNorm | RMSNorm, own: Mapping[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    given = (what.axes,) if isinstance(what.axes, int) else what.axes
    axes = tuple(axis % x.ndim for axis in given)
    centred = x if isinstance(what, RMSNorm) else x - x.mean(axes, keepdims=True)
    y = centred / np.sqrt((centred**2).mean(axes, keepdims=True) + what.eps)
    form = [n if i in axes else 1 for i, n in enumerate(x.shape)]
    scale, offset = (
        own[k].reshape(form) if k in own else d for k, d in (("scale", 1), ("offset", 0))
    )
    return np.asarray(y * scale + offset)


# ---------------------------------------------------------------- the pass, held to it


def assert_laid_out(program: Program, seed: int = 0, exact: bool = True) -> LaidOut:
    """The graph of a program gives the program's values, at two batch sizes.

    Bit for bit, or, where sums may round in another order, as near as float64 is.
    """
    rng = np.random.default_rng(seed)
    found, weights = lay_out(program), weights_of(program, rng)
    for batch in BATCHES:
        arrays = {
            each.name: rng.integers(-3, 4, sized(each.shape, batch)).astype(float)
            for each in program.inputs
        }
        expected = interpret(program, weights, arrays, batch)
        given = tuple(
            arrays[each.name].transpose(found.inputs[each.name]) for each in program.inputs
        )
        own = found.laid_weights(weights)
        used = {name: own[name] for name in parameter_shapes(found.graph)}
        got = reference(found.graph, used, given if len(given) > 1 else given[0])
        for name, y in zip(program.results, _several(program, got), strict=True):
            wanted = expected[name].transpose(found.outputs[name])
            assert y.shape == wanted.shape, f"{name}: {y.shape}, not {wanted.shape}"
            if exact:
                assert abs(wanted).max() < 2**53, "sums of these would round"
                assert np.array_equal(y, wanted), f"{name} differs"
            else:
                margin = 2.0**-40 * max(1.0, abs(wanted).max())
                assert abs(y - wanted).max() <= margin, f"{name} differs"
    return found


def _several(program: Program, got: Any) -> list[np.ndarray]:
    if isinstance(program.outputs, str):
        return [got]
    return list(got.values()) if isinstance(got, Mapping) else list(got)


def nodes_of(found: LaidOut, kind: type) -> list[Any]:
    """The specs of a kind, in order."""
    graph: Graph = found.graph
    return [step.spec for step in graph.steps if isinstance(step.spec, kind)]


def places(shape: tuple[int, ...]) -> int:
    """How many values there are of each example."""
    return math.prod(shape) // BATCH
